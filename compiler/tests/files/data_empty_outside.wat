;; An empty data segment that begins beyond the end of the memory does not fit.
;; creation traps: memory_out_of_bounds
(module (memory 0) (data (i32.const 1) ""))
