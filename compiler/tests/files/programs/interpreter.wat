;; A table of branches, a table of functions, and a stack in memory.
;; run onnx: run(0) == 35
(module
    (memory 1) (data (i32.const 0) "\01\03\01\04\02\01\05\03\00")
    (type $op (func (param i32 i32) (result i32)))
    (table funcref (elem $add $mul))
    (func $add (type $op) (i32.add (local.get 0) (local.get 1)))
    (func $mul (type $op) (i32.mul (local.get 0) (local.get 1)))
    (global $sp (mut i32) (i32.const 1024))
    (func $push (param i32)
        (i32.store (global.get $sp) (local.get 0))
        (global.set $sp (i32.add (global.get $sp) (i32.const 4))))
    (func $pop (result i32)
        (global.set $sp (i32.sub (global.get $sp) (i32.const 4)))
        (i32.load (global.get $sp)))
    (func (export "run") (param $pc i32) (result i32) (local $op i32)
        (loop $next
            (local.set $op (i32.load8_u (local.get $pc)))
            (local.set $pc (i32.add (local.get $pc) (i32.const 1)))
            (block $halt (block $constant (block $binary
                (br_table $halt $constant $binary $binary (local.get $op)))
                (call $push (call_indirect (type $op) (call $pop) (call $pop) (i32.sub (local.get $op) (i32.const 2))))
                (br $next))
                (call $push (i32.load8_u (local.get $pc)))
                (local.set $pc (i32.add (local.get $pc) (i32.const 1)))
                (br $next)))
        (call $pop)))
