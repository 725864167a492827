//! The address space of the trace: which keys belong to what.

use crate::ir::{Cell, MAX_CELLS, MemoryId, MemorySize, Module, Op, Output, Space, TableId};
use crate::limits;
use crate::stack::Stack;
use cranelift_entity::{EntitySet, SecondaryMap};
use wasm2onnx_runtime::PAGE_BYTES;

/// Maximum number of argument or result words that are handed over in fields 1 …; the others go through the
/// frame.
pub const ARGUMENT_FIELDS: u16 = 12;
/// First key of the first region. The keys below it stay unused, so that an executor with one cell for each
/// key can give every row port a cell of its own (0 … rows − 1) for rows that are not appended, and have one
/// more cell that is never written, just below the first region.
pub const FIRST_KEY: u64 = 64;
/// Maximum number of bytes of standard input or output.
pub const MAX_STREAM: u64 = 1 << 30;
/// Number of keys of an output beyond the bytes that the program may write: after the checks of one packet, a
/// position is below the end of the region without a check of its own.
const OUTPUT_SLACK: u64 = 8;

const _: () = assert!((limits::ROWS as u64) < FIRST_KEY - 1);

/// Where a cell is, and what it can hold.
#[derive(Clone, Copy, Debug, Default)]
pub struct CellKey {
    /// Its key.
    pub key: u64,
    /// Largest value.
    pub max: u32,
}

/// Keys of a table: those of the entries of each kind that the program reads, and one more for an entry that
/// never exists.
#[derive(Clone, Copy, Debug, Default)]
pub struct TableKeys {
    /// Number of keys of each kind; 0 if the program reads none.
    pub count: u64,
    /// First key of the entries' experts.
    pub functions: u64,
    /// First key of the entries' type ids.
    pub types: u64,
    /// Number of keys of the references; 0 if the program uses none.
    pub reference_count: u64,
    /// First key of the references.
    pub references: u64,
}

/// Keys of a memory.
#[derive(Clone, Copy, Debug)]
pub struct MemoryKeys {
    /// First key.
    pub first: u64,
    /// Number of keys, one for each byte that the memory can have; 0 if nothing accesses it.
    pub bytes: u64,
    /// Its size.
    pub size: MemorySize,
}

impl Default for MemoryKeys {
    fn default() -> MemoryKeys {
        MemoryKeys { first: 0, bytes: 0, size: MemorySize::Constant(0) }
    }
}

/// Keys of bytes that the host gives or looks at.
#[derive(Clone, Copy, Debug, Default)]
pub struct StreamKeys {
    /// First key.
    pub first: u64,
    /// Number of keys; 0 if the program does not use them.
    pub bytes: u64,
}

/// What the instructions of a module use.
#[derive(Default)]
struct Used {
    memories: EntitySet<MemoryId>,
    data: bool,
    elements: bool,
    /// Tables whose functions and types are read.
    functions: EntitySet<TableId>,
    /// Tables whose references are read or written.
    references: EntitySet<TableId>,
    /// Cells that are written.
    written: EntitySet<Cell>,
}

impl Used {
    fn new(module: &Module) -> Used {
        let mut used = Used::default();
        let blocks = module.functions.values().flat_map(|function| function.blocks.values());
        for inst in blocks.flat_map(|block| &block.insts) {
            match inst.op {
                Op::TableFunc(table) | Op::TableType(table) => drop(used.functions.insert(table)),
                Op::CellSet(cell) => drop(used.written.insert(cell)),
                _ => {}
            }
            for space in [inst.reads(), inst.writes()].into_iter().flatten() {
                match space {
                    Space::Memory(memory) => drop(used.memories.insert(memory)),
                    Space::Data => used.data = true,
                    Space::Elements => used.elements = true,
                    Space::Table(table) => drop(used.references.insert(table)),
                    Space::Input | Space::Output(_) => {}
                }
            }
        }
        used
    }
}

/// First keys of all regions, ascending in this order.
#[derive(Clone, Debug)]
pub struct Layout {
    /// Cells in `global`: those that hold any word, then those with a limit.
    pub cells: SecondaryMap<Cell, CellKey>,
    /// Keys of cells that hold any word.
    pub words: std::ops::Range<u64>,
    /// `table`.
    pub tables: SecondaryMap<TableId, TableKeys>,
    /// `elements`: references of passive segments.
    pub elements: u64,
    /// Number of its keys; 0 if nothing reads them.
    pub element_count: u64,
    /// `control`: return experts.
    pub returns: u64,
    /// `control`: saved frame pointers.
    pub frame_pointers: u64,
    /// `frame`.
    pub frame: u64,
    /// Sizes of these three regions.
    pub stack: Stack,
    /// `memory`, and further memories.
    pub memories: SecondaryMap<MemoryId, MemoryKeys>,
    /// `data`: bytes of passive segments.
    pub data: u64,
    /// Number of its keys; 0 if nothing reads them.
    pub data_bytes: u64,
    /// What the program prints.
    pub outputs: [StreamKeys; Output::ALL.len()],
    /// The cells with the number of bytes of each of them.
    pub output_lengths: [Option<Cell>; Output::ALL.len()],
    /// What the host gives.
    pub input: StreamKeys,
}

