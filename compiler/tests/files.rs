//! Modules in files, run on all executors and in wasmtime, and shown after phases. What a file may say stands in
//! [`file_test`].

mod common;
#[path = "common/file_test.rs"]
mod file_test;

use std::path::Path;

use common::{Calls, Seen, anonymous, as_in_wasmtime, calls_of_all, compare, hash, phases};
use fastrand::Rng;
use file_test::{Call, Dump, FileTest};
use wasm2onnx_compiler::dump::dump;
use wasm2onnx_compiler::{Options, compile};
use wasm2onnx_runtime::lockstep::{End, compare_machine_code, compare_step_by_step};
use wasm2onnx_runtime::{Config, Error, Executor, Instance, Network, PAGE_BYTES, TrapCode, Value, ValueType};

/// Instructions that the calls of an instance take in wasmtime, at most.
const FUEL: u64 = 10_000_000;

/// Steps of an instance that the dense executor, which is slow, makes too.
const DENSE_STEPS: u64 = 20_000;

/// Steps of a call in which every number is compared between executors.
const LOCKSTEPS: u64 = 3_000;

/// Steps of an instance whose exports are called with many arguments, at most.
const MANY_STEPS: u64 = 20_000_000;

fn tests() -> Vec<FileTest> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/files");
    FileTest::all(&folder).unwrap_or_else(|error| panic!("{error}"))
}

fn network(test: &FileTest) -> Network {
    let compiled = compile(test.text.as_bytes(), &Options::default());
    compiled.unwrap_or_else(|error| panic!("{}: {error}", test.path.display())).into_network()
}

