//! Modules in files, run on all executors and in wasmtime, and shown after phases. [`file_test`] describes
//! what a file may say.

use std::path::Path;

use fastrand::Rng;
use wasm2onnx_compiler::dump::dump;
use wasm2onnx_compiler::{Options, compile};
use wasm2onnx_runtime::{Config, Instance, Network};
use wasm2onnx_tests::agree::Effect;
use wasm2onnx_tests::file_test::{self, Call, Dump, FileTest};
use wasm2onnx_tests::oracle::{Outcome, Stop};
use wasm2onnx_tests::ours::{self, Way};
use wasm2onnx_tests::phases::{Calls, calls_of_all, compare, phases};

/// Maximum number of instructions that the calls of an instance take in wasmtime.
const FUEL: u64 = 10_000_000;

/// Number of steps of an instance that the dense executor, which is slow, makes too.
const DENSE_STEPS: u64 = 20_000;

/// Number of steps of a call in which every number is compared between executors.
const LOCKSTEPS: u64 = 3_000;

/// Maximum number of steps of an instance whose exports are called with many arguments.
const MANY_STEPS: u64 = 20_000_000;

/// Returns the files, and whether these are all.
fn tests() -> (Vec<FileTest>, bool) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../compiler/tests/files");
    FileTest::chosen(&folder).unwrap_or_else(|error| panic!("{error}"))
}

fn network(test: &FileTest) -> Network {
    let compiled = compile(test.text.as_bytes(), &Options::default());
    compiled.unwrap_or_else(|error| panic!("{}: {error}", test.path.display())).into_network()
}

/// The dense executor comes last: the others say whether a run is too long for it.
const WAYS: [Way; 5] = [Way::Checked, Way::Eager, Way::Compiled, Way::Default, Way::Dense];

/// Returns how a call must end.
fn expected(call: &Call, network: &Network) -> Outcome {
    let results = &network.entries[&call.name].results;
    call.expected(results).unwrap_or_else(|error| panic!("{error}")).map_err(Stop::Trap)
}

/// Makes the calls of an instance everywhere. Returns whether the dense executor has made them, too.
fn check(test: &FileTest, network: &Network, calls: &[Call]) -> bool {
    let mut all = Calls::new();
    for call in calls {
        let entry = network.entries.get(&call.name).unwrap_or_else(|| panic!("{call} calls no export"));
        let args = call.args(&entry.params).unwrap_or_else(|error| panic!("{error}"));
        all.push((call.name.clone(), args));
    }
    let mut theirs = compare(test.text.as_bytes(), &test.input, &all, FUEL).expected;
    // If no instance can be made, every call ends in the way that instance creation ends.
    let made = theirs.len() > 1;
    if made {
        theirs.remove(0);
    }
    let is_too_long = theirs.iter().any(|effect| effect.outcome == Err(Stop::Limit));
    assert!(!is_too_long, "{} is too long for wasmtime", calls[0]);
    theirs.truncate(theirs.iter().position(Effect::gave_up).unwrap_or(theirs.len()));
    for (call, theirs) in calls.iter().zip(&theirs) {
        assert_eq!(theirs.outcome, expected(call, network), "{call}, wasmtime");
        check_printed(call, &theirs.stdout, "wasmtime");
    }
    let mut steps = 0;
    for way in WAYS {
        if way == Way::Dense && steps > DENSE_STEPS {
            continue;
        }
        let config = Config { stdin: test.input.clone(), ..way.config(MANY_STEPS) };
        let mut instance = match Instance::with_config(network, config) {
            Ok(instance) => {
                assert!(made, "{}, {way:?}: an instance can be made, but wasmtime makes none", calls[0]);
                instance
            }
            Err(error) => {
                let call = &calls[0];
                assert_eq!(ours::outcome(Err(error)), expected(call, network), "{call}, {way:?}");
                assert!(!made, "{call}, {way:?}: no instance can be made, but wasmtime makes one");
                continue;
            }
        };
        for (i, (call, (name, args))) in calls.iter().zip(&all).enumerate() {
            let seen = Effect::of(&mut instance, name, args);
            assert_eq!(seen.outcome, expected(call, network), "{call}, {way:?}");
            check_printed(call, &seen.stdout, &format!("{way:?}"));
            if let Some(theirs) = theirs.get(i) {
                seen.compare(theirs).unwrap_or_else(|difference| panic!("{call}, {way:?}: {difference}"));
            }
        }
        steps = steps.max(instance.steps());
    }
    if made {
        let network = ours::with_stdin(network, &test.input);
        for (call, (name, args)) in calls.iter().zip(&all) {
            ours::in_lockstep(&network, name, args, LOCKSTEPS)
                .unwrap_or_else(|difference| panic!("{call}: {difference}"));
        }
    }
    steps <= DENSE_STEPS
}

