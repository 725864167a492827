//! Tail calls: ours against wasmtime on all executors, stacks that do not grow, and what a call costs.

use std::fmt::Write;

use wasm2onnx_compiler::{Certified, Options, compile};
use wasm2onnx_runtime::lockstep::End;
use wasm2onnx_runtime::{Instance, TrapCode, Value};
use wasm2onnx_tests::oracle::{Engine, Oracle, Outcome, Stop, Wasmtime};
use wasm2onnx_tests::ours::{self, Way};

/// More steps than any call here takes.
const MAX_STEPS: u64 = 1 << 26;

/// Number of steps that are compared on the dense executor, which is slow.
const DENSE_STEPS: u64 = 3_000;

const ITERATIONS: i32 = 1_000_000;

struct Test {
    wasm: Vec<u8>,
    network: Certified,
}

impl Test {
    fn new(wat: &str) -> Test {
        let wasm = wat::parse_str(wat).unwrap_or_else(|error| panic!("{error}\n{wat}"));
        let network = compile(&wasm, &Options::default()).unwrap_or_else(|error| panic!("{error}\n{wat}"));
        Test { wasm, network }
    }

    /// Makes the calls, in order, on one instance of each engine, and compares. Returns their outcomes.
    fn agrees(&self, calls: &[(&'static str, Vec<Value>)]) -> Vec<Outcome> {
        let mut theirs = Wasmtime::new(&self.wasm, b"");
        let expected: Vec<_> = calls.iter().map(|(name, args)| theirs.call(name, args)).collect();
        for way in Way::SPARSE {
            let mut ours = self.instance(way);
            for ((name, args), expected) in calls.iter().zip(&expected) {
                assert_eq!(Engine::call(&mut ours, name, args), *expected, "{way:?}: {name}{args:?}");
            }
            assert_eq!(ours.globals(), theirs.globals(), "{way:?}");
        }
        expected
    }

    /// Compares every number of the first steps of a call on the dense and the sparse executor.
    fn in_lockstep(&self, entry: &'static str, args: &[Value]) -> End {
        ours::in_lockstep(&self.network, entry, args, DENSE_STEPS).unwrap_or_else(|error| panic!("{error}"))
    }

    fn instance(&self, way: Way) -> Instance<'_> {
        Instance::with_config(&self.network, way.config(MAX_STEPS)).expect("instances can be made")
    }

    /// Returns the tokens and steps per turn, measured as the difference between calls with more and with
    /// fewer turns.
    fn cost(&self, entry: &str, args: impl Fn(i32) -> Vec<Value>) -> (f64, f64) {
        let [few, many] = [100, 1_100].map(|turns| {
            let mut instance = self.instance(Way::Checked);
            instance.invoke(entry, &args(turns)).expect("no trap");
            (instance.tokens() as f64, instance.steps() as f64)
        });
        ((many.0 - few.0) / 1_000.0, (many.1 - few.1) / 1_000.0)
    }

    /// Returns the number of keys for the stack.
    fn stack(&self) -> u64 {
        let names = ["control.return", "control.fp", "frame"];
        let regions = self.network.regions.iter().filter(|region| names.contains(&&*region.name));
        regions.map(|region| region.count).sum()
    }
}

fn trap(code: TrapCode) -> Outcome {
    Err(Stop::Trap(code))
}

const EVEN_AND_ODD: &str = r#"(module
    (type $step (func (param i32) (result i32)))
    (table funcref (elem $even $odd $even_indirect $odd_indirect))
    (func $even (export "even") (type $step)
        (if (i32.eqz (local.get 0)) (then (return (i32.const 1))))
        (return_call $odd (i32.sub (local.get 0) (i32.const 1))))
    (func $odd (type $step)
        (if (i32.eqz (local.get 0)) (then (return (i32.const 0))))
        (return_call $even (i32.sub (local.get 0) (i32.const 1))))
    (func $even_indirect (export "even_indirect") (type $step)
        (if (i32.eqz (local.get 0)) (then (return (i32.const 1))))
        (return_call_indirect (type $step) (i32.sub (local.get 0) (i32.const 1)) (i32.const 3)))
    (func $odd_indirect (type $step)
        (if (i32.eqz (local.get 0)) (then (return (i32.const 0))))
        ;; An entry that is not known before.
        (return_call_indirect (type $step) (i32.sub (local.get 0) (i32.const 1))
            (i32.add (i32.const 2) (i32.and (local.get 0) (i32.const 0x80000000)))))
    (func $sum (export "sum") (param $n i32) (param $sum i32) (result i32)
        (if (i32.eqz (local.get $n)) (then (return (local.get $sum))))
        (return_call $sum (i32.sub (local.get $n) (i32.const 1)) (i32.add (local.get $sum) (local.get $n))))
    ;; The same as a loop.
    (func (export "loop") (param $n i32) (param $sum i32) (result i32)
        (loop $next
            (if (i32.eqz (local.get $n)) (then (return (local.get $sum))))
            (local.set $sum (i32.add (local.get $sum) (local.get $n)))
            (local.set $n (i32.sub (local.get $n) (i32.const 1)))
            (br $next))
        unreachable))"#;

