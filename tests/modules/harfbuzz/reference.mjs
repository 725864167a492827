import { readFileSync } from "node:fs";
const hb = await import(process.argv[2] + "/harfbuzzjs/dist/index.mjs");
const input = readFileSync(0);
const size = input.readUInt32LE(0);
const font = new hb.Font(new hb.Face(new hb.Blob(input.subarray(4, 4 + size)), 0));
for (const line of input.subarray(4 + size).toString("utf16le").split("\n").slice(0, -1)) {
  const buffer = new hb.Buffer();
  buffer.addText(line);
  buffer.guessSegmentProperties();
  hb.shape(font, buffer);
  for (const g of buffer.getGlyphInfosAndPositions()) {
    console.log(g.codepoint, g.cluster, g.xAdvance, g.yAdvance, g.xOffset, g.yOffset);
  }
  console.log();
}
process.exit(0);
