;; Euclid's algorithm on n pairs of pseudo-random numbers: a division by a variable in each round.
(module
  (func $random (param $x i32) (result i32)
    (local.set $x (i32.xor (local.get $x) (i32.shl (local.get $x) (i32.const 13))))
    (local.set $x (i32.xor (local.get $x) (i32.shr_u (local.get $x) (i32.const 17))))
    (i32.xor (local.get $x) (i32.shl (local.get $x) (i32.const 5))))

  (func $gcd (param $a i32) (param $b i32) (result i32)
    (local $r i32)
    (loop $again
      (if (local.get $b)
        (then
          (local.set $r (i32.rem_u (local.get $a) (local.get $b)))
          (local.set $a (local.get $b))
          (local.set $b (local.get $r))
          (br $again))))
    (local.get $a))

  ;; The sum of the greatest common divisors and of the quotients of the pairs.
  (func (export "run") (param $n i32) (param $seed i32) (result i32)
    (local $b i32) (local $sum i32)
    (loop $pair
      (local.set $b (call $random (local.get $seed)))
      (local.set $sum
        (i32.add
          (i32.add (local.get $sum) (call $gcd (local.get $seed) (local.get $b)))
          (i32.div_u (local.get $seed) (local.get $b))))
      (local.set $seed (local.get $b))
      (br_if $pair (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $sum)))
