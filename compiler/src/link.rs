//! Packets of all functions → one network: ids, port numbers, regions, tables, entries.

use crate::circuits::Exact;
use crate::circuits::words::Tables;
use crate::error::{CompileError, ErrorKind};
use crate::ir::{BinaryOp, Cell, Func, MemoryId, MemorySize, Module, Op, Output, UnaryOp};
use crate::layout::{ARGUMENT_FIELDS, CellKey, FIRST_KEY, Layout};
use crate::print::memory_name;
use crate::schedule::assembly::{FUNCTIONS, JUMP_TABLES, RETURNS, Terminals};
use crate::schedule::{Assembly, ExpertRef, Fragment, NextOut, PortField, PortSource, Terms};
use cranelift_entity::SecondaryMap;
use rustc_hash::FxHashSet;
use wasm2onnx_runtime::{
    CellWidth, Certificate, Domain, Entry, ExpertId, Experts, Field, GlobalExport, GrowthLimit, IdSet,
    IdSetId, Interval, Io, LineRow, Lines, MemoryExport, MemoryPages, Network, PacketDebug, Ports, Region,
    Table, Terminal, ValueType, WordLocation,
};

/// A table over pairs of bytes: its name and its entries.
type Pairs = (&'static str, fn(u32, u32) -> i64);
/// A table over bytes: its name and its entries.
type Bytes = (&'static str, fn(u32) -> u32);

/// Makes the frozen tables that the module's operations need. Returns their first keys, the tables and their
/// contents.
pub fn plan_tables(module: &Module) -> (Tables, Vec<Table>, Vec<f64>) {
    let mut needed = [false; 10];
    for function in module.functions.values() {
        for inst in function.blocks.values().flat_map(|b| &b.insts) {
            match inst.op {
                Op::Binary(BinaryOp::And) => needed[0] = true,
                Op::Binary(BinaryOp::Or) => needed[1] = true,
                Op::Binary(BinaryOp::Xor) => needed[2] = true,
                Op::Binary(BinaryOp::Shl) => needed[3] = true,
                Op::Binary(BinaryOp::ShrU) => needed[4] = true,
                Op::Binary(BinaryOp::ShrS) => needed[5] = true,
                Op::Binary(BinaryOp::Rotl | BinaryOp::Rotr) => needed[6] = true,
                Op::Unary(UnaryOp::Clz) => needed[7] = true,
                Op::Unary(UnaryOp::Ctz) => needed[8] = true,
                Op::Unary(UnaryOp::Popcnt) => needed[9] = true,
                _ => {}
            }
        }
    }
    let mut first_keys = Tables::default();
    let mut tables = Vec::new();
    let mut lookup = Vec::new();
    let mut add = |name: &str, entries: Vec<i64>| {
        let first = lookup.len() as u32;
        let hull = |hull: Interval, x: &i64| hull.hull(Interval::point(*x));
        let domain = Domain::Interval(entries.iter().fold(Interval::point(entries[0]), hull));
        tables.push(Table { name: name.to_string(), first, count: entries.len() as u32, domain });
        // Words, signed or not: all of them float64s.
        lookup.extend(entries.into_iter().map(|x| x as f64));
        first
    };
    let pairs = |f: fn(u32, u32) -> i64| (0..65536u32).map(|i| f(i >> 8, i & 255)).collect::<Vec<_>>();
    let bitwise: [Pairs; 3] =
        [("and", |a, b| (a & b).into()), ("or", |a, b| (a | b).into()), ("xor", |a, b| (a ^ b).into())];
    for (i, (name, f)) in bitwise.into_iter().enumerate() {
        if needed[i] {
            first_keys.bitwise[i] = add(name, pairs(f));
        }
    }
    let shifts: [Pairs; 4] = [
        ("shl", |a, n| (a << n).into()),
        ("shr_u", |a, n| (a >> n).into()),
        ("shr_s", |a, n| ((a as i32) >> n).into()),
        ("rotl", |a, n| a.rotate_left(n).into()),
    ];
    for (i, (name, f)) in shifts.into_iter().enumerate() {
        if needed[3 + i] {
            let byte =
                |j: u32| (0..8192u32).map(move |k| f((k & 255) << (8 * j), k >> 8)).collect::<Vec<_>>();
            first_keys.shifts[i] = add(&format!("{name} of byte 0"), byte(0));
            (1..4).for_each(|j| {
                add(&format!("{name} of byte {j}"), byte(j));
            });
        }
    }
    let counts: [Bytes; 3] = [
        ("clz", |a| (a as u8).leading_zeros()),
        ("ctz", |a| (a as u8).trailing_zeros()),
        ("popcnt", |a| a.count_ones()),
    ];
    for (i, (name, f)) in counts.into_iter().enumerate() {
        if needed[7 + i] {
            first_keys.counts[i] = add(name, (0..256).map(|a| f(a).into()).collect());
        }
    }
    (first_keys, tables, lookup)
}

/// Puts everything together.
pub fn run(
    module: &Module,
    layout: &Layout,
    Assembly { all, mut terminals, .. }: Assembly,
    entries: &SecondaryMap<Func, u32>,
    (mut tables, mut lookup): (Vec<Table>, Vec<f64>),
) -> Result<Network, CompileError> {
    let start = start(module, &mut terminals);
    let Fragment { mut experts, next, packets, packet_values, jump_tables, mut certificate, ports } = all;
    let terminals = terminals.list;
    let ports = final_ports(module, ports);
    let ids = Ids { first: terminals.len() as u32, packets: &packets, entries };
    for (term, packet) in &packet_values {
        experts.weights[*term] = f64::from(ids.packet(*packet));
    }
    let next = |e: ExpertId| next_equation(&next[e as usize], ids.first + e + 1, &ids);
    finish(&mut experts, &ports, next).map_err(|e| inexact(module, &packets, e))?;
    certificate.fields.rename(|field| PortField::of_code(field).resolve(&ports));
    let ghost_fields = certificate.ghost_terms.iter_mut().map(|term| &mut term.0);
    ghost_fields.for_each(|field| *field = PortField::of_code(*field).resolve(&ports));
    terminals_first(terminals.len(), &mut experts, &mut certificate);

    let functions = function_ids(module, &ids);
    let landings = packet_values.iter().map(|(_, packet)| ids.packet(*packet));
    certificate.id_sets = vec![
        id_set("returns", landings.chain([1]).collect(), layout.stack.limit),
        id_set("functions", functions.iter().map(|f| f.1).collect(), layout.stack.span),
    ];
    for (i, refs) in jump_tables.iter().enumerate() {
        let targets: Vec<ExpertId> = refs.iter().map(|r| ids.of(*r)).collect();
        add_jump_table(i, targets, &mut tables, &mut lookup, &mut certificate);
    }

    let Regions { list, memories, outputs, input } = regions(module, layout);
    let host = &module.host;
    let key = |cell: Option<Cell>| cell.map(|cell| layout.cells[cell].key);
    // An input of no bytes has no region.
    let end = |cell: Option<Cell>| input.and(key(cell));
    let output = |output: Output| outputs[output as usize].zip(key(host.outputs[output as usize]));
    let io = Io {
        input,
        argv_end: end(host.argv_end),
        environ_end: end(host.environ_end),
        files_end: end(host.files_end),
        stdin_end: end(host.stdin_end),
        stdin_position: key(host.stdin_position),
        stdout: output(Output::Stdout),
        stderr: output(Output::Stderr),
        clock: host.clock.map(key),
        seed: host.seed.map(key),
        terminals: key(host.terminals),
        exit_code: key(host.exit_code),
        tensors: end(host.tensors),
        results: output(Output::Results),
        error: key(host.error),
    };
    let growth_limit =
        module.growth_limit.map(|(pages, cell)| GrowthLimit { pages, refused: layout.cells[cell].key });
    let mut network = Network {
        ports,
        experts,
        tables,
        lookup,
        regions: list,
        first_rows: first_rows(module, layout, &functions),
        start: start.map(|start| ids.of(start)),
        entries: Default::default(),
        globals: Default::default(),
        memories: Default::default(),
        io,
        growth_limit,
        certificate,
        validated: Default::default(),
        function_names: module.function_names.clone(),
        packets: packets.iter().map(|p| PacketDebug { expert: p.expert + ids.first, ..*p }).collect(),
        lines: lines(module),
        terminals,
    };
    exports(module, layout, &memories, &mut network, &ids);
    Ok(network)
}

/// Returns the lines of source text of those functions whose instructions are in the network.
fn lines(module: &Module) -> Lines {
    let Lines { files, rows } = &module.lines;
    if rows.is_empty() {
        return Lines::default();
    }
    let blocks = module.functions.values().flat_map(|function| function.blocks.values());
    let offsets =
        blocks.flat_map(|block| block.insts.iter().map(|inst| inst.offset).chain([block.term_offset]));
    let functions: FxHashSet<u32> = offsets.filter_map(|offset| module.function_at(offset)).collect();
    let mut rows: Vec<_> = rows.iter().filter(|row| functions.contains(&row.function)).copied().collect();
    let mut numbers = vec![None; files.len()];
    let mut used = Vec::new();
    for LineRow { file, .. } in rows.iter_mut().filter(|row| row.line != 0) {
        let path = &files[*file as usize];
        *file = *numbers[*file as usize].get_or_insert_with(|| {
            used.push(path.clone());
            used.len() as u32 - 1
        });
    }
    Lines { rows, files: used }
}

/// Final ids of experts.
struct Ids<'a> {
    /// Id of the first expert that is not terminal.
    first: ExpertId,
    /// The packets; terminal experts are not counted.
    packets: &'a [PacketDebug],
    /// First packets of functions.
    entries: &'a SecondaryMap<Func, u32>,
}

impl Ids<'_> {
    fn packet(&self, packet: u32) -> ExpertId {
        self.first + self.packets[packet as usize].expert
    }

    fn of(&self, expert: ExpertRef) -> ExpertId {
        match expert {
            ExpertRef::Packet(packet) => self.packet(packet),
            ExpertRef::Function(func) => self.packet(self.entries[func]),
            ExpertRef::Terminal(id) => id,
        }
    }
}

