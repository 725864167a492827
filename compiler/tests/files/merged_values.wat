;; A block has a parameter only where values meet: for the sum alone, at the loop's header and behind the `if`. A value that does
;; not change has none.
;; dump: frontend f
(module (func $f (param i32 i32) (result i32)
    (local i32)
    (loop
      (if (local.get 1) (then (local.set 2 (i32.add (local.get 2) (local.get 0)))))
      (br_if 0 (i32.lt_u (local.get 2) (i32.const 100))))
    (i32.add (local.get 0) (local.get 2))))

;; expect frontend f
;; function "f"(v0: i32, v1: i32) -> (i32) {
;; block0:
;;     v9 = const.i32 0
;;     jump block1(v9)
;; block1(v3: i32):
;;     branch v1, block3, block4
;; block3:
;;     v5 = add.i32 v3, v0
;;     jump block5(v5)
;; block4:
;;     jump block5(v3)
;; block5(v6: i32):
;;     v7 = const.i32 100
;;     v8 = lt_u.i32 v6, v7
;;     branch v8, block1(v6), block6
;; block6:
;;     jump block2
;; block2:
;;     v10 = add.i32 v0, v6
;;     return v10
;; }
