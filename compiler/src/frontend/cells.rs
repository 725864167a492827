//! What a module keeps in cells: globals, the memory's size, the state of streams, the sizes of tables, the
//! lengths of segments.
//!
//! A cell is made when the first instruction asks for it, so that what no instruction uses is not in the
//! network.

use cranelift_entity::PrimaryMap;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use wasm2onnx_runtime::ValueType;
use wasmparser::GlobalType;

use super::types::{boundary_type, value_type};
use crate::error::{CompileError, ErrorKind};
use crate::ir::{Cell, CellData, Module, TableId, Type};
use crate::layout::MAX_STREAM;
use crate::options::Options;

/// The cells of a module.
pub type Cells = PrimaryMap<Cell, CellData>;

/// A global.
pub struct Global {
    /// Its type in the IR and at the boundary; `None` if it is not supported.
    pub types: Option<(Type, ValueType)>,
    /// Its bits if it is immutable.
    pub constant: Option<u64>,
    /// The cells that hold it, low word first. An immutable global has cells only if it is exported.
    pub cells: SmallVec<[Cell; 2]>,
    /// Whether instructions may set it.
    pub mutable: bool,
    /// Its initial bits.
    init: u64,
}

/// The globals of a module, imports first.
#[derive(Default)]
pub struct Globals(Vec<Global>);

impl Globals {
    /// Adds a global with these initial bits.
    pub fn add(&mut self, ty: GlobalType, init: u64, cells: &mut Cells) {
        let types = value_type(ty.content_type).ok().zip(boundary_type(ty.content_type));
        let constant = (!ty.mutable).then_some(init);
        self.0.push(Global { types, constant, cells: SmallVec::new(), mutable: ty.mutable, init });
        if ty.mutable {
            self.add_cells(self.0.len() - 1, cells);
        }
    }

    /// Gives a global its cells, if it has none yet and its type is supported.
    pub fn add_cells(&mut self, index: usize, cells: &mut Cells) {
        let global = &mut self.0[index];
        let Some((ty, _)) = global.types.filter(|_| global.cells.is_empty()) else { return };
        let (init, max) = (global.init, if global.mutable { u32::MAX } else { 0 });
        let words = match ty {
            Type::I32 => vec![(format!("global[{index}]"), init as u32)],
            Type::I64 => vec![
                (format!("global[{index}].low"), init as u32),
                (format!("global[{index}].high"), (init >> 32) as u32),
            ],
        };
        let cell = |(name, init)| cells.push(CellData { name, init, max: max.max(init) });
        global.cells = words.into_iter().map(cell).collect();
    }

    /// Returns a global.
    pub fn get(&self, index: u32) -> &Global {
        &self.0[index as usize]
    }

    /// Returns a global and its type in the IR.
    ///
    /// # Errors
    ///
    /// What is not supported about it.
    pub fn supported(&self, index: u32) -> Result<(Type, &Global), String> {
        let global = self.get(index);
        match global.types {
            Some((ty, _)) => Ok((ty, global)),
            None => Err("a global with a vector or an unusual reference".into()),
        }
    }
}

/// The memory. Its sizes are in pages.
#[derive(Clone, Copy, Default)]
pub struct Memory {
    /// The initial size.
    pub initial: u32,
    /// The maximum size.
    pub max: u32,
    /// The maximum size that the module alone would allow.
    pub declared: u32,
    /// The cell with its size, if any instruction asks for the size.
    cell: Option<Cell>,
    /// Whether any instruction grows it.
    pub grows: bool,
}

impl Memory {
    /// Returns a memory that no instruction has asked for.
    pub fn new(initial: u32, max: u32, declared: u32) -> Memory {
        Memory { initial, max, declared, ..Memory::default() }
    }

    /// Returns the cell with the number of pages.
    pub fn size(&mut self, cells: &mut Cells) -> Cell {
        let (init, max) = (self.initial, self.max);
        let cell = || cells.push(CellData { name: "memory.pages".into(), init, max });
        *self.cell.get_or_insert_with(cell)
    }

