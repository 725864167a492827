//! Compiled programs and their instances.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, TryLockError};

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyDict};
use self_cell::self_cell;
use wasm2onnx::command::{Failure, Source, choose_entry, entries};
use wasm2onnx_compiler::Certified;
use wasm2onnx_runtime::{
    Config, Dim, ElementType, Entry, Error, Instance as Running, Spec, Tensor, Value, ValueType,
};

use crate::background::{self, guarded};
use crate::failures::{self, Printed};
use crate::options::{self, InstanceFlags, ModuleFlags, in_python};

/// A compiled program.
#[pyclass(frozen, module = "wasm2onnx._native")]
pub struct Program {
    network: Arc<Certified>,
    /// The name of its file.
    path: PathBuf,
    /// The function that is called if none is named, or why there is none.
    entry: Result<String, String>,
}

/// The name of an array, the name of its element type, and its sizes.
type Described<'py> = (String, &'static str, Vec<Bound<'py, PyAny>>);

/// The name of a function, whether it takes and gives tensors, its inputs and its outputs.
type Function<'py> = (String, bool, Vec<Described<'py>>, Vec<Described<'py>>);

#[pymethods]
impl Program {
    /// Compiles a module, or reads a model.
    #[new]
    fn new(py: Python<'_>, path: PathBuf, bytes: Vec<u8>, options: &Bound<'_, PyDict>) -> PyResult<Self> {
        let ModuleFlags { module, invoke } = options::parse("Module", options)?;
        let compiled = background::run(py, move || -> Result<Program, Failure> {
            let source = Source::from_bytes(&path, &bytes)?;
            let named = module.entry(invoke.as_deref());
            let network = match named {
                Some(name) if invoke.is_some() && !source.is_model() => source.network_for(&module, name)?,
                _ => source.network(&module)?,
            };
            let chosen = choose_entry(&entries(&network), named).map(|chosen| chosen.name.to_owned());
            let entry = match (chosen, &invoke) {
                (Ok(name), _) => Ok(name),
                (Err(Failure::Usage(message)), None) => Err(message),
                (Err(failure), _) => return Err(failure),
            };
            Ok(Program { network: Arc::new(network), path, entry })
        })?;
        compiled.map_err(|failure| failures::of_compilation(py, failure))
    }

    /// Returns the exported functions.
    fn functions<'py>(&self, py: Python<'py>) -> PyResult<Vec<Function<'py>>> {
        self.network.entries.iter().map(|(name, entry)| function(py, name, entry)).collect()
    }

    /// Returns the name of the function that is called if none is named.
    fn entry(&self) -> PyResult<&str> {
        match &self.entry {
            Ok(name) => Ok(name),
            Err(message) => Err(PyValueError::new_err(in_python(message))),
        }
    }

    /// Creates an instance, with these bytes as standard input and these arguments.
    fn instance(
        &self,
        py: Python<'_>,
        stdin: Vec<u8>,
        arguments: Vec<OsString>,
        options: &Bound<'_, PyDict>,
    ) -> PyResult<Instance> {
        let InstanceFlags { wasi, max_steps } = options::parse("Instance", options)?;
        let mut wasi = py
            .detach(|| wasi.given(&self.network, &self.path, &arguments))
            .map_err(|failure| failures::of_compilation(py, failure))?;
        // Its streams are bytes, whatever those of this process are.
        wasi.terminals = 0;
        let signal: Arc<Mutex<Option<PyErr>>> = Arc::default();
        let raised = Arc::clone(&signal);
        let config = Config {
            stdin,
            wasi,
            max_steps,
            interrupt: Some(Box::new(move || {
                Python::attach(|py| match py.check_signals() {
                    Ok(()) => false,
                    Err(error) => {
                        *raised.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                        true
                    }
                })
            })),
            ..Config::default()
        };
        let cell = Cell::try_new(Arc::clone(&self.network), |network| Running::prepared(network, config));
        let cell = cell.map_err(|error| PyValueError::new_err(error.to_string()))?;
        let instance = Instance { cell: Mutex::new(cell), signal };
        instance.run(py, |running| running.create())?;
        Ok(instance)
    }
}

