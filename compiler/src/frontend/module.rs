//! Everything of a module but its function bodies.

use std::collections::BTreeMap;

use cranelift_entity::{EntityRef, PrimaryMap};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use wasm2onnx_runtime::{TrapCode, ValueType};
use wasmparser::{
    ConstExpr, DataKind, Element, ElementItems, ElementKind, ExternalKind, FuncType, FunctionBody,
    GlobalType, KnownCustom, MemoryType, Name, Operator, Parser, Payload, TableInit, TypeRef, ValType,
    ValidPayload, Validator, ValidatorResources,
};

use super::{Stop, body, host, names};
use crate::builder::Builder;
use crate::error::{CompileError, ErrorKind};
use crate::ir::*;
use crate::layout::MAX_STREAM;
use crate::options::{DEFAULT_MAX_MEMORY_PAGES, Options, Role, Unsupported};

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

/// Value of a constant expression.
#[derive(Clone, Copy)]
enum Constant {
    Bits(u64),
    Func(u32),
    Null,
}

struct Import {
    role: Role,
    name: String,
    wrapper: Option<Func>,
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
    global_constants: Vec<Option<Constant>>,
    memory_initial: u32,
    memory_cell: Option<Cell>,
    module: Module,
}

/// An IR type for a wasm type.
pub fn value_type(ty: ValType) -> Result<Type, String> {
    match ty {
        ValType::I32 | ValType::F32 => Ok(Type::I32),
        ValType::I64 | ValType::F64 => Ok(Type::I64),
        ValType::V128 | ValType::Ref(_) => Err(format!("type {ty}")),
    }
}

