import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
const { initSync, parse } = createRequire(import.meta.url)(process.argv[2] + "/cjs-module-lexer/dist/lexer.js");
initSync();
try {
  const { exports, reexports } = parse(readFileSync(0, "latin1"));
  for (const name of reexports) console.log("R " + name);
  for (const name of exports) console.log("E " + name);
} catch (error) {
  console.log(`!${error.idx}`);
}
