;; @cwasm/lodepng (C, clang and WASI SDK): decodes a PNG image from standard input, prints its size and pixels (a line of
;; hexadecimal RGBA for each row), encodes the pixels as PNG again and prints the size and bytes of that.
;; `_initialize` is called by the compiler. No imports.
(module
  (import "io" "input" (func $input (result i32)))
  (import "io" "hex" (func $hex (param i64 i32)))
  (import "io" "dec" (func $dec (param i32)))
  (import "io" "space" (func $space))
  (import "io" "line" (func $line))
  (import "lib" "memory" (memory 1))
  (import "lib" "malloc" (func $malloc (param i32) (result i32)))
  ;; (address of the pixels' address, of the width, of the height, PNG, its size) -> 0
  (import "lib" "lodepng_decode32" (func $decode (param i32 i32 i32 i32 i32) (result i32)))
  ;; (address of the PNG's address, of its size, pixels, width, height) -> 0
  (import "lib" "lodepng_encode32" (func $encode (param i32 i32 i32 i32 i32) (result i32)))

  (func (export "_start")
    (local $results i32) (local $at i32) (local $size i32) (local $c i32)
    (local.set $results (call $malloc (i32.const 12)))
    (local.set $at (call $malloc (i32.const 65536)))
    (loop $next
      (if (i32.ge_s (local.tee $c (call $input)) (i32.const 0))
        (then
          (i32.store8 (i32.add (local.get $at) (local.get $size)) (local.get $c))
          (local.set $size (i32.add (local.get $size) (i32.const 1)))
          (br $next))))
    (if (call $decode (local.get $results) (i32.add (local.get $results) (i32.const 4))
          (i32.add (local.get $results) (i32.const 8)) (local.get $at) (local.get $size))
      (then (unreachable)))
    (call $dec (i32.load offset=4 (local.get $results)))
    (call $space)
    (call $dec (i32.load offset=8 (local.get $results)))
    (call $line)
    (local.set $at (i32.load (local.get $results)))
    (local.set $c (i32.load offset=8 (local.get $results)))
    (loop $row
      (call $bytes (local.get $at) (i32.mul (i32.const 4) (i32.load offset=4 (local.get $results))))
      (local.set $at (i32.add (local.get $at) (i32.mul (i32.const 4) (i32.load offset=4 (local.get $results)))))
      (br_if $row (local.tee $c (i32.sub (local.get $c) (i32.const 1)))))
    (if (call $encode (local.get $results) (i32.add (local.get $results) (i32.const 4)) (i32.load (local.get $results))
          (i32.load offset=4 (local.get $results)) (i32.load offset=8 (local.get $results)))
      (then (unreachable)))
    (call $dec (i32.load offset=4 (local.get $results)))
    (call $line)
    (call $bytes (i32.load (local.get $results)) (i32.load offset=4 (local.get $results))))

  ;; prints a line of bytes in hexadecimal
  (func $bytes (param $at i32) (param $size i32)
    (loop $next
      (call $hex (i64.load8_u (local.get $at)) (i32.const 2))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br_if $next (local.tee $size (i32.sub (local.get $size) (i32.const 1)))))
    (call $line)))
