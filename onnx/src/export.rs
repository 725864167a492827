//! Writes networks as ONNX models.
//!
//! [`export`] is the table of contents: the frozen tensors, the run, its results.

mod arguments;
mod batched;
mod boundary;
mod dense;
mod footprint;
mod given;
mod graph;
mod growing;
mod metadata;
mod paged;
mod phases;
mod plan;
mod resident;
mod single;
mod space;
mod step;
mod tensor_batch;
mod tensors;
mod trace;
mod weights;

use prost::Message;
use prost::encoding::WireType;
use wasm2onnx_certify::{Certified, Summary};
use wasm2onnx_runtime::{Boundary, Network, Terminal, TrapCode, validate};

use crate::prefix;
use crate::proto::{DataType, ModelProto, OperatorSetIdProto};
pub use footprint::least_memory;
use graph::{Graph, Name, Tensor, ValueType};
use phases::RunState;
pub(crate) use plan::STORED_PAGE;
use plan::{Keeping, Plan, Scores};
use step::Frozen;

/// What one run of a model does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// The whole run of the program.
    #[default]
    Loop,
    /// One step.
    Step,
}

/// How a model reads the trace and the tables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Attention {
    /// By index, with one cell for each key.
    #[default]
    Indexed,
    /// By hard attention over all rows. For small programs.
    Dense,
    /// By ONNX's `Attention`, softmax over all rows. For small programs and runs of less than 2^15 rows.
    Softmax,
}

/// How a model is written.
#[derive(Clone, Debug, Default)]
pub struct ExportOptions {
    /// The exported function that the model runs.
    pub entry: String,
    /// What one run of the model does.
    pub form: Form,
    /// How the model reads the trace and the tables.
    pub attention: Attention,
    /// Opset of the model; by default the lowest that has all of its operators.
    pub opset: Option<i64>,
    /// What names in the graph begin with, but for those of the tensors that a signature names, so that models can be merged: letters,
    /// digits, `_`, `-`, `.` and `/`, and first a letter or `_`.
    pub prefix: Option<String>,
    /// Whether the model runs several instances side by side, even if the program has memory or its function takes tensors: for a function
    /// without streams, in loop form with indexed attention. Models of small programs that take no tensors always do.
    pub batch: bool,
    /// Whether to leave out the inputs that have a default, which they keep: `max_steps`, `argv`, `environ`, `files`, `clock`, `seed`. ONNX
    /// Runtime warns of each such input when it loads a model.
    pub without_defaults: bool,
    /// SHA-256 of the module that the network was made from, for its metadata.
    pub source_sha256: Option<[u8; 32]>,
}

/// Why a network could not be written as a model.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The network has no such function.
    #[error("no exported function is called `{name}`; the network exports: {}", available.join(", "))]
    UnknownExport {
        /// The name that was asked for.
        name: String,
        /// The names that exist.
        available: Vec<String>,
    },
    /// The network breaks a structural rule.
    #[error(transparent)]
    Malformed(#[from] wasm2onnx_runtime::Error),
    /// The network's keys leave no room for the cells of row ports.
    #[error("the first region begins at key {first}, but {rows} row ports need the keys below it")]
    Layout {
        /// First key.
        first: u64,
        /// Row ports.
        rows: u64,
    },
    /// The model cannot have the opset that was asked for.
    #[error("this model cannot have opset {version}, only one from {lowest} to {highest}")]
    Opset {
        /// What was asked for.
        version: i64,
        /// The lowest that has all operators.
        lowest: i64,
        /// The newest that models are written for.
        highest: i64,
    },
    /// Softmax attention tells a limited number of rows apart, and this program begins with more.
    #[error("the program begins with {rows} rows, but softmax attention can tell only {limit} apart")]
    TooManyRows {
        /// First rows.
        rows: usize,
        /// The limit.
        limit: usize,
    },
    /// Names cannot begin with the prefix, or that of a tensor of the signature does so by itself.
    #[error(
        "names cannot begin with `{prefix}`: it has other characters than letters, digits, `_`, `-`, `.` and `/`, or a tensor is called so"
    )]
    Prefix {
        /// What was asked for.
        prefix: String,
    },
    /// Only some models run several instances side by side.
    #[error("a batch of calls of `{name}` cannot be made: there are batches only {why}")]
    Batch {
        /// The function that was asked for.
        name: String,
        /// What batches there are.
        why: &'static str,
    },
    /// The step form of a function of tensors would have to be told where each byte of them goes.
    #[error("`{name}` takes tensors, which only the loop form has")]
    StepOfTensors {
        /// The function that was asked for.
        name: String,
    },
    /// No tensor type stands for a reference.
    #[error("`{name}` has a parameter or result of type {ty}, which no tensor can hold")]
    Reference {
        /// The function that was asked for.
        name: String,
        /// The type.
        ty: wasm2onnx_runtime::ValueType,
    },
}

