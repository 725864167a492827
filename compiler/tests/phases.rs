//! Each feature that is supported, in a small module: the IR after each phase against wasmtime.

mod common;

use common::{calls_of_all, compare, phases};
use fastrand::Rng;
use wasm2onnx_compiler::compile;
use wasm2onnx_compiler::evaluate::Machine;
use wasm2onnx_compiler::options::Options;
use wasm2onnx_runtime::{Error, Instance, Value};

/// Compares calls of all exports with many arguments.
fn check(wat: &str) {
    check_with_input(wat, b"");
}

fn check_with_input(wat: &str, stdin: &[u8]) {
    let [(_, typed), ..] = phases(wat.as_bytes(), &Options::default());
    let calls = calls_of_all(&typed, &mut Rng::with_seed(1), 16);
    compare(wat.as_bytes(), stdin, &calls, 10_000_000);
}

/// All numeric instructions that take and give integers.
#[test]
fn numeric_instructions() {
    let binary = "add sub mul div_s div_u rem_s rem_u and or xor shl shr_s shr_u rotl rotr \
                  eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u";
    let mut wat = String::from("(module\n");
    for ty in ["i32", "i64"] {
        for op in binary.split_whitespace() {
            let comparison = op.len() == 2 && op != "or" || op.contains("t_") || op.contains("e_");
            let result = if comparison { "i32" } else { ty };
            wat += &format!(
                "(func (export \"{ty}.{op}\") (param {ty} {ty}) (result {result}) \
                 ({ty}.{op} (local.get 0) (local.get 1)))\n"
            );
            for (i, constant) in [
                0,
                1,
                2,
                3,
                7,
                10,
                31,
                32,
                33,
                40,
                63,
                64,
                255,
                1000,
                65535,
                65536,
                -1,
                -2,
                -10,
                -65535,
                1 << 31,
            ]
            .into_iter()
            .chain(if ty == "i64" { vec![1 << 32, 10 << 40, i64::MIN, i64::MAX] } else { vec![] })
            .enumerate()
            {
                wat += &format!(
                    "(func (export \"{ty}.{op}.{i}\") (param {ty}) (result {result}) \
                     ({ty}.{op} (local.get 0) ({ty}.const {constant})))\n\
                     (func (export \"{ty}.{op}.{i}.swapped\") (param {ty}) (result {result}) \
                     ({ty}.{op} ({ty}.const {constant}) (local.get 0)))\n"
                );
            }
        }
        for op in ["clz", "ctz", "popcnt", "extend8_s", "extend16_s"] {
            wat += &format!(
                "(func (export \"{ty}.{op}\") (param {ty}) (result {ty}) ({ty}.{op} (local.get 0)))\n"
            );
        }
        wat += &format!("(func (export \"{ty}.eqz\") (param {ty}) (result i32) ({ty}.eqz (local.get 0)))\n");
    }
    wat += r#"
        (func (export "i64.extend32_s") (param i64) (result i64) (i64.extend32_s (local.get 0)))
        (func (export "i64.extend_i32_s") (param i32) (result i64) (i64.extend_i32_s (local.get 0)))
        (func (export "i64.extend_i32_u") (param i32) (result i64) (i64.extend_i32_u (local.get 0)))
        (func (export "i32.wrap_i64") (param i64) (result i32) (i32.wrap_i64 (local.get 0)))
        (func (export "both") (param i64 i64) (result i64)
          (i64.xor (i64.div_s (local.get 0) (local.get 1)) (i64.rem_s (local.get 0) (local.get 1))))
        (func (export "both32") (param i32 i32) (result i32)
          (i32.xor (i32.div_u (local.get 0) (local.get 1)) (i32.rem_u (local.get 0) (local.get 1))))
    )"#;
    check(&wat);
}

