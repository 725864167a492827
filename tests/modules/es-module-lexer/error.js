import "ok";
export function f() {
  return (1;
}