/// Writes a network as an ONNX model: the bytes of a `.onnx` file.
///
/// # Errors
///
/// As [`ExportError`] lists them.
pub fn export(network: &Certified, options: &ExportOptions) -> Result<Vec<u8>, ExportError> {
    write(network, Some(network.summary()), options)
}

/// Writes a network about which nothing is proved; [`import_unproved`](crate::import_unproved) reads such a
/// model. [`import`](crate::import()) proves the certificate, and refuses the model if it cannot. For
/// experiments.
///
/// # Errors
///
/// As [`ExportError`] lists them.
pub fn export_unproved(network: &Network, options: &ExportOptions) -> Result<Vec<u8>, ExportError> {
    write(network, None, options)
}

/// Writes a network. `proved` is the summary of the proof, if the network was proved.
fn write(
    network: &Network,
    proved: Option<&Summary>,
    options: &ExportOptions,
) -> Result<Vec<u8>, ExportError> {
    validate(network)?;
    let plan = Plan::new(network, options)?;
    if let Some(ty) = plan.entry.params.iter().chain(&plan.entry.results).find(|ty| ty.is_reference()) {
        return Err(ExportError::Reference { name: options.entry.clone(), ty: *ty });
    }
    let opset = plan.opset();
    let version = options.opset.unwrap_or(opset);
    if !(opset..=MAX_OPSET).contains(&version) {
        return Err(ExportError::Opset { version, lowest: opset, highest: MAX_OPSET });
    }
    let mut g = Graph::new();
    match options.form {
        Form::Loop => loop_form(&mut g, &plan)?,
        Form::Step if plan.entry.boundary.is_some() => {
            return Err(ExportError::StepOfTensors { name: options.entry.clone() });
        }
        Form::Step => single::build(&mut g, &plan)?,
    }
    let graph = g.finish("wasm2onnx", DOC);
    let mut model = ModelProto {
        ir_version: ir_version(version),
        opset_import: vec![OperatorSetIdProto { version, ..Default::default() }],
        producer_name: "wasm2onnx".into(),
        producer_version: env!("CARGO_PKG_VERSION").into(),
        doc_string: doc(&plan, options),
        metadata_props: metadata::of(&plan, proved, options, &graph),
        graph: Some(graph),
    };
    if let Some(prefix) = &options.prefix {
        let tensors = plan.entry.boundary.iter().flat_map(Boundary::all);
        let kept: Vec<&str> = tensors.map(|spec| &spec.name[..]).collect();
        if !prefix::is_prefix(prefix) || kept.iter().any(|name| name.starts_with(&prefix[..])) {
            return Err(ExportError::Prefix { prefix: prefix.clone() });
        }
        prefix::add(&mut model, prefix, &kept);
    }
    Ok(encode(&mut model))
}

