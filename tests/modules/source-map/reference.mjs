import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
const { SourceMapConsumer } = createRequire(import.meta.url)(process.argv[2] + "/source-map");
const numbers = Array.from({ length: 5000 }, (_, i) => `n${i}`);
try {
  const consumer = await new SourceMapConsumer({ version: 3, sources: numbers, names: numbers, mappings: readFileSync(0, "latin1").trim() });
  consumer.computeColumnSpans();
  const print = (m) => {
    const last = m.lastGeneratedColumn === null || m.lastGeneratedColumn === Infinity ? "-" : m.lastGeneratedColumn;
    const original = m.source === null ? "-" : `${m.source.slice(1)} ${m.originalLine} ${m.originalColumn}`;
    console.log(`${m.generatedLine} ${m.generatedColumn} ${last} ${original} ${m.name === null ? "-" : m.name.slice(1)}`);
  };
  consumer.eachMapping(print, null, SourceMapConsumer.GENERATED_ORDER);
  console.log();
  consumer.eachMapping(print, null, SourceMapConsumer.ORIGINAL_ORDER);
} catch (error) {
  console.log("!" + error.message.match(/code (\d+)/)[1]);
}
