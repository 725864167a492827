//! The caller's arguments as words in the numbers that a run begins with.
//!
//! These nodes depend on the program's signature, so they are not part of the graph that all programs share.
//! They do none of the program's computation: they convert types and put words into fields.

use crate::proto::DataType;
use wasm2onnx_runtime::{Entry, Network, ValueType as WasmType, WordLocation};

use super::graph::{Attribute, Dim, Graph, Name, Tensor, ValueType};
use super::plan::Plan;
use crate::pack::Slots;

/// Returns ONNX's type for values of a WebAssembly type.
pub fn onnx_type(ty: WasmType) -> DataType {
    match ty {
        WasmType::I32 => DataType::Int32,
        WasmType::I64 => DataType::Int64,
        WasmType::F32 => DataType::Float,
        WasmType::F64 => DataType::Double,
        WasmType::FuncRef | WasmType::ExternRef => unreachable!("refused before anything is written"),
    }
}

/// Types that arguments and results may have. Values of one type are converted together.
pub const TYPES: [(WasmType, &str); 4] =
    [(WasmType::I32, "i32"), (WasmType::I64, "i64"), (WasmType::F32, "f32"), (WasmType::F64, "f64")];

/// Where the words of the arguments go, and the other numbers that a run begins with.
pub struct Arguments {
    /// Where each word of the arguments goes.
    pub words: Vec<Word>,
    /// For each phase after instance creation, the numbers that it begins with (without these words) and,
    /// behind them, its expert. The last phase is the call.
    pub phases: Vec<Vec<f64>>,
}

/// Where a word of the arguments goes.
#[derive(Clone, Copy)]
pub struct Word {
    /// Index of the phase that it is for.
    pub phase: usize,
    /// Its slot in the numbers that this phase begins with.
    pub slot: usize,
    /// The key of its row; `None` if it is in a field.
    pub key: Option<u64>,
}

impl Arguments {
    /// Decides where the arguments go. Arguments in fields are there when the call begins; those in rows are
    /// appended by the call's first step, so they are put into row ports. If there are more such arguments
    /// than ports, phases before the call append the others: these phases begin at `halt`, which appends its
    /// rows and evaluates nothing.
    pub fn of(network: &Network, entry: &Entry) -> Arguments {
        let (ports, slots) = (&network.ports, Slots(network.ports));
        let in_rows =
            entry.param_locations.iter().filter(|location| matches!(location, WordLocation::Row(_))).count();
        let before = in_rows.saturating_sub(1) / usize::from(ports.rows).max(1);
        let mut phases = vec![vec![0.0; slots.count() + 1]; before + 1];
        for (phase, numbers) in phases.iter_mut().enumerate() {
            let expert = if phase == before { entry.expert } else { HALT };
            numbers[slots.count()] = expert.into();
        }
        // The call takes the first arguments.
        let mut rows = (0..=before).rev().flat_map(|phase| (0..ports.rows).map(move |row| (phase, row)));
        let mut word = |location: &WordLocation| match *location {
            WordLocation::Field(field) => Word { phase: before, slot: slots.of(field), key: None },
            WordLocation::Row(key) => {
                let (phase, row) = rows.next().expect("there are phases for all rows");
                phases[phase][slots.of(ports.k(row))] = key as f64;
                Word { phase, slot: slots.of(ports.x(row)), key: Some(key) }
            }
        };
        let words = entry.param_locations.iter().map(&mut word).collect();
        Arguments { words, phases }
    }

    /// Returns the number of phases between instance creation and the call.
    pub fn before(&self) -> usize {
        self.phases.len() - 1
    }

    /// Returns the numbers that the call begins with, without its expert.
    pub fn call(&self) -> &[f64] {
        let call = self.phases.last().expect("the call is one");
        &call[..call.len() - 1]
    }

    /// Returns whether a word is among the numbers that the call begins with.
    pub fn in_call(&self, word: &Word) -> bool {
        word.phase == self.before()
    }
}

/// The expert that ends a run without a trap.
const HALT: u32 = 1;

/// Makes the inputs `arg…`, one for each parameter.
pub fn inputs(g: &mut Graph, entry: &Entry, batch: Dim) -> Vec<Name> {
    let input = |(i, ty): (usize, &WasmType)| {
        g.input(&format!("arg{i}"), ValueType::tensor(onnx_type(*ty), &[batch]))
    };
    entry.params.iter().enumerate().map(input).collect()
}

