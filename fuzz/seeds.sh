#!/usr/bin/env bash
# Puts seeds for all targets into fuzz/seeds: modules and models of the examples, inputs of programs, arguments.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

seeds=fuzz/seeds
mkdir -p "$seeds"/{compile,import,run,arguments,stdin}
cp examples/*/*.wasm "$seeds/compile/"

# Models small enough to be changed some hundred times a second.
cargo build --release --quiet --bin wasm2onnx
program() {
    printf '%s' "$2" > "$seeds/compile/$1.wat"
    target/release/wasm2onnx compile "$seeds/compile/$1.wat" -o "$seeds/import/$1.onnx" >/dev/null
    target/release/wasm2onnx compile --form step "$seeds/compile/$1.wat" -o "$seeds/import/$1.step.onnx" >/dev/null
}
program sum '(module (func (export "f") (param $n i32) (result i32) (local $s i32)
    (loop (local.set $s (i32.add (local.get $s) (local.get $n)))
        (br_if 0 (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $s)))'
program bytes '(module (memory (export "memory") 1) (data (i32.const 8) "\01\02\03")
    (func (export "f") (param $a i32) (result i32)
        (i32.store16 offset=2 (local.get $a) (i32.load8_u offset=9 (local.get $a)))
        (i32.load (local.get $a))))'
program calls '(module (global (mut i32) (i32.const 3))
    (func $f (export "f") (param i32) (result i32)
        (if (result i32) (i32.lt_u (local.get 0) (i32.const 2)) (then (global.get 0))
            (else (i32.add (call $f (i32.sub (local.get 0) (i32.const 1)))
                (i32.shl (call $f (i32.shr_u (local.get 0) (i32.const 1))) (i32.const 3)))))))'
program shifts '(module (func (export "f") (param i32 i32) (result i32)
    (i32.rotl (i32.and (local.get 0) (local.get 1)) (i32.popcnt (local.get 1)))))'

for text in 0 -1 4294967295 0xffffffff -0x10 1.5 -inf NaN 1e40 null "+7"; do
    printf '%s' "$text" > "$seeds/arguments/$text"
done
i=0
for input in examples/expressions/input.txt examples/interpreter/input.txt examples/sha256/input.txt; do
    { printf "\\x0$i"; head -c 4000 "$input"; } > "$seeds/stdin/$i"
    i=$((i + 1))
done
for i in $(seq 0 40); do
    head -c 64 /dev/urandom > "$seeds/run/$i"
done
