import { createRequire } from "node:module";
import { readFileSync, writeSync } from "node:fs";
const require = createRequire(import.meta.url);
const { compress, decompress } = require(process.argv[2] + "/lz4-wasm-nodejs");
const compressed = compress(readFileSync(0));
console.log(Buffer.from(compressed).toString("hex"));
writeSync(1, decompress(compressed));