fn boundary_type(ty: ValType) -> Option<ValueType> {
    Some(match ty {
        ValType::I32 => ValueType::I32,
        ValType::I64 => ValueType::I64,
        ValType::F32 => ValueType::F32,
        ValType::F64 => ValueType::F64,
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

    fn constant(&self, expr: &ConstExpr) -> Result<Constant, CompileError> {
        let mut stack: SmallVec<[Constant; 4]> = SmallVec::new();
        let mut reader = expr.get_operators_reader();
        while !reader.eof() {
            let (op, offset) = reader.read_with_offset()?;
            let mut binary = |f: fn(u64, u64) -> u64| {
                let (Some(Constant::Bits(b)), Some(Constant::Bits(a))) = (stack.pop(), stack.pop()) else {
                    unreachable!("validated")
                };
                f(a, b)
            };
            let value = match op {
                Operator::I32Const { value } => Constant::Bits(value as u32 as u64),
                Operator::I64Const { value } => Constant::Bits(value as u64),
                Operator::F32Const { value } => Constant::Bits(value.bits() as u64),
                Operator::F64Const { value } => Constant::Bits(value.bits()),
                Operator::I32Add => Constant::Bits(binary(|a, b| (a as u32).wrapping_add(b as u32) as u64)),
                Operator::I32Sub => Constant::Bits(binary(|a, b| (a as u32).wrapping_sub(b as u32) as u64)),
                Operator::I32Mul => Constant::Bits(binary(|a, b| (a as u32).wrapping_mul(b as u32) as u64)),
                Operator::I64Add => Constant::Bits(binary(u64::wrapping_add)),
                Operator::I64Sub => Constant::Bits(binary(u64::wrapping_sub)),
                Operator::I64Mul => Constant::Bits(binary(u64::wrapping_mul)),
                Operator::RefFunc { function_index } => Constant::Func(function_index),
                Operator::RefNull { .. } => Constant::Null,
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

/// Sections that are used only after all of them were read.
#[derive(Default)]
struct Sections<'a> {
    exports: Vec<(wasmparser::Export<'a>, u64)>,
    elements: Vec<Element<'a>>,
    data: Vec<wasmparser::Data<'a>>,
    bodies: Vec<(wasmparser::FuncToValidate<ValidatorResources>, FunctionBody<'a>)>,
    tables: Vec<(wasmparser::Table<'a>, u64)>,
    start: Option<u32>,
    names: BTreeMap<u32, String>,
}

/// Validates a module in the binary format and translates it.
pub fn translate(binary: &[u8], options: &Options) -> Result<Module, CompileError> {
    let mut context = Context::new(options)?;
    let sections = read_sections(binary, options, &mut context)?;
    name_functions(&mut context, &sections);
    export(&mut context, &sections, options)?;
    fill_tables(&mut context, &sections)?;
    fill_memory(&mut context, &sections)?;
    context.module.start = sections.start.map(|index| context.func(index));
    translate_bodies(&mut context, sections, options)?;
    add_wrappers(&mut context);
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
            memory_initial: 0,
            memory_cell: None,
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
                    sections.tables.push((table, offset));
                }
            }
            Payload::MemorySection(reader) => {
                for (index, memory) in reader.into_iter_with_offsets().enumerate() {
                    let (offset, memory) = memory?;
                    if index > 0 {
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
                    add_global(context, global.ty, &global.init_expr)?;
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
    let what = match import.ty {
        TypeRef::Func(index) | TypeRef::FuncExact(index) => {
            let (module, name) = (import.module.to_string(), import.name.to_string());
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
            return Ok(());
        }
        TypeRef::Table(_) => "table",
        TypeRef::Memory(_) => "memory",
        TypeRef::Global(_) => "global",
        TypeRef::Tag(_) => "tag",
    };
    Err(unsupported(&format!("imported {what} `{}.{}`", import.module, import.name), offset))
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
    let limit = match options.max_memory_pages {
        Some(limit) => limit as u64,
        None => memory.initial.max(DEFAULT_MAX_MEMORY_PAGES as u64),
    };
    if memory.initial > limit {
        let what = "the initial size of the memory in pages".to_string();
        return Err(ErrorKind::Limit { what, value: memory.initial, limit }.into());
    }
    context.memory_initial = memory.initial as u32;
    context.memory_max = memory.maximum.unwrap_or(MAX_PAGES).min(limit) as u32;
    context.module.memory = MemorySize::Constant(context.memory_initial);
    Ok(())
}

fn add_global(context: &mut Context, ty: GlobalType, init: &ConstExpr) -> Result<(), CompileError> {
    let constant = context.constant(init)?;
    let global = match (value_type(ty.content_type), boundary_type(ty.content_type), constant) {
        (Ok(ir), Some(value_type), Constant::Bits(init)) => {
            let constant = (!ty.mutable).then_some(init);
            Some(Global { ty: ir, value_type, constant, cells: SmallVec::new(), mutable: ty.mutable, init })
        }
        _ => None,
    };
    context.global_constants.push((!ty.mutable).then_some(constant));
    context.globals.push(global);
    if ty.mutable {
        add_global_cells(context, context.globals.len() - 1);
    }
    Ok(())
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

/// Tables and the segments for them, in order. The first that does not fit makes instance creation
/// trap.
fn fill_tables(context: &mut Context, sections: &Sections) -> Result<(), CompileError> {
    let mut tables: Vec<(u64, BTreeMap<u32, Func>)> = Vec::new();
    for (table, offset) in &sections.tables {
        if table.ty.table64 {
            return Err(unsupported("a 64-bit table", *offset));
        }
        let mut entries = BTreeMap::new();
        if let TableInit::Expr(expr) = &table.init
            && let Constant::Func(index) = context.constant(expr)?
        {
            const LIMIT: u64 = 1 << 20;
            if table.ty.initial > LIMIT {
                let what = "the size of an initialized table".to_string();
                return Err(ErrorKind::Limit { what, value: table.ty.initial, limit: LIMIT }.into());
            }
            let func = context.func(index);
            entries = (0..table.ty.initial as u32).map(|i| (i, func)).collect();
        }
        tables.push((table.ty.initial, entries));
    }
    for element in &sections.elements {
        let ElementKind::Active { table_index, offset_expr } = &element.kind else { continue };
        let Constant::Bits(first) = context.constant(offset_expr)? else { unreachable!("validated") };
        let (size, entries) = &mut tables[table_index.unwrap_or(0) as usize];
        let count = match &element.items {
            ElementItems::Functions(items) => items.count(),
            ElementItems::Expressions(_, items) => items.count(),
        };
        if first + count as u64 > *size {
            context.module.creation_trap = Some(TrapCode::TableOutOfBounds);
            break;
        }
        let mut set = |context: &mut Context, i: usize, constant| match constant {
            Constant::Func(index) => drop(entries.insert(first as u32 + i as u32, context.func(index))),
            _ => drop(entries.remove(&(first as u32 + i as u32))),
        };
        match &element.items {
            ElementItems::Functions(items) => {
                for (i, index) in items.clone().into_iter().enumerate() {
                    set(context, i, Constant::Func(index?));
                }
            }
            ElementItems::Expressions(_, items) => {
                for (i, expr) in items.clone().into_iter().enumerate() {
                    let constant = context.constant(&expr?)?;
                    set(context, i, constant);
                }
            }
        }
    }
    for (size, entries) in tables {
        context.module.tables.push(TableData { size: size as u32, entries: entries.into_iter().collect() });
    }
    Ok(())
}

/// The data segments, in order. The first that does not fit makes instance creation trap.
fn fill_memory(context: &mut Context, sections: &Sections) -> Result<(), CompileError> {
    if context.module.creation_trap.is_some() {
        return Ok(());
    }
    // Segments may overlap and lie anywhere: bytes are gathered in small chunks by address.
    const CHUNK: usize = 4096;
    let mut chunks: BTreeMap<usize, Box<[u8; CHUNK]>> = BTreeMap::new();
    for segment in &sections.data {
        let DataKind::Active { offset_expr, .. } = &segment.kind else { continue };
        let Constant::Bits(first) = context.constant(offset_expr)? else { unreachable!("validated") };
        if first + segment.data.len() as u64 > context.memory_initial as u64 * PAGE {
            context.module.creation_trap = Some(TrapCode::MemoryOutOfBounds);
            break;
        }
        let (mut address, mut bytes) = (first as usize, segment.data);
        while !bytes.is_empty() {
            let (part, rest) = bytes.split_at(bytes.len().min(CHUNK - address % CHUNK));
            let chunk = chunks.entry(address / CHUNK).or_insert_with(|| Box::new([0; CHUNK]));
            chunk[address % CHUNK..][..part.len()].copy_from_slice(part);
            address += part.len();
            bytes = rest;
        }
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
    sections: Sections,
    options: &Options,
) -> Result<(), CompileError> {
    let mut allocations = body::Allocations::default();
    let imports = context.imports.len() as u32;
    for (i, (to_validate, body)) in sections.bodies.into_iter().enumerate() {
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
