;; The start function has run before the first call.
;; compare: 16
(module
    (memory (export "memory") 1) (global $g (export "g") (mut i32) (i32.const 0))
    (start $start)
    (func $start (i32.store (i32.const 4) (i32.const 5)) (global.set $g (i32.const 6)))
    (func (export "f")))