self_cell! {
    /// An instance with its network.
    struct Cell {
        owner: Arc<Certified>,
        #[not_covariant]
        dependent: Running,
    }
}

/// An instance of a program, with its state between calls.
#[pyclass(frozen, module = "wasm2onnx._native")]
pub struct Instance {
    cell: Mutex<Cell>,
    /// What a signal has raised during a run.
    signal: Arc<Mutex<Option<PyErr>>>,
}

/// The name of an element type, sizes and bytes.
type Array<'py> = (&'static str, Vec<usize>, Bound<'py, PyByteArray>);

#[pymethods]
impl Instance {
    /// Calls an exported function.
    fn call<'py>(
        &self,
        py: Python<'py>,
        name: &str,
        inputs: Vec<(String, Vec<usize>, Vec<u8>)>,
    ) -> PyResult<Vec<Array<'py>>> {
        enum Inputs {
            Values(Vec<Value>),
            Tensors(Vec<Tensor>),
        }
        enum Outputs {
            Values(Vec<Value>),
            Tensors(Vec<Tensor>),
        }
        let unknown = || PyValueError::new_err(format!("arguments of `{name}` are of no known type"));
        let is_of_tensors = self.with(|running| {
            running.network().entries.get(name).is_some_and(|entry| entry.boundary.is_some())
        })?;
        let given = if is_of_tensors {
            let tensor = |(ty, shape, bytes): (String, Vec<usize>, Vec<u8>)| {
                Tensor::from_bytes(ElementType::from_name(&ty)?, shape, bytes)
            };
            Inputs::Tensors(inputs.into_iter().map(tensor).collect::<Option<_>>().ok_or_else(unknown)?)
        } else {
            let value = |(ty, _, bytes): (String, Vec<usize>, Vec<u8>)| value(&ty, &bytes);
            Inputs::Values(inputs.into_iter().map(value).collect::<Option<_>>().ok_or_else(unknown)?)
        };
        let outputs = self.run(py, |running| match &given {
            Inputs::Values(values) => running.invoke(name, values).map(Outputs::Values),
            Inputs::Tensors(tensors) => running.call(name, tensors).map(Outputs::Tensors),
        })?;
        Ok(match outputs {
            Outputs::Values(values) => values.into_iter().map(|value| array_of_value(py, value)).collect(),
            Outputs::Tensors(tensors) => tensors
                .iter()
                .map(|tensor| {
                    let bytes = PyByteArray::new(py, tensor.bytes());
                    (tensor.element().name(), tensor.shape().to_vec(), bytes)
                })
                .collect(),
        })
    }

    /// Returns what the program has printed.
    fn stdout<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &py.detach(|| self.with(|running| running.stdout()))?))
    }

    /// Returns what the program has printed to standard error.
    fn stderr<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &py.detach(|| self.with(|running| running.stderr()))?))
    }

    /// Returns the number of steps that were made.
    fn steps(&self) -> PyResult<u64> {
        self.with(|running| running.steps())
    }

    /// Changes how many steps may be made in all.
    fn set_max_steps(&self, max_steps: Option<u64>) -> PyResult<()> {
        self.with(|running| running.set_max_steps(max_steps))
    }
}