#[test]
fn floats_as_bits() {
    check(
        r#"(module
        (memory (export "memory") 1)
        (global $f (mut f64) (f64.const 1.5))
        (global (export "g") f32 (f32.const -0.0))
        (func (export "neg") (param f32 f64) (result f64 f32) (f64.neg (local.get 1)) (f32.neg (local.get 0)))
        (func (export "abs") (param f32 f64) (result f64 f32) (f64.abs (local.get 1)) (f32.abs (local.get 0)))
        (func (export "copysign") (param f32 f32 f64 f64) (result f64 f32)
          (f64.copysign (local.get 2) (local.get 3)) (f32.copysign (local.get 0) (local.get 1)))
        (func (export "select") (param f32 f64 i32) (result f64 f32)
          (select (local.get 1) (f64.const nan:0x123456789) (local.get 2))
          (select (result f32) (local.get 0) (f32.const inf) (local.get 2)))
        (func (export "bits") (param f32 f64 i32 i64) (result i64 i32 f64 f32)
          (i64.reinterpret_f64 (local.get 1)) (i32.reinterpret_f32 (local.get 0))
          (f64.reinterpret_i64 (local.get 3)) (f32.reinterpret_i32 (local.get 2)))
        (func (export "memory_and_global") (param f32 f64 i32) (result f64 f32)
          (local f64)
          (f32.store (i32.and (local.get 2) (i32.const 0xff)) (local.get 0))
          (f64.store offset=3 (i32.and (local.get 2) (i32.const 0xff)) (local.get 1))
          (local.set 3 (global.get $f))
          (global.set $f (f64.load offset=1 (i32.and (local.get 2) (i32.const 0xff))))
          (drop (local.get 0))
          (local.get 3)
          (f32.load offset=2 (i32.const 5)))
        )"#,
    );
}

