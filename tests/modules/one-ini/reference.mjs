import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
const { parse_to_uint32array } = createRequire(import.meta.url)(process.argv[2] + "/@one-ini/wasm");
for (const n of parse_to_uint32array(readFileSync(0))) console.log(n | 0);
