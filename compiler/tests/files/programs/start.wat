;; A start function leaves values in memory and in a global.
;; run onnx: run(0) == -39361
;; run onnx: run(12) == -39356
;; run onnx: run(65533) traps: memory_out_of_bounds
(module
    (memory 1) (data (i32.const 8) "\05\00\00\00") (global $g (mut i64) (i64.const -2))
    (func $init (local $i i32)
        (loop $next
            (i32.store (i32.mul (local.get $i) (i32.const 4))
                (i32.add (i32.load (i32.const 8)) (local.get $i)))
            (global.set $g (i64.mul (global.get $g) (i64.const 3)))
            (br_if $next (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 9)))))
    (start $init)
    (func (export "run") (param i32) (result i64)
        (i64.add (global.get $g) (i64.load32_s (local.get 0)))))
