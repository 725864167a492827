//! Modules whose text is computed: the IR after each phase is compared with wasmtime. `files` does the same
//! for modules in files.

use fastrand::Rng;
use wasm2onnx_compiler::compile;
use wasm2onnx_compiler::evaluate::Machine;
use wasm2onnx_compiler::options::Options;
use wasm2onnx_runtime::{Instance, Value};
use wasm2onnx_tests::ours;
use wasm2onnx_tests::phases::{calls_of_all, compare, phases};

/// Compares calls of all exports with many arguments.
fn check(wat: &str) {
    let [(_, typed), ..] = phases(wat.as_bytes(), &Options::default());
    let calls = calls_of_all(&typed, &mut Rng::with_seed(1), 16);
    let compared = compare(wat.as_bytes(), b"", &calls, 10_000_000).compared;
    assert!(2 * compared > calls.len(), "only {compared} of {} calls were compared", calls.len());
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

const TAIL_CALLS: &str = include_str!("../../compiler/tests/files/tail_calls.wat");

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
            let expected = ours::outcome(instance.invoke("known", &operands));
            for any in [[0, 0], [5, -7]] {
                let mut instance = Instance::new(&network).expect("an instance");
                let got = ours::outcome(instance.invoke(&name, &any.map(Value::I32)));
                assert_eq!(got, expected, "{op}{operands:?}, {name}");
            }
        }
    }
}
