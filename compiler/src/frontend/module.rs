//! Everything of a module but its function bodies.

use std::collections::BTreeMap;

use cranelift_entity::{EntityRef, PrimaryMap, SecondaryMap};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use wasm2onnx_runtime::{TrapCode, ValueType};
use wasmparser::{
    ConstExpr, DataKind, Element, ElementItems, ElementKind, ExternalKind, FuncType, FunctionBody,
    GlobalType, KnownCustom, MemoryType, Name, Operator, Parser, Payload, RefType, TableInit, TableType,
    TypeRef, ValType, ValidPayload, Validator, ValidatorResources,
};

use super::{Stop, body, host, imports, names};
use crate::builder::Builder;
use crate::error::{CompileError, ErrorKind};
use crate::ir::*;
use crate::layout::MAX_STREAM;
use crate::options::{DEFAULT_MAX_MEMORY_PAGES, DEFAULT_MAX_TABLE_ENTRIES, Options, Role, Unsupported};

const PAGE: u64 = 65536;
/// Most pages that a 32-bit memory can have.
const MAX_PAGES: u64 = 65536;

/// Types of a function, a block, ….
pub type TypeList = SmallVec<[Type; 4]>;

/// A function type in the IR's types.
pub struct Types {
    pub params: TypeList,
    pub results: TypeList,
}

/// What an entry of the function index space is.
#[derive(Clone, Copy)]
pub enum Callable {
    /// A function of the module.
    Func(Func),
    /// An import, to be served in place.
    Import(Role),
}

/// A global.
#[derive(Clone)]
pub struct Global {
    /// Its type in the IR.
    pub ty: Type,
    /// Its type at the boundary.
    pub value_type: ValueType,
    /// Its bits if it is immutable.
    pub constant: Option<u64>,
    /// Where it is kept, low word first; an immutable one only if it is exported.
    pub cells: SmallVec<[Cell; 2]>,
    mutable: bool,
    init: u64,
}

struct Import {
    role: Role,
    name: String,
    wrapper: Option<Func>,
}

/// A segment, as instructions that refer to it see it.
struct Segment {
    /// Bytes or elements that it has after instance creation: of an active or declarative one none.
    len: u32,
    /// Where it begins in its space, and the cell with the length that it still has, once an instruction refers to it.
    used: Option<(u32, Cell)>,
}

/// What function bodies need to know of the module.
pub struct Context {
    /// Names of all functions, imports included.
    pub names: Vec<String>,
    /// Most pages that the memory can have.
    pub memory_max: u32,
    /// Bytes that standard input can have.
    pub stdin_bytes: u32,
    /// Bytes that standard output can hold; the next one is an unsupported host call.
    pub stdout_bytes: u32,
    /// Whether any function grows the memory.
    pub memory_grows: bool,
    types: Vec<Option<FuncType>>,
    canonical: Vec<u32>,
    imports: Vec<Import>,
    /// Imports that need a function of their own, in the order of their `Func`s.
    wrappers: Vec<u32>,
    /// Type of each function, imports included.
    function_types: Vec<u32>,
    globals: Vec<Option<Global>>,
    global_constants: Vec<Option<u64>>,
    /// The reference of each function that one is made of.
    references: FxHashMap<u32, u32>,
    /// Most entries that each table can have.
    table_max: Vec<u32>,
    data_segments: Vec<Segment>,
    element_segments: Vec<Segment>,
    memory_initial: u32,
    memory_cell: Option<Cell>,
    has_memory: bool,
    /// What an imported memory holds.
    imported_data: Vec<(u32, Vec<u8>)>,
    module: Module,
}

/// An IR type for a wasm type.
pub fn value_type(ty: ValType) -> Result<Type, String> {
    match ty {
        ValType::I32 | ValType::F32 => Ok(Type::I32),
        ValType::I64 | ValType::F64 => Ok(Type::I64),
        ValType::Ref(RefType::FUNCREF | RefType::EXTERNREF) => Ok(Type::I32),
        ValType::V128 | ValType::Ref(_) => Err(format!("type {ty}")),
    }
}

/// A wasm type at the boundary.
pub fn boundary_type(ty: ValType) -> Option<ValueType> {
    Some(match ty {
        ValType::I32 => ValueType::I32,
        ValType::I64 => ValueType::I64,
        ValType::F32 => ValueType::F32,
        ValType::F64 => ValueType::F64,
        ValType::Ref(RefType::FUNCREF) => ValueType::FuncRef,
        ValType::Ref(RefType::EXTERNREF) => ValueType::ExternRef,
        ValType::V128 | ValType::Ref(_) => return None,
    })
}

