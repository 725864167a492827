;; Division of 64-bit integers by that of 32-bit integers, after Warren, "Hacker's Delight",
;; second edition, 9-4 and 9-5. Divisors are not 0: callers trap before.
(module
  ;; (high:low) / divisor and remainder, for high < divisor: two digits of 16 bits.
  (func $__udivrem64_32
    (param $high i32) (param $low i32) (param $divisor i32) (result i32 i32)
    (local $shift i32) (local $d1 i32) (local $d0 i32)
    (local $q1 i32) (local $q0 i32) (local $rest i32) (local $digit i32)
    ;; Normalized: the divisor's highest bit is 1.
    (local.set $shift (i32.clz (local.get $divisor)))
    (local.set $divisor (i32.shl (local.get $divisor) (local.get $shift)))
    (local.set $d1 (i32.shr_u (local.get $divisor) (i32.const 16)))
    (local.set $d0 (i32.and (local.get $divisor) (i32.const 0xffff)))
    (local.set $high
      (i32.wrap_i64
        (i64.shr_u
          (i64.shl
            (i64.or
              (i64.shl (i64.extend_i32_u (local.get $high)) (i64.const 32))
              (i64.extend_i32_u (local.get $low)))
            (i64.extend_i32_u (local.get $shift)))
          (i64.const 32))))
    (local.set $low (i32.shl (local.get $low) (local.get $shift)))

    ;; First digit: estimated from the divisor's high half, at most 2 too large.
    (local.set $digit (i32.shr_u (local.get $low) (i32.const 16)))
    (local.set $q1 (i32.div_u (local.get $high) (local.get $d1)))
    (local.set $rest (i32.rem_u (local.get $high) (local.get $d1)))
    (block $done
      (loop $again
        (if (i32.lt_u (local.get $q1) (i32.const 0x10000))
          (then
            (br_if $done
              (i32.le_u
                (i32.mul (local.get $q1) (local.get $d0))
                (i32.or (i32.shl (local.get $rest) (i32.const 16)) (local.get $digit))))))
        (local.set $q1 (i32.sub (local.get $q1) (i32.const 1)))
        (local.set $rest (i32.add (local.get $rest) (local.get $d1)))
        (br_if $again (i32.lt_u (local.get $rest) (i32.const 0x10000)))))
    (local.set $high
      (i32.sub
        (i32.or (i32.shl (local.get $high) (i32.const 16)) (local.get $digit))
        (i32.mul (local.get $q1) (local.get $divisor))))

    ;; Second digit.
    (local.set $digit (i32.and (local.get $low) (i32.const 0xffff)))
    (local.set $q0 (i32.div_u (local.get $high) (local.get $d1)))
    (local.set $rest (i32.rem_u (local.get $high) (local.get $d1)))
    (block $done
      (loop $again
        (if (i32.lt_u (local.get $q0) (i32.const 0x10000))
          (then
            (br_if $done
              (i32.le_u
                (i32.mul (local.get $q0) (local.get $d0))
                (i32.or (i32.shl (local.get $rest) (i32.const 16)) (local.get $digit))))))
        (local.set $q0 (i32.sub (local.get $q0) (i32.const 1)))
        (local.set $rest (i32.add (local.get $rest) (local.get $d1)))
        (br_if $again (i32.lt_u (local.get $rest) (i32.const 0x10000)))))
    (local.set $high
      (i32.sub
        (i32.or (i32.shl (local.get $high) (i32.const 16)) (local.get $digit))
        (i32.mul (local.get $q0) (local.get $divisor))))

    (i32.add (i32.shl (local.get $q1) (i32.const 16)) (local.get $q0))
    (i32.shr_u (local.get $high) (local.get $shift)))

  (func $__udivrem64 (param $a i64) (param $b i64) (result i64 i64)
    (local $a1 i32) (local $a0 i32) (local $b1 i32) (local $b0 i32)
    (local $q i64) (local $r i64) (local $shift i64) (local $high i32) (local $low i32)
    (local.set $a1 (i32.wrap_i64 (i64.shr_u (local.get $a) (i64.const 32))))
    (local.set $a0 (i32.wrap_i64 (local.get $a)))
    (local.set $b1 (i32.wrap_i64 (i64.shr_u (local.get $b) (i64.const 32))))
    (local.set $b0 (i32.wrap_i64 (local.get $b)))
    (if (i32.eqz (local.get $b1))
      (then
        (if (i32.eqz (local.get $a1))
          (then
            (return
              (i64.extend_i32_u (i32.div_u (local.get $a0) (local.get $b0)))
              (i64.extend_i32_u (i32.rem_u (local.get $a0) (local.get $b0))))))
        ;; The high word first; its remainder is smaller than the divisor.
        (local.set $high (i32.div_u (local.get $a1) (local.get $b0)))
        (call $__udivrem64_32 (i32.rem_u (local.get $a1) (local.get $b0)) (local.get $a0) (local.get $b0))
        (local.set $a0)
        (local.set $low)
        (return
          (i64.or
            (i64.shl (i64.extend_i32_u (local.get $high)) (i64.const 32))
            (i64.extend_i32_u (local.get $low)))
          (i64.extend_i32_u (local.get $a0)))))
    ;; The quotient is less than 2^32. a / 2 by the normalized divisor's high word is at most 1
    ;; too large after the scale is undone; 1 less is at most 1 too small.
    (local.set $shift (i64.extend_i32_u (i32.clz (local.get $b1))))
    (local.set $r (i64.shr_u (local.get $a) (i64.const 1)))
    (call $__udivrem64_32
      (i32.wrap_i64 (i64.shr_u (local.get $r) (i64.const 32)))
      (i32.wrap_i64 (local.get $r))
      (i32.wrap_i64 (i64.shr_u (i64.shl (local.get $b) (local.get $shift)) (i64.const 32))))
    (local.set $high) ;; not needed
    (local.set $low)
    (local.set $q
      (i64.shr_u (i64.shl (i64.extend_i32_u (local.get $low)) (local.get $shift)) (i64.const 31)))
    (local.set $q (i64.sub (local.get $q) (i64.extend_i32_u (i64.ne (local.get $q) (i64.const 0)))))
    (local.set $r (i64.sub (local.get $a) (i64.mul (local.get $q) (local.get $b))))
    (if (i64.ge_u (local.get $r) (local.get $b))
      (then
        (local.set $q (i64.add (local.get $q) (i64.const 1)))
        (local.set $r (i64.sub (local.get $r) (local.get $b)))))
    (local.get $q)
    (local.get $r))

  ;; The quotient is rounded towards 0; the remainder has the sign of a.
  (func $__sdivrem64 (param $a i64) (param $b i64) (result i64 i64)
    (local $q i64) (local $r i64)
    (call $__udivrem64
      (select
        (i64.sub (i64.const 0) (local.get $a)) (local.get $a) (i64.lt_s (local.get $a) (i64.const 0)))
      (select
        (i64.sub (i64.const 0) (local.get $b)) (local.get $b) (i64.lt_s (local.get $b) (i64.const 0))))
    (local.set $r)
    (local.set $q)
    (select
      (i64.sub (i64.const 0) (local.get $q))
      (local.get $q)
      (i32.ne
        (i64.lt_s (local.get $a) (i64.const 0))
        (i64.lt_s (local.get $b) (i64.const 0))))
    (select
      (i64.sub (i64.const 0) (local.get $r)) (local.get $r) (i64.lt_s (local.get $a) (i64.const 0)))))
