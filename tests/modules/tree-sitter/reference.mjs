import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
const { Language, Parser } = createRequire(import.meta.url)(process.argv[2] + "/web-tree-sitter/web-tree-sitter.cjs");
await Parser.init();
const parser = new Parser();
parser.setLanguage(await Language.load(process.argv[2] + "/tree-sitter-json/tree-sitter-json.wasm"));
const root = parser.parse(readFileSync(0, "latin1")).rootNode;
console.log(root.toString());
console.log(root.descendantCount);
