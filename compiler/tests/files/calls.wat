;; Calls end packets; what lives across a call is in the frame. Tail calls hand on the frame that they have.
;; run onnx: fib(10) == 55
;; run onnx: even(7) == 0
;; run: even(1000) == 1
;; run onnx: pair(3, 4) == (4, 3)
;; run: through(0, 5) == 6
;; run: through(1, 5) == 10
;; run: through(2, 5) traps: undefined_element
;; dump: packets fib
(module
    (type $unary (func (param i32) (result i32)))
    (table funcref (elem $increment $double))
    (func $increment (type $unary) (i32.add (local.get 0) (i32.const 1)))
    (func $double (type $unary) (i32.mul (local.get 0) (i32.const 2)))
    (func (export "through") (param i32 i32) (result i32)
        (call_indirect (type $unary) (local.get 1) (local.get 0)))
    (func $fib (export "fib") (param i32) (result i32)
        (if (result i32) (i32.lt_u (local.get 0) (i32.const 2))
            (then (local.get 0))
            (else (i32.add
                (call $fib (i32.sub (local.get 0) (i32.const 1)))
                (call $fib (i32.sub (local.get 0) (i32.const 2)))))))
    (func $even (export "even") (param i32) (result i32)
        (if (i32.eqz (local.get 0)) (then (return (i32.const 1))))
        (return_call $odd (i32.sub (local.get 0) (i32.const 1))))
    (func $odd (param i32) (result i32)
        (if (i32.eqz (local.get 0)) (then (return (i32.const 0))))
        (return_call $even (i32.sub (local.get 0) (i32.const 1))))
    (func (export "pair") (param i32 i64) (result i64 i32) (local.get 1) (local.get 0)))

;; expect packets fib
;; function "fib"
;; 1 slots in the frame
;; packet 0(v0 in slot 0): entered by calls
;;     uses v1 = 2
;;     v2 = lt_u.i32 v0, v1
;;     branch v2, packet 1, packet 2
;; packet 1(): entered by jumps
;;     uses v0 in slot 0
;;     return v0
;; packet 2(): entered by jumps
;;     uses v0 in slot 0, v3 = 4294967295
;;     v4 = add.i32 v0, v3
;;     call fn3(v4), packet 3
;; packet 3(v5 in slot 0): entered by returns
;;     uses v0 in slot 0, v6 = 4294967294
;;     v7 = add.i32 v0, v6
;;     call fn3(v7), packet 4
;; packet 4(v8): entered by returns
;;     uses v5 in slot 0
;;     v9 = add.i32 v5, v8
;;     return v9
