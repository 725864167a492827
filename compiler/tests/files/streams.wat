;; Reads and prints in many ways: byte by byte, several reads and prints in one block, in calls, in arms.
;; input: "abcdefg"
;; run: echo() == ()
;; prints: ">a>b>c>d>e>f>g>"
;; run: four() == (97, 98, 99, 100)
;; prints: "1234"
;; then: four() == (101, 102, 103, -1)
;; prints: "12341234"
;; run: pairs() == -1273200196
;; prints: "1\f2#\bc"
;; run: arms() == 298
;; run: nothing() == 5
;; prints: ""
;; run: one() == 97
(module
    (import "env" "input_byte" (func $in (result i32)))
    (import "env" "output_byte" (func $out (param i32)))
    (func (export "echo") (local $c i32)
        (loop $next
            (call $out (i32.const 62))
            (local.set $c (call $in))
            (if (i32.ge_s (local.get $c) (i32.const 0)) (then (call $out (local.get $c)) (br $next)))))
    ;; Four bytes in one block, the end among them or not, then what they are.
    (func (export "four") (result i32 i32 i32 i32) (local i32 i32 i32 i32)
        (call $out (i32.const 49)) (local.set 0 (call $in))
        (call $out (i32.const 50)) (local.set 1 (call $in))
        (call $out (i32.const 51)) (local.set 2 (call $in))
        (call $out (i32.const 52)) (local.set 3 (call $in))
        (local.get 0) (local.get 1) (local.get 2) (local.get 3))
    (func $pair (result i32) (i32.add (call $in) (i32.mul (call $in) (i32.const 1000))))
    (func (export "pairs") (result i32) (local $sum i32) (local $p i32)
        (loop $next
            (local.set $p (call $pair))
            (local.set $sum (i32.add (i32.mul (local.get $sum) (i32.const 31)) (local.get $p)))
            (call $out (local.get $sum))
            (br_if $next (i32.ge_s (local.get $p) (i32.const 0))))
        (local.get $sum))
    (func (export "arms") (result i32) (local $c i32) (local $n i32)
        (loop $next
            (local.set $c (call $in))
            (if (i32.and (local.get $c) (i32.const 1))
                (then (local.set $n (i32.add (local.get $n) (call $in))))
                (else (local.set $n (i32.sub (i32.mul (local.get $n) (i32.const 3)) (local.get $c)))))
            (br_if $next (i32.ge_s (local.get $c) (i32.const 0))))
        (local.get $n))
    (func (export "nothing") (result i32) (i32.const 5))
    (func (export "one") (result i32) (call $in)))
