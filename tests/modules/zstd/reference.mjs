import { createRequire } from "node:module";
import { readFileSync, writeSync } from "node:fs";
const zstd = createRequire(import.meta.url)(process.argv[2] + "/@bokuweb/zstd-wasm");
await zstd.init();
const frame = zstd.compress(readFileSync(0), 10);
console.log(Buffer.from(frame).toString("hex"));
writeSync(1, zstd.decompress(frame));
