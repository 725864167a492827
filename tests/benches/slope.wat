;; A loop of n rounds that reads and changes two words of 64 KiB of memory in each, at addresses that
;; look random. Its live state is bounded, its trace grows by eight rows of memory a round.
(module
  (memory 1)
  (func (export "run") (param $n i32) (result i32)
    (local $x i32) (local $address i32) (local $sum i32)
    (local.set $x (i32.const 0x2545f491))
    (loop $round
      (local.set $x (i32.xor (local.get $x) (i32.shl (local.get $x) (i32.const 13))))
      (local.set $x (i32.xor (local.get $x) (i32.shr_u (local.get $x) (i32.const 17))))
      (local.set $x (i32.xor (local.get $x) (i32.shl (local.get $x) (i32.const 5))))

      (local.set $address (i32.and (local.get $x) (i32.const 0xfffc)))
      (local.set $sum (i32.add (local.get $sum) (i32.load (local.get $address))))
      (i32.store (local.get $address) (i32.add (local.get $sum) (local.get $n)))

      (local.set $address (i32.and (i32.shr_u (local.get $x) (i32.const 16)) (i32.const 0xfffc)))
      (if (i32.lt_u (i32.load (local.get $address)) (local.get $x))
        (then (i32.store (local.get $address) (local.get $x))))

      (br_if $round (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $sum)))