#[test]
fn control() {
    check(
        r#"(module
        (func (export "factorial") (param i32) (result i64)
          (local i64)
          (local.set 1 (i64.const 1))
          (local.set 0 (i32.and (local.get 0) (i32.const 31)))
          (block
            (loop
              (br_if 1 (i32.eqz (local.get 0)))
              (local.set 1 (i64.mul (local.get 1) (i64.extend_i32_u (local.get 0))))
              (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
              (br 0)))
          (local.get 1))
        (func (export "multi") (param i32 i32) (result i32 i32)
          (local.get 0) (local.get 1)
          (block (param i32 i32) (result i32 i32)
            (br_if 0 (i32.lt_s (local.get 0) (local.get 1)))
            (i32.add)
            (i32.const 7)))
        (func (export "loop_params") (param i32) (result i32)
          (local.set 0 (i32.and (local.get 0) (i32.const 63)))
          (i32.const 0) (i32.const 1)
          (loop (param i32 i32) (result i32)
            (i32.add)
            (local.get 0)
            (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
            (br_if 0 (i32.gt_s (local.get 0) (i32.const 0)))
            (i32.mul)))
        (func (export "if_params") (param i32 i32) (result i32)
          (local.get 0) (local.get 1)
          (if (param i32) (result i32) (local.get 0) (then (i32.const 3) (i32.add)) (else (i32.const 5) (i32.mul)))
          (i32.sub))
        (func (export "if_without_else") (param i32 i32) (result i32)
          (local.get 0)
          (if (param i32) (result i32) (local.get 1) (then (drop) (local.get 1) (br 0) (i32.const 9)))
          (if (local.get 0) (then (return (i32.const 1)))))
        (func (export "table") (param i32) (result i32)
          (local i32)
          (block (block (block (block
            (br_table 0 1 2 3 1 0 (i32.rem_u (local.get 0) (i32.const 9))))
            (local.set 1 (i32.const 10)) (br 2))
            (local.set 1 (i32.const 20)))
            (local.set 1 (i32.add (local.get 1) (i32.const 1))))
          (local.get 1))
        (func (export "table_values") (param i32) (result i32)
          (block (result i32) (block (result i32)
            (br_table 0 1 2 1 0 (local.get 0) (i32.and (local.get 0) (i32.const 7))))
            (i32.const 100) (i32.add)))
        (func (export "table_loop") (param i32) (result i32)
          (local i32)
          (block
            (loop
              (local.set 1 (i32.add (local.get 1) (i32.const 1)))
              (block
                (block (br_table 0 1 0 2 0 1 3 (i32.xor (local.get 1) (i32.and (local.get 0) (i32.const 3)))))
                (local.set 0 (i32.mul (local.get 0) (i32.const 3)))
                (br 1))
              (local.set 0 (i32.add (local.get 0) (i32.const 1)))
              (br 0)))
          (local.get 0))
        (func (export "empty_table") (param i32) (result i32)
          (block (br_table 0 (local.get 0))) (i32.const 4))
        (func (export "dead") (param i32) (result i32)
          (block (result i32)
            (br 0 (local.get 0))
            (if (i32.const 1) (then (unreachable)) (else (nop)))
            (loop (br 0))
            (block (result i32 i64) (unreachable))
            (drop) (drop)
            (i32.const 1) (i32.const 2) (drop))
          (return)
          (drop) (i32.add) (select))
        (func (export "unreachable") (param i32)
          (if (local.get 0) (then (unreachable))))
        (func (export "nested_loops") (param i32 i32) (result i32)
          (local i32 i32 i32 i32)
          (local.set 0 (i32.and (local.get 0) (i32.const 15)))
          (local.set 1 (i32.and (local.get 1) (i32.const 15)))
          (local.set 5 (i32.const 77))
          (loop
            (local.set 3 (i32.const 0))
            (loop
              (local.set 4 (i32.add (local.get 4) (i32.add (local.get 5) (i32.mul (local.get 2) (local.get 3)))))
              (br_if 1 (i32.eq (local.get 4) (i32.const 25)))
              (br_if 0 (i32.lt_u (local.tee 3 (i32.add (local.get 3) (i32.const 1))) (local.get 1))))
            (br_if 0 (i32.lt_u (local.tee 2 (i32.add (local.get 2) (i32.const 1))) (local.get 0))))
          (local.get 4))
        (func (export "swap_in_loop") (param i32 i32) (result i32 i32)
          (local i32 i32)
          (local.set 3 (i32.const 5))
          (loop
            (local.set 2 (local.get 0)) (local.set 0 (local.get 1)) (local.set 1 (local.get 2))
            (br_if 0 (local.tee 3 (i32.sub (local.get 3) (i32.const 1)))))
          (local.get 0) (local.get 1))
        (func (export "short_circuit") (param i32 i32 i32) (result i32)
          (if (result i32)
            (if (result i32) (i32.gt_u (local.get 0) (i32.const 10))
              (then (i32.lt_s (local.get 1) (i32.const 7))) (else (i32.const 0)))
            (then (i32.const 11))
            (else (if (result i32) (local.get 2) (then (i32.const 12)) (else (local.get 1))))))
        )"#,
    );
}

#[test]
fn calls() {
    check(
        r#"(module
        (type $binary (func (param i32 i32) (result i32)))
        (type $same (func (param i32 i32) (result i32)))
        (type $wide (func (param i64) (result i64 i32)))
        (table $t 10 funcref)
        (elem (i32.const 1) $add $sub $wide $fib)
        (elem (i32.const 3) $mul)
        (func $add (type $binary) (i32.add (local.get 0) (local.get 1)))
        (func $sub (type $same) (i32.sub (local.get 0) (local.get 1)))
        (func $mul (type $same) (i32.mul (local.get 0) (local.get 1)))
        (func $wide (export "wide") (type $wide)
          (i64.mul (local.get 0) (i64.const 3)) (i32.wrap_i64 (local.get 0)))
        (func $fib (export "fib") (param i32) (result i32)
          (if (result i32) (i32.lt_u (i32.and (local.get 0) (i32.const 15)) (i32.const 2))
            (then (i32.and (local.get 0) (i32.const 15)))
            (else (i32.add
              (call $fib (i32.sub (i32.and (local.get 0) (i32.const 15)) (i32.const 1)))
              (call $fib (i32.sub (i32.and (local.get 0) (i32.const 15)) (i32.const 2)))))))
        (func $even (export "even") (param i32) (result i32)
          (if (result i32) (i32.eqz (i32.and (local.get 0) (i32.const 127)))
            (then (i32.const 1))
            (else (call $odd (i32.sub (i32.and (local.get 0) (i32.const 127)) (i32.const 1))))))
        (func $odd (param i32) (result i32)
          (if (result i32) (i32.eqz (local.get 0)) (then (i32.const 0))
            (else (call $even (i32.sub (local.get 0) (i32.const 1))))))
        (func (export "indirect") (param i32 i32 i32) (result i32)
          (call_indirect (type $binary) (local.get 0) (local.get 1) (i32.rem_u (local.get 2) (i32.const 12))))
        (func (export "indirect_constant") (param i32 i32) (result i32)
          (call_indirect (type $binary) (local.get 0) (local.get 1) (i32.const 2)))
        (func (export "indirect_wide") (param i64 i32) (result i64 i32)
          (call_indirect (type $wide) (local.get 0) (local.get 1)))
        (func $results (param i32) (result i32 i64 i32)
          (local.get 0) (i64.extend_i32_s (local.get 0)) (i32.const 5))
        (func (export "results") (param i32) (result i64)
          (local i32 i64)
          (call $results (local.get 0))
          (local.set 1)
          (i64.add (i64.extend_i32_u (local.get 1)))
          (local.set 2)
          (i64.extend_i32_u)
          (i64.sub (local.get 2)))
        (func (export "once") (param i32 i32) (result i32) (call $helper (local.get 1) (local.get 0)))
        (func $helper (param i32 i32) (result i32)
          (if (local.get 0) (then (return (i32.div_u (local.get 1) (local.get 0)))))
          (i32.div_u (local.get 1) (i32.const 10)))
        (memory 1)
        )"#,
    );
}