fn check_printed(call: &Call, printed: &[u8], way: &str) {
    if let Some(expected) = &call.prints {
        assert_eq!(
            printed.escape_ascii().to_string(),
            expected.escape_ascii().to_string(),
            "{call}, {way:?}"
        );
    }
}

#[test]
fn calls_end_as_they_must() {
    let (tests, all) = tests();
    let (mut calls, mut onnx, mut dense) = (0, 0, 0);
    for test in tests {
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
    assert!(calls >= 150 && 2 * dense >= calls || !all);
}

#[test]
fn instances_that_cannot_be_made_trap() {
    let (tests, all) = tests();
    let mut checked = 0;
    for test in tests {
        let Some((place, code)) = &test.creation else { continue };
        checked += 1;
        let network = network(&test);
        let theirs = compare(test.text.as_bytes(), &test.input, &Calls::new(), FUEL).expected;
        assert_eq!(theirs[0].outcome, Err(Stop::Trap(*code)), "{place}, wasmtime");
        for way in WAYS {
            let config = Config { stdin: test.input.clone(), ..way.config(MANY_STEPS) };
            let made = Instance::with_config(&network, config).map(|_| Vec::new());
            assert_eq!(ours::outcome(made), Err(Stop::Trap(*code)), "{place}, {way:?}");
        }
    }
    assert!(checked >= 5 || !all);
}

/// Arguments are likely to be edge cases, and one instance lives through all the calls.
#[test]
fn all_exports_do_what_they_do_in_wasmtime() {
    let (tests, all) = tests();
    let (mut checked, mut compiled) = (0, 0);
    for test in tests {
        let Some(rounds) = test.compare else { continue };
        checked += 1;
        let (network, path) = (network(&test), test.path.display());
        let [(_, typed), ..] = phases(test.text.as_bytes(), &Options::default());
        let calls = calls_of_all(&typed, &mut Rng::with_seed(1), rounds);
        let theirs = compare(test.text.as_bytes(), &test.input, &calls, FUEL).expected;
        for way in WAYS.into_iter().filter(|way| *way != Way::Dense) {
            let config = Config { stdin: test.input.clone(), ..way.config(MANY_STEPS) };
            let mut instance = Instance::with_config(&network, config)
                .unwrap_or_else(|error| panic!("{path}, {way:?}, instance creation: {error}"));
            Effect::of_creation(&mut instance)
                .compare(&theirs[0])
                .unwrap_or_else(|difference| panic!("{path}, {way:?}, instance creation: {difference}"));
            let mut compared = 0;
            for ((name, args), theirs) in calls.iter().zip(&theirs[1..]) {
                if theirs.gave_up() {
                    break;
                }
                Effect::of(&mut instance, name, args)
                    .compare(theirs)
                    .unwrap_or_else(|difference| panic!("{path}, {way:?}: {name}{args:?}: {difference}"));
                compared += 1;
            }
            assert!(
                2 * compared >= calls.len(),
                "{path}: wasmtime gave up after {compared} of {} calls",
                calls.len()
            );
            compiled += instance.compiled_steps();
        }
    }
    assert!(checked >= 10 || !all);
    assert!(compiled > 0 || !all, "machine code made no step");
}

/// Compares what is shown with what is expected, or with `UPDATE=1` writes it into the file.
fn check_dumps(test: &FileTest, shown: &[String]) {
    let is_expected = |(dump, shown): (&Dump, &String)| dump.expected.trim_end() == shown.trim_end();
    if test.dumps.iter().zip(shown).all(is_expected) {
        return;
    }
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
    let (tests, all) = tests();
    let mut shown = 0;
    for test in tests {
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
    assert!(shown >= 12 || !all);
}
