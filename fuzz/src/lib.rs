//! Code that the targets share.

pub mod change;
#[path = "../../tests/src/file_test.rs"]
pub mod file_test;
pub mod gates;
#[path = "../../tests/src/programs.rs"]
pub mod programs;
#[path = "../../tests/src/smith.rs"]
pub mod smith;

use wasm2onnx_runtime::lockstep::{Divergence, End, compare_machine_code, compare_step_by_step};
use wasm2onnx_runtime::{Config, Error, Instance, Network, Value};

/// Maximum number of steps on the dense executor, which looks at all rows in each step.
const DENSE_STEPS: u64 = 300;

/// Approximate maximum number of rows that the dense executor looks at in a run.
const DENSE_ROWS: u64 = 1 << 20;

/// Maximum number of steps on the other executors.
const STEPS: u64 = 10_000;

/// What the executors did with a network.
#[derive(Clone, Copy, Debug, Default)]
pub struct Judged {
    /// Number of steps on which the dense executor and the interpreter were compared.
    pub steps: u64,
    /// Number of steps that machine code did.
    pub native: u64,
    /// Digest of all runs.
    pub digest: u64,
}

/// Runs each entry of a network on all executors. If the network is proved, every step must be exact and all
/// declarations must hold; otherwise runs are followed up to the first step that is not exact.
///
/// # Panics
///
/// If executors differ anywhere, or what is proved does not hold.
pub fn judge(network: &Network, words: [u32; 2], proved: bool) -> Judged {
    let mut judged = Judged::default();
    let rows = network.first_rows.len() as u64 * u64::from(network.ports.reads) + 1;
    for (name, entry) in &network.entries {
        let args: Vec<_> = entry.params.iter().map(|ty| Value::from_words(*ty, words)).collect();
        let report = match compare_step_by_step(network, name, &args, DENSE_STEPS.min(1 + DENSE_ROWS / rows))
        {
            Ok(report) => report,
            // The run cannot begin: the network is too large, or does not take such arguments.
            Err(Divergence::Invalid(_)) => continue,
            Err(divergence) => panic!("{name}{args:?}: {divergence}"),
        };
        judged.steps += report.steps;
        judged.digest = judged.digest.rotate_left(1) ^ report.digest;
        if let End::Inexact { expert, what } = &report.end {
            assert!(
                !proved,
                "{name}{args:?}: a proved network is not exact after {} steps at expert {expert}: {what:?}",
                report.steps
            );
        }
        // If the network is not proved, nothing is known about the steps after those, and instance creation
        // has such steps, too.
        if !proved && network.start.is_some() {
            continue;
        }
        let known = if proved { STEPS } else { report.steps };
        // Making machine code takes longest, so only one variant is tried: it is made at once or a little
        // later, and compared often or over many steps.
        let (soon, often) = ((report.digest & 1) as u32 * 2, report.digest & 2 == 0);
        let (steps, slice) = if often { (report.steps, 64) } else { (known, known / 2) };
        match compare_machine_code(network, name, &args, steps, soon, slice.max(64)) {
            Ok(native) => judged.native += native,
            Err(Divergence::Invalid(_)) => {}
            Err(divergence) => panic!("{name}{args:?}, slices of {slice}: {divergence}"),
        }
        if proved {
            let _ = alike(network, name, &args, &words.map(u32::to_le_bytes).concat(), STEPS, 2 - soon);
        }
    }
    judged
}

/// Calls a function of a proved network in two fresh instances: one in which the interpreter asserts all
/// declarations, and one with machine code for the packets that were visited `compile_after` times. All
/// visible effects must be the same. Returns the results.
///
/// # Errors
///
/// The error with which the call failed in both.
///
/// # Panics
///
/// If the effects differ, or a declaration does not hold.
pub fn alike(
    network: &Network,
    entry: &str,
    args: &[Value],
    stdin: &[u8],
    steps: u64,
    compile_after: u32,
) -> Result<Vec<Value>, Error> {
    let run = |assert_declared, compile_after| {
        let config = Config {
            max_steps: Some(steps),
            stdin: stdin.to_vec(),
            assert_declared,
            compile_after,
            ..Config::default()
        };
        let mut instance = Instance::prepared(network, config)?;
        let outcome = instance.create().and_then(|()| instance.invoke(entry, args));
        Ok::<_, Error>((outcome, instance.stdout(), instance.steps(), instance.tokens()))
    };
    let (interpreted, compiled) = (run(true, None), run(false, Some(compile_after)));
    assert_eq!(interpreted, compiled, "{entry}{args:?}: interpreted, compiled");
    interpreted.and_then(|run| run.0)
}
