;; sql.js (SQLite, Emscripten): runs the SQL statements on standard input in a database in memory and prints, for each,
;; the names of its columns and its rows, separated by "|"; or SQLite's message for an error, after which it stops.
;; Exports have short names: P() is __wasm_call_ctors, Ia malloc, Ha sqlite3_open, T sqlite3_prepare_v2, U sqlite3_step,
;; X sqlite3_finalize, ra sqlite3_column_count, Y sqlite3_column_name, Z sqlite3_column_text, $ sqlite3_errmsg.
;; Imports `a.*` are Emscripten's: of these only environ_sizes_get and environ_get (H, G: no variables), the maximum of the heap (p), getpid (F)
;; and the clock (d) are reached by a database in memory.
(module
  (import "io" "input" (func $input (result i32)))
  (import "io" "char" (func $char (param i32)))
  (import "io" "line" (func $line))
  (import "lib" "O" (memory 1))
  (import "lib" "P" (func $constructors))
  (import "lib" "Ia" (func $malloc (param i32) (result i32)))
  (import "lib" "Ha" (func $open (param i32 i32) (result i32)))
  (import "lib" "T" (func $prepare (param i32 i32 i32 i32 i32) (result i32)))
  (import "lib" "U" (func $step (param i32) (result i32)))
  (import "lib" "X" (func $finalize (param i32) (result i32)))
  (import "lib" "ra" (func $columns (param i32) (result i32)))
  (import "lib" "Y" (func $name (param i32 i32) (result i32)))
  (import "lib" "Z" (func $value (param i32 i32) (result i32)))
  (import "lib" "$" (func $message (param i32) (result i32)))

  (func (export "_start")
    (local $cells i32)  ;; at 0: the database, at 4: the statement, at 8: the rest of the SQL, at 16: ":memory:"
    (local $db i32) (local $statement i32) (local $at i32) (local $size i32) (local $c i32)
    (call $constructors)
    (local.set $cells (call $malloc (i32.const 32)))
    (i64.store offset=16 (local.get $cells) (i64.const 0x3a79726f6d656d3a))
    (i32.store8 offset=24 (local.get $cells) (i32.const 0))
    (if (call $open (i32.add (local.get $cells) (i32.const 16)) (local.get $cells)) (then (unreachable)))
    (local.set $db (i32.load (local.get $cells)))
    (local.set $at (call $malloc (i32.const 65536)))
    (loop $next
      (if (i32.ge_s (local.tee $c (call $input)) (i32.const 0))
        (then
          (i32.store8 (i32.add (local.get $at) (local.get $size)) (local.get $c))
          (local.set $size (i32.add (local.get $size) (i32.const 1)))
          (br $next))))
    (i32.store8 (i32.add (local.get $at) (local.get $size)) (i32.const 0))
    (loop $next
      (if (call $prepare (local.get $db) (local.get $at) (i32.const -1)
            (i32.add (local.get $cells) (i32.const 4)) (i32.add (local.get $cells) (i32.const 8)))
        (then (call $fail (local.get $db)) (return)))
      (local.set $at (i32.load offset=8 (local.get $cells)))
      (if (local.tee $statement (i32.load offset=4 (local.get $cells)))
        (then
          (call $row (local.get $statement) (i32.const 1))
          (loop $rows
            (if (i32.eq (local.tee $c (call $step (local.get $statement))) (i32.const 100))  ;; SQLITE_ROW
              (then (call $row (local.get $statement) (i32.const 0)) (br $rows))))
          (if (i32.ne (local.get $c) (i32.const 101))  ;; SQLITE_DONE
            (then (call $fail (local.get $db)) (return)))
          (drop (call $finalize (local.get $statement)))
          (br $next)))))

  ;; prints the names of the columns or a row
  (func $row (param $statement i32) (param $names i32)
    (local $i i32) (local $n i32)
    (if (i32.eqz (local.tee $n (call $columns (local.get $statement)))) (then (return)))
    (loop $next
      (if (local.get $i) (then (call $char (i32.const 124))))
      (if (local.get $names)
        (then (call $text (call $name (local.get $statement) (local.get $i))))
        (else (call $text (call $value (local.get $statement) (local.get $i)))))
      (br_if $next (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))
    (call $line))

  (func $fail (param $db i32)
    (call $char (i32.const 33))
    (call $text (call $message (local.get $db)))
    (call $line))

  ;; prints a text that ends with a zero; nothing for a null pointer
  (func $text (param $at i32)
    (if (local.get $at)
      (then
        (loop $next
          (if (i32.load8_u (local.get $at))
            (then
              (call $char (i32.load8_u (local.get $at)))
              (local.set $at (i32.add (local.get $at) (i32.const 1)))
              (br $next))))))))
