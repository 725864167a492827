//! Circuits → steps: the maps of a packet, fields for what is carried from step to step, and what is
//! declared of each z.
//!
//! Everything is made as early as possible. The last map of a packet makes what the next one
//! begins with: carried values in their fields, and the gates, values and queries that the next
//! packet has prefetched, multiplied out over this packet's forms.

pub mod assembly;
mod coordinates;
mod fragment;
mod print;

pub use assembly::Assembly;
pub use coordinates::{PortField, PortSource};
pub use fragment::{Choice, ExpertRef, Fragment, NextOut, Terms};

use crate::circuits::form::{Exact, Form, Range, pow2};
use crate::circuits::packet::{Code, Dest, Next};
use crate::circuits::{Atom, AtomKind, Circuit, EntrySource, GhostTerm, RowValue};
use crate::limits;
use crate::packetize::Packets;
use assembly::{Before, FUNCTIONS, RETURNS, Terminals};
use fragment::{GhostTerms, IdDomain, Writer};
use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;
use wasm2onnx_runtime::{Domain, FieldKind, Interval, SourceKind};

/// Fields of the bits that a resolver gets.
const FAILURE_FIELDS: u16 = limits::CARRIED - 8;

/// Why a function has to be lowered again with smaller packets or without prefetching.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// More is carried than there are fields.
    Fields,
    /// Prefetched ports of packets that follow the same packets do not fit beside each other.
    Prefetch,
    /// A sum is not exact however many steps it is given, in the packet at that offset.
    Inexact(u32),
}

/// What a packet asks of the packets before it, beyond its fields.
struct Interface {
    /// For each atom of the packet, whether it is an entry field that is needed.
    needed: Vec<bool>,
    /// First ports of prefetched units, reads and lookups.
    base: [u16; 3],
    /// Numbers of ports.
    count: [u16; 3],
    /// Prefetched atoms with their forms over entry fields: gate and value, or query.
    prefetched: Vec<(u32, Form, Form)>,
}

/// Packets that jump to a packet, and by which of their jumps.
type Predecessors = SmallVec<[(u32, u32); 2]>;

/// A prefetched port: its field, its terms over carried fields, and its constant.
pub type Port = (PortField, SmallVec<[(u16, f64); 2]>, f64);

/// What the packets before a packet make for it in ports, beside the fields that it is declared to begin with.
///
/// Each port is a form over carried fields as the packet finds them. The packets before multiply it out over what
/// they have, so that a field which only ports depend on is not handed over at all.
#[derive(Clone, Debug, Default)]
pub struct Prefetched {
    /// The ports.
    pub ports: Vec<Port>,
    /// The carried fields that ports depend on, and where their values lie.
    pub inputs: Vec<(u16, Range)>,
}

impl Prefetched {
    /// Nothing if a weight is no float64.
    fn new(circuit: &Circuit, interface: &Interface) -> Option<Prefetched> {
        let mut result = Prefetched::default();
        for (atom, a, b) in &interface.prefetched {
            let mut add = |kind: FieldKind, port: u16, form: &Form| -> Option<()> {
                let mut terms = SmallVec::new();
                for (entry, c) in &form.terms {
                    let entry = &circuit.atoms[*entry as usize];
                    let AtomKind::Entry { field, .. } = entry.kind else { unreachable!("multiplied out") };
                    if !result.inputs.iter().any(|input| input.0 == field) {
                        result.inputs.push((field, entry.range));
                    }
                    terms.push((field, c.to_f64()?));
                }
                result.ports.push((PortField::new(kind, port), terms, form.constant.to_f64()?));
                Some(())
            };
            match &circuit.atoms[*atom as usize].kind {
                AtomKind::Unit { port, .. } => {
                    add(FieldKind::N, interface.base[0] + port, a)?;
                    add(FieldKind::V, interface.base[0] + port, b)?;
                }
                AtomKind::Read { port, .. } => add(FieldKind::Q, interface.base[1] + port, a)?,
                AtomKind::Lookup { port, .. } => add(FieldKind::T, interface.base[2] + port, a)?,
                _ => unreachable!("not a port"),
            }
        }
        Some(result)
    }
}