/// Returns as many ports as steps use, arguments need and models must have.
fn final_ports(module: &Module, mut ports: Ports) -> Ports {
    ports.carried = ports.carried.max(1 + ARGUMENT_FIELDS);
    // No tensor of any kind of port is empty: one shape of graph serves all networks.
    for count in [&mut ports.units, &mut ports.reads, &mut ports.lookups, &mut ports.rows] {
        *count = (*count).max(1);
    }
    // A model's first step appends the arguments that are rows, one for each port. The number of ports cannot
    // be larger than there are keys for; a model appends more arguments before that step.
    let most = module.exports.iter().map(|(.., signature)| words(&signature.params)).max().unwrap_or(0);
    let in_rows = most.saturating_sub(ARGUMENT_FIELDS.into()).min(FIRST_KEY as usize - 2);
    ports.rows = ports.rows.max(in_rows as u16);
    ports
}

/// Puts terminal experts first: they have no equations, and nothing is declared of them.
fn terminals_first(count: usize, experts: &mut Experts, certificate: &mut Certificate) {
    for ends in [&mut experts.expert_end, &mut certificate.field_end, &mut certificate.ghost_end] {
        ends.splice(0..0, std::iter::repeat_n(0, count));
    }
}

/// Adds a jump table after the existing tables, and the set of its targets.
fn add_jump_table(
    number: usize,
    mut targets: Vec<ExpertId>,
    tables: &mut Vec<Table>,
    lookup: &mut Vec<f64>,
    certificate: &mut Certificate,
) {
    let name = format!("jump {number}");
    let domain = Domain::Ids(JUMP_TABLES + number as IdSetId);
    let (first, count) = (lookup.len() as u32, targets.len() as u32);
    tables.push(Table { name: name.clone(), first, count, domain });
    lookup.extend(targets.iter().map(|e| f64::from(*e)));
    targets.sort_unstable();
    targets.dedup();
    let interface = common_interface(certificate, &targets);
    certificate.id_sets.push(IdSet { name, ids: targets, interface });
}

