;; Tail calls of the host's functions, and a tail call of the outermost function: it halts with the results of the callee.
;; input: "xyz"
;; run: put(65) == ()
;; then: put_indirect(66, 0) == ()
;; then: put_indirect(5, 1) == ()
;; then: get() == 120
;; prints: "AB"
;; run: global() == 77
;; run: put_indirect(5, 1) == ()
;; then: global() == 5
(module
    (import "env" "output_byte" (func $out (param i32)))
    (import "env" "input_byte" (func $in (result i32)))
    (global $g (export "g") (mut i32) (i32.const 0))
    (table funcref (elem $out $set))
    (func $set (param i32) (global.set $g (local.get 0)))
    (func $start (return_call_indirect (param i32) (i32.const 77) (i32.const 1)))
    (start $start)
    (func (export "put") (param i32) (return_call $out (local.get 0)))
    (func (export "put_indirect") (param i32 i32)
        (return_call_indirect (param i32) (local.get 0) (local.get 1)))
    (func (export "global") (result i32) (global.get $g))
    (func (export "get") (result i32) (return_call $in)))
