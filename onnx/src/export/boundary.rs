//! Between the caller's tensors and the network's numbers: arguments, results, bytes.
//!
//! These nodes follow the program's signature, so they are not part of the graph that all programs
//! share. They compute nothing of the program: types are converted, words put into fields.

use crate::proto::DataType;
use wasm2onnx_runtime::{Entry, Network, Place, ValueType as WasmType};

use super::graph::{Attribute, Dim, Graph, Name, Tensor, ValueType};
use super::plan::Plan;
use super::step::Frozen;
use super::{Attention, ExportError, dense};
use crate::pack::Slots;

/// ONNX's type for a value.
pub fn onnx_type(ty: WasmType) -> DataType {
    match ty {
        WasmType::I32 => DataType::Int32,
        WasmType::I64 => DataType::Int64,
        WasmType::F32 => DataType::Float,
        WasmType::F64 => DataType::Double,
        WasmType::FuncRef | WasmType::ExternRef => unreachable!("refused before anything is written"),
    }
}

/// Where the words of the arguments go, and what else the first numbers hold.
#[derive(Default)]
pub struct Arguments {
    /// For each word of the arguments, its slot.
    pub slots: Vec<i64>,
    /// The first numbers without them: 0 but for the keys of arguments that are rows.
    pub numbers: Vec<f64>,
}

impl Arguments {
    /// Arguments in fields are there when the run begins; those in rows are appended by its first
    /// step, so they lie in row ports.
    ///
    /// # Errors
    ///
    /// [`ExportError::TooManyArguments`]
    pub fn of(network: &Network, entry: &Entry) -> Result<Arguments, ExportError> {
        let (ports, slots) = (&network.ports, Slots(network.ports));
        let mut arguments = Arguments { slots: Vec::new(), numbers: vec![0.0; slots.count()] };
        let mut rows = 0..ports.rows;
        for place in &entry.param_places {
            let field = match *place {
                Place::Field(field) => field,
                Place::Row(key) => {
                    let row = rows
                        .next()
                        .ok_or(ExportError::TooManyArguments { words: entry.param_places.len() })?;
                    arguments.numbers[slots.of(ports.k(row))] = key as f64;
                    ports.x(row)
                }
            };
            arguments.slots.push(slots.of(field) as i64);
        }
        Ok(arguments)
    }
}

/// The arguments as words, double [batch, words], and the number of instances, int64 [1].
pub fn arguments(g: &mut Graph, entry: &Entry, batch: Dim) -> (Option<Name>, Name) {
    let mut inputs = Vec::new();
    for (i, ty) in entry.params.iter().enumerate() {
        inputs.push(g.input(&format!("arg{i}"), ValueType::tensor(onnx_type(*ty), &[batch])));
    }
    let span = g.initializer("const/2^32", Tensor::scalar(1i64 << 32));
    let column = g.initializer("const/column", Tensor::list(&[-1i64, 1]));
    let single = g.initializer("const/single", Tensor::list(&[1i64]));
    g.group("words", "The arguments as words of 32 bits, low word first.", |g| {
        let mut words = Vec::new();
        for (i, (ty, input)) in entry.params.iter().zip(&inputs).enumerate() {
            let bits = match ty {
                WasmType::F32 => bit_cast(g, &format!("{i}.bits"), input, DataType::Int32),
                WasmType::F64 => bit_cast(g, &format!("{i}.bits"), input, DataType::Int64),
                _ => input.clone(),
            };
            let wide = g.cast(&format!("{i}.wide"), &bits, DataType::Int64);
            let low = g.plain(&format!("{i}.low"), "Mod", &[&wide, &span]);
            let mut parts = vec![(format!("{i}.low"), low.clone())];
            if ty.words() == 2 {
                let rest = g.plain(&format!("{i}.rest"), "Sub", &[&wide, &low]);
                let high = g.plain(&format!("{i}.high.signed"), "Div", &[&rest, &span]);
                parts.push((format!("{i}.high"), g.plain(&format!("{i}.high"), "Mod", &[&high, &span])));
            }
            for (role, part) in parts {
                let number = g.cast(&format!("{role}.number"), &part, DataType::Double);
                words.push(g.plain(&format!("{role}.column"), "Reshape", &[&number, &column]));
            }
        }
        let batch = match inputs.first() {
            Some(input) => g.plain("batch", "Shape", &[input]),
            None => g.plain("batch", "Identity", &[&single]),
        };
        let parts: Vec<&str> = words.iter().map(String::as_str).collect();
        let words = (!parts.is_empty()).then(|| g.along("words", "Concat", 1, &parts));
        (words, batch)
    })
}

