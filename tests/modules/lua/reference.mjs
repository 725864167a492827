import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
const { LuaFactory } = createRequire(import.meta.url)(process.argv[2] + "/wasmoon");
const lua = await new LuaFactory().createEngine();
await lua.doString(readFileSync(0, "utf8"));
