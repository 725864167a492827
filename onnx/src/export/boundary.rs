//! From the network's numbers to the caller's tensors: results and printed bytes. [`super::arguments`] is the
//! other direction.
//!
//! The nodes that make values and bytes depend on the program's signature, so they are not part of the graph
//! that all programs share. They do none of the program's computation: they take words from fields and rows,
//! and convert types.

use crate::proto::DataType;
use wasm2onnx_runtime::{ValueType as WasmType, WordLocation};

use super::arguments::{self, TYPES, bit_cast, onnx_type};
use super::batched::{self, Batch};
use super::dense;
use super::graph::{Dim, Graph, Name, Tensor, ValueType};
use super::paged;
use super::phases::RunState;
use super::plan::{Plan, Scores};
use super::step::{self, Frozen};

/// Makes the number of steps that are allowed, which is from 0 to `most` whatever the caller says: int64
/// scalar.
pub fn limit(g: &mut Graph, max_steps: &str, most: i64) -> Name {
    let none = g.initializer("const/zero", Tensor::scalar(0i64));
    let most = g.initializer("const/unlimited", Tensor::scalar(most));
    g.group("allowed", "How many steps are allowed: none if the number is negative.", |g| {
        let some = g.plain("some", "Max", &[max_steps, &none]);
        g.plain("steps", "Min", &[&some, &most])
    })
}

/// The trace that a run leaves.
pub enum Memory {
    /// One cell for each key: double [batch, cells].
    Cells(Name),
    /// All rows, which are read by attention.
    Rows(Scores, Name),
    /// The values that a paged run carries.
    Paged(Vec<Name>),
    /// The values that a batch carries.
    Batched(Box<Batch>, Vec<Name>),
}

impl Memory {
    /// Reads what it holds at keys, int64 [n]: double [batch, n].
    fn read(&self, g: &mut Graph, plan: &Plan, frozen: &Frozen, role: &'static str, keys: &str) -> Name {
        match self {
            Memory::Cells(cells) => g.along(role, "Gather", 1, &[cells, keys]),
            Memory::Paged(trace) => paged::read(g, plan, trace, role, keys),
            Memory::Batched(batch, trace) => batched::read(g, plan, batch, trace, role, keys),
            Memory::Rows(scores, rows) => {
                let count = g.plain(&format!("{role}.count"), "Shape", &[keys]);
                let shape = g.along(&format!("{role}.shape"), "Concat", 0, &[&frozen.batch, &count]);
                let keys = g.cast(&format!("{role}.key"), keys, DataType::Double);
                let keys = g.plain(&format!("{role}.keys"), "Expand", &[&keys, &shape]);
                dense::read(g, *scores, frozen, rows, &keys, role)
            }
        }
    }
}

/// Makes the outputs `trap` and `steps`, and `result…` unless the function is one of tensors. Returns the results.
pub fn results(g: &mut Graph, plan: &Plan, frozen: &Frozen, ending: &RunState, memory: &Memory) -> Vec<Name> {
    let Plan { network, entry, slots, .. } = plan;
    let batch = plan.batch();
    let codes: Vec<i64> = network.terminals.iter().map(|terminal| super::trap_code(*terminal)).collect();
    let terminals = g.initializer("traps/terminals", Tensor::scalar(codes.len() as i64));
    let last_terminal = g.initializer("traps/last", Tensor::scalar(codes.len() as i64 - 1));
    let codes = g.initializer("traps/codes", Tensor::list(&codes));
    let limit_code =
        g.initializer("traps/limit", Tensor::scalar(wasm2onnx_runtime::TrapCode::StepLimit as i64));
    let column = g.initializer("const/column", Tensor::list(&[-1i64, 1]));
    let expert_slot = g.initializer("limits/expert.slot", Tensor::list(&[slots.count() as i64]));
    let halt = g.initializer("traps/halt", Tensor::scalar(1i64));
    let [trap, done] = g.group("ending", "Why the run ended: the terminal expert, or the step limit.", |g| {
        let expert = g.along("expert.number", "Gather", 1, &[&ending.z, &expert_slot]);
        let expert = step::expert(g, plan, &expert);
        let named = g.plain("terminal", "Min", &[&expert, &last_terminal]);
        let code = g.plain("code", "Gather", &[&codes, &named]);
        let live = g.plain("live", "GreaterOrEqual", &[&expert, &terminals]);
        [g.plain("trap", "Where", &[&live, &limit_code, &code]), g.plain("done", "Equal", &[&expert, &halt])]
    });
    let outputs = g.group(
        "values",
        "The results' words as values of their types; 0 unless the function returned.",
        |g| {
            let mut outputs = Vec::new();
            if !entry.results.is_empty() {
                let done = g.plain("done.column", "Reshape", &[&done, &column]);
                let words = result_words(g, plan, frozen, ending, memory);
                values(g, &entry.results, &words, &done, &mut outputs);
            }
            outputs.push(("trap".into(), DataType::Int64, trap.clone()));
            outputs.push(("steps".into(), DataType::Int64, ending.steps.clone()));
            outputs
        },
    );
    let results = entry.results.len();
    let values = outputs[..results].iter().map(|(_, _, value)| value.clone()).collect();
    let outputs = outputs.into_iter().skip(if entry.boundary.is_some() { results } else { 0 });
    for (name, ty, value) in outputs {
        g.output(&name, ValueType::tensor(ty, &[batch]), &value);
    }
    values
}

