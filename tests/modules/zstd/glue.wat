;; @bokuweb/zstd-wasm (C, Emscripten): compresses standard input at level 10, prints the frame in hexadecimal, decompresses
;; it and prints the result.
;; Exports have short names: g() is __wasm_call_ctors, s malloc, i ZSTD_compressBound, m ZSTD_compress, r ZSTD_decompress,
;; p ZSTD_getFrameContentSize. Imports `a.*` are Emscripten's; only e, emscripten_resize_heap, is reached: it answers that
;; memory cannot grow, so the glue adds pages beforehand.
(module
  (import "io" "input" (func $input (result i32)))
  (import "io" "char" (func $char (param i32)))
  (import "io" "hex" (func $hex (param i64 i32)))
  (import "io" "line" (func $line))
  (import "lib" "f" (memory 1))
  (import "lib" "g" (func $constructors))
  (import "lib" "s" (func $malloc (param i32) (result i32)))
  (import "lib" "i" (func $bound (param i32) (result i32)))
  (import "lib" "m" (func $compress (param i32 i32 i32 i32 i32) (result i32)))
  (import "lib" "p" (func $content (param i32 i32) (result i32)))
  (import "lib" "r" (func $decompress (param i32 i32 i32 i32) (result i32)))

  (func (export "_start")
    (local $at i32) (local $size i32) (local $c i32) (local $frame i32) (local $room i32)
    (drop (memory.grow (i32.const 256)))
    (call $constructors)
    (local.set $at (call $malloc (i32.const 65536)))
    (loop $next
      (if (i32.ge_s (local.tee $c (call $input)) (i32.const 0))
        (then
          (i32.store8 (i32.add (local.get $at) (local.get $size)) (local.get $c))
          (local.set $size (i32.add (local.get $size) (i32.const 1)))
          (br $next))))
    (local.set $frame (call $malloc (local.tee $room (call $bound (local.get $size)))))
    (local.set $size (call $compress (local.get $frame) (local.get $room) (local.get $at) (local.get $size) (i32.const 10)))
    (local.set $c (i32.const 0))
    (loop $next
      (call $hex (i64.load8_u (i32.add (local.get $frame) (local.get $c))) (i32.const 2))
      (br_if $next (i32.lt_u (local.tee $c (i32.add (local.get $c) (i32.const 1))) (local.get $size))))
    (call $line)
    (local.set $at (call $malloc (local.tee $room (call $content (local.get $frame) (local.get $size)))))
    (local.set $size (call $decompress (local.get $at) (local.get $room) (local.get $frame) (local.get $size)))
    (local.set $c (i32.const 0))
    (loop $next
      (call $char (i32.load8_u (i32.add (local.get $at) (local.get $c))))
      (br_if $next (i32.lt_u (local.tee $c (i32.add (local.get $c) (i32.const 1))) (local.get $size))))))
