// undici uses llhttp for responses within its client; this calls the module of the package in the same way.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
const bytes = createRequire(import.meta.url)(process.argv[2] + "/undici/lib/llhttp/llhttp-wasm.js");
const text = (at, length) => Buffer.from(lib.memory.buffer, at, length).toString();
const string = (at) => text(at, new Uint8Array(lib.memory.buffer).indexOf(0, at) - at);
const span = (event) => (_, at, length) => (console.log(event + " " + text(at, length)), 0);
const plain = (event) => () => (console.log(event + " "), 0);
const env = {
  wasm_on_message_begin: plain("B"), wasm_on_url: span("U"), wasm_on_status: span("S"), wasm_on_header_field: span("F"),
  wasm_on_header_value: span("V"), wasm_on_body: span("D"), wasm_on_message_complete: plain("C"),
  wasm_on_headers_complete: (p, status, upgrade, alive) =>
    (console.log(`H ${status} ${2 * upgrade + alive} ${string(lib.llhttp_method_name(lib.llhttp_get_method(p)))}`), 0),
};
const lib = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env }).exports;
lib._initialize();
const parser = lib.llhttp_alloc(0);
const at = lib.malloc(64);
const input = readFileSync(0);
let error = 0;
for (let i = 0; i < input.length && !error; i += 64) {
  const piece = input.subarray(i, i + 64);
  new Uint8Array(lib.memory.buffer).set(piece, at);
  error = lib.llhttp_execute(parser, at, piece.length);
}
error ||= lib.llhttp_finish(parser);
console.log(string(lib.llhttp_errno_name(error)) + (error ? " " + string(lib.llhttp_get_error_reason(parser)) : ""));
