;; A copy from a table, whose bounds an earlier packet has checked. Seen alone, the packet of the copy also begins in states in
;; which it reads from the frame; validation must not count these (seed 121629 of `differential`).
;; run: f(3, 1) == 6
;; run: f(2, 0) == 5
;; dump: packets f
(module
    (memory 1) (table $a 7 7 externref) (table $b 9 15 externref) (table $t funcref (elem $g $h))
    (type $i (func (param i32) (result i32)))
    (func $g (type $i) (i32.const 5))
    (func $h (type $i) (i32.const 6))
    (func (export "set") (param i32 externref) (table.set $b (local.get 0) (local.get 1)))
    (func (export "get") (param i32) (result externref) (table.get $a (local.get 0)))
    (func (export "f") (param $n i32) (param $m i32) (result i32) (local $x i32)
        (if (local.get $m)
            (then (table.copy $a $b (i32.const 0) (i32.const 0) (i32.and (local.get $n) (i32.const 3))))
            (else (local.set $x (i32.load8_u (local.get $m)))))
        (i32.add
            (call_indirect $t (type $i) (local.get $n) (i32.and (local.get $n) (i32.const 1)))
            (local.get $x))))

;; expect packets f
;; function "f"
;; 1 slots in the frame
;; packet 0(v0 in s1, v1 in s2): entered by calls
;;     branch v1, packet 1, packet 3
;; packet 1(): entered by jumps
;;     uses v0 in s1, v2 = 0, v3 = 3, v5 = 9, v6 = 7
;;     v4 = and.i32 v0, v3
;;     within v2, v4, v5, table_out_of_bounds
;;     within v2, v4, v6, table_out_of_bounds
;;     branch v4, packet 2(v2, v2, v4), packet 4(v2)
;; packet 2(v8 in s2, v9 in s3, v10 in s4): entered by jumps
;;     uses v2 = 0, v7 = 1, v13 = 4294967295
;;     move1 table0[v8], table1[v9]
;;     v11 = add.i32 v9, v7
;;     v12 = add.i32 v8, v7
;;     v14 = add.i32 v10, v13
;;     branch v14, packet 2(v12, v11, v14), packet 4(v2)
;; packet 3(): entered by jumps
;;     uses v1 in s2
;;     bounds1 [v1 + 0]
;;     v15 = load1.i32 memory[v1 + 0]
;;     jump packet 4(v15)
;; packet 4(v16 in slot 0): entered by jumps
;;     uses v0 in s1, v17 = 1
;;     v18 = and.i32 v0, v17  ; in s2
;;     v19 = table_type table2[v18]
;;     v20 = eqz.i32 v19
;;     trap_if v20, uninitialized_element
;;     v21 = ne.i32 v19, v17
;;     trap_if v21, indirect_call_type_mismatch
;;     v22 = table_func table2[v18]
;;     jump packet 5
;; packet 5(): entered by jumps
;;     uses v0 in s1, v18 in s2
;;     v22 = table_func table2[v18]
;;     call_reference v22(v0), packet 6
;; packet 6(v23): entered by returns
;;     uses v16 in slot 0
;;     v24 = add.i32 v16, v23
;;     return v24