/// Direct and indirect, to itself and others, from places where it is put in place of calls.
const TAIL_CALLS: &str = r#"(module
    (import "env" "output_byte" (func $out (param i32)))
    (import "env" "input_byte" (func $in (result i32)))
    (type $step (func (param i32 i32) (result i32)))
    (type $wide (func (param i64 i32) (result i64 i32)))
    (table 8 funcref)
    (elem (i32.const 1) $even $odd $sum $wide $out)
    (func $even (type $step)
      (if (result i32) (i32.eqz (local.get 0)) (then (i32.add (local.get 1) (i32.const 1)))
        (else (return_call $odd (i32.sub (local.get 0) (i32.const 1)) (i32.mul (local.get 1) (i32.const 3))))))
    (func $odd (type $step)
      (if (i32.eqz (local.get 0)) (then (return (local.get 1))))
      (return_call $even (i32.sub (local.get 0) (i32.const 1)) (i32.xor (local.get 1) (local.get 0))))
    (func $sum (type $step)
      (if (i32.eqz (local.get 0)) (then (return (local.get 1))))
      (return_call $sum (i32.sub (local.get 0) (i32.const 1)) (i32.add (local.get 0) (local.get 1))))
    (func $wide (type $wide)
      (if (i32.eqz (local.get 1)) (then (return (local.get 0) (i32.const -1))))
      (return_call $wide (i64.mul (local.get 0) (i64.extend_i32_u (local.get 1))) (i32.sub (local.get 1) (i32.const 1))))
    (func $through (param i32 i32 i32) (result i32)
      (return_call_indirect (type $step) (local.get 0) (local.get 1) (local.get 2)))
    (func (export "even") (param i32) (result i32)
      (return_call $even (i32.and (local.get 0) (i32.const 0x1fff)) (i32.const 1)))
    (func (export "sum") (param i32) (result i32)
      (return_call $sum (i32.and (local.get 0) (i32.const 0x1fff)) (i32.const 1)))
    (func (export "wide") (param i32) (result i64 i32)
      (return_call $wide (i64.const 1) (i32.and (local.get 0) (i32.const 31))))
    (func (export "indirect") (param i32 i32 i32) (result i32)
      (return_call_indirect (type $step) (i32.and (local.get 0) (i32.const 0x1fff)) (local.get 1) (local.get 2)))
    (func (export "called") (param i32 i32 i32) (result i32)
      (i32.add (local.get 1)
        (call $through (i32.and (local.get 0) (i32.const 255)) (local.get 1) (i32.rem_u (local.get 2) (i32.const 4)))))
    (func (export "put") (param i32) (return_call $out (local.get 0)))
    (func (export "put_indirect") (param i32) (return_call_indirect (param i32) (local.get 0) (i32.const 5)))
    (func (export "get") (result i32) (return_call $in))
    (func (export "dead") (param i32) (result i32)
      (block (result i32)
        (if (local.get 0) (then (return_call $sum (i32.const 3) (i32.const 4)) (drop) (i32.add) (br 0)))
        (i32.const 9)))
    (func (export "trap") (param i32) (result i32) (return_call $divide (i32.const 5) (local.get 0)))
    (func $divide (param i32 i32) (result i32) (i32.div_u (local.get 0) (local.get 1))))"#;

