//! A sample of the official test suite on the dense executor, against what the suite expects.
//!
//! The sample is the beginning of every module of every file: calls in the script's order, on one instance,
//! as long as they are short. A module is left at the first call that takes long, since what that call did is
//! not known.

use std::sync::Mutex;

use wasm2onnx_runtime::{Error, Instance};
use wasm2onnx_tests::in_parallel;
use wasm2onnx_tests::ours::Way;
use wasm2onnx_tests::suite::link::{Networks, compile_all};
use wasm2onnx_tests::suite::script::{Action, Call, Command, Line, read};
use wasm2onnx_tests::suite::{SUITES, stem};

/// Maximum number of steps of a call, and of instance creation.
const MAX_STEPS: u64 = 300;

/// Maximum number of assertions of a file.
const OF_FILE: usize = 40;

/// Maximum number of assertions about a module.
const OF_MODULE: usize = 20;

/// Minimum number of assertions compared.
const LEAST: usize = 2_500;

/// Numbers of what was compared.
#[derive(Clone, Copy, Default)]
struct Tally {
    files: usize,
    assertions: usize,
    traps: usize,
    /// Number of modules that were left at a call that takes long.
    left: usize,
    steps: u64,
}

#[test]
fn a_sample_gives_what_the_suite_expects() {
    let (mut compared, mut failed) = (0, 0);
    for suite in SUITES {
        let files = suite.files();
        let total = Mutex::new((Tally::default(), 0));
        in_parallel(files.len() as u64, |i| {
            let file = &files[i as usize];
            let script = read(file);
            let networks = compile_all(&script, suite.features);
            let ended = run(&script, &networks);
            let mut total = total.lock().expect("no test panics holding it");
            match ended {
                Ok(tally) => {
                    total.0.files += usize::from(tally.assertions > 0);
                    total.0.assertions += tally.assertions;
                    total.0.traps += tally.traps;
                    total.0.left += tally.left;
                    total.0.steps += tally.steps;
                }
                Err(what) => {
                    println!("FAILED {}/{}: {what}", suite.name, stem(file));
                    total.1 += 1;
                }
            }
        });
        let (tally, failures) = total.into_inner().expect("no test panicked holding it");
        println!(
            "{}: {} files, {} assertions, {} of them traps, {} steps; {} modules left at a call that takes long",
            suite.name, tally.files, tally.assertions, tally.traps, tally.steps, tally.left
        );
        compared += tally.assertions;
        failed += failures;
    }
    println!("all: {compared} assertions");
    assert_eq!(failed, 0, "files fail");
    assert!(compared >= LEAST, "the sample is too small");
}

/// Runs the beginnings of a script's modules.
fn run(script: &[Line], networks: &Networks) -> Result<Tally, String> {
    let mut tally = Tally::default();
    let mut current: Option<Instance> = None;
    let mut of_module = 0;
    for (Line { number, command }, place) in script.iter().zip(&networks.of) {
        let (call, ending) = match command {
            Command::Module { .. } => {
                // The whole suite finds modules that do not compile or trap as they should, and it links modules.
                let place = place.as_ref().expect("it was compiled").as_ref().ok();
                let network = place
                    .filter(|place| place.prefix.is_empty())
                    .map(|place| &networks.networks[place.network]);
                current = network
                    .and_then(|network| Instance::with_config(network, Way::Dense.config(MAX_STEPS)).ok());
                of_module = 0;
                continue;
            }
            // Later modules may change it.
            Command::Register { .. } => {
                current = None;
                continue;
            }
            Command::Invoke(call) => (call, None),
            Command::Assert(Action::Invoke(call), ending) => (call, Some(ending)),
            _ => continue,
        };
        let Call { module: None, name, args } = call else {
            current = None;
            continue;
        };
        let Some(instance) = &mut current else { continue };
        if of_module == OF_MODULE || tally.assertions == OF_FILE {
            current = None;
            continue;
        }
        let before = instance.steps();
        instance.set_max_steps(Some(before + MAX_STEPS));
        let ended = instance.invoke(name, args);
        tally.steps += instance.steps() - before;
        let outcome = match ended {
            Ok(values) => Ok(values),
            Err(Error::Trap(trap)) => Err(trap.code),
            Err(Error::StepLimit { .. }) => {
                tally.left += 1;
                current = None;
                continue;
            }
            Err(error) => return Err(format!("line {number}: {error}")),
        };
        if let Some(ending) = ending {
            ending.check(&outcome).map_err(|what| format!("line {number}: {name}{args:?}: {what}"))?;
            of_module += 1;
            tally.assertions += 1;
            tally.traps += usize::from(outcome.is_err());
        }
    }
    Ok(tally)
}
