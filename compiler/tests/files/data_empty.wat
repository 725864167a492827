;; An empty data segment fits into an empty memory.
;; compare: 1
(module (memory 0) (data (i32.const 0) ""))
