;; Shared by all glue modules: reads bytes of standard input and prints numbers and characters. It has no memory.
(module
  (import "env" "input_byte" (func $input (result i32)))
  (import "env" "output_byte" (func $byte (param i32)))

  ;; input(): the next byte, or -1 at the end
  (func (export "input") (result i32) (call $input))

  ;; char(c): one byte
  (func (export "char") (param $c i32) (call $byte (local.get $c)))
  (func (export "space") (call $byte (i32.const 32)))
  (func (export "line") (call $byte (i32.const 10)))

  ;; dec64(v): a signed 64-bit number
  (func $dec64 (export "dec64") (param $v i64)
    (if (i64.lt_s (local.get $v) (i64.const 0))
      (then
        (call $byte (i32.const 45))
        (local.set $v (i64.sub (i64.const 0) (local.get $v)))))
    (call $digits (local.get $v)))
  (func $digits (param $v i64)
    (local $q i64)
    (local.set $q (i64.div_u (local.get $v) (i64.const 10)))
    (if (i64.ne (local.get $q) (i64.const 0)) (then (call $digits (local.get $q))))
    (call $byte (i32.add (i32.const 48) (i32.wrap_i64 (i64.rem_u (local.get $v) (i64.const 10))))))

  ;; dec(v): a signed 32-bit number
  (func (export "dec") (param $v i32) (call $dec64 (i64.extend_i32_s (local.get $v))))

  ;; hex(v, n): the lowest n hexadecimal digits of v
  (func $hex (export "hex") (param $v i64) (param $n i32)
    (local $d i32)
    (if (i32.gt_s (local.get $n) (i32.const 1))
      (then (call $hex (i64.shr_u (local.get $v) (i64.const 4)) (i32.sub (local.get $n) (i32.const 1)))))
    (local.set $d (i32.and (i32.wrap_i64 (local.get $v)) (i32.const 15)))
    (call $byte (i32.add (local.get $d)
      (select (i32.const 87) (i32.const 48) (i32.gt_u (local.get $d) (i32.const 9)))))))
