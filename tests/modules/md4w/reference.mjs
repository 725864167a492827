import { readFileSync, writeSync } from "node:fs";
const { init, mdToHtml } = await import(process.argv[2] + "/md4w/js/index.js");
await init("small");
writeSync(1, mdToHtml(readFileSync(0)));
