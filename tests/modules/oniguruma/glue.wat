;; vscode-oniguruma (C and C++, Emscripten): reads lines; those up to an empty one are the patterns of a scanner, all others
;; are scanned for matches: for each it prints the index of the pattern and the start and end of all groups, in bytes (-1: not there).
;; createOnigScanner(patterns, their lengths, number, options, syntax), findNextOnigScannerMatch(scanner, id of the text,
;; text, length, start, options) -> 0 or {pattern, number of groups, start, end, …}. host.wat serves the imports.
(module
  (import "io" "input" (func $input (result i32)))
  (import "io" "char" (func $char (param i32)))
  (import "io" "dec" (func $dec (param i32)))
  (import "io" "space" (func $space))
  (import "io" "line" (func $line))
  (import "env" "hooks" (table 1 funcref))
  (import "lib" "memory" (memory 1))
  (import "lib" "__wasm_call_ctors" (func $constructors))
  (import "lib" "omalloc" (func $malloc (param i32) (result i32)))
  (import "lib" "createOnigScanner" (func $create (param i32 i32 i32 i32 i32) (result i32)))
  (import "lib" "findNextOnigScannerMatch" (func $find (param i32 i32 i32 i32 i32 i32) (result i32)))
  (import "lib" "getLastOnigError" (func $error (result i32)))
  (elem (i32.const 0) $copy)
  (global $more (mut i32) (i32.const 1))  ;; whether there may be more lines

  (func (export "_start")
    (local $patterns i32) (local $lengths i32) (local $count i32) (local $scanner i32) (local $id i32)
    (local $at i32) (local $size i32) (local $from i32) (local $match i32) (local $i i32)
    (call $constructors)
    (local.set $patterns (call $malloc (i32.const 256)))
    (local.set $lengths (call $malloc (i32.const 256)))
    (loop $pattern
      (local.set $at (call $malloc (i32.const 1024)))
      (if (local.tee $size (call $read (local.get $at)))
        (then
          (i32.store (i32.add (local.get $patterns) (i32.shl (local.get $count) (i32.const 2))) (local.get $at))
          (i32.store (i32.add (local.get $lengths) (i32.shl (local.get $count) (i32.const 2))) (local.get $size))
          (local.set $count (i32.add (local.get $count) (i32.const 1)))
          (br $pattern))))
    (local.set $scanner (call $create (local.get $patterns) (local.get $lengths) (local.get $count)
      (i32.const 256)  ;; ONIG_OPTION_CAPTURE_GROUP
      (i32.const 284768)))  ;; the address of ONIG_SYNTAX_DEFAULT, which _embind_register_constant tells
    (if (i32.eqz (local.get $scanner))
      (then (call $string (call $error)) (call $line) (return)))
    (loop $text
      (local.set $size (call $read (local.get $at)))
      (local.set $id (i32.add (local.get $id) (i32.const 1)))
      (local.set $from (i32.const 0))
      (loop $next
        (if (local.tee $match (call $find (local.get $scanner) (local.get $id) (local.get $at) (local.get $size)
              (local.get $from) (i32.const 256)))
          (then
            (call $dec (i32.load (local.get $match)))
            (local.set $i (i32.shl (i32.load offset=4 (local.get $match)) (i32.const 1)))
            (local.set $from (i32.load offset=12 (local.get $match)))
            (if (i32.eq (local.get $from) (i32.load offset=8 (local.get $match)))  ;; an empty match: one byte on
              (then (local.set $from (i32.add (local.get $from) (i32.const 1)))))
            (loop $group
              (call $space)
              (call $dec (i32.load offset=8 (local.get $match)))
              (local.set $match (i32.add (local.get $match) (i32.const 4)))
              (br_if $group (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
            (call $line)
            (br_if $next (i32.le_u (local.get $from) (local.get $size))))))
      (call $char (i32.const 45))
      (call $line)
      (br_if $text (global.get $more))))

  ;; reads a line to an address, returns its length
  (func $read (param $at i32) (result i32)
    (local $c i32) (local $size i32)
    (loop $next
      (local.set $c (call $input))
      (if (i32.lt_s (local.get $c) (i32.const 0)) (then (global.set $more (i32.const 0)) (return (local.get $size))))
      (if (i32.ne (local.get $c) (i32.const 10))
        (then
          (i32.store8 (i32.add (local.get $at) (local.get $size)) (local.get $c))
          (local.set $size (i32.add (local.get $size) (i32.const 1)))
          (br $next))))
    (local.get $size))

  (func $copy (param $to i32) (param $from i32) (param $size i32)
    (memory.copy (local.get $to) (local.get $from) (local.get $size)))

  (func $string (param $at i32)
    (loop $next
      (if (i32.load8_u (local.get $at))
        (then
          (call $char (i32.load8_u (local.get $at)))
          (local.set $at (i32.add (local.get $at) (i32.const 1)))
          (br $next))))))
