import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
const { bcrypt } = createRequire(import.meta.url)(process.argv[2] + "/hash-wasm");
const input = readFileSync(0);
console.log(await bcrypt({ salt: input.subarray(0, 16), password: input.subarray(16), costFactor: 4, outputType: "encoded" }));
