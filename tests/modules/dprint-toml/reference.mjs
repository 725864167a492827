import { readFileSync, writeSync } from "node:fs";
const { createFromBuffer } = await import(process.argv[2] + "/@dprint/formatter/esm/mod.js");
const formatter = createFromBuffer(readFileSync(process.argv[2] + "/@dprint/toml/plugin.wasm"));
try {
  writeSync(1, formatter.formatText({ filePath: "file", fileText: readFileSync(0, "utf8") }));
} catch (error) {
  console.log("!" + error.message);
}
