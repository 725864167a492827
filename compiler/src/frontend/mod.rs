//! WebAssembly to IR: everything but function bodies in `module`, these in `body`.
//!
//! wasmparser's validator is the only gate: every section and every instruction goes through it
//! first, and what follows relies on it without checking again.

mod body;
mod bulk;
mod context;
mod float;
mod host;
mod imports;
mod module;
mod names;
mod segments;
mod ssa;
#[cfg(test)]
mod tests;

pub use imports::ImportType;

use std::borrow::Cow;

use crate::error::{CompileError, ErrorKind};
use crate::ir::Module;
use crate::options::Options;

/// Reads a module in the binary or the text format, validates it and translates it.
///
/// # Errors
///
/// Whatever is not valid or not supported, with its place.
pub fn parse(input: &[u8], options: &Options) -> Result<Module, CompileError> {
    let binary = to_binary(input)?;
    module::translate(&binary, options)
}

/// The imports of a module, in either format, that are given by value.
///
/// # Errors
///
/// If the module cannot be read that far.
pub fn imports(input: &[u8]) -> Result<std::collections::BTreeMap<String, ImportType>, CompileError> {
    imports::declared(&to_binary(input)?)
}

/// The module in the binary format; one in the text format is assembled. A binary is looked at no
/// further than its version.
///
/// # Errors
///
/// If it is neither, or not a core module of version 1; if the text cannot be assembled.
pub fn to_binary(input: &[u8]) -> Result<Cow<'_, [u8]>, CompileError> {
    let not_wasm = |message: &str| CompileError::from(ErrorKind::NotWasm(message.to_string()));
    if input.is_empty() {
        return Err(not_wasm("the input is empty"));
    }
    if input[0] == 0 {
        return match input.get(..8) {
            _ if !b"\0asm".starts_with(&input[..input.len().min(4)]) => {
                Err(not_wasm("it begins neither with the magic number `\\0asm` nor with text"))
            }
            None => Err(not_wasm("the input ends within the magic number and version")),
            Some([.., 1, 0, 0, 0]) => Ok(input.into()),
            Some([.., _, _, 1, 0]) => Err(not_wasm("it is a component, not a core module")),
            Some(head) => {
                let version = u32::from_le_bytes(head[4..].try_into().expect("four bytes"));
                Err(not_wasm(&format!("unknown binary version {version}, expected 1")))
            }
        };
    }
    match std::str::from_utf8(input) {
        Ok(text) => match wat::parse_str(text) {
            Ok(binary) => Ok(binary.into()),
            Err(error) => Err(ErrorKind::Text(error.to_string()).into()),
        },
        Err(_) => Err(not_wasm("it begins not with the magic number `\\0asm`, and it is not text either")),
    }
}

/// Why the translation of a function stopped.
enum Stop {
    /// The validator's word.
    Invalid(wasmparser::Error),
    /// Something that is valid but cannot be compiled.
    Unsupported { what: String, offset: u64 },
}

impl From<wasmparser::Error> for Stop {
    fn from(error: wasmparser::Error) -> Self {
        Stop::Invalid(error)
    }
}
