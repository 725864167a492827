;; There is no instance if a data segment does not fit, even where one before it does.
;; creation traps: memory_out_of_bounds
(module (memory 1) (data (i32.const 0) "ok") (data (i32.const 65535) "ab"))
