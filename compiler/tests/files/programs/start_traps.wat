;; The start function traps, and so does each call.
;; run onnx: run() traps: memory_out_of_bounds
(module
    (memory 1 1)
    (func $init (local $i i32)
        (loop $next
            (i32.store (local.get $i) (local.get $i))
            (local.set $i (i32.add (local.get $i) (i32.const 13107)))
            (br $next)))
    (start $init)
    (func (export "run") (result i32) (i32.const 1)))
