// Reads standard input to its end and answers with what it was.
const buffer = new ArrayBuffer(64);
const bytes: u8[] = [];
let reads = 0;
while (true) {
  const count = process.stdin.read(buffer);
  if (count == 0) break;
  reads++;
  const view = Uint8Array.wrap(buffer, 0, count);
  for (let i = 0; i < count; i++) bytes.push(view[i]);
}
const text = String.UTF8.decodeUnsafe(bytes.dataStart, bytes.length);
const lines = text.split("\n");
const some = reads > 0 ? "some" : "no";
console.log(bytes.length.toString() + " bytes, " + lines.length.toString() + " parts, " + some + " reads");
for (let i = 0; i < lines.length; i++) console.log(lines[i].toUpperCase() + " " + parseInt(lines[i]).toString());
