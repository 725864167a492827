//! Calls of [`examples`](crate::examples) on our own executors.

use wasm2onnx_runtime::lockstep::{self, Divergence, End, compare_step_by_step};
use wasm2onnx_runtime::{Config, Error, Executor, Instance, Network};

use crate::examples::{Answer, Call};

/// A run that came to its end.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// What it answered.
    pub answer: Answer,
    /// Maps evaluated.
    pub steps: u64,
    /// Tokens.
    pub tokens: u64,
}

/// An executor, and how it evaluates.
#[derive(Clone, Copy, Debug)]
pub enum Engine {
    /// The dense executor.
    Dense,
    /// The sparse one without machine code; asserts what the certificate declares in builds with
    /// debug assertions.
    Sparse,
    /// The sparse one with machine code, made early.
    Compiled,
}

/// Visits that make a packet hot, few enough for short runs to have some.
const COMPILE_AFTER: u32 = 8;

/// Runs a call on a fresh instance, for at most so many steps.
///
/// # Errors
///
/// As [`Instance::with_config`] and [`Instance::invoke`].
pub fn run(network: &Network, call: &Call, engine: Engine, max_steps: u64) -> Result<Run, Error> {
    let mut config = Config {
        max_steps: Some(max_steps),
        stdin: call.stdin.clone(),
        compile_after: None,
        ..Config::default()
    };
    match engine {
        Engine::Dense => config.executor = Executor::Dense,
        Engine::Sparse => {}
        Engine::Compiled => {
            config.assert_declared = false;
            config.compile_after = Some(COMPILE_AFTER);
        }
    }
    let mut instance = Instance::with_config(network, config)?;
    let results = instance.invoke(call.entry, &call.args)?;
    let answer = Answer { results, stdout: instance.stdout() };
    Ok(Run { answer, steps: instance.steps(), tokens: instance.tokens() })
}

/// Runs a call on the dense and the sparse executor at once and compares every number of at most
/// `max_steps` steps.
///
/// # Errors
///
/// The first difference.
pub fn compare(network: &Network, call: &Call, max_steps: u64) -> Result<End, Divergence> {
    let network = with_stdin(network, &call.stdin);
    Ok(compare_step_by_step(&network, call.entry, &call.args, max_steps)?.end)
}

/// Runs a call with the sparse executor's interpreter and with its machine code and compares them
/// again and again on the way. Returns how many of the `steps` machine code did.
///
/// # Errors
///
/// The first difference.
pub fn compare_machine_code(network: &Network, call: &Call, steps: u64) -> Result<u64, Divergence> {
    let network = with_stdin(network, &call.stdin);
    let slice = (steps / 16).max(64);
    lockstep::compare_machine_code(&network, call.entry, &call.args, steps, COMPILE_AFTER, slice)
}

/// The network with that input among its first rows.
fn with_stdin(network: &Network, stdin: &[u8]) -> Network {
    let mut network = network.clone();
    if let Some((region, length)) = network.io.stdin.take() {
        let first = network.regions[region].first;
        let bytes = (first..).zip(stdin).map(|(key, byte)| (key, f64::from(*byte)));
        network.first_rows.extend(bytes);
        network.first_rows.push((length, stdin.len() as f64));
    }
    network
}
