// Printing in AssemblyScript.
console.log("log, é 日本");
console.info("info");
console.warn("warn");
console.error("error");
console.debug("debug");
console.assert(process.argv.length == 1, "not shown");
console.assert(process.argv.length == 2, "shown");
console.log((1.5).toString() + " " + (-7).toString() + " " + i64.MAX_VALUE.toString() + " " + (0.1 + 0.2).toString());
console.log(f64.NaN.toString() + " " + f64.MAX_VALUE.toString() + " " + u64.MAX_VALUE.toString(16));

const words = new Map<string, i32>();
const text = "the cat the dog the end";
const parts = text.split(" ");
for (let i = 0; i < parts.length; i++) {
  const word = parts[i];
  words.set(word, words.has(word) ? words.get(word) + 1 : 1);
}
const keys = words.keys().sort();
for (let i = 0; i < keys.length; i++) console.log(keys[i] + ": " + words.get(keys[i]).toString());

let garbage = "";
for (let i = 0; i < 300; i++) garbage += i.toString();
console.log(garbage.length.toString());
process.stdout.write("no newline");
process.stderr.write("to standard error\n");
trace("trace", 2, 1.0, 2.5);
