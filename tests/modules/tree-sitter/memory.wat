;; What an Emscripten module for dynamic linking needs from its loader, as module "GOT.mem": where the stack and the heap are.
;; The layout: web-tree-sitter at 1024 (15,676 bytes), the stack up to 131072, the grammar there (2,928 bytes), the heap from
;; 135168. Any addresses do, since the modules are position-independent.
(module
  (global (export "__stack_low") (mut i32) (i32.const 16704))
  (global (export "__stack_high") (mut i32) (i32.const 131072))
  (global (export "__heap_base") (mut i32) (i32.const 135168)))
