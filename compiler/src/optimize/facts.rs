//! What is known of the whole module while its functions are simplified.

use cranelift_entity::{EntitySet, PrimaryMap, SecondaryMap};
use wasm2onnx_runtime::PAGE_BYTES;

use crate::ir::*;

/// Facts about cells, memory and functions.
pub struct Facts {
    /// Values of cells that nothing ever writes.
    pub cells: SecondaryMap<Cell, Option<u32>>,
    /// The cells that the host may write while the program runs, when the program is about to read the first of them: the end
    /// of standard input, and its position.
    pub stdin: [Option<Cell>; 2],
    /// What is known of each memory.
    memories: SecondaryMap<MemoryId, MemoryFacts>,
    /// Entries of the tables that are functions, ascending.
    functions: SecondaryMap<TableId, Vec<(u32, Func)>>,
    /// Type of each function.
    pub function_types: PrimaryMap<Func, u32>,
    /// The routine that divides words.
    pub udivrem32: Option<Func>,
}

/// Facts about a memory.
#[derive(Clone, Default)]
struct MemoryFacts {
    /// Least number of bytes that it has.
    bytes: u64,
    /// Its first bytes, if nothing ever writes it.
    constant: Option<Vec<(u32, Vec<u8>)>>,
}

impl Facts {
    /// Looks at all instructions of a module.
    pub fn new(module: &Module) -> Self {
        let mut written = written_cells(module);
        let mut stored: EntitySet<MemoryId> = EntitySet::with_capacity(module.memories.len());
        stored.extend(module.exported_memories.iter().map(|memory| memory.1));
        for inst in
            module.functions.values().flat_map(|func| func.blocks.values()).flat_map(|block| &block.insts)
        {
            if let Some(Space::Memory(memory)) = inst.writes() {
                stored.insert(memory);
            }
        }
        written.extend(module.host.written());
        for (_, _, mutable, cells) in &module.exported_globals {
            if *mutable {
                written.extend(cells.iter().copied());
            }
        }
        let constant = |cell: Cell| (!written.contains(cell)).then(|| module.cells[cell].init);
        let mut cells = SecondaryMap::new();
        for cell in module.cells.keys() {
            cells[cell] = constant(cell);
        }
        let mut memories: SecondaryMap<MemoryId, MemoryFacts> = SecondaryMap::new();
        for (memory, data) in &module.memories {
            let pages = match data.size {
                MemorySize::Constant(pages) => pages,
                MemorySize::Cell { cell, .. } => module.cells[cell].init,
            };
            let constant = (!stored.contains(memory)).then(|| data.data.clone());
            memories[memory] = MemoryFacts { bytes: pages as u64 * PAGE_BYTES, constant };
        }
        let mut functions: SecondaryMap<TableId, Vec<(u32, Func)>> = SecondaryMap::new();
        for (table, data) in &module.tables {
            let function = |(i, reference): &(u32, u32)| Some((*i, module.referenced(*reference)?));
            functions[table] = data.entries.iter().filter_map(function).collect();
        }
        let is_udivrem32 = |func: &Function| func.origin == Origin::Routine(Routine::Udivrem32);
        let udivrem32 = module.functions.iter().find(|(_, func)| is_udivrem32(func)).map(|(id, _)| id);
        Facts {
            cells,
            stdin: [module.host.stdin_end, module.host.stdin_position],
            memories,
            functions,
            function_types: module.function_types.clone(),
            udivrem32,
        }
    }

    /// Returns the function in an entry of a table that does not change.
    pub fn table_entry(&self, table: TableId, index: u32) -> Option<Func> {
        let entries = &self.functions[table];
        entries.binary_search_by_key(&index, |entry| entry.0).ok().map(|i| entries[i].1)
    }

    /// Returns the least number of bytes that a memory has.
    pub fn memory_bytes(&self, memory: MemoryId) -> u64 {
        self.memories[memory].bytes
    }

    /// Returns a little-endian word of a memory that nothing writes.
    pub fn load(&self, memory: MemoryId, address: u64, bytes: u8) -> Option<u32> {
        let segments = self.memories[memory].constant.as_ref()?;
        let byte = |address: u64| {
            let i = segments.partition_point(|(first, _)| *first as u64 <= address).checked_sub(1)?;
            segments[i].1.get((address - segments[i].0 as u64) as usize).copied()
        };
        Some((0..bytes as u64).fold(0, |word, i| word | (byte(address + i).unwrap_or(0) as u32) << (8 * i)))
    }
}

fn written_cells(module: &Module) -> EntitySet<Cell> {
    let mut written = EntitySet::with_capacity(module.cells.len());
    for func in module.functions.values() {
        for inst in func.blocks.values().flat_map(|block| &block.insts) {
            if let Op::CellSet(cell) = inst.op {
                written.insert(cell);
            }
        }
    }
    written
}

/// Makes the size of each memory constant that no function grows.
pub fn constant_memory_sizes(module: &mut Module) {
    let written = written_cells(module);
    for memory in module.memories.values_mut() {
        if let MemorySize::Cell { cell, .. } = memory.size
            && !written.contains(cell)
        {
            memory.size = MemorySize::Constant(module.cells[cell].init);
        }
    }
}
