#!/usr/bin/env bash
# Puts seeds for all targets into a folder, fuzz/seeds if none is named: modules and models of the examples and of small
# programs, inputs of programs, arguments; and for what is made of choices some that are drawn, the same each time.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

seeds=${1:-fuzz/seeds}
mkdir -p "$seeds"/{compile,import,run,arguments,stdin}
cp examples/*/*.wasm "$seeds/compile/"
cp examples/wit/c/guest.wasm "$seeds/compile/wit.wasm"

# Bytes of no meaning, so many, of a number.
drawn() {
    python3 -c 'import random, sys; sys.stdout.buffer.write(random.Random(int(sys.argv[1])).randbytes(int(sys.argv[2])))' "$1" "$2"
}

# Models small enough to be changed some dozen times a second.
cargo build --release --quiet --bin wasm2onnx
program() {
    printf '%s' "$2" > "$seeds/compile/$1.wat"
    for form in loop step; do
        for attention in indexed dense softmax; do
            target/release/wasm2onnx compile --form $form --attention $attention --max-output 256 "$seeds/compile/$1.wat" \
                -o "$seeds/import/$1.$form.$attention.onnx" >/dev/null
        done
    done
}
program sum '(module (func (export "f") (param $n i32) (result i32) (local $s i32)
    (loop (local.set $s (i32.add (local.get $s) (local.get $n)))
        (br_if 0 (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $s)))'
program bytes '(module (memory (export "memory") 1 1) (data (i32.const 8) "\01\02\03")
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
program prints '(module (import "env" "output_byte" (func $out (param i32))) (global $g (mut i64) (i64.const 5))
    (func $init (global.set $g (i64.mul (global.get $g) (i64.const -3)))) (start $init)
    (func (export "f") (param i32) (result i64)
        (call $out (i32.const 65)) (call $out (local.get 0)) (global.get $g)))'

for text in 0 -1 4294967295 0xffffffff -0x10 1.5 -inf NaN 1e40 null "+7" 9223372036854775807 1e-45 .5e+3; do
    printf '%s' "$text" > "$seeds/arguments/$text"
done
i=0
for input in examples/expressions/input.txt examples/interpreter/input.txt examples/sha256/input.txt; do
    { printf "\\x0$i"; head -c 1000 "$input"; } > "$seeds/stdin/$i"
    i=$((i + 1))
done
printf '\003Hello, World!' > "$seeds/stdin/3"
printf '\004abc' > "$seeds/stdin/4"
for i in $(seq 0 63); do
    drawn "$i" 64 > "$seeds/run/$i"
    # What begins like no module is choices.
    { printf '.'; drawn "$i" $((200 + 25 * i)); } > "$seeds/compile/choices.$i"
done