impl Context {
    /// Types of a function type.
    pub fn signature(&self, ty: u32) -> Result<Types, String> {
        let Some(ty) = &self.types[ty as usize] else { return Err("a type that is not of functions".into()) };
        let list =
            |types: &[ValType]| types.iter().map(|ty| value_type(*ty)).collect::<Result<TypeList, _>>();
        Ok(Types { params: list(ty.params())?, results: list(ty.results())? })
    }

    /// Type index of a function.
    pub fn function_type(&self, index: u32) -> u32 {
        self.function_types[index as usize]
    }

    /// The same for equal types.
    pub fn canonical(&self, ty: u32) -> u32 {
        self.canonical[ty as usize]
    }

    /// What a function index means.
    pub fn callable(&self, index: u32) -> Callable {
        match self.imports.get(index as usize) {
            Some(import) => Callable::Import(import.role),
            None => Callable::Func(Func::from_u32(index - self.imports.len() as u32)),
        }
    }

    /// A function for an index that is called from elsewhere: an import gets a wrapper.
    fn func(&mut self, index: u32) -> Func {
        let defined = (self.function_types.len() - self.imports.len()) as u32;
        match self.imports.get_mut(index as usize) {
            Some(import) => *import.wrapper.get_or_insert_with(|| {
                self.wrappers.push(index);
                Func::from_u32(defined + self.wrappers.len() as u32 - 1)
            }),
            None => Func::from_u32(index - self.imports.len() as u32),
        }
    }

    /// A global, if its type is supported.
    pub fn global(&self, index: u32) -> Result<Global, String> {
        self.globals[index as usize].clone().ok_or_else(|| "a global of reference or vector type".into())
    }

    fn add_cell(&mut self, name: &str, init: u32, max: u32) -> Cell {
        self.module.cells.push(CellData { name: name.into(), init, max })
    }

    /// The cell with the number of pages.
    pub fn memory_cell(&mut self) -> Cell {
        if self.memory_cell.is_none() {
            self.memory_cell = Some(self.add_cell("memory.pages", self.memory_initial, self.memory_max));
        }
        self.memory_cell.expect("just made")
    }

    /// The cell with the number of bytes of standard output.
    pub fn stdout_length(&mut self) -> Cell {
        if self.module.stdout_length.is_none() {
            self.module.stdout_length = Some(self.add_cell("stdout.length", 0, self.stdout_bytes));
        }
        self.module.stdout_length.expect("just made")
    }

    /// The cells with the position in standard input and with its length.
    pub fn stdin(&mut self) -> (Cell, Cell) {
        if self.module.stdin_length.is_none() {
            self.add_cell("stdin.position", 0, self.stdin_bytes);
            self.module.stdin_length = Some(self.add_cell("stdin.length", 0, self.stdin_bytes));
        }
        let length = self.module.stdin_length.expect("just made");
        (Cell::new(length.index() - 1), length)
    }

    /// The reference of a function.
    pub fn reference(&mut self, index: u32) -> u32 {
        if let Some(reference) = self.references.get(&index) {
            return *reference;
        }
        let func = self.func(index);
        self.module.references.push(Some(func));
        let reference = self.module.references.len() as u32;
        self.references.insert(index, reference);
        reference
    }

    /// The cell with the number of entries of a table.
    pub fn table_size(&mut self, table: u32) -> Cell {
        let id = TableId::from_u32(table);
        let TableData { size, size_cell, .. } = self.module.tables[id];
        size_cell.unwrap_or_else(|| {
            let max = self.table_max[table as usize];
            let cell = self.add_cell(&format!("{id}.size"), size, max);
            self.module.tables[id].size_cell = Some(cell);
            cell
        })
    }

    /// Most entries that a table can have.
    pub fn table_max(&self, table: u32) -> u32 {
        self.table_max[table as usize]
    }

    /// Where a data segment begins in [`Space::Data`], and the cell with its length.
    pub fn data_segment(&mut self, index: u32) -> (u32, Cell) {
        let name = format!("data[{index}].length");
        use_segment(&mut self.module.cells, &mut self.data_segments, index, name)
    }

    /// Where an element segment begins in [`Space::Elements`], and the cell with its length.
    pub fn element_segment(&mut self, index: u32) -> (u32, Cell) {
        let name = format!("element[{index}].length");
        use_segment(&mut self.module.cells, &mut self.element_segments, index, name)
    }