/// Gives equations their final fields and sources. The last equation of each expert, that of e, gets its
/// terms, of which there are at most as many as there is room for. Works in place, because nothing else that
/// is made here is as large.
///
/// # Errors
///
/// An expert that cannot name the next one exactly.
fn finish(experts: &mut Experts, ports: &Ports, next: impl Fn(ExpertId) -> Terms) -> Result<(), ExpertId> {
    let (mut equation, mut read, mut written) = (0, 0, 0);
    for e in 0..experts.len() {
        let last = experts.expert_end[e] as usize - 1;
        while equation < last {
            let end = experts.equation_end[equation] as usize;
            for term in read..end {
                experts.sources[written] = PortSource::of_code(experts.sources[term]).resolve(ports);
                experts.weights[written] = experts.weights[term];
                written += 1;
            }
            experts.fields[equation] = PortField::of_code(experts.fields[equation]).resolve(ports);
            (experts.equation_end[equation], read) = (written as u32, end);
            equation += 1;
        }
        read = experts.equation_end[last] as usize;
        for (source, weight) in next(e as ExpertId) {
            assert!(written < read, "the equation of e has more terms than `NextOut::most_terms` says");
            experts.sources[written] = source.resolve(ports);
            experts.weights[written] = weight.to_f64().ok_or(e as ExpertId)?;
            written += 1;
        }
        (experts.fields[last], experts.equation_end[last]) = (ports.e(), written as u32);
        equation += 1;
    }
    experts.sources.truncate(written);
    experts.weights.truncate(written);
    Ok(())
}

