;; md4w (MD4C in C and Zig): makes HTML of the Markdown on standard input.
;; allocMem(n) and render(text, flags, size of a chunk, no highlighter, HTML) have addresses and lengths in the halves of
;; an i64; render calls env.emitChunk (callback.wat), here $chunk, for all chunks but the last, which it returns.
(module
  (import "io" "input" (func $input (result i32)))
  (import "io" "char" (func $char (param i32)))
  (import "env" "hooks" (table 1 funcref))
  (import "lib" "memory" (memory 1))
  (import "lib" "allocMem" (func $allocate (param i32) (result i64)))
  (import "lib" "render" (func $render (param i64 i32 i32 i32 i32) (result i64)))
  (elem (i32.const 0) $chunk)

  (func (export "_start")
    (local $at i32) (local $size i32) (local $c i32)
    (local.set $at (i32.wrap_i64 (call $allocate (i32.const 65536))))
    (loop $next
      (if (i32.ge_s (local.tee $c (call $input)) (i32.const 0))
        (then
          (i32.store8 (i32.add (local.get $at) (local.get $size)) (local.get $c))
          (local.set $size (i32.add (local.get $size) (i32.const 1)))
          (br $next))))
    (call $chunk (call $render
      (i64.or (i64.extend_i32_u (local.get $at)) (i64.shl (i64.extend_i32_u (local.get $size)) (i64.const 32)))
      (i32.const 0x0b07)  ;; ParseFlags.DEFAULT
      (i32.const 512) (i32.const 0) (i32.const 0))))

  (func $chunk (param $place i64)
    (local $at i32) (local $end i32)
    (local.set $at (i32.wrap_i64 (local.get $place)))
    (local.set $end (i32.add (local.get $at) (i32.wrap_i64 (i64.shr_u (local.get $place) (i64.const 32)))))
    (loop $next
      (if (i32.lt_u (local.get $at) (local.get $end))
        (then
          (call $char (i32.load8_u (local.get $at)))
          (local.set $at (i32.add (local.get $at) (i32.const 1)))
          (br $next))))))
