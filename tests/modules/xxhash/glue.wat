;; xxhash-wasm: the XXH32 (seed 0) and XXH64 (seed 7) of standard input.
;; The library has no allocator: the input gets fresh pages, one more whenever it has reached their end.
(module
  (import "io" "input" (func $input (result i32)))
  (import "io" "hex" (func $hex (param i64 i32)))
  (import "io" "line" (func $line))
  (import "lib" "mem" (memory 1))
  (import "lib" "xxh32" (func $xxh32 (param i32 i32 i32) (result i32)))
  (import "lib" "xxh64" (func $xxh64 (param i32 i32 i64) (result i64)))

  (func (export "_start")
    (local $at i32) (local $end i32) (local $c i32)
    (local.set $end (local.tee $at (i32.shl (memory.grow (i32.const 1)) (i32.const 16))))
    (loop $next
      (if (i32.ge_s (local.tee $c (call $input)) (i32.const 0))
        (then
          (if (i32.eq (local.get $end) (i32.shl (memory.size) (i32.const 16)))
            (then (drop (memory.grow (i32.const 1)))))
          (i32.store8 (local.get $end) (local.get $c))
          (local.set $end (i32.add (local.get $end) (i32.const 1)))
          (br $next))))
    (call $hex (i64.extend_i32_u (call $xxh32 (local.get $at) (i32.sub (local.get $end) (local.get $at)) (i32.const 0)))
      (i32.const 8))
    (call $line)
    (call $hex (call $xxh64 (local.get $at) (i32.sub (local.get $end) (local.get $at)) (i64.const 7)) (i32.const 16))
    (call $line)))
