;; Reads a byte, prints another one, and so on until there is no more input.
;; input: "Hello, \00\ff World"
;; run onnx: run() == 15
;; prints: "hELLO\0c\00 \df\00wORLD"
(module
    (import "env" "input_byte" (func $in (result i32))) (import "env" "output_byte" (func $out (param i32)))
    (func (export "run") (result i32) (local $byte i32) (local $count i32)
        (loop $next
            (if (i32.ge_s (local.tee $byte (call $in)) (i32.const 0)) (then
                (call $out (i32.xor (local.get $byte) (i32.const 32)))
                (local.set $count (i32.add (local.get $count) (i32.const 1)))
                (br_if $next (i32.ne (local.get $byte) (i32.const 33)))
                unreachable)))
        (local.get $count)))