/// Emits all packets of a function, by its index. Returns them and what is prefetched for each.
pub fn run(
    packets: &Packets,
    mut codes: Vec<Code>,
    function: u32,
    before: Before,
    terminals: &mut Terminals,
) -> Result<(Fragment, Vec<Prefetched>), Retry> {
    if let Some(code) = codes.iter().find(|code| code.circuit.inexact) {
        return Err(Retry::Inexact(code.offset));
    }
    for i in 0..codes.len() {
        if !codes[i].failures.is_empty() {
            let resolver = resolver(&codes[i]);
            codes.push(resolver);
        }
    }
    let resolvers: Vec<u32> = {
        let mut next = packets.packets.len() as u32;
        codes[..packets.packets.len()]
            .iter()
            .map(|c| {
                let has = !c.failures.is_empty();
                next += has as u32;
                if has { next - 1 } else { u32::MAX }
            })
            .collect()
    };
    let live: Vec<Vec<bool>> = codes.iter().map(live_atoms).collect();
    let interfaces = interfaces(packets, &codes, &live)?;
    let mut out = Writer::new(before, terminals, function, codes.len());
    for (i, code) in codes.iter().enumerate() {
        let resolver = resolvers.get(i).copied().unwrap_or(u32::MAX);
        Emitter {
            code,
            live: &live[i],
            own: &interfaces[i],
            codes: &codes,
            interfaces: &interfaces,
            resolver,
        }
        .emit(i, packets, &mut out)?;
    }
    let prefetched = |(code, interface): (&Code, &Interface)| {
        Prefetched::new(&code.circuit, interface).ok_or(Retry::Inexact(code.offset))
    };
    let prefetched = codes.iter().zip(&interfaces).map(prefetched).collect::<Result<_, _>>()?;
    Ok((out.fragment, prefetched))
}

/// A packet that is entered when one of several checks failed and finds the first: it counts
/// the checks before it, and a table has the traps.
fn resolver(code: &Code) -> Code {
    let mut circuit = Circuit::new(false, false);
    let one = Form::constant(1);
    let mut passed = Form::constant(1);
    let mut index = Form::default();
    for i in 0..code.failures.len() - 1 {
        let bit = circuit.entry(FAILURE_FIELDS + i as u16, EntrySource::Fixed, Range::BIT);
        passed = passed.plus(-1, &bit);
        index = index.plus(1, &circuit.unit(&passed, &one));
    }
    let next = Next::Read(circuit.lookup_jump(&index));
    Code {
        circuit,
        next,
        jumps: Vec::new(),
        live: Vec::new(),
        fixed: Vec::new(),
        frame_pointer: Form::default(),
        failures: Vec::new(),
        offset: code.offset,
        misfit: false,
        table: code.failures.iter().map(|f| f.1).collect(),
    }
}

/// Which atoms a packet's rows, jumps and next id depend on.
fn live_atoms(code: &Code) -> Vec<bool> {
    let mut live = vec![false; code.circuit.atoms.len()];
    let mut work: Vec<u32> = Vec::new();
    for_each_root(code, &mut |form| work.extend(form.terms.iter().map(|t| t.0)));
    while let Some(atom) = work.pop() {
        if std::mem::replace(&mut live[atom as usize], true) {
            continue;
        }
        let mut add = |form: &Form| work.extend(form.terms.iter().map(|t| t.0));
        match &code.circuit.atoms[atom as usize].kind {
            AtomKind::Entry { .. } => {}
            AtomKind::Read { query, .. } | AtomKind::Lookup { query, .. } => add(query),
            AtomKind::Unit { gate, value, .. } => {
                add(gate);
                add(value);
            }
            AtomKind::Linear(form) | AtomKind::Pinned(form) => add(form),
        }
    }
    live
}

fn for_each_root(code: &Code, each: &mut impl FnMut(&Form)) {
    for row in &code.circuit.rows {
        each(&row.key);
        if let RowValue::Form(form) = &row.value {
            each(form);
        }
    }
    match &code.next {
        Next::Read(form) => each(form),
        Next::Choice { choices, .. } => choices.iter().for_each(|c| each(&c.0)),
    }
    code.jumps.iter().flat_map(|j| j.args.iter().flatten()).for_each(&mut *each);
    code.live.iter().for_each(|l| each(&l.1));
    code.fixed.iter().for_each(|f| each(&f.1));
    code.failures.iter().for_each(|f| each(&f.0));
    each(&code.frame_pointer);
}

