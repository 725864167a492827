;; The bounds of loads and stores are checked before them, for each separately.
;; dump: frontend f
(module (memory 1)
    (func $f (param $p i32) (result i64)
      (block (br_if 0 (local.get $p)) (i32.store offset=4 (local.get $p) (i32.const 5000)))
      (i64.load8_s (local.get $p))))

;; expect frontend f
;; function "f"(v0: i32) -> (i64) {
;; block0:
;;     branch v0, block1, block2
;; block2:
;;     v1 = const.i32 0x1388
;;     bounds4 [v0 + 4]
;;     store4.i32 memory[v0 + 4], v1
;;     jump block1
;; block1:
;;     bounds1 [v0 + 0]
;;     v2 = load1_s.i64 memory[v0 + 0]
;;     return v2
;; }