/// Makes the words of the results, in the order of [`arguments::order`]: int64 [batch, words].
fn result_words(g: &mut Graph, plan: &Plan, frozen: &Frozen, ending: &RunState, memory: &Memory) -> Name {
    let locations = &plan.entry.result_locations;
    let rows: Vec<i64> = locations
        .iter()
        .filter_map(|location| match location {
            WordLocation::Row(key) => Some(*key as i64),
            WordLocation::Field(_) => None,
        })
        .collect();
    // The values of rows stand behind the numbers and the expert.
    let mut next_row = plan.slots.count() as i64..;
    let at: Vec<i64> = locations
        .iter()
        .map(|location| match location {
            WordLocation::Field(field) => plan.slots.of(*field) as i64,
            WordLocation::Row(_) => next_row.next().expect("numbers do not end") + 1,
        })
        .collect();
    let at: Vec<i64> = arguments::order(&plan.entry.results).into_iter().map(|word| at[word]).collect();
    let at = g.initializer("results/places", Tensor::list(&at));
    let all = match rows.is_empty() {
        true => ending.z.clone(),
        false => {
            let keys = g.initializer("results/keys", Tensor::list(&rows));
            let rows = memory.read(g, plan, frozen, "rows", &keys);
            g.along("all", "Concat", 1, &[&ending.z, &rows])
        }
    };
    let words = g.along("words.number", "Gather", 1, &[&all, &at]);
    g.cast("words", &words, DataType::Int64)
}

/// Makes values of these types from their words, 0 where `done` is not true, and appends name, type and value
/// of each to `outputs`.
fn values(
    g: &mut Graph,
    types: &[WasmType],
    words: &str,
    done: &str,
    outputs: &mut Vec<(String, DataType, Name)>,
) {
    let span = g.initializer("const/2^32", Tensor::scalar(1i64 << 32));
    let half = g.initializer("const/2^31", Tensor::scalar(1i64 << 31));
    let axis = g.initializer("const/axis", Tensor::list(&[1i64]));
    let signed = |g: &mut Graph, part: &str, word: &str| signed(g, part, word, &half, &span);
    let mut first = 0;
    let mut converted = vec![None; types.len()];
    for (ty, name) in TYPES {
        let of_type: Vec<usize> = (0..types.len()).filter(|i| types[*i] == ty).collect();
        let count = of_type.len() as i64;
        if count == 0 {
            continue;
        }
        let mut part = |g: &mut Graph, part: &str| {
            let begin = g.initializer(&format!("results/{name}.{part}"), Tensor::list(&[first]));
            first += count;
            let end = g.initializer(&format!("results/{name}.{part}.end"), Tensor::list(&[first]));
            g.plain(&format!("{name}.{part}"), "Slice", &[words, &begin, &end, &axis])
        };
        let low = part(g, "low");
        let bits = match ty.words() {
            1 => {
                let low = signed(g, &format!("{name}.low"), &low);
                g.cast(&format!("{name}.bits"), &low, DataType::Int32)
            }
            _ => {
                let high = part(g, "high");
                let high = signed(g, &format!("{name}.high"), &high);
                let high = g.plain(&format!("{name}.high.shifted"), "Mul", &[&high, &span]);
                g.plain(&format!("{name}.bits"), "Add", &[&high, &low])
            }
        };
        let none = g.plain(&format!("{name}.none"), "Sub", &[&bits, &bits]);
        let bits = g.plain(&format!("{name}.after"), "Where", &[done, &bits, &none]);
        let all = match ty {
            WasmType::F32 | WasmType::F64 => bit_cast(g, &format!("{name}.float"), &bits, onnx_type(ty)),
            _ => bits,
        };
        for (column, i) in of_type.into_iter().enumerate() {
            let column = g.initializer(&format!("results/column.{column}"), Tensor::scalar(column as i64));
            converted[i] = Some(g.along(&format!("{i}"), "Gather", 1, &[&all, &column]));
        }
    }
    for (i, (ty, value)) in types.iter().zip(converted).enumerate() {
        outputs.push((format!("result{i}"), onnx_type(*ty), value.expect("every type is one of them")));
    }
}

