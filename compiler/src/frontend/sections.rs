//! The sections of a module in the binary format: declarations go into the context, the rest is kept.

use std::collections::BTreeMap;

use wasmparser::{
    CompositeInnerType, ConstExpr, CustomSectionReader, Element, FunctionBody, GlobalType, KnownCustom,
    MemoryType, Name, Parser, Payload, TableInit, TableSectionReader, TableType, TypeSectionReader,
    ValidPayload, Validator, ValidatorResources,
};

use super::cells::Memory;
use super::context::{Context, unsupported};
use super::imports;
use super::program::Program;
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
    /// The types of tables, memories and globals, imports first.
    pub table_types: Vec<TableType>,
    pub memory_types: Vec<MemoryType>,
    pub global_types: Vec<GlobalType>,
    /// Numbers of imported tables and memories.
    pub imported_tables: u32,
    pub imported_memories: u32,
    /// Where the section is that says how another module loads this one, if it has one.
    pub dylink: Option<u64>,
    /// Imported functions that are left to the library: their indices and names.
    pub from_library: Vec<(u32, String)>,
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
    for payload in parser.parse_all(binary) {
        let payload = payload?;
        match validator.payload(&payload)? {
            ValidPayload::Func(to_validate, body) => sections.bodies.push((to_validate, body)),
            _ => section(payload, context, &mut sections, options)?,
        }
    }
    Ok(sections)
}

/// Adds what a section declares to the context, or keeps the section.
fn section<'a>(
    payload: Payload<'a>,
    context: &mut Context,
    sections: &mut Sections<'a>,
    options: &Options,
) -> Result<(), CompileError> {
    match payload {
        Payload::TypeSection(reader) => types(reader, context)?,
        Payload::ImportSection(reader) => {
            for import in reader.into_imports_with_offsets() {
                let (offset, import) = import?;
                imports::add(context, sections, import, offset, options)?;
            }
        }
        Payload::FunctionSection(reader) => {
            for ty in reader {
                context.functions.add(ty?, &mut context.program);
            }
        }
        Payload::TableSection(reader) => tables(reader, context, sections)?,
        Payload::MemorySection(reader) => {
            for memory in reader.into_iter_with_offsets() {
                let (offset, memory) = memory?;
                sections.memory_types.push(memory);
                let memory = new_memory(&mut context.program, memory, offset, options)?;
                context.memories.add(Space::Memory(memory));
            }
        }
        Payload::TagSection(reader) if reader.count() > 0 => {
            return Err(unsupported("a tag", reader.range().start));
        }
        Payload::GlobalSection(reader) => {
            for global in reader {
                let global = global?;
                sections.global_types.push(global.ty);
                let init = context.constant(&global.init_expr)?;
                context.globals.add_new(global.ty, init, &context.prefix, &mut context.program);
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
        Payload::CustomSection(reader) => custom(&reader, sections),
        _ => {}
    }
    Ok(())
}

/// Adds types, and finds for each the number that all equal types share.
fn types(reader: TypeSectionReader, context: &mut Context) -> Result<(), CompileError> {
    for group in reader {
        for ty in group?.into_types() {
            let canonical = &mut context.program.canonical;
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
        sections.table_types.push(table.ty);
        let TableType { initial, maximum, table64, .. } = table.ty;
        if table64 {
            return Err(unsupported("a 64-bit table", offset));
        }
        let id = new_table(&mut context.program, initial, maximum)?;
        context.tables.add(id);
        if let TableInit::Expr(expr) = table.init {
            sections.table_inits.push((id, expr));
        }
    }
    Ok(())
}

/// Reads names of functions. A damaged name section is no reason to refuse a module.
fn custom(section: &CustomSectionReader, sections: &mut Sections) {
    if matches!(section.name(), "dylink.0" | "dylink") {
        sections.dylink = Some(section.range().start);
    }
    let KnownCustom::Name(reader) = section.as_known() else { return };
    for name in reader.into_iter().map_while(Result::ok) {
        if let Name::Function(names) = name {
            let names = names.into_iter().map_while(Result::ok);
            sections.names.extend(names.map(|name| (name.index, name.name.to_string())));
        }
    }
}

/// Adds a table to the program.
pub fn new_table(program: &mut Program, initial: u64, maximum: Option<u64>) -> Result<TableId, CompileError> {
    const LIMIT: u64 = 1 << 24;
    /// A network has at most 65,535 regions, and a table has up to four of them.
    const MAX_TABLES: usize = 16_000;
    if program.module.tables.len() == MAX_TABLES {
        let what = "the number of tables".to_string();
        return Err(ErrorKind::Limit { what, value: MAX_TABLES as u64 + 1, limit: MAX_TABLES as u64 }.into());
    }
    if initial > LIMIT {
        let what = "the size of a table".to_string();
        return Err(ErrorKind::Limit { what, value: initial, limit: LIMIT }.into());
    }
    let limit = initial.max(DEFAULT_MAX_TABLE_ENTRIES as u64);
    let table =
        program.module.tables.push(TableData { size: initial as u32, size_cell: None, entries: Vec::new() });
    program.table_max[table] = maximum.unwrap_or(u64::MAX).min(limit) as u32;
    Ok(table)
}

/// Adds a memory to the program.
pub fn new_memory(
    program: &mut Program,
    memory: MemoryType,
    offset: u64,
    options: &Options,
) -> Result<MemoryId, CompileError> {
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
    let size = MemorySize::Constant(initial);
    let id = program.module.memories.push(MemoryData { size, data: Vec::new() });
    program.memories[id] = Memory::new(initial, declared.min(limit) as u32, declared as u32);
    Ok(id)
}
