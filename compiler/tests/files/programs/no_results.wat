;; No results, and a trap.
;; run onnx: run(0) == ()
;; run onnx: run(1) traps: unreachable
(module
    (func (export "run") (param i32) (if (local.get 0) (then unreachable))))
