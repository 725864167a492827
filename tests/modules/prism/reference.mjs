// The package's parsePrism, with the serialized tree printed when it frees the buffer.
import { readFileSync } from "node:fs";
import { WASI } from "node:wasi";
const folder = process.argv[2] + "/@ruby/prism/src";
const { parsePrism } = await import(folder + "/parsePrism.js");
const wasi = new WASI({ version: "preview1" });
const instance = await WebAssembly.instantiate(await WebAssembly.compile(readFileSync(folder + "/prism.wasm")), wasi.getImportObject());
wasi.initialize(instance);
const pm = instance.exports;
const result = parsePrism({
  ...pm,
  pm_buffer_free(buffer) {
    const bytes = Buffer.from(pm.memory.buffer, pm.pm_buffer_value(buffer), pm.pm_buffer_length(buffer));
    for (let i = 0; i < bytes.length || i === 0; i += 64) console.log(bytes.subarray(i, i + 64).toString("hex"));
    if (bytes.length % 64 === 0) console.log();
  },
}, readFileSync(0, "utf8"));
