;; Prints something before it traps.
;; input: "abc"
;; run onnx: run(7) traps: integer_divide_by_zero
;; prints: "\06\00\01\03"
;; run onnx: run(0) traps: integer_divide_by_zero
(module
    (import "env" "input_byte" (func $in (result i32))) (import "env" "output_byte" (func $out (param i32)))
    (func (export "run") (param $divisor i32) (local $byte i32)
        (loop $next
            (call $out (i32.rem_u (local.tee $byte (call $in)) (local.get $divisor)))
            (br_if $next (i32.ge_s (local.get $byte) (i32.const 0)))
            (call $out (i32.div_u (i32.const 1) (i32.add (local.get $byte) (i32.const 1)))))))
