import { createRequire } from "node:module";
import { readFileSync, writeSync } from "node:fs";
const { simplecc } = createRequire(import.meta.url)(process.argv[2] + "/simplecc-wasm/pkg/nodejs/simplecc_wasm.js");
writeSync(1, simplecc(readFileSync(0, "utf8"), "s2t"));