/// Returns the bytes of a model, which afterwards is without its tensors: each of them is freed when it has been written.
fn encode(model: &mut ModelProto) -> Vec<u8> {
    /// The fields of messages that are written here, by their numbers in `onnx.proto`.
    const GRAPH: u32 = 7;
    const INITIALIZER: u32 = 5;
    let mut graph = model.graph.take().unwrap_or_default();
    let tensors = std::mem::take(&mut graph.initializer);
    let prefix = |field| prost::encoding::key_len(field);
    let length = |message: usize| prost::length_delimiter_len(message) + message;
    let of_tensors: usize = tensors.iter().map(|t| prefix(INITIALIZER) + length(t.encoded_len())).sum();
    let of_graph = graph.encoded_len() + of_tensors;
    let mut bytes = Vec::with_capacity(model.encoded_len() + prefix(GRAPH) + length(of_graph));
    // The fields of a message may stand in any order.
    let room = "vectors grow";
    model.encode(&mut bytes).expect(room);
    prost::encoding::encode_key(GRAPH, WireType::LengthDelimited, &mut bytes);
    prost::encode_length_delimiter(of_graph, &mut bytes).expect(room);
    graph.encode(&mut bytes).expect(room);
    for tensor in tensors {
        prost::encoding::encode_key(INITIALIZER, WireType::LengthDelimited, &mut bytes);
        tensor.encode_length_delimited(&mut bytes).expect(room);
    }
    bytes
}

/// A number of steps that no run reaches. Sums with it do not overflow.
const UNLIMITED: i64 = 1 << 62;

/// The newest opset that models were tested with.
const MAX_OPSET: i64 = 26;

/// Returns the version of the format that came with an opset.
fn ir_version(opset: i64) -> i64 {
    match opset {
        ..=18 => 8,
        19..=20 => 9,
        21..=22 => 10,
        23 => 11,
        24 => 12,
        _ => 13,
    }
}

const DOC: &str = "A WebAssembly program as a frozen transformer: its weights are the program's instructions, attention \
    over the trace is its memory, and decoding runs it. This graph is the same for every program; the program is in \
    the initializers. The groups of nodes are: arguments and results at the boundary; what is expanded and frozen \
    before the first step; the step.";

/// Returns what a model is, how it is called and where its memory is.
fn doc(plan: &Plan, options: &ExportOptions) -> String {
    let call = match options.form {
        Form::Loop if plan.entry.boundary.is_some() => {
            "A run takes the tensors that the function's signature names (of many calls at once if they have a dimension `batch`), and gives those \
             that it names, and why it ended as `trap` (0 if it did not trap)."
        }
        Form::Loop => {
            "A run takes the function's arguments as `arg0`, `arg1`, … and what the program reads as `stdin`, `argv`, \
             `environ` and `files`, and gives its results as `result0`, …, why it ended as `trap` (0 if it did not trap), \
             and what it printed."
        }
        Form::Step => {
            "A run evaluates one step: it takes `expert`, `numbers` and `past.trace`, first those called `initial.…`, and \
             gives `next_expert`, `next_numbers` and `present.trace`."
        }
    };
    let memory = match options.attention {
        Attention::Indexed => {
            "Its memory is the trace of the rows that its steps append; a row is found by its key, since there is one cell \
             for each key (in models that are written with dense or softmax attention, by attention over all rows)."
        }
        Attention::Dense => {
            "Its memory is the trace of the rows that its steps append, which each step reads by hard attention over all rows."
        }
        Attention::Softmax => {
            "Its memory is the trace of the rows that its steps append, which each step reads by softmax attention over all \
             rows (the operator Attention)."
        }
    };
    format!(
        "A WebAssembly program as a transformer that is made for it alone: its weights are the program's instructions, and \
         decoding runs it. {call} {memory}"
    )
}

