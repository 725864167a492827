//! Everything of a module but its function bodies.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use wasm2onnx_runtime::TrapCode;
use wasmparser::{
    ConstExpr, Element, ExternalKind, FunctionBody, GlobalType, KnownCustom, MemoryType, Name, Parser,
    Payload, TableInit, TableType, TypeRef, ValType, ValidPayload, Validator, ValidatorResources,
};

use super::context::{Context, Global, Import, TypeList, boundary_type, unsupported, value_type};
use super::segments::{add_reference_table, fill_memory, fill_segments, fill_tables};
use super::{Stop, body, host, imports, names, proposals};
use crate::builder::Builder;
use crate::error::{CompileError, ErrorKind};
use crate::ir::*;
use crate::options::{DEFAULT_MAX_MEMORY_PAGES, DEFAULT_MAX_TABLE_ENTRIES, Options, Unsupported};

/// Most pages that a 32-bit memory can have.
const MAX_PAGES: u64 = 65536;

/// Sections that are used only after all of them were read.
#[derive(Default)]
pub struct Sections<'a> {
    pub exports: Vec<(wasmparser::Export<'a>, u64)>,
    pub elements: Vec<Element<'a>>,
    pub data: Vec<wasmparser::Data<'a>>,
    pub bodies: Vec<(wasmparser::FuncToValidate<ValidatorResources>, FunctionBody<'a>)>,
    /// Tables that are not null at first, and what their entries are.
    pub table_inits: Vec<(TableId, ConstExpr<'a>)>,
    pub start: Option<u32>,
    pub names: BTreeMap<u32, String>,
}

/// Validates a module in the binary format and translates it.
pub fn translate(binary: &[u8], options: &Options) -> Result<Module, CompileError> {
    let mut context = Context::new(options)?;
    translate_all(&mut context, binary, options)
        .map_err(|error| proposals::explain(binary, options, &context.names, error))?;
    context.module.function_names = context.names;
    Ok(context.module)
}

fn translate_all(context: &mut Context, binary: &[u8], options: &Options) -> Result<(), CompileError> {
    let mut sections = read_sections(binary, options, context)?;
    name_functions(context, &sections);
    export(context, &sections, options)?;
    fill_tables(context, &sections)?;
    fill_memory(context, &sections)?;
    let creation = at_creation(context, &sections)?;
    let bodies = std::mem::take(&mut sections.bodies);
    translate_bodies(context, bodies, options)?;
    fill_segments(context, &sections)?;
    add_wrappers(context);
    context.module.start = in_sequence(&mut context.module, &creation);
    add_reference_table(&mut context.module);
    if context.memory_grows {
        context.module.memory = MemorySize::Cell { cell: context.memory_cell(), max: context.memory_max };
    }
    Ok(())
}

fn read_sections<'a>(
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
        if let ValidPayload::Func(to_validate, body) = validator.payload(&payload)? {
            sections.bodies.push((to_validate, body));
            continue;
        }
        match payload {
            Payload::TypeSection(reader) => {
                for group in reader {
                    for ty in group?.into_types() {
                        let next = canonical.len() as u32;
                        context.canonical.push(*canonical.entry(ty.clone()).or_insert(next));
                        let is_func =
                            matches!(ty.composite_type.inner, wasmparser::CompositeInnerType::Func(_));
                        context.types.push(is_func.then(|| ty.unwrap_func().clone()));
                    }
                }
            }
            Payload::ImportSection(reader) => {
                for import in reader.into_imports_with_offsets() {
                    let (offset, import) = import?;
                    add_import(context, import, offset, options)?;
                }
            }
            Payload::FunctionSection(reader) => {
                for ty in reader {
                    let ty = ty?;
                    context.function_types.push(ty);
                    context.module.function_types.push(context.canonical[ty as usize]);
                }
            }
            Payload::TableSection(reader) => {
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
            }
            Payload::MemorySection(reader) => {
                for (index, memory) in reader.into_iter_with_offsets().enumerate() {
                    let (offset, memory) = memory?;
                    if index > 0 || context.has_memory {
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
                    add_global(context, global.ty, init);
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
            Payload::CustomSection(custom) if matches!(custom.name(), "dylink.0" | "dylink") => {
                let what =
                    "a shared library (of Emscripten, a side module), which another module has to load"
                        .into();
                let advice = "Link all into one module, without `-sSIDE_MODULE` and `-shared`".to_owned();
                let (function, offset) = (None, custom.range().start);
                return Err(ErrorKind::Unsupported { what, function, offset, advice: Some(advice) }.into());
            }
            // A damaged name section is no reason to refuse a module.
            Payload::CustomSection(custom) => {
                if let KnownCustom::Name(reader) = custom.as_known() {
                    for name in reader.into_iter().map_while(Result::ok) {
                        if let Name::Function(names) = name {
                            sections.names.extend(
                                names
                                    .into_iter()
                                    .map_while(Result::ok)
                                    .map(|n| (n.index, n.name.to_string())),
                            );
                        }
                    }
                }
            }
            _ => {}
        }
    }
    Ok(sections)
}

fn add_import(
    context: &mut Context,
    import: wasmparser::Import,
    offset: u64,
    options: &Options,
) -> Result<(), CompileError> {
    let (module, name) = (import.module.to_string(), import.name.to_string());
    match import.ty {
        TypeRef::Func(index) | TypeRef::FuncExact(index) => {
            let full_name = format!("{module}.{name}");
            let ty = match &context.types[index as usize] {
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
            context.imports.push(Import { role, name: full_name, wrapper: None });
            context.function_types.push(index);
        }
        TypeRef::Table(ty) => {
            let given = imports::table(options, module, name, ty)?;
            add_table(context, given.entries as u64, given.max.map(u64::from))?;
        }
        TypeRef::Memory(ty) => {
            if context.has_memory {
                return Err(unsupported("a second memory", offset));
            }
            let given = imports::memory(options, module, name, ty)?;
            let ty = MemoryType { initial: given.pages as u64, maximum: given.max.map(u64::from), ..ty };
            add_memory(context, ty, offset, options)?;
            context.imported_data = given.data.clone();
        }
        TypeRef::Global(ty) => {
            let [low, high] = imports::global(options, module, name, ty)?.words();
            add_global(context, ty, low as u64 | (high as u64) << 32);
        }
        TypeRef::Tag(_) => return Err(unsupported(&format!("imported tag `{module}.{name}`"), offset)),
    }
    Ok(())
}

fn add_table(context: &mut Context, initial: u64, maximum: Option<u64>) -> Result<TableId, CompileError> {
    const LIMIT: u64 = 1 << 24;
    /// A network has at most 65,535 regions, and a table up to four.
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
    context.table_max.push(maximum.unwrap_or(u64::MAX).min(limit) as u32);
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
    context.has_memory = true;
    let declared = memory.maximum.unwrap_or(MAX_PAGES);
    let limit = match options.max_memory_pages {
        Some(limit) => limit.into(),
        None => u64::from(DEFAULT_MAX_MEMORY_PAGES).max(4 * memory.initial),
    };
    if memory.initial > limit {
        let what = "the initial size of the memory in pages".to_string();
        return Err(ErrorKind::Limit { what, value: memory.initial, limit }.into());
    }
    context.memory_initial = memory.initial as u32;
    context.memory_declared = declared as u32;
    context.memory_max = declared.min(limit) as u32;
    context.module.memory = MemorySize::Constant(context.memory_initial);
    Ok(())
}

fn add_global(context: &mut Context, ty: GlobalType, init: u64) {
    let global = match (value_type(ty.content_type), boundary_type(ty.content_type)) {
        (Ok(ir), Some(value_type)) => {
            let constant = (!ty.mutable).then_some(init);
            Some(Global { ty: ir, value_type, constant, cells: SmallVec::new(), mutable: ty.mutable, init })
        }
        _ => None,
    };
    context.global_constants.push((!ty.mutable).then_some(init));
    context.globals.push(global);
    if ty.mutable {
        context.add_global_cells(context.globals.len() - 1);
    }
}

/// From the name section, an export, the import, or `func[i]`.
fn name_functions(context: &mut Context, sections: &Sections) {
    let mut names: Vec<Option<String>> = vec![None; context.function_types.len()];
    for (name, import) in names.iter_mut().zip(&context.imports) {
        *name = Some(import.name.clone());
    }
    for (export, _) in &sections.exports {
        if export.kind == ExternalKind::Func {
            names[export.index as usize].get_or_insert_with(|| export.name.to_string());
        }
    }
    for (index, name) in &sections.names {
        if let Some(slot) = names.get_mut(*index as usize) {
            *slot = Some(name.clone());
        }
    }
    let unnamed = |(index, name): (usize, Option<String>)| name.unwrap_or_else(|| format!("func[{index}]"));
    context.names = names.into_iter().enumerate().map(unnamed).collect();
}

/// Every name that is asked for is that of an exported function.
fn check_wanted(context: &Context, sections: &Sections, wanted: &[String]) -> Result<(), CompileError> {
    let functions = sections.exports.iter().map(|(export, _)| export);
    let functions: Vec<_> = functions
        .filter(|export| matches!(export.kind, ExternalKind::Func | ExternalKind::FuncExact))
        .collect();
    let Some(name) = wanted.iter().find(|name| functions.iter().all(|export| export.name != name.as_str()))
    else {
        return Ok(());
    };
    let shown = |export: &&wasmparser::Export| {
        let ty = context.types[context.function_types[export.index as usize] as usize].as_ref();
        format!("`{}` {}", export.name, ty.map_or("unknown".into(), names::type_name))
    };
    let exports = functions.iter().map(shown).collect();
    Err(ErrorKind::NoSuchExport { name: name.clone(), exports }.into())
}

fn export(context: &mut Context, sections: &Sections, options: &Options) -> Result<(), CompileError> {
    if let Some(wanted) = &options.exports {
        check_wanted(context, sections, wanted)?;
    }
    for (export, offset) in &sections.exports {
        let name = export.name.to_string();
        if options.exports.as_ref().is_some_and(|wanted| !wanted.contains(&name)) {
            continue;
        }
        match export.kind {
            ExternalKind::Func | ExternalKind::FuncExact => {
                let ty = context.types[context.function_types[export.index as usize] as usize].as_ref();
                let list =
                    |types: &[ValType]| types.iter().map(|ty| boundary_type(*ty)).collect::<Option<_>>();
                let signature = ty.and_then(|ty| {
                    Some(Signature { params: list(ty.params())?, results: list(ty.results())? })
                });
                match signature {
                    Some(signature) => {
                        let func = context.func(export.index);
                        context.module.exports.push((name, func, signature));
                    }
                    None if options.unsupported == Unsupported::Trap => {}
                    None => {
                        let what =
                            format!("exported function `{name}` with a vector or an unusual reference");
                        return Err(unsupported(&what, *offset));
                    }
                }
            }
            ExternalKind::Global => {
                context.add_global_cells(export.index as usize);
                match &context.globals[export.index as usize] {
                    Some(Global { value_type, mutable, cells, .. }) => {
                        context.module.exported_globals.push((name, *value_type, *mutable, cells.to_vec()));
                    }
                    None if options.unsupported == Unsupported::Trap => {}
                    None => {
                        let what = format!("exported global `{name}` with a vector or an unusual reference");
                        return Err(unsupported(&what, *offset));
                    }
                }
            }
            ExternalKind::Memory => context.module.exported_memories.push(name),
            // Nothing outside can use a table: references to functions do not leave a network.
            ExternalKind::Table | ExternalKind::Tag => {}
        }
    }
    Ok(())
}

fn translate_bodies(
    context: &mut Context,
    bodies: Vec<(wasmparser::FuncToValidate<ValidatorResources>, FunctionBody)>,
    options: &Options,
) -> Result<(), CompileError> {
    let mut allocations = body::Allocations::default();
    let imports = context.imports.len() as u32;
    for (i, (to_validate, body)) in bodies.into_iter().enumerate() {
        let index = imports + i as u32;
        context.module.function_offsets.push((body.range().start as u32, index));
        let func = match body::translate(context, &mut allocations, index, to_validate, body) {
            Ok(func) => func,
            Err(Stop::Invalid(error)) => return Err(error.into()),
            Err(Stop::Unsupported { what, offset }) => {
                let name = context.names[index as usize].clone();
                if options.unsupported == Unsupported::Refuse {
                    let function = Some((name, index));
                    return Err(ErrorKind::Unsupported { what, function, offset, advice: None }.into());
                }
                trapping(context, name, index)
            }
        };
        context.module.functions.push(func);
    }
    Ok(())
}

/// A function that is called with the type of another, but only traps. One with types that the IR
/// does not have can only be called by functions that trap themselves.
fn trapping(context: &Context, name: String, index: u32) -> Function {
    let (params, results) = match context.signature(context.function_type(index)) {
        Ok(types) => (types.params, types.results),
        Err(_) => (TypeList::new(), TypeList::new()),
    };
    Function::trapping(name, index, &params, results.to_vec(), TrapCode::UnsupportedHostCall)
}

/// What an instance runs when it is created: the start function, then what initializes a WASI reactor.
fn at_creation(context: &mut Context, sections: &Sections) -> Result<Vec<Func>, CompileError> {
    const INITIALIZE: &str = "_initialize";
    let mut creation: Vec<Func> = sections.start.iter().map(|index| context.func(*index)).collect();
    let is_it = |export: &wasmparser::Export| export.kind == ExternalKind::Func && export.name == INITIALIZE;
    if let Some((export, offset)) = sections.exports.iter().find(|(export, _)| is_it(export)) {
        match &context.types[context.function_type(export.index) as usize] {
            Some(ty) if ty.params().is_empty() && ty.results().is_empty() => {
                creation.push(context.func(export.index));
            }
            ty => {
                let ty = ty.as_ref().map_or("unknown".into(), names::type_name);
                let what = format!("`{INITIALIZE}`, which is called at instance creation, of type {ty}");
                return Err(unsupported(&what, *offset));
            }
        }
    }
    Ok(creation)
}

/// A function that calls functions without parameters and results one after the other, if there is any.
fn in_sequence(module: &mut Module, functions: &[Func]) -> Option<Func> {
    let [first, .., _] = functions else { return functions.first().copied() };
    let ty = module.function_types[*first];
    let origin = module.functions[*first].origin;
    let mut sequence = Function::new("instance creation".into(), origin, Vec::new());
    let mut block = sequence.entry;
    for func in functions {
        let next = sequence.add_block();
        let callee = Callee::Direct(*func);
        sequence.blocks[block].term = Terminator::Call { callee, args: Values::new(), next };
        block = next;
    }
    sequence.blocks[block].term = Terminator::Return(Values::new());
    module.function_types.push(ty);
    Some(module.functions.push(sequence))
}

/// Functions for imports that are exported, in a table or the start function.
fn add_wrappers(context: &mut Context) {
    for index in std::mem::take(&mut context.wrappers) {
        let role = context.imports[index as usize].role;
        let name = context.names[index as usize].clone();
        let ty = context.function_type(index);
        let mut func = trapping(context, name, index);
        let args = func.blocks[func.entry].params.clone();
        let results = func.results.clone();
        let block = func.entry;
        let mut b = Builder { func: &mut func, block, offset: 0 };
        if let Some(results) = host::emit(context, &mut b, role, &args, &results) {
            b.terminate(Terminator::Return(results));
        }
        context.module.functions.push(func);
        let canonical = context.canonical(ty);
        context.module.function_types.push(canonical);
    }
}
