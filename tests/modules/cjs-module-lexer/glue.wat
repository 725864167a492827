;; cjs-module-lexer (C, clang): lists the exports and reexports of the CommonJS module on standard input (ASCII).
;; Calls: sa(n) gives the place for n UTF-16 units; parseCJS(source, length, 0…) is 0 or the code of an error; then
;; rre(), ru(), re() move to the next reexport, unsafe getter and export, which res()…ree(), us()…ue(), es()…ee() describe.
;; The library has no allocator, it uses all memory after its heap base: the glue reads the source into the last of
;; five added pages.
(module
  (import "io" "input" (func $input (result i32)))
  (import "io" "char" (func $char (param i32)))
  (import "io" "dec" (func $dec (param i32)))
  (import "io" "line" (func $line))
  (import "lib" "memory" (memory 1))
  (import "lib" "sa" (func $source (param i32) (result i32)))
  (import "lib" "parseCJS" (func $parse (param i32 i32 i32 i32 i32 i32) (result i32)))
  (import "lib" "e" (func $error (result i32)))
  (import "lib" "rre" (func $next_reexport (result i32)))
  (import "lib" "res" (func $res (result i32)))
  (import "lib" "ree" (func $ree (result i32)))
  (import "lib" "ru" (func $next_unsafe (result i32)))
  (import "lib" "us" (func $us (result i32)))
  (import "lib" "ue" (func $ue (result i32)))
  (import "lib" "re" (func $next_export (result i32)))
  (import "lib" "es" (func $es (result i32)))
  (import "lib" "ee" (func $ee (result i32)))
  (global $at (mut i32) (i32.const 0))  ;; the source

  (func (export "_start")
    (local $read i32) (local $size i32) (local $c i32)
    (local.set $read (i32.shl (i32.add (memory.grow (i32.const 5)) (i32.const 4)) (i32.const 16)))
    (loop $next
      (if (i32.ge_s (local.tee $c (call $input)) (i32.const 0))
        (then
          (i32.store16 (i32.add (local.get $read) (i32.shl (local.get $size) (i32.const 1))) (local.get $c))
          (local.set $size (i32.add (local.get $size) (i32.const 1)))
          (br $next))))
    (global.set $at (call $source (i32.add (local.get $size) (i32.const 1))))
    (memory.copy (global.get $at) (local.get $read) (i32.shl (local.get $size) (i32.const 1)))
    (if (call $parse (global.get $at) (local.get $size) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
      (then
        (call $char (i32.const 33))  ;; "!" and where the error is
        (call $dec (call $error))
        (call $line)
        (return)))
    (loop $reexport
      (if (call $next_reexport)
        (then (call $text (i32.const 82) (call $res) (call $ree)) (br $reexport))))
    (loop $unsafe
      (if (call $next_unsafe)
        (then (call $text (i32.const 85) (call $us) (call $ue)) (br $unsafe))))
    (loop $export
      (if (call $next_export)
        (then (call $text (i32.const 69) (call $es) (call $ee)) (br $export)))))

  ;; prints a letter and the source from one index to another, without quotes
  (func $text (param $kind i32) (param $i i32) (param $end i32)
    (local $c i32)
    (call $char (local.get $kind))
    (call $char (i32.const 32))
    (loop $next
      (if (i32.lt_s (local.get $i) (local.get $end))
        (then
          (local.set $c (i32.load16_u (i32.add (global.get $at) (i32.shl (local.get $i) (i32.const 1)))))
          (if (i32.and (i32.ne (local.get $c) (i32.const 34)) (i32.ne (local.get $c) (i32.const 39)))
            (then (call $char (local.get $c))))
          (local.set $i (i32.add (local.get $i) (i32.const 1)))
          (br $next))))
    (call $line)))
