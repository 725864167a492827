;; Accesses at the end of memory, of all widths.
;; run onnx: run(0, 0) == 50331655
;; run onnx: run(65528, 0) == 50331655
;; run onnx: run(65528, 77) == 50351365
;; run onnx: run(65529, 1) traps: memory_out_of_bounds
;; run onnx: run(65533, 1) traps: memory_out_of_bounds
;; run onnx: run(-1, 1) traps: memory_out_of_bounds
(module
    (memory 1 1) (data (i32.const 65532) "\01\02\03\04")
    (func (export "run") (param $at i32) (param $size i32) (result i32) (local $old i32)
        (local.set $old (i32.load (i32.and (local.get $at) (i32.const 65535))))
        (i32.store offset=4 (local.get $at) (i32.const -1))
        (i64.store (local.get $at) (i64.const 0x0102030405060708))
        (i32.store16 offset=3 (local.get $at) (local.get $old))
        (i32.store8 offset=3 (local.get $at) (local.get $size))
        (i32.add (memory.grow (local.get $size)) (i32.load offset=2 (local.get $at)))))