/// Writes the whole run as one graph.
fn loop_form(g: &mut Graph, plan: &Plan) -> Result<(), ExportError> {
    let batched = plan.keeping() == Keeping::Batched;
    let boundary = plan.entry.boundary.as_ref();
    let tensors = boundary.filter(|_| !batched).map(|boundary| tensors::inputs(g, plan, boundary));
    let batches = boundary.filter(|_| batched).map(|boundary| tensor_batch::inputs(g, boundary));
    let params = match (&tensors, &batches) {
        (Some(tensors), _) => tensors.params.clone(),
        (_, Some(batches)) => batches.params.clone(),
        (None, None) => arguments::inputs(g, plan.entry, plan.batch()),
    };
    let (words, batch) = arguments::words(g, plan.entry, &params);
    let batch = batches.as_ref().and_then(|batches| batches.calls.clone()).unwrap_or(batch);
    // A function of tensors has the inputs that its signature names; ONNX Runtime warns of each input with a default.
    // Nor does a batch have this one, since its instances do not take their steps together.
    let is_input = boundary.is_none() && !batched && plan.has_defaults;
    let ty = ValueType::tensor(DataType::Int64, &[]);
    let max_steps = g.with_default("max_steps", ty, Tensor::scalar(UNLIMITED), is_input);
    let max_steps = boundary::limit(g, &max_steps, UNLIMITED);
    let given =
        |g: &mut Graph| given::new(g, plan, tensors.as_ref().and_then(|tensors| tensors.bytes.as_deref()));
    let frozen = frozen(g, plan, &batch);
    let starts = starts(g, plan, words.as_deref(), &batch);
    let run = |g: &mut Graph, first, phase: &mut dyn FnMut(&mut Graph, RunState) -> RunState| {
        g.group("run", "Decodes: instance creation, then the call.", |g| {
            phases::run(g, plan, &frozen, &starts, first, phase)
        })
    };
    let (last, memory) = match plan.keeping() {
        Keeping::Resident => {
            let first = trace::first_rows(g, plan);
            let first = trace::resident(g, plan, &first, &batch);
            let last = run(g, first, &mut |g, state| resident::run(g, plan, &frozen, &max_steps, state));
            let memory = boundary::Memory::Cells(last.trace[0].clone());
            (last, memory)
        }
        Keeping::Batched => {
            // Tensors begin where the region of what is given begins, since there is nothing else.
            let bytes = batches.as_ref().and_then(|batches| batches.bytes.as_deref());
            let bytes = bytes.filter(|_| plan.network.io.tensors.is_some());
            let (first, all) = batched::first_trace(g, plan, bytes, &batch);
            let last = run(g, first, &mut |g, state| batched::run(g, plan, &frozen, &all, state));
            let memory = boundary::Memory::Batched(Box::new(all), last.trace.clone());
            (last, memory)
        }
        Keeping::Paged => {
            let given = given(g);
            let (first, space) = paged::first_trace(g, plan, &given);
            let last = run(g, first, &mut |g, state| paged::run(g, plan, &frozen, &max_steps, &space, state));
            let memory = boundary::Memory::Paged(last.trace.clone());
            (last, memory)
        }
        Keeping::Growing(scores) => {
            let given = given(g);
            let (first, rows) = trace::growing(g, plan, &given, &batch);
            let tables = dense::tables(g, scores, &frozen);
            let max_steps = match scores {
                Scores::Softmax => dense::limit(g, plan, &rows, &max_steps)?,
                Scores::Hard => max_steps,
            };
            let last = run(g, first, &mut |g, state| {
                growing::run(g, plan, &frozen, (scores, &tables), &max_steps, state)
            });
            let memory = boundary::Memory::Rows(scores, last.trace[0].clone());
            (last, memory)
        }
    };
    let results = boundary::results(g, plan, &frozen, &last, &memory);
    if let Some(both) = boundary.zip(tensors.as_ref()) {
        tensors::outputs(g, plan, &frozen, &memory, both, &results);
    }
    if let (boundary::Memory::Batched(all, trace), Some(both)) = (&memory, boundary.zip(batches.as_ref())) {
        tensor_batch::outputs(g, plan, (all, trace), both, &results, &batch);
    }
    let io = &plan.network.io;
    for (name, doc, place) in [
        ("stdout", "What the program printed.", io.stdout),
        ("stderr", "What the program printed to standard error.", io.stderr),
    ] {
        if let Some((region, length)) = place {
            let first = plan.network.regions[region].first;
            boundary::printed(g, plan, &frozen, &memory, (name, doc), (first, length));
        }
    }
    if let Some(key) = io.exit_code {
        let doc = "The exit status; 0 if the program has not ended itself.";
        boundary::word(g, plan, &frozen, &memory, ("exit_code", doc), (key, DataType::Int32));
    }
    if let (Some(key), Some(_)) = (io.error, &plan.entry.boundary) {
        let doc = "The negative number that the function has returned as an error, or the number of a tensor that its type in WIT does \
                   not allow, counted from 1 on, inputs first; 0 if there is none.";
        boundary::word(g, plan, &frozen, &memory, ("error", doc), (key, DataType::Int64));
    }
    Ok(())
}

