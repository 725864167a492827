;; More parameters and results than fields.
;; run onnx: run(-1, 2, -9223372036854775808, -4, 5, 0x0123456789abcdef, 0, -8, 1099511627776, 10) == (11, 1099511627776, -8, 0, 81985529216486895, -4, 5, 2, -9223372036854775808, -1)
(module
    (func $turn (param i64 i32 i64 i32 i64 i64 i64 i64 i64 i64) (result i64 i64 i64 i64 i64 i32 i64 i32 i64 i64)
        (i64.sub (local.get 9) (local.get 0)) (local.get 8) (local.get 7) (local.get 6) (local.get 5)
        (local.get 3) (local.get 4) (local.get 1) (local.get 2) (local.get 0))
    (func (export "run") (param i64 i32 i64 i32 i64 i64 i64 i64 i64 i64)
        (result i64 i64 i64 i64 i64 i32 i64 i32 i64 i64)
        (call $turn (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4)
            (local.get 5) (local.get 6) (local.get 7) (local.get 8) (local.get 9))))
