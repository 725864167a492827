import { readFileSync } from "node:fs";
const { default: xxhash } = await import(process.argv[2] + "/xxhash-wasm/esm/xxhash-wasm.js");
const { h32Raw, h64Raw } = await xxhash();
const input = readFileSync(0);
console.log(h32Raw(input, 0).toString(16).padStart(8, "0"));
console.log(h64Raw(input, 7n).toString(16).padStart(16, "0"));
