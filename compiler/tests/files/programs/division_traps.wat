;; Both traps of divisions, of both widths.
;; run onnx: run(-91, 5) == 27
;; run onnx: run(1, 0) traps: integer_divide_by_zero
;; run onnx: run(-2147483648, -1) traps: integer_overflow
;; run onnx: run(3, 7) traps: integer_divide_by_zero
(module
    (func (export "run") (param $a i32) (param $b i64) (result i64)
        (i64.add
            (i64.extend_i32_s (i32.div_s (local.get $a) (i32.wrap_i64 (local.get $b))))
            (i64.div_s (i64.extend_i32_s (local.get $a)) (i64.sub (local.get $b) (i64.const 7))))))