/// The bits of a float as an integer, or the other way round.
fn bit_cast(g: &mut Graph, role: &str, value: &str, ty: DataType) -> Name {
    g.op(role, "BitCast", &[value], vec![Attribute::Int("to", ty as i64)])
}

/// The first numbers of the run, double [batch, numbers and expert]: arguments in their slots.
pub fn first_numbers(
    g: &mut Graph,
    arguments: &Arguments,
    words: Option<&str>,
    batch: &str,
    numbers: &str,
    count: &str,
) -> Name {
    let slots = g.initializer("arguments/slots", Tensor::row(&arguments.slots));
    let words_count = g.initializer("arguments/count", Tensor::list(&[arguments.slots.len() as i64]));
    g.group("first", "What the run begins with.", |g| {
        let shape = g.along("shape", "Concat", 0, &[batch, count]);
        // Whatever the signature is, the graph behind it finds them under one name.
        match words {
            None => g.plain("numbers", "Expand", &[numbers, &shape]),
            Some(words) => {
                let numbers = g.plain("numbers.empty", "Expand", &[numbers, &shape]);
                let shape = g.along("slots.shape", "Concat", 0, &[batch, &words_count]);
                let slots = g.plain("slots", "Expand", &[&slots, &shape]);
                g.along("numbers", "ScatterElements", 1, &[&numbers, &slots, words])
            }
        }
    })
}

/// The steps that are allowed, from 0 to `most`, whatever the caller says: int64 scalar.
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
    /// A cell for each key: double [batch, cells].
    Cells(Name),
    /// All rows, to be read by attention.
    Rows(Attention, Name),
}

impl Memory {
    /// What it holds at keys, int64 [n]: double [batch, n].
    fn read(&self, g: &mut Graph, frozen: &Frozen, role: &str, keys: &str) -> Name {
        match self {
            Memory::Cells(cells) => g.along(role, "Gather", 1, &[cells, keys]),
            Memory::Rows(attention, rows) => {
                let count = g.plain(&format!("{role}.count"), "Shape", &[keys]);
                let shape = g.along(&format!("{role}.shape"), "Concat", 0, &[&frozen.batch, &count]);
                let keys = g.cast(&format!("{role}.key"), keys, DataType::Double);
                let keys = g.plain(&format!("{role}.keys"), "Expand", &[&keys, &shape]);
                dense::read(g, *attention, frozen, rows, &keys, role)
            }
        }
    }
}

/// What the last state of a run is turned into.
pub struct Ending<'a> {
    /// Numbers and expert: double [batch, numbers and expert].
    pub z: &'a str,
    /// Maps evaluated: int64 [batch].
    pub steps: &'a str,
    /// Most that were allowed: int64 scalar.
    pub max_steps: &'a str,
}