/// Locals that are read behind many calls in a line: in a loop they may be what a later turn of it has set.
#[test]
fn locals_behind_lines_of_calls() {
    let line = |n: usize| {
        "(local.set $s (i32.add (i32.mul (local.get $s) (i32.const 3)) (call $g (local.get $s))))".repeat(n)
    };
    let locals = "(param $n i32) (param $x i32) (result i32) (local $s i32) (local $y i32)";
    let turn = "(br_if $l (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 5)))";
    let mix = "(local.set $x (i32.add (i32.xor (local.get $x) (local.get $y)) (local.get $s)))
               (local.set $y (i32.sub (local.get $x) (local.get $n)))";
    let mut wat = String::from(
        "(module (func $g (param i32) (result i32)
            (if (result i32) (i32.and (local.get 0) (i32.const 7))
                (then (i32.add (i32.const 5) (call $g (i32.sub (local.get 0) (i32.const 1)))))
                (else (i32.const 1))))\n",
    );
    for (before, inside, after) in [(0, 1, 0), (1, 1, 1), (3, 9, 5), (16, 17, 33)] {
        let [before_line, inside_line, after_line] = [before, inside, after].map(line);
        wat += &format!(
            "(func (export \"{before} {inside} {after}\") {locals}
                {before_line} (loop $l {inside_line} {mix} {inside_line} {turn}) {after_line} {mix} (local.get $x))
             (func (export \"nested {before} {inside} {after}\") {locals}
                {before_line} (loop $l {inside_line}
                    (if (i32.and (local.get $x) (i32.const 1)) (then {inside_line} {mix}) (else {after_line}))
                    (block $b {before_line} (br_if $b (i32.and (local.get $y) (i32.const 2))) {mix} {after_line})
                    {inside_line} {turn}) {after_line} (i32.add (local.get $x) (local.get $y)))\n"
        );
    }
    check(&(wat + ")"));
}

#[test]
fn tail_calls() {
    check_with_input(TAIL_CALLS, b"in");
}

/// The evaluator has room for 1000 open calls.
#[test]
fn tail_calls_leave_no_call_open() {
    for (stage, module) in &phases(TAIL_CALLS.as_bytes(), &Options::default()) {
        let mut machine = Machine::new(module).expect("there is no start function");
        let sum = 8001 * 8002 / 2 + 5;
        assert_eq!(machine.call("indirect", &[8001, 5, 3]), Ok(vec![sum]), "{stage:?}");
        assert!(machine.call("indirect", &[8001, 5, 1]).is_ok(), "{stage:?}");
        assert!(machine.call("even", &[8001]).is_ok(), "{stage:?}");
    }
}

#[test]
fn memory() {
    let mut wat = String::from(
        r#"(module
        (memory (export "memory") 1 4)
        (data (i32.const 65530) "abcdef")
        (data (i32.const 10) "hello, world")
        (data (i32.const 12) "LL\00")
        (data (i32.const 4090) "across a boundary of chunks")
        (func (export "size") (result i32) (memory.size))
        (func (export "grow") (param i32) (result i32) (memory.grow (i32.and (local.get 0) (i32.const 3))))
        (func (export "grow_any") (param i32) (result i32) (memory.grow (local.get 0)))
        (func (export "two") (param i32) (result i32)
          (i32.store (local.get 0) (i32.const 0x12345678))
          (i32.store8 offset=2 (local.get 0) (i32.const 0x9a))
          (i32.add (i32.load16_u offset=1 (local.get 0)) (i32.load offset=3 (local.get 0))))
        (func (export "table") (param i32) (result i32)
          (i32.load8_u offset=10 (i32.and (local.get 0) (i32.const 15))))
    "#,
    );
    let loads = "i32.load i32.load8_s i32.load8_u i32.load16_s i32.load16_u i64.load i64.load8_s i64.load8_u \
                 i64.load16_s i64.load16_u i64.load32_s i64.load32_u";
    let stores = "i32.store i32.store8 i32.store16 i64.store i64.store8 i64.store16 i64.store32";
    for (i, offset) in [0u32, 1, 65530, 131070, u32::MAX].into_iter().enumerate() {
        for op in stores.split_whitespace() {
            let ty = &op[..3];
            wat += &format!(
                "(func (export \"{op}.{i}\") (param i32 {ty}) ({op} offset={offset} (local.get 0) (local.get 1)))\n"
            );
        }
        for op in loads.split_whitespace() {
            let ty = &op[..3];
            wat += &format!(
                "(func (export \"{op}.{i}\") (param i32) (result {ty}) ({op} offset={offset} (local.get 0)))\n"
            );
        }
    }
    check(&(wat + ")"));
}

