//! Drops functions and cells that nothing refers to.

use cranelift_entity::packed_option::PackedOption;
use cranelift_entity::{EntitySet, PrimaryMap, SecondaryMap};

use crate::ir::*;

/// Drops functions that no export, table or start function leads to, and renumbers the others.
pub fn drop_functions(module: &mut Module) {
    let reached = module.reached();
    if module.functions.keys().all(|id| reached.contains(id)) {
        return;
    }
    let mut map: SecondaryMap<Func, PackedOption<Func>> = SecondaryMap::new();
    let mut types = PrimaryMap::new();
    let functions = std::mem::take(&mut module.functions);
    for (id, func) in functions {
        if reached.contains(id) {
            map[id] = module.functions.push(func).into();
            types.push(module.function_types[id]);
        }
    }
    module.function_types = types;
    let new = |func: &mut Func| *func = map[*func].expect("reached");
    module.exports.iter_mut().for_each(|export| new(&mut export.1));
    module.start.iter_mut().for_each(new);
    // A reference whose function is gone is never called.
    for reference in &mut module.references {
        *reference = reference.and_then(|func| map[func].expand());
    }
    for block in module.functions.values_mut().flat_map(|func| func.blocks.values_mut()) {
        if let Some(Callee::Direct(callee)) = block.term.callee_mut() {
            new(callee);
        }
    }
}

/// Drops cells that neither the program nor the host uses, and renumbers the others. A stream that no
/// function reads or writes does not exist then.
pub fn drop_cells(module: &mut Module) {
    let mut used = EntitySet::with_capacity(module.cells.len());
    used.extend(module.exported_globals.iter().flat_map(|global| global.3.iter().copied()));
    for memory in module.memories.values() {
        if let MemorySize::Cell { cell, .. } = memory.size {
            used.insert(cell);
        }
    }
    used.extend(module.tables.values().filter_map(|table| table.size_cell));
    for inst in module.functions.values().flat_map(|func| func.blocks.values()).flat_map(|block| &block.insts)
    {
        match inst.op {
            Op::CellGet(cell) | Op::CellSet(cell) => drop(used.insert(cell)),
            _ => {}
        }
        if inst.reads() == Some(Space::Input) {
            used.extend(module.host.input());
        }
        if let Some(Space::Output(output)) = inst.writes() {
            used.extend(module.host.outputs[output as usize]);
        }
    }
    // What the host looks at is kept only if the program uses it, too.
    for cell in module.host.cells_mut() {
        *cell = cell.filter(|cell| used.contains(*cell));
    }
    module.growth_limit = module.growth_limit.filter(|(_, cell)| used.contains(*cell));
    let mut map: SecondaryMap<Cell, PackedOption<Cell>> = SecondaryMap::new();
    for (cell, data) in std::mem::take(&mut module.cells) {
        if used.contains(cell) {
            map[cell] = module.cells.push(data).into();
        }
    }
    let new = |cell: &mut Cell| *cell = map[*cell].expect("used");
    module.tables.values_mut().filter_map(|table| table.size_cell.as_mut()).for_each(new);
    module.host.cells_mut().flatten().for_each(new);
    module.growth_limit.iter_mut().for_each(|(_, cell)| new(cell));
    module.exported_globals.iter_mut().flat_map(|global| &mut global.3).for_each(new);
    for memory in module.memories.values_mut() {
        if let MemorySize::Cell { cell, .. } = &mut memory.size {
            new(cell);
        }
    }
    for func in module.functions.values_mut() {
        for inst in func.blocks.values_mut().flat_map(|block| &mut block.insts) {
            if let Op::CellGet(cell) | Op::CellSet(cell) = &mut inst.op {
                new(cell);
            }
        }
    }
}