impl Layout {
    /// Returns the first key of a space and the number of its keys.
    pub fn space(&self, space: Space) -> (u64, u64) {
        match space {
            Space::Memory(memory) => (self.memories[memory].first, self.memories[memory].bytes),
            Space::Input => (self.input.first, self.input.bytes),
            Space::Output(output) => {
                let StreamKeys { first, bytes } = self.outputs[output as usize];
                (first, bytes)
            }
            Space::Data => (self.data, self.data_bytes),
            Space::Elements => (self.elements, self.element_count),
            Space::Table(table) => {
                let keys = self.tables[table];
                (keys.references, keys.reference_count)
            }
        }
    }

    /// Lays out the address space of a module.
    pub fn new(module: &Module, stack: Stack) -> Layout {
        let mut next = FIRST_KEY;
        let mut cells: SecondaryMap<Cell, CellKey> = SecondaryMap::new();
        let mut narrow = Vec::new();
        let first_word = next;
        for (cell, data) in module.cells.iter() {
            if data.max == u32::MAX {
                cells[cell] = CellKey { key: next, max: u32::MAX };
                next += 1;
            } else {
                narrow.push((cell, data.max));
            }
        }
        let words = first_word..next;
        for (cell, max) in narrow {
            cells[cell] = CellKey { key: next, max };
            next += 1;
        }
        let mut tables: SecondaryMap<TableId, TableKeys> = SecondaryMap::new();
        let used = Used::new(module);
        for (table, data) in module.tables.iter() {
            let count = if used.functions.contains(table) { data.size as u64 + 1 } else { 0 };
            // An instruction may write that many at once.
            let least = MAX_CELLS as u64;
            let reference_count = match (used.references.contains(table), data.size_cell) {
                (false, _) => 0,
                (true, Some(cell)) if used.written.contains(cell) => {
                    least.max(module.cells[cell].max as u64 + 1)
                }
                (true, _) => least.max(data.size as u64 + 1),
            };
            let (functions, types, references) = (next, next + count, next + 2 * count);
            tables[table] = TableKeys { count, functions, types, reference_count, references };
            next = references + reference_count;
        }
        let elements = next;
        let element_count = if used.elements { module.passive_elements.len() as u64 } else { 0 };
        next += element_count;
        // The regions of the stack come after everything small. The one with a first row, that of the return
        // experts, comes before the other two.
        let returns = next;
        let frame_pointers = returns + stack.control_keys;
        let frame = frame_pointers + stack.control_keys;
        next = frame + stack.frame_keys;
        let mut memories: SecondaryMap<MemoryId, MemoryKeys> = SecondaryMap::new();
        for (memory, data) in module.memories.iter() {
            let pages = match data.size {
                MemorySize::Constant(pages) => pages,
                MemorySize::Cell { cell, .. } => module.cells[cell].max,
            };
            let exported = module.exported_memories.iter().any(|exported| exported.1 == memory);
            let bytes = match (exported, used.memories.contains(memory)) {
                // An empty memory that is exported still has a region, so that the host finds it.
                (true, _) => pages.max(1) as u64 * PAGE_BYTES,
                (false, true) => pages as u64 * PAGE_BYTES,
                (false, false) => 0,
            };
            memories[memory] = MemoryKeys { first: next, bytes, size: data.size };
            next += bytes;
        }
        let data = next;
        let data_bytes = if used.data { module.passive_data.len() as u64 } else { 0 };
        next += data_bytes;
        let mut stream = |length: Option<Cell>, slack: u64| {
            let bytes = length.map_or(0, |cell| module.cells[cell].max as u64 + slack);
            next += bytes;
            StreamKeys { first: next - bytes, bytes }
        };
        let host = &module.host;
        let outputs = Output::ALL.map(|output| stream(host.outputs[output as usize], OUTPUT_SLACK));
        // The input is the last region, so that an executor needs cells only for as many bytes as there are to read.
        let input = stream(host.input().next(), 0);
        Layout {
            frame_pointers,
            returns,
            frame,
            stack,
            cells,
            words,
            tables,
            elements,
            element_count,
            data,
            data_bytes,
            memories,
            outputs,
            output_lengths: host.outputs,
            input,
        }
    }
}
