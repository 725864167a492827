// A module with every kind of import and export
import def, { a as b, c } from "./first.mjs";
import * as ns from 'second';
import "side-effect" ;
import json from "./data.json" with { type: "json" };
export { b as default, c as "string name" };
export * from "third";
export * as everything from './fourth.js';
export const { x, y: [z], ...rest } = ns;
export let one = 1, two = /re\/gex[/]"/g.test("import('no')"), three;
export async function* generate(arg = `template ${await import(`dyn${one}`)} // not a comment`) {
  /* import "comment"; */
  const lazy = await import("./lazy.js", { with: { type: "json" } });
  return import.meta.url + lazy.default / 2 / 3;
}
export class Widget extends def { static import() { return import.meta; } }
if (one) import(/* hint */ "conditional").then(({ default: d }) => d());
export default def;