#[test]
fn a_million_tail_calls_need_no_stack() {
    let test = Test::new(EVEN_AND_ODD);
    // No function makes a call. One slot and the outermost return would do.
    assert!(test.stack() < 16, "{} keys", test.stack());
    let one = |n| vec![Value::I32(n)];
    let two = |n| vec![Value::I32(n), Value::I32(1)];
    let outcomes = test.agrees(&[
        ("even", one(ITERATIONS)),
        ("even", one(ITERATIONS + 1)),
        ("even_indirect", one(ITERATIONS)),
        ("even_indirect", one(ITERATIONS + 1)),
        ("sum", two(ITERATIONS)),
    ]);
    let parities: Vec<_> = [1, 0, 1, 0].map(|x| Ok(vec![Value::I32(x)])).into();
    assert_eq!(outcomes[..4], parities);
    for (entry, args) in [("even", one(ITERATIONS)), ("even_indirect", one(51)), ("sum", two(51))] {
        test.in_lockstep(entry, &args);
    }
    let cost = |entry, args: &dyn Fn(i32) -> Vec<Value>| {
        let (tokens, steps) = test.cost(entry, args);
        println!("{entry}: {tokens} tokens and {steps} steps a turn");
        (tokens, steps)
    };
    assert!(cost("even", &one).0 <= 1.0);
    assert!(cost("even_indirect", &one).0 <= 2.0);
    // A function that tail calls itself becomes a loop, and a turn of a loop that tests first is one packet.
    assert_eq!(cost("sum", &two), cost("loop", &two));
    assert!(cost("sum", &two).0 <= 1.0);
}

/// Lists of parameters of mixed types, with so many words that most are in the frame: a function's words move
/// to other slots, which hold words that move too.
#[test]
fn long_lists_of_arguments_are_permuted() {
    let mut rng = fastrand::Rng::with_seed(5);
    // Types of the parameters of each function; the first is a counter.
    let lists: Vec<Vec<&str>> = [20, 33, 3, 14, 25]
        .map(|count| (0..count).map(|i| if i > 0 && rng.bool() { "i64" } else { "i32" }).collect())
        .into();
    let results = "i64 ".repeat(9);
    let mut wat = String::from("(module (memory 1)\n");
    wat += "(func $mix (param i64 i64) (result i64) (local $i i32)\n";
    wat += "(loop (local.set 0 (i64.xor (i64.rotl (local.get 0) (i64.const 7)) (local.get 1)))\n";
    wat += "(br_if 0 (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 3)))) (local.get 0))\n";
    for (f, list) in lists.iter().enumerate() {
        writeln!(wat, "(func $f{f} (param {}) (result {results}) (local $x i64)", list.join(" ")).unwrap();
        let get = |i: usize, ty: &str| match (list[i], ty) {
            ("i32", "i64") => format!("(i64.extend_i32_u (local.get {i}))"),
            ("i64", "i32") => format!("(i32.wrap_i64 (local.get {i}))"),
            _ => format!("(local.get {i})"),
        };
        // All parameters matter, and in every second function all of them live across a call.
        let any: Vec<_> = (0..9).map(|_| get(rng.usize(1..list.len()), "i64")).collect();
        writeln!(wat, "(if (i32.eqz (local.get 0)) (then (return {})))", any.join(" ")).unwrap();
        if f % 2 == 0 {
            writeln!(wat, "(local.set $x (call $mix {} {}))", any[0], any[1]).unwrap();
        }
        let other = (f + 1) % lists.len();
        let mut args: Vec<String> = Vec::new();
        for (j, ty) in lists[other].iter().enumerate() {
            let from = get((j * 7 + 3) % list.len(), ty);
            args.push(match (j, *ty) {
                (0, _) => "(i32.sub (local.get 0) (i32.const 1))".to_owned(),
                (1, "i64") => format!("(i64.add {from} (local.get $x))"),
                // Every other parameter is passed on unchanged.
                (_, ty) if j % 2 == 1 => format!("({ty}.add {from} ({ty}.const {j}))"),
                _ => from,
            });
        }
        writeln!(wat, "(return_call $f{other} {}))", args.join(" ")).unwrap();
    }
    let values: String = (0..lists[0].len()).fold(String::new(), |text, i| match lists[0][i] {
        "i32" if i == 0 => text + "(local.get 0)",
        "i32" => text + &format!("(i32.mul (local.get 1) (i32.const {}))", 2 * i + 1),
        _ => {
            text + &format!("(i64.mul (i64.extend_i32_s (local.get 1)) (i64.const {}))", 0x0123_4567_89ab * i)
        }
    });
    // By a tail call and by a call, with values that live across it.
    writeln!(wat, "(func (export \"tail\") (param i32 i32) (result {results}) (return_call $f0 {values}))")
        .unwrap();
    writeln!(
        wat,
        "(func (export \"call\") (param i32 i32) (result {results} i32) (call $f0 {values}) (local.get 1)))"
    )
    .unwrap();
    let test = Test::new(&wat);
    assert!(test.stack() < 1_000, "{} keys", test.stack());
    let calls: Vec<_> = (0..40)
        .flat_map(|n| {
            let args = vec![Value::I32(n), Value::I32(n.wrapping_mul(0x0765_4321) ^ 77)];
            [("tail", args.clone()), ("call", args)]
        })
        .collect();
    let outcomes = test.agrees(&calls);
    assert!(outcomes.iter().all(Result::is_ok));
    test.in_lockstep("tail", &[Value::I32(21), Value::I32(-5)]);
    test.in_lockstep("call", &[Value::I32(12), Value::I32(9)]);
}

