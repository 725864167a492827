;; llhttp, as undici has it (C, clang, WASI SDK): prints the events of the HTTP messages on standard input.
;; llhttp_alloc(0) makes a parser for requests and responses; llhttp_execute(parser, address, length) parses a piece and
;; calls the imports `env.wasm_on_…` (callback.wat), which all end in $event; its result is an error code or 0.
(module
  (import "io" "input" (func $input (result i32)))
  (import "io" "char" (func $char (param i32)))
  (import "io" "dec" (func $dec (param i32)))
  (import "io" "space" (func $space))
  (import "io" "line" (func $line))
  (import "env" "hooks" (table 1 funcref))
  (import "lib" "memory" (memory 1))
  (import "lib" "malloc" (func $malloc (param i32) (result i32)))
  (import "lib" "llhttp_alloc" (func $alloc (param i32) (result i32)))
  (import "lib" "llhttp_execute" (func $execute (param i32 i32 i32) (result i32)))
  (import "lib" "llhttp_finish" (func $finish (param i32) (result i32)))
  (import "lib" "llhttp_get_method" (func $method (param i32) (result i32)))
  (import "lib" "llhttp_method_name" (func $method_name (param i32) (result i32)))
  (import "lib" "llhttp_errno_name" (func $error_name (param i32) (result i32)))
  (import "lib" "llhttp_get_error_reason" (func $reason (param i32) (result i32)))
  (elem (i32.const 0) $event)
  (global $parser (mut i32) (i32.const 0))

  (func (export "_start")
    (local $at i32) (local $size i32) (local $c i32) (local $error i32)
    (global.set $parser (call $alloc (i32.const 0)))
    (local.set $at (call $malloc (i32.const 64)))
    (loop $piece  ;; of 64 bytes, as a network might deliver them
      (local.set $size (i32.const 0))
      (loop $next
        (if (i32.ge_s (local.tee $c (call $input)) (i32.const 0))
          (then
            (i32.store8 (i32.add (local.get $at) (local.get $size)) (local.get $c))
            (br_if $next (i32.lt_u (local.tee $size (i32.add (local.get $size) (i32.const 1))) (i32.const 64))))))
      (if (local.get $size)
        (then
          (br_if $piece (i32.eqz (local.tee $error
            (call $execute (global.get $parser) (local.get $at) (local.get $size))))))))
    (if (i32.eqz (local.get $error)) (then (local.set $error (call $finish (global.get $parser)))))
    (call $string (call $error_name (local.get $error)))
    (if (local.get $error) (then (call $space) (call $string (call $reason (global.get $parser)))))
    (call $line))

  (func $event (param $event i32) (param $a i32) (param $b i32)
    (call $char (local.get $event))
    (call $space)
    (if (i32.eq (local.get $event) (i32.const 72))
      (then  ;; the headers are complete: status, flags, method
        (call $dec (local.get $a))
        (call $space)
        (call $dec (local.get $b))
        (call $space)
        (call $string (call $method_name (call $method (global.get $parser)))))
      (else (call $text (local.get $a) (local.get $b))))
    (call $line))

  (func $text (param $at i32) (param $size i32)
    (loop $next
      (if (local.get $size)
        (then
          (call $char (i32.load8_u (local.get $at)))
          (local.set $at (i32.add (local.get $at) (i32.const 1)))
          (local.set $size (i32.sub (local.get $size) (i32.const 1)))
          (br $next)))))
  (func $string (param $at i32)
    (loop $next
      (if (i32.load8_u (local.get $at))
        (then
          (call $char (i32.load8_u (local.get $at)))
          (local.set $at (i32.add (local.get $at) (i32.const 1)))
          (br $next))))))
