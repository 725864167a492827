//! Ahead-of-time compiler from WebAssembly to frozen networks.

mod backend;
pub mod builder;
pub mod certify;
pub mod cfg;
pub mod circuits;
pub mod error;
pub mod evaluate;
pub mod frontend;
pub mod instructions;
pub mod ir;
mod layout;
pub mod legalize;
pub mod library;
mod link;
pub mod optimize;
pub mod options;
pub mod packetize;
mod print;
pub mod schedule;
pub mod verify;

pub use error::CompileError;
pub use options::{Options, Role, Unsupported};

/// Compiles a module, binary or text, to a frozen network.
///
/// # Errors
///
/// Whatever is not valid or not supported, with its place.
pub fn compile(bytes: &[u8], options: &Options) -> Result<wasm2onnx_runtime::Network, CompileError> {
    let mut module = frontend::parse(bytes, options)?;
    legalize::run(&mut module);
    optimize::run(&mut module);
    backend::run(&module)
}
