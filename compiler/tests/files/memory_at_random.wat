;; Memory is read and written at addresses that are a hash of the round's number, and read again a round later.
;; run onnx: f(300, 7) == -608422036
;; run onnx: f(300, 8) == -608422036
;; run onnx: f(1000, 14) == -1408307200
(module
    (memory 1024)
    (func (export "f") (param $n i32) (param $bits i32) (result i32)
        (local $x i32) (local $at i32) (local $last i32) (local $sum i32)
        (local.set $x (local.get $n))
        (loop $next
            (local.set $x (i32.add (i32.mul (local.get $x) (i32.const 1664525)) (i32.const 1013904223)))
            (local.set $at (i32.shr_u (local.get $x) (local.get $bits)))
            (local.set $sum (i32.add (local.get $sum) (i32.load (local.get $at))))
            (i32.store (local.get $at) (i32.xor (local.get $x) (local.get $sum)))
            (local.set $sum (i32.add (local.get $sum) (i32.load (local.get $last))))
            (local.set $last (local.get $at))
            (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (local.get $sum)))
