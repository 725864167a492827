//! Machine code against the other executors and wasmtime, where it has most freedom: long sums of shifted and
//! scaled words in hot loops, and many regions.
//!
//! Rotations, shifts and multiplications make sums of numbers up to 2^63 that are exact only because they
//! cancel; machine code must not add anything else to one of their terms.

use std::fmt::Write;

use wasm2onnx_compiler::{Certified, Options, compile};
use wasm2onnx_runtime::{Config, Instance, Network, Value};
use wasm2onnx_tests::in_parallel;
use wasm2onnx_tests::oracle::{Engine, Oracle, Wasmtime};
use wasm2onnx_tests::ours;

/// Numbers of visits that make a packet hot: at once, early, by default.
const THRESHOLDS: [u32; 3] = [0, 2, 1_000];

fn network(wasm: &[u8]) -> Certified {
    compile(wasm, &Options::default()).unwrap_or_else(|error| panic!("{error}"))
}

/// Makes an instance with this threshold, or `None` for the interpreter.
fn instance(network: &Network, compile_after: Option<u32>) -> Instance<'_> {
    let config = Config { compile_after, assert_declared: compile_after.is_none(), ..Config::default() };
    Instance::with_config(network, config).unwrap_or_else(|error| panic!("{error}"))
}

/// Calls `f` of a module with each argument on fresh instances of wasmtime and of ours with all thresholds.
/// Then compares the first `steps` steps of the first call number by number, on the dense executor too.
fn compare_all(text: &str, args: &[i32], steps: u64) {
    let wasm = wat::parse_str(text).unwrap_or_else(|error| panic!("{error}"));
    let network = network(&wasm);
    for &arg in args {
        let args = [Value::I32(arg)];
        let expected = Wasmtime::new(&wasm, &[]).call("f", &args);
        for compile_after in [None].into_iter().chain(THRESHOLDS.map(Some)) {
            let found = Engine::call(&mut instance(&network, compile_after), "f", &args);
            assert_eq!(found, expected, "f({arg}) after {compile_after:?} visits, in\n{text}");
        }
    }
    let args = [Value::I32(args[0])];
    ours::in_lockstep(&network, "f", &args, steps).unwrap_or_else(|e| panic!("{e}\n{text}"));
}

/// Returns constants to add: small ones, and those around powers of two.
fn constants(bits: u32) -> Vec<i64> {
    let powers = (0..bits).flat_map(|k| [-1, 0, 1].map(|d| (1i64 << k).wrapping_add(d)));
    let mut constants: Vec<i64> = [3, 7, 255].into_iter().chain(powers).collect();
    constants.extend(constants.clone().iter().map(|c| c.wrapping_neg()));
    let wrap = |c: i64| if bits == 32 { i64::from(c as i32) } else { c };
    constants.into_iter().map(wrap).collect()
}

/// Makes a module whose loop consists of chains of operations: a value is shifted, scaled or rotated by `k`,
/// then a constant is added, and so on.
fn chains(ty: &str, k: u32, rng: &mut fastrand::Rng) -> String {
    const VARIABLES: usize = 12;
    let bits = if ty == "i64" { 64 } else { 32 };
    let constants = constants(bits);
    let mut body = String::new();
    for i in 0..30 {
        let (from, to) = (rng.usize(..VARIABLES), (i * 5 + rng.usize(..2)) % VARIABLES);
        let constant = constants[rng.usize(..constants.len())];
        let scaled = match rng.u8(..10) {
            0..5 => format!("({ty}.shl (local.get $v{from}) ({ty}.const {k}))"),
            5 => format!("({ty}.shr_u (local.get $v{from}) ({ty}.const {k}))"),
            6 => format!("({ty}.shr_s (local.get $v{from}) ({ty}.const {k}))"),
            7 => format!("({ty}.rotl (local.get $v{from}) ({ty}.const {k}))"),
            8 => {
                let constant = constants[rng.usize(..constants.len())];
                format!("({ty}.mul (local.get $v{from}) ({ty}.const {constant}))")
            }
            _ => format!("({ty}.xor (local.get $v{from}) (local.get $v{to}))"),
        };
        let add = if rng.u8(..8) == 0 { "sub" } else { "add" };
        writeln!(body, "(local.set $v{to} ({ty}.{add} {scaled} ({ty}.const {constant})))")
            .expect("it is text");
        if i % 5 == 4 {
            writeln!(
                body,
                "(local.set $s ({ty}.add ({ty}.mul (local.get $s) ({ty}.const 31)) (local.get $v{to})))"
            )
            .expect("it is text");
        }
    }
    let variables: String = (0..VARIABLES).map(|i| format!("(local $v{i} {ty})")).collect();
    let widened = if ty == "i64" { "(i64.extend_i32_u (local.get $i))" } else { "(local.get $i)" };
    format!(
        "(module (func (export \"f\") (param $n i32) (result {ty}) (local $i i32) (local $s {ty}) {variables}
        (loop $l
        (local.set $v0 ({ty}.add ({ty}.mul {widened} ({ty}.const 1664525)) ({ty}.const 1013904223)))
        (local.set $v6 ({ty}.add (local.get $v6) ({ty}.mul (local.get $v0) ({ty}.const 22695477))))
        {body}
        (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))
        (local.get $s)))"
    )
}

#[test]
fn chains_of_shifts_and_constants_are_exact_in_hot_loops() {
    // All amounts, both widths, as often as the environment says.
    let rounds: u64 = match std::env::var("WASM2ONNX_CHAINS") {
        Ok(text) => text.parse().expect("WASM2ONNX_CHAINS is a number"),
        Err(_) => 1,
    };
    in_parallel(96 * rounds, |seed| {
        let k = (seed % 96) as u32;
        let (ty, k) = if k < 32 { ("i32", k) } else { ("i64", k - 32) };
        let mut rng = fastrand::Rng::with_seed(seed);
        compare_all(&chains(ty, k, &mut rng), &[20, 1, 300], 250);
    });
}

/// Makes a module with four regions more than twice the number of tables, or five if there are to be more.
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
    // The tables do not change what the program does, and wasmtime takes no more than 100 of them.
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
                assert_eq!(Engine::call(&mut ours, name, args), theirs.call(name, args), "{what}");
            }
            assert!(ours.memories() == theirs.memories(), "{what}");
            assert_eq!(ours.globals(), theirs.globals(), "{what}");
        }
    });
}
