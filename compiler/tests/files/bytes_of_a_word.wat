;; Counts in the bytes of one word, as programs do that look at four characters at once. The checker has to follow a chain of
;; facts about these bytes; if it did not, the function would be made anew with a field for each claim, in seven steps instead of three.
;; dump: steps f
;; compare: 16
(module (func (export "f") (param i32 i32) (result i32) (local i32)
      (local.set 2 (i32.add (local.get 0) (local.get 1)))
      (i32.shr_u
        (i32.add
          (i32.and (local.get 2) (i32.const 0xff00ff))
          (i32.and (i32.shr_u (local.get 2) (i32.const 8)) (i32.const 0xff00ff)))
        (i32.const 3))))

;; expect steps f
;; function "f"
;; packet 0, at offset 0x27
;;     expert 0
;;         s0 in 0
;;         s1 in 0 … 4294967295
;;         s2 in 0 … 4294967295
;;         s63 <- s1 + s2
;;         n0 <- 2^-8·s1 + 2^-8·s2
;;         n1 <- 2^-16·s1 + 2^-16·s2
;;         n2 <- 2^-24·s1 + 2^-24·s2
;;         n3 <- 2^-32·s1 + 2^-32·s2
;;         v0 <- 1
;;         v1 <- 1
;;         v2 <- 1
;;         v3 <- 1
;;         q0 <- 64 + s0
;;         q1 <- 65 + s0
;;         e <- the following
;;     expert 1
;;         s63 in 0 … 8589934590
;;         n0 in 0 … 33554431
;;         n1 in 0 … 131071
;;         n2 in 0 … 511
;;         n3 in 0 … 1
;;         v0 in 1
;;         v1 in 1
;;         v2 in 1
;;         v3 in 1
;;         q0 in 64
;;         q1 in 65
;;         -256·n0 + s63 in 0 … 255
;;         -256·n2 + n1 in 0 … 255
;;         -256·n1 + n0 in 0 … 255
;;         -256·n3 + n2 in 0 … 255
;;         s0 <- r1
;;         s63 <- r0
;;         n0 <- -31.875·u0 + 8160·u1 - 2088960·u2 - 2^21·u3 + 2^-3·s63
;;         v0 <- 1
;;         e <- the following
;;     expert 2
;;         s0 in 0
;;         s63 in ids of set 0
;;         n0 in 0 … 4177983
;;         v0 in 1
;;         s0 <- s0
;;         s1 <- u0
;;         e <- s63
