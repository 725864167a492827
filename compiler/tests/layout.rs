//! What a network declares about its address space: regions no larger than the program needs.

use wasm2onnx_compiler::error::ErrorKind;
use wasm2onnx_compiler::{CompileError, Options, compile};
use wasm2onnx_runtime::{Config, Error, Executor, Instance, Network, Region, TrapCode, Value};

fn network(wat: &str) -> Network {
    with(wat, &Options::default()).unwrap_or_else(|error| panic!("{error}"))
}

fn with(wat: &str, options: &Options) -> Result<Network, CompileError> {
    Ok(compile(wat.as_bytes(), options)?.into_network())
}

fn region<'a>(network: &'a Network, name: &str) -> Option<&'a Region> {
    network.regions.iter().find(|region| region.name == name)
}

fn count(network: &Network, name: &str) -> u64 {
    region(network, name).map_or(0, |region| region.count)
}

/// Calls an export on both executors, which assert in debug builds what is declared.
fn call(network: &Network, name: &str, args: &[Value]) -> Result<Vec<Value>, Option<TrapCode>> {
    let run = |executor| {
        let config = Config { executor, ..Config::default() };
        let mut instance = Instance::with_config(network, config).expect("instances can be made");
        match instance.invoke(name, args) {
            Ok(results) => Ok(results),
            Err(Error::Trap(trap)) => Err(Some(trap.code)),
            Err(error) => panic!("{error}"),
        }
    };
    let sparse = run(Executor::Sparse);
    assert_eq!(sparse, run(Executor::Dense));
    sparse
}

#[test]
fn keys_below_the_first_region_are_enough_for_all_row_ports() {
    let sources = [
        "(module (func (export \"f\")))",
        "(module (memory (export \"m\") 1) (func (export \"f\") (i64.store (i32.const 1) (i64.const -1))))",
    ];
    for wat in sources {
        let network = network(wat);
        assert_eq!(network.regions[0].first, 64);
        let ports = network.ports;
        assert!(ports.rows < 63);
        for count in [ports.carried, ports.units, ports.reads, ports.lookups, ports.rows] {
            assert!(count >= 1, "{ports:?}");
        }
    }
}

/// Makes a module whose calls are three deep, with values that live across calls, and with more arguments and
/// results than fields. Loops keep the functions from being inlined.
fn nested(innermost: &str) -> String {
    let many = |word: &str, n: usize| vec![word; n].join(" ");
    let pushes: String = (0..20).map(|i| format!("(i32.add (local.get {i}) (i32.const {i}))")).collect();
    let loops = "(loop $l (local.set $i (i32.add (local.get $i) (i32.const 1))) \
                 (br_if $l (i32.lt_u (local.get $i) (i32.const 3))))";
    format!(
        r#"(module
            (type $many (func (param {i20}) (result {i20})))
            (table 4 funcref) (elem (i32.const 0) $inner $other)
            (func $other (param i32) (result i32) (local $i i32) {loops} {loops} (local.get $i))
            (func $inner (type $many) (local $i i32) {loops} {loops} {innermost} {pushes})
            (func $middle (param $x i32) (param $entry i32) (result i32) (local $i i32) {loops}
                {arguments} (call_indirect (type $many) (local.get $entry))
                {adds} (i32.add (i32.mul (local.get $x) (i32.const 1000))))
            (func (export "f") (param $x i32) (param $entry i32) (result i32) (local $i i32) {loops}
                (i32.add
                    (call $middle (local.get $x) (local.get $entry))
                    (i32.add (local.get $x) (call $middle (i32.const 7) (local.get $entry)))))
            (func (export "rest") (result i32) (call $other (i32.const 0))))"#,
        i20 = many("i32", 20),
        arguments = many("(local.get $x)", 20),
        adds = many("i32.add", 19),
    )
}

fn expected(x: i32) -> i32 {
    let middle = |x: i32| 20 * x + 190 + 1000 * x;
    middle(x) + x + middle(7)
}

#[test]
fn without_recursion_the_stack_is_as_large_as_the_deepest_path() {
    let network = network(&nested(""));
    for name in ["control.fp", "control.return", "frame"] {
        assert!((1..200).contains(&count(&network, name)), "{name}: {}", count(&network, name));
    }
    for x in [0, 1, 12345] {
        let args = [Value::I32(x), Value::I32(0)];
        assert_eq!(call(&network, "f", &args), Ok(vec![Value::I32(expected(x))]));
    }
    let mismatch = call(&network, "f", &[Value::I32(1), Value::I32(1)]);
    assert_eq!(mismatch, Err(Some(TrapCode::IndirectCallTypeMismatch)));
}

