import { readFileSync } from "node:fs";
const { init, parse } = await import(process.argv[2] + "/es-module-lexer/dist/lexer.js");
await init;
const source = readFileSync(0, "latin1");
let lexed;
try {
  lexed = parse(source);
} catch (error) {
  console.log(`!${error.idx}`);
}
if (lexed) {
  const [imports, exports, facade, moduleSyntax] = lexed;
  for (const i of imports) {
    console.log(i.t, i.d, i.a, i.ss, i.se, source.slice(i.s, i.e));
  }
  for (const e of exports) {
    console.log(source.slice(e.s, e.e), e.ls, e.ls < 0 ? "" : source.slice(e.ls, e.le));
  }
  console.log(+facade, +moduleSyntax);
}
