//! Machine code against the other executors and wasmtime, where it has most freedom: long sums of shifted and
//! scaled words in hot loops, and many regions.
//!
//! Rotations, shifts and multiplications make sums of numbers up to 2^63 that are exact only because they
//! cancel; machine code must not add anything else to one of their terms.

use std::fmt::Write;

use wasm2onnx_compiler::{Options, compile};
use wasm2onnx_runtime::lockstep::{End, compare_machine_code, compare_step_by_step};
use wasm2onnx_runtime::{Config, Instance, Network, Value};
use wasm2onnx_tests::in_parallel;
use wasm2onnx_tests::oracle::{Engine, Oracle, Wasmtime};

/// Visits that make a packet hot: at once, early, by default.
const THRESHOLDS: [u32; 3] = [0, 2, 1_000];

fn network(wasm: &[u8]) -> Network {
    compile(wasm, &Options::default()).unwrap_or_else(|error| panic!("{error}"))
}

/// An instance with that threshold, `None` for the interpreter.
fn instance(network: &Network, compile_after: Option<u32>) -> Instance<'_> {
    let config = Config { compile_after, assert_declared: compile_after.is_none(), ..Config::default() };
    Instance::with_config(network, config).unwrap_or_else(|error| panic!("{error}"))
}

/// Calls `f` of a module with each argument on fresh instances of wasmtime and ours, all thresholds. Then
/// compares the first `steps` steps of the first call number by number, on the dense executor too.
fn compare_all(text: &str, args: &[i32], steps: u64) {
    let wasm = wat::parse_str(text).unwrap_or_else(|error| panic!("{error}"));
    let network = network(&wasm);
    for &arg in args {
        let args = [Value::I32(arg)];
        let expected = Wasmtime::new(&wasm, &[]).call("f", &args);
        for compile_after in [None].into_iter().chain(THRESHOLDS.map(Some)) {
            let found = instance(&network, compile_after).call("f", &args);
            assert_eq!(found, expected, "f({arg}) after {compile_after:?} visits, in\n{text}");
        }
    }
    let args = [Value::I32(args[0])];
    let report = compare_step_by_step(&network, "f", &args, steps).unwrap_or_else(|e| panic!("{e}\n{text}"));
    assert!(!matches!(report.end, End::Inexact { .. }), "{:?}\n{text}", report.end);
    for compile_after in [0, 2] {
        compare_machine_code(&network, "f", &args, report.steps, compile_after, 100)
            .unwrap_or_else(|e| panic!("after {compile_after} visits: {e}\n{text}"));
    }
}

#[test]
fn sums_are_exact_as_machine_code_adds_them_up() {
    // f(1002) was −1026656044 in machine code.
    let text = include_str!("machine_code/jit_sum.wat");
    compare_all(text, &[3, 1, 2, 100, 1_002, 5_000], 400);
    let network = network(text.as_bytes());
    for compile_after in THRESHOLDS {
        let result = instance(&network, Some(compile_after)).call("f", &[Value::I32(1_002)]);
        assert_eq!(result, Ok(vec![Value::I32(-1_026_685_835)]));
    }
}

/// A module with twice as many regions as tables and four, or five if there are to be more.
fn many_regions(tables: usize, more: bool) -> String {
    let (mut declared, mut grow) = (String::new(), String::new());
    for i in 0..tables {
        write!(declared, "(table $t{i} 4 8 funcref)").expect("it is text");
        write!(grow, "(drop (table.grow $t{i} (ref.null func) (i32.const 1)))").expect("it is text");
    }
    let global = if more { "(global $g (export \"g\") (mut i32) (i32.const 5))" } else { "" };
    let sum = if more { "(global.set $g (local.get $s))" } else { "" };
    format!(
        "(module {declared} {global} (memory (export \"memory\") 1)
        (func (export \"touch\") {grow})
        (func (export \"f\") (param $n i32) (result i32) (local $i i32) (local $s i32)
        (i32.store (i32.const 1000) (i32.const 0x01020304))
        (loop $l
        (local.set $s (i32.add (local.get $s) (i32.load (i32.const 1000))))
        (i32.store16 (i32.and (local.get $i) (i32.const 0xfff)) (local.get $s))
        (local.set $s (i32.xor (local.get $s) (i32.load (i32.and (local.get $s) (i32.const 0xfffe)))))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_if $l (i32.lt_u (local.get $i) (local.get $n))))
        {sum} (local.get $s)))"
    )
}

#[test]
fn programs_of_many_regions_are_right() {
    // The tables do not change what the program does, and wasmtime takes no more than 100.
    let alone = [false, true].map(|more| wat::parse_str(many_regions(0, more)).expect("it is text"));
    let programs = [(125, true, 255), (126, false, 256), (126, true, 257)];
    let programs = [programs, [(253, true, 511), (254, false, 512), (254, true, 513)]].concat();
    in_parallel(programs.len() as u64, |i| {
        let (tables, more, count) = programs[i as usize];
        let network = network(&wat::parse_str(many_regions(tables, more)).expect("it is text"));
        assert_eq!(network.regions.len(), count, "{tables} tables");
        for compile_after in [None].into_iter().chain(THRESHOLDS.map(Some)) {
            let mut ours = instance(&network, compile_after);
            let mut theirs = Wasmtime::new(&alone[usize::from(more)], &[]);
            let what = format!("{count} regions, after {compile_after:?} visits");
            for (name, args) in [("f", &[Value::I32(1)][..]), ("f", &[Value::I32(3_000)]), ("touch", &[])] {
                assert_eq!(ours.call(name, args), theirs.call(name, args), "{what}");
            }
            assert!(ours.memories() == theirs.memories(), "{what}");
            assert_eq!(ours.globals(), theirs.globals(), "{what}");
        }
    });
}
