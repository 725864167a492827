//! Contents of tables and memories: active segments, and passive ones, which instructions copy later.

use wasm2onnx_runtime::{PAGE_BYTES, TrapCode};
use wasmparser::{DataKind, Element, ElementItems, ElementKind};

use super::context::Context;
use super::program::{Creation, Program};
use super::sections::Sections;
use crate::error::{CompileError, ErrorKind};
use crate::ir::Space;

/// Maximum number of entries of a table that begins with the same expression in all entries.
const MAX_INITIALIZED: u32 = 1 << 20;

/// Returns whether the contents of what a module imports depend on what earlier modules have run when they were
/// created, so that its active segments have to be copied in their turn.
fn is_late(program: &Program) -> bool {
    program.staged || !program.creation.is_empty()
}

/// Makes instance creation trap.
fn trap(program: &mut Program, code: TrapCode) {
    match !program.staged && program.creation.is_empty() {
        true => program.module.creation_trap = Some(code),
        false => program.creation.push(Creation::Trap(code)),
    }
}

/// Fills tables with their first entries, and then with the active segments in order. The first segment that
/// does not fit makes instance creation trap.
pub fn fill_tables(context: &mut Context, sections: &Sections) -> Result<(), CompileError> {
    for (table, init) in &sections.table_inits {
        let reference = context.constant(init)? as u32;
        let size = context.program.module.tables[*table].size;
        if size > MAX_INITIALIZED {
            let what = "the size of an initialized table".to_string();
            return Err(ErrorKind::Limit { what, value: size.into(), limit: MAX_INITIALIZED.into() }.into());
        }
        context.program.entries[*table] = (0..size).map(|i| (i, reference)).collect();
    }
    let late = is_late(&context.program);
    for (index, element) in sections.elements.iter().enumerate() {
        let count = element_count(element);
        let (len, active) = match &element.kind {
            ElementKind::Active { table_index, offset_expr } => {
                (0, Some((table_index.unwrap_or(0), offset_expr)))
            }
            ElementKind::Passive => (count, None),
            ElementKind::Declared => (0, None),
        };
        context.elements.lengths.push(len);
        let Some((table_index, offset)) = active.filter(|_| !context.program.traps_at_creation()) else {
            continue;
        };
        let (table, first) = (context.tables.get(table_index), context.constant(offset)? as u32);
        if late && table_index < sections.imported_tables {
            context.elements.lengths[index] = count;
            let module = &mut context.program.module;
            let segment = context.elements.get(index as u32, &mut module.passive_elements, &mut module.cells);
            let target = Space::Table(table);
            context.program.creation.push(Creation::Segment { segment, target, at: first, length: count });
            continue;
        }
        if first as u64 + count as u64 > context.program.module.tables[table].size as u64 {
            trap(&mut context.program, TrapCode::TableOutOfBounds);
            continue;
        }
        let references = element_references(context, element)?;
        context.program.entries[table].extend((first..).zip(references));
    }
    Ok(())
}

fn element_count(element: &Element) -> u32 {
    match &element.items {
        ElementItems::Functions(items) => items.count(),
        ElementItems::Expressions(_, items) => items.count(),
    }
}

/// Returns the references of an element segment.
fn element_references(context: &mut Context, element: &Element) -> Result<Vec<u32>, CompileError> {
    match &element.items {
        ElementItems::Functions(items) => {
            let Context { functions, program, .. } = context;
            items.clone().into_iter().map(|index| Ok(functions.reference(index?, program))).collect()
        }
        ElementItems::Expressions(_, items) => {
            items.clone().into_iter().map(|expr| Ok(context.constant(&expr?)? as u32)).collect()
        }
    }
}

/// Stores the contents of the segments that something copies.
pub fn fill_segments(context: &mut Context, sections: &Sections) -> Result<(), CompileError> {
    for (i, first) in &context.data.used {
        // An active or declarative segment has nothing left to copy.
        let length = context.data.lengths[*i as usize] as usize;
        let room = &mut context.program.module.passive_data[*first as usize..][..length];
        room.copy_from_slice(&sections.data[*i as usize].data[..length]);
    }
    for (i, first) in std::mem::take(&mut context.elements.used) {
        if context.elements.lengths[i as usize] > 0 {
            let references = element_references(context, &sections.elements[i as usize])?;
            let room = &mut context.program.module.passive_elements[first as usize..];
            room[..references.len()].copy_from_slice(&references);
        }
    }
    Ok(())
}

/// Fills the memories with the data segments, in order. The first one that does not fit makes instance creation
/// trap.
pub fn fill_memories(context: &mut Context, sections: &Sections) -> Result<(), CompileError> {
    let late = is_late(&context.program);
    for (index, segment) in sections.data.iter().enumerate() {
        let count = segment.data.len() as u32;
        let (len, active) = match &segment.kind {
            DataKind::Active { memory_index, offset_expr } => (0, Some((*memory_index, offset_expr))),
            DataKind::Passive => (count, None),
        };
        context.data.lengths.push(len);
        let Some((memory_index, offset)) = active.filter(|_| !context.program.traps_at_creation()) else {
            continue;
        };
        let (memory, first) = (context.memories.linear(memory_index), context.constant(offset)? as u32);
        if late && memory_index < sections.imported_memories {
            context.data.lengths[index] = count;
            let module = &mut context.program.module;
            let segment = context.data.get(index as u32, &mut module.passive_data, &mut module.cells);
            let target = Space::Memory(memory);
            context.program.creation.push(Creation::Segment { segment, target, at: first, length: count });
            continue;
        }
        let pages = context.program.memories[memory].initial;
        if first as u64 + count as u64 > u64::from(pages) * PAGE_BYTES {
            trap(&mut context.program, TrapCode::MemoryOutOfBounds);
            continue;
        }
        context.program.contents[memory].write(first as usize, segment.data);
    }
    Ok(())
}