/// The outputs `result…`, `trap`, `steps`.
pub fn results(g: &mut Graph, plan: &Plan, frozen: &Frozen, ending: &Ending, memory: &Memory) {
    let Plan { network, entry, slots, .. } = plan;
    let batch = plan.batch();
    let codes: Vec<i64> = network.terminals.iter().map(|terminal| super::trap_code(*terminal)).collect();
    let terminals = g.initializer("traps/terminals", Tensor::scalar(codes.len() as i64));
    let last_terminal = g.initializer("traps/last", Tensor::scalar(codes.len() as i64 - 1));
    let codes = g.initializer("traps/codes", Tensor::list(&codes));
    let limit_code =
        g.initializer("traps/limit", Tensor::scalar(wasm2onnx_runtime::TrapCode::StepLimit as i64));
    let zero = g.initializer("const/zero", Tensor::scalar(0i64));
    let flat = g.initializer("const/flat", Tensor::list(&[-1i64]));
    let span = g.initializer("const/2^32", Tensor::scalar(1i64 << 32));
    let half = g.initializer("const/2^31", Tensor::scalar(1i64 << 31));
    let top = g.initializer("limits/experts", Tensor::scalar(network.experts.len() as f64 - 1.0));
    let bottom = g.initializer("const/zero.number", Tensor::scalar(0f64));
    let expert_slot = g.initializer("limits/expert.slot", Tensor::list(&[slots.count() as i64]));
    let (trap, steps) =
        g.group("ending", "Why the run ended: the terminal expert, or the step limit.", |g| {
            let expert = g.along("expert.number", "Gather", 1, &[ending.z, &expert_slot]);
            let expert = g.plain("expert.min", "Min", &[&expert, &top]);
            let expert = g.plain("expert.max", "Max", &[&expert, &bottom]);
            let expert = g.cast("expert.id", &expert, DataType::Int64);
            let expert = g.plain("expert", "Reshape", &[&expert, &flat]);
            let named = g.plain("terminal", "Min", &[&expert, &last_terminal]);
            let code = g.plain("code", "Gather", &[&codes, &named]);
            let live = g.plain("live", "GreaterOrEqual", &[&expert, &terminals]);
            let beyond = g.plain("beyond", "Greater", &[ending.steps, ending.max_steps]);
            let limited = g.plain("limited", "Or", &[&live, &beyond]);
            let trap = g.plain("trap", "Where", &[&limited, &limit_code, &code]);
            let steps = g.plain("steps", "Min", &[ending.steps, ending.max_steps]);
            (trap, steps)
        });
    let mut outputs = Vec::new();
    g.group("values", "The results' words as values of their types; 0 after a trap.", |g| {
        let done = g.plain("done", "Equal", &[&trap, &zero]);
        let mut places = entry.result_places.iter().enumerate();
        for (i, ty) in entry.results.iter().enumerate() {
            let mut word = |g: &mut Graph, part: &str| {
                let (w, place) = places.next().expect("validated: a place for each word");
                let role = format!("{i}.{part}.number");
                let number = match *place {
                    Place::Field(field) => {
                        let slot = Tensor::list(&[slots.of(field) as i64]);
                        let slot = g.initializer(&format!("results/{w}.slot"), slot);
                        g.along(&role, "Gather", 1, &[ending.z, &slot])
                    }
                    Place::Row(key) => {
                        let key = g.initializer(&format!("results/{w}.key"), Tensor::list(&[key as i64]));
                        memory.read(g, frozen, &role, &key)
                    }
                };
                let number = g.plain(&format!("{i}.{part}.flat"), "Reshape", &[&number, &flat]);
                g.cast(&format!("{i}.{part}"), &number, DataType::Int64)
            };
            // Casts of what is in range: ONNX Runtime may make one cast of two in a row.
            let signed = |g: &mut Graph, part: &str, word: &str| {
                let up = g.plain(&format!("{i}.{part}.up"), "Add", &[word, &half]);
                let wrapped = g.plain(&format!("{i}.{part}.wrapped"), "Mod", &[&up, &span]);
                g.plain(&format!("{i}.{part}.signed"), "Sub", &[&wrapped, &half])
            };
            let low = word(g, "low");
            let bits = match ty.words() {
                1 => {
                    let low = signed(g, "low", &low);
                    g.cast(&format!("{i}.bits"), &low, DataType::Int32)
                }
                _ => {
                    let high = word(g, "high");
                    let high = signed(g, "high", &high);
                    let high = g.plain(&format!("{i}.high.shifted"), "Mul", &[&high, &span]);
                    g.plain(&format!("{i}.bits"), "Add", &[&high, &low])
                }
            };
            let none = g.plain(&format!("{i}.none"), "Sub", &[&bits, &bits]);
            let bits = g.plain(&format!("{i}.after"), "Where", &[&done, &bits, &none]);
            let value = match ty {
                WasmType::F32 | WasmType::F64 => bit_cast(g, &format!("{i}.float"), &bits, onnx_type(*ty)),
                _ => bits,
            };
            outputs.push((format!("result{i}"), onnx_type(*ty), value));
        }
        outputs.push(("trap".into(), DataType::Int64, trap.clone()));
        outputs.push(("steps".into(), DataType::Int64, steps.clone()));
    });
    for (name, ty, value) in outputs {
        g.output(&name, ValueType::tensor(ty, &[batch]), &value);
    }
}

/// The output `stdout`: as many bytes from a key on as a cell says.
pub fn stdout(g: &mut Graph, frozen: &Frozen, memory: &Memory, first: u64, length: u64) {
    let first = g.initializer("stdout/first", Tensor::scalar(first as i64));
    let length = g.initializer("stdout/length", Tensor::list(&[length as i64]));
    let one = g.initializer("const/one", Tensor::scalar(1i64));
    let scalar = g.initializer("const/scalar", Tensor::list::<i64>(&[]));
    let flat = g.initializer("const/flat", Tensor::list(&[-1i64]));
    let bytes = g.group("printed", "What the program printed.", |g| {
        let count = memory.read(g, frozen, "count.cell", &length);
        let count = g.plain("count.scalar", "Reshape", &[&count, &scalar]);
        let count = g.cast("count", &count, DataType::Int64);
        let end = g.plain("end", "Add", &[&first, &count]);
        let keys = g.plain("key", "Range", &[&first, &end, &one]);
        let bytes = memory.read(g, frozen, "cells", &keys);
        let bytes = g.plain("flat", "Reshape", &[&bytes, &flat]);
        g.cast("bytes", &bytes, DataType::Uint8)
    });
    g.output("stdout", ValueType::tensor(DataType::Uint8, &[Dim::Named("stdout")]), &bytes);
}
