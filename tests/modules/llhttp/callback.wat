;; What llhttp, as undici has it, imports: a function for each event. All are passed on as (event, a, b) through a table,
;; into which the glue puts its own function: only the glue has the memory of llhttp, which is linked after this.
(module
  (type $event (func (param i32 i32 i32)))
  (type $plain (func (param i32) (result i32)))
  (type $span (func (param i32 i32 i32) (result i32)))  ;; (parser, address, length)
  (table (export "hooks") 1 funcref)
  (func $event (param i32 i32 i32) (result i32)
    (call_indirect (type $event) (local.get 0) (local.get 1) (local.get 2) (i32.const 0))
    (i32.const 0))
  (func (export "wasm_on_message_begin") (type $plain) (call $event (i32.const 66) (i32.const 0) (i32.const 0)))  ;; "B"
  (func (export "wasm_on_url") (type $span) (call $event (i32.const 85) (local.get 1) (local.get 2)))  ;; "U"
  (func (export "wasm_on_status") (type $span) (call $event (i32.const 83) (local.get 1) (local.get 2)))  ;; "S"
  (func (export "wasm_on_header_field") (type $span) (call $event (i32.const 70) (local.get 1) (local.get 2)))  ;; "F"
  (func (export "wasm_on_header_value") (type $span) (call $event (i32.const 86) (local.get 1) (local.get 2)))  ;; "V"
  (func (export "wasm_on_headers_complete") (param i32 i32 i32 i32) (result i32)  ;; (parser, status, upgrade, keep alive)
    (call $event (i32.const 72) (local.get 1)
      (i32.add (i32.shl (local.get 2) (i32.const 1)) (local.get 3))))  ;; "H"
  (func (export "wasm_on_body") (type $span) (call $event (i32.const 68) (local.get 1) (local.get 2)))  ;; "D"
  (func (export "wasm_on_message_complete") (type $plain) (call $event (i32.const 67) (i32.const 0) (i32.const 0))))  ;; "C"
