;; hash-wasm's bcrypt (C, clang): reads a salt of 16 bytes and then a password from standard input, prints its bcrypt hash
;; with cost 4.
;; Hash_GetBuffer() is the place for salt and password, and then for the result; bcrypt(length of the password, cost, 1 for
;; the usual 60 characters). No imports.
(module
  (import "io" "input" (func $input (result i32)))
  (import "io" "char" (func $char (param i32)))
  (import "io" "line" (func $line))
  (import "lib" "memory" (memory 1))
  (import "lib" "Hash_GetBuffer" (func $buffer (result i32)))
  (import "lib" "bcrypt" (func $bcrypt (param i32 i32 i32)))

  (func (export "_start")
    (local $at i32) (local $size i32) (local $c i32)
    (local.set $at (call $buffer))
    (loop $next
      (if (i32.ge_s (local.tee $c (call $input)) (i32.const 0))
        (then
          (i32.store8 (i32.add (local.get $at) (local.get $size)) (local.get $c))
          (local.set $size (i32.add (local.get $size) (i32.const 1)))
          (br $next))))
    (call $bcrypt (i32.sub (local.get $size) (i32.const 16)) (i32.const 4) (i32.const 1))
    (local.set $c (i32.const 0))
    (loop $next
      (call $char (i32.load8_u (i32.add (local.get $at) (local.get $c))))
      (br_if $next (i32.lt_u (local.tee $c (i32.add (local.get $c) (i32.const 1))) (i32.const 60))))
    (call $line)))
