//! What is known of the whole module while its functions are simplified.

use cranelift_entity::{EntitySet, PrimaryMap, SecondaryMap};
use wasm2onnx_runtime::PAGE_BYTES;

use crate::ir::*;

/// Facts about cells, memory and functions.
pub struct Facts {
    /// Values of cells that nothing ever writes.
    pub cells: SecondaryMap<Cell, Option<u32>>,
    /// The cell that the host may write while the program runs.
    pub stdin_length: Option<Cell>,
    /// Least number of bytes that the memory has.
    pub memory_bytes: u64,
    /// First bytes of a memory that nothing ever writes.
    pub constant_memory: Option<Vec<(u32, Vec<u8>)>>,
    /// Entries of the tables that are functions, ascending.
    functions: SecondaryMap<TableId, Vec<(u32, Func)>>,
    /// Type of each function.
    pub function_types: PrimaryMap<Func, u32>,
    /// The routine that divides words.
    pub udivrem32: Option<Func>,
}

impl Facts {
    /// Looks at all instructions of a module.
    pub fn new(module: &Module) -> Self {
        let mut written = written_cells(module);
        let mut stores = false;
        for func in module.functions.values() {
            for block in func.blocks.values() {
                stores |= block.insts.iter().any(|inst| inst.writes() == Some(Space::Memory));
            }
        }
        // The host writes these.
        written.extend(module.stdin_length);
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
        let pages = match module.memory {
            MemorySize::Constant(pages) => pages,
            MemorySize::Cell { cell, .. } => module.cells[cell].init,
        };
        let constant_memory = (!stores && module.exported_memories.is_empty()).then(|| module.data.clone());
        let mut functions: SecondaryMap<TableId, Vec<(u32, Func)>> = SecondaryMap::new();
        for (table, data) in &module.tables {
            let function = |(i, reference): &(u32, u32)| Some((*i, module.referenced(*reference)?));
            functions[table] = data.entries.iter().filter_map(function).collect();
        }
        let is_udivrem32 = |func: &Function| func.origin == Origin::Routine(Routine::Udivrem32);
        let udivrem32 = module.functions.iter().find(|(_, func)| is_udivrem32(func)).map(|(id, _)| id);
        Facts {
            cells,
            stdin_length: module.stdin_length,
            memory_bytes: pages as u64 * PAGE_BYTES,
            constant_memory,
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

    /// Returns a little-endian word of constant memory.
    pub fn load(&self, address: u64, bytes: u8) -> Option<u32> {
        let segments = self.constant_memory.as_ref()?;
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

/// Makes the size of a memory constant if no function grows it.
pub fn constant_memory_size(module: &mut Module) {
    if let MemorySize::Cell { cell, .. } = module.memory
        && !written_cells(module).contains(cell)
    {
        module.memory = MemorySize::Constant(module.cells[cell].init);
    }
}
