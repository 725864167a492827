;; rabin-wasm (AssemblyScript): cuts standard input into chunks where a rolling hash says so, and prints their lengths.
;; Rabin#constructor(0, bits, minimum, maximum, window) -> object; Rabin#fingerprint(object, bytes, lengths) -> lengths.
;; A typed array is an object {buffer, address, size} with the class's number (an exported global), made by __alloc, and kept
;; by __retain. The import env.abort is the compiler's.
(module
  (import "io" "input" (func $input (result i32)))
  (import "io" "dec" (func $dec (param i32)))
  (import "io" "line" (func $line))
  (import "lib" "memory" (memory 1))
  (import "lib" "Int32Array_ID" (global $int32array i32))
  (import "lib" "Uint8Array_ID" (global $uint8array i32))
  (import "lib" "__alloc" (func $alloc (param i32 i32) (result i32)))
  (import "lib" "__retain" (func $retain (param i32) (result i32)))
  (import "lib" "Rabin#constructor" (func $rabin (param i32 i32 i32 i32 i32) (result i32)))
  (import "lib" "Rabin#fingerprint" (func $fingerprint (param i32 i32 i32) (result i32)))

  (func (export "_start")
    (local $rabin i32) (local $bytes i32) (local $lengths i32) (local $size i32) (local $c i32) (local $i i32)
    (local.set $rabin (call $rabin (i32.const 0) (i32.const 6) (i32.const 32) (i32.const 512) (i32.const 16)))
    (local.set $bytes (call $array (global.get $uint8array) (i32.const 65536)))
    (loop $next
      (if (i32.ge_s (local.tee $c (call $input)) (i32.const 0))
        (then
          (i32.store8 (i32.add (i32.load offset=4 (local.get $bytes)) (local.get $size)) (local.get $c))
          (local.set $size (i32.add (local.get $size) (i32.const 1)))
          (br $next))))
    (i32.store offset=8 (local.get $bytes) (local.get $size))
    ;; as many lengths as there are minimal chunks, rounded up
    (local.set $size (i32.shl (i32.div_u (i32.add (local.get $size) (i32.const 31)) (i32.const 32)) (i32.const 2)))
    (local.set $lengths (call $fingerprint (local.get $rabin) (local.get $bytes)
      (call $array (global.get $int32array) (local.get $size))))
    (loop $length
      (local.set $c (i32.load (i32.add (i32.load offset=4 (local.get $lengths)) (local.get $i))))
      (if (local.get $c)
        (then
          (call $dec (local.get $c))
          (call $line)
          (br_if $length (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 4)))
            (i32.load offset=8 (local.get $lengths))))))))

  (func $array (param $class i32) (param $size i32) (result i32)
    (local $array i32) (local $buffer i32)
    (local.set $buffer (call $retain (call $alloc (local.get $size) (i32.const 0))))
    (memory.fill (local.get $buffer) (i32.const 0) (local.get $size))
    (local.set $array (call $retain (call $alloc (i32.const 12) (local.get $class))))
    (i32.store (local.get $array) (local.get $buffer))
    (i32.store offset=4 (local.get $array) (local.get $buffer))
    (i32.store offset=8 (local.get $array) (local.get $size))
    (local.get $array)))
