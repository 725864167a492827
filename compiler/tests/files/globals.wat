;; Globals of one word and of two words, exported and not, also before a trap.
;; compare: 16
(module
    (global $a (export "a") (mut i32) (i32.const 5))
    (global $b (export "b") (mut i64) (i64.const -2))
    (global $c i32 (i32.const 77))
    (global $d (export "d") i64 (i64.const 0x123456789abcdef0))
    (global $e (mut i64) (i64.const 1))
    (global $never (mut i32) (i32.const 3))
    (func (export "all") (param i32 i64) (result i32 i64 i32 i64 i64 i32)
      (global.get $a) (global.get $b) (global.get $c) (global.get $d) (global.get $e) (global.get $never)
      (global.set $a (i32.add (global.get $a) (local.get 0)))
      (global.set $b (i64.add (global.get $b) (local.get 1)))
      (global.set $e (i64.rotl (global.get $e) (global.get $b))))
    (func (export "before_trap") (param i32)
      (global.set $a (i32.const 1))
      (drop (i32.div_u (i32.const 1) (local.get 0)))
      (global.set $a (i32.const 2)))
)
