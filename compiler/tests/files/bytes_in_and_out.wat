;; The functions of the host that read and print a byte: called, exported again, and in a table.
;; input: "some input"
;; compare: 16
(module
    (import "env" "output_byte" (func $out (param i32)))
    (import "env" "input_byte" (func $in (result i32)))
    (export "out" (func $out))
    (table 3 funcref)
    (elem (i32.const 1) $in)
    (func (export "echo") (local i32)
      (local.set 0 (call $in))
      (call $out (local.get 0))
      (call $out (i32.shr_s (local.get 0) (i32.const 8))))
    (func (export "table_in") (param i32) (result i32)
      (call_indirect (result i32) (i32.and (local.get 0) (i32.const 1))))
)
