// Arguments, environment and exit status in AssemblyScript.
const args = process.argv;
console.log(args.length.toString() + " arguments");
for (let i = 1; i < args.length; i++) console.log("[" + args[i] + "]");
console.log(process.env.has("HOME") ? process.env.get("HOME") : "no HOME");
console.log((Date.now() > 1577836800000).toString() + " " + (performance.now() >= 0).toString());
if (args.length > 1) {
  const how = args[1];
  if (how == "exit") process.exit(3);
  if (how == "code") process.exitCode = 4;
  if (how == "assert") assert(args.length > 100, "the assertion failed");
  if (how == "throw") throw new Error("thrown");
  if (how == "console") console.assert(args.length > 100, "shown");
  if (how == "index") console.log(args[50]);
  if (how == "unreachable") unreachable();
}
console.log("end");
