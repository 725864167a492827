;; Arithmetic of 64 bits.
;; run onnx: run(5) == -6127041521333347095
(module
    (func (export "run") (param $n i32) (result i64) (local $h i64)
        (local.set $h (i64.const 0xcbf29ce484222325))
        (loop $next
            (local.set $h (i64.mul (i64.xor (local.get $h) (i64.extend_i32_u (local.get $n))) (i64.const 0x100000001b3)))
            (local.set $h (i64.sub (i64.rotr (local.get $h) (i64.const 11)) (i64.extend_i32_s (local.get $n))))
            (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (select (local.get $h) (i64.const -1) (i64.lt_s (local.get $h) (i64.const 0)))))