impl Instance {
    /// Does something with the instance, unless it is running.
    fn with<T>(&self, work: impl FnOnce(&mut Running<'_>) -> T) -> PyResult<T> {
        let mut cell = match self.cell.try_lock() {
            Ok(cell) => cell,
            // A panic is reported where it happens.
            Err(TryLockError::Poisoned(error)) => error.into_inner(),
            Err(TryLockError::WouldBlock) => {
                return Err(PyRuntimeError::new_err("this instance is running"));
            }
        };
        guarded(|| cell.with_dependent_mut(|_, running| work(running)))
    }

    /// Runs the program while other threads of Python run.
    fn run<T: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&mut Running<'_>) -> Result<T, Error> + Send,
    ) -> PyResult<T> {
        let (outcome, printed) = py.detach(|| {
            self.with(|running| {
                let outcome = work(running);
                let printed = outcome.is_err().then(|| Printed {
                    stdout: running.stdout(),
                    stderr: running.stderr(),
                    steps: running.steps(),
                    note: growth_note(running),
                });
                (outcome, printed.unwrap_or_default())
            })
        })?;
        outcome.map_err(|error| {
            let raised = self.signal.lock().unwrap_or_else(PoisonError::into_inner).take();
            match (&error, raised) {
                (Error::Interrupted, Some(raised)) => raised,
                _ => failures::of_run(py, &error, &printed),
            }
        })
    }
}

/// Returns a note if the memory could not grow because of a limit that the program does not know.
fn growth_note(instance: &Running<'_>) -> String {
    match (instance.network().growth_limit, instance.refused_growth()) {
        (Some(limit), Some(pages)) => format!(
            "\nnote: the program asked for a memory of {pages} pages, but the limit is {}; max_memory_pages sets another limit",
            limit.pages
        ),
        _ => String::new(),
    }
}

/// Describes a function. What is no tensor is called as in models.
fn function<'py>(py: Python<'py>, name: &str, entry: &Entry) -> PyResult<Function<'py>> {
    if let Some(boundary) = &entry.boundary {
        let described = |spec: &Spec| {
            let size = |dim: &Dim| match dim {
                Dim::Fixed(size) => Ok(size.into_pyobject(py)?.into_any()),
                Dim::Named(name) => Ok(name.into_pyobject(py)?.into_any()),
                Dim::Counted => Ok(py.None().into_bound(py)),
            };
            let shape: PyResult<Vec<_>> = spec.shape.iter().map(size).collect();
            Ok((spec.name.clone(), spec.element.name(), shape?))
        };
        let all = |specs: &[Spec]| specs.iter().map(described).collect::<PyResult<Vec<_>>>();
        return Ok((name.to_owned(), true, all(&boundary.inputs)?, all(&boundary.outputs)?));
    }
    let all = |prefix: &str, types: &[ValueType]| -> Vec<Described<'py>> {
        types.iter().enumerate().map(|(i, ty)| (format!("{prefix}{i}"), type_name(*ty), Vec::new())).collect()
    };
    Ok((name.to_owned(), false, all("arg", &entry.params), all("result", &entry.results)))
}

const TYPES: [(ValueType, &str); 6] = [
    (ValueType::I32, "i32"),
    (ValueType::I64, "i64"),
    (ValueType::F32, "f32"),
    (ValueType::F64, "f64"),
    (ValueType::FuncRef, "funcref"),
    (ValueType::ExternRef, "externref"),
];

fn type_name(ty: ValueType) -> &'static str {
    TYPES.iter().find(|known| known.0 == ty).map_or("", |known| known.1)
}

/// Returns the value with these bytes, if they are as many as the type has.
fn value(ty: &str, bytes: &[u8]) -> Option<Value> {
    let ty = TYPES.iter().find(|known| known.1 == ty)?.0;
    let mut words = bytes.chunks_exact(4).map(|word| Some(u32::from_le_bytes(word.try_into().ok()?)));
    let low = words.next()??;
    let high = if ty.words() == 2 { words.next()?? } else { 0 };
    (bytes.len() == 4 * ty.words()).then(|| Value::from_words(ty, [low, high]))
}

fn array_of_value(py: Python<'_>, value: Value) -> Array<'_> {
    let [low, high] = value.words().map(u32::to_le_bytes);
    let bytes = [low, high].concat();
    let ty = value.ty();
    (type_name(ty), Vec::new(), PyByteArray::new(py, &bytes[..4 * ty.words()]))
}
