;; Lua 5.4, as wasmoon has it (C, Emscripten): runs the script on standard input. Lua itself prints, through WASI's fd_write.
;; luaL_newstate, luaL_openlibs, luaL_loadbufferx, lua_pcallk; the message of a syntax error is printed after "! ".
;; host.wat serves the imports; its call of a function, invoke_vii, comes back to $invoke.
(module
  (import "io" "input" (func $input (result i32)))
  (import "io" "char" (func $char (param i32)))
  (import "io" "space" (func $space))
  (import "io" "line" (func $line))
  (import "env" "hooks" (table $hooks 1 funcref))
  (import "lib" "__indirect_function_table" (table $functions 1 funcref))
  (import "lib" "memory" (memory 1))
  (import "lib" "__wasm_call_ctors" (func $constructors))
  (import "lib" "malloc" (func $malloc (param i32) (result i32)))
  (import "lib" "luaL_newstate" (func $new (result i32)))
  (import "lib" "luaL_openlibs" (func $open (param i32)))
  (import "lib" "luaL_loadbufferx" (func $load (param i32 i32 i32 i32 i32) (result i32)))
  (import "lib" "lua_pcallk" (func $call (param i32 i32 i32 i32 i32 i32) (result i32)))
  (import "lib" "lua_tolstring" (func $string (param i32 i32 i32) (result i32)))
  (import "lib" "fflush" (func $flush (param i32) (result i32)))
  (elem (table $hooks) (i32.const 0) func $invoke)
  (type $function (func (param i32 i32)))

  (func (export "_start")
    (local $lua i32) (local $at i32) (local $size i32) (local $c i32)
    (call $constructors)
    (call $open (local.tee $lua (call $new)))
    (local.set $at (call $malloc (i32.const 65536)))
    (loop $next
      (if (i32.ge_s (local.tee $c (call $input)) (i32.const 0))
        (then
          (i32.store8 (i32.add (local.get $at) (local.get $size)) (local.get $c))
          (local.set $size (i32.add (local.get $size) (i32.const 1)))
          (br $next))))
    ;; its own text is the name of a chunk, as luaL_loadstring does
    (i32.store8 (i32.add (local.get $at) (local.get $size)) (i32.const 0))
    (if (i32.or
          (call $load (local.get $lua) (local.get $at) (local.get $size) (local.get $at) (i32.const 0))
          (call $call (local.get $lua) (i32.const 0) (i32.const -1) (i32.const 0) (i32.const 0) (i32.const 0)))
      (then
        (call $char (i32.const 33))
        (call $space)
        (local.set $at (call $string (local.get $lua) (i32.const -1) (i32.const 0)))
        (loop $text
          (if (i32.load8_u (local.get $at))
            (then
              (call $char (i32.load8_u (local.get $at)))
              (local.set $at (i32.add (local.get $at) (i32.const 1)))
              (br $text))))
        (call $line)))
    (drop (call $flush (i32.const 0))))

  (func $invoke (param $f i32) (param $a i32) (param $b i32)
    (call_indirect $functions (type $function) (local.get $a) (local.get $b) (local.get $f))))
