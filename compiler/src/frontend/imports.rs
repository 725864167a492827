//! Imported globals, memories and tables: checks what [`Options`] give against what the module declares.

use std::collections::BTreeMap;

use wasm2onnx_runtime::{PAGE_BYTES, Value, ValueType};
use wasmparser::{GlobalType, MemoryType, Parser, Payload, RefType, TableType, TypeRef};

use super::types::boundary_type;
use crate::error::{CompileError, ErrorKind};
use crate::options::{MemoryImport, Options, TableImport};

/// Returns the value of an imported global.
///
/// # Errors
///
/// If no value is given, or one of another type.
pub fn global(
    options: &Options,
    module: String,
    name: String,
    ty: GlobalType,
) -> Result<Value, CompileError> {
    let shown =
        |mutable: bool, ty: &str| format!("{}global of type {ty}", if mutable { "mutable " } else { "" });
    let declared = shown(ty.mutable, &ty.content_type.to_string());
    let Some(given) = options.globals.get(&format!("{module}.{name}")) else {
        return Err(missing(module, name, declared, "value"));
    };
    // A reference to a function of another instance cannot be called here.
    let foreign = matches!(given.value, Value::FuncRef(Some(_)));
    if boundary_type(ty.content_type) != Some(given.value.ty()) || ty.mutable != given.mutable || foreign {
        let mut given_as = shown(given.mutable, &given.value.ty().to_string());
        if foreign {
            given_as += " that is not null";
        }
        return Err(mismatch(module, name, declared, given_as));
    }
    Ok(given.value)
}

/// Returns an imported memory.
///
/// # Errors
///
/// If it is not given, or its size does not fit the declaration.
pub fn memory(
    options: &Options,
    module: String,
    name: String,
    ty: MemoryType,
) -> Result<&MemoryImport, CompileError> {
    let declared = limits("memory", "pages", ty.initial, ty.maximum);
    let Some(given) = options.memories.get(&format!("{module}.{name}")) else {
        return Err(missing(module, name, declared, "size in pages"));
    };
    let (pages, max) = (given.pages as u64, given.max.map(u64::from));
    let size = pages * PAGE_BYTES;
    let outside = given.data.iter().any(|(first, bytes)| *first as u64 + bytes.len() as u64 > size);
    if outside || max.is_some_and(|max| max < pages) || !fits(pages, max, ty.initial, ty.maximum) {
        let mut given = limits("memory", "pages", pages, max);
        if outside {
            given += " with data outside";
        }
        return Err(mismatch(module, name, declared, given));
    }
    Ok(given)
}

/// Returns an imported table.
///
/// # Errors
///
/// If it is not given, or its type or its size does not fit the declaration.
pub fn table(
    options: &Options,
    module: String,
    name: String,
    ty: TableType,
) -> Result<TableImport, CompileError> {
    let kind = |ty: ValueType| format!("table of type {ty}");
    let given_type = |external| if external { ValueType::ExternRef } else { ValueType::FuncRef };
    let declared_type = match ty.element_type {
        RefType::FUNCREF => Some(ValueType::FuncRef),
        RefType::EXTERNREF => Some(ValueType::ExternRef),
        _ => None,
    };
    let declared = match declared_type {
        Some(element) => limits(&kind(element), "entries", ty.initial, ty.maximum),
        None => format!("table of type {}", ty.element_type),
    };
    let Some(given) = options.tables.get(&format!("{module}.{name}")) else {
        return Err(missing(module, name, declared, "size in entries"));
    };
    let (entries, max) = (given.entries as u64, given.max.map(u64::from));
    let element = given_type(given.external);
    let bad = max.is_some_and(|max| max < entries) || !fits(entries, max, ty.initial, ty.maximum);
    if declared_type != Some(element) || ty.table64 || bad {
        let given = limits(&kind(element), "entries", entries, max);
        return Err(mismatch(module, name, declared, given));
    }
    Ok(*given)
}

/// Returns whether limits match (specification, "Import Matching"): the import is at least as large as
/// declared, and has no more room to grow.
fn fits(size: u64, max: Option<u64>, declared: u64, declared_max: Option<u64>) -> bool {
    let room = declared_max.is_none_or(|declared| max.is_some_and(|max| max <= declared));
    size >= declared && room
}

fn limits(what: &str, unit: &str, size: u64, max: Option<u64>) -> String {
    match max {
        Some(max) => format!("{what} of {size} to {max} {unit}"),
        None => format!("{what} of {size} {unit} or more"),
    }
}

fn missing(module: String, name: String, ty: String, what: &'static str) -> CompileError {
    ErrorKind::MissingImport { module, name, ty, what }.into()
}

fn mismatch(module: String, name: String, declared: String, given: String) -> CompileError {
    ErrorKind::ImportMismatch { module, name, declared, given }.into()
}

/// What a module declares about an import that is given by value, not by role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportType {
    /// A global.
    Global {
        /// Type of its value.
        ty: ValueType,
        /// Whether the program may change it.
        mutable: bool,
    },
    /// A memory.
    Memory {
        /// Maximum number of pages, if the module declares one.
        max: Option<u32>,
    },
    /// A table.
    Table {
        /// Maximum number of entries, if the module declares one.
        max: Option<u32>,
        /// Whether it holds `externref`s rather than `funcref`s.
        external: bool,
    },
}

/// Returns the imports of a module in the binary format that are globals, memories and tables of supported
/// types, by `module.name`.
///
/// # Errors
///
/// If the sections up to the imports cannot be read. Nothing is validated.
pub fn declared(binary: &[u8]) -> Result<BTreeMap<String, ImportType>, CompileError> {
    let mut declared = BTreeMap::new();
    for payload in Parser::new(0).parse_all(binary) {
        let Payload::ImportSection(reader) = payload? else { continue };
        for import in reader.into_imports() {
            let import = import?;
            let max = |max: Option<u64>| max.map(|max| max.min(u32::MAX as u64) as u32);
            let ty = match import.ty {
                TypeRef::Global(GlobalType { content_type, mutable, .. }) => {
                    boundary_type(content_type).map(|ty| ImportType::Global { ty, mutable })
                }
                TypeRef::Memory(MemoryType { maximum, .. }) => Some(ImportType::Memory { max: max(maximum) }),
                TypeRef::Table(TableType { maximum, element_type, .. }) => Some(ImportType::Table {
                    max: max(maximum),
                    external: element_type == RefType::EXTERNREF,
                }),
                _ => None,
            };
            if let Some(ty) = ty {
                declared.insert(format!("{}.{}", import.module, import.name), ty);
            }
        }
        break;
    }
    Ok(declared)
}
