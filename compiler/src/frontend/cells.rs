//! What a program keeps in cells: globals, the sizes of memories and tables, the state of streams, the lengths of segments.
//!
//! A cell is made when the first instruction asks for it, so that what no instruction uses is not in the
//! network.

use cranelift_entity::PrimaryMap;
use smallvec::SmallVec;
use wasm2onnx_runtime::ValueType;
use wasmparser::GlobalType;

use super::types::{boundary_type, value_type};
use crate::error::{CompileError, ErrorKind};
use crate::ir::{Cell, CellData, MemoryId, Module, Output, Type};
use crate::layout::MAX_STREAM;
use crate::options::Options;
use crate::print::memory_name;

/// The cells of a module.
pub type Cells = PrimaryMap<Cell, CellData>;

/// A global.
pub struct Global {
    /// Its name, for people.
    name: String,
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

impl Global {
    /// Returns a global that has no cells yet.
    pub fn new(name: String, ty: GlobalType, init: u64) -> Global {
        let types = value_type(ty.content_type).ok().zip(boundary_type(ty.content_type));
        let constant = (!ty.mutable).then_some(init);
        Global { name, types, constant, cells: SmallVec::new(), mutable: ty.mutable, init }
    }

    /// Gives it its cells, if it has none yet and its type is supported.
    pub fn add_cells(&mut self, cells: &mut Cells) {
        let Some((ty, _)) = self.types.filter(|_| self.cells.is_empty()) else { return };
        let (name, init, max) = (&self.name, self.init, if self.mutable { u32::MAX } else { 0 });
        let words = match ty {
            Type::I32 => vec![(name.clone(), init as u32)],
            Type::I64 => {
                vec![(format!("{name}.low"), init as u32), (format!("{name}.high"), (init >> 32) as u32)]
            }
        };
        let cell = |(name, init)| cells.push(CellData { name, init, max: max.max(init) });
        self.cells = words.into_iter().map(cell).collect();
    }
}

/// What the frontend knows of a memory. Sizes are in pages.
#[derive(Clone, Copy, Debug, Default)]
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
    pub fn size(&mut self, memory: MemoryId, cells: &mut Cells) -> Cell {
        let (init, max) = (self.initial, self.max);
        let cell = || cells.push(CellData { name: format!("{}.pages", memory_name(memory)), init, max });
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

/// The numbers of bytes that there is room for.
#[derive(Default)]
pub struct Streams {
    /// Maximum number of bytes that the host gives.
    pub input: u32,
    /// Maximum number of bytes of each output; one more ends the run.
    pub output: u32,
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
            false => {
                let what = format!("the capacity of {what} in bytes");
                Err(ErrorKind::Limit { what, value, limit: MAX_STREAM })
            }
        };
        let input = stream("standard input", options.stdin_bytes)?;
        let output = stream("standard output", options.stdout_bytes)?;
        Ok(Streams { input, output })
    }

    /// Returns the cells with the position in standard input and with its end.
    pub fn stdin(&self, module: &mut Module) -> (Cell, Cell) {
        let Module { cells, host, .. } = module;
        let position = cell(cells, &mut host.stdin_position, "stdin.position".into(), self.input);
        (position, cell(cells, &mut host.stdin_end, "stdin.end".into(), self.input))
    }

    /// Returns the cell with the number of bytes of an output.
    pub fn output_length(&self, output: Output, module: &mut Module) -> Cell {
        let Module { cells, host, .. } = module;
        let name = format!("{}.length", output.name());
        cell(cells, &mut host.outputs[output as usize], name, self.output)
    }
}

/// Returns a cell of the host, and makes it if there is none yet.
pub fn cell(cells: &mut Cells, known: &mut Option<Cell>, name: String, max: u32) -> Cell {
    cell_with(cells, known, name, 0, max)
}

/// Returns a cell, and makes it if there is none yet.
pub fn cell_with(cells: &mut Cells, known: &mut Option<Cell>, name: String, init: u32, max: u32) -> Cell {
    *known.get_or_insert_with(|| cells.push(CellData { name, init, max }))
}
