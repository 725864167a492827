//! The extension module of the Python package `wasm2onnx`.
//!
//! It has what needs the compiler and the runtime. `python/wasm2onnx` makes Python of it: this module knows nothing of NumPy, arrays come and go as the name
//! of their element type, their sizes and their bytes.

#![forbid(unsafe_code)]

mod background;
mod failures;
mod options;
mod program;

use std::ffi::OsString;
use std::io::Write;
use std::panic::catch_unwind;
use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use wasm2onnx::command::{self, Source};
use wasm2onnx_runtime::TrapCode;

use options::CompileFlags;

/// Functions and classes that `python/wasm2onnx` builds upon; `_native.pyi` has their types.
#[pymodule(gil_used = false)]
mod _native {
    #[pymodule_export]
    use super::program::{Instance, Program};
    #[pymodule_export]
    use super::{compile, main, options_of, traps};

    #[pymodule_export]
    const VERSION: &str = env!("CARGO_PKG_VERSION");
}

/// Compiles a module, whose bytes are those of a file with this name, to a model.
#[pyfunction]
fn compile<'py>(
    py: Python<'py>,
    path: PathBuf,
    bytes: Vec<u8>,
    options: &Bound<'py, PyDict>,
) -> PyResult<Bound<'py, PyBytes>> {
    let CompileFlags { module, model } = options::parse("compile", options)?;
    let model = background::run(py, move || {
        let source = Source::from_bytes(&path, &bytes)?;
        model.model(&source, &module)
    })?;
    let model = model.map_err(|failure| failures::of_compilation(py, failure))?;
    Ok(PyBytes::new(py, &model.bytes))
}

/// Returns the names of the options that a function of the package takes, as it is called in messages.
#[pyfunction]
fn options_of(function: &str) -> Vec<String> {
    options::names(function)
}

/// Returns the text of every trap by its code.
#[pyfunction]
fn traps() -> Vec<(u8, &'static str)> {
    let traps = TrapCode::ALL.iter().filter(|code| **code != TrapCode::Exit);
    traps.map(|code| (*code as u8, code.message())).collect()
}

/// Is the command `wasm2onnx`. Returns the exit status.
#[pyfunction]
fn main(py: Python<'_>, arguments: Vec<OsString>) -> u8 {
    py.detach(|| {
        // Python would print a panic a second time, with a status of its own; this is what a program of Rust does.
        let status = catch_unwind(|| command::main(arguments)).unwrap_or(101);
        // In a program of Rust its end does this.
        let _ = std::io::stdout().flush();
        status
    })
}
