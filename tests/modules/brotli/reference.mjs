import { readFileSync, writeSync } from "node:fs";
const folder = process.argv[2] + "/brotli-dec-wasm/pkg/brotli_dec_wasm";
const { initSync, decompress } = await import(folder + ".js");
initSync({ module: readFileSync(folder + "_bg.wasm") });
writeSync(1, decompress(readFileSync(0)));
