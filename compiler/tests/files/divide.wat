;; Division by a constant is one unit; by a variable, a routine. Both trap where WebAssembly says so.
;; run onnx: third(100) == 33
;; run: third(-1) == 1431655765
;; run onnx: div(-7, 2) == -3
;; run onnx: div(1, 0) traps: integer_divide_by_zero
;; run: div(-2147483648, -1) traps: integer_overflow
;; run: rem(-2147483648, -1) == 0
;; run: wide(9223372036854775807, -3) == -3074457345618258602
;; dump: optimize third
;; dump: circuits third
(module
    (func (export "third") (param i32) (result i32) (i32.div_u (local.get 0) (i32.const 3)))
    (func (export "div") (param i32 i32) (result i32) (i32.div_s (local.get 0) (local.get 1)))
    (func (export "rem") (param i32 i32) (result i32) (i32.rem_s (local.get 0) (local.get 1)))
    (func (export "wide") (param i64 i64) (result i64) (i64.div_s (local.get 0) (local.get 1))))

;; expect optimize third
;; function "third"(v0: i32) -> (i32) {
;; block0:
;;     v1 = const.i32 3
;;     v2 = div_u.i32 v0, v1
;;     return v2
;; }

;; expect circuits third
;; function "third"
;; packet 0
;;     a0 = s1, an argument, a result or a check  ; from y0 on, 0 … 4294967295
;;     a1 = s0, an argument, a result or a check  ; from y0 on, 0 … 16
;;     a2 = read 0 of a1 + 64  ; from y1 on, ids
;;     a3 = read 1 of a1 + 89  ; from y1 on, 0 … 8
;;     a4 = unit 0, ⌊relu(0.3333333333333333·a0 + 0.16666666666666666)⌋ · (1)  ; from y1 on, 0 … 1431655765
;;     frame pointer a3
;;     s1 becomes a4
;;     s0 becomes a3
;;     next a2
