//! Which exported function a command is about.

use wasm2onnx_runtime::{Name, Network};

use crate::command::display::{Signature, SomeSignatures};
use crate::command::failure::Failure;

/// Returns the exported functions of a network.
pub fn entries(network: &Network) -> Vec<Signature<'_>> {
    network.entries.iter().map(|(name, entry)| Signature::of(name, entry)).collect()
}

/// The function that initializes a WASI reactor. It has already been called when an instance exists, so it is
/// not meant unless it is named.
const INITIALIZE: &str = "_initialize";

/// Returns the function with the given name; without a name `_start`, the only function of tensors, or the only function that is exported.
pub fn choose_entry<'a>(exports: &[Signature<'a>], name: Option<&str>) -> Result<Signature<'a>, Failure> {
    let find = |name: &str| exports.iter().find(|export| export.name == name);
    let only = || {
        let mut others = exports.iter().filter(|export| exports.len() == 1 || export.name != INITIALIZE);
        others.next().filter(|_| others.next().is_none())
    };
    let only_of_tensors = || {
        let mut functions = exports.iter().filter(|export| export.boundary.is_some());
        functions.next().filter(|_| functions.next().is_none())
    };
    let found = match name {
        Some(name) => find(name),
        None => find("_start").or_else(only_of_tensors).or_else(only),
    };
    if let Some(found) = found {
        return Ok(*found);
    }
    // Those that are most likely meant come first: similar names, and names that are not a toolchain's own.
    let mut exports = exports.to_vec();
    exports.sort_by_key(|export| {
        let is_similar = name.is_some_and(|name| export.name.contains(name) || name.contains(export.name));
        (!is_similar, export.boundary.is_none(), export.name.starts_with('_'))
    });
    let list = SomeSignatures(&exports);
    Err(Failure::Usage(match name {
        _ if exports.is_empty() => "the module exports no function".to_owned(),
        Some(name) => format!("no exported function is called `{}`; the module exports:{list}", Name(name)),
        None => format!("choose one of the exported functions with --invoke:{list}"),
    }))
}