fn interfaces(packets: &Packets, codes: &[Code], live: &[Vec<bool>]) -> Result<Vec<Interface>, Retry> {
    let mut result: Vec<Interface> = Vec::with_capacity(codes.len());
    for (code, live) in codes.iter().zip(live) {
        let circuit = &code.circuit;
        let mut count = [0; 3];
        let mut prefetched = Vec::new();
        for (i, atom) in circuit.atoms.iter().enumerate() {
            if atom.avail != 0 || !live[i] {
                continue;
            }
            let (kind, port, a, b) = match &atom.kind {
                AtomKind::Unit { gate, value, port } => (0, port, gate, Some(value)),
                AtomKind::Read { query, port } => (1, port, query, None),
                AtomKind::Lookup { query, port } => (2, port, query, None),
                _ => continue,
            };
            count[kind] = count[kind].max(port + 1);
            let b = b.map(|b| circuit.expand(b, -1)).unwrap_or_default();
            prefetched.push((i as u32, circuit.expand(a, -1), b));
        }
        let mut needed = vec![false; circuit.atoms.len()];
        let mut new = Vec::new();
        let mut need = |form: &Form| need_entries(circuit, form, &mut needed, &mut new);
        for (i, atom) in circuit.atoms.iter().enumerate() {
            if atom.avail <= 0 || !live[i] {
                continue;
            }
            match &atom.kind {
                AtomKind::Unit { gate, value, .. } => {
                    need(gate);
                    need(value);
                }
                AtomKind::Read { query, .. } | AtomKind::Lookup { query, .. } | AtomKind::Pinned(query) => {
                    need(query)
                }
                _ => {}
            }
        }
        for row in &circuit.rows {
            need(&row.key);
            if let RowValue::Form(form) = &row.value {
                need(form);
            }
        }
        match &code.next {
            Next::Read(form) => need(form),
            Next::Choice { choices, .. } => choices.iter().for_each(|c| need(&c.0)),
        }
        code.fixed.iter().for_each(|f| need(&f.1));
        code.failures.iter().for_each(|f| need(&f.0));
        result.push(Interface { needed, base: [0; 3], count, prefetched });
    }
    // What later packets need has to pass through.
    let mut predecessors: Vec<Predecessors> = vec![Predecessors::new(); codes.len()];
    for (i, code) in codes.iter().enumerate() {
        for (j, jump) in code.jumps.iter().enumerate() {
            predecessors[jump.packet as usize].push((i as u32, j as u32));
        }
    }
    // Each entry field that a packet needs asks the packets before it, once: what is made for it there may take
    // fields that are needed for the first time.
    let mut work: Vec<(u32, u32)> = Vec::new();
    for (i, interface) in result.iter().enumerate() {
        let needed = interface.needed.iter().enumerate().filter(|n| *n.1).map(|n| n.0 as u32);
        let terms = interface.prefetched.iter().flat_map(|(_, a, b)| a.terms.iter().chain(&b.terms));
        work.extend(needed.chain(terms.map(|term| term.0)).map(|atom| (i as u32, atom)));
    }
    let mut new = Vec::new();
    while let Some((i, atom)) = work.pop() {
        for &(p, j) in &predecessors[i as usize] {
            let before = &codes[p as usize];
            let form = handed_over(before, j as usize, &codes[i as usize], atom);
            need_entries(&before.circuit, form, &mut result[p as usize].needed, &mut new);
            work.extend(new.drain(..).map(|atom| (p, atom)));
        }
    }
    place_ports(packets, codes, &predecessors, &mut result)?;
    Ok(result)
}

/// Gives prefetched ports of packets that can follow the same packet different places.
fn place_ports(
    packets: &Packets,
    codes: &[Code],
    predecessors: &[Predecessors],
    result: &mut [Interface],
) -> Result<(), Retry> {
    let most = [limits::UNITS, limits::READS, limits::LOOKUPS];
    for i in 0..packets.packets.len() {
        for (kind, most) in most.iter().enumerate() {
            let count = result[i].count[kind];
            if count == 0 {
                continue;
            }
            let mut taken: u64 = 0;
            for (p, _) in &predecessors[i] {
                for sibling in &codes[*p as usize].jumps {
                    let s = sibling.packet as usize;
                    if s < i && result[s].count[kind] > 0 {
                        taken |= ((1u64 << result[s].count[kind]) - 1) << result[s].base[kind];
                    }
                }
            }
            let wanted = (1u64 << count) - 1;
            let base = (0..=most - count).find(|b| taken & (wanted << b) == 0).ok_or(Retry::Prefetch)?;
            result[i].base[kind] = base;
        }
    }
    Ok(())
}

/// Marks the entry fields that a form, computed in the packet, depends on; `new` gets those that were not marked.
fn need_entries(circuit: &Circuit, form: &Form, needed: &mut [bool], new: &mut Vec<u32>) {
    let mut work: SmallVec<[&Form; 4]> = SmallVec::from_slice(&[form]);
    while let Some(form) = work.pop() {
        for (atom, _) in &form.terms {
            let kind = &circuit.atoms[*atom as usize].kind;
            if !matches!(kind, AtomKind::Entry { .. } | AtomKind::Linear(_))
                || std::mem::replace(&mut needed[*atom as usize], true)
            {
                continue;
            }
            match kind {
                AtomKind::Linear(inner) => work.push(inner),
                _ => new.push(*atom),
            }
        }
    }
}

/// The form that a packet hands over, by its jump `j`, for an entry field of the next packet.
fn handed_over<'a>(code: &'a Code, j: usize, next: &Code, atom: u32) -> &'a Form {
    static ZERO: std::sync::LazyLock<Form> = std::sync::LazyLock::new(Form::default);
    match &next.circuit.atoms[atom as usize].kind {
        AtomKind::Entry { source, .. } => match source {
            EntrySource::FramePointer => &code.frame_pointer,
            EntrySource::Param(i) => code.jumps[j].args[*i as usize].as_ref().expect("parameter in a field"),
            EntrySource::Live(value) => {
                let i = code.live.binary_search_by_key(value, |l| l.0).expect("it lives on");
                &code.live[i].1
            }
            EntrySource::Fixed => unreachable!("not entered by a jump"),
        },
        // `needed` marks named forms too while it is being computed.
        _ => &ZERO,
    }
}

