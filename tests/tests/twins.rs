//! Implementations that share no code with ours give what ours give: a decoder in exact rationals,
//! written from the documentation, and the evaluator with which ONNX's authors define their operators.
//! Both are scripts in `tests/python`.

use std::path::{Path, PathBuf};

use serde_json::Value as Json;
use tempfile::TempDir;
use wasm2onnx::{Attention, Form};
use wasm2onnx_compiler::{Certified, Options, compile};
use wasm2onnx_runtime::{Executor, TrapCode, Value};
use wasm2onnx_tests::onnx_file::File;
use wasm2onnx_tests::onnx_runtime::{Ended, model, unproved_model};
use wasm2onnx_tests::oracle::{Outcome, Stop};
use wasm2onnx_tests::ours::ended;
use wasm2onnx_tests::python::{Answer, Run, answer, answers, lines};
use wasm2onnx_tests::{damage, examples, programs, rng};

const EXACT: &str = "exact_decoder.py";
const REFERENCE: &str = "reference_evaluator.py";

/// More steps than any of the runs takes.
const ENOUGH: u64 = 1 << 40;

/// Runs of models, and what is expected of each instance: how it ends, its number of steps, what is printed.
struct Runs {
    folder: TempDir,
    models: usize,
    names: Vec<String>,
    runs: Vec<Run>,
    expected: Vec<Vec<(Outcome, u64, Vec<u8>)>>,
}

/// The name of a network, the network, and the function that its models run.
#[derive(Clone, Copy)]
struct Subject<'n>(&'n str, &'n Certified, &'n str);

impl Runs {
    fn new() -> Runs {
        let folder = TempDir::new().expect("temporary folders can be made");
        Runs { folder, models: 0, names: Vec::new(), runs: Vec::new(), expected: Vec::new() }
    }

    /// Writes a model.
    fn write(&mut self, Subject(name, network, entry): Subject, form: Form, attention: Attention) -> PathBuf {
        self.store(&format!("{name}.{form:?}.{attention:?}"), &model(network, entry, form, attention))
    }

    fn store(&mut self, name: &str, model: &[u8]) -> PathBuf {
        // Several programs may have the same name.
        self.models += 1;
        let path = self.folder.path().join(format!("{}.{name}.onnx", self.models));
        std::fs::write(&path, model).expect("temporary files can be written");
        path
    }

    /// Adds a run of a model, with one instance for each list of arguments.
    fn add(
        &mut self,
        model: &Path,
        Subject(_, network, entry): Subject,
        calls: &[&[Value]],
        stdin: &[u8],
        max_steps: Option<u64>,
    ) {
        let run = |args: &&[Value]| ended(network, entry, Executor::Sparse, args, stdin, max_steps);
        let file = model.file_name().unwrap_or_default().display();
        self.names.push(format!("{file}, {calls:?}, {max_steps:?} steps"));
        self.expected.push(calls.iter().map(run).collect());
        self.runs.push(Run {
            model: model.to_owned(),
            results: network.entries[entry].results.clone(),
            rows: calls.iter().map(|args| args.to_vec()).collect(),
            stdin: stdin.to_vec(),
            max_steps: max_steps.unwrap_or(ENOUGH),
        });
    }

    /// Lets a script make all runs, and compares.
    fn compare(&self, script: &str) -> Compared {
        let mut compared = Compared::default();
        let answers = answers(script, &self.runs);
        for (name, (answer, expected)) in self.names.iter().zip(answers.iter().zip(&self.expected)) {
            let Answer { batch, checked } = answer;
            assert_eq!(batch.rows.len(), expected.len(), "{name}");
            for (ended, (outcome, steps, stdout)) in batch.rows.iter().zip(expected) {
                assert_eq!((&ended.outcome(), ended.steps), (outcome, *steps), "{name}");
                assert_eq!(&batch.stdout, stdout, "{name}");
                compared.steps += steps;
                compared.traps += usize::from(outcome.is_err());
            }
            compared.runs += expected.len();
            compared.checked += checked;
        }
        println!("{script}: {compared:?}");
        compared
    }

    /// Returns how many runs do not end as expected, or are reported as broken.
    fn noticed(&self, script: &str) -> usize {
        let lines = lines(script, &self.runs);
        let as_expected = |((run, line), expected): &((&Run, &Json), &Vec<_>)| {
            line.get("broken").is_none()
                && answer(run, line)
                    .batch
                    .rows
                    .iter()
                    .zip(*expected)
                    .all(|(found, expected)| agrees(found, expected))
        };
        let all = self.runs.iter().zip(&lines).zip(&self.expected);
        all.filter(|run| !as_expected(run)).count()
    }
}

