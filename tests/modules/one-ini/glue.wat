;; @one-ini/wasm (Rust, wasm-bindgen with reference types), an EditorConfig parser: prints the tokens of the file on standard
;; input, each a number for its kind and positions.
;; parse_to_uint32array(address, length) owns its argument and returns four values: address and number of the u32, error and
;; whether there is one. __wbindgen_start() is what wasm-bindgen calls first (its import: `nop`); the other imports make
;; JavaScript objects for another function and for errors.
(module
  (import "io" "input" (func $input (result i32)))
  (import "io" "char" (func $char (param i32)))
  (import "io" "dec" (func $dec (param i32)))
  (import "io" "line" (func $line))
  (import "lib" "memory" (memory 1))
  (import "lib" "__wbindgen_start" (func $start))
  (import "lib" "__wbindgen_malloc" (func $malloc (param i32 i32) (result i32)))
  (import "lib" "parse_to_uint32array" (func $parse (param i32 i32) (result i32 i32 i32 i32)))

  (func (export "_start")
    (local $read i32) (local $at i32) (local $size i32) (local $c i32)
    (call $start)
    (local.set $read (i32.shl (memory.grow (i32.const 1)) (i32.const 16)))
    (loop $next
      (if (i32.ge_s (local.tee $c (call $input)) (i32.const 0))
        (then
          (i32.store8 (i32.add (local.get $read) (local.get $size)) (local.get $c))
          (local.set $size (i32.add (local.get $size) (i32.const 1)))
          (br $next))))
    (local.set $at (call $malloc (local.get $size) (i32.const 1)))  ;; exactly: the library frees it
    (memory.copy (local.get $at) (local.get $read) (local.get $size))
    (call $parse (local.get $at) (local.get $size))
    (if (then (call $char (i32.const 33)) (call $line) (return)))
    (drop)
    (local.set $size)
    (local.set $at)
    (loop $next
      (if (local.get $size)
        (then
          (call $dec (i32.load (local.get $at)))
          (call $line)
          (local.set $at (i32.add (local.get $at) (i32.const 4)))
          (local.set $size (i32.sub (local.get $size) (i32.const 1)))
          (br $next))))))
