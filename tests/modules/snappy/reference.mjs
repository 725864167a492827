import { createRequire } from "node:module";
import { readFileSync, writeSync } from "node:fs";
const require = createRequire(import.meta.url);
const { compress, decompress } = require(process.argv[2] + "/snappy-wasm");
const compressed = compress(readFileSync(0, "utf8"));
console.log(Buffer.from(compressed).toString("hex"));
writeSync(1, decompress(compressed));
