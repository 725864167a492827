//! The address space of the trace: which keys belong to what.

use crate::ir::{Cell, MemorySize, Module, TableId};
use cranelift_entity::SecondaryMap;

/// Argument and result words that are handed over in fields 1 …; the others go through the frame.
pub const ARGUMENT_FIELDS: u16 = 12;
/// Largest frame pointer of a function that calls.
pub const STACK_LIMIT: u64 = 1 << 20;
/// Most slots of a frame.
pub const MAX_FRAME: u32 = 1 << 14;
/// Largest frame pointer at all: the callee checks it.
pub const STACK_SPAN: u64 = STACK_LIMIT + MAX_FRAME as u64;
/// Bytes of standard input or output at most: a power of two.
pub const STREAM_BYTES: u64 = 1 << 30;

/// Where a cell is, and what it can hold.
#[derive(Clone, Copy, Debug, Default)]
pub struct CellPlace {
    /// Its key.
    pub key: u64,
    /// Largest value: 2^k − 1.
    pub max: f64,
}

/// Keys of a table of functions: entries of each kind, and one more that is never there.
#[derive(Clone, Copy, Debug, Default)]
pub struct TableKeys {
    /// First key of the entries' experts.
    pub functions: u64,
    /// First key of the entries' type ids.
    pub types: u64,
}

/// First keys of everything, ascending in this order.
#[derive(Clone, Debug)]
pub struct Layout {
    /// `control`: saved frame pointers.
    pub frame_pointers: u64,
    /// `control`: return experts.
    pub returns: u64,
    /// `frame`.
    pub frame: u64,
    /// `global`: words, then cells of fewer bits.
    pub cells: SecondaryMap<Cell, CellPlace>,
    /// Keys of cells that hold any word.
    pub words: std::ops::Range<u64>,
    /// `table`.
    pub tables: SecondaryMap<TableId, TableKeys>,
    /// `memory`.
    pub memory: u64,
    /// Number of its keys.
    pub memory_bytes: u64,
    /// Its size.
    pub memory_size: MemorySize,
    /// `prompt`.
    pub prompt: u64,
    /// `output`.
    pub output: u64,
}

/// Keys of a region that is indexed by frame pointers (and slots).
pub const STACK_KEYS: u64 = STACK_SPAN + 4 * MAX_FRAME as u64;

impl Layout {
    /// Lays out the address space of a module.
    pub fn new(module: &Module) -> Layout {
        let frame_pointers = 1;
        let returns = frame_pointers + STACK_KEYS;
        let frame = returns + STACK_KEYS;
        let mut next = frame + STACK_KEYS;
        let mut cells: SecondaryMap<Cell, CellPlace> = SecondaryMap::new();
        let mut narrow = Vec::new();
        let first_word = next;
        for (cell, data) in module.cells.iter() {
            if data.max == u32::MAX {
                cells[cell] = CellPlace { key: next, max: u32::MAX as f64 };
                next += 1;
            } else {
                narrow.push((cell, (data.max as u64 + 1).next_power_of_two() - 1));
            }
        }
        let words = first_word..next;
        for (cell, max) in narrow {
            cells[cell] = CellPlace { key: next, max: max as f64 };
            next += 1;
        }
        let mut tables: SecondaryMap<TableId, TableKeys> = SecondaryMap::new();
        for (table, data) in module.tables.iter() {
            let count = data.size as u64 + 1;
            tables[table] = TableKeys { functions: next, types: next + count };
            next += 2 * count;
        }
        let memory = next;
        let memory_bytes = match module.memory {
            MemorySize::Constant(pages) => pages as u64 * 65536,
            MemorySize::Cell { cell, .. } => cells[cell].max as u64 * 65536,
        };
        // An empty memory that is exported still has a region, so that the host finds it.
        let memory_bytes = match module.exported_memories.is_empty() {
            true => memory_bytes,
            false => memory_bytes.max(65536),
        };
        let prompt = memory + memory_bytes;
        let output = prompt + STREAM_BYTES;
        Layout {
            frame_pointers,
            returns,
            frame,
            cells,
            words,
            tables,
            memory,
            memory_bytes,
            memory_size: module.memory,
            prompt,
            output,
        }
    }
}