#[test]
fn recursion_through_a_table_keeps_the_limit() {
    // This branch is never taken, but its call is in the call graph.
    let again = "(if (i32.eq (local.get 0) (i32.const 999999)) (then (drop (call $middle (i32.const 1) (i32.const 0)))))";
    let network = network(&nested(again));
    for name in ["control.fp", "control.return", "frame"] {
        assert!(count(&network, name) > 1 << 18);
    }
    let args = [Value::I32(3), Value::I32(0)];
    assert_eq!(call(&network, "f", &args), Ok(vec![Value::I32(expected(3))]));
}

const SEVERAL: &str = r#"
    (module
        (memory (export "memory") 2) (data (i32.const 5) "x")
        (global $g (export "g") (mut i32) (i32.const 5))
        (func (export "store") (param i32) (i32.store (local.get 0) (global.get $g)))
        (func (export "sum") (param i32 i64) (result i32) (i32.add (local.get 0) (global.get $g)))
        (func (export "set") (param i32) (global.set $g (local.get 0))))
"#;

#[test]
fn only_what_the_chosen_exports_need_is_compiled() {
    let only = |names: &[&str]| {
        let exports = Some(names.iter().map(|name| name.to_string()).collect());
        with(SEVERAL, &Options { exports, ..Options::default() })
    };
    let all = network(SEVERAL);
    assert_eq!((all.entries.len(), count(&all, "memory")), (3, 2 * 65536));
    let sum = only(&["sum"]).expect("it is exported");
    assert_eq!(sum.entries.keys().collect::<Vec<_>>(), ["sum"]);
    assert!(sum.memories.is_empty() && sum.globals.is_empty());
    assert_eq!((count(&sum, "memory"), count(&sum, "global")), (0, 0));
    assert!(sum.experts.len() < all.experts.len());
    assert_eq!(call(&sum, "sum", &[Value::I32(3), Value::I64(0)]), Ok(vec![Value::I32(8)]));
    let two = only(&["sum", "set"]).expect("both are exported");
    assert_eq!((count(&two, "memory"), count(&two, "global")), (0, 1));
    let store = only(&["store"]).expect("it is exported");
    assert_eq!((count(&store, "memory"), count(&store, "global")), (2 * 65536, 0));

    for name in ["missing", "memory", "g"] {
        let error = only(&["sum", name]).expect_err("no exported function");
        assert!(
            matches!(error.kind(), ErrorKind::NoSuchExport { name: n, exports } if n == name && exports.len() == 3)
        );
        let wanted = format!(
            "there is no exported function `{name}`; the module exports `store` (i32) -> (), `sum` (i32, i64) -> (i32), \
             `set` (i32) -> ()"
        );
        assert_eq!(error.to_string(), wanted);
    }
}

#[test]
fn a_memory_that_is_only_checked_has_no_region() {
    // The value of the load is not needed, but its check is.
    let wat = |export: &str| {
        format!(
            "(module (memory {export} 1 3) (data (i32.const 0) \"x\") \
             (func (export \"f\") (param i32) (result i32) (drop (i32.load (local.get 0))) (memory.grow (i32.const 1))))"
        )
    };
    let network_ = network(&wat(""));
    assert_eq!(region(&network_, "memory"), None);
    assert_eq!(call(&network_, "f", &[Value::I32(65532)]), Ok(vec![Value::I32(1)]));
    assert_eq!(call(&network_, "f", &[Value::I32(65533)]), Err(Some(TrapCode::MemoryOutOfBounds)));
    assert_eq!(count(&network(&wat("(export \"m\")")), "memory"), 3 * 65536);
}

/// A program that writes its input twice.
const TWICE: &str = r#"
    (module
        (import "env" "input_byte" (func $input (result i32)))
        (import "env" "output_byte" (func $output (param i32)))
        (func (export "f") (local $c i32)
            (loop $next
                (local.set $c (call $input))
                (if (i32.ge_s (local.get $c) (i32.const 0))
                    (then (call $output (local.get $c)) (call $output (local.get $c)) (br $next))))))
"#;

