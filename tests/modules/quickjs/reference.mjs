import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
const require = createRequire(process.argv[2] + "/");
const { newQuickJSWASMModuleFromVariant } = require(process.argv[2] + "/quickjs-emscripten-core");
const variant = require(process.argv[2] + "/@jitl/quickjs-wasmfile-release-sync");
const QuickJS = await newQuickJSWASMModuleFromVariant(variant.default ?? variant);
const runtime = QuickJS.newRuntime();
const context = runtime.newContext();
const print = context.newFunction("print", (...values) => console.log(...values.map((value) => context.getString(value))));
context.setProp(context.global, "print", print);
const result = context.evalCode(readFileSync(0, "utf8"), "eval.js", 0);
if (result.error) {
  console.log("! " + context.getString(result.error));
} else {
  runtime.executePendingJobs();
  console.log("= " + context.getString(result.value));
}