    /// Returns the cell with the number of pages that a limit refused although the module's declaration
    /// allows them, or `None` if there is no such limit.
    pub fn refused_growth(&self, module: &mut Module) -> Option<Cell> {
        if module.growth_limit.is_none() && self.max < self.declared {
            let cell = CellData { name: "memory.refused".into(), init: 0, max: self.declared };
            module.growth_limit = Some((self.max, module.cells.push(cell)));
        }
        module.growth_limit.map(|(_, cell)| cell)
    }
}

/// Standard input and output: the numbers of bytes that they have room for.
pub struct Streams {
    stdin: u32,
    /// Maximum number of bytes of standard output; one more ends the run.
    pub stdout: u32,
}

impl Streams {
    /// Returns the streams that the options ask for.
    ///
    /// # Errors
    ///
    /// If a stream is to have room for more bytes than there can be.
    pub fn new(options: &Options) -> Result<Streams, CompileError> {
        let stream = |what: &str, value: u64| match value <= MAX_STREAM {
            true => Ok(value as u32),
            false => Err(ErrorKind::Limit { what: what.to_string(), value, limit: MAX_STREAM }),
        };
        Ok(Streams {
            stdin: stream("the capacity of standard input in bytes", options.stdin_bytes)?,
            stdout: stream("the capacity of standard output in bytes", options.stdout_bytes)?,
        })
    }

    /// Returns the cell with the number of bytes of standard output.
    pub fn stdout_length(&self, module: &mut Module) -> Cell {
        let cell = || CellData { name: "stdout.length".into(), init: 0, max: self.stdout };
        *module.stdout_length.get_or_insert_with(|| module.cells.push(cell()))
    }

    /// Returns the cells with the position in standard input and with its length.
    pub fn stdin(&self, module: &mut Module) -> (Cell, Cell) {
        let mut cell =
            |name: &str| module.cells.push(CellData { name: name.into(), init: 0, max: self.stdin });
        let position = *module.stdin_position.get_or_insert_with(|| cell("stdin.position"));
        let length = *module.stdin_length.get_or_insert_with(|| cell("stdin.length"));
        (position, length)
    }
}

/// The tables' maximum sizes.
#[derive(Default)]
pub struct Tables(Vec<u32>);

impl Tables {
    /// Adds a table that can have this many entries.
    pub fn add(&mut self, max: u32) {
        self.0.push(max);
    }

    /// Returns the maximum number of entries of a table.
    pub fn max(&self, table: u32) -> u32 {
        self.0[table as usize]
    }

    /// Returns the cell with the number of entries of a table.
    pub fn size(&self, table: u32, module: &mut Module) -> Cell {
        let id = TableId::from_u32(table);
        let data = &mut module.tables[id];
        let cell = || CellData { name: format!("{id}.size"), init: data.size, max: self.max(table) };
        *data.size_cell.get_or_insert_with(|| module.cells.push(cell()))
    }
}

/// Segments of one kind, as instructions that refer to them see them.
pub struct Segments {
    /// The kind, which begins the names of cells.
    kind: &'static str,
    /// Number of bytes or elements of each segment after instance creation; 0 for an active or declarative
    /// one.
    pub lengths: Vec<u32>,
    /// For each segment that instructions refer to, where it begins in its space, and the cell with its
    /// current length.
    starts: FxHashMap<u32, (u32, Cell)>,
    /// The segments that instructions refer to, in their order in the space.
    pub used: Vec<u32>,
    /// Where the last of these segments ends.
    end: u32,
}

impl Segments {
    /// Makes an empty list of segments.
    pub fn new(kind: &'static str) -> Segments {
        Segments { kind, lengths: Vec::new(), starts: FxHashMap::default(), used: Vec::new(), end: 0 }
    }

    /// Returns where a segment begins in its space, and the cell with its length. A segment that no
    /// instruction has asked for before is put behind the others.
    pub fn get(&mut self, index: u32, cells: &mut Cells) -> (u32, Cell) {
        *self.starts.entry(index).or_insert_with(|| {
            let (first, len) = (self.end, self.lengths[index as usize]);
            self.used.push(index);
            self.end += len;
            let name = format!("{}[{index}].length", self.kind);
            (first, cells.push(CellData { name, init: len, max: len }))
        })
    }
}
