;; What vscode-oniguruma imports as "env", as far as it is reached: a copy within memory, which is passed on through a table,
;; into which the glue puts its own function: only the glue has the memory, of the library that is linked after this. The
;; types for JavaScript (_embind_register_…) are only told, not used.
(module
  (type $copy (func (param i32 i32 i32)))
  (table (export "hooks") 1 funcref)
  (func (export "emscripten_memcpy_big") (type $copy)
    (call_indirect (type $copy) (local.get 0) (local.get 1) (local.get 2) (i32.const 0)))
  (func (export "emscripten_get_now") (result f64) (f64.const 0))
  (func (export "emscripten_resize_heap") (param i32) (result i32) (i32.const 0))
  (func (export "_embind_register_void") (param i32 i32))
  (func (export "_embind_register_bool") (param i32 i32 i32 i32))
  (func (export "_embind_register_integer") (param i32 i32 i32 i32 i32))
  (func (export "_embind_register_bigint") (param i32 i32 i32 i32 i32 i32 i32))
  (func (export "_embind_register_float") (param i32 i32 i32))
  (func (export "_embind_register_std_string") (param i32 i32))
  (func (export "_embind_register_std_wstring") (param i32 i32 i32))
  (func (export "_embind_register_emval") (param i32 i32))
  (func (export "_embind_register_memory_view") (param i32 i32 i32))
  (func (export "_embind_register_constant") (param i32 i32 f64)))