/// What a row of the last map makes for the next packet.
enum ExitField {
    Carried(u16),
    Port(FieldKind, u16),
}

/// What the maps of a packet make.
struct Maps {
    /// Of each map its rows: what it makes and from which form.
    rows: Vec<Vec<(FieldKind, u16, Form)>>,
    /// Rows of the trace whose value is the id of a packet: the map, the port, and the packet.
    packet_values: Vec<(usize, u16, u32)>,
    /// Fields that atoms are best carried in, as the next packets begin with them there.
    preferred: FxHashMap<u32, u16>,
    /// The last map.
    last: i32,
}

struct Emitter<'a> {
    code: &'a Code,
    live: &'a [bool],
    own: &'a Interface,
    codes: &'a [Code],
    interfaces: &'a [Interface],
    resolver: u32,
}

impl Emitter<'_> {
    fn circuit(&self) -> &Circuit {
        &self.code.circuit
    }

    /// Rows that make what the next packets begin with.
    fn exits(&self) -> Vec<(ExitField, Form)> {
        let mut exits: Vec<(ExitField, Form)> = Vec::new();
        let mut seen: u64 = 0;
        let mut packets = FxHashSet::default();
        for (j, jump) in self.code.jumps.iter().enumerate() {
            if self.code.jumps.len() > 1 && !packets.insert(jump.packet) {
                continue;
            }
            let next = &self.codes[jump.packet as usize];
            let interface = &self.interfaces[jump.packet as usize];
            for (atom, _) in interface.needed.iter().enumerate().filter(|n| *n.1) {
                if let AtomKind::Entry { field, .. } = next.circuit.atoms[atom].kind
                    && seen & (1 << field) == 0
                {
                    seen |= 1 << field;
                    let form = handed_over(self.code, j, next, atom as u32).clone();
                    exits.push((ExitField::Carried(field), form));
                }
            }
            let substitute = |form: &Form| {
                form.terms.iter().fold(Form::constant(form.constant), |sum, (atom, c)| {
                    sum.plus(*c, handed_over(self.code, j, next, *atom))
                })
            };
            for (atom, a, b) in &interface.prefetched {
                match &next.circuit.atoms[*atom as usize].kind {
                    AtomKind::Unit { port, .. } => {
                        let port = interface.base[0] + port;
                        exits.push((ExitField::Port(FieldKind::N, port), substitute(a)));
                        exits.push((ExitField::Port(FieldKind::V, port), substitute(b)));
                    }
                    AtomKind::Read { port, .. } => {
                        exits.push((ExitField::Port(FieldKind::Q, interface.base[1] + port), substitute(a)));
                    }
                    AtomKind::Lookup { port, .. } => {
                        exits.push((ExitField::Port(FieldKind::T, interface.base[2] + port), substitute(a)));
                    }
                    _ => unreachable!("not a port"),
                }
            }
        }
        for (field, form) in &self.code.fixed {
            exits.push((ExitField::Carried(*field), form.clone()));
        }
        for (i, (form, _)) in self.code.failures.iter().enumerate() {
            exits.push((ExitField::Carried(FAILURE_FIELDS + i as u16), form.clone()));
        }
        exits
    }

    /// Makes the experts of the packet.
    fn emit(&self, index: usize, packets: &Packets, out: &mut Writer) -> Result<(), Retry> {
        let exits = self.exits();
        let next: Vec<&Form> = match &self.code.next {
            Next::Read(form) => vec![form],
            Next::Choice { choices, .. } => choices.iter().map(|c| &c.0).collect(),
        };
        let last = self.last_map(&exits, &next)?;
        // A jump table's place is known now.
        let maps = self.maps(exits, last, out.next_jump_table());
        let plan = self.plan(&maps, &next)?;
        self.write(index, packets, &plan, &maps, out)
    }

    /// The last map of the packet: everything is made by then, and what the next packets begin with can be a row of it.
    fn last_map(&self, exits: &[(ExitField, Form)], next: &[&Form]) -> Result<i32, Retry> {
        let circuit = self.circuit();
        let mut last = 0;
        for (i, atom) in circuit.atoms.iter().enumerate() {
            if self.live[i] && !matches!(atom.kind, AtomKind::Entry { .. } | AtomKind::Linear(_)) {
                last = last.max(atom.avail);
            }
        }
        last = circuit.rows.iter().map(|r| r.at).fold(last, i32::max);
        // A form may be exact at its first step and not later, when what it is made of is multiplied out differently.
        loop {
            let before = last;
            for form in exits.iter().map(|e| &e.1).chain(next.iter().copied()) {
                last = circuit.place(form, last).ok_or(Retry::Inexact(self.code.offset))?;
            }
            if last == before {
                return Ok(last);
            }
        }
    }

    /// What each map has to make, but for what it carries on.
    fn maps(&self, exits: Vec<(ExitField, Form)>, last: i32, jump_table: u32) -> Maps {
        let circuit = self.circuit();
        let mut rows: Vec<Vec<(FieldKind, u16, Form)>> = vec![Vec::new(); last as usize + 1];
        for (i, atom) in circuit.atoms.iter().enumerate() {
            if !self.live[i] || atom.avail <= 0 {
                continue;
            }
            let rows = &mut rows[atom.avail as usize - 1];
            match &atom.kind {
                AtomKind::Unit { gate, value, port } => {
                    rows.push((FieldKind::N, *port, gate.clone()));
                    rows.push((FieldKind::V, *port, value.clone()));
                }
                AtomKind::Read { query, port } => rows.push((FieldKind::Q, *port, query.clone())),
                AtomKind::Lookup { query, port } => {
                    let first = if atom.range.is_id { jump_table } else { 0 };
                    rows.push((FieldKind::T, *port, query.clone().offset(first)));
                }
                _ => {}
            }
        }
        let mut row_ports = vec![0u16; last as usize + 1];
        let mut packet_values = Vec::new();
        for row in &circuit.rows {
            let t = row.at as usize;
            let port = row_ports[t];
            row_ports[t] += 1;
            rows[t].push((FieldKind::K, port, row.key.clone()));
            match &row.value {
                RowValue::Form(form) => rows[t].push((FieldKind::X, port, form.clone())),
                RowValue::Packet(packet) => packet_values.push((t, port, *packet)),
            }
        }
        let mut preferred: FxHashMap<u32, u16> = FxHashMap::default();
        for (field, form) in exits {
            let (kind, port) = match field {
                ExitField::Carried(field) => {
                    if let Some(atom) = form.as_atom() {
                        preferred.entry(atom).or_insert(field);
                    }
                    (FieldKind::S, field)
                }
                ExitField::Port(kind, port) => (kind, port),
            };
            rows[last as usize].push((kind, port, form));
        }
        Maps { rows, packet_values, preferred, last }
    }

    /// Which fields what is carried is in: last map first, so that what must be carried to it is known.
    fn plan(&self, maps: &Maps, next: &[&Form]) -> Result<Plan<'_>, Retry> {
        let circuit = self.circuit();
        let mut plan = Plan::new(circuit, maps.last);
        for t in (0..=maps.last).rev() {
            for (_, _, form) in &maps.rows[t as usize] {
                plan.use_at(&circuit.expand(form, t), t);
            }
            if t == maps.last {
                next.iter().for_each(|f| plan.use_at(&circuit.expand(f, t), t));
            }
            plan.make_at(t);
        }
        plan.assign_fields(self.own, &maps.preferred)?;
        Ok(plan)
    }

    /// Writes the experts, one for each map.
    fn write(
        &self,
        index: usize,
        packets: &Packets,
        plan: &Plan,
        maps: &Maps,
        out: &mut Writer,
    ) -> Result<(), Retry> {
        let (circuit, last) = (self.circuit(), maps.last);
        out.begin_packet(index, self.code.offset);
        let ids = self.id_domain(index, packets, out);
        for t in 0..=last {
            self.declare(plan, t, ids, out);
            let mut encoded: Vec<(PortField, Terms)> = Vec::new();
            for (kind, port, form) in &maps.rows[t as usize] {
                let open = circuit.expand(form, t);
                if *kind == FieldKind::N {
                    self.declare_cancelled(plan, form, &open, t, out);
                }
                encoded.push((PortField::new(*kind, *port), self.terms(plan, &open, t)));
            }
            for (_, port, packet) in maps.packet_values.iter().filter(|v| v.0 == t as usize) {
                out.packet_value(PortField::new(FieldKind::X, *port), *packet, &mut encoded);
            }
            for (atom, field) in plan.carried_from(t) {
                let form = match &circuit.atoms[atom as usize].kind {
                    AtomKind::Linear(form) | AtomKind::Pinned(form)
                        if plan.first_in_field(atom as usize) == t + 1 =>
                    {
                        circuit.expand(form, t)
                    }
                    _ => Form::atom(atom),
                };
                encoded.push((PortField::new(FieldKind::S, field), self.terms(plan, &form, t)));
            }
            let next = if t < last { NextOut::Following } else { self.next(plan, last, out) };
            out.end_expert(encoded, next)?;
        }
        out.end_packet();
        Ok(())
    }

    fn dest(&self, dest: Dest, out: &mut Writer) -> ExpertRef {
        match dest {
            Dest::Jump(j) => ExpertRef::Packet(out.packet(self.code.jumps[j as usize].packet)),
            Dest::Function(func) => ExpertRef::Function(func),
            Dest::Trap(code, offset) => out.terminal(code, offset),
            Dest::Resolver => ExpertRef::Packet(out.packet(self.resolver)),
        }
    }

    fn next(&self, plan: &Plan, last: i32, out: &mut Writer) -> NextOut {
        match &self.code.next {
            Next::Read(form) => {
                NextOut::Read(Box::new(self.terms(plan, &self.circuit().expand(form, last), last)))
            }
            Next::Choice { default, choices } => {
                let default = self.dest(*default, out);
                let choices = choices
                    .iter()
                    .map(|(form, dest)| {
                        let terms = self.terms(plan, &self.circuit().expand(form, last), last);
                        (terms, self.dest(*dest, out))
                    })
                    .collect();
                NextOut::Choice(Box::new(Choice { default, choices }))
            }
        }
    }

    /// The set of ids that the packet's computed next id belongs to; makes its jump table.
    fn id_domain(&self, index: usize, packets: &Packets, out: &mut Writer) -> Option<IdDomain> {
        use crate::packetize::Term;
        if !self.code.table.is_empty() {
            let refs = self.code.table.iter().map(|d| self.dest(*d, out)).collect();
            return Some(out.jump_table(refs));
        }
        match &packets.packets.get(index)?.term {
            Term::Return(_) => Some(IdDomain::Returns),
            Term::Call { callee: crate::ir::Callee::Reference(_), .. }
            | Term::TailCall { callee: crate::ir::Callee::Reference(_), .. } => Some(IdDomain::Functions),
            Term::Switch { targets, .. } => {
                let refs = targets.iter().map(|t| ExpertRef::Packet(out.packet(t.packet))).collect();
                Some(out.jump_table(refs))
            }
            _ => None,
        }
    }

    /// The expanded form in terms of elements of y_t.
    fn terms(&self, plan: &Plan, form: &Form, t: i32) -> Terms {
        let mut terms = Terms::new();
        if form.constant != Exact::ZERO {
            terms.push((PortSource::ONE, form.constant));
        }
        for (atom, c) in &form.terms {
            terms.push((self.source(plan, *atom, t), *c));
        }
        terms.sort_unstable_by_key(|term| term.0);
        terms
    }

    fn source(&self, plan: &Plan, atom: u32, t: i32) -> PortSource {
        let a = &self.circuit().atoms[atom as usize];
        let base = if t == 0 { self.own.base } else { [0; 3] };
        if a.avail == t {
            match &a.kind {
                AtomKind::Unit { port, .. } => return PortSource::new(SourceKind::U, base[0] + port),
                AtomKind::Read { port, .. } => return PortSource::new(SourceKind::R, base[1] + port),
                AtomKind::Lookup { port, .. } => {
                    return PortSource::new(SourceKind::W, base[2] + port);
                }
                _ => {}
            }
        }
        PortSource::new(SourceKind::S, plan.field[atom as usize])
    }

    /// Declares z_t.
    fn declare(&self, plan: &Plan, t: i32, ids: Option<IdDomain>, out: &mut Writer) {
        let circuit = self.circuit();
        let base = if t == 0 { self.own.base } else { [0; 3] };
        let ids = ids.map(|ids| match ids {
            IdDomain::Returns => RETURNS,
            IdDomain::Functions => FUNCTIONS,
            IdDomain::JumpTable(set) => set,
        });
        let ids_or = |range: Range| match ids {
            Some(set) if range.is_id => Domain::Ids(set),
            _ => Domain::Interval(interval(range)),
        };
        for (atom, field) in plan.carried_at(t) {
            let range = circuit.atoms[atom as usize].range;
            out.declare(PortField::new(FieldKind::S, field), ids_or(range));
        }
        for (i, atom) in circuit.atoms.iter().enumerate() {
            if atom.avail != t || !self.live[i] {
                continue;
            }
            match &atom.kind {
                AtomKind::Unit { gate, value, port } => {
                    let port = base[0] + port;
                    out.declare(PortField::new(FieldKind::N, port), ids_or(circuit.quantized(gate)));
                    out.declare(PortField::new(FieldKind::V, port), ids_or(circuit.range(value)));
                }
                AtomKind::Read { query, port } => {
                    out.declare(PortField::new(FieldKind::Q, base[1] + port), ids_or(circuit.range(query)));
                }
                AtomKind::Lookup { query, port } => {
                    let mut range = circuit.range(query);
                    if atom.range.is_id {
                        range = plus(range, out.last_jump_table().into());
                    }
                    out.declare(PortField::new(FieldKind::T, base[2] + port), ids_or(range));
                }
                _ => {}
            }
        }
        for ghost in &circuit.ghosts {
            if ghost.at <= t
                && t <= ghost.until
                && let Some((terms, constant)) = self.ghost(plan, &ghost.terms, t, base)
            {
                out.declare_ghost(terms, interval(plus(ghost.range, -constant)));
            }
        }
    }

    /// Declares as much of a gate as its floor needs if it is multiplied out (`open`) in such a way that
    /// something cancels that no longer is in z_t: facts of its parts that mention that cannot be
    /// declared then.
    fn declare_cancelled(&self, plan: &Plan, gate: &Form, open: &Form, t: i32, out: &mut Writer) {
        let circuit = self.circuit();
        let range = circuit.quantized(gate);
        if circuit.quantized(open).within(range) || !self.loses_fact(plan, gate, t) {
            return;
        }
        // In multiples of its finest weight, of which a gate that is exact has at most 2^62 to a number.
        let weights = open.terms.iter().map(|term| term.1).chain([open.constant]);
        let scale = weights.filter_map(Exact::scale).fold(0, u32::max);
        let base = if t == 0 { self.own.base } else { [0; 3] };
        let constant_units = open.terms.iter().all(|term| match &circuit.atoms[term.0 as usize].kind {
            AtomKind::Unit { value, .. } => value.as_constant().is_some(),
            _ => true,
        });
        if constant_units
            && let Some((terms, constant)) =
                self.ghost(plan, &[(GhostTerm::Form(open.times(pow2(scale as i32))), 1)], t, base)
        {
            let lo = if range.lo > 0 { i128::from(range.lo) << scale } else { i64::MIN.into() };
            let hi = ((i128::from(range.hi) + 1) << scale) - 1;
            out.declare_ghost(terms, interval(plus(Range::clamped(lo, hi), -constant)));
        }
    }

    /// Whether a part of the form is multiplied out at t and narrower than its terms show, for a reason
    /// that cannot be declared at t.
    fn loses_fact(&self, plan: &Plan, form: &Form, t: i32) -> bool {
        let circuit = self.circuit();
        let base = if t == 0 { self.own.base } else { [0; 3] };
        form.terms.iter().any(|(atom, _)| match &circuit.atoms[*atom as usize] {
            Atom { kind: AtomKind::Linear(inner), avail, range, .. } if *avail == t => {
                let fact = [(GhostTerm::Form(inner.clone()), 1)];
                !circuit.range(inner).within(*range) && self.ghost(plan, &fact, t, base).is_none()
                    || self.loses_fact(plan, inner, t)
            }
            _ => false,
        })
    }

    /// A ghost's terms as fields of z_t, and its constant, or none if something in it is not there or it cannot be
    /// written: the checker does without it then.
    fn ghost(
        &self,
        plan: &Plan,
        terms: &[(GhostTerm, i64)],
        t: i32,
        base: [u16; 3],
    ) -> Option<(GhostTerms, i64)> {
        let circuit = self.circuit();
        let mut fields: SmallVec<[(PortField, Exact); 4]> = SmallVec::new();
        let mut constant = Exact::ZERO;
        let mut add = |field: PortField, c: Exact| match fields.iter_mut().find(|f| f.0 == field) {
            Some(f) => f.1 = f.1 + c,
            None => fields.push((field, c)),
        };
        for (term, c) in terms {
            let c = Exact::from(*c);
            match term {
                GhostTerm::Gate(atom) | GhostTerm::Value(atom) => {
                    let a = &circuit.atoms[*atom as usize];
                    if a.avail != t || !self.live[*atom as usize] {
                        return None;
                    }
                    let AtomKind::Unit { port, value, .. } = &a.kind else { return None };
                    match (term, value.as_constant()) {
                        (GhostTerm::Gate(_), _) => add(PortField::new(FieldKind::N, base[0] + port), c),
                        (_, Some(value)) => constant = constant + c * value,
                        _ => add(PortField::new(FieldKind::V, base[0] + port), c),
                    }
                }
                GhostTerm::Form(form) => {
                    let open = circuit.expand(form, t);
                    constant = constant + c * open.constant;
                    // Units first, the latest of them most: it is what the checker eliminates with.
                    let mut order: SmallVec<[&(u32, Exact); 4]> = open.terms.iter().collect();
                    let is_unit = |a: u32| matches!(circuit.atoms[a as usize].kind, AtomKind::Unit { .. });
                    order.sort_by_key(|(a, _)| (!is_unit(*a), std::cmp::Reverse(*a)));
                    for (atom, k) in order {
                        let a = &circuit.atoms[*atom as usize];
                        if !self.live[*atom as usize] {
                            return None;
                        }
                        match &a.kind {
                            AtomKind::Unit { port, value, .. } if a.avail == t => match value.as_constant() {
                                Some(value) => {
                                    add(PortField::new(FieldKind::N, base[0] + port), c * *k * value)
                                }
                                None => add(PortField::new(FieldKind::V, base[0] + port), c * *k),
                            },
                            _ => match plan.field_at(*atom, t) {
                                Some(field) => add(PortField::new(FieldKind::S, field), c * *k),
                                None => return None,
                            },
                        }
                    }
                }
            }
        }
        fields.retain(|f| f.1 != Exact::ZERO);
        let integers = fields.iter().map(|(field, c)| Some((*field, c.as_integer()?)));
        let fields = integers.collect::<Option<GhostTerms>>()?;
        (!fields.is_empty()).then_some((fields, constant.as_integer()?))
    }
}

