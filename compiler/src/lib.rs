//! Ahead-of-time compiler from WebAssembly to frozen networks.
//!
//! [`compile`] is all that a program needs. It is the phases in their order: `frontend`, `legalize`,
//! `optimize`, and the backend, whose last acts are to [certify](wasm2onnx_certify) the network and to compare it, packet by packet,
//! with what it was made from (`validate`).
//! [`instructions`] is the table of what is supported. The first phases are public with the
//! [IR](ir), its [checks](verify) and its [evaluator](evaluate), so that tests can look at what is
//! between them; what is said of them may change with any version.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod alias;
mod backend;
mod blueprint;
mod builder;
mod cfg;
mod circuits;
mod components;
pub mod dump;
pub mod error;
pub mod evaluate;
mod float;
pub mod frontend;
pub mod instructions;
pub mod ir;
mod layout;
pub mod legalize;
mod library;
mod limits;
mod link;
pub mod optimize;
pub mod options;
mod packetize;
mod print;
#[cfg(test)]
mod random;
mod schedule;
mod stack;
mod validate;
pub mod verify;

use std::collections::BTreeMap;

use tracing::info_span;

pub use error::CompileError;
pub use frontend::{ImportType, imports};
pub use ir::Signature;
pub use options::{GlobalImport, MemoryImport, Options, Role, TableImport, Unsupported};
pub use wasm2onnx_certify::Certified;

/// Compiles a module, binary or text, to a frozen network.
///
/// # Errors
///
/// Whatever is not valid or not supported, with its place.
///
/// # Examples
///
/// ```
/// use wasm2onnx_runtime::{Instance, Value};
///
/// let text = r#"(module (func (export "add") (param i32 i32) (result i32)
///     (i32.add (local.get 0) (local.get 1))))"#;
/// let network = wasm2onnx_compiler::compile(text.as_bytes(), &Default::default())?;
/// let sum = Instance::new(&network)?.invoke("add", &[Value::I32(2), Value::I32(3)])?;
/// assert_eq!(sum, [Value::I32(5)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn compile(bytes: &[u8], options: &Options) -> Result<Certified, CompileError> {
    let mut module = info_span!("frontend").in_scope(|| frontend::parse(bytes, options))?;
    info_span!("legalize").in_scope(|| legalize::run(&mut module));
    info_span!("optimize").in_scope(|| optimize::run(&mut module));
    backend::run(&module, options)
}

/// The exported functions of a module, by name, without compiling it: what
/// [`Options::exports`] can choose from. Only its declarations are read.
///
/// # Errors
///
/// Whatever is not valid or not supported in the module's declarations, with its place.
///
/// # Examples
///
/// ```
/// let module = b"(module (func (export \"f\") (param i64)))";
/// let exports = wasm2onnx_compiler::exported_functions(module, &Default::default())?;
/// assert_eq!(exports["f"].params, [wasm2onnx_runtime::ValueType::I64]);
/// # Ok::<(), wasm2onnx_compiler::CompileError>(())
/// ```
pub fn exported_functions(
    bytes: &[u8],
    options: &Options,
) -> Result<BTreeMap<String, Signature>, CompileError> {
    frontend::exports(bytes, options)
}
