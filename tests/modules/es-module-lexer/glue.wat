;; es-module-lexer (C, clang): lists the imports and exports of the JavaScript module on standard input (ASCII).
;; Calls: sa(n) gives the place for n UTF-16 units; parse(); then ri() moves to the next import and is(), ie(), … describe
;; it; re() and es(), ee(), … do the same for exports. The library has no allocator, it uses all memory after its
;; heap base: the glue reads the source into the last of five added pages.
(module
  (import "io" "input" (func $input (result i32)))
  (import "io" "char" (func $char (param i32)))
  (import "io" "dec" (func $dec (param i32)))
  (import "io" "space" (func $space))
  (import "io" "line" (func $line))
  (import "lib" "memory" (memory 1))
  (import "lib" "sa" (func $source (param i32) (result i32)))
  (import "lib" "parse" (func $parse (result i32)))
  (import "lib" "e" (func $error (result i32)))
  (import "lib" "ri" (func $next_import (result i32)))
  (import "lib" "is" (func $is (result i32)))
  (import "lib" "ie" (func $ie (result i32)))
  (import "lib" "ss" (func $ss (result i32)))
  (import "lib" "se" (func $se (result i32)))
  (import "lib" "it" (func $it (result i32)))
  (import "lib" "id" (func $id (result i32)))
  (import "lib" "ai" (func $ai (result i32)))
  (import "lib" "re" (func $next_export (result i32)))
  (import "lib" "es" (func $es (result i32)))
  (import "lib" "ee" (func $ee (result i32)))
  (import "lib" "els" (func $els (result i32)))
  (import "lib" "ele" (func $ele (result i32)))
  (import "lib" "f" (func $facade (result i32)))
  (import "lib" "ms" (func $module_syntax (result i32)))
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
    (global.set $at (call $source (local.get $size)))
    (memory.copy (global.get $at) (local.get $read) (i32.shl (local.get $size) (i32.const 1)))
    (if (i32.eqz (call $parse))
      (then
        (call $char (i32.const 33))  ;; "!" and where the error is
        (call $dec (call $error))
        (call $line)
        (return)))
    (loop $import
      (if (call $next_import)
        (then
          (call $number (call $it))
          (call $number (call $id))
          (call $number (call $ai))
          (call $number (call $ss))
          (call $number (call $se))
          (call $text (call $is) (call $ie))
          (call $line)
          (br $import))))
    (loop $export
      (if (call $next_export)
        (then
          (call $text (call $es) (call $ee))
          (call $space)
          (call $number (call $els))
          (call $text (call $els) (call $ele))
          (call $line)
          (br $export))))
    (call $number (call $facade))
    (call $dec (call $module_syntax))
    (call $line))

  (func $number (param $n i32) (call $dec (local.get $n)) (call $space))
  ;; prints the source from one index to another
  (func $text (param $i i32) (param $end i32)
    (loop $next
      (if (i32.lt_s (local.get $i) (local.get $end))
        (then
          (call $char (i32.load16_u (i32.add (global.get $at) (i32.shl (local.get $i) (i32.const 1)))))
          (local.set $i (i32.add (local.get $i) (i32.const 1)))
          (br $next))))))
