//! Compares what is not in packets: first rows, entries, where instance creation begins.

use super::state::First;
use crate::ir::{Cell, MemorySize, Module, Output};
use crate::layout::{ARGUMENT_FIELDS, Layout, StreamKeys};
use std::collections::BTreeMap;
use wasm2onnx_runtime::{ExpertId, GlobalExport, MemoryPages, Network, Region, Terminal, WordLocation};

/// Freezes the regions of tables that do not change, and adds their rows: what such tables call.
pub fn freeze(module: &Module, layout: &Layout, entries: &[ExpertId], first: &mut First) {
    for (table, data) in &module.tables {
        let keys = layout.tables[table];
        if keys.count == 0 {
            continue;
        }
        first.freeze(keys.functions);
        first.freeze(keys.types);
        for (index, reference) in &data.entries {
            if let Some(func) = module.referenced(*reference) {
                let (index, entry) = (u64::from(*index), entries[func.as_u32() as usize]);
                first.rows.insert(keys.functions + index, entry.into());
                first.rows.insert(keys.types + index, 1.0 + f64::from(module.function_types[func]));
            }
        }
    }
}

/// Compares everything that is not in packets with the module.
///
/// # Errors
///
/// What differs.
pub fn compare(
    module: &Module,
    layout: &Layout,
    entries: &[ExpertId],
    network: &Network,
) -> Result<(), String> {
    let mut rows: Vec<(u64, f64)> = vec![(layout.returns, 1.0)];
    let mut frozen = First::new(network);
    freeze(module, layout, entries, &mut frozen);
    rows.extend(frozen.rows);
    rows.extend(module.cells.iter().map(|(cell, data)| (layout.cells[cell].key, data.init.into())));
    for (table, data) in module.tables.iter().filter(|(table, _)| layout.tables[*table].reference_count > 0) {
        let first = layout.tables[table].references;
        rows.extend(data.entries.iter().map(|(i, reference)| (first + u64::from(*i), (*reference).into())));
    }
    let elements = module.passive_elements.iter().map(|word| f64::from(*word));
    rows.extend((layout.elements..).zip(elements).take(layout.element_count as usize));
    let bytes = |bytes: &[u8]| bytes.iter().map(|byte| f64::from(*byte)).collect::<Vec<_>>();
    rows.extend((layout.data..).zip(bytes(&module.passive_data)).take(layout.data_bytes as usize));
    for (memory, memory_data) in &module.memories {
        let keys = layout.memories[memory];
        for (address, data) in memory_data.data.iter().filter(|_| keys.bytes > 0) {
            rows.extend((keys.first + u64::from(*address)..).zip(bytes(data)));
        }
    }
    rows.retain(|row| row.1 != 0.0);
    rows.sort_unstable_by_key(|row| row.0);
    if rows != network.first_rows {
        let differs = rows.iter().zip(&network.first_rows).position(|(a, b)| a != b);
        let at = differs.unwrap_or(rows.len().min(network.first_rows.len()));
        let found = network.first_rows.get(at);
        return Err(format!("first row {at} is {found:?} and should be {:?}", rows.get(at)));
    }
    let start = network.start.map(|e| network.terminals.get(e as usize).copied().ok_or(e));
    let expected = match (module.creation_trap, module.start) {
        (Some(code), _) => Some(Ok(Terminal::Trap { code, function: u32::MAX, offset: 0 })),
        (None, start) => start.map(|func| Err(entries[func.as_u32() as usize])),
    };
    if start != expected {
        return Err(format!("instance creation begins at {start:?} and should at {expected:?}"));
    }
    for (name, func, signature) in &module.exports {
        let words = |types: &[wasm2onnx_runtime::ValueType]| -> Vec<WordLocation> {
            let words: usize = types.iter().map(|ty| ty.words()).sum();
            let fields = usize::from(ARGUMENT_FIELDS);
            let location = |i: usize| match i.checked_sub(fields) {
                None => WordLocation::Field(1 + i as u16),
                Some(slot) => WordLocation::Row(layout.frame + slot as u64),
            };
            (0..words).map(location).collect()
        };
        let Some(entry) = network.entries.get(name) else {
            return Err(format!("export `{name}` is missing"));
        };
        if entry.expert != entries[func.as_u32() as usize]
            || (&entry.params, &entry.results) != (&signature.params, &signature.results)
            || entry.param_locations != words(&signature.params)
            || entry.result_locations != words(&signature.results)
        {
            return Err(format!("export `{name}` is not where its function is"));
        }
    }
    if network.entries.len() != module.exports.len() {
        return Err("there are exports that are not the module's".into());
    }
    state(module, layout, network)
}

