//! Prefixes of names, so that several models can be merged into one graph.
//!
//! All names in a graph begin with the prefix: those of nodes, values, tensors and dimensions, but not those of the tensors that the signature of
//! a function names. So do the keys of the metadata behind [`PREFIX`]. Checksums are those of the model without the prefix.

use crate::model::PREFIX;
use crate::proto::{DimensionValue, GraphProto, ModelProto, StringStringEntryProto, TypeProto, TypeValue};

/// Returns whether names can begin with a text: it has letters, digits, `_`, `-`, `.` and `/`, and begins with a letter or `_`.
pub fn is_prefix(text: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/');
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && text.chars().all(is_part)
}

/// Puts a prefix before all names but those that are kept.
pub fn add(model: &mut ModelProto, prefix: &str, kept: &[&str]) {
    let rename = |name: &mut String| {
        if !name.is_empty() && !kept.contains(&&name[..]) {
            name.insert_str(0, prefix);
        }
    };
    if let Some(graph) = &mut model.graph {
        each_name(graph, &rename);
    }
    for entry in &mut model.metadata_props {
        if let Some(key) = entry.key.strip_prefix(PREFIX) {
            entry.key = format!("{PREFIX}{prefix}{key}");
        }
    }
}

/// Takes the prefix away, if there is one.
pub fn remove(model: &mut ModelProto) {
    // The format is among the metadata of every model.
    let key = |entry: &StringStringEntryProto| {
        Some(entry.key.strip_prefix(PREFIX)?.strip_suffix("format")?.to_owned())
    };
    let prefix = model.metadata_props.iter().find_map(key).filter(|prefix| is_prefix(prefix));
    let Some(prefix) = prefix else { return };
    let rename = |name: &mut String| {
        if let Some(own) = name.strip_prefix(&prefix) {
            *name = own.to_owned();
        }
    };
    if let Some(graph) = &mut model.graph {
        each_name(graph, &rename);
    }
    for entry in &mut model.metadata_props {
        if let Some(key) = entry.key.strip_prefix(PREFIX).and_then(|key| key.strip_prefix(&prefix[..])) {
            entry.key = format!("{PREFIX}{key}");
        }
    }
}

/// Calls `rename` with the names of all nodes, values, tensors and dimensions in a graph and in the bodies of its loops.
fn each_name(graph: &mut GraphProto, rename: &dyn Fn(&mut String)) {
    for node in &mut graph.node {
        rename(&mut node.name);
        node.input.iter_mut().chain(&mut node.output).for_each(rename);
        node.attribute
            .iter_mut()
            .filter_map(|attribute| attribute.g.as_mut())
            .for_each(|body| each_name(body, rename));
    }
    graph.initializer.iter_mut().for_each(|tensor| rename(&mut tensor.name));
    for value in graph.input.iter_mut().chain(&mut graph.output) {
        rename(&mut value.name);
        if let Some(ty) = &mut value.r#type {
            each_dimension(ty, rename);
        }
    }
}

fn each_dimension(ty: &mut TypeProto, rename: &dyn Fn(&mut String)) {
    match &mut ty.value {
        Some(TypeValue::Tensor(tensor)) => {
            let dims = tensor.shape.iter_mut().flat_map(|shape| &mut shape.dim);
            for dim in dims {
                if let Some(DimensionValue::Name(name)) = &mut dim.value {
                    rename(name);
                }
            }
        }
        Some(TypeValue::Sequence(sequence)) => {
            if let Some(ty) = &mut sequence.elem_type {
                each_dimension(ty, rename);
            }
        }
        None => {}
    }
}
