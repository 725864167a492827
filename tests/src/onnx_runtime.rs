//! Runs models in ONNX Runtime, through the crate `ort`: the loop form in whole runs, and the step form one
//! step at a time.
//!
//! The library is the one that `ORT_DYLIB_PATH` names, which `tests/run` sets. A test that needs the library
//! fails if there is none, and says so.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use ort::environment::Environment;
use ort::logging::LogLevel;
use ort::session::builder::GraphOptimizationLevel;
use ort::session::{Session, SessionInputValue};
use ort::value::{DynValue, PrimitiveTensorElementType, Tensor, TensorElementType, ValueType as OrtType};
use wasm2onnx::{Attention, Certified, ExportError, ExportOptions, Form, export, export_unproved};
use wasm2onnx_runtime::{Network, TrapCode, Value, ValueType};

use crate::oracle::{Outcome, Stop};

mod follow;
mod step;

pub use follow::{Followed, follow};
pub use step::{Bound, Driver, Plain, StepModel, Steps};

/// All forms of attention.
pub const ATTENTIONS: [Attention; 3] = [Attention::Indexed, Attention::Dense, Attention::Softmax];

/// How much ONNX Runtime rewrites a graph before it runs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Not at all.
    Disabled,
    /// By the standard's rules, for any hardware.
    Basic,
    /// Fusions for its own kernels.
    Extended,
    /// Everything; the default.
    All,
}

impl Level {
    /// All levels, ascending.
    pub const EACH: [Level; 4] = [Level::Disabled, Level::Basic, Level::Extended, Level::All];
}

/// All types of values.
const VALUE_TYPES: [ValueType; 4] = [ValueType::I32, ValueType::I64, ValueType::F32, ValueType::F64];

/// What to do if something is missing.
const INSTALL: &str = "run tests/run, which installs it under target/python, or install what \
    tests/requirements.txt lists with pip";

/// Returns ONNX Runtime's environment, which is loaded only once.
fn environment() -> &'static Environment {
    static ENVIRONMENT: OnceLock<Environment> = OnceLock::new();
    ENVIRONMENT.get_or_init(|| {
        let path = std::env::var_os("ORT_DYLIB_PATH").unwrap_or_else(|| {
            panic!("ONNX Runtime is not there: {INSTALL} and set ORT_DYLIB_PATH to the wheel's libonnxruntime.so.*")
        });
        let loaded = ort::init_from(&path).unwrap_or_else(|error| {
            panic!("ORT_DYLIB_PATH names no ONNX Runtime that can be used ({error}): {INSTALL}")
        });
        let environment = loaded.build().expect("ONNX Runtime starts");
        // Initial values of the step form are initializers that no node uses, of which it would warn.
        environment.set_log_level(LogLevel::Fatal);
        environment
    })
}

/// Writes a network as a model of this form.
///
/// # Panics
///
/// If it cannot be written.
pub fn model(network: &Certified, entry: &str, form: Form, attention: Attention) -> Vec<u8> {
    written(entry, form, attention, |options| export(network, options))
}

/// Writes a network whose weights may have been changed as a model of this form.
///
/// # Panics
///
/// If it cannot be written.
pub fn unproved_model(network: &Network, entry: &str, form: Form, attention: Attention) -> Vec<u8> {
    written(entry, form, attention, |options| export_unproved(network, options))
}

fn written(
    entry: &str,
    form: Form,
    attention: Attention,
    write: impl Fn(&ExportOptions) -> Result<Vec<u8>, ExportError>,
) -> Vec<u8> {
    let options = ExportOptions { entry: entry.to_owned(), form, attention, ..ExportOptions::default() };
    write(&options).unwrap_or_else(|error| panic!("{entry}, {form:?}, {attention:?}: {error}"))
}

/// Returns a command that starts Python with the packages of `tests/requirements.txt`.
///
/// # Panics
///
/// If there is none.
pub fn python() -> Command {
    let path = std::env::var_os("WASM2ONNX_PYTHON").map(PathBuf::from).unwrap_or_else(|| {
        panic!("Python's `onnx` is not there: {INSTALL} and set WASM2ONNX_PYTHON to that Python")
    });
    Command::new(path)
}

