//! WebAssembly to IR: `body` translates function bodies, `module` everything else.
//!
//! wasmparser's validator is the only gate: every section and every instruction goes through it
//! first, and what follows relies on it without checking again.

mod body;
mod bulk;
mod cells;
mod context;
mod float;
mod functions;
mod host;
mod imports;
mod lines;
mod module;
mod names;
mod program;
mod proposals;
mod sections;
mod segments;
mod spaces;
mod ssa;
mod tensors;
#[cfg(test)]
mod tests;
#[cfg(feature = "text")]
mod text;
mod types;
mod wasi;

pub use imports::ImportType;

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::error::{CompileError, ErrorKind};
use crate::ir::{Module, Signature};
use crate::options::Options;
#[cfg(feature = "wit")]
use crate::tensors::TensorFunction;

/// Reads a module in the binary or the text format, validates it and translates it.
///
/// # Errors
///
/// Whatever is not valid or not supported, and where it is.
pub fn parse(input: &[u8], options: &Options) -> Result<Module, CompileError> {
    let preloads = options.preloads.iter().map(|preload| {
        let binary = to_binary(&preload.module).map_err(|error| error.in_module(&preload.name))?;
        Ok((preload.name.as_str(), binary))
    });
    let preloads = preloads.collect::<Result<Vec<_>, CompileError>>()?;
    let main = to_binary(input)?;
    #[cfg(feature = "wit")]
    let options = &*tensors::with_world(&main, options)?;
    module::translate(&preloads, &main, options)
}

/// Returns the exported functions of a module, in either format.
///
/// # Errors
///
/// Whatever is not valid or not supported in its declarations, and where it is.
pub fn exports(input: &[u8], options: &Options) -> Result<BTreeMap<String, Signature>, CompileError> {
    module::exports(&to_binary(input)?, options)
}

/// Returns the functions of tensors that are described in a module, in either format, by the names of its exports; or why an export is none.
///
/// # Errors
///
/// If the description is damaged.
#[cfg(feature = "wit")]
pub fn wit_functions(
    input: &[u8],
    options: &Options,
) -> Result<BTreeMap<String, Result<TensorFunction, CompileError>>, CompileError> {
    tensors::wit_functions(&to_binary(input)?, options)
}

/// Returns the imports of a module, in either format.
///
/// # Errors
///
/// If the module cannot be read that far.
pub fn imports(input: &[u8]) -> Result<BTreeMap<String, ImportType>, CompileError> {
    imports::declared(&to_binary(input)?)
}

/// Returns whether creating a module, in either format, does anything besides making what it exports.
///
/// # Errors
///
/// If the module cannot be read.
pub fn acts_at_creation(input: &[u8]) -> Result<bool, CompileError> {
    imports::acts_at_creation(&to_binary(input)?)
}

/// Returns the module in the binary format; one in the text format is assembled. Of a binary, only the header
/// is looked at.
///
/// # Errors
///
/// If it is neither, or not a core module of version 1; if the text cannot be assembled.
pub fn to_binary(input: &[u8]) -> Result<Cow<'_, [u8]>, CompileError> {
    let not_wasm = |message: &str| CompileError::from(ErrorKind::NotWasm(message.to_string()));
    let binary = match input {
        [] => return Err(not_wasm("it is empty")),
        [0, ..] => Cow::Borrowed(input),
        _ => match std::str::from_utf8(input) {
            #[cfg(feature = "text")]
            Ok(text) => text::assemble(text)?.into(),
            #[cfg(not(feature = "text"))]
            Ok(_) => {
                return Err(not_wasm(
                    "it does not begin with `\\0asm`, and this build reads no modules in the text format (feature `text`)",
                ));
            }
            Err(_) => return Err(not_wasm("it does not begin with `\\0asm`, and it is not text")),
        },
    };
    match binary.get(..8) {
        _ if !b"\0asm".starts_with(&binary[..binary.len().min(4)]) => {
            Err(not_wasm("it begins neither with `\\0asm` nor with text"))
        }
        None => Err(not_wasm("it ends within the magic number and version")),
        Some([.., 1, 0, 0, 0]) => Ok(binary),
        // The second half of the version is the layer: modules are 0, components 1.
        Some([.., 1, 0]) => {
            let what = "a component, not a core module".to_owned();
            let advice = "Compile to a core module (for example for wasm32-wasip1, not wasm32-wasip2), or take the one \
                          that is in it with `wasm-tools component unbundle`";
            let advice = Some(advice.to_owned());
            Err(ErrorKind::Unsupported { what, function: None, offset: 4, line: None, advice }.into())
        }
        Some(head) => {
            let version = u32::from_le_bytes(head[4..].try_into().expect("four bytes"));
            Err(not_wasm(&format!("unknown binary version {version}, expected 1")))
        }
    }
}

/// Why the translation of a function stopped.
enum Stop {
    /// The validator refuses the module.
    Invalid(wasmparser::Error),
    /// Something that is valid but cannot be compiled.
    Unsupported { what: String, offset: u64 },
}

impl From<wasmparser::Error> for Stop {
    fn from(error: wasmparser::Error) -> Self {
        Stop::Invalid(error)
    }
}
