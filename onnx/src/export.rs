//! Networks as ONNX models.
//!
//! [`export`] is the table of contents: what is frozen, the run, its results.

mod boundary;
mod graph;
mod paged;
mod phases;
mod plan;
mod resident;
mod step;
mod trace;
mod weights;

use prost::Message;
use wasm2onnx_runtime::{Network, Terminal};

use crate::proto::{DataType, ModelProto, OperatorSetIdProto};
use graph::{Graph, Name, Tensor, ValueType};
use plan::Plan;
use step::Frozen;

/// How a model is written.
#[derive(Clone, Debug, Default)]
pub struct ExportOptions {
    /// The exported function that the model runs.
    pub entry: String,
}

/// Why a network could not be written as a model.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The network has no such function.
    #[error("no exported function is called `{name}`")]
    UnknownExport {
        /// The name that was asked for.
        name: String,
        /// The names that exist.
        available: Vec<String>,
    },
    /// The network's keys leave no room for the cells of row ports.
    #[error("the first region begins at key {first}, but {rows} row ports need the keys below it")]
    Layout {
        /// First key.
        first: u64,
        /// Row ports.
        rows: u64,
    },
    /// More cells than a tensor can have.
    #[error("a trace of {cells} cells is too large")]
    TooLarge {
        /// Cells.
        cells: u64,
    },
    /// More words of arguments than a run can begin with.
    #[error("{words} words of arguments are too many")]
    TooManyArguments {
        /// Words of all arguments.
        words: usize,
    },
}

/// Writes a network as an ONNX model: the bytes of a `.onnx` file.
///
/// # Errors
///
/// As [`ExportError`] lists them.
pub fn export(network: &Network, options: &ExportOptions) -> Result<Vec<u8>, ExportError> {
    let plan = Plan::new(network, &options.entry)?;
    let mut g = Graph::new();
    loop_form(&mut g, &plan)?;
    let graph = g.finish("wasm2onnx", DOC);
    let model = ModelProto {
        ir_version: 8,
        opset_import: vec![OperatorSetIdProto { version: plan.opset(), ..Default::default() }],
        producer_name: "wasm2onnx".into(),
        producer_version: env!("CARGO_PKG_VERSION").into(),
        graph: Some(graph),
        ..Default::default()
    };
    Ok(model.encode_to_vec())
}

const DOC: &str = "A program as a frozen transformer.";

/// The whole run in one graph.
fn loop_form(g: &mut Graph, plan: &Plan) -> Result<(), ExportError> {
    let call = boundary::Arguments::of(plan.network, plan.entry)?;
    let batch_dim = plan.batch();
    let (words, batch) = boundary::arguments(g, plan.entry, batch_dim);
    let max_steps = g.input("max_steps", ValueType::tensor(DataType::Int64, &[]));
    g.initializer("max_steps", Tensor::scalar(1i64 << 62));
    let frozen = frozen(g, plan, &batch, max_steps);
    let starts = starts(g, plan, &call, words.as_deref(), &batch);
    let first = trace::first_rows(g, plan);
    let run = "Decodes: instance creation, then the call.";
    let (last, cells) = if plan.is_resident() {
        let first = trace::resident(g, plan, &first, &batch);
        let last = g.group("run", run, |g| {
            phases::run(g, plan, &frozen, &starts, first, |g, state| resident::run(g, plan, &frozen, state))
        });
        let cells = last.trace[0].clone();
        (last, cells)
    } else {
        let stdin = trace::stdin(g, plan);
        let (cells, last_cell) = trace::paged(g, plan, &first, &stdin);
        let first = paged::first_trace(g, plan, &cells);
        let last = g.group("run", run, |g| {
            phases::run(g, plan, &frozen, &starts, first, |g, state| {
                paged::run(g, plan, &frozen, &last_cell, state)
            })
        });
        let cells = paged::cells(g, &last.trace);
        (last, cells)
    };
    let ending =
        boundary::Ending { z: &last.z, trace: &cells, steps: &last.steps, max_steps: &frozen.max_steps };
    boundary::results(g, plan.network, plan.entry, &ending, batch_dim);
    if let Some((region, length)) = plan.network.io.stdout {
        boundary::stdout(g, &cells, plan.network.regions[region].first, length);
    }
    Ok(())
}

/// Expands what is frozen, and makes the constants of a step.
fn frozen(g: &mut Graph, plan: &Plan, batch: &str, max_steps: Name) -> Frozen {
    let matrices = weights::matrices(g, &plan.matrices, &plan.slots);
    let lookup = weights::tables(g, plan.network);
    let terminals = plan.network.terminals.len();
    let dead = g.initializer("limits/terminals", Tensor::list(&[terminals as i64]));
    let others = (plan.network.experts.len() - terminals) as i64;
    let others = g.initializer("limits/others", Tensor::list(&[others]));
    let count = plan.count(g);
    let single = g.initializer("const/single", Tensor::list(&[1i64]));
    g.group("frozen", "Constants of a step: zeros, ones, which experts are not terminal.", |g| {
        let dead = g.filled("terminal", &dead, 0i64);
        let others = g.filled("other", &others, 1i64);
        let live = g.along("live", "Concat", 0, &[&dead, &others]);
        let column = g.along("column", "Concat", 0, &[batch, &single]);
        let shape = g.along("shape", "Concat", 0, &[batch, &count]);
        let one = g.filled("one", &column, 1f64);
        let zero = g.filled("zero", &shape, 0f64);
        let no_steps = g.filled("zero.batch", batch, 0i64);
        Frozen { matrices, lookup, live, one, zero, no_steps, max_steps }
    })
}

/// What the phases begin with: double [2, batch, numbers].
fn starts(g: &mut Graph, plan: &Plan, call: &boundary::Arguments, words: Option<&str>, batch: &str) -> Name {
    let numbers: Vec<f64> = call.numbers.iter().copied().chain([plan.entry.expert.into()]).collect();
    let numbers = g.initializer("initial/call", Tensor::row(&numbers));
    let mut creation = vec![0.0; plan.slots.count() + 1];
    // A program that does nothing at its creation has halted.
    *creation.last_mut().expect("there is the expert") = plan.network.start.unwrap_or(1).into();
    let creation = g.initializer("initial/creation", Tensor::row(&creation));
    let count = plan.count(g);
    let call = boundary::first_numbers(g, call, words, batch, &numbers, &count);
    let front = g.initializer("const/front", Tensor::list(&[0i64]));
    g.group("starts", "What both phases begin with.", |g| {
        let shape = g.along("shape", "Concat", 0, &[batch, &count]);
        let creation = g.plain("creation", "Expand", &[&creation, &shape]);
        let creation = g.plain("creation.front", "Unsqueeze", &[&creation, &front]);
        let call = g.plain("call.front", "Unsqueeze", &[&call, &front]);
        g.along("all", "Concat", 0, &[&creation, &call])
    })
}

/// The code of a terminal expert in the output `trap`; −1 for the state that no certified run reaches.
fn trap_code(terminal: Terminal) -> i64 {
    match terminal {
        Terminal::Halt => 0,
        Terminal::Unreachable => -1,
        Terminal::Trap { code, .. } => code as i64,
    }
}
