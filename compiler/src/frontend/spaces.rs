//! The index spaces of a module, but for that of functions: globals, memories, tables and segments.

use rustc_hash::FxHashMap;
use wasmparser::GlobalType;

use super::cells::{Cells, Global, cell_with};
use super::program::Program;
use crate::ir::{Cell, CellData, MemoryId, Space, TableId, Type};

/// The globals of a module, imports first: their numbers in [`Program::globals`].
#[derive(Default)]
pub struct Globals(Vec<usize>);

impl Globals {
    /// Adds a global of the program. Returns its number.
    pub fn add(&mut self, global: usize) {
        self.0.push(global);
    }

    /// Adds a new global with these initial bits.
    pub fn add_new(&mut self, ty: GlobalType, init: u64, prefix: &str, program: &mut Program) {
        let mut global = Global::new(format!("{prefix}global[{}]", self.0.len()), ty, init);
        if ty.mutable {
            global.add_cells(&mut program.module.cells);
        }
        self.0.push(program.globals.len());
        program.globals.push(global);
    }

    /// Returns the number of a global in the program.
    pub fn number(&self, index: u32) -> usize {
        self.0[index as usize]
    }

    /// Returns a global.
    pub fn get<'p>(&self, index: u32, program: &'p Program) -> &'p Global {
        &program.globals[self.number(index)]
    }

    /// Returns a global and its type in the IR.
    ///
    /// # Errors
    ///
    /// What is not supported about it.
    pub fn supported<'p>(&self, index: u32, program: &'p Program) -> Result<(Type, &'p Global), String> {
        let global = self.get(index, program);
        match global.types {
            Some((ty, _)) => Ok((ty, global)),
            None => Err("a global with a vector or an unusual reference".into()),
        }
    }
}

/// The memories of a module, imports first: linear memories, or bytes of the host.
#[derive(Default)]
pub struct Memories(Vec<Space>);

impl Memories {
    /// Adds a memory of the program.
    pub fn add(&mut self, space: Space) {
        self.0.push(space);
    }

    /// Returns the number of memories.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Returns a memory or bytes of the host.
    pub fn get(&self, index: u32) -> Space {
        self.0[index as usize]
    }

    /// Returns a memory that is none of the host's.
    pub fn linear(&self, index: u32) -> MemoryId {
        match self.get(index) {
            Space::Memory(memory) => memory,
            space => unreachable!("{space} has no size and no segments"),
        }
    }
}

/// The tables of a module, imports first.
#[derive(Default)]
pub struct Tables(Vec<TableId>);

impl Tables {
    /// Adds a table of the program.
    pub fn add(&mut self, table: TableId) {
        self.0.push(table);
    }

    /// Returns a table.
    pub fn get(&self, index: u32) -> TableId {
        self.0[index as usize]
    }
}

/// Returns the cell with the number of entries of a table.
pub fn table_size(table: TableId, program: &mut Program) -> Cell {
    let (data, max) = (&mut program.module.tables[table], program.table_max[table]);
    cell_with(&mut program.module.cells, &mut data.size_cell, format!("{table}.size"), data.size, max)
}

/// Segments of one kind, as instructions that refer to them see them.
pub struct Segments {
    /// The kind, which begins the names of cells.
    kind: String,
    /// Number of bytes or elements of each segment; 0 for an active or declarative one, of which nothing is left after
    /// instance creation.
    pub lengths: Vec<u32>,
    /// For each segment that something refers to, where it begins in its space, and the cell with its
    /// current length.
    starts: FxHashMap<u32, (u32, Cell)>,
    /// The segments that something refers to, and where they begin.
    pub used: Vec<(u32, u32)>,
}

impl Segments {
    /// Makes an empty list of segments.
    pub fn new(kind: String) -> Segments {
        Segments { kind, lengths: Vec::new(), starts: FxHashMap::default(), used: Vec::new() }
    }

    /// Returns where a segment begins in its space, and the cell with its length. A segment that nothing
    /// has asked for before is put behind the others, where room is made for it.
    pub fn get<T: Clone + Default>(
        &mut self,
        index: u32,
        space: &mut Vec<T>,
        cells: &mut Cells,
    ) -> (u32, Cell) {
        *self.starts.entry(index).or_insert_with(|| {
            let (first, len) = (space.len(), self.lengths[index as usize]);
            self.used.push((index, first as u32));
            space.resize(first + len as usize, T::default());
            let name = format!("{}[{index}].length", self.kind);
            (first as u32, cells.push(CellData { name, init: len, max: len }))
        })
    }
}
