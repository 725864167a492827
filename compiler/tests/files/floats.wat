;; Float arithmetic is done by routines, bit-exactly.
;; run onnx: add(0.1, 0.2) == 0.30000000000000004
;; run: add(-0, 0) == 0
;; run: add(-0, -0) == -0
;; run onnx: root(2) == 1.4142135623730951
;; run: root(-1) == NaN
;; run: truncate(1e10) traps: integer_overflow
;; run: truncate(-1.9) == -1
;; run: saturate(1e10) == 2147483647
(module
    (func (export "add") (param f64 f64) (result f64) (f64.add (local.get 0) (local.get 1)))
    (func (export "root") (param f64) (result f64) (f64.sqrt (local.get 0)))
    (func (export "truncate") (param f64) (result i32) (i32.trunc_f64_s (local.get 0)))
    (func (export "saturate") (param f64) (result i32) (i32.trunc_sat_f64_s (local.get 0))))