    /// The bits of a constant expression.
    fn constant(&mut self, expr: &ConstExpr) -> Result<u64, CompileError> {
        let mut stack: SmallVec<[u64; 4]> = SmallVec::new();
        let mut reader = expr.get_operators_reader();
        while !reader.eof() {
            let (op, offset) = reader.read_with_offset()?;
            let mut binary = |f: fn(u64, u64) -> u64| {
                let (Some(b), Some(a)) = (stack.pop(), stack.pop()) else { unreachable!("validated") };
                f(a, b)
            };
            let value = match op {
                Operator::I32Const { value } => value as u32 as u64,
                Operator::I64Const { value } => value as u64,
                Operator::F32Const { value } => value.bits() as u64,
                Operator::F64Const { value } => value.bits(),
                Operator::I32Add => binary(|a, b| (a as u32).wrapping_add(b as u32) as u64),
                Operator::I32Sub => binary(|a, b| (a as u32).wrapping_sub(b as u32) as u64),
                Operator::I32Mul => binary(|a, b| (a as u32).wrapping_mul(b as u32) as u64),
                Operator::I64Add => binary(u64::wrapping_add),
                Operator::I64Sub => binary(u64::wrapping_sub),
                Operator::I64Mul => binary(u64::wrapping_mul),
                Operator::RefFunc { function_index } => self.reference(function_index) as u64,
                Operator::RefNull { .. } => 0,
                Operator::GlobalGet { global_index } => match self.global_constants[global_index as usize] {
                    Some(constant) => constant,
                    None => {
                        return Err(unsupported("a constant expression with an unsupported global", offset));
                    }
                },
                Operator::End => continue,
                op => {
                    let what = format!("{} in a constant expression", names::operator_name(&op));
                    return Err(unsupported(&what, offset));
                }
            };
            stack.push(value);
        }
        Ok(stack[0])
    }
}

fn unsupported(what: &str, offset: u64) -> CompileError {
    ErrorKind::Unsupported { what: what.to_string(), function: None, offset }.into()
}

/// Gives a segment a place behind those that are used already.
fn use_segment(
    cells: &mut PrimaryMap<Cell, CellData>,
    segments: &mut [Segment],
    index: u32,
    name: String,
) -> (u32, Cell) {
    let end = segments.iter().filter(|s| s.used.is_some()).map(|s| s.len).sum();
    let segment = &mut segments[index as usize];
    let len = segment.len;
    *segment.used.get_or_insert_with(|| (end, cells.push(CellData { name, init: len, max: len })))
}

