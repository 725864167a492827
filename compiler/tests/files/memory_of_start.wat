;; The start function leaves pages of memory for the call, some of which are no longer in a model's window.
;; run onnx: f(0) == 644012
;; run onnx: f(601000) == 1802492
;; run onnx: f(60100000) == 120833260
;; run onnx: f(66000000) == 0
;; run onnx: f(5000) == 0
;; run onnx: f(66711000) traps: memory_out_of_bounds
(module
    (memory 1024)
    (start $init)
    (func $init (local $at i32)
        (loop $next
            (i32.store (local.get $at) (i32.xor (local.get $at) (i32.const 0x55aa)))
            (br_if $next (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 601_000))) (i32.const 67_000_000)))))
    (func (export "f") (param i32) (result i32)
        (i32.add (i32.load (local.get 0)) (i32.load (i32.add (local.get 0) (i32.const 601_000))))))
