;; Copies, fills and segments of memory that grows.
;; run onnx: run(21) == 2333204796021961573
(module
    (memory 1 2) (data $text "bytes of a passive segment")
    (func (export "run") (param $n i32) (result i64)
        (memory.init $text (i32.const 8) (i32.const 2) (local.get $n))
        (memory.copy (i32.const 10) (i32.const 8) (local.get $n))
        (memory.copy (i32.const 3) (i32.const 9) (i32.const 11))
        (memory.fill (i32.add (local.get $n) (i32.const 65530)) (local.get $n) (memory.grow (i32.const 1)))
        (data.drop $text)
        (memory.init $text (i32.const 0) (i32.const 0) (i32.const 0))
        (i64.add (i64.load (i32.const 5)) (i64.load (i32.add (local.get $n) (i32.const 65525))))))