#[test]
fn streams_are_as_large_as_asked_for() {
    let options = |stdin_bytes, stdout_bytes| Options { stdin_bytes, stdout_bytes, ..Options::default() };
    let run = |network: &Network, stdin: &[u8], executor| {
        let config = Config { executor, stdin: stdin.to_vec(), ..Config::default() };
        let mut instance = Instance::with_config(network, config).map_err(|error| error.to_string())?;
        let end = match instance.invoke("f", &[]) {
            Ok(_) => None,
            Err(Error::OutputLimit(limit)) => Some(limit),
            Err(error) => panic!("{error}"),
        };
        Ok::<_, String>((end, instance.stdout()))
    };
    let network_ = with(TWICE, &options(5, 7)).expect("it compiles");
    assert_eq!(count(&network_, "input"), 5);
    assert!((7..32).contains(&count(&network_, "stdout")));
    for executor in [Executor::Sparse, Executor::Dense] {
        assert_eq!(run(&network_, b"", executor), Ok((None, vec![])));
        assert_eq!(run(&network_, b"abc", executor), Ok((None, b"aabbcc".to_vec())));
        let full = (Some(7), b"aabbccd".to_vec());
        assert_eq!(run(&network_, b"abcd", executor), Ok(full));
        assert!(run(&network_, b"abcdef", executor).is_err());
    }
    let none = with(TWICE, &options(0, 0)).expect("it compiles");
    assert_eq!(run(&none, b"", Executor::Sparse), Ok((None, vec![])));
    let default = network(TWICE);
    assert_eq!((count(&default, "input"), count(&default, "stdout") >> 28), (1 << 30, 1));
    for options in [options(1 << 31, 1), options(1, (1 << 30) + 1)] {
        let error = with(TWICE, &options).expect_err("too large");
        assert!(matches!(error.kind(), ErrorKind::Limit { limit: 0x4000_0000, .. }), "{error}");
    }
}

#[test]
fn the_largest_memory() {
    let wat = |limits: &str| {
        format!(
            r#"(module (memory {limits})
                (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
                (func (export "swap") (param i32 i64) (result i64)
                    (i64.load (local.get 0)) (i64.store (local.get 0) (local.get 1))))"#
        )
    };
    for (limits, first, grown) in [("0", 0, 65536), ("65535 65536", 65535, 1), ("65536", 65536, 0)] {
        let options = Options { max_memory_pages: Some(65536), ..Options::default() };
        let network = with(&wat(limits), &options).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(count(&network, "memory"), 1 << 32);
        let mut instance = Instance::new(&network).expect("instances can be made");
        let mut grow = |pages| instance.invoke("grow", &[Value::I32(pages)]).expect("no trap");
        assert_eq!(grow(65537 - first), [Value::I32(-1)]);
        assert_eq!(grow(grown), [Value::I32(first)]);
        assert_eq!(grow(0), [Value::I32(65536)]);
        assert_eq!(grow(1), [Value::I32(-1)]);
        let mut swap = |address: u32, value| {
            instance
                .invoke("swap", &[Value::I32(address as i32), Value::I64(value)])
                .map_err(|e| e.to_string())
        };
        assert_eq!(swap(u32::MAX - 7, -2), Ok(vec![Value::I64(0)]));
        assert_eq!(swap(u32::MAX - 7, 3), Ok(vec![Value::I64(-2)]));
        assert_eq!(swap(u32::MAX - 8, 0), Ok(vec![Value::I64(0x300)]));
        assert!(swap(u32::MAX - 6, 0).expect_err("out of bounds").contains("out of bounds"));
    }
}

/// The terms of a linear form may cancel, and its constant may be large; neither hides anything from the
/// checker.
#[test]
fn forms_that_are_multiplied_out_are_certified() {
    let functions = [
        "(i32.shl (local.get 0) (i32.sub (i32.sub (local.get 1) (local.get 2)) (local.get 0)))",
        "(i32.xor (local.get 0) (i32.shl (i32.sub (local.get 1) (local.get 2)) (i32.const 31)))",
        // Two wrapped sums with a common term.
        "(i32.lt_u (i32.add (local.get 0) (local.get 1)) (i32.add (local.get 0) (local.get 2)))",
        "(i32.ge_s (i32.sub (local.get 0) (local.get 1)) (i32.sub (local.get 0) (local.get 2)))",
    ];
    let values = [0, 1, -1, i32::MIN, i32::MAX, 123456789];
    for (i, body) in functions.iter().enumerate() {
        let wat = format!("(module (func (export \"f\") (param i32 i32 i32) (result i32) {body}))");
        let network = network(&wat);
        for (a, b, c) in values.iter().flat_map(|a| values.map(|b| (*a, b, a.wrapping_mul(3) ^ b))) {
            let expected = match i {
                0 => a.wrapping_shl(b.wrapping_sub(c).wrapping_sub(a) as u32),
                1 => a ^ b.wrapping_sub(c).wrapping_shl(31),
                2 => ((a.wrapping_add(b) as u32) < (a.wrapping_add(c) as u32)) as i32,
                _ => (a.wrapping_sub(b) >= a.wrapping_sub(c)) as i32,
            };
            let args = [a, b, c].map(Value::I32);
            assert_eq!(call(&network, "f", &args), Ok(vec![Value::I32(expected)]), "{body} of {args:?}");
        }
    }
}
