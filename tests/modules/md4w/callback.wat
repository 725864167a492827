;; What md4w imports: emitChunk gets a piece of HTML as address (low half) and length (high half). It is passed on through
;; a table, into which the glue puts its own function: only the glue has the memory of md4w, which is linked after this.
(module
  (type $chunk (func (param i64)))
  (table (export "hooks") 1 funcref)
  (func (export "emitChunk") (type $chunk) (call_indirect (type $chunk) (local.get 0) (i32.const 0)))
  (func (export "emitCodeBlock") (param i64 i64) (unreachable)))  ;; only with a highlighter
