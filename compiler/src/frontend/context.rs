//! What the parts of the frontend know of a module.

use cranelift_entity::PrimaryMap;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use wasm2onnx_runtime::ValueType;
use wasmparser::{ConstExpr, FuncType, Operator, RefType, ValType};

use super::names;
use crate::error::{CompileError, ErrorKind};
use crate::ir::*;
use crate::layout::MAX_STREAM;
use crate::options::{Options, Role};

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
    pub mutable: bool,
    pub init: u64,
}

/// An imported function.
pub struct Import {
    pub role: Role,
    pub name: String,
    pub wrapper: Option<Func>,
}

/// Segments, as instructions that refer to them see them.
#[derive(Default)]
pub struct Segments {
    /// Bytes or elements that each has after instance creation: an active or declarative one none.
    pub lengths: Vec<u32>,
    /// Of those that instructions refer to, where each begins in its space, and the cell with the length that it still has.
    places: FxHashMap<u32, (u32, Cell)>,
    /// These segments, one behind the other in their space.
    pub used: Vec<u32>,
    /// Where the last of them ends.
    end: u32,
}

impl Segments {
    /// The place of a segment that an instruction refers to: behind the others, if it has none yet.
    fn place(&mut self, index: u32, cells: &mut PrimaryMap<Cell, CellData>, kind: &str) -> (u32, Cell) {
        *self.places.entry(index).or_insert_with(|| {
            let (first, len) = (self.end, self.lengths[index as usize]);
            self.used.push(index);
            self.end += len;
            let name = format!("{kind}[{index}].length");
            (first, cells.push(CellData { name, init: len, max: len }))
        })
    }
}

/// What function bodies need to know of the module.
pub struct Context {
    /// Names of all functions, imports included.
    pub names: Vec<String>,
    /// Most pages that the memory can have.
    pub memory_max: u32,
    /// Most pages that it could have if the module alone decided.
    pub memory_declared: u32,
    /// Bytes that standard input can have.
    pub stdin_bytes: u32,
    /// Bytes that standard output can hold; the next one ends the run.
    pub stdout_bytes: u32,
    /// Whether any function grows the memory.
    pub memory_grows: bool,
    pub types: Vec<Option<FuncType>>,
    pub canonical: Vec<u32>,
    pub imports: Vec<Import>,
    /// Imports that need a function of their own, in the order of their `Func`s.
    pub wrappers: Vec<u32>,
    /// Type of each function, imports included.
    pub function_types: Vec<u32>,
    pub globals: Vec<Option<Global>>,
    pub global_constants: Vec<Option<u64>>,
    /// The reference of each function that one is made of.
    pub references: FxHashMap<u32, u32>,
    /// Most entries that each table can have.
    pub table_max: Vec<u32>,
    pub data_segments: Segments,
    pub element_segments: Segments,
    pub memory_initial: u32,
    pub memory_cell: Option<Cell>,
    pub has_memory: bool,
    /// What an imported memory holds.
    pub imported_data: Vec<(u32, Vec<u8>)>,
    pub module: Module,
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
    /// Nothing yet.
    ///
    /// # Errors
    ///
    /// If a stream is to have more bytes than there can be.
    pub fn new(options: &Options) -> Result<Self, CompileError> {
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
            stdin_position: None,
            stdout_length: None,
            growth_limit: None,
            function_names: Vec::new(),
            function_offsets: Vec::new(),
        };
        Ok(Context {
            names: Vec::new(),
            memory_max: 0,
            memory_declared: 0,
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
            data_segments: Segments::default(),
            element_segments: Segments::default(),
            memory_initial: 0,
            memory_cell: None,
            has_memory: false,
            imported_data: Vec::new(),
            module,
        })
    }

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
    pub fn func(&mut self, index: u32) -> Func {
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
        self.globals[index as usize]
            .clone()
            .ok_or_else(|| "a global with a vector or an unusual reference".into())
    }

    pub fn add_cell(&mut self, name: &str, init: u32, max: u32) -> Cell {
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
        if let (Some(position), Some(length)) = (self.module.stdin_position, self.module.stdin_length) {
            return (position, length);
        }
        let position = self.add_cell("stdin.position", 0, self.stdin_bytes);
        let length = self.add_cell("stdin.length", 0, self.stdin_bytes);
        (self.module.stdin_position, self.module.stdin_length) = (Some(position), Some(length));
        (position, length)
    }

    /// The cell with the pages that a limit refused which the module did not declare; none if there is no
    /// such limit.
    pub fn refused_growth(&mut self) -> Option<Cell> {
        if self.module.growth_limit.is_none() && self.memory_max < self.memory_declared {
            let cell = self.add_cell("memory.refused", 0, self.memory_declared);
            self.module.growth_limit = Some((self.memory_max, cell));
        }
        self.module.growth_limit.map(|(_, cell)| cell)
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
        self.data_segments.place(index, &mut self.module.cells, "data")
    }

    /// Where an element segment begins in [`Space::Elements`], and the cell with its length.
    pub fn element_segment(&mut self, index: u32) -> (u32, Cell) {
        self.element_segments.place(index, &mut self.module.cells, "element")
    }

    /// The bits of a constant expression.
    pub fn constant(&mut self, expr: &ConstExpr) -> Result<u64, CompileError> {
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

    /// Gives a global its cells.
    pub fn add_global_cells(&mut self, index: usize) {
        let Some(global) = &self.globals[index] else { return };
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
        let cells = words.into_iter().map(|(name, init)| self.add_cell(&name, init, max.max(init))).collect();
        self.globals[index].as_mut().expect("checked above").cells = cells;
    }
}

/// An error at a place outside of functions.
pub fn unsupported(what: &str, offset: u64) -> CompileError {
    ErrorKind::Unsupported { what: what.to_string(), function: None, offset, advice: None }.into()
}
