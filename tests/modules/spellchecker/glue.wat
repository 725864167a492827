;; spellchecker-wasm (SymSpell, Rust without wasm-bindgen): reads a dictionary (lines of a word and its frequency) up to an
;; empty line, then checks each further line: prints it and the suggestions, each with its distance and frequency.
;; symspell(maximal distance, threshold), write_to_dictionary(address, length, bigrams), lookup(address, length, verbosity,
;; maximal distance, include unknown, include self). As the JavaScript of the package does, texts are put at address 0.
;; lookup calls env.result_handler (callback.wat), here $results.
(module
  (import "io" "input" (func $input (result i32)))
  (import "io" "char" (func $char (param i32)))
  (import "io" "dec" (func $dec (param i32)))
  (import "io" "space" (func $space))
  (import "io" "line" (func $line))
  (import "env" "hooks" (table 1 funcref))
  (import "lib" "memory" (memory 1))
  (import "lib" "symspell" (func $symspell (param i32 i32)))
  (import "lib" "write_to_dictionary" (func $add (param i32 i32 i32)))
  (import "lib" "lookup" (func $lookup (param i32 i32 i32 i32 i32 i32)))
  (elem (i32.const 0) $results)
  (global $more (mut i32) (i32.const 1))  ;; whether there may be more lines

  (func (export "_start")
    (local $size i32)
    (call $symspell (i32.const 2) (i32.const 1))
    (loop $entry
      (if (i32.gt_u (local.tee $size (call $read)) (i32.const 1))  ;; with the line feed
        (then
          (call $add (i32.const 0) (local.get $size) (i32.const 0))
          (br $entry))))
    (loop $word
      (if (i32.gt_u (local.tee $size (call $read)) (i32.const 1))
        (then
          (local.set $size (i32.sub (local.get $size) (i32.const 1)))
          (call $text (i32.const 0) (local.get $size))
          (call $line)
          (call $lookup (i32.const 0) (local.get $size)
            (i32.const 2) (i32.const 2) (i32.const 0) (i32.const 1))))  ;; Verbosity.All
      (br_if $word (global.get $more))))

  ;; {number, {size, {frequency, distance, length of the word, word}}…}
  (func $results (param $at i32) (param $size i32)
    (local $count i32) (local $length i32)
    (local.set $count (i32.load (local.get $at)))
    (local.set $at (i32.add (local.get $at) (i32.const 4)))
    (loop $next
      (if (local.get $count)
        (then
          (call $space)
          (call $text (i32.add (local.get $at) (i32.const 16)) (i32.load offset=12 (local.get $at)))
          (call $space)
          (call $dec (i32.load offset=8 (local.get $at)))
          (call $space)
          (call $dec (i32.load offset=4 (local.get $at)))
          (call $line)
          (local.set $at (i32.add (local.get $at) (i32.add (i32.const 4) (i32.load (local.get $at)))))
          (local.set $count (i32.sub (local.get $count) (i32.const 1)))
          (br $next)))))

  ;; reads a line to address 0, returns its length
  (func $read (result i32)
    (local $c i32) (local $size i32)
    (loop $next
      (if (i32.lt_s (local.tee $c (call $input)) (i32.const 0))
        (then (global.set $more (i32.const 0)) (return (local.get $size))))
      (i32.store8 (local.get $size) (local.get $c))
      (local.set $size (i32.add (local.get $size) (i32.const 1)))
      (br_if $next (i32.ne (local.get $c) (i32.const 10))))
    (local.get $size))

  (func $text (param $at i32) (param $size i32)
    (loop $next
      (if (local.get $size)
        (then
          (call $char (i32.load8_u (local.get $at)))
          (local.set $at (i32.add (local.get $at) (i32.const 1)))
          (local.set $size (i32.sub (local.get $size) (i32.const 1)))
          (br $next))))))
