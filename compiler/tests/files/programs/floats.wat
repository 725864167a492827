;; Float arithmetic that calls routines.
;; run onnx: run(0x402df854, 3) == (0.3995874, 0)
(module
    (func (export "run") (param $x f32) (param $n i32) (result f32 i32) (local $sum f32)
        (loop $next
            (local.set $sum (f32.add (local.get $sum) (f32.mul (local.get $x) (f32.const 0.3))))
            (if (f32.lt (local.get $sum) (f32.const 2)) (then (local.set $x (f32.neg (local.get $sum)))))
            (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (local.get $sum) (i32.trunc_f32_s (local.get $sum))))