/// Returns the error for an expert that cannot name the next one exactly, with the function and offset that
/// the expert came from. Terminal experts are not counted.
fn inexact(module: &Module, packets: &[PacketDebug], expert: ExpertId) -> CompileError {
    let packet = packets.partition_point(|p| p.expert <= expert).checked_sub(1);
    let (index, offset) = packet.map_or((u32::MAX, 0), |i| (packets[i].function, packets[i].offset));
    let name = module.function_names.get(index as usize).cloned().unwrap_or_default();
    ErrorKind::Inexact { function: name, offset: module.offset_in_module(offset).into() }.into()
}

fn start(module: &Module, terminals: &mut Terminals) -> Option<ExpertRef> {
    if let Some(code) = module.creation_trap {
        terminals.list.push(Terminal::Trap { code, function: u32::MAX, offset: 0 });
        return Some(ExpertRef::Terminal(terminals.list.len() as u32 - 1));
    }
    module.start.map(ExpertRef::Function)
}

/// Returns the equation of e: D + Σ (X − D) · bit.
fn next_equation(next: &NextOut, following: ExpertId, ids: &Ids) -> Terms {
    match next {
        NextOut::Following => Terms::from_slice(&[(PortSource::ONE, following.into())]),
        NextOut::Read(terms) => Terms::clone(terms),
        NextOut::Choice(choice) => {
            let default = Exact::from(ids.of(choice.default));
            let mut equation = Terms::from_slice(&[(PortSource::ONE, default)]);
            for (terms, dest) in &choice.choices {
                let difference = Exact::from(ids.of(*dest)) - default;
                for (source, weight) in terms {
                    match equation.iter_mut().find(|t| t.0 == *source) {
                        Some(term) => term.1 = term.1 + difference * *weight,
                        None => equation.push((*source, difference * *weight)),
                    }
                }
            }
            equation.retain(|t| t.1 != Exact::ZERO);
            equation.sort_unstable_by_key(|t| t.0);
            equation
        }
    }
}