/// Makes an output of printed bytes: those from the key `first` on, as many as the cell `length` says.
pub fn printed(
    g: &mut Graph,
    plan: &Plan,
    frozen: &Frozen,
    memory: &Memory,
    (name, doc): (&'static str, &'static str),
    place: (u64, u64),
) {
    let bytes = bytes(g, plan, frozen, memory, (name, doc), place);
    g.output(name, ValueType::tensor(DataType::Uint8, &[Dim::Named(name)]), &bytes);
}

/// Makes bytes, uint8 [n]: those from the key `first` on, as many as the cell `length` says.
pub fn bytes(
    g: &mut Graph,
    plan: &Plan,
    frozen: &Frozen,
    memory: &Memory,
    (name, doc): (&'static str, &'static str),
    (first, length): (u64, u64),
) -> Name {
    let length = g.initializer(&format!("{name}/length"), Tensor::list(&[length as i64]));
    let scalar = g.initializer("const/scalar", Tensor::list::<i64>(&[]));
    g.group(name, doc, |g| {
        let count = memory.read(g, plan, frozen, "count.cell", &length);
        let count = g.plain("count.scalar", "Reshape", &[&count, &scalar]);
        let count = g.cast("count", &count, DataType::Int64);
        match memory {
            Memory::Paged(trace) => paged::bytes(g, plan, trace, name, first, &count),
            Memory::Batched(..) => {
                unreachable!("what prints has no batches, and tensors are read by themselves")
            }
            Memory::Cells(_) | Memory::Rows(..) => {
                let first = g.initializer(&format!("{name}/first"), Tensor::scalar(first as i64));
                let one = g.initializer("const/one", Tensor::scalar(1i64));
                let flat = g.initializer("const/flat", Tensor::list(&[-1i64]));
                let end = g.plain("end", "Add", &[&first, &count]);
                let keys = g.plain("key", "Range", &[&first, &end, &one]);
                let bytes = memory.read(g, plan, frozen, "cells", &keys);
                let bytes = g.plain("flat", "Reshape", &[&bytes, &flat]);
                g.cast("bytes", &bytes, DataType::Uint8)
            }
        }
    })
}

/// Makes the output `exit_code` or `error`: the word at a key as a signed number.
pub fn word(
    g: &mut Graph,
    plan: &Plan,
    frozen: &Frozen,
    memory: &Memory,
    (name, doc): (&'static str, &'static str),
    (key, ty): (u64, DataType),
) {
    let key = g.initializer(&format!("{name}/key"), Tensor::list(&[key as i64]));
    let flat = g.initializer("const/flat", Tensor::list(&[-1i64]));
    let span = g.initializer("const/2^32", Tensor::scalar(1i64 << 32));
    let half = g.initializer("const/2^31", Tensor::scalar(1i64 << 31));
    let number = g.group(name, doc, |g| {
        let word = memory.read(g, plan, frozen, "word.cell", &key);
        let word = g.plain("word.flat", "Reshape", &[&word, &flat]);
        let word = g.cast("word", &word, DataType::Int64);
        let signed = signed(g, "word", &word, &half, &span);
        if ty == DataType::Int64 { signed } else { g.cast("number", &signed, ty) }
    });
    g.output(name, ValueType::tensor(ty, &[plan.batch()]), &number);
}

/// Makes a signed number of a word, int64.
pub fn signed(g: &mut Graph, part: &str, word: &str, half: &str, span: &str) -> Name {
    // Only numbers in range are cast, since ONNX Runtime may merge two consecutive casts.
    let up = g.plain(&format!("{part}.up"), "Add", &[word, half]);
    let wrapped = g.plain(&format!("{part}.wrapped"), "Mod", &[&up, span]);
    g.plain(&format!("{part}.signed"), "Sub", &[&wrapped, half])
}
