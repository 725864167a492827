import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
const folder = process.argv[2] + "/vscode-oniguruma/release";
const { loadWASM, OnigScanner, OnigString } = createRequire(import.meta.url)(folder + "/main.js");
await loadWASM(readFileSync(folder + "/onig.wasm"));
const lines = readFileSync(0, "latin1").split("\n");  // bytes, so that offsets are; the inputs are ASCII
const patterns = lines.splice(0, lines.indexOf("") + 1).slice(0, -1);
let scanner;
try {
  scanner = new OnigScanner(patterns);
} catch (error) {
  console.log(error.message);
}
for (const line of scanner ? lines : []) {
  const text = new OnigString(line);
  for (let from = 0; from <= line.length; ) {
    const match = scanner.findNextMatchSync(text, from);
    if (!match) break;
    console.log([match.index, ...match.captureIndices.flatMap(({ start, end }) => [start | 0, end | 0])].join(" "));
    from = match.captureIndices[0].end + (match.captureIndices[0].length === 0);
  }
  text.dispose();
  console.log("-");
}
