//! The sections of a module in the binary format: declarations go into the context, the rest is kept.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;
use wasmparser::{
    CompositeInnerType, ConstExpr, CustomSectionReader, Element, FunctionBody, KnownCustom, MemoryType, Name,
    Parser, Payload, SubType, TableInit, TableSectionReader, TableType, TypeRef, TypeSectionReader,
    ValidPayload, Validator, ValidatorResources,
};

use super::cells::Memory;
use super::context::{Context, unsupported};
use super::{host, imports, names};
use crate::error::{CompileError, ErrorKind};
use crate::ir::*;
use crate::options::{DEFAULT_MAX_MEMORY_PAGES, DEFAULT_MAX_TABLE_ENTRIES, Options};

/// Maximum number of pages that a 32-bit memory can have.
const MAX_PAGES: u64 = 65536;

/// Sections that are used only after all of them were read.
#[derive(Default)]
pub struct Sections<'a> {
    pub exports: Vec<(wasmparser::Export<'a>, u64)>,
    pub elements: Vec<Element<'a>>,
    pub data: Vec<wasmparser::Data<'a>>,
    pub bodies: Vec<(wasmparser::FuncToValidate<ValidatorResources>, FunctionBody<'a>)>,
    /// Tables whose entries are not null at first, and the initial value of these entries.
    pub table_inits: Vec<(TableId, ConstExpr<'a>)>,
    /// Contents of an imported memory: addresses and bytes.
    pub imported_data: Vec<(u32, Vec<u8>)>,
    pub start: Option<u32>,
    pub names: BTreeMap<u32, String>,
}

/// Validates a module and reads its sections.
pub fn read<'a>(
    binary: &'a [u8],
    options: &Options,
    context: &mut Context,
) -> Result<Sections<'a>, CompileError> {
    let mut validator = Validator::new_with_features(options.features);
    let mut parser = Parser::new(0);
    parser.set_features(options.features);
    let mut sections = Sections::default();
    let mut canonical = FxHashMap::default();
    for payload in parser.parse_all(binary) {
        let payload = payload?;
        match validator.payload(&payload)? {
            ValidPayload::Func(to_validate, body) => sections.bodies.push((to_validate, body)),
            _ => section(payload, context, &mut sections, &mut canonical, options)?,
        }
    }
    Ok(sections)
}

/// Adds what a section declares to the context, or keeps the section.
fn section<'a>(
    payload: Payload<'a>,
    context: &mut Context,
    sections: &mut Sections<'a>,
    canonical: &mut FxHashMap<SubType, u32>,
    options: &Options,
) -> Result<(), CompileError> {
    match payload {
        Payload::TypeSection(reader) => types(reader, context, canonical)?,
        Payload::ImportSection(reader) => {
            for import in reader.into_imports_with_offsets() {
                let (offset, import) = import?;
                add_import(context, sections, import, offset, options)?;
            }
        }
        Payload::FunctionSection(reader) => {
            for ty in reader {
                let ty = ty?;
                context.functions.add(ty);
                context.module.function_types.push(context.functions.canonical(ty));
            }
        }
        Payload::TableSection(reader) => tables(reader, context, sections)?,
        Payload::MemorySection(reader) => {
            for (index, memory) in reader.into_iter_with_offsets().enumerate() {
                let (offset, memory) = memory?;
                if index > 0 || context.memory.is_some() {
                    return Err(unsupported("a second memory", offset));
                }
                add_memory(context, memory, offset, options)?;
            }
        }
        Payload::TagSection(reader) if reader.count() > 0 => {
            return Err(unsupported("a tag", reader.range().start));
        }
        Payload::GlobalSection(reader) => {
            for global in reader {
                let global = global?;
                let init = context.constant(&global.init_expr)?;
                context.globals.add(global.ty, init, &mut context.module.cells);
            }
        }
        Payload::ExportSection(reader) => {
            for export in reader.into_iter_with_offsets() {
                let (offset, export) = export?;
                sections.exports.push((export, offset));
            }
        }
        Payload::StartSection { func, .. } => sections.start = Some(func),
        Payload::ElementSection(reader) => {
            sections.elements = reader.into_iter().collect::<Result<_, _>>()?;
        }
        Payload::DataSection(reader) => sections.data = reader.into_iter().collect::<Result<_, _>>()?,
        Payload::CustomSection(reader) => custom(&reader, sections)?,
        _ => {}
    }
    Ok(())
}

/// Adds types, and finds for each the number that all equal types share.
fn types(
    reader: TypeSectionReader,
    context: &mut Context,
    canonical: &mut FxHashMap<SubType, u32>,
) -> Result<(), CompileError> {
    for group in reader {
        for ty in group?.into_types() {
            let next = canonical.len() as u32;
            let canonical = *canonical.entry(ty.clone()).or_insert(next);
            let is_func = matches!(ty.composite_type.inner, CompositeInnerType::Func(_));
            context.functions.add_type(is_func.then(|| ty.unwrap_func().clone()), canonical);
        }
    }
    Ok(())
}