/// Compares what a host finds in the trace: exported globals and memories, standard input and output.
fn state(module: &Module, layout: &Layout, network: &Network) -> Result<(), String> {
    let key = |cell: Cell| layout.cells[cell].key;
    let globals: BTreeMap<String, GlobalExport> = module
        .exported_globals
        .iter()
        .map(|(name, ty, mutable, cells)| {
            let keys = cells.iter().map(|cell| key(*cell)).collect();
            (name.clone(), GlobalExport { ty: *ty, mutable: *mutable, keys })
        })
        .collect();
    if globals != network.globals {
        return Err(format!("exported globals are {:?} and should be {globals:?}", network.globals));
    }
    for (name, memory) in &module.exported_memories {
        let (pages, keys) = (module.memories[*memory].size, layout.memories[*memory]);
        let pages = match pages {
            MemorySize::Constant(pages) => MemoryPages::Constant(pages),
            MemorySize::Cell { cell, .. } => MemoryPages::Row(key(cell)),
        };
        let found = network.memories.get(name).filter(|memory| memory.pages == pages);
        let region = found.map(|memory| &network.regions[memory.region]);
        // A memory without pages has no region of its own.
        let is_there = |region: &Region| (region.first, region.count) == (keys.first, keys.bytes);
        if keys.bytes > 0 && !region.is_some_and(is_there) {
            return Err(format!("memory `{name}` is not where it is exported"));
        }
    }
    // A stream of no bytes has no region.
    let stream = |StreamKeys { first, bytes }: StreamKeys, length: Option<Cell>| {
        length.filter(|_| bytes > 0).map(|length| (first, key(length)))
    };
    let found =
        |stream: Option<(usize, u64)>| stream.map(|(region, length)| (network.regions[region].first, length));
    let (io, host) = (&network.io, &module.host);
    let input = (layout.input.bytes > 0).then_some(layout.input.first);
    let end = |cell: Option<Cell>| cell.filter(|_| layout.input.bytes > 0);
    let is_at = |found: Option<u64>, cell: Option<Cell>| found == cell.map(key);
    let output = |output: Output| stream(layout.outputs[output as usize], host.outputs[output as usize]);
    if io.input.map(|region| network.regions[region].first) != input
        || !is_at(io.argv_end, end(host.argv_end))
        || !is_at(io.environ_end, end(host.environ_end))
        || !is_at(io.files_end, end(host.files_end))
        || !is_at(io.stdin_end, end(host.stdin_end))
        || !is_at(io.stdin_position, host.stdin_position)
        || found(io.stdout) != output(Output::Stdout)
        || found(io.stderr) != output(Output::Stderr)
        || io.clock != host.clock.map(|cell| cell.map(key))
        || io.seed != host.seed.map(|cell| cell.map(key))
        || !is_at(io.terminals, host.terminals)
        || !is_at(io.exit_code, host.exit_code)
        || !is_at(io.tensors, end(host.tensors))
        || found(io.results) != output(Output::Results)
        || !is_at(io.error, host.error)
    {
        return Err("what the host gives or looks at is not where the program reads and prints".into());
    }
    Ok(())
}