fn function_ids(module: &Module, ids: &Ids) -> Vec<(Func, ExpertId)> {
    let mut functions: Vec<Func> = module.references.iter().flatten().copied().collect();
    functions.sort_unstable();
    functions.dedup();
    functions.into_iter().map(|f| (f, ids.of(ExpertRef::Function(f)))).collect()
}

fn id_set(name: &str, mut ids: Vec<ExpertId>, frame_pointer: u64) -> IdSet {
    ids.sort_unstable();
    ids.dedup();
    let mut interface = vec![(0, Domain::Interval(Interval::new(0, frame_pointer as i64)))];
    interface.extend((1..=ARGUMENT_FIELDS).map(|f| (f, Domain::Interval(Interval::WORD))));
    IdSet { name: name.to_string(), ids, interface }
}

/// Returns what all targets of a jump table may assume: each field as narrow as any declares it.
fn common_interface(certificate: &Certificate, ids: &[ExpertId]) -> Vec<(Field, Domain)> {
    let mut interface: Vec<(Field, Domain)> = Vec::new();
    for &e in ids {
        for (field, domain) in certificate.fields(e) {
            match interface.binary_search_by_key(&field, |d| d.0) {
                Err(i) => interface.insert(i, (field, domain)),
                Ok(i) => {
                    if let (Domain::Interval(a), Domain::Interval(b)) = (interface[i].1, domain) {
                        interface[i].1 = Domain::Interval(Interval::new(a.lo.max(b.lo), a.hi.min(b.hi)));
                    }
                }
            }
        }
    }
    interface
}

/// The regions, and which of them the host reads and writes. Their names are for people.
struct Regions {
    list: Vec<Region>,
    memories: SecondaryMap<MemoryId, Option<usize>>,
    outputs: [Option<usize>; Output::ALL.len()],
    input: Option<usize>,
}

fn regions(module: &Module, layout: &Layout) -> Regions {
    let mut list = Vec::new();
    let mut add = |name: String, first: u64, count: u64, width: CellWidth, values: Domain| {
        if count > 0 {
            list.push(Region { name, first, count, width, values });
        }
        (count > 0).then(|| list.len() - 1)
    };
    let interval = |hi: u64| Domain::Interval(Interval::new(0, hi as i64));
    let word = interval(u32::MAX as u64);
    add("global".into(), layout.words.start, layout.words.end - layout.words.start, CellWidth::Number, word);
    for (cell, data) in module.cells.iter() {
        if data.max != u32::MAX {
            let CellKey { key, max } = layout.cells[cell];
            add(format!("global.{}", data.name), key, 1, CellWidth::Number, interval(max.into()));
        }
    }
    for table in module.tables.keys() {
        let keys = layout.tables[table];
        let name = if table == module.reference_table() { "reference".into() } else { table.to_string() };
        add(
            format!("{name}.function"),
            keys.functions,
            keys.count,
            CellWidth::Number,
            Domain::Ids(FUNCTIONS),
        );
        add(format!("{name}.type"), keys.types, keys.count, CellWidth::Number, word);
        add(format!("{name}.reference"), keys.references, keys.reference_count, CellWidth::Number, word);
    }
    add("elements".into(), layout.elements, layout.element_count, CellWidth::Number, word);
    let stack = layout.stack;
    add("control.return".into(), layout.returns, stack.control_keys, CellWidth::Number, Domain::Ids(RETURNS));
    add(
        "control.fp".into(),
        layout.frame_pointers,
        stack.control_keys,
        CellWidth::Number,
        interval(stack.limit),
    );
    add("frame".into(), layout.frame, stack.frame_keys, CellWidth::Number, word);
    let mut bytes = |name: String, first, count| add(name, first, count, CellWidth::Byte, interval(255));
    let mut memories: SecondaryMap<MemoryId, Option<usize>> = SecondaryMap::new();
    for memory in module.memories.keys() {
        let keys = layout.memories[memory];
        memories[memory] = bytes(memory_name(memory), keys.first, keys.bytes);
    }
    bytes("data".into(), layout.data, layout.data_bytes);
    let outputs = Output::ALL.map(|output| {
        let keys = layout.outputs[output as usize];
        bytes(output.name().into(), keys.first, keys.bytes)
    });
    let input = bytes("input".into(), layout.input.first, layout.input.bytes);
    Regions { list, memories, outputs, input }
}

