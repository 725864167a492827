;; QuickJS, as quickjs-emscripten has it (C, Emscripten): evaluates the script on standard input, which can call print(…),
;; runs the jobs that are left (promises), and prints "= " and the result or "! " and the error.
;; Exports have short names: u() is __wasm_call_ctors, v malloc, K QTS_NewRuntime, N QTS_NewContext, pa QTS_Eval,
;; ga QTS_ExecutePendingJob, na QTS_ResolveException, $ QTS_GetString, Da QTS_NewFunction, _ QTS_NewString,
;; ua QTS_GetGlobalObject, ja QTS_SetProp, Ea QTS_ArgvGetJSValueConstPointer. host.wat serves the imports.
(module
  (import "io" "input" (func $input (result i32)))
  (import "io" "char" (func $char (param i32)))
  (import "io" "space" (func $space))
  (import "io" "line" (func $line))
  (import "a" "a" (memory 1))
  (import "a" "hooks" (table $hooks 1 funcref))
  (import "lib" "u" (func $constructors))
  (import "lib" "v" (func $malloc (param i32) (result i32)))
  (import "lib" "K" (func $new_runtime (result i32)))
  (import "lib" "N" (func $new_context (param i32 i32) (result i32)))
  (import "lib" "pa" (func $eval (param i32 i32 i32 i32 i32 i32) (result i32)))
  (import "lib" "ga" (func $jobs (param i32 i32 i32) (result i32)))
  (import "lib" "na" (func $exception (param i32 i32) (result i32)))
  (import "lib" "$" (func $string (param i32 i32) (result i32)))
  (import "lib" "Da" (func $new_function (param i32 i32 i32 i32 i32) (result i32)))
  (import "lib" "_" (func $new_string (param i32 i32) (result i32)))
  (import "lib" "ua" (func $global (param i32) (result i32)))
  (import "lib" "ja" (func $set (param i32 i32 i32 i32)))
  (import "lib" "Ea" (func $argument (param i32 i32) (result i32)))
  (elem (i32.const 0) $print)

  (func (export "_start")
    (local $runtime i32) (local $context i32) (local $cells i32)  ;; at 0: "print", at 8: "eval.js", at 16: a context
    (local $at i32) (local $size i32) (local $c i32) (local $result i32)
    (call $constructors)
    (local.set $cells (call $malloc (i32.const 32)))
    (i64.store (local.get $cells) (i64.const 0x746e697270))
    (i64.store offset=8 (local.get $cells) (i64.const 0x736a2e6c617665))
    (local.set $context (call $new_context (local.tee $runtime (call $new_runtime)) (i32.const 0)))
    ;; globalThis.print = function 1 of the host
    (call $set (local.get $context) (call $global (local.get $context))
      (call $new_string (local.get $context) (local.get $cells))
      (call $new_function (local.get $context) (local.get $cells) (i32.const 1) (i32.const 0) (i32.const 1)))
    (local.set $at (call $malloc (i32.const 65536)))
    (loop $next
      (if (i32.ge_s (local.tee $c (call $input)) (i32.const 0))
        (then
          (i32.store8 (i32.add (local.get $at) (local.get $size)) (local.get $c))
          (local.set $size (i32.add (local.get $size) (i32.const 1)))
          (br $next))))
    (i32.store8 (i32.add (local.get $at) (local.get $size)) (i32.const 0))
    (local.set $result (call $eval (local.get $context) (local.get $at) (local.get $size)
      (i32.add (local.get $cells) (i32.const 8)) (i32.const 0) (i32.const 0)))
    (if (local.tee $c (call $exception (local.get $context) (local.get $result)))
      (then
        (call $char (i32.const 33))
        (local.set $result (local.get $c)))
      (else
        (drop (call $jobs (local.get $runtime) (i32.const -1) (i32.add (local.get $cells) (i32.const 16))))
        (call $char (i32.const 61))))
    (call $space)
    (call $text (call $string (local.get $context) (local.get $result)))
    (call $line))

  ;; print(…): the arguments as strings; returns undefined (0)
  (func $print (param $context i32) (param $this i32) (param $n i32) (param $arguments i32) (param $function i32) (result i32)
    (local $i i32)
    (loop $next
      (if (i32.lt_u (local.get $i) (local.get $n))
        (then
          (if (local.get $i) (then (call $space)))
          (call $text (call $string (local.get $context) (call $argument (local.get $arguments) (local.get $i))))
          (local.set $i (i32.add (local.get $i) (i32.const 1)))
          (br $next))))
    (call $line)
    (i32.const 0))

  (func $text (param $at i32)
    (loop $next
      (if (i32.load8_u (local.get $at))
        (then
          (call $char (i32.load8_u (local.get $at)))
          (local.set $at (i32.add (local.get $at) (i32.const 1)))
          (br $next))))))
