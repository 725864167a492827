;; Calls of entries of another type, without a function, and beyond the end of the table.
;; run onnx: run(1) == 42
;; run onnx: run(3) == -21
;; run onnx: run(2) traps: indirect_call_type_mismatch
;; run onnx: run(0) traps: uninitialized_element
;; run onnx: run(6) traps: undefined_element
;; run onnx: run(-1) traps: undefined_element
(module
    (type $unary (func (param i32) (result i32))) (type $none (func))
    (table 6 funcref) (elem (i32.const 1) $double $nothing $negate)
    (func $double (type $unary) (i32.mul (local.get 0) (i32.const 2)))
    (func $negate (type $unary) (i32.sub (i32.const 0) (local.get 0)))
    (func $nothing (type $none))
    (func (export "run") (param i32) (result i32)
        (call_indirect (type $unary) (i32.const 21) (local.get 0))))
