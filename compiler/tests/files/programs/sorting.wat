;; Loops in loops that load and store bytes.
;; run onnx: run(6) == 319226624
(module
    (memory 1) (data (i32.const 100) "\07\03\ff\00\2a\13")
    (func (export "run") (param $n i32) (result i32) (local $i i32) (local $j i32) (local $x i32) (local $y i32)
        (loop $outer
            (local.set $j (i32.const 100))
            (loop $inner
                (local.set $x (i32.load8_u (local.get $j)))
                (local.set $y (i32.load8_u offset=1 (local.get $j)))
                (if (i32.gt_u (local.get $x) (local.get $y)) (then
                    (i32.store8 (local.get $j) (local.get $y))
                    (i32.store8 offset=1 (local.get $j) (local.get $x))))
                (local.set $j (i32.add (local.get $j) (i32.const 1)))
                (br_if $inner (i32.lt_u (local.get $j) (i32.add (i32.const 99) (local.get $n)))))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $outer (i32.lt_u (local.get $i) (local.get $n))))
        (i32.load offset=100 (i32.const 0))))
