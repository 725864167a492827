;; A loop that loads, after every phase.
;; run onnx: sum(1) == 0
;; run onnx: sum(3) == 5
;; run: sum(-1) traps: memory_out_of_bounds
;; dump: frontend sum
;; dump: legalize sum
;; dump: optimize sum
;; dump: packets sum
;; dump: circuits sum
;; dump: steps sum
;; dump: network
(module
    (memory 1)
    (data (i32.const 2) "\02\03")
    (func (export "sum") (param $n i32) (result i32) (local $s i32)
        (loop $next
            (local.set $s (i32.add (local.get $s) (i32.load8_u (local.get $n))))
            (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (local.get $s)))

;; expect frontend sum
;; function "sum"(v0: i32) -> (i32) {
;; block0:
;;     v7 = const.i32 0
;;     jump block1(v7, v0)
;; block1(v1: i32, v2: i32):
;;     bounds1 [v2 + 0]
;;     v3 = load1.i32 memory[v2 + 0]
;;     v4 = add.i32 v1, v3
;;     v5 = const.i32 1
;;     v6 = sub.i32 v2, v5
;;     branch v6, block1(v4, v6), block3
;; block3:
;;     jump block2
;; block2:
;;     return v4
;; }

;; expect legalize sum
;; function "sum"(v0: i32) -> (i32) {
;; block0:
;;     v3 = const.i32 0
;;     jump block1(v3, v0)
;; block1(v1: i32, v2: i32):
;;     bounds1 [v2 + 0]
;;     v4 = load1.i32 memory[v2 + 0]
;;     v5 = add.i32 v1, v4
;;     v6 = const.i32 1
;;     v7 = sub.i32 v2, v6
;;     branch v7, block1(v5, v7), block2
;; block2:
;;     jump block3
;; block3:
;;     return v5
;; }

;; expect optimize sum
;; function "sum"(v0: i32) -> (i32) {
;; block0:
;;     v1 = const.i32 0
;;     jump block1(v1, v0)
;; block1(v2: i32, v3: i32):
;;     bounds1 [v3 + 0]
;;     v4 = load1.i32 memory[v3 + 0]
;;     v5 = add.i32 v2, v4
;;     v6 = const.i32 0xffffffff
;;     v7 = add.i32 v3, v6
;;     branch v7, block1(v5, v7), block2
;; block2:
;;     return v5
;; }

;; expect packets sum
;; function "sum"
;; 0 slots in the frame, calls nothing
;; packet 0(v0): entered by calls
;;     uses v1 = 0
;;     jump packet 1(v1, v0)
;; packet 1(v2 in s1, v3 in s2): entered by jumps
;;     uses v6 = 4294967295
;;     bounds1 [v3 + 0]
;;     v4 = load1.i32 memory[v3 + 0]
;;     v5 = add.i32 v2, v4  ; in s3
;;     v7 = add.i32 v3, v6
;;     branch v7, packet 1(v5, v7), packet 2
;; packet 2(): entered by jumps
;;     uses v5 in s3
;;     return v5

;; expect circuits sum
;; function "sum"
;; packet 0
;;     a0 = s1, an argument, a result or a check  ; from y0 on, 0 … 4294967295
;;     a1 = s0, an argument, a result or a check  ; from y0 on, 0
;;     frame pointer a1
;;     arguments of packet 1: (0, a0)
;;     next packet 1
;;
;; packet 1
;;     a0 = s2, parameter 1  ; from y0 on, -8589934592 … 17179869184
;;     a1 = unit 0, ⌊relu(2^-32·a0 + 2)⌋ · (1)  ; from y0 on, 0 … 6
;;     a2 = a0 - 2^32·a1 + 2^33  ; from y0 on, 0 … 4294967295
;;     a3 = read 0 of a2 + 67  ; from y1 on, 0 … 255
;;     a4 = s1, parameter 0  ; from y0 on, -8589934592 … 17179869184
;;     a5 = unit 1, ⌊relu(2^-32·a4 + 2)⌋ · (1)  ; from y0 on, 0 … 6
;;     a6 = a4 - 2^32·a5 + 2^33  ; from y0 on, 0 … 4294967295
;;     a7 = a3 + a6  ; from y1 on, 0 … 4294967550
;;     a8 = s0, the frame pointer  ; from y0 on, 0
;;     a9 = unit 0, ⌊relu(2^-32·a2 + 0.9999999997671694)⌋ · (1)  ; from y1 on, 0 … 1
;;     a10 = a2 - 2^32·a9 + 4294967295  ; from y1 on, 0 … 4294967295
;;     a11 = unit 1, ⌊relu(-2^-34·a2 + 1.000003814639058)⌋ · (1)  ; from y1 on, 0 … 1
;;     a12 = unit 0, ⌊relu(-2^-32·a10 + a11)⌋ · (1)  ; from y2 on, 0 … 1
;;     in z0: (a0 - 2^32·a1 + 2^33) in 0 … 4294967295
;;     in z0: (a4 - 2^32·a5 + 2^33) in 0 … 4294967295
;;     in z1: (a2 - 2^32·a9 + 4294967295) in 0 … 4294967295
;;     in z2 and later: (-a11 + a12 + 1) in 0 … 1
;;     frame pointer a8
;;     v5 is a7
;;     arguments of packet 1: (a7, a2 + 4294967295)
;;     arguments of packet 2: ()
;;     next packet 1, or packet 2 if a12, or trap memory_out_of_bounds at 0x2f if -a11 + 1
;;
;; packet 2
;;     a0 = s0, the frame pointer  ; from y0 on, 0
;;     a1 = read 0 of a0 + 64  ; from y0 on, ids
;;     a2 = read 1 of a0 + 65  ; from y0 on, 0
;;     a3 = s3, v5  ; from y0 on, 0 … 4294967550
;;     a4 = unit 0, ⌊relu(2^-32·a3)⌋ · (1)  ; from y0 on, 0 … 1
;;     a5 = a3 - 2^32·a4  ; from y0 on, 0 … 4294967295
;;     in z0: (a3 - 2^32·a4) in 0 … 4294967295
;;     frame pointer a2
;;     s1 becomes a5
;;     s0 becomes a2
;;     next a1

;; expect steps sum
;; function "sum"
;; packet 0, at offset 0x29
;;     expert 0
;;         s0 in 0
;;         s1 in 0 … 4294967295
;;         s0 <- s0
;;         s2 <- s1
;;         n0 <- 2 + 2^-32·s1
;;         n1 <- 2
;;         v0 <- 1
;;         v1 <- 1
;;         e <- packet 1
;; packet 1, at offset 0x2f
;;     expert 1
;;         s0 in 0
;;         s1 in -8589934592 … 17179869184
;;         s2 in -8589934592 … 17179869184
;;         n0 in 0 … 6
;;         n1 in 0 … 6
;;         v0 in 1
;;         v1 in 1
;;         -4294967296·n0 + s2 in -8589934592 … -4294967297
;;         -4294967296·n1 + s1 in -8589934592 … -4294967297
;;         s0 <- s0
;;         s62 <- 2^33 - 2^32·u1 + s1
;;         s63 <- 2^33 - 2^32·u0 + s2
;;         n0 <- 2.9999999997671694 - u0 + 2^-32·s2
;;         n1 <- 0.500003814639058 + 2^-2·u0 - 2^-34·s2
;;         v0 <- 1
;;         v1 <- 1
;;         q0 <- 8589934659 - 2^32·u0 + s2
;;         e <- the following
;;     expert 2
;;         s0 in 0
;;         s62 in 0 … 4294967295
;;         s63 in 0 … 4294967295
;;         n0 in 0 … 1
;;         n1 in 0 … 1
;;         v0 in 1
;;         v1 in 1
;;         q0 in 67 … 4294967362
;;         -4294967296·n0 + s63 in -4294967295 … 0
;;         s0 <- s0
;;         s1 <- r0 + s62
;;         s62 <- u1
;;         s63 <- s63
;;         n0 <- -0.9999999997671694 + u0 + u1 - 2^-32·s63
;;         v0 <- 1
;;         e <- the following
;;     expert 3
;;         s0 in 0
;;         s1 in 0 … 4294967550
;;         s62 in 0 … 1
;;         s63 in 0 … 4294967295
;;         n0 in 0 … 1
;;         v0 in 1
;;         n0 - s62 in -1 … 0
;;         s0 <- s0
;;         s1 <- s1
;;         s2 <- 4294967295 + s63
;;         s3 <- s1
;;         n0 <- 2.9999999997671694 + 2^-32·s63
;;         n1 <- 2 + 2^-32·s1
;;         n2 <- 2^-32·s1
;;         v0 <- 1
;;         v1 <- 1
;;         v2 <- 1
;;         q0 <- 64 + s0
;;         q1 <- 65 + s0
;;         e <- packet 1, or packet 2 if u0, or terminal 2 if 1 - s62
;; packet 2, at offset 0x41
;;     expert 4
;;         s3 in 0 … 4294967550
;;         n2 in 0 … 1
;;         v2 in 1
;;         q0 in 64
;;         q1 in 65
;;         -4294967296·n2 + s3 in 0 … 4294967295
;;         s0 <- r1
;;         s1 <- -2^32·u2 + s3
;;         e <- r0

;; expect network
;; export sum(i32) -> (i32) at expert 3: (s1) -> (s1)
;; expert 0 is never reached
;; expert 1 halts
;; expert 2 traps: out of bounds memory access, function 0, offset 0x2f
;; region control.return, 1 keys from 64, numbers, ids of set 0
;; region control.fp, 1 keys from 65, numbers, 0
;; region frame, 1 keys from 66, numbers, 0 … 4294967295
;; region memory, 65536 keys from 67, bytes, 0 … 255
;; set 0, returns, experts [1]
;; set 1, functions, experts []
;; first row 64 = 1
;; first row 69 = 2
;; first row 70 = 3
;; packet 0, in function `sum`, at offset 0x29
;;     expert 3
;;         s0 in 0
;;         s1 in 0 … 4294967295
;;         s0 <- s0
;;         s2 <- s1
;;         n0 <- 2 + 2^-32·s1
;;         n1 <- 2
;;         v0 <- 1
;;         v1 <- 1
;;         e <- 4
;; packet 1, in function `sum`, at offset 0x2f
;;     expert 4
;;         s0 in 0
;;         s1 in -8589934592 … 17179869184
;;         s2 in -8589934592 … 17179869184
;;         n0 in 0 … 6
;;         n1 in 0 … 6
;;         v0 in 1
;;         v1 in 1
;;         -4294967296·n0 + s2 in -8589934592 … -4294967297
;;         -4294967296·n1 + s1 in -8589934592 … -4294967297
;;         s0 <- s0
;;         s62 <- 2^33 - 2^32·u1 + s1
;;         s63 <- 2^33 - 2^32·u0 + s2
;;         n0 <- 2.9999999997671694 - u0 + 2^-32·s2
;;         n1 <- 0.500003814639058 + 2^-2·u0 - 2^-34·s2
;;         v0 <- 1
;;         v1 <- 1
;;         q0 <- 8589934659 - 2^32·u0 + s2
;;         e <- 5
;;     expert 5
;;         s0 in 0
;;         s62 in 0 … 4294967295
;;         s63 in 0 … 4294967295
;;         n0 in 0 … 1
;;         n1 in 0 … 1
;;         v0 in 1
;;         v1 in 1
;;         q0 in 67 … 4294967362
;;         -4294967296·n0 + s63 in -4294967295 … 0
;;         s0 <- s0
;;         s1 <- r0 + s62
;;         s62 <- u1
;;         s63 <- s63
;;         n0 <- -0.9999999997671694 + u0 + u1 - 2^-32·s63
;;         v0 <- 1
;;         e <- 6
;;     expert 6
;;         s0 in 0
;;         s1 in 0 … 4294967550
;;         s62 in 0 … 1
;;         s63 in 0 … 4294967295
;;         n0 in 0 … 1
;;         v0 in 1
;;         n0 - s62 in -1 … 0
;;         s0 <- s0
;;         s1 <- s1
;;         s2 <- 4294967295 + s63
;;         s3 <- s1
;;         n0 <- 2.9999999997671694 + 2^-32·s63
;;         n1 <- 2 + 2^-32·s1
;;         n2 <- 2^-32·s1
;;         v0 <- 1
;;         v1 <- 1
;;         v2 <- 1
;;         q0 <- 64 + s0
;;         q1 <- 65 + s0
;;         e <- 2 + 3·u0 + 2·s62
;; packet 2, in function `sum`, at offset 0x41
;;     expert 7
;;         s3 in 0 … 4294967550
;;         n2 in 0 … 1
;;         v2 in 1
;;         q0 in 64
;;         q1 in 65
;;         -4294967296·n2 + s3 in 0 … 4294967295
;;         s0 <- r1
;;         s1 <- -2^32·u2 + s3
;;         e <- r0
