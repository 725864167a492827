;; lz4-wasm (lz4_flex, Rust, wasm-bindgen): compresses standard input, prints that in hexadecimal, decompresses it again and prints the result.
;; A function that returns bytes takes the address of a struct {address, length, error, is error} on the shadow stack
;; and owns (and frees) its argument.
;; Import: `./lz4_wasm_bg.js.__wbindgen_string_new` makes the text of an error: `trap`.
(module
  (import "io" "input" (func $input (result i32)))
  (import "io" "char" (func $char (param i32)))
  (import "io" "hex" (func $hex (param i64 i32)))
  (import "io" "line" (func $line))
  (import "lib" "memory" (memory 1))
  (import "lib" "__wbindgen_add_to_stack_pointer" (func $stack (param i32) (result i32)))
  (import "lib" "__wbindgen_malloc" (func $malloc (param i32) (result i32)))
  (import "lib" "compress" (func $compress (param i32 i32 i32)))
  (import "lib" "decompress" (func $decompress (param i32 i32 i32)))

  (func (export "_start")
    (local $result i32) (local $read i32) (local $at i32) (local $size i32) (local $c i32)
    (local.set $result (call $stack (i32.const -16)))
    (local.set $read (i32.shl (memory.grow (i32.const 1)) (i32.const 16)))
    (loop $next
      (if (i32.ge_s (local.tee $c (call $input)) (i32.const 0))
        (then
          (i32.store8 (i32.add (local.get $read) (local.get $size)) (local.get $c))
          (local.set $size (i32.add (local.get $size) (i32.const 1)))
          (br $next))))
    (local.set $at (call $malloc (local.get $size)))  ;; exactly: the library frees it
    (memory.copy (local.get $at) (local.get $read) (local.get $size))
    (call $compress (local.get $result) (local.get $at) (local.get $size))
    (local.set $at (i32.load (local.get $result)))
    (local.set $size (i32.load offset=4 (local.get $result)))
    (local.set $c (i32.const 0))
    (loop $next
      (call $hex (i64.load8_u (i32.add (local.get $at) (local.get $c))) (i32.const 2))
      (br_if $next (i32.lt_u (local.tee $c (i32.add (local.get $c) (i32.const 1))) (local.get $size))))
    (call $line)
    (call $decompress (local.get $result) (local.get $at) (local.get $size))
    (call $check (local.get $result))
    (local.set $at (i32.load (local.get $result)))
    (local.set $size (i32.load offset=4 (local.get $result)))
    (local.set $c (i32.const 0))
    (loop $next
      (call $char (i32.load8_u (i32.add (local.get $at) (local.get $c))))
      (br_if $next (i32.lt_u (local.tee $c (i32.add (local.get $c) (i32.const 1))) (local.get $size)))))

  ;; traps if a result is an error
  (func $check (param $result i32)
    (if (i32.load offset=12 (local.get $result)) (then (unreachable)))))
