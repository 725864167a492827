;; web-tree-sitter (C, Emscripten, for dynamic linking) and the grammar tree-sitter-json, a side module: parses the JSON text
;; on standard input (ASCII) and prints the syntax tree and the number of its nodes.
;; For each module, as a loader does: __wasm_apply_data_relocs(), __wasm_call_ctors(). Then ts_init() gives a buffer through
;; which nodes are passed; ts_parser_new_wasm() leaves the parser and its text buffer there; ts_parser_parse_wasm() calls
;; $read for the text, in UTF-16; ts_tree_root_node_wasm() leaves the root, which ts_node_to_string_wasm() takes.
(module
  (import "io" "input" (func $input (result i32)))
  (import "io" "char" (func $char (param i32)))
  (import "io" "dec" (func $dec (param i32)))
  (import "io" "line" (func $line))
  (import "env" "memory" (memory 1))
  (import "env" "hooks" (table 1 funcref))
  (import "lib" "__wasm_apply_data_relocs" (func $relocate))
  (import "lib" "__wasm_call_ctors" (func $constructors))
  (import "lib" "malloc" (func $malloc (param i32) (result i32)))
  (import "lib" "ts_init" (func $init (result i32)))
  (import "lib" "ts_parser_new_wasm" (func $new_parser))
  (import "lib" "ts_parser_set_language" (func $set_language (param i32 i32) (result i32)))
  (import "lib" "ts_parser_parse_wasm" (func $parse (param i32 i32 i32 i32 i32) (result i32)))
  (import "lib" "ts_tree_root_node_wasm" (func $root (param i32)))
  (import "lib" "ts_node_to_string_wasm" (func $to_string (param i32) (result i32)))
  (import "lib" "ts_node_descendant_count_wasm" (func $count (param i32) (result i32)))
  (import "json" "__wasm_apply_data_relocs" (func $relocate_json))
  (import "json" "__wasm_call_ctors" (func $constructors_json))
  (import "json" "tree_sitter_json" (func $language (result i32)))
  (elem (i32.const 0) $read)
  (global $text (mut i32) (i32.const 0))
  (global $size (mut i32) (i32.const 0))

  (func (export "_start")
    (local $c i32) (local $transfer i32) (local $parser i32) (local $tree i32)
    (call $relocate)
    (call $constructors)
    (call $relocate_json)
    (call $constructors_json)
    (global.set $text (call $malloc (i32.const 65536)))
    (loop $next
      (if (i32.ge_s (local.tee $c (call $input)) (i32.const 0))
        (then
          (i32.store8 (i32.add (global.get $text) (global.get $size)) (local.get $c))
          (global.set $size (i32.add (global.get $size) (i32.const 1)))
          (br $next))))
    (local.set $transfer (call $init))
    (call $new_parser)
    (local.set $parser (i32.load (local.get $transfer)))
    (if (i32.eqz (call $set_language (local.get $parser) (call $language))) (then (unreachable)))
    (local.set $tree (call $parse (local.get $parser) (i32.load offset=4 (local.get $transfer))
      (i32.const 0) (i32.const 0) (i32.const 0)))
    (call $root (local.get $tree))
    (local.set $c (call $to_string (local.get $tree)))
    (loop $next
      (if (i32.load8_u (local.get $c))
        (then
          (call $char (i32.load8_u (local.get $c)))
          (local.set $c (i32.add (local.get $c) (i32.const 1)))
          (br $next))))
    (call $line)
    (call $root (local.get $tree))
    (call $dec (call $count (local.get $tree)))
    (call $line))

  ;; puts up to 1,000 units of text, from an index, into a buffer and their number at an address
  (func $read (param $buffer i32) (param $index i32) (param $row i32) (param $column i32) (param $length i32)
    (local $i i32)
    (loop $next
      (if (i32.and (i32.lt_u (local.get $index) (global.get $size)) (i32.lt_u (local.get $i) (i32.const 1000)))
        (then
          (i32.store16 (i32.add (local.get $buffer) (i32.shl (local.get $i) (i32.const 1)))
            (i32.load8_u (i32.add (global.get $text) (local.get $index))))
          (local.set $index (i32.add (local.get $index) (i32.const 1)))
          (local.set $i (i32.add (local.get $i) (i32.const 1)))
          (br $next))))
    (i32.store16 (i32.add (local.get $buffer) (i32.shl (local.get $i) (i32.const 1))) (i32.const 0))
    (i32.store (local.get $length) (local.get $i))))
