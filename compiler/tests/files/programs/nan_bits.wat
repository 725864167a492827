;; NaNs keep all of their bits.
;; run onnx: run(0x3fc00000, 0xc000000000000001, 1) == (-2.0000000000000004, -1.5)
;; run onnx: run(0xffc00001, 0x1, 0) == (0x7ff8000000000001, 0x7fc00001)
;; run onnx: run(0x80000000, 0x7ff0000000000000, 1) == (0x7ff0000000000000, 0)
;; run onnx: run(0x1, 0x1, 2) traps: unreachable
(module
    (func (export "run") (param $a f32) (param $b f64) (param $swap i32) (result f64 f32)
        (select (local.get $b) (f64.reinterpret_i64 (i64.const 0x7ff8000000000001)) (local.get $swap))
        (f32.reinterpret_i32 (i32.xor (i32.reinterpret_f32 (local.get $a)) (i32.const 0x80000000)))
        (if (i32.eq (local.get $swap) (i32.const 2)) (then unreachable))))
