import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
const { create } = createRequire(import.meta.url)(process.argv[2] + "/rabin-wasm");
const rabin = await create(6, 32, 512, 16);
for (const length of rabin.fingerprint(readFileSync(0))) console.log(length);