fn first_rows(module: &Module, layout: &Layout, functions: &[(Func, ExpertId)]) -> Vec<(u64, f64)> {
    // A return from the outermost call halts.
    let mut rows = vec![(layout.returns, 1.0)];
    for (cell, data) in module.cells.iter() {
        if data.init != 0 {
            rows.push((layout.cells[cell].key, f64::from(data.init)));
        }
    }
    for (table, data) in module.tables.iter() {
        let keys = layout.tables[table];
        for &(index, reference) in &data.entries {
            if keys.reference_count > 0 {
                rows.push((keys.references + index as u64, f64::from(reference)));
            }
            if let Some(func) = module.referenced(reference).filter(|_| keys.count > 0) {
                let i = functions.binary_search_by_key(&func, |f| f.0).expect("all references are there");
                rows.push((keys.functions + index as u64, f64::from(functions[i].1)));
                // At most 2^32, so exact.
                rows.push((keys.types + index as u64, 1.0 + f64::from(module.function_types[func])));
            }
        }
    }
    for (i, reference) in module.passive_elements.iter().enumerate().take(layout.element_count as usize) {
        if *reference != 0 {
            rows.push((layout.elements + i as u64, f64::from(*reference)));
        }
    }
    for (i, byte) in module.passive_data.iter().enumerate().take(layout.data_bytes as usize) {
        if *byte != 0 {
            rows.push((layout.data + i as u64, f64::from(*byte)));
        }
    }
    for (memory, data) in module.memories.iter() {
        let keys = layout.memories[memory];
        for (address, bytes) in data.data.iter().filter(|_| keys.bytes > 0) {
            for (i, byte) in bytes.iter().enumerate().filter(|b| *b.1 != 0) {
                rows.push((keys.first + *address as u64 + i as u64, f64::from(*byte)));
            }
        }
    }
    rows.sort_by_key(|r| r.0);
    rows
}

/// Returns the number of words of values of these types.
fn words(types: &[ValueType]) -> usize {
    types.iter().map(|ty| ty.words()).sum()
}

fn exports(
    module: &Module,
    layout: &Layout,
    memories: &SecondaryMap<MemoryId, Option<usize>>,
    network: &mut Network,
    ids: &Ids,
) {
    let location = |i: usize| {
        if i < ARGUMENT_FIELDS as usize {
            WordLocation::Field(1 + i as u16)
        } else {
            WordLocation::Row(layout.frame + (i - ARGUMENT_FIELDS as usize) as u64)
        }
    };
    for (name, func, signature) in &module.exports {
        let entry = Entry {
            expert: ids.of(ExpertRef::Function(*func)),
            params: signature.params.clone(),
            results: signature.results.clone(),
            param_locations: (0..words(&signature.params)).map(location).collect(),
            result_locations: (0..words(&signature.results)).map(location).collect(),
            boundary: module.boundaries.get(name).cloned(),
        };
        network.entries.insert(name.clone(), entry);
    }
    for (name, ty, mutable, cells) in &module.exported_globals {
        let keys = cells.iter().map(|c| layout.cells[*c].key).collect();
        network.globals.insert(name.clone(), GlobalExport { ty: *ty, mutable: *mutable, keys });
    }
    for (name, memory) in &module.exported_memories {
        let Some(region) = memories[*memory] else { continue };
        let pages = match module.memories[*memory].size {
            MemorySize::Constant(pages) => MemoryPages::Constant(pages),
            MemorySize::Cell { cell, .. } => MemoryPages::Row(layout.cells[cell].key),
        };
        network.memories.insert(name.clone(), MemoryExport { region, pages });
    }
}
