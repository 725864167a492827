;; No parameters, and results of two types.
;; run onnx: run() == (0, 126312652990319877)
(module
    (global $n (mut i32) (i32.const 12))
    (func (export "run") (result i32 i64) (local $sum i64)
        (loop $next
            (local.set $sum (i64.add (i64.rotl (local.get $sum) (i64.const 9)) (i64.extend_i32_u (global.get $n))))
            (global.set $n (i32.sub (global.get $n) (i32.const 1)))
            (br_if $next (global.get $n)))
        (global.get $n) (local.get $sum)))
