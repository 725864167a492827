;; Divisions and remainders by variables and by a constant.
;; run onnx: run(123456789, 98765) == 10
(module
    (func (export "run") (param $a i32) (param $b i32) (result i32) (local $t i32)
        (loop $next
            (local.set $t (i32.rem_u (local.get $a) (local.get $b)))
            (local.set $a (i32.add (i32.div_s (local.get $b) (i32.const 3)) (i32.mul (local.get $b) (i32.const 5))))
            (local.set $b (local.get $t))
            (br_if $next (i32.gt_s (local.get $b) (i32.const 1))))
        (local.get $a)))