/// Returns whether an instance ended as expected.
fn agrees(found: &Ended, (outcome, steps, _): &(Outcome, u64, Vec<u8>)) -> bool {
    let same = match outcome {
        Ok(results) => found.trap == 0 && found.results == *results,
        Err(Stop::Trap(code)) => found.trap == *code as i64,
        Err(Stop::Limit) => found.trap == TrapCode::StepLimit as i64,
    };
    same && found.steps == *steps
}

/// Numbers of what was compared.
#[derive(Debug, Default)]
struct Compared {
    runs: usize,
    traps: usize,
    steps: u64,
    checked: u64,
}

/// Adds every call of every small program.
fn add_all(runs: &mut Runs) {
    for program in programs::all() {
        let network = program.network();
        let subject = Subject(program.name, &network, "run");
        let model = runs.write(subject, Form::Loop, Attention::Indexed);
        for args in &program.calls {
            runs.add(&model, subject, &[args], &program.stdin, None);
        }
    }
}

#[test]
fn the_exact_decoder_runs_programs() {
    let mut runs = Runs::new();
    add_all(&mut runs);
    let compared = runs.compare(EXACT);
    assert!(compared.runs >= 40 && compared.traps >= 15 && compared.checked >= 20_000);
}

/// Adds some examples on small fresh input, for at most `max_steps` steps.
fn add_examples(runs: &mut Runs, names: &[&str], max_steps: u64) {
    const INSTRUCTIONS: u64 = 400;
    let mut rng = rng(1);
    for example in examples::all().into_iter().filter(|example| names.contains(&example.name)) {
        let call = (example.generate)(&mut rng, INSTRUCTIONS);
        let options = Options {
            exports: Some(vec![call.entry.to_owned()]),
            stdin_bytes: 1 << 12,
            stdout_bytes: 1 << 12,
            ..Options::default()
        };
        let network = compile(example.wasm, &options).expect("examples compile");
        let subject = Subject(example.name, &network, call.entry);
        let model = runs.write(subject, Form::Loop, Attention::Indexed);
        runs.add(&model, subject, &[&call.args], &call.stdin, Some(max_steps));
    }
}

#[test]
fn the_exact_decoder_runs_examples() {
    let names: Vec<_> = examples::all().iter().map(|example| example.name).collect();
    let mut runs = Runs::new();
    add_examples(&mut runs, &names, 2_000);
    let compared = runs.compare(EXACT);
    assert!(compared.runs >= 10 && compared.traps < compared.runs && compared.checked >= 50_000);
}

/// Models of every form hold the same program, which stops at every limit of steps.
#[test]
fn the_exact_decoder_reads_every_form_and_stops_at_every_limit() {
    let mut runs = Runs::new();
    for name in ["start", "echo_traps"] {
        let program = programs::all().find(|program| program.name == name).expect("one of them");
        let network = program.network();
        let subject = Subject(name, &network, "run");
        for form in [Form::Loop, Form::Step] {
            for attention in [Attention::Indexed, Attention::Dense, Attention::Softmax] {
                let model = runs.write(subject, form, attention);
                runs.add(&model, subject, &[&program.calls[0]], &program.stdin, None);
            }
        }
        let model = runs.write(subject, Form::Loop, Attention::Indexed);
        let steps = ended(&network, "run", Executor::Sparse, &program.calls[0], &program.stdin, None).1;
        for max_steps in 0..=steps + 1 {
            runs.add(&model, subject, &[&program.calls[0]], &program.stdin, Some(max_steps));
        }
    }
    let compared = runs.compare(EXACT);
    assert!(compared.traps >= 30);
}

