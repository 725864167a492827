;; A table of branches in a loop.
;; run onnx: run(30) == 21852
;; run onnx: run(3) == 21845
;; run onnx: run(32) traps: unreachable
(module
    (func (export "run") (param $n i32) (result i32) (local $sum i32)
        (loop $next
            (block $default (block $two (block $one (block $zero
                (br_table $zero $one $two $one $default (i32.rem_u (local.get $n) (i32.const 7))))
                (local.set $sum (i32.add (local.get $sum) (i32.const 1))) (br $default))
                (local.set $sum (i32.xor (local.get $sum) (i32.const 0x5555))) (br $default))
                (if (i32.eq (local.get $n) (i32.const 2)) (then unreachable))
                (local.set $sum (i32.mul (local.get $sum) (i32.const 3))))
            (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 3)))))
        (local.get $sum)))
