// A function of tensors as a function of JavaScript: a model from `wasm2onnx compile --signature`, in onnxruntime-node or onnxruntime-web.

// What ended a run, by the number in the output `trap`. ONNX Runtime shows no metadata to JavaScript, so the names are here.
const TRAPS = {
  1: 'wasm `unreachable` instruction executed',
  2: 'integer divide by zero',
  3: 'integer overflow',
  4: 'invalid conversion to integer',
  5: 'out of bounds memory access',
  6: 'undefined element: out of bounds table access',
  7: 'undefined element: out of bounds table access',
  8: 'uninitialized element',
  9: 'indirect call type mismatch',
  10: 'call stack exhausted',
  11: 'step limit reached',
  12: 'unsupported host call',
  13: 'the function reported an error',
  14: 'output limit reached',
};

// The arrays that hold elements of a type. Those of 64 bits hold BigInts, those of `bool` 0 and 1.
const ARRAYS = {
  bool: Uint8Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
  float32: Float32Array,
  float64: Float64Array,
};

/** A run that ended without results. */
export class Trap extends Error {
  /** @param code the number of the trap; @param error the number of the error that the function reported, if it did */
  constructor(code, error) {
    super(code === 13 ? `${TRAPS[13]}: ${error}` : (TRAPS[code] ?? `trap ${code}`));
    this.name = 'Trap';
    this.code = code;
    this.error = error;
  }
}

/**
 * Loads a model.
 *
 * @param ort the module `onnxruntime-node`, or `onnxruntime-web/wasm`
 * @param model the model's path or URL, or its bytes
 * @returns an asynchronous function. It takes an object with a value for each input and returns an object with a tensor for each output.
 *     A value is text, for bytes; a typed array; a number; numbers in nested arrays; or a tensor, as another function may have returned.
 *     If the run traps, it throws a Trap. Its property `inputs` has the name, type and shape of each input.
 */
export async function load(ort, model) {
  const session = await ort.InferenceSession.create(model, {
    // A network is one step after another: more threads would only wait.
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
  });
  const call = async (values) => {
    for (const name in values) if (!session.inputNames.includes(name)) throw new TypeError(`there is no input ${name}`);
    const feeds = {};
    for (const input of session.inputMetadata) {
      if (!(input.name in values)) throw new TypeError(`there is no value for ${input.name}: ${input.type}[${input.shape.join(', ')}]`);
      feeds[input.name] = tensor(ort, input, values[input.name]);
    }
    const { trap, error, steps, ...outputs } = await session.run(feeds);
    // Outputs are empty or 0 after a trap, so it must not go unnoticed. The numbers are int64, so they are BigInts. There is an output
    // `error` only if the function can report one: if its result is a length.
    if (trap.data[0] !== 0n) throw new Trap(Number(trap.data[0]), Number(error?.data[0] ?? 0n));
    return outputs;
  };
  return Object.assign(call, { inputs: session.inputMetadata });
}

/** Makes the tensor for an input. */
function tensor(ort, { name, type, shape }, value) {
  if (value instanceof ort.Tensor) return value;
  if (typeof value === 'string') value = new TextEncoder().encode(value);
  const Elements = ARRAYS[type];
  if (ArrayBuffer.isView(value)) {
    // An array of another type would be taken for what it is not.
    if (!(value instanceof Elements)) throw new TypeError(`${name} takes a ${Elements.name}, not a ${value.constructor.name}`);
    return new ort.Tensor(type, value, [value.length]);
  }
  // The sizes of nested arrays; in an empty one there is nothing to see them from, so they are as the model has them.
  const dims = [];
  for (let part = value; Array.isArray(part); part = part[0]) dims.push(part.length);
  if (dims.includes(0)) dims.push(...shape.slice(dims.length).map((size) => (typeof size === 'number' ? size : 0)));
  const element = { bool: (value) => Number(Boolean(value)), int64: BigInt, uint64: BigInt }[type] ?? Number;
  const elements = [value].flat(Infinity).map((value) => element(value));
  const data = Elements.from(elements);
  // A typed array takes what is too large for it modulo 2^n, and cuts fractions off. Only floats may be rounded.
  const lost = type.startsWith('float') ? -1 : elements.findIndex((element, i) => element !== data[i]);
  if (lost >= 0) throw new TypeError(`a value of ${name} is no ${type}: ${elements[lost]}`);
  return new ort.Tensor(type, data, dims);
}
