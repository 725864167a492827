//! A sample of the official test suite in ONNX Runtime, against what the suite expects.
//!
//! The sample has, of every file of every suite, functions evenly spread over the file, and of each of these
//! functions assertions evenly spread over those with different arguments. A function becomes a model of its
//! own in the loop form, and its assertions become one batch of fresh instances. So an assertion is left out
//! if it is about what earlier calls have left, which the sparse executor finds out: on a fresh instance it
//! does not give what the suite expects there. Calls that take long are also left out, and so are functions
//! whose parameters or results are references, which no model can have.

use std::collections::BTreeMap;
use std::sync::Mutex;

use wasm2onnx::{Attention, ExportError, ExportOptions, Form, export};
use wasm2onnx_compiler::error::ErrorKind;
use wasm2onnx_compiler::{Options, compile};
use wasm2onnx_runtime::{Config, Error, Instance, Network, TrapCode, Value};
use wasm2onnx_tests::in_parallel;
use wasm2onnx_tests::onnx_file::File;
use wasm2onnx_tests::onnx_runtime::{Level, LoopModel};
use wasm2onnx_tests::suite::host::options;
use wasm2onnx_tests::suite::sample::{Assertion, Function, functions, spread};
use wasm2onnx_tests::suite::script::read;
use wasm2onnx_tests::suite::{SUITES, Suite, stem};

/// Maximum number of functions of a file.
const FUNCTIONS: usize = 10;

/// Maximum number of assertions about a function.
const ASSERTIONS: usize = 40;

/// The same for a function whose model takes one instance at a time, as it has a memory or a large table.
const ALONE: usize = 4;

/// Maximum number of steps of a call, including instance creation.
const MAX_STEPS: u64 = 4_000;

/// Minimum number of assertions compared.
const LEAST: u64 = 5_000;

/// Numbers of what was compared and what was left out.
#[derive(Default)]
struct Tally {
    models: u64,
    files: u64,
    compared: u64,
    traps: u64,
    left_out: BTreeMap<&'static str, u64>,
}

impl Tally {
    fn add(&mut self, other: Tally) {
        self.models += other.models;
        self.files += other.files;
        self.compared += other.compared;
        self.traps += other.traps;
        for (reason, count) in other.left_out {
            *self.left_out.entry(reason).or_default() += count;
        }
    }
}

#[test]
fn a_sample_gives_what_the_suite_expects() {
    let total = Mutex::new((Tally::default(), 0));
    for suite in SUITES {
        let files = suite.files();
        let of_suite = Mutex::new(Tally::default());
        in_parallel(files.len() as u64, |i| {
            let file = &files[i as usize];
            let script = read(file);
            let mut of_file = Tally::default();
            for function in spread(functions(&script), FUNCTIONS) {
                match compare(suite, function) {
                    Ok(tally) => of_file.add(tally),
                    Err(what) => {
                        println!("FAILED {}/{}: {what}", suite.name, stem(file));
                        total.lock().expect("no test panics holding it").1 += 1;
                    }
                }
            }
            of_file.files = u64::from(of_file.compared > 0);
            of_suite.lock().expect("no test panics holding it").add(of_file);
        });
        let of_suite = of_suite.into_inner().expect("no test panicked holding it");
        print(suite.name, &of_suite);
        total.lock().expect("no test panics holding it").0.add(of_suite);
    }
    let (total, failed) = total.into_inner().expect("no test panicked holding it");
    print("all", &total);
    assert_eq!(failed, 0, "functions fail");
    assert!(total.compared >= LEAST, "the sample is too small");
}

fn print(name: &str, tally: &Tally) {
    let left_out: Vec<_> = tally.left_out.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
    println!(
        "{name}: {} files, {} models, {} assertions compared, {} of them traps; left out: {}",
        tally.files,
        tally.models,
        tally.compared,
        tally.traps,
        left_out.join(", ")
    );
}

