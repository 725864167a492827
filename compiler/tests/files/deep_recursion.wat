;; Endless recursion traps at a limit, which leaves room for many calls, and the instance lives on.
;; run: f(100000) == 100000
;; then: f(-1) traps: call_stack_exhausted
;; then: f(10) == 10
(module (func $f (export "f") (param i32) (result i32)
    (if (result i32) (local.get 0)
        (then (i32.add (i32.const 1) (call $f (i32.sub (local.get 0) (i32.const 1)))))
        (else (i32.const 0)))))
