;; What @jitl/quickjs-wasmfile-release-sync imports from its JavaScript, as module "a": the memory (a), Emscripten's
;; functions, and calls of the host. QuickJS calls callFunction (s) when a script calls a function of the host; that is
;; passed on through a table, into which the glue puts its own function: the glue has the functions of QuickJS,
;; which this module, linked before it, cannot import.
(module
  (import "env" "output_byte" (func $byte (param i32)))
  (memory (export "a") 256 32768)
  (table (export "hooks") 1 funcref)
  (type $call (func (param i32 i32 i32 i32 i32) (result i32)))

  (func (export "s") (type $call)  ;; callFunction(context, this, argc, argv, function)
    (call_indirect (type $call) (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4) (i32.const 0)))
  (func (export "t") (param i32 i32))  ;; freeHostRef
  (func (export "i") (param i32) (result i32) (i32.const 0))  ;; shouldInterrupt
  (func (export "h") (param i32 i32 i32) (result i32) (unreachable))  ;; loadModuleSource
  (func (export "g") (param i32 i32 i32 i32) (result i32) (unreachable))  ;; normalizeModule

  (func (export "b") (param i32 i32 i32 i32) (unreachable))  ;; assertion failed
  (func (export "q") (unreachable))  ;; abort
  (func (export "r") (param i32) (unreachable))  ;; proc_exit
  (func (export "l"))  ;; keepalive
  (func (export "j") (param i32 f64) (result i32) (i32.const 0))  ;; setitimer
  (func (export "k") (param i32) (result i32) (i32.const 0))  ;; emscripten_resize_heap: no
  (func (export "p") (result f64) (f64.const 1700000000000))  ;; Date.now(): November 14, 2023
  (func (export "f") (param i32 i32) (result i32)  ;; environ_sizes_get: none
    (i32.store (local.get 0) (i32.const 0))
    (i32.store (local.get 1) (i32.const 0))
    (i32.const 0))
  (func (export "e") (param i32 i32) (result i32) (i32.const 0))  ;; environ_get
  (func (export "n") (param i32 i32 i32 i32)  ;; tzset: UTC
    (i32.store (local.get 0) (i32.const 0))
    (i32.store (local.get 1) (i32.const 0))
    (i32.store (local.get 2) (i32.const 0x435455))
    (i32.store (local.get 3) (i32.const 0x435455)))
  (func (export "m") (param i64 i32)  ;; localtime: only the offset from UTC, 0, is used
    (memory.fill (local.get 1) (i32.const 0) (i32.const 44)))
  (func (export "d") (param i32) (result i32) (i32.const 52))  ;; fd_close
  (func (export "o") (param i32 i64 i32 i32) (result i32) (i32.const 70))  ;; fd_seek
  (func (export "c") (param i32 i32 i32 i32) (result i32)  ;; fd_write
    (local $at i32) (local $left i32)
    (loop $next
      (if (local.get 2)
        (then
          (local.set $at (i32.load (local.get 1)))
          (local.set $left (i32.load offset=4 (local.get 1)))
          (i32.store (local.get 3) (i32.add (i32.load (local.get 3)) (local.get $left)))
          (loop $bytes
            (if (local.get $left)
              (then
                (call $byte (i32.load8_u (local.get $at)))
                (local.set $at (i32.add (local.get $at) (i32.const 1)))
                (local.set $left (i32.sub (local.get $left) (i32.const 1)))
                (br $bytes))))
          (local.set 1 (i32.add (local.get 1) (i32.const 8)))
          (local.set 2 (i32.sub (local.get 2) (i32.const 1)))
          (br $next))))
    (i32.const 0)))