/// A range moved by a constant, unbounded where it was or where it leaves what can be held.
fn plus(range: Range, by: i64) -> Range {
    let moved = |x: i64| match x {
        i64::MIN | i64::MAX => x.into(),
        x => i128::from(x) + i128::from(by),
    };
    Range::clamped(moved(range.lo), moved(range.hi))
}

fn interval(range: Range) -> Interval {
    Interval::new(range.lo, range.hi)
}

/// Which atoms are carried from step to step, and in which fields.
struct Plan<'a> {
    circuit: &'a Circuit,
    last: i32,
    /// Last t at which the atom is read from a field; −1 if never.
    need: Vec<i32>,
    field: Vec<u16>,
}

impl<'a> Plan<'a> {
    fn new(circuit: &'a Circuit, last: i32) -> Self {
        let n = circuit.atoms.len();
        Plan { circuit, last, need: vec![-1; n], field: vec![u16::MAX; n] }
    }

    fn is_entry(&self, atom: usize) -> bool {
        matches!(self.circuit.atoms[atom].kind, AtomKind::Entry { .. })
    }

    fn is_pinned(&self, atom: usize) -> bool {
        matches!(self.circuit.atoms[atom].kind, AtomKind::Pinned(_))
    }

    /// First z that can hold the atom in a field.
    fn first_in_field(&self, atom: usize) -> i32 {
        match self.circuit.atoms[atom].kind {
            AtomKind::Entry { .. } => 0,
            AtomKind::Pinned(_) => self.circuit.atoms[atom].avail,
            _ => self.circuit.atoms[atom].avail + 1,
        }
    }