/// With more arguments than fields and row ports, some are rows that are there before the call begins, but
/// after instance creation.
#[test]
fn both_take_many_arguments() {
    const COUNT: usize = 40;
    let sum: String = (0..COUNT)
        .map(|i| format!("(local.set $s (i64.add (i64.rotl (local.get $s) (i64.const 5)) (local.get {i})))"))
        .collect();
    let wasm = wat::parse_str(format!(
        r#"(module (global $g (mut i64) (i64.const 0)) (start $init)
            (func $init (local i64 i64) (global.set $g (call $f {first})))
            (func $f (export "run") (param{params}) (result i64) (local $s i64)
                (local.set $s (global.get $g)) {sum} (local.get $s)))"#,
        first = "(i64.const -77) ".repeat(COUNT),
        params = " i64".repeat(COUNT),
    ))
    .expect("a module");
    let options = Options { exports: Some(vec!["run".to_owned()]), ..Options::default() };
    let network = compile(&wasm, &options).expect("it compiles");
    let args: Vec<Value> = (0..COUNT as i64).map(|i| Value::I64(i * i * i * 0x0123_4567_89ab - 1)).collect();
    let subject = Subject("many", &network, "run");
    let mut runs = Runs::new();
    for form in [Form::Loop, Form::Step] {
        let model = runs.write(subject, form, Attention::Indexed);
        let file = File::read(&std::fs::read(&model).expect("it was written"));
        assert!(file.metadata("entry").is_some_and(|entry| entry.contains(r#"[{"key":"#)), "none is a row");
        runs.add(&model, subject, &[&args], &[], None);
    }
    runs.compare(EXACT);
    runs.compare(REFERENCE);
}

/// Models with a resident trace run all calls of a program as one batch; the others run one call at a time.
#[test]
fn the_reference_evaluator_runs_programs() {
    let mut runs = Runs::new();
    for program in programs::all() {
        let network = program.network();
        let subject = Subject(program.name, &network, "run");
        let model = runs.write(subject, Form::Loop, Attention::Indexed);
        let file = File::read(&std::fs::read(&model).expect("it was written"));
        if file.takes_one_instance() || program.calls[0].is_empty() {
            for args in &program.calls {
                runs.add(&model, subject, &[args], &program.stdin, None);
            }
        } else {
            let calls: Vec<&[Value]> = program.calls.iter().map(Vec::as_slice).collect();
            runs.add(&model, subject, &calls, &program.stdin, None);
        }
    }
    let compared = runs.compare(REFERENCE);
    assert!(compared.runs >= 40 && compared.traps >= 15);
}

#[test]
fn the_reference_evaluator_reads_by_attention_over_all_rows() {
    /// Maximum number of table entries that it can look through at every step.
    const SMALL_TABLES: usize = 10_000;
    let mut runs = Runs::new();
    for program in programs::all() {
        let network = program.network();
        if network.lookup.len() > SMALL_TABLES {
            continue;
        }
        let subject = Subject(program.name, &network, "run");
        for attention in [Attention::Dense, Attention::Softmax] {
            let model = runs.write(subject, Form::Loop, attention);
            runs.add(&model, subject, &[&program.calls[0]], &program.stdin, None);
        }
    }
    let compared = runs.compare(REFERENCE);
    assert!(compared.runs >= 20);
}

#[test]
fn the_reference_evaluator_makes_single_steps_and_stops_at_limits() {
    let mut runs = Runs::new();
    for name in ["recursion", "start", "memory_traps", "echo_traps"] {
        let program = programs::all().find(|program| program.name == name).expect("one of them");
        let network = program.network();
        let subject = Subject(name, &network, "run");
        let args = program.calls.last().expect("it has calls");
        for attention in [Attention::Indexed, Attention::Dense, Attention::Softmax] {
            let model = runs.write(subject, Form::Step, attention);
            runs.add(&model, subject, &[args], &program.stdin, None);
        }
        let steps = ended(&network, "run", Executor::Sparse, args, &program.stdin, None).1;
        let model = runs.write(subject, Form::Loop, Attention::Indexed);
        for max_steps in [0, 1, steps - 1, steps] {
            runs.add(&model, subject, &[args], &program.stdin, Some(max_steps));
        }
    }
    let compared = runs.compare(REFERENCE);
    assert!(compared.traps >= 10);
}

/// Examples give the same results, for a limited number of steps.
#[test]
fn the_reference_evaluator_runs_examples() {
    let mut runs = Runs::new();
    add_examples(&mut runs, &["interpreter", "modpow", "nbody", "recursive", "sha256"], 300);
    let compared = runs.compare(REFERENCE);
    assert!(compared.steps >= 500);
}

/// Changed weights are noticed: the twins give something else, or report what is broken.
#[test]
fn changed_weights_are_noticed() {
    const CHANGES: usize = 30;
    let mut rng = rng(2);
    let program = programs::all().find(|program| program.name == "sorting").expect("one of them");
    let network = program.network();
    let args = &program.calls[0];
    let steps = ended(&network, "run", Executor::Sparse, args, &[], None).1;
    let run = damage::Run::follow(&network, "run", args, steps).expect("it ends");
    let mut runs = Runs::new();
    let mut damaged = network.clone().into_network();
    while runs.runs.len() < CHANGES {
        let (change, factor) = run.random_change(&mut rng, &network.experts);
        if let Some(undo) = change.apply(&mut damaged, factor) {
            let model = unproved_model(&damaged, "run", Form::Loop, Attention::Indexed);
            let model = runs.store(program.name, &model);
            undo.apply(&mut damaged);
            runs.add(&model, Subject(program.name, &network, "run"), &[args], &[], Some(2 * steps));
        }
    }
    for script in [EXACT, REFERENCE] {
        let noticed = runs.noticed(script);
        println!("{script}: {noticed} of {CHANGES} changes noticed");
        assert!(noticed >= CHANGES / 3);
    }
}