/// The executors, by name. The dense one comes last: the others say whether a run is too long for it.
fn ways() -> [(&'static str, Config); 5] {
    let sparse =
        |assert_declared, compile_after| Config { assert_declared, compile_after, ..Config::default() };
    [
        ("interpreter", sparse(true, None)),
        ("machine code at once", sparse(false, Some(0))),
        ("machine code soon", sparse(false, Some(2))),
        ("machine code by default", sparse(false, Config::default().compile_after)),
        ("dense", Config { executor: Executor::Dense, ..Config::default() }),
    ]
}

/// How a call ended: with its results, or in a trap.
fn outcome(ended: Result<Vec<Value>, Error>, what: &dyn std::fmt::Display) -> Result<Vec<Value>, TrapCode> {
    ended.map_err(|error| match error {
        Error::Trap(trap) => trap.code,
        error => panic!("{what}: {error}"),
    })
}

fn bits(value: &Value) -> u64 {
    let [low, high] = value.words();
    anonymous(u64::from(high) << 32 | u64::from(low), value.ty())
}

fn values(bits: &[u64], types: &[ValueType]) -> Vec<Value> {
    let value = |(bits, ty): (&u64, &ValueType)| Value::from_words(*ty, [*bits as u32, (*bits >> 32) as u32]);
    bits.iter().zip(types).map(value).collect()
}

/// What can be seen of an instance after a call that ended so.
fn seen(instance: &mut Instance, outcome: &Result<Vec<Value>, TrapCode>) -> Seen {
    let network = instance.network();
    let memory = network.memories.keys().next().map(|name| {
        let memory = instance.memory(name).expect("it is exported");
        let mut bytes = vec![0; memory.pages() as usize * PAGE_BYTES as usize];
        memory.read(0, &mut bytes).expect("all pages can be read");
        hash(&bytes)
    });
    let global = |name: &String| (name.clone(), bits(&instance.global(name).expect("it is exported")));
    Seen {
        outcome: in_wasmtime(outcome),
        memory,
        globals: network.globals.keys().map(global).collect(),
        stdout: instance.stdout(),
    }
}

/// How a call that ends so here ends in wasmtime.
fn in_wasmtime(outcome: &Result<Vec<Value>, TrapCode>) -> Result<Vec<u64>, Option<TrapCode>> {
    match outcome {
        Ok(results) => Ok(results.iter().map(bits).collect()),
        Err(code) => Err(Some(as_in_wasmtime(*code))),
    }
}

/// Whether wasmtime came to an end of its own, of its stack or its fuel.
fn gave_up(seen: &Seen) -> bool {
    matches!(seen.outcome, Err(None | Some(TrapCode::CallStackExhausted)))
}

/// Makes the calls of an instance everywhere. Returns whether the dense executor has made them, too.
fn check(test: &FileTest, network: &Network, calls: &[Call]) -> bool {
    let mut all = Vec::new();
    for call in calls {
        let entry = network.entries.get(&call.name).unwrap_or_else(|| panic!("{call} calls no export"));
        let args = call.args(&entry.params).unwrap_or_else(|error| panic!("{error}"));
        let expected = call.expected(&entry.results).unwrap_or_else(|error| panic!("{error}"));
        all.push((call, args, expected));
    }
    let in_bits: Calls =
        all.iter().map(|(call, args, _)| (call.name.clone(), args.iter().map(bits).collect())).collect();
    let mut theirs = compare(test.text.as_bytes(), &test.input, &in_bits, FUEL);
    // Where an instance cannot be made, no call ends otherwise.
    if theirs.len() > 1 {
        theirs.remove(0);
    }
    theirs.truncate(theirs.iter().position(gave_up).unwrap_or(theirs.len()));
    for ((call, _, expected), theirs) in all.iter().zip(&theirs) {
        assert_eq!(theirs.outcome, in_wasmtime(expected), "{call}, wasmtime");
        check_printed(call, &theirs.stdout, "wasmtime");
    }
    let (mut steps, mut made) = (0, true);
    for (way, config) in ways() {
        if config.executor == Executor::Dense && steps > DENSE_STEPS {
            continue;
        }
        let config = Config { stdin: test.input.clone(), ..config };
        let mut instance = match Instance::with_config(network, config) {
            Ok(instance) => instance,
            Err(error) => {
                let (call, _, expected) = &all[0];
                assert_eq!(outcome(Err(error), call), *expected, "{call}, {way}");
                made = false;
                continue;
            }
        };
        for (i, (call, args, expected)) in all.iter().enumerate() {
            let ended = outcome(instance.invoke(&call.name, args), call);
            assert_eq!(ended, *expected, "{call}, {way}");
            check_printed(call, &instance.stdout(), way);
            if let Some(theirs) = theirs.get(i) {
                assert_eq!(seen(&mut instance, &ended), *theirs, "{call}, {way}, and wasmtime");
            }
        }
        steps = steps.max(instance.steps());
    }
    if made {
        all.iter().for_each(|(call, args, _)| in_lockstep(network, call, args));
    }
    steps <= DENSE_STEPS
}

fn check_printed(call: &Call, printed: &[u8], way: &str) {
    if let Some(expected) = &call.prints {
        assert_eq!(printed.escape_ascii().to_string(), expected.escape_ascii().to_string(), "{call}, {way}");
    }
}

/// Compares every number of the first steps of a call, on a fresh instance without input.
fn in_lockstep(network: &Network, call: &Call, args: &[Value]) {
    let report = compare_step_by_step(network, &call.name, args, LOCKSTEPS)
        .unwrap_or_else(|difference| panic!("{call}: {difference}"));
    assert!(!matches!(report.end, End::Inexact { .. }), "{call}: {:?}", report.end);
    for compile_after in [0, 2] {
        compare_machine_code(network, &call.name, args, report.steps, compile_after, 100)
            .unwrap_or_else(|difference| panic!("{call}: {difference}"));
    }
}

#[test]
fn calls_end_as_they_must() {
    let (mut calls, mut onnx, mut dense) = (0, 0, 0);
    for test in tests() {
        let network = network(&test);
        for instance in &test.instances {
            calls += instance.len();
            onnx += instance.iter().filter(|call| call.onnx).count();
            dense += if check(&test, &network, instance) { instance.len() } else { 0 };
        }
    }
    println!(
        "{calls} calls, {dense} of them on the dense executor to the end, {onnx} in ONNX Runtime, too, by `onnx_files`"
    );
    assert!(calls >= 150);
}

#[test]
fn instances_that_cannot_be_made_trap() {
    for test in tests() {
        let Some((place, code)) = &test.creation else { continue };
        let network = network(&test);
        let theirs = compare(test.text.as_bytes(), &test.input, &Calls::new(), FUEL);
        assert_eq!(theirs[0].outcome, Err(Some(as_in_wasmtime(*code))), "{place}, wasmtime");
        for (way, config) in ways() {
            let made = Instance::with_config(&network, config).map(|_| Vec::new());
            assert_eq!(outcome(made, place), Err(*code), "{place}, {way}");
        }
    }
}

/// Arguments that are likely to be edge cases, in one instance that lives through all the calls.
#[test]
fn all_exports_do_what_they_do_in_wasmtime() {
    for test in tests() {
        let Some(rounds) = test.compare else { continue };
        let (network, path) = (network(&test), test.path.display());
        let [(_, typed), ..] = phases(test.text.as_bytes(), &Options::default());
        let calls = calls_of_all(&typed, &mut Rng::with_seed(1), rounds);
        let theirs = compare(test.text.as_bytes(), &test.input, &calls, FUEL);
        for (way, config) in ways() {
            if config.executor == Executor::Dense {
                continue;
            }
            let config = Config { stdin: test.input.clone(), max_steps: Some(MANY_STEPS), ..config };
            let mut instance = Instance::with_config(&network, config)
                .unwrap_or_else(|error| panic!("{path}, {way}, instance creation: {error}"));
            for ((name, args), theirs) in calls.iter().zip(&theirs[1..]) {
                if gave_up(theirs) {
                    break;
                }
                let ended = instance.invoke(name, &values(args, &network.entries[name].params));
                let ended = outcome(ended, &format_args!("{path}, {way}: {name}{args:x?}"));
                let ours = seen(&mut instance, &ended);
                assert_eq!(ours, *theirs, "{path}, {way}: {name}{args:x?}, and wasmtime");
            }
        }
    }
}

/// Compares what is shown with what is expected, or with `UPDATE=1` writes it into the file.
fn check_dumps(test: &FileTest, shown: &[String]) {
    if file_test::updates() {
        let mut all = test.text.trim_end().to_owned() + "\n";
        for (dump, shown) in test.dumps.iter().zip(shown) {
            all += &format!("\n;; expect {}\n", dump.title());
            for line in shown.trim_end().lines() {
                all += if line.is_empty() { ";;" } else { ";; " };
                all += line;
                all.push('\n');
            }
        }
        std::fs::write(&test.path, all).unwrap_or_else(|error| panic!("{}: {error}", test.path.display()));
        return;
    }
    for (dump, shown) in test.dumps.iter().zip(shown) {
        let (shown, expected) = (shown.trim_end(), dump.expected.trim_end());
        let first = shown.lines().zip(expected.lines()).take_while(|(a, b)| a == b).count();
        assert!(
            shown == expected,
            "{}:{}: `{}` has the line\n{}\nand was expected to have\n{}\nUPDATE=1 writes all of it into the file",
            test.path.display(),
            dump.line + first + 1,
            dump.title(),
            shown.lines().nth(first).unwrap_or("missing"),
            expected.lines().nth(first).unwrap_or("missing"),
        );
    }
}

#[test]
fn phases_look_as_they_must() {
    let mut shown = 0;
    for test in tests() {
        let text = |dumped: &Dump| {
            let phase =
                dumped.phase.parse().unwrap_or_else(|error| panic!("{}: {error}", test.path.display()));
            dump(test.text.as_bytes(), &Options::default(), phase, dumped.function.as_deref())
                .unwrap_or_else(|error| panic!("{}: {error}", test.path.display()))
        };
        let all: Vec<String> = test.dumps.iter().map(text).collect();
        check_dumps(&test, &all);
        shown += all.len();
    }
    println!("{shown} phases of functions");
    assert!(shown >= 12);
}
