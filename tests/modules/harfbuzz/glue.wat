;; harfbuzzjs (HarfBuzz, C++, Emscripten): reads the size of a font (four bytes), the font, and lines of text in UTF-16; shapes
;; each line and prints its glyphs: number, cluster, advances and offsets.
;; hb_blob_create, hb_face_create, hb_font_create; for each line hb_buffer_create, hb_buffer_add_utf16, …, hb_shape, and
;; the arrays of hb_buffer_get_glyph_infos and …_positions, 20 bytes for each glyph. Imports: Emscripten's, none is reached but
;; emscripten_resize_heap, which answers that memory cannot grow: the glue adds pages beforehand.
(module
  (import "io" "input" (func $input (result i32)))
  (import "io" "dec" (func $dec (param i32)))
  (import "io" "space" (func $space))
  (import "io" "line" (func $line))
  (import "lib" "memory" (memory 1))
  (import "lib" "__wasm_call_ctors" (func $constructors))
  (import "lib" "malloc" (func $malloc (param i32) (result i32)))
  (import "lib" "hb_blob_create" (func $blob (param i32 i32 i32 i32 i32) (result i32)))
  (import "lib" "hb_face_create" (func $face (param i32 i32) (result i32)))
  (import "lib" "hb_font_create" (func $font (param i32) (result i32)))
  (import "lib" "hb_buffer_create" (func $buffer (result i32)))
  (import "lib" "hb_buffer_add_utf16" (func $add (param i32 i32 i32 i32 i32)))
  (import "lib" "hb_buffer_guess_segment_properties" (func $guess (param i32)))
  (import "lib" "hb_shape" (func $shape (param i32 i32 i32 i32)))
  (import "lib" "hb_buffer_get_length" (func $length (param i32) (result i32)))
  (import "lib" "hb_buffer_get_glyph_infos" (func $infos (param i32 i32) (result i32)))
  (import "lib" "hb_buffer_get_glyph_positions" (func $positions (param i32 i32) (result i32)))

  (func (export "_start")
    (local $size i32) (local $at i32) (local $i i32) (local $c i32) (local $font i32)
    (drop (memory.grow (i32.const 32)))
    (call $constructors)
    (local.set $size (i32.or (call $unit) (i32.shl (call $unit) (i32.const 16))))
    (local.set $at (call $malloc (local.get $size)))
    (loop $next
      (i32.store8 (i32.add (local.get $at) (local.get $i)) (call $input))
      (br_if $next (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $size))))
    (local.set $font (call $font (call $face
      (call $blob (local.get $at) (local.get $size) (i32.const 1) (i32.const 0) (i32.const 0))  ;; read-only
      (i32.const 0))))
    (local.set $at (call $malloc (i32.const 4096)))
    (local.set $i (i32.const 0))
    (loop $next
      (if (i32.ge_s (local.tee $c (call $unit)) (i32.const 0))
        (then
          (if (i32.eq (local.get $c) (i32.const 10))
            (then
              (call $print (local.get $font) (local.get $at) (local.get $i))
              (local.set $i (i32.const 0)))
            (else
              (i32.store16 (i32.add (local.get $at) (i32.shl (local.get $i) (i32.const 1))) (local.get $c))
              (local.set $i (i32.add (local.get $i) (i32.const 1)))))
          (br $next)))))

  ;; the next two bytes, negative at the end
  (func $unit (result i32)
    (i32.or (call $input) (i32.shl (call $input) (i32.const 8))))

  (func $print (param $font i32) (param $text i32) (param $size i32)
    (local $buffer i32) (local $n i32) (local $info i32) (local $position i32)
    (call $add (local.tee $buffer (call $buffer)) (local.get $text) (local.get $size) (i32.const 0) (local.get $size))
    (call $guess (local.get $buffer))
    (call $shape (local.get $font) (local.get $buffer) (i32.const 0) (i32.const 0))
    (local.set $n (call $length (local.get $buffer)))
    (local.set $info (call $infos (local.get $buffer) (i32.const 0)))
    (local.set $position (call $positions (local.get $buffer) (i32.const 0)))
    (loop $next
      (if (local.get $n)
        (then
          (call $dec (i32.load (local.get $info)))
          (call $space)
          (call $dec (i32.load offset=8 (local.get $info)))
          (call $space)
          (call $dec (i32.load (local.get $position)))
          (call $space)
          (call $dec (i32.load offset=4 (local.get $position)))
          (call $space)
          (call $dec (i32.load offset=8 (local.get $position)))
          (call $space)
          (call $dec (i32.load offset=12 (local.get $position)))
          (call $line)
          (local.set $info (i32.add (local.get $info) (i32.const 20)))
          (local.set $position (i32.add (local.get $position) (i32.const 20)))
          (local.set $n (i32.sub (local.get $n) (i32.const 1)))
          (br $next))))
    (call $line)))
