;; What tree-sitter-json imports as "env": the memory and table of the core, and its own places in these. Preloaded under
;; the same name after the core, so that it serves only the grammar.
(module
  (import "env" "memory" (memory 1))
  (import "env" "__indirect_function_table" (table 1 funcref))
  (import "env" "hooks" (table 1 funcref))
  (export "memory" (memory 0))
  (export "__indirect_function_table" (table 0))
  (export "hooks" (table 1))
  (global (export "__memory_base") i32 (i32.const 131072))
  (global (export "__table_base") i32 (i32.const 31)))
