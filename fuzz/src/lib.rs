//! What the targets share.

use wasm2onnx_runtime::lockstep::{Divergence, End, compare_machine_code, compare_step_by_step};
use wasm2onnx_runtime::{Network, Value};

#[path = "../../tests/src/programs.rs"]
#[allow(dead_code, reason = "the tests use more of the programs than the seeds do")]
pub mod programs;

/// Steps that a run is followed for: the dense executor looks at all rows in each.
const STEPS: u64 = 300;

/// Runs each entry of a network that is proved on all executors.
///
/// # Panics
///
/// If they differ anywhere, or a step is not exact.
pub fn judge(network: &Network, words: [u32; 2]) {
    for (name, entry) in &network.entries {
        let args: Vec<_> = entry.params.iter().map(|ty| Value::from_words(*ty, words)).collect();
        let report = match compare_step_by_step(network, name, &args, STEPS) {
            Ok(report) => report,
            // What cannot be begun is no run: too large, or not with such arguments.
            Err(Divergence::Invalid(_)) => continue,
            Err(divergence) => panic!("{name}{args:?}: {divergence}"),
        };
        if let End::Inexact { expert, what } = report.end {
            panic!("{name}{args:?}: a proved network is not exact after {} steps at expert {expert}: {what:?}", report.steps);
        }
        for slice in [64, STEPS] {
            match compare_machine_code(network, name, &args, report.steps, 0, slice) {
                Ok(_) | Err(Divergence::Invalid(_)) => {}
                Err(divergence) => panic!("{name}{args:?}, slices of {slice}: {divergence}"),
            }
        }
    }
}
