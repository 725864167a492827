//! Ahead-of-time compiler from WebAssembly to frozen networks.
//!
//! [`compile`] is the only function that most programs need. It runs the phases in their order: `frontend`,
//! `legalize`, `optimize`, and the backend, which at its end [certifies](wasm2onnx_certify) the network and
//! compares it, packet by packet, with what it was made from (`validate`). [`instructions`] is the table of
//! what is supported. The first phases are public together with the [IR](ir), its [checks](verify) and its
//! [evaluator](evaluate), so that tests can look at the results between them; these interfaces may change
//! with any version.

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
mod schedule;
mod stack;
mod tensors;
mod validate;
pub mod verify;

use std::collections::BTreeMap;

use tracing::info_span;

pub use error::CompileError;
pub use frontend::{ImportType, acts_at_creation, imports};
pub use ir::Signature;
pub use options::{GlobalImport, MemoryImport, Options, Preload, Role, TableImport, Unsupported};
pub use tensors::TensorFunction;
pub use wasm2onnx_certify::Certified;

/// Compiles a module, binary or text, to a frozen network.
///
/// # Errors
///
/// If something in the module is not valid or not supported; the error says where.
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

/// Returns the functions of tensors that wit-bindgen has described in a module, by the names of its exports; or why none can be made of an
/// export. There are none if [`Options::tensors`] has others, or [`Options::wit`] is off. If [`Options::exports`] has no list,
/// [`compile`] refuses a module with an export of which none can be made.
///
/// # Errors
///
/// If the description is damaged.
#[cfg(feature = "wit")]
pub fn wit_functions(
    bytes: &[u8],
    options: &Options,
) -> Result<BTreeMap<String, Result<TensorFunction, CompileError>>, CompileError> {
    frontend::wit_functions(bytes, options)
}

/// Returns the exported functions of a module by name, without compiling it: those that
/// [`Options::exports`] can choose from. Only the declarations of the module are read.
///
/// # Errors
///
/// If something in the module's declarations is not valid or not supported; the error says where.
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