/// Loads a model, for one thread.
///
/// # Errors
///
/// The error of ONNX Runtime.
pub fn session(model: &[u8], level: Level) -> ort::Result<Session> {
    let level = match level {
        Level::Disabled => GraphOptimizationLevel::Disable,
        Level::Basic => GraphOptimizationLevel::Level1,
        Level::Extended => GraphOptimizationLevel::Level2,
        Level::All => GraphOptimizationLevel::All,
    };
    Session::builder(environment())?
        .with_log_level(LogLevel::Fatal)?
        .with_optimization_level(level)?
        .with_intra_threads(1)?
        .with_inter_threads(1)?
        .commit_from_memory(model)
}

/// A model in the loop form.
pub struct LoopModel {
    session: Session,
    results: Vec<ValueType>,
}

/// What a run gave, for each instance of the batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// How each instance ended.
    pub rows: Vec<Ended>,
    /// What the program printed; empty if the model has no such output.
    pub stdout: Vec<u8>,
}

/// How an instance ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Ended {
    /// The outputs `result…`.
    pub results: Vec<Value>,
    /// The output `trap`.
    pub trap: i64,
    /// The output `steps`.
    pub steps: u64,
}

impl Ended {
    /// Returns the outcome in the form of the oracles.
    ///
    /// # Panics
    ///
    /// If `trap` is not a trap code, or results are not 0 after a trap.
    pub fn outcome(&self) -> Outcome {
        if self.trap == 0 {
            return Ok(self.results.clone());
        }
        let zero = |value: &Value| value.words() == [0, 0];
        assert!(self.results.iter().all(zero), "results after a trap: {self:?}");
        let code = u8::try_from(self.trap).ok().and_then(TrapCode::from_code);
        Err(match code.unwrap_or_else(|| panic!("{} is no trap", self.trap)) {
            TrapCode::StepLimit => Stop::Limit,
            code => Stop::Trap(code),
        })
    }
}

impl LoopModel {
    /// Loads a model.
    ///
    /// # Panics
    ///
    /// If ONNX Runtime refuses it, or it has not the outputs of a loop form.
    pub fn load(model: &[u8], level: Level) -> LoopModel {
        let session = session(model, level).unwrap_or_else(|error| panic!("{level:?}: {error}"));
        let results = session.outputs().iter().filter(|output| output.name().starts_with("result"));
        let results = results.map(|output| type_of(output.dtype())).collect();
        let last = session.outputs().iter().map(|output| output.name());
        assert!(last.clone().any(|name| name == "trap") && last.clone().any(|name| name == "steps"));
        LoopModel { session, results }
    }

    /// Runs one instance for at most `max_steps` steps, or by default as many as the model's own limit.
    ///
    /// # Panics
    ///
    /// If ONNX Runtime fails.
    pub fn run(&mut self, args: &[Value], stdin: &[u8], max_steps: Option<i64>) -> (Ended, Vec<u8>) {
        let batch =
            self.run_batch(&[args.to_vec()], stdin, max_steps).unwrap_or_else(|error| panic!("{error}"));
        let [row] = <[Ended; 1]>::try_from(batch.rows).expect("one instance");
        (row, batch.stdout)
    }

