;; tiktoken (Rust, wasm-bindgen): reads a pattern (a line), the ranks of byte pairs (a line in tiktoken's format) and a text,
;; prints the tokens of the text, each with its bytes in hexadecimal.
;; tiktoken_new(ranks, length, special tokens, pattern, length) -> tokenizer; tiktoken_encode_ordinary(result, tokenizer,
;; text, length) and tiktoken_decode_single_token_bytes(result, tokenizer, token) leave {address, length} in the result.
;; __wbindgen_export_1 is malloc(size, alignment). host.wat serves the imports.
(module
  (import "io" "input" (func $input (result i32)))
  (import "io" "dec" (func $dec (param i32)))
  (import "io" "hex" (func $hex (param i64 i32)))
  (import "io" "space" (func $space))
  (import "io" "line" (func $line))
  (import "./tiktoken_bg.js" "hooks" (table 1 funcref))
  (import "lib" "memory" (memory 1))
  (import "lib" "__wbindgen_add_to_stack_pointer" (func $stack (param i32) (result i32)))
  (import "lib" "__wbindgen_export_1" (func $malloc (param i32 i32) (result i32)))
  (import "lib" "tiktoken_new" (func $new (param i32 i32 i32 i32 i32) (result i32)))
  (import "lib" "tiktoken_encode_ordinary" (func $encode (param i32 i32 i32 i32)))
  (import "lib" "tiktoken_decode_single_token_bytes" (func $decode (param i32 i32 i32)))
  (elem (i32.const 0) $string_get)
  (global $read (mut i32) (i32.const 0))
  (global $size (mut i32) (i32.const 0))  ;; of what was read last

  (func (export "_start")
    (local $result i32) (local $pattern i32) (local $pattern_size i32) (local $ranks i32) (local $tokenizer i32)
    (local $at i32) (local $n i32)
    (global.set $read (i32.shl (memory.grow (i32.const 2)) (i32.const 16)))
    (local.set $result (call $stack (i32.const -16)))
    (local.set $pattern (call $take (i32.const 10)))  ;; up to a line feed
    (local.set $pattern_size (global.get $size))
    (local.set $ranks (call $take (i32.const 10)))
    (local.set $tokenizer (call $new (local.get $ranks) (global.get $size) (i32.const 1)
      (local.get $pattern) (local.get $pattern_size)))
    (local.set $at (call $take (i32.const -1)))  ;; up to the end
    (call $encode (local.get $result) (local.get $tokenizer) (local.get $at) (global.get $size))
    (local.set $at (i32.load (local.get $result)))
    (local.set $n (i32.load offset=4 (local.get $result)))
    (loop $next
      (if (local.get $n)
        (then
          (call $dec (i32.load (local.get $at)))
          (call $space)
          (call $decode (local.get $result) (local.get $tokenizer) (i32.load (local.get $at)))
          (call $bytes (i32.load (local.get $result)) (i32.load offset=4 (local.get $result)))
          (local.set $at (i32.add (local.get $at) (i32.const 4)))
          (local.set $n (i32.sub (local.get $n) (i32.const 1)))
          (br $next)))))

  ;; reads up to a byte, into memory of the library that is exactly as large: it frees its arguments
  (func $take (param $end i32) (result i32)
    (local $c i32) (local $at i32)
    (global.set $size (i32.const 0))
    (loop $next
      (if (i32.ne (local.tee $c (call $input)) (local.get $end))
        (then
          (i32.store8 (i32.add (global.get $read) (global.get $size)) (local.get $c))
          (global.set $size (i32.add (global.get $size) (i32.const 1)))
          (br $next))))
    (local.set $at (call $malloc (global.get $size) (i32.const 1)))
    (memory.copy (local.get $at) (global.get $read) (global.get $size))
    (local.get $at))

  ;; the text of the only object, "{}"
  (func $string_get (param $place i32) (param $object i32)
    (local $at i32)
    (i32.store16 (local.tee $at (call $malloc (i32.const 2) (i32.const 1))) (i32.const 0x7d7b))
    (i32.store (local.get $place) (local.get $at))
    (i32.store offset=4 (local.get $place) (i32.const 2)))

  (func $bytes (param $at i32) (param $size i32)
    (loop $next
      (if (local.get $size)
        (then
          (call $hex (i64.load8_u (local.get $at)) (i32.const 2))
          (local.set $at (i32.add (local.get $at) (i32.const 1)))
          (local.set $size (i32.sub (local.get $size) (i32.const 1)))
          (br $next))))
    (call $line)))
