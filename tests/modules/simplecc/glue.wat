;; simplecc-wasm (OpenCC in Rust, wasm-bindgen with reference types): converts the text on standard input from simplified to
;; traditional Chinese.
;; simplecc(text, length, name of the conversion, its length) owns its arguments and returns four values: address and length
;; of the result, error and whether there is one. __wbindgen_start() is what wasm-bindgen calls first (its import: `nop`);
;; the other import is for errors.
(module
  (import "io" "input" (func $input (result i32)))
  (import "io" "char" (func $char (param i32)))
  (import "lib" "memory" (memory 1))
  (import "lib" "__wbindgen_start" (func $start))
  (import "lib" "__wbindgen_malloc" (func $malloc (param i32 i32) (result i32)))
  (import "lib" "simplecc" (func $convert (param i32 i32 i32 i32) (result i32 i32 i32 i32)))

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
    (i32.store (local.tee $c (call $malloc (i32.const 3) (i32.const 1))) (i32.const 0x743273))  ;; "s2t"
    (call $convert (local.get $at) (local.get $size) (local.get $c) (i32.const 3))
    (if (then (unreachable)))
    (drop)
    (local.set $size)
    (local.set $at)
    (loop $next
      (if (local.get $size)
        (then
          (call $char (i32.load8_u (local.get $at)))
          (local.set $at (i32.add (local.get $at) (i32.const 1)))
          (local.set $size (i32.sub (local.get $size) (i32.const 1)))
          (br $next))))))
