//! How much memory a run of a model takes, told before the model is made.

use wasm2onnx_runtime::Network;

use super::plan::{Keeping, Plan};
use super::space::Space;
use super::{ExportError, ExportOptions, Form};
use crate::pack::Matrices;

/// Bytes of a number.
const NUMBER: u64 = 8;

/// Bytes of a term of an expert's padded list: source, slot, weight.
const TERM: u64 = 4 + 4 + NUMBER;

/// Bytes that ONNX Runtime takes for each byte that memory begins with while it loads a model in loop form: the
/// tensor of the file, and a copy. (Measured with version 1.32.)
const BYTE: u64 = 2;

/// Returns how many bytes a run of a network's model takes at least, for one instance, including loading: the
/// expanded weights and tables, and the trace that the run begins with. The memory that the program touches
/// and the runtime itself come on top. In the loop form the size of the memory hardly counts; the step form
/// has a cell for each key from the start, twice unless its input and output are bound to one buffer.
///
/// # Errors
///
/// The errors of [`super::export`] that can occur before the graph is built.
pub fn least_memory(network: &Network, options: &ExportOptions) -> Result<u64, ExportError> {
    let plan = Plan::new(network, options)?;
    let terms = network.experts.len() as u64 * (Matrices::width(network, &plan.results) as u64 + 1);
    let weights = terms * TERM + (network.lookup.len() as u64 + 1) * NUMBER;
    let stored = || plan.first_rows().bytes.len() as u64 * BYTE;
    let trace = match (options.form, plan.keeping()) {
        (_, Keeping::Growing(_)) => 2 * network.first_rows.len() as u64 * NUMBER,
        (Form::Step, _) => plan.cells * NUMBER,
        (Form::Loop, Keeping::Resident) => plan.cells * NUMBER,
        (Form::Loop, Keeping::Paged) => {
            let space = Space::of(&plan);
            let chunk = space.cells() as u64;
            // The chunks whose pages are resident, and slot 0; the directory has a number for each chunk.
            ((space.made as u64 + 1) * chunk + plan.first_cells() / chunk) * NUMBER + stored()
        }
        // What memory begins with is expanded once for all instances.
        (Form::Loop, Keeping::Batched) => stored() * (1 + NUMBER),
    };
    Ok(weights + trace)
}