/// Sections that are used only after all of them were read.
#[derive(Default)]
struct Sections<'a> {
    exports: Vec<(wasmparser::Export<'a>, u64)>,
    elements: Vec<Element<'a>>,
    data: Vec<wasmparser::Data<'a>>,
    bodies: Vec<(wasmparser::FuncToValidate<ValidatorResources>, FunctionBody<'a>)>,
    /// Tables that are not null at first, and what their entries are.
    table_inits: Vec<(TableId, ConstExpr<'a>)>,
    start: Option<u32>,
    names: BTreeMap<u32, String>,
}

/// Validates a module in the binary format and translates it.
pub fn translate(binary: &[u8], options: &Options) -> Result<Module, CompileError> {
    let mut context = Context::new(options)?;
    let mut sections = read_sections(binary, options, &mut context)?;
    name_functions(&mut context, &sections);
    export(&mut context, &sections, options)?;
    fill_tables(&mut context, &sections)?;
    fill_memory(&mut context, &sections)?;
    context.module.start = sections.start.map(|index| context.func(index));
    let bodies = std::mem::take(&mut sections.bodies);
    translate_bodies(&mut context, bodies, options)?;
    fill_segments(&mut context, &sections)?;
    add_wrappers(&mut context);
    add_reference_table(&mut context.module);
    if context.memory_grows {
        context.module.memory = MemorySize::Cell { cell: context.memory_cell(), max: context.memory_max };
    }
    context.module.function_names = context.names;
    Ok(context.module)
}

impl Context {
    fn new(options: &Options) -> Result<Self, CompileError> {
        let stream = |what: &str, value: u64| match value <= MAX_STREAM {
            true => Ok(value as u32),
            false => Err(ErrorKind::Limit { what: what.to_string(), value, limit: MAX_STREAM }),
        };
        let stdin_bytes = stream("the capacity of standard input in bytes", options.stdin_bytes)?;
        let stdout_bytes = stream("the capacity of standard output in bytes", options.stdout_bytes)?;
        let module = Module {
            functions: PrimaryMap::new(),
            function_types: PrimaryMap::new(),
            cells: PrimaryMap::new(),
            tables: PrimaryMap::new(),
            references: Vec::new(),
            passive_data: Vec::new(),
            passive_elements: Vec::new(),
            memory: MemorySize::Constant(0),
            data: Vec::new(),
            creation_trap: None,
            start: None,
            exports: Vec::new(),
            exported_globals: Vec::new(),
            exported_memories: Vec::new(),
            stdin_length: None,
            stdout_length: None,
            function_names: Vec::new(),
            function_offsets: Vec::new(),
        };
        Ok(Context {
            names: Vec::new(),
            memory_max: 0,
            stdin_bytes,
            stdout_bytes,
            memory_grows: false,
            types: Vec::new(),
            canonical: Vec::new(),
            imports: Vec::new(),
            wrappers: Vec::new(),
            function_types: Vec::new(),
            globals: Vec::new(),
            global_constants: Vec::new(),
            references: FxHashMap::default(),
            table_max: Vec::new(),
            data_segments: Vec::new(),
            element_segments: Vec::new(),
            memory_initial: 0,
            memory_cell: None,
            has_memory: false,
            imported_data: Vec::new(),
            module,
        })
    }
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
                    let limit = match options.max_memory_pages {
                        Some(limit) => limit as u64,
                        None => memory.initial.max(DEFAULT_MAX_MEMORY_PAGES as u64),
                    };
                    add_memory(context, memory, offset, limit)?;
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
            let default = given.max.unwrap_or(DEFAULT_MAX_MEMORY_PAGES).max(given.pages);
            add_memory(context, ty, offset, options.max_memory_pages.unwrap_or(default) as u64)?;
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
    limit: u64,
) -> Result<(), CompileError> {
    if memory.memory64 {
        return Err(unsupported("a 64-bit memory", offset));
    }
    if memory.page_size_log2.is_some_and(|log2| log2 != 16) {
        return Err(unsupported("a memory with custom page size", offset));
    }
    context.has_memory = true;
    if memory.initial > limit {
        let what = "the initial size of the memory in pages".to_string();
        return Err(ErrorKind::Limit { what, value: memory.initial, limit }.into());
    }
    context.memory_initial = memory.initial as u32;
    context.memory_max = memory.maximum.unwrap_or(MAX_PAGES).min(limit) as u32;
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
        add_global_cells(context, context.globals.len() - 1);
    }
}

fn add_global_cells(context: &mut Context, index: usize) {
    let Some(global) = &context.globals[index] else { return };
    if !global.cells.is_empty() {
        return;
    }
    let (init, max) = (global.init, if global.mutable { u32::MAX } else { 0 });
    let words = match global.ty {
        Type::I32 => vec![(format!("global[{index}]"), init as u32)],
        Type::I64 => vec![
            (format!("global[{index}].low"), init as u32),
            (format!("global[{index}].high"), (init >> 32) as u32),
        ],
    };
    let cells = words.into_iter().map(|(name, init)| context.add_cell(&name, init, max.max(init))).collect();
    context.globals[index].as_mut().expect("checked above").cells = cells;
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
                        let what = format!("exported function `{name}` with a reference or vector type");
                        return Err(unsupported(&what, *offset));
                    }
                }
            }
            ExternalKind::Global => {
                add_global_cells(context, export.index as usize);
                match &context.globals[export.index as usize] {
                    Some(Global { value_type, mutable, cells, .. }) => {
                        context.module.exported_globals.push((name, *value_type, *mutable, cells.to_vec()));
                    }
                    None if options.unsupported == Unsupported::Trap => {}
                    None => {
                        let what = format!("exported global `{name}` of reference or vector type");
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

/// Contents of tables: their first entries, and the active segments in order. The first that does not fit makes
/// instance creation trap.
fn fill_tables(context: &mut Context, sections: &Sections) -> Result<(), CompileError> {
    let mut tables: SecondaryMap<TableId, BTreeMap<u32, u32>> = SecondaryMap::new();
    for (table, init) in &sections.table_inits {
        let reference = context.constant(init)? as u32;
        tables[*table] = (0..context.module.tables[*table].size).map(|i| (i, reference)).collect();
    }
    for element in &sections.elements {
        let (len, active) = match &element.kind {
            ElementKind::Active { table_index, offset_expr } => {
                (0, Some((TableId::from_u32(table_index.unwrap_or(0)), offset_expr)))
            }
            ElementKind::Passive => (element_count(element), None),
            ElementKind::Declared => (0, None),
        };
        context.element_segments.push(Segment { len, used: None });
        let Some((table, offset)) = active.filter(|_| context.module.creation_trap.is_none()) else {
            continue;
        };
        let first = context.constant(offset)? as u32;
        if first as u64 + element_count(element) as u64 > context.module.tables[table].size as u64 {
            context.module.creation_trap = Some(TrapCode::TableOutOfBounds);
            continue;
        }
        tables[table].extend((first..).zip(element_references(context, element)?));
    }
    for (table, data) in context.module.tables.iter_mut() {
        let entries = std::mem::take(&mut tables[table]).into_iter();
        data.entries = entries.filter(|(_, reference)| *reference != 0).collect();
    }
    Ok(())
}

fn element_count(element: &Element) -> u32 {
    match &element.items {
        ElementItems::Functions(items) => items.count(),
        ElementItems::Expressions(_, items) => items.count(),
    }
}

/// The references of an element segment.
fn element_references(context: &mut Context, element: &Element) -> Result<Vec<u32>, CompileError> {
    match &element.items {
        ElementItems::Functions(items) => {
            items.clone().into_iter().map(|index| Ok(context.reference(index?))).collect()
        }
        ElementItems::Expressions(_, items) => {
            items.clone().into_iter().map(|expr| Ok(context.constant(&expr?)? as u32)).collect()
        }
    }
}

/// Contents of the passive segments that instructions use.
fn fill_segments(context: &mut Context, sections: &Sections) -> Result<(), CompileError> {
    let used = |segments: &[Segment]| {
        let mut used: Vec<(u32, usize)> = Vec::new();
        used.extend(
            segments.iter().enumerate().filter_map(|(i, s)| Some((s.used?.0, i)).filter(|_| s.len > 0)),
        );
        used.sort_unstable();
        used
    };
    for (_, i) in used(&context.data_segments) {
        context.module.passive_data.extend_from_slice(sections.data[i].data);
    }
    for (_, i) in used(&context.element_segments) {
        let references = element_references(context, &sections.elements[i])?;
        context.module.passive_elements.extend(references);
    }
    Ok(())
}

/// The compiler's own table: what a call of a reference reads.
fn add_reference_table(module: &mut Module) {
    let count = module.references.len() as u32;
    let entries = (1..=count).map(|reference| (reference, reference)).collect();
    module.tables.push(TableData { size: count + 1, size_cell: None, entries });
}

/// The data segments, in order. The first that does not fit makes instance creation trap.
fn fill_memory(context: &mut Context, sections: &Sections) -> Result<(), CompileError> {
    for segment in &sections.data {
        let len = if matches!(segment.kind, DataKind::Passive) { segment.data.len() as u32 } else { 0 };
        context.data_segments.push(Segment { len, used: None });
    }
    if context.module.creation_trap.is_some() {
        return Ok(());
    }
    // Segments may overlap and lie anywhere: bytes are gathered in small chunks by address.
    const CHUNK: usize = 4096;
    let mut chunks: BTreeMap<usize, Box<[u8; CHUNK]>> = BTreeMap::new();
    let mut write = |first: usize, bytes: &[u8]| {
        let (mut address, mut bytes) = (first, bytes);
        while !bytes.is_empty() {
            let (part, rest) = bytes.split_at(bytes.len().min(CHUNK - address % CHUNK));
            let chunk = chunks.entry(address / CHUNK).or_insert_with(|| Box::new([0; CHUNK]));
            chunk[address % CHUNK..][..part.len()].copy_from_slice(part);
            address += part.len();
            bytes = rest;
        }
    };
    for (first, bytes) in std::mem::take(&mut context.imported_data) {
        write(first as usize, &bytes);
    }
    for segment in &sections.data {
        let DataKind::Active { offset_expr, .. } = &segment.kind else { continue };
        let first = context.constant(offset_expr)?;
        if first + segment.data.len() as u64 > context.memory_initial as u64 * PAGE {
            context.module.creation_trap = Some(TrapCode::MemoryOutOfBounds);
            break;
        }
        write(first as usize, segment.data);
    }
    for (number, chunk) in chunks {
        let Some(first) = chunk.iter().position(|b| *b != 0) else { continue };
        let last = chunk.iter().rposition(|b| *b != 0).expect("not all are 0");
        context.module.data.push(((number * CHUNK + first) as u32, chunk[first..=last].to_vec()));
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
                    return Err(ErrorKind::Unsupported { what, function, offset }.into());
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
