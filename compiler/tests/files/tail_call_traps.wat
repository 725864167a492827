;; Traps in functions that are tail called, and traps of the checks before a tail call: none of them ends the instance.
;; run: indirect(0, 1) traps: integer_divide_by_zero
;; then: indirect(5, 1) == 2
;; then: indirect(0, 2) traps: memory_out_of_bounds
;; then: indirect(3, 2) == 0
;; then: indirect(0, 3) traps: indirect_call_type_mismatch
;; then: indirect(0, 0) traps: uninitialized_element
;; then: indirect(0, 5) traps: uninitialized_element
;; then: indirect(0, 6) traps: undefined_element
;; then: indirect(0, -1) traps: undefined_element
;; then: indirect(4, 4) traps: indirect_call_type_mismatch
;; then: indirect(2, 4) traps: memory_out_of_bounds
;; then: called(2, 4) traps: memory_out_of_bounds
;; then: called(1, 4) traps: integer_divide_by_zero
;; then: direct(1) traps: unreachable
;; then: direct(0) traps: uninitialized_element
;; then: indirect(6, 1) == 2
(module
    (type $f (func (param i32) (result i32)))
    (global $count (export "count") (mut i32) (i32.const 0))
    (memory 1)
    (table 6 funcref) (elem (i32.const 1) $divide $load $other $again)
    (func $again (type $f)
        (global.set $count (i32.add (global.get $count) (i32.const 1)))
        (return_call_indirect (type $f) (i32.sub (local.get 0) (i32.const 1)) (local.get 0)))
    (func $divide (type $f) (i32.div_u (i32.const 12) (local.get 0)))
    (func $load (type $f) (i32.load (i32.sub (local.get 0) (i32.const 3))))
    (func $other (param i64) (result i32) (i32.wrap_i64 (local.get 0)))
    (func $never (param i32) (result i32) (if (local.get 0) (then unreachable)) (return_call $again (local.get 0)))
    (func (export "indirect") (param i32 i32) (result i32)
        (return_call_indirect (type $f) (local.get 0) (local.get 1)))
    (func (export "direct") (param i32) (result i32) (return_call $never (local.get 0)))
    (func (export "called") (param i32 i32) (result i32) (i32.add (i32.const 100)
        (call_indirect (type $f) (local.get 0) (local.get 1)))))