/// Compares the assertions about a function.
fn compare(suite: Suite, function: Function<'_>) -> Result<Tally, String> {
    let Function { wasm, name, assertions } = function;
    let mut tally = Tally::default();
    let options = Options { exports: Some(vec![name.to_owned()]), ..options(suite.features) };
    let network = match compile(wasm, &options) {
        Ok(network) => network,
        Err(error) if matches!(error.kind(), ErrorKind::Unsupported { .. }) => {
            *tally.left_out.entry("unsupported").or_default() += assertions.len() as u64;
            return Ok(tally);
        }
        Err(error) => return Err(format!("{name}: {error}")),
    };
    let mut chosen = Vec::new();
    for assertion in spread(assertions, ASSERTIONS) {
        match left_out(&network, name, &assertion) {
            Some(reason) => *tally.left_out.entry(reason).or_default() += 1,
            None => chosen.push(assertion),
        }
    }
    if chosen.is_empty() {
        return Ok(tally);
    }
    let entry = ExportOptions {
        entry: name.to_owned(),
        form: Form::Loop,
        attention: Attention::Indexed,
        ..ExportOptions::default()
    };
    let model = match export(&network, &entry) {
        Ok(model) => model,
        Err(ExportError::Reference { .. }) => {
            *tally.left_out.entry("references").or_default() += chosen.len() as u64;
            return Ok(tally);
        }
        Err(error) => return Err(format!("{name}: {error}")),
    };
    // A paged model runs one assertion after the other, and its twin for batches all of them at once.
    let mut runs = Vec::new();
    if File::read(&model).takes_one_instance() {
        match export(&network, &ExportOptions { batch: true, ..entry }) {
            Ok(batches) => runs.push((batches, chosen.clone(), ASSERTIONS)),
            Err(ExportError::Batch { .. }) => {}
            Err(error) => return Err(format!("{name}: {error}")),
        }
        runs.push((model, spread(chosen, ALONE), 1));
    } else {
        runs.push((model, chosen, ASSERTIONS));
    }
    for (model, chosen, at_once) in runs {
        run(name, &model, &chosen, at_once, &mut tally)?;
        tally.models += 1;
    }
    Ok(tally)
}

/// Runs assertions in a model.
fn run(
    name: &str,
    model: &[u8],
    chosen: &[Assertion<'_>],
    at_once: usize,
    tally: &mut Tally,
) -> Result<(), String> {
    let mut model = LoopModel::load(model, Level::All);
    for batch in chosen.chunks(at_once) {
        let calls: Vec<Vec<Value>> = batch.iter().map(|assertion| assertion.args.to_vec()).collect();
        let ended = model.run_batch(&calls, &[], None).map_err(|error| format!("{name}: {error}"))?;
        for (assertion, ended) in batch.iter().zip(&ended.rows) {
            let outcome = match ended.trap {
                0 => Ok(ended.results.clone()),
                code => Err(TrapCode::from_code(code as u8).expect("a code of a trap")),
            };
            let checked = assertion.ending.check(&outcome);
            checked.map_err(|what| format!("line {}: {name}{:?}: {what}", assertion.line, assertion.args))?;
            tally.compared += 1;
            tally.traps += u64::from(outcome.is_err());
        }
    }
    Ok(())
}

/// Returns why an assertion is not compared, or `None` if it is.
fn left_out(network: &Network, name: &str, assertion: &Assertion<'_>) -> Option<&'static str> {
    let config = Config { max_steps: Some(MAX_STEPS), ..Config::default() };
    let ended =
        Instance::with_config(network, config).and_then(|mut instance| instance.invoke(name, assertion.args));
    let outcome = match ended {
        Ok(values) => Ok(values),
        Err(Error::Trap(trap)) => Err(trap.code),
        Err(Error::StepLimit { .. }) => return Some("that take long"),
        Err(error) => panic!("{error}"),
    };
    assertion.ending.check(&outcome).is_err().then_some("after other calls")
}
