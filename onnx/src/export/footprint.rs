//! How much memory a run of a model takes, told before the model is made.

use wasm2onnx_runtime::Network;

use super::plan::{Keeping, Plan};
use super::space::Space;
use super::{ExportError, ExportOptions, Form, paged};
use crate::pack::Matrices;

/// Bytes of a number.
const NUMBER: u64 = 8;

/// Bytes of a term of an expert's padded list: source, slot, weight.
const TERM: u64 = 4 + 4 + NUMBER;

/// Bytes that ONNX Runtime takes for each byte of the pages that memory begins with, beside the cell in the
/// trace, when it loads a model in loop form: it evaluates beforehand what depends on no input, and holds
/// eight arrays of numbers for a while. It does not do so if one of these arrays would be larger than
/// [`FOLDED`]; then each run holds three of them, see [`BYTE`]. (Measured with version 1.32: 62 to 66 bytes
/// including the cell, 31 beyond the limit.)
const FOLDED_BYTE: u64 = 7 * NUMBER;
/// The same where ONNX Runtime evaluates nothing beforehand.
const BYTE: u64 = 2 * NUMBER;

/// Maximum size in bytes of an array that ONNX Runtime makes beforehand.
const FOLDED: u64 = 1 << 30;

/// Returns how many bytes a run of a network's model takes at least, for one instance, including loading: the
/// expanded weights and tables, and the trace that the run begins with. The memory that the program touches
/// and the runtime itself come on top. In the loop form the size of the memory hardly counts; the step form
/// has a cell for each key from the start, twice unless its input and output are bound to one buffer.
///
/// # Errors
///
/// The errors of [`super::export`] that can occur before the graph is built.
pub fn least_memory(network: &Network, options: &ExportOptions) -> Result<u64, ExportError> {
    let plan = Plan::new(network, &options.entry, options.attention)?;
    let terms = network.experts.len() as u64 * (Matrices::width(network, &plan.results) as u64 + 1);
    let weights = terms * TERM + (network.lookup.len() as u64 + 1) * NUMBER;
    let begin = || {
        let stored = plan.first_rows().bytes.len() as u64;
        match stored * NUMBER <= FOLDED {
            true => stored * FOLDED_BYTE,
            false => stored * BYTE,
        }
    };
    let trace = match (options.form, plan.keeping()) {
        (_, Keeping::Growing(_)) => 2 * network.first_rows.len() as u64 * NUMBER,
        (Form::Step, _) => plan.cells * NUMBER,
        (Form::Loop, Keeping::Resident) => plan.cells * NUMBER + begin(),
        (Form::Loop, Keeping::Paged) => {
            let space = Space::of(&plan);
            let chunk = space.cells() as u64;
            // The chunks that hold first rows, and the first ones, whose pages are resident.
            let mut made = paged::frames(&plan).div_ceil(space.pages) as u64;
            let mut last = made.saturating_sub(1);
            for (key, _) in &network.first_rows {
                if key / chunk > last {
                    last = key / chunk;
                    made += 1;
                }
            }
            // One more chunk for slot 0; the directory has a number for each chunk.
            ((made + 1) * chunk + plan.first_cells() / chunk) * NUMBER + begin()
        }
    };
    Ok(weights + trace)
}
