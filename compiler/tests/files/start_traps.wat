;; There is no instance if the start function traps.
;; creation traps: unreachable
(module (func $start unreachable) (start $start))
