;; What wasmoon's Lua imports as "env" (WASI's functions are the compiler's). Emscripten calls a function through
;; invoke_vii so that JavaScript can catch what it throws, which is how longjmp works there: lua_error and the like.
;; Nothing can be caught here: a call is passed on through a table, into which the glue puts its own function (only the glue
;; has Lua's table, which is linked after this), and an error within Lua ends the program (_emscripten_throw_longjmp).
(module
  (type $call (func (param i32 i32 i32)))
  (table (export "hooks") 1 funcref)
  (func (export "invoke_vii") (type $call)
    (call_indirect (type $call) (local.get 0) (local.get 1) (local.get 2) (i32.const 0)))
  (func (export "_emscripten_throw_longjmp") (unreachable))
  (func (export "abort") (unreachable))
  (func (export "exit") (param i32) (unreachable))
  (func (export "emscripten_resize_heap") (param i32) (result i32) (i32.const 0))
  (func (export "emscripten_date_now") (result f64) (f64.const 1700000000000))
  (func (export "_emscripten_get_now_is_monotonic") (result i32) (i32.const 1))
  ;; files, processes and time zones: not supported
  (func (export "strftime") (param i32 i32 i32 i32) (result i32) (i32.const 0))
  (func (export "system") (param i32) (result i32) (i32.const 0))
  (func (export "__syscall_openat") (param i32 i32 i32 i32) (result i32) (i32.const -44))
  (func (export "__syscall_fcntl64") (param i32 i32 i32) (result i32) (i32.const -52))
  (func (export "__syscall_ioctl") (param i32 i32 i32) (result i32) (i32.const -52))
  (func (export "__syscall_dup3") (param i32 i32 i32) (result i32) (i32.const -52))
  (func (export "__syscall_unlinkat") (param i32 i32 i32) (result i32) (i32.const -52))
  (func (export "__syscall_rmdir") (param i32) (result i32) (i32.const -52))
  (func (export "__syscall_renameat") (param i32 i32 i32 i32) (result i32) (i32.const -52))
  (func (export "__syscall_readlinkat") (param i32 i32 i32 i32) (result i32) (i32.const -52))
  (func (export "_mktime_js") (param i32) (result i64) (i64.const -1))
  (func (export "_localtime_js") (param i64 i32))
  (func (export "_gmtime_js") (param i64 i32))
  (func (export "_tzset_js") (param i32 i32 i32)))
