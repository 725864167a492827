#!/usr/bin/env bash
# Compiles as rustc does, but without what guides the fuzzer where that takes long and tells nothing: most time goes into making
# machine code, and no input is interesting for the way that it takes through Cranelift's register allocation. What reads
# modules, text and messages keeps all of it, since a parser is found out by the numbers that it compares with; compiler
# and executors note which way was taken, and not what was compared. Addresses are checked everywhere, debug
# assertions in our own code.
set -euo pipefail

rustc=$1
shift
case ${CARGO_PKG_NAME:-}:${CARGO_MANIFEST_DIR:-} in
    wasmparser:* | wast:* | wat:* | prost:*) unwanted='' ;;
    *:*/registry/*) unwanted='-Cpasses=sancov-module|-Cllvm-args=-sanitizer-coverage-*|-Cdebug-assertions' ;;
    wasm2onnx-certify:* | wasm2onnx-compiler:* | wasm2onnx-runtime:*) unwanted='-Cllvm-args=-sanitizer-coverage-trace-compares' ;;
    *) unwanted='' ;;
esac
shopt -s extglob
kept=()
for argument in "$@"; do
    # shellcheck disable=SC2053 # They are patterns.
    [[ $argument == @($unwanted) ]] || kept+=("$argument")
done
exec "$rustc" "${kept[@]}"