/// Expands what is frozen, and makes the constants of a step.
fn frozen(g: &mut Graph, plan: &Plan, batch: &str) -> Frozen {
    let matrices = weights::matrices(g, plan);
    let lookup = weights::tables(g, plan.network);
    let terminals = plan.network.terminals.len();
    let dead = g.initializer("limits/terminals", Tensor::list(&[terminals as i64]));
    let others = (plan.network.experts.len() - terminals) as i64;
    let others = g.initializer("limits/others", Tensor::list(&[others]));
    let count = plan.count(g);
    let single = g.initializer("const/single", Tensor::list(&[1i64]));
    let pair = g.initializer("const/pair", Tensor::list(&[1i64, 1]));
    g.group("frozen", "Constants of a step: zeros, ones, which experts are not terminal.", |g| {
        let dead = g.filled("terminal", &dead, 0i64);
        let others = g.filled("other", &others, 1i64);
        let live = g.along("live", "Concat", 0, &[&dead, &others]);
        let column = g.along("column", "Concat", 0, &[batch, &single]);
        let row = g.along("row", "Concat", 0, &[batch, &pair]);
        let shape = g.along("shape", "Concat", 0, &[batch, &count]);
        Frozen {
            matrices,
            lookup,
            live,
            batch: batch.to_owned(),
            one: g.filled("one", &column, 1f64),
            zero: g.filled("zero", &shape, 0f64),
            zero_row: g.filled("zero.row", &row, 0f64),
            no_steps: g.filled("zero.batch", batch, 0i64),
        }
    })
}

/// Makes what the phases begin with: double [batch, phases, numbers and expert].
fn starts(g: &mut Graph, plan: &Plan, words: Option<&str>, batch: &str) -> Name {
    let mut creation = vec![0.0; plan.slots.count() + 1];
    // If nothing runs at instance creation, its phase begins with expert 1, which halts.
    *creation.last_mut().expect("there is the expert") = plan.network.start.unwrap_or(1).into();
    let creation = g.initializer("initial/creation", Tensor::row(&creation));
    let others = arguments::first_numbers(g, plan, words, batch);
    let count = plan.count(g);
    let second = g.initializer("const/axis", Tensor::list(&[1i64]));
    g.group("starts", "What each phase begins with: instance creation, then the arguments.", |g| {
        let shape = g.along("shape", "Concat", 0, &[batch, &count]);
        let creation = g.plain("creation", "Expand", &[&creation, &shape]);
        let creation = g.plain("creation.phase", "Unsqueeze", &[&creation, &second]);
        g.along("all", "Concat", 1, &[&creation, &others])
    })
}

/// Returns the code of a terminal expert in the output `trap`; −1 for the state that no certified run
/// reaches.
fn trap_code(terminal: Terminal) -> i64 {
    match terminal {
        Terminal::Halt => 0,
        Terminal::Unreachable => -1,
        Terminal::Trap { code: TrapCode::Exit, .. } => 0,
        Terminal::Trap { code, .. } => code as i64,
    }
}
