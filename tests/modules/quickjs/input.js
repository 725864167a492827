// Closures, classes, generators, regular expressions, JSON, BigInt, dates, promises
const primes = (function* () {
  const found = [];
  for (let n = 2; ; n++) if (found.every((p) => n % p)) { found.push(n); yield n; }
})();
print("primes:", Array.from({ length: 15 }, () => primes.next().value).join(" "));

class Shape { constructor(name) { this.name = name; } get area() { return 0; } toString() { return `${this.name}: ${this.area.toFixed(3)}`; } }
class Circle extends Shape { #r; constructor(r) { super("circle"); this.#r = r; } get area() { return Math.PI * this.#r ** 2; } }
print(new Circle(2.5), new Shape("nothing"));

const text = "2024-02-29 and 1999-12-31";
print(text.replace(/(?<y>\d{4})-(?<m>\d\d)-(?<d>\d\d)/g, "$<d>.$<m>.$<y>"), [..."añb😀"].length);
print(JSON.stringify({ a: [1, null, { b: "\u2028\n" }], c: undefined, d: new Date(1e12), e: NaN }, null, 1));
let factorial = 1n;
for (let i = 2n; i <= 30n; i++) factorial *= i;
print(factorial, factorial % 1000000007n, BigInt.asUintN(64, -factorial));
print([5, 1, 10, 2].sort(), [5, 1, 10, 2].toSorted((a, b) => a - b), 0.1 + 0.2, 1e21, (255).toString(16), parseFloat("3.5e-7"));
print(new Map([["x", new Set([1, 2])]]).get("x").has(2), typeof Symbol.iterator, [1, [2, [3]]].flat(Infinity));
print(Math.sin(1), Math.exp(10), Math.pow(2, 0.5), Math.hypot(3, 4), Math.atan2(1, -1));
try { null.property } catch (error) { print(error.name, error.message); }
const sleep = async (n) => { for (let i = 0; i < n; i++) { await null; print("tick", i); } return n; };
Promise.all([sleep(2), sleep(1)]).then((values) => print("all", values));
const { a, ...rest } = { a: 1, b: 2, c: 3 };
Object.entries(rest).map(([k, v]) => k + v).join() + (a ?? 0);
