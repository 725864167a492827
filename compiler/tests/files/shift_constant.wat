;; Shifts and rotations by constants are fields of bits: a chain of them costs one unit for each field's end.
;; run onnx: mix(117440515) == -2147483647
;; run onnx: mix(0) == 0
;; run: mix(-1) == -2147483521
;; run: high(-1) == 1
;; run: high(0x7fffffff) == 0
;; dump: packets mix
;; dump: circuits mix
(module
    (func (export "mix") (param $x i32) (result i32)
        (i32.xor (i32.shl (i32.shr_u (local.get $x) (i32.const 8)) (i32.const 7)) (i32.rotl (local.get $x) (i32.const 31))))
    (func (export "high") (param $x i32) (result i32)
        (i32.shr_u (local.get $x) (i32.const 31))))

;; expect packets mix
;; function "mix"
;; 0 slots in the frame, calls nothing
;; packet 0(v0): entered by calls
;;     uses v1 = 8, v3 = 7, v5 = 31
;;     v2 = shr_u.i32 v0, v1
;;     v4 = shl.i32 v2, v3
;;     v6 = rotl.i32 v0, v5
;;     v7 = xor.i32 v4, v6
;;     return v7

;; expect circuits mix
;; function "mix"
;; packet 0
;;     a0 = s1, an argument, a result or a check  ; from y0 on, 0 … 4294967295
;;     a1 = s0, an argument, a result or a check  ; from y0 on, 0
;;     a2 = read 0 of a1 + 64  ; from y1 on, ids
;;     a3 = read 1 of a1 + 65  ; from y1 on, 0
;;     a4 = unit 0, ⌊relu(2^-8·a0)⌋ · (1)  ; from y1 on, 0 … 16777215
;;     a5 = unit 1, ⌊relu(2^-9·a0)⌋ · (1)  ; from y1 on, 0 … 8388607
;;     a6 = a4 - 2·a5  ; from y1 on, 0 … 1
;;     a7 = unit 2, ⌊relu(0.5·a0)⌋ · (1)  ; from y1 on, 0 … 2147483647
;;     a8 = -256·a5 + a7  ; from y1 on, 0 … 255
;;     a9 = lookup 0 of 2^15·a6 + a8  ; from y2 on, 0 … 255
;;     a10 = unit 3, ⌊relu(2^-17·a0)⌋ · (1)  ; from y1 on, 0 … 32767
;;     a11 = a5 - 256·a10  ; from y1 on, 0 … 255
;;     a12 = a5 - 256·a10  ; from y1 on, 0 … 255
;;     a13 = lookup 1 of 256·a11 + a12  ; from y2 on, 0 … 255
;;     a14 = unit 4, ⌊relu(2^-25·a0)⌋ · (1)  ; from y1 on, 0 … 127
;;     a15 = a10 - 256·a14  ; from y1 on, 0 … 255
;;     a16 = a10 - 256·a14  ; from y1 on, 0 … 255
;;     a17 = lookup 2 of 256·a15 + a16  ; from y2 on, 0 … 255
;;     a18 = a0 - 2·a7  ; from y1 on, 0 … 1
;;     a19 = a14 + 128·a18  ; from y1 on, 0 … 255
;;     a20 = lookup 3 of 256·a14 + a19  ; from y2 on, 0 … 255
;;     a21 = a9 + 256·a13 + 2^16·a17 + 2^24·a20  ; from y2 on, 0 … 4294967295
;;     in z1: (a4 - 2·a5) in 0 … 1
;;     in z1: (-256·a5 + a7) in 0 … 255
;;     in z1: (a5 - 256·a10) in 0 … 255
;;     in z1: (a5 - 256·a10) in 0 … 255
;;     in z1: (a10 - 256·a14) in 0 … 255
;;     in z1: (a10 - 256·a14) in 0 … 255
;;     in z1: (a0 - 2·a7) in 0 … 1
;;     frame pointer a3
;;     s1 becomes a21
;;     s0 becomes a3
;;     next a2
