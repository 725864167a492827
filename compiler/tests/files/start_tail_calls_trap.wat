;; There is no instance if a function that the start function tail calls traps.
;; creation traps: unreachable
(module (func $bad unreachable) (func $start (return_call $bad)) (start $start))