    /// Notes what an expanded form of map t reads.
    fn use_at(&mut self, form: &Form, t: i32) {
        for (atom, _) in &form.terms {
            let a = *atom as usize;
            if self.is_entry(a) || self.is_pinned(a) || self.circuit.atoms[a].avail < t {
                self.need[a] = self.need[a].max(t);
            }
        }
    }

    /// Notes what map t reads to make what later maps need.
    fn make_at(&mut self, t: i32) {
        for a in (0..self.need.len()).rev() {
            if self.need[a] > t
                && self.first_in_field(a) == t + 1
                && let AtomKind::Linear(form) | AtomKind::Pinned(form) = &self.circuit.atoms[a].kind
            {
                let open = self.circuit.expand(form, t);
                self.use_at(&open, t);
            }
        }
    }

    fn assign_fields(&mut self, own: &Interface, preferred: &FxHashMap<u32, u16>) -> Result<(), Retry> {
        // For each field, the last z index at which it is taken.
        let mut busy = vec![-1; limits::CARRIED as usize];
        let mut carried = Vec::new();
        for a in 0..self.need.len() {
            if let AtomKind::Entry { field, .. } = self.circuit.atoms[a].kind {
                self.field[a] = field;
                if own.needed[a] {
                    busy[field as usize] = self.need[a].max(0);
                }
            } else if self.need[a] >= 0 {
                carried.push(a);
            }
        }
        carried.sort_by_key(|a| self.first_in_field(*a));
        for a in carried {
            let start = self.first_in_field(a);
            let wanted = preferred.get(&(a as u32)).copied().filter(|f| busy[*f as usize] < start);
            let any = || (0..limits::CARRIED).rev().find(|f| busy[*f as usize] < start);
            let field = wanted.or_else(any).ok_or(Retry::Fields)?;
            busy[field as usize] = self.need[a];
            self.field[a] = field;
        }
        Ok(())
    }

    /// The field that holds the atom in z_t, if one does.
    fn field_at(&self, atom: u32, t: i32) -> Option<u16> {
        let a = atom as usize;
        (self.first_in_field(a) <= t && t <= self.need[a] && t <= self.last).then_some(self.field[a])
    }

    /// Atoms in fields of z_t.
    fn carried_at(&self, t: i32) -> impl Iterator<Item = (u32, u16)> + '_ {
        (0..self.need.len() as u32).filter_map(move |a| self.field_at(a, t).map(|f| (a, f)))
    }

    /// Atoms that map t puts into fields for later maps of the packet.
    fn carried_from(&self, t: i32) -> impl Iterator<Item = (u32, u16)> + '_ {
        self.carried_at(t + 1)
    }
}