#[test]
fn globals() {
    check(
        r#"(module
        (global $a (export "a") (mut i32) (i32.const 5))
        (global $b (export "b") (mut i64) (i64.const -2))
        (global $c i32 (i32.const 77))
        (global $d (export "d") i64 (i64.const 0x123456789abcdef0))
        (global $e (mut i64) (i64.const 1))
        (global $never (mut i32) (i32.const 3))
        (func (export "all") (param i32 i64) (result i32 i64 i32 i64 i64 i32)
          (global.get $a) (global.get $b) (global.get $c) (global.get $d) (global.get $e) (global.get $never)
          (global.set $a (i32.add (global.get $a) (local.get 0)))
          (global.set $b (i64.add (global.get $b) (local.get 1)))
          (global.set $e (i64.rotl (global.get $e) (global.get $b))))
        (func (export "before_trap") (param i32)
          (global.set $a (i32.const 1))
          (drop (i32.div_u (i32.const 1) (local.get 0)))
          (global.set $a (i32.const 2)))
        )"#,
    );
}

#[test]
fn bytes_in_and_out() {
    check_with_input(
        r#"(module
        (import "env" "output_byte" (func $out (param i32)))
        (import "env" "input_byte" (func $in (result i32)))
        (export "out" (func $out))
        (table 3 funcref)
        (elem (i32.const 1) $in)
        (func (export "echo") (local i32)
          (local.set 0 (call $in))
          (call $out (local.get 0))
          (call $out (i32.shr_s (local.get 0) (i32.const 8))))
        (func (export "table_in") (param i32) (result i32)
          (call_indirect (result i32) (i32.and (local.get 0) (i32.const 1))))
        )"#,
        b"some input",
    );
}