fn tables<'a>(
    reader: TableSectionReader<'a>,
    context: &mut Context,
    sections: &mut Sections<'a>,
) -> Result<(), CompileError> {
    for table in reader.into_iter_with_offsets() {
        let (offset, table) = table?;
        let TableType { initial, maximum, table64, .. } = table.ty;
        if table64 {
            return Err(unsupported("a 64-bit table", offset));
        }
        let id = add_table(context, initial, maximum)?;
        if let TableInit::Expr(expr) = table.init {
            sections.table_inits.push((id, expr));
        }
    }
    Ok(())
}

/// Reads names of functions. A damaged name section is no reason to refuse a module; that another module has
/// to load it is one.
fn custom(section: &CustomSectionReader, sections: &mut Sections) -> Result<(), CompileError> {
    if matches!(section.name(), "dylink.0" | "dylink") {
        let what = "a shared library (of Emscripten, a side module), which another module has to load".into();
        let advice = "Link all into one module, without `-sSIDE_MODULE` and `-shared`".to_owned();
        let (function, offset) = (None, section.range().start);
        return Err(ErrorKind::Unsupported { what, function, offset, advice: Some(advice) }.into());
    }
    let KnownCustom::Name(reader) = section.as_known() else { return Ok(()) };
    for name in reader.into_iter().map_while(Result::ok) {
        if let Name::Function(names) = name {
            let names = names.into_iter().map_while(Result::ok);
            sections.names.extend(names.map(|name| (name.index, name.name.to_string())));
        }
    }
    Ok(())
}

fn add_import(
    context: &mut Context,
    sections: &mut Sections,
    import: wasmparser::Import,
    offset: u64,
    options: &Options,
) -> Result<(), CompileError> {
    let (module, name) = (import.module.to_string(), import.name.to_string());
    match import.ty {
        TypeRef::Func(index) | TypeRef::FuncExact(index) => {
            let full_name = format!("{module}.{name}");
            let ty = match &context.functions.types[index as usize] {
                Some(ty) => names::type_name(ty),
                None => "unknown".into(),
            };
            let Some(role) = options.imports.get(&full_name).copied() else {
                return Err(ErrorKind::UnknownImport { module, name, ty }.into());
            };
            if let Some(expected) = host::expected_type(role)
                && expected != ty
            {
                return Err(ErrorKind::ImportType { module, name, ty, role, expected }.into());
            }
            context.functions.add_import(role, full_name, index);
        }
        TypeRef::Table(ty) => {
            let given = imports::table(options, module, name, ty)?;
            add_table(context, given.entries as u64, given.max.map(u64::from))?;
        }
        TypeRef::Memory(ty) => {
            if context.memory.is_some() {
                return Err(unsupported("a second memory", offset));
            }
            let given = imports::memory(options, module, name, ty)?;
            let ty = MemoryType { initial: given.pages as u64, maximum: given.max.map(u64::from), ..ty };
            add_memory(context, ty, offset, options)?;
            sections.imported_data = given.data.clone();
        }
        TypeRef::Global(ty) => {
            let [low, high] = imports::global(options, module, name, ty)?.words();
            let init = low as u64 | (high as u64) << 32;
            context.globals.add(ty, init, &mut context.module.cells);
        }
        TypeRef::Tag(_) => return Err(unsupported(&format!("imported tag `{module}.{name}`"), offset)),
    }
    Ok(())
}

fn add_table(context: &mut Context, initial: u64, maximum: Option<u64>) -> Result<TableId, CompileError> {
    const LIMIT: u64 = 1 << 24;
    /// A network has at most 65,535 regions, and a table has up to four of them.
    const MAX_TABLES: usize = 16_000;
    if context.module.tables.len() == MAX_TABLES {
        let what = "the number of tables".to_string();
        return Err(ErrorKind::Limit { what, value: MAX_TABLES as u64 + 1, limit: MAX_TABLES as u64 }.into());
    }
    if initial > LIMIT {
        let what = "the size of a table".to_string();
        return Err(ErrorKind::Limit { what, value: initial, limit: LIMIT }.into());
    }
    let limit = initial.max(DEFAULT_MAX_TABLE_ENTRIES as u64);
    context.tables.add(maximum.unwrap_or(u64::MAX).min(limit) as u32);
    Ok(context.module.tables.push(TableData { size: initial as u32, size_cell: None, entries: Vec::new() }))
}

fn add_memory(
    context: &mut Context,
    memory: MemoryType,
    offset: u64,
    options: &Options,
) -> Result<(), CompileError> {
    if memory.memory64 {
        return Err(unsupported("a 64-bit memory", offset));
    }
    if memory.page_size_log2.is_some_and(|log2| log2 != 16) {
        return Err(unsupported("a memory with custom page size", offset));
    }
    let declared = memory.maximum.unwrap_or(MAX_PAGES);
    let limit = match options.max_memory_pages {
        Some(limit) => limit.into(),
        None => u64::from(DEFAULT_MAX_MEMORY_PAGES).max(4 * memory.initial),
    };
    if memory.initial > limit {
        let what = "the initial size of the memory in pages".to_string();
        return Err(ErrorKind::Limit { what, value: memory.initial, limit }.into());
    }
    let initial = memory.initial as u32;
    context.memory = Some(Memory::new(initial, declared.min(limit) as u32, declared as u32));
    context.module.memory = MemorySize::Constant(initial);
    Ok(())
}
