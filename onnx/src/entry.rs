//! Which exported function is meant.

use wasm2onnx_runtime::Network;

use crate::display::{Signature, Signatures};
use crate::failure::Failure;

/// The exported functions of a network.
pub fn entries(network: &Network) -> Vec<Signature<'_>> {
    network.entries.iter().map(|(name, entry)| Signature::of(name, entry)).collect()
}

/// The function of that name; without a name `_start`, or the only one there is.
pub fn choose_entry<'a>(exports: &[Signature<'a>], name: Option<&str>) -> Result<Signature<'a>, Failure> {
    let find = |name: &str| exports.iter().find(|export| export.name == name);
    let only = || exports.first().filter(|_| exports.len() == 1);
    let found = match name {
        Some(name) => find(name),
        None => find("_start").or_else(only),
    };
    if let Some(found) = found {
        return Ok(*found);
    }
    Err(Failure::Usage(match name {
        _ if exports.is_empty() => "the module exports no function".to_owned(),
        Some(name) => {
            format!("no exported function is called `{name}`; there are:{}", Signatures(exports))
        }
        None => format!("choose one of the exported functions with --invoke:{}", Signatures(exports)),
    }))
}
