;; What tiktoken imports from its JavaScript. The special tokens are an object of JavaScript, of which there is one here,
;; number 1: {}. tiktoken asks for its JSON text; __wbindgen_string_get(place, object) has to put the address and length of that
;; text to a place in memory, and is passed on through a table, into which the glue puts its own function: only the glue has
;; the memory, of the library that is linked after this.
(module
  (type $get (func (param i32 i32)))
  (table (export "hooks") 1 funcref)
  (func (export "__wbindgen_string_get") (type $get)
    (call_indirect (type $get) (local.get 0) (local.get 1) (i32.const 0)))
  (func (export "__wbindgen_is_undefined") (param i32) (result i32) (i32.const 0))
  (func (export "__wbg_stringify_f7ed6987935b4a24") (param i32) (result i32) (i32.const 1))
  (func (export "__wbg_parse_def2e24ef1252aff") (param i32 i32) (result i32) (unreachable))
  (func (export "__wbindgen_object_drop_ref") (param i32))
  (func (export "__wbindgen_error_new") (param i32 i32) (result i32) (unreachable))
  (func (export "__wbindgen_throw") (param i32 i32) (unreachable)))
