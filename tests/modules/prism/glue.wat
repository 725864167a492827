;; @ruby/prism (C, clang, WASI SDK): parses the Ruby program on standard input and prints the serialized syntax tree, with
;; comments, errors and constants, in hexadecimal, 64 bytes a line. `_initialize` is called by the compiler.
;; The options are those that the package passes for {}: 20 bytes, all zero but the number of the first line, 1.
;; The imports are WASI's; parsing reaches none.
(module
  (import "io" "input" (func $input (result i32)))
  (import "io" "hex" (func $hex (param i64 i32)))
  (import "io" "line" (func $line))
  (import "lib" "memory" (memory 1))
  (import "lib" "calloc" (func $calloc (param i32 i32) (result i32)))
  (import "lib" "pm_buffer_sizeof" (func $buffer_size (result i32)))
  (import "lib" "pm_buffer_init" (func $buffer_init (param i32) (result i32)))
  (import "lib" "pm_buffer_value" (func $value (param i32) (result i32)))
  (import "lib" "pm_buffer_length" (func $length (param i32) (result i32)))
  (import "lib" "pm_serialize_parse" (func $parse (param i32 i32 i32 i32)))  ;; (buffer, source, its size, options)

  (func (export "_start")
    (local $at i32) (local $size i32) (local $c i32) (local $options i32) (local $buffer i32)
    (local.set $at (call $calloc (i32.const 1) (i32.const 65536)))
    (loop $next
      (if (i32.ge_s (local.tee $c (call $input)) (i32.const 0))
        (then
          (i32.store8 (i32.add (local.get $at) (local.get $size)) (local.get $c))
          (local.set $size (i32.add (local.get $size) (i32.const 1)))
          (br $next))))
    (local.set $options (call $calloc (i32.const 1) (i32.const 64)))
    (i32.store offset=4 (local.get $options) (i32.const 1))
    (drop (call $buffer_init (local.tee $buffer (call $calloc (call $buffer_size) (i32.const 1)))))
    (call $parse (local.get $buffer) (local.get $at) (local.get $size) (local.get $options))
    (local.set $at (call $value (local.get $buffer)))
    (local.set $size (call $length (local.get $buffer)))
    (local.set $c (i32.const 0))
    (loop $next
      (call $hex (i64.load8_u (i32.add (local.get $at) (local.get $c))) (i32.const 2))
      (local.set $c (i32.add (local.get $c) (i32.const 1)))
      (if (i32.eqz (i32.rem_u (local.get $c) (i32.const 64))) (then (call $line)))
      (br_if $next (i32.lt_u (local.get $c) (local.get $size))))
    (call $line)))