/// Makes the arguments, each [batch], into words, double [batch, words], and gives the number of instances, int64 [1].
pub fn words(g: &mut Graph, entry: &Entry, inputs: &[Name]) -> (Option<Name>, Name) {
    let span = g.initializer("const/2^32", Tensor::scalar(1i64 << 32));
    let column = g.initializer("const/column", Tensor::list(&[-1i64, 1]));
    let single = g.initializer("const/single", Tensor::list(&[1i64]));
    g.group(
        "words",
        "The arguments as words of 32 bits: of each type all low words, then all high ones.",
        |g| {
            let mut words = Vec::new();
            for (ty, name) in TYPES {
                let mut columns = Vec::new();
                for (i, input) in inputs.iter().enumerate().filter(|(i, _)| entry.params[*i] == ty) {
                    columns.push(g.plain(&format!("{i}.column"), "Reshape", &[input, &column]));
                }
                if columns.is_empty() {
                    continue;
                }
                let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
                let all = g.along(name, "Concat", 1, &columns);
                let bits = match ty {
                    WasmType::F32 => bit_cast(g, &format!("{name}.bits"), &all, DataType::Int32),
                    WasmType::F64 => bit_cast(g, &format!("{name}.bits"), &all, DataType::Int64),
                    _ => all,
                };
                let wide = g.cast(&format!("{name}.wide"), &bits, DataType::Int64);
                if ty.words() == 1 {
                    let low = g.plain(&format!("{name}.low"), "Mod", &[&wide, &span]);
                    words.push(g.cast(&format!("{name}.low.number"), &low, DataType::Double));
                    continue;
                }
                let [low, high] = halves(g, name, &wide);
                words.push(g.cast(&format!("{name}.low.number"), &low, DataType::Double));
                words.push(g.cast(&format!("{name}.high.number"), &high, DataType::Double));
            }
            let batch = match inputs.first() {
                Some(input) => g.plain("batch", "Shape", &[input]),
                None => g.plain("batch", "Identity", &[&single]),
            };
            let parts: Vec<&str> = words.iter().map(String::as_str).collect();
            let words = (!parts.is_empty()).then(|| g.along("words", "Concat", 1, &parts));
            (words, batch)
        },
    )
}

/// Returns the words of values of these types in the order in which they are converted: for each type all low
/// words, then all high ones. A word is given by its index when all words stand in the order of the values.
pub fn order(types: &[WasmType]) -> Vec<usize> {
    let mut order = Vec::new();
    for (ty, _) in TYPES {
        for part in 0..ty.words() {
            let mut first = 0;
            for other in types {
                if *other == ty {
                    order.push(first + part);
                }
                first += other.words();
            }
        }
    }
    order
}

/// Makes the low and the high word of integers of 64 bits; those of a negative number are those of its two's complement.
pub fn halves(g: &mut Graph, role: &str, wide: &str) -> [Name; 2] {
    let span = g.initializer("const/2^32", Tensor::scalar(1i64 << 32));
    let low = g.plain(&format!("{role}.low"), "Mod", &[wide, &span]);
    let rest = g.plain(&format!("{role}.rest"), "Sub", &[wide, &low]);
    let high = g.plain(&format!("{role}.high.signed"), "Div", &[&rest, &span]);
    let high = g.plain(&format!("{role}.high"), "Mod", &[&high, &span]);
    [low, high]
}

/// Converts floats to integers with the same bits, or integers to floats.
pub fn bit_cast(g: &mut Graph, role: &str, value: &str, ty: DataType) -> Name {
    g.op(role, "BitCast", &[value], vec![Attribute::Int("to", ty as i64)])
}

/// Makes what the phases after instance creation begin with, double [batch, phases, numbers and expert].
pub fn first_numbers(g: &mut Graph, plan: &Plan, words: Option<&str>, batch: &str) -> Name {
    let Plan { arguments, entry, .. } = plan;
    let width = plan.slots.count() + 1;
    let call = Tensor::row(arguments.phases.last().expect("the call is one"));
    let call = g.initializer("initial/call", call);
    let before = &arguments.phases[..arguments.before()];
    let before = Tensor::new(&[before.len(), width], before.iter().flatten().copied());
    let before = g.initializer("initial/rows", before);
    let position = |word: usize| {
        let word = arguments.words[word];
        (word.phase * width + word.slot) as i64
    };
    let slots: Vec<i64> = order(&entry.params).into_iter().map(position).collect();
    let words_count = g.initializer("arguments/count", Tensor::list(&[slots.len() as i64]));
    let slots = g.initializer("arguments/slots", Tensor::row(&slots));
    let row = g.initializer("const/one.row", Tensor::list(&[1i64, -1]));
    let count = g.initializer("arguments/phases", Tensor::list(&[(arguments.phases.len() * width) as i64]));
    let shape =
        g.initializer("arguments/shape", Tensor::list(&[arguments.phases.len() as i64, width as i64]));
    g.group("first", "What the phases begin with.", |g| {
        let numbers = g.along("phases", "Concat", 0, &[&before, &call]);
        let numbers = g.plain("phases.row", "Reshape", &[&numbers, &row]);
        let all = g.along("shape", "Concat", 0, &[batch, &count]);
        let numbers = g.plain("numbers.empty", "Expand", &[&numbers, &all]);
        // Whatever the signature is, the nodes that follow find the numbers under one name.
        let numbers = match words {
            None => numbers,
            Some(words) => {
                let shape = g.along("slots.shape", "Concat", 0, &[batch, &words_count]);
                let slots = g.plain("slots", "Expand", &[&slots, &shape]);
                g.along("numbers.filled", "ScatterElements", 1, &[&numbers, &slots, words])
            }
        };
        let shape = g.along("numbers.shape", "Concat", 0, &[batch, &shape]);
        g.plain("numbers", "Reshape", &[&numbers, &shape])
    })
}
