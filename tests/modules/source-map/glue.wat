;; source-map (Rust, no wasm-bindgen): reads the "mappings" of a source map from standard input and lists them by generated
;; location, with the last column of each, and then by original location.
;; The library calls env.mapping_callback for each mapping: callback.wat prints it.
(module
  (import "io" "input" (func $input (result i32)))
  (import "io" "char" (func $char (param i32)))
  (import "io" "dec" (func $dec (param i32)))
  (import "io" "line" (func $line))
  (import "lib" "memory" (memory 1))
  (import "lib" "allocate_mappings" (func $allocate (param i32) (result i32)))
  (import "lib" "parse_mappings" (func $parse (param i32) (result i32)))
  (import "lib" "get_last_error" (func $error (result i32)))
  (import "lib" "compute_column_spans" (func $spans (param i32)))
  (import "lib" "by_generated_location" (func $by_generated (param i32)))
  (import "lib" "by_original_location" (func $by_original (param i32)))

  (func (export "_start")
    (local $read i32) (local $size i32) (local $c i32) (local $text i32) (local $mappings i32)
    ;; allocate_mappings wants the size beforehand: the input goes to fresh pages first
    (local.set $read (i32.shl (memory.grow (i32.const 4)) (i32.const 16)))
    (loop $next
      (if (i32.gt_s (local.tee $c (call $input)) (i32.const 32))
        (then
          (i32.store8 (i32.add (local.get $read) (local.get $size)) (local.get $c))
          (local.set $size (i32.add (local.get $size) (i32.const 1)))
          (br $next))))
    (local.set $text (call $allocate (local.get $size)))
    (memory.copy (local.get $text) (local.get $read) (local.get $size))
    (if (i32.eqz (local.tee $mappings (call $parse (local.get $text))))
      (then
        (call $char (i32.const 33))
        (call $dec (call $error))
        (call $line)
        (return)))
    (call $spans (local.get $mappings))
    (call $by_generated (local.get $mappings))
    (call $line)
    (call $by_original (local.get $mappings))))