/// Calls below a loop of tail calls: the depth stays the same.
#[test]
fn calls_below_tail_calls_need_little_stack() {
    let test = Test::new(
        r#"(module
        (memory 1)
        (func $work (param i32) (result i32) (local $i i32)
            (loop (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (local.set 0 (i32.mul (local.get 0) (i32.const 3)))
                (br_if 0 (i32.lt_u (local.get $i) (i32.const 2))))
            (local.get 0))
        (func $a (export "a") (param i32 i32) (result i32)
            (if (i32.eqz (local.get 0)) (then (return (local.get 1))))
            (return_call $b (i32.sub (local.get 0) (i32.const 1)) (call $work (local.get 1))))
        (func $b (param i32 i32) (result i32)
            (if (i32.eqz (local.get 0)) (then (return (i32.add (local.get 1) (call $work (local.get 0))))))
            (return_call $a (i32.sub (local.get 0) (i32.const 1)) (i32.add (call $work (local.get 1)) (local.get 0)))))"#,
    );
    assert!(test.stack() < 100, "{} keys", test.stack());
    let outcomes = test.agrees(&[("a", vec![Value::I32(30_000), Value::I32(1)])]);
    assert!(outcomes[0].is_ok());
    test.in_lockstep("a", &[Value::I32(30), Value::I32(1)]);
}

/// One packet reads a slot and writes it: it sees the argument's old value, not the new one.
#[test]
fn a_slot_is_read_before_it_is_written() {
    let (params, last) = ("i32 ".repeat(13), 12);
    let rotated: String = (0..13).map(|i| format!("(local.get {}) ", (i + last) % 13)).collect();
    let all: String = (1..13).map(|i| format!("(local.get {i}) ")).collect();
    let test = Test::new(&format!(
        r#"(module
        (global $turns (mut i32) (i32.const 0))
        (func $rotate (param {params}) (result {params}) (return_call $count {rotated}))
        (func $count (param {params}) (result {params})
            (global.set $turns (i32.sub (global.get $turns) (i32.const 1)))
            (if (i32.lt_s (global.get $turns) (i32.const 0)) (then (return (local.get 0) {all})))
            (return_call $rotate (local.get 0) {all}))
        (func (export "f") (param $turns i32) (result {params})
            (global.set $turns (local.get $turns)) (return_call $rotate {numbers})))"#,
        numbers = (100..113).map(|i| format!("(i32.const {i}) ")).collect::<String>(),
    ));
    let outcomes = test.agrees(&(0..15).map(|n| ("f", vec![Value::I32(n)])).collect::<Vec<_>>());
    let numbers = (0..13).map(|i| Value::I32(100 + (i + last) % 13)).collect();
    assert_eq!(outcomes[0], Ok(numbers));
    test.in_lockstep("f", &[Value::I32(14)]);
}

/// Arguments of a call that always traps need slots too, although no function has them in its frame.
#[test]
fn no_entry_has_the_type_of_a_tail_call() {
    let test = Test::new(&format!(
        r#"(module
        (type $long (func (param {params})))
        (table funcref (elem $f $g))
        (func $f (export "f") (param i32) (return_call_indirect (type $long) {args} (local.get 0)))
        (func $g (param i32)))"#,
        params = "i32 ".repeat(40),
        args = "(local.get 0) ".repeat(40),
    ));
    let outcomes = test.agrees(&[("f", vec![Value::I32(0)]), ("f", vec![Value::I32(2)])]);
    assert_eq!(outcomes, [TrapCode::IndirectCallTypeMismatch, TrapCode::UndefinedElement].map(trap));
}
