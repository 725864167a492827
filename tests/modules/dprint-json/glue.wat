;; A dprint plugin (Rust, plugin interface 4): formats the text on standard input; an error is printed after "!".
;; Texts are passed through a buffer of the plugin: clear_shared_bytes(length) gives its place for a text to come,
;; get_shared_bytes_ptr() its place for one that a function has left, whose length is the function's result.
;; Calls: configuration, register_config(1); path, set_file_path(); text, format(1), which is 0 for no change, 1 for a new
;; text (get_formatted_text), 2 for an error (get_error_text). @dprint/json and @dprint/toml import nothing; what
;; @dprint/markdown imports (`dprint.host_…`) is to have code blocks formatted: 0, they stay as they are.
(module
  (import "io" "input" (func $input (result i32)))
  (import "io" "char" (func $char (param i32)))
  (import "io" "line" (func $line))
  (import "lib" "memory" (memory 1))
  (import "lib" "clear_shared_bytes" (func $clear (param i32) (result i32)))
  (import "lib" "get_shared_bytes_ptr" (func $shared (result i32)))
  (import "lib" "register_config" (func $configure (param i32)))
  (import "lib" "set_file_path" (func $set_path))
  (import "lib" "format" (func $format (param i32) (result i32)))
  (import "lib" "get_formatted_text" (func $formatted (result i32)))
  (import "lib" "get_error_text" (func $error (result i32)))
  (data $configuration "{\22global\22:{},\22plugin\22:{}}")  ;; 25 bytes
  (data $path "file")

  (func (export "_start")
    (local $read i32) (local $size i32) (local $c i32)
    (memory.init $configuration (call $clear (i32.const 25)) (i32.const 0) (i32.const 25))
    (call $configure (i32.const 1))
    (memory.init $path (call $clear (i32.const 4)) (i32.const 0) (i32.const 4))
    (call $set_path)
    (local.set $read (i32.shl (memory.grow (i32.const 2)) (i32.const 16)))
    (loop $next
      (if (i32.ge_s (local.tee $c (call $input)) (i32.const 0))
        (then
          (i32.store8 (i32.add (local.get $read) (local.get $size)) (local.get $c))
          (local.set $size (i32.add (local.get $size) (i32.const 1)))
          (br $next))))
    (memory.copy (call $clear (local.get $size)) (local.get $read) (local.get $size))
    (local.set $c (call $format (i32.const 1)))
    (if (i32.eq (local.get $c) (i32.const 0)) (then (call $text (local.get $read) (local.get $size))))
    (if (i32.eq (local.get $c) (i32.const 1))
      (then
        (local.set $size (call $formatted))
        (call $text (call $shared) (local.get $size))))
    (if (i32.eq (local.get $c) (i32.const 2))
      (then
        (call $char (i32.const 33))
        (local.set $size (call $error))
        (call $text (call $shared) (local.get $size))
        (call $line))))

  (func $text (param $at i32) (param $size i32)
    (loop $next
      (if (local.get $size)
        (then
          (call $char (i32.load8_u (local.get $at)))
          (local.set $at (i32.add (local.get $at) (i32.const 1)))
          (local.set $size (i32.sub (local.get $size) (i32.const 1)))
          (br $next))))))
