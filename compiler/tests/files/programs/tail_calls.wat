;; Tail calls that move words between fields and the frame.
;; run onnx: run(0) == (-1, 2, 3, 4, 5, 6, 0)
;; run onnx: run(2) == (-1, 2, 3, 4, 5, 6, 2)
;; run onnx: run(3) traps: uninitialized_element
(module
    (type $turn (func (param i64 i64 i64 i64 i64 i64 i64 i32) (result i64 i64 i64 i64 i64 i64 i64)))
    (table 3 funcref) (elem (i32.const 0) $turn $back)
    (func $turn (type $turn)
        (if (i32.eqz (local.get 7)) (then (return (local.get 0) (local.get 1) (local.get 2) (local.get 3)
            (local.get 4) (local.get 5) (local.get 6))))
        (return_call $back (local.get 6) (local.get 0) (local.get 1) (local.get 2) (local.get 3)
            (local.get 4) (local.get 5) (i32.sub (local.get 7) (i32.const 1))))
    (func $back (type $turn)
        (return_call_indirect (type $turn) (local.get 6) (local.get 5) (local.get 4) (local.get 3)
            (local.get 2) (local.get 1) (local.get 0) (local.get 7)
            (i32.and (local.get 7) (i32.const 2))))
    (func (export "run") (param i32) (result i64 i64 i64 i64 i64 i64 i64)
        (return_call $turn (i64.const -1) (i64.const 2) (i64.const 3) (i64.const 4) (i64.const 5) (i64.const 6)
            (i64.extend_i32_s (local.get 0)) (local.get 0))))
