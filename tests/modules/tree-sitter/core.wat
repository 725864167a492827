;; What web-tree-sitter imports as "env": the memory, the table, its places in these, and functions of its JavaScript. The
;; parser asks for text by tree_sitter_parse_callback; that is passed on through a table to the glue.
(module
  (memory (export "memory") 512 32768)
  (table (export "__indirect_function_table") 40 funcref)
  (global (export "__stack_pointer") (mut i32) (i32.const 131072))
  (global (export "__memory_base") i32 (i32.const 1024))
  (global (export "__table_base") i32 (i32.const 1))  ;; 30 entries
  (type $read (func (param i32 i32 i32 i32 i32)))
  (table $hooks (export "hooks") 1 funcref)
  (func (export "tree_sitter_parse_callback") (type $read)
    (call_indirect $hooks (type $read)
      (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4) (i32.const 0)))
  (func (export "tree_sitter_progress_callback") (param i32 i32) (result i32) (i32.const 0))
  (func (export "tree_sitter_query_progress_callback") (param i32) (result i32) (i32.const 0))
  (func (export "tree_sitter_log_callback") (param i32 i32))
  (func (export "_abort_js") (unreachable))
  (func (export "emscripten_resize_heap") (param i32) (result i32) (i32.const 0)))
