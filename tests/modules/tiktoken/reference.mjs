import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
const require = createRequire(import.meta.url);
const folder = process.argv[2] + "/tiktoken/lite";
const { Tiktoken } = require(folder + "/tiktoken.cjs");
const [pattern, ranks, ...text] = readFileSync(0, "utf8").split("\n");
const tokenizer = new Tiktoken(ranks, {}, pattern);
for (const token of tokenizer.encode_ordinary(text.join("\n"))) {
  console.log(token, Buffer.from(tokenizer.decode_single_token_bytes(token)).toString("hex"));
}
