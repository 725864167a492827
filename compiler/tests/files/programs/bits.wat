;; Shifts, rotations and counts of bits by amounts that are not known.
;; run onnx: run(0x12345678, 7) == -750470802
(module
    (func (export "run") (param $x i32) (param $n i32) (result i32)
        (loop $next
            (local.set $x (i32.xor (local.get $x) (i32.shl (local.get $x) (i32.const 13))))
            (local.set $x (i32.xor (local.get $x) (i32.shr_u (local.get $x) (local.get $n))))
            (local.set $x (i32.rotl (i32.and (local.get $x) (i32.const 0x7ffffff1)) (i32.popcnt (local.get $x))))
            (local.set $x (i32.or (local.get $x) (i32.clz (local.get $x))))
            (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (local.get $x)))