#[test]
fn creation() {
    // The start function, and segments that do not fit.
    check(
        r#"(module
        (memory (export "memory") 1) (global $g (export "g") (mut i32) (i32.const 0))
        (start $start)
        (func $start (i32.store (i32.const 4) (i32.const 5)) (global.set $g (i32.const 6)))
        (func (export "f")))"#,
    );
    check(r#"(module (func $start unreachable) (start $start))"#);
    check(r#"(module (memory 1) (data (i32.const 0) "ok") (data (i32.const 65535) "ab"))"#);
    check(r#"(module (memory 0) (data (i32.const 0) ""))"#);
    check(r#"(module (memory 0) (data (i32.const 1) ""))"#);
    check(r#"(module (table 1 funcref) (func $f) (elem (i32.const 1) $f))"#);
}

#[test]
fn deep_nesting() {
    let depth = 3_000;
    let wat = format!(
        "(module (func (export \"f\") (param i32) (result i32) {} (br_if 100 (local.get 0)) {} (i32.const 3)))",
        "block ".repeat(depth),
        "end ".repeat(depth),
    );
    check(&wat);
    let loops = format!(
        "(module (func (export \"f\") (param i32) (result i32) {} {} (local.get 0)))",
        "loop ".repeat(depth),
        "end ".repeat(depth),
    );
    check(&loops);
    let ifs = format!(
        "(module (func (export \"f\") (param i32) (result i32) {} {} (local.get 0)))",
        "local.get 0 if ".repeat(depth),
        "local.get 0 i32.const 1 i32.add local.set 0 end ".repeat(depth),
    );
    check(&ifs);
}

/// A number that only the circuits know to be constant, as an operand of everything: `x | 1` is never 0.
#[test]
fn constants_that_circuits_find() {
    const OPS: [&str; 25] = [
        "add", "sub", "mul", "div_u", "div_s", "rem_u", "rem_s", "and", "or", "xor", "shl", "shr_u", "shr_s",
        "rotl", "rotr", "eq", "ne", "lt_u", "lt_s", "gt_u", "gt_s", "le_u", "le_s", "ge_u", "ge_s",
    ];
    const CONSTANTS: [i64; 7] = [0, 1, 10, 192, 8_388_608, 0x7fff_ffff, 0xffff_fff6];
    let found = |local: u32, constant: i64| {
        format!(
            "(select (i32.const 0) (i32.const {constant}) (i32.eqz (i32.or (local.get {local}) (i32.const 1))))"
        )
    };
    for op in OPS {
        let mut functions = format!(
            "(func (export \"known\") (param i32 i32) (result i32) (i32.{op} (local.get 0) (local.get 1)))"
        );
        let mut cases = Vec::new();
        for (i, a) in CONSTANTS.into_iter().enumerate() {
            for (j, b) in CONSTANTS.into_iter().enumerate() {
                for (k, [left, right]) in [
                    [found(0, a), format!("(i32.const {b})")],
                    [format!("(i32.const {a})"), found(1, b)],
                    [found(0, a), found(1, b)],
                ]
                .into_iter()
                .enumerate()
                {
                    let name = format!("f{i}.{j}.{k}");
                    functions += &format!(
                        "(func (export \"{name}\") (param i32 i32) (result i32) (i32.{op} {left} {right}))"
                    );
                    cases.push((name, [a, b].map(|x| Value::I32(x as i32))));
                }
            }
        }
        let network = compile(format!("(module {functions})").as_bytes(), &Options::default())
            .unwrap_or_else(|error| panic!("{op}: {error}"));
        for (name, operands) in cases {
            let mut instance = Instance::new(&network).expect("an instance");
            let expected = instance.invoke("known", &operands).map_err(|error| error.to_string());
            for any in [[0, 0], [5, -7]] {
                let mut instance = Instance::new(&network).expect("an instance");
                let got = instance.invoke(&name, &any.map(Value::I32));
                match (&got, &expected) {
                    (Err(Error::Trap(_)), Err(_)) => {}
                    _ => assert_eq!(got.as_ref().ok(), expected.as_ref().ok(), "{op}{operands:?}, {name}"),
                }
            }
        }
    }
}

/// `$b << 30` of a value that is carried as a number near −2^32: its lowest bit is that and 2^32, times 2^30.
#[test]
fn a_shift_of_what_is_carried_far_away() {
    let wat = r#"(module (memory (export "memory") 1 1)
        (func (export "f") (param $n i32) (param $x i32)
            (local $i i32) (local $a i32) (local $b i32) (local $c i32) (local $d i32) (local $e i32) (local $f i32)
            (local $g i32) (local $y i32)
            (local.set $y (local.get $x))
            (loop
                (local.set $g (i32.mul (local.get $i) (i32.const 1572864)))
                (i32.store offset=2 (i32.and (local.get $d) (i32.const 1)) (i32.const 0))
                (i32.store8 offset=6 (i32.and (local.get $g) (i32.const 1)) (i32.const 0))
                (local.set $a (i32.add (i32.const -1) (i32.lt_s (local.get $e) (i32.const 0))))
                (local.set $b (i32.mul (local.get $a) (i32.const -1)))
                (i32.store offset=9 (i32.and (local.get $f) (i32.const 1)) (local.get $c))
                (local.set $f (i32.mul (local.get $a) (local.get $b)))
                (i32.store8 offset=5 (i32.and (local.get $x) (i32.const 1)) (i32.const 0))
                (local.set $d (i32.add (i32.shl (local.get $c) (i32.const 1)) (i32.const 1)))
                (i32.store8 offset=13 (i32.const 0) (i32.const 0))
                (local.set $e (i32.rotl (local.get $y) (i32.const 1)))
                (local.set $c (i32.shl (local.get $b) (i32.const 30)))
                (br_if 0 (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1)))
                    (i32.and (local.get $n) (i32.const 15)))))))"#;
    compile(wat.as_bytes(), &Options::default()).expect("it has a network");
    check(wat);
}
