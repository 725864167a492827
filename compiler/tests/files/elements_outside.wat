;; There is no instance if an element segment does not fit.
;; creation traps: table_out_of_bounds
(module (table 1 funcref) (func $f) (elem (i32.const 1) $f))
