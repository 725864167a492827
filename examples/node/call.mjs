// Calls a function of tensors and prints its outputs.
//
//     node call.mjs [--web] MODEL.onnx [NAME=VALUE...]
//
// A value is a number; numbers in brackets; for bytes in one dimension also text, if it does not begin with `[`, or @FILE. With --web it runs in the
// runtime of browsers.

import { readFile } from 'node:fs/promises';
import { load, Trap } from './tensor_function.mjs';

const web = process.argv[2] === '--web';
const [path, ...pairs] = process.argv.slice(web ? 3 : 2);
const ort = await import(web ? 'onnxruntime-web/wasm' : 'onnxruntime-node');
// The same as in tensor_function.mjs; here it is set for all sessions.
if (web) ort.env.wasm.numThreads = 1;
const call = await load(ort, await readFile(path));

const values = {};
for (const pair of pairs) {
  const [, name, text] = pair.match(/^([^=]+)=(.*)$/s);
  const { type, shape } = call.inputs.find((input) => input.name === name) ?? {};
  if (text.startsWith('@')) values[name] = new Uint8Array(await readFile(text.slice(1)));
  else if (type === 'uint8' && shape.length === 1 && !text.startsWith('[')) values[name] = text;
  else values[name] = JSON.parse(text);
}

try {
  for (const [name, { type, dims, data }] of Object.entries(await call(values))) {
    const text = type === 'uint8' && dims.length === 1;
    console.log(`${name}: ${type}[${dims.join(', ')}] =`, text ? new TextDecoder().decode(data) : data);
  }
} catch (error) {
  if (!(error instanceof Trap)) throw error;
  console.error(`trap: ${error.message}`);
  process.exitCode = 1;
}
