import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
const lodepng = createRequire(import.meta.url)(process.argv[2] + "/@cwasm/lodepng");
const image = lodepng.decode(readFileSync(0));
console.log(image.width, image.height);
for (let y = 0; y < image.height; y++) {
  console.log(Buffer.from(image.data.subarray(4 * image.width * y, 4 * image.width * (y + 1))).toString("hex"));
}
const png = lodepng.encode(image);
console.log(png.length);
console.log(Buffer.from(png).toString("hex"));
