// Makes the calls that run.py asks for on standard input, with the example, and prints for each the outputs, or how it ended.
//
// node cases.mjs RUNTIME

import { text } from 'node:stream/consumers';
import { readFile } from 'node:fs/promises';
import { load, Trap } from './tensor_function.mjs';

const name = process.argv[2];
const ort = await import(name);
if (name !== 'onnxruntime-node') ort.env.wasm.numThreads = 1;

const { models, cases } = JSON.parse(await text(process.stdin));
const functions = {};
for (const [model, path] of Object.entries(models)) functions[model] = await load(ort, await readFile(path));

const arrays = {
  bool: Uint8Array, int8: Int8Array, uint8: Uint8Array, int16: Int16Array, uint16: Uint16Array, int32: Int32Array, uint32: Uint32Array,
  int64: BigInt64Array, uint64: BigUint64Array, float32: Float32Array, float64: Float64Array,
};

/** Nested arrays of these sizes. */
function nested(elements, dims) {
  if (dims.length === 0) return elements[0];
  const size = elements.length / dims[0];
  return Array.from({ length: dims[0] }, (_, i) => nested(elements.slice(i * size, (i + 1) * size), dims.slice(1)));
}

/** An input in the form in which the case wants it. */
function value({ type, dims, hex, form }) {
  const bytes = new Uint8Array(Buffer.from(hex, 'hex'));
  const data = new arrays[type](bytes.buffer);
  switch (form) {
    case 'text': return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    case 'array': return data;
    case 'nested': return nested(Array.from(data), dims);
    case 'tensor': return new ort.Tensor(type, data, dims);
  }
}

for (const { model, inputs } of cases) {
  let answer;
  try {
    const values = Object.fromEntries(Object.entries(inputs).map(([name, input]) => [name, value(input)]));
    const outputs = await functions[model](values);
    answer = { outputs: {} };
    for (const [name, { type, dims, data }] of Object.entries(outputs)) {
      answer.outputs[name] = { type, dims, hex: Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('hex') };
    }
  } catch (error) {
    if (!(error instanceof Trap)) throw error;
    answer = { trap: error.message };
  }
  console.log(JSON.stringify(answer));
}
