;; `f` calls `leaf`, which tail calls `f`, at times by way of `g`. The stack gets as deep as if `f` called itself.
;; run: f(20000) == 20000
;; then: f(-1) traps: call_stack_exhausted
;; then: tail(-1) traps: call_stack_exhausted
;; then: f(7) == 7
;; run: tail(9) == 9
;; run: f(0) == 0
;; then: tail(0) == 0
;; then: f(1) == 1
;; then: tail(1) == 1
;; then: f(2) == 2
;; then: tail(2) == 2
;; then: f(3) == 3
;; then: tail(3) == 3
;; then: f(4) == 4
;; then: tail(4) == 4
;; then: f(5) == 5
;; then: tail(5) == 5
;; then: f(6) == 6
;; then: tail(6) == 6
;; then: f(7) == 7
;; then: tail(7) == 7
;; then: f(8) == 8
;; then: tail(8) == 8
;; then: f(9) == 9
;; then: tail(9) == 9
;; then: f(10) == 10
;; then: tail(10) == 10
;; then: f(11) == 11
;; then: tail(11) == 11
;; then: f(12) == 12
;; then: tail(12) == 12
;; then: f(13) == 13
;; then: tail(13) == 13
;; then: f(14) == 14
;; then: tail(14) == 14
;; then: f(15) == 15
;; then: tail(15) == 15
;; then: f(16) == 16
;; then: tail(16) == 16
;; then: f(17) == 17
;; then: tail(17) == 17
;; then: f(18) == 18
;; then: tail(18) == 18
;; then: f(19) == 19
;; then: tail(19) == 19
(module
    (type $t (func (param i32) (result i32)))
    (table funcref (elem $f $leaf $g))
    (func $f (export "f") (type $t)
        (if (i32.eqz (local.get 0)) (then (return (i32.const 0))))
        (i32.add (i32.const 1) (call $leaf (i32.sub (local.get 0) (i32.const 1)))))
    ;; Calls nothing itself, so that it does not check how deep it is.
    (func $leaf (type $t)
        (if (i32.and (local.get 0) (i32.const 1)) (then (return_call $g (local.get 0))))
        (return_call_indirect (type $t) (local.get 0) (i32.eq (local.get 0) (i32.const 12345))))
    (func $g (type $t)
        (return_call_indirect (type $t) (local.get 0) (i32.eq (local.get 0) (i32.const 12346))))
    (func (export "tail") (param i32) (result i32) (return_call $leaf (local.get 0))))
