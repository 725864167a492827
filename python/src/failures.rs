//! Errors as exceptions of Python. Those that are the package's own are defined in `python/wasm2onnx/_errors.py`.

use std::io;

use pyo3::exceptions::{PyMemoryError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use wasm2onnx::ExportError;
use wasm2onnx::command::Failure;
use wasm2onnx_compiler::CompileError;
use wasm2onnx_compiler::error::ErrorKind;
use wasm2onnx_runtime::{Error, Place, TrapCode};

use crate::options::in_python;

/// Returns the exception for a module that could not be compiled, or a model that could not be read.
pub fn of_compilation(py: Python<'_>, failure: Failure) -> PyErr {
    let error = match failure {
        Failure::Other(error) => error,
        Failure::Usage(message) => return PyValueError::new_err(in_python(&message)),
        // Nothing has run.
        Failure::Trap(trap) => return PyValueError::new_err(trap.to_string()),
        Failure::Exit(status) => return PyValueError::new_err(format!("exit status {status}")),
    };
    let message = in_python(&format!("{error:#}"));
    if let Some(why) = error.chain().find_map(|cause| cause.downcast_ref::<io::Error>()) {
        return io::Error::new(why.kind(), message).into();
    }
    if error.downcast_ref::<ExportError>().is_some() {
        return PyValueError::new_err(message);
    }
    let (function, offset) = error.downcast_ref::<CompileError>().map_or((None, None), place);
    let fields = PyDict::new(py);
    let set = fields.set_item("function", function).and_then(|()| fields.set_item("offset", offset));
    set.and_then(|()| exception(py, "CompileError", &message, &fields)).unwrap_or_else(|error| error)
}

/// Returns the function and the offset that an error is about.
fn place(error: &CompileError) -> (Option<String>, Option<u64>) {
    match error.kind() {
        ErrorKind::Invalid { offset, .. } => (None, Some(*offset)),
        ErrorKind::Unsupported { function, offset, .. } => {
            (function.as_ref().map(|(name, _)| name.clone()), Some(*offset))
        }
        ErrorKind::InModule { error, .. } => place(error),
        ErrorKind::Inexact { function, offset } => (Some(function.clone()), Some(*offset)),
        ErrorKind::Mismatch { function, offset, .. } => (function.clone(), Some(u64::from(*offset))),
        _ => (None, None),
    }
}

/// What an instance has printed when a run of it failed, and how many steps it had made.
#[derive(Default)]
pub struct Printed {
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    pub steps: u64,
    /// A note on the memory, if it could not grow.
    pub note: String,
}

/// Returns the exception for a run that failed.
pub fn of_run(py: Python<'_>, error: &Error, printed: &Printed) -> PyErr {
    trap(py, error, printed).unwrap_or_else(|error| error)
}

fn trap(py: Python<'_>, error: &Error, printed: &Printed) -> PyResult<PyErr> {
    let unknown = Place::UNKNOWN;
    let (code, place) = match error {
        Error::Trap(trap) => (trap.code, &trap.place),
        Error::StepLimit { place, .. } => (TrapCode::StepLimit, place),
        Error::OutputLimit(_) => (TrapCode::OutputLimit, &unknown),
        Error::Reported(_) => (TrapCode::ReportedError, &unknown),
        Error::Exit(status) => {
            let fields = PyDict::new(py);
            fields.set_item("code", status)?;
            add_printed(&fields, printed)?;
            return exception(py, "Exit", &error.to_string(), &fields);
        }
        Error::OutOfMemory { .. } => return Ok(PyMemoryError::new_err(error.to_string())),
        _ => return Ok(PyValueError::new_err(in_python(&error.to_string()))),
    };
    let fields = PyDict::new(py);
    fields.set_item("code", code as u8)?;
    fields.set_item("name", code.message())?;
    let function = match (&place.function_name, place.function) {
        (Some(name), _) => Some(name.clone()),
        (None, u32::MAX) => None,
        (None, index) => Some(format!("func[{index}]")),
    };
    fields.set_item("offset", function.is_some().then_some(place.offset))?;
    fields.set_item("function", function)?;
    fields.set_item("line", place.line.as_ref().map(ToString::to_string))?;
    fields.set_item("error", if let Error::Reported(number) = error { Some(number) } else { None })?;
    add_printed(&fields, printed)?;
    exception(py, "Trap", &format!("{error}{}", printed.note), &fields)
}

fn add_printed(fields: &Bound<'_, PyDict>, Printed { stdout, stderr, steps, .. }: &Printed) -> PyResult<()> {
    fields.set_item("stdout", PyBytes::new(fields.py(), stdout))?;
    fields.set_item("stderr", PyBytes::new(fields.py(), stderr))?;
    fields.set_item("steps", steps)
}

/// Makes an exception of a class of the package.
fn exception(py: Python<'_>, class: &str, message: &str, fields: &Bound<'_, PyDict>) -> PyResult<PyErr> {
    let class = py.import("wasm2onnx._errors")?.getattr(class)?;
    Ok(PyErr::from_value(class.call((message,), Some(fields))?))
}
