//! Contents of tables and memory: active segments, and passive ones, which instructions copy later.

use std::collections::BTreeMap;

use cranelift_entity::SecondaryMap;
use wasm2onnx_runtime::{PAGE_BYTES, TrapCode};
use wasmparser::{DataKind, Element, ElementItems, ElementKind};

use super::context::Context;
use super::sections::Sections;
use crate::error::{CompileError, ErrorKind};
use crate::ir::*;

/// Maximum number of entries of a table that begins with the same expression in all entries.
const MAX_INITIALIZED: u32 = 1 << 20;

/// Fills tables with their first entries, and then with the active segments in order. The first segment that
/// does not fit makes instance creation trap.
pub fn fill_tables(context: &mut Context, sections: &Sections) -> Result<(), CompileError> {
    let mut tables: SecondaryMap<TableId, BTreeMap<u32, u32>> = SecondaryMap::new();
    for (table, init) in &sections.table_inits {
        let reference = context.constant(init)? as u32;
        let size = context.module.tables[*table].size;
        if size > MAX_INITIALIZED {
            let what = "the size of an initialized table".to_string();
            return Err(ErrorKind::Limit { what, value: size.into(), limit: MAX_INITIALIZED.into() }.into());
        }
        tables[*table] = (0..size).map(|i| (i, reference)).collect();
    }
    for element in &sections.elements {
        let (len, active) = match &element.kind {
            ElementKind::Active { table_index, offset_expr } => {
                (0, Some((TableId::from_u32(table_index.unwrap_or(0)), offset_expr)))
            }
            ElementKind::Passive => (element_count(element), None),
            ElementKind::Declared => (0, None),
        };
        context.elements.lengths.push(len);
        let Some((table, offset)) = active.filter(|_| context.module.creation_trap.is_none()) else {
            continue;
        };
        let first = context.constant(offset)? as u32;
        if first as u64 + element_count(element) as u64 > context.module.tables[table].size as u64 {
            context.module.creation_trap = Some(TrapCode::TableOutOfBounds);
            continue;
        }
        tables[table].extend((first..).zip(element_references(context, element)?));
    }
    for (table, data) in context.module.tables.iter_mut() {
        let entries = std::mem::take(&mut tables[table]).into_iter();
        data.entries = entries.filter(|(_, reference)| *reference != 0).collect();
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
            items.clone().into_iter().map(|index| Ok(context.functions.reference(index?))).collect()
        }
        ElementItems::Expressions(_, items) => {
            items.clone().into_iter().map(|expr| Ok(context.constant(&expr?)? as u32)).collect()
        }
    }
}

/// Stores the contents of the passive segments that instructions use.
pub fn fill_segments(context: &mut Context, sections: &Sections) -> Result<(), CompileError> {
    for i in &context.data.used {
        // An active or declarative segment has nothing left to copy.
        if context.data.lengths[*i as usize] > 0 {
            context.module.passive_data.extend_from_slice(sections.data[*i as usize].data);
        }
    }
    for i in std::mem::take(&mut context.elements.used) {
        if context.elements.lengths[i as usize] > 0 {
            let references = element_references(context, &sections.elements[i as usize])?;
            context.module.passive_elements.extend(references);
        }
    }
    Ok(())
}

/// Adds the compiler's own table, which a call of a reference reads.
pub fn add_reference_table(module: &mut Module) {
    let count = module.references.len() as u32;
    let entries = (1..=count).map(|reference| (reference, reference)).collect();
    module.tables.push(TableData { size: count + 1, size_cell: None, entries });
}

/// Fills the memory with the data segments, in order. The first one that does not fit makes instance creation
/// trap.
pub fn fill_memory(context: &mut Context, sections: &Sections) -> Result<(), CompileError> {
    for segment in &sections.data {
        let len = if matches!(segment.kind, DataKind::Passive) { segment.data.len() as u32 } else { 0 };
        context.data.lengths.push(len);
    }
    if context.module.creation_trap.is_some() {
        return Ok(());
    }
    // Segments may overlap and lie anywhere: bytes are gathered in small chunks by address.
    const CHUNK: usize = 4096;
    let mut chunks: BTreeMap<usize, Box<[u8; CHUNK]>> = BTreeMap::new();
    let mut write = |first: usize, bytes: &[u8]| {
        let (mut address, mut bytes) = (first, bytes);
        while !bytes.is_empty() {
            let (part, rest) = bytes.split_at(bytes.len().min(CHUNK - address % CHUNK));
            let chunk = chunks.entry(address / CHUNK).or_insert_with(|| Box::new([0; CHUNK]));
            chunk[address % CHUNK..][..part.len()].copy_from_slice(part);
            address += part.len();
            bytes = rest;
        }
    };
    for (first, bytes) in &sections.imported_data {
        write(*first as usize, bytes);
    }
    for segment in &sections.data {
        let DataKind::Active { offset_expr, .. } = &segment.kind else { continue };
        let first = context.constant(offset_expr)?;
        let pages = context.memory.expect("validated").initial;
        if first + segment.data.len() as u64 > u64::from(pages) * PAGE_BYTES {
            context.module.creation_trap = Some(TrapCode::MemoryOutOfBounds);
            break;
        }
        write(first as usize, segment.data);
    }
    for (number, chunk) in chunks {
        let Some(first) = chunk.iter().position(|b| *b != 0) else { continue };
        let last = chunk.iter().rposition(|b| *b != 0).expect("not all are 0");
        context.module.data.push(((number * CHUNK + first) as u32, chunk[first..=last].to_vec()));
    }
    Ok(())
}