    /// Runs one instance for each row of arguments. A function without parameters runs once.
    ///
    /// # Errors
    ///
    /// The error of ONNX Runtime.
    ///
    /// # Panics
    ///
    /// If outputs do not have the right type and shape.
    pub fn run_batch(
        &mut self,
        rows: &[Vec<Value>],
        stdin: &[u8],
        max_steps: Option<i64>,
    ) -> ort::Result<Batch> {
        let mut inputs: Vec<(String, SessionInputValue)> = Vec::new();
        for i in 0..rows[0].len() {
            let column: Vec<Value> = rows.iter().map(|row| row[i]).collect();
            inputs.push((format!("arg{i}"), column_of(&column)?.into()));
        }
        if let Some(max_steps) = max_steps {
            inputs.push(("max_steps".into(), tensor(&[], vec![max_steps])?.into()));
        }
        if self.session.inputs().iter().any(|input| input.name() == "stdin") {
            inputs.push(("stdin".into(), tensor(&[stdin.len() as i64], stdin.to_vec())?.into()));
        }
        let outputs = self.session.run(inputs)?;
        let count = if rows[0].is_empty() { 1 } else { rows.len() };
        let integers = |name: &str| -> Vec<i64> { elements(&outputs[name], &[count as i64]) };
        let (traps, steps) = (integers("trap"), integers("steps"));
        let mut columns = Vec::new();
        for (i, ty) in self.results.iter().enumerate() {
            columns.push(values(*ty, &outputs[format!("result{i}")], count));
        }
        let row = |i: usize| Ended {
            results: columns.iter().map(|column| column[i]).collect(),
            trap: traps[i],
            steps: u64::try_from(steps[i]).expect("steps are counted from 0"),
        };
        let stdout = match outputs.get("stdout") {
            Some(bytes) => bytes.try_extract_tensor::<u8>()?.1.to_vec(),
            None => Vec::new(),
        };
        Ok(Batch { rows: (0..count).map(row).collect(), stdout })
    }
}

/// Makes a tensor of any size, since `ort` makes no tensor from an empty list.
///
/// # Errors
///
/// The error of ONNX Runtime.
pub fn tensor<T: PrimitiveTensorElementType + std::fmt::Debug + Clone + 'static>(
    shape: &[i64],
    elements: Vec<T>,
) -> ort::Result<DynValue> {
    if elements.is_empty() {
        let allocator = ort::memory::Allocator::default();
        return Ok(Tensor::<T>::new(&allocator, shape.to_vec())?.into_dyn());
    }
    Ok(Tensor::from_array((shape.to_vec(), elements))?.into_dyn())
}

fn column_of(values: &[Value]) -> ort::Result<DynValue> {
    let shape = [values.len() as i64];
    let words = |value: &Value| value.words();
    let long = |value: &Value| u64::from(words(value)[0]) | u64::from(words(value)[1]) << 32;
    match values[0].ty() {
        ValueType::I32 => tensor(&shape, values.iter().map(|v| words(v)[0] as i32).collect()),
        ValueType::I64 => tensor(&shape, values.iter().map(|v| long(v) as i64).collect()),
        ValueType::F32 => tensor(&shape, values.iter().map(|v| f32::from_bits(words(v)[0])).collect()),
        ValueType::F64 => tensor(&shape, values.iter().map(|v| f64::from_bits(long(v))).collect()),
        ty => panic!("no tensor has elements of type {ty}"),
    }
}

fn values(ty: ValueType, output: &DynValue, count: usize) -> Vec<Value> {
    let shape = [count as i64];
    match ty {
        ValueType::I32 => elements(output, &shape).into_iter().map(Value::I32).collect(),
        ValueType::I64 => elements(output, &shape).into_iter().map(Value::I64).collect(),
        ValueType::F32 => {
            elements(output, &shape).into_iter().map(|x: f32| Value::F32(x.to_bits())).collect()
        }
        ValueType::F64 => {
            elements(output, &shape).into_iter().map(|x: f64| Value::F64(x.to_bits())).collect()
        }
        ty => panic!("no tensor has elements of type {ty}"),
    }
}

/// Returns all elements of an output, which must have this type and shape.
fn elements<T: PrimitiveTensorElementType + Copy>(output: &DynValue, shape: &[i64]) -> Vec<T> {
    let (found, elements) = output.try_extract_tensor::<T>().unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(&found[..], shape, "an output's shape");
    elements.to_vec()
}

fn type_of(ty: &OrtType) -> ValueType {
    match ty.tensor_type() {
        Some(TensorElementType::Int32) => ValueType::I32,
        Some(TensorElementType::Int64) => ValueType::I64,
        Some(TensorElementType::Float32) => ValueType::F32,
        Some(TensorElementType::Float64) => ValueType::F64,
        other => panic!("a result of type {other:?}"),
    }
}
