//! Packets → experts: what each map makes, and the equations that make it.

use super::assembly::{FUNCTIONS, RETURNS};
use super::carried::Carried;
use super::fragment::{Choice, ExpertRef, NextOut, Terms};
use super::interface::{Interface, handed_over};
use super::writer::Writer;
use super::{FAILURE_FIELDS, PortField, PortSource, Retry};
use crate::circuits::linear::{Exact, Linear};
use crate::circuits::packet::{Dest, Next, PacketCircuit};
use crate::circuits::{AtomKind, Circuit, RowValue};
use crate::ir::Callee;
use crate::packetize::Term;
use rustc_hash::{FxHashMap, FxHashSet};
use wasm2onnx_runtime::{FieldKind, IdSetId, SourceKind};

/// What the maps of a packet make.
struct Maps {
    /// The equations of each map: what each makes and from which linear form.
    equations: Vec<Vec<(FieldKind, u16, Linear)>>,
    /// Rows of the trace whose value is the id of a packet: the map, the port and the packet.
    packet_values: Vec<(usize, u16, u32)>,
    /// Fields in which atoms are best carried, because the next packets begin with them there.
    preferred: FxHashMap<u32, u16>,
    /// The last map.
    last: i32,
}

/// What the computed id of a next expert can be.
#[derive(Clone, Copy)]
pub(super) struct NextIds {
    /// The set that it is in.
    pub set: IdSetId,
    /// Key of the first entry of the jump table that it is read from; 0 if it is not read from one.
    pub first: u32,
}

/// Makes the experts of a packet.
pub struct Emitter<'a> {
    /// How the packet ends; `None` for a resolver.
    pub term: Option<&'a Term>,
    pub packet: &'a PacketCircuit,
    pub live: &'a [bool],
    pub own: &'a Interface,
    pub circuits: &'a [PacketCircuit],
    pub interfaces: &'a [Interface],
    /// The packet's resolver, if it has one.
    pub resolver: Option<u32>,
}

impl Emitter<'_> {
    pub(super) fn circuit(&self) -> &Circuit {
        &self.packet.circuit
    }

    /// Returns the equations of the last map that make what the next packets begin with: fields and ports,
    /// with their linear forms.
    fn exits(&self) -> Vec<(FieldKind, u16, Linear)> {
        let mut exits: Vec<(FieldKind, u16, Linear)> = Vec::new();
        let mut seen: u64 = 0;
        let mut packets = FxHashSet::default();
        for (j, jump) in self.packet.jumps.iter().enumerate() {
            if self.packet.jumps.len() > 1 && !packets.insert(jump.packet) {
                continue;
            }
            let next = &self.circuits[jump.packet as usize];
            let interface = &self.interfaces[jump.packet as usize];
            for (atom, _) in interface.needed.iter().enumerate().filter(|n| *n.1) {
                if let AtomKind::Entry { field, .. } = next.circuit.atoms[atom].kind
                    && seen & (1 << field) == 0
                {
                    seen |= 1 << field;
                    let form = handed_over(self.packet, j, next, atom as u32).clone();
                    exits.push((FieldKind::S, field, form));
                }
            }
            let substitute = |form: &Linear| {
                form.terms.iter().fold(Linear::constant(form.constant), |sum, (atom, c)| {
                    sum.plus(*c, handed_over(self.packet, j, next, *atom))
                })
            };
            for (kind, port, form) in interface.ports(&next.circuit) {
                exits.push((kind, port, substitute(form)));
            }
        }
        for (field, form) in &self.packet.fixed {
            exits.push((FieldKind::S, *field, form.clone()));
        }
        for (i, (form, _)) in self.packet.failures.iter().enumerate() {
            exits.push((FieldKind::S, FAILURE_FIELDS + i as u16, form.clone()));
        }
        exits
    }

    /// Makes the experts of the packet.
    pub fn emit(&self, out: &mut Writer) -> Result<(), Retry> {
        let exits = self.exits();
        let next: Vec<&Linear> = match &self.packet.next {
            Next::Read(form) => vec![form],
            Next::Choice { choices, .. } => choices.iter().map(|c| &c.0).collect(),
        };
        let last = self.last_map(&exits, &next)?;
        let ids = self.next_ids(out);
        let maps = self.maps(exits, last, ids);
        let carried = self.carried(&maps, &next)?;
        self.write(&carried, &maps, ids, out)
    }

    /// Returns the last map of the packet: everything is made by then, and what the next packets begin with
    /// can be made by equations of it.
    fn last_map(&self, exits: &[(FieldKind, u16, Linear)], next: &[&Linear]) -> Result<i32, Retry> {
        let circuit = self.circuit();
        let mut last = 0;
        for (i, atom) in circuit.atoms.iter().enumerate() {
            if self.live[i] && !matches!(atom.kind, AtomKind::Entry { .. } | AtomKind::Linear(_)) {
                last = last.max(atom.avail);
            }
        }
        last = circuit.rows.iter().map(|r| r.at).fold(last, i32::max);
        // A linear form may be exact at its first step and not later, when what it is made of is multiplied
        // out differently.
        loop {
            let before = last;
            for form in exits.iter().map(|exit| &exit.2).chain(next.iter().copied()) {
                last = circuit.place(form, last).ok_or(Retry::Inexact(self.packet.offset))?;
            }
            if last == before {
                return Ok(last);
            }
        }
    }

    /// Returns what each map has to make, except for what it carries on.
    fn maps(&self, exits: Vec<(FieldKind, u16, Linear)>, last: i32, ids: Option<NextIds>) -> Maps {
        let circuit = self.circuit();
        let mut equations: Vec<Vec<(FieldKind, u16, Linear)>> = vec![Vec::new(); last as usize + 1];
        for (i, atom) in circuit.atoms.iter().enumerate() {
            if !self.live[i] || atom.avail <= 0 || matches!(atom.kind, AtomKind::Linear(_)) {
                // A named linear form is made for what carries it. It may be available only after the last map: then all
                // that depends on it multiplies it out.
                continue;
            }
            let equations = &mut equations[atom.avail as usize - 1];
            match &atom.kind {
                AtomKind::Unit { gate, value, port } => {
                    equations.push((FieldKind::N, *port, gate.clone()));
                    equations.push((FieldKind::V, *port, value.clone()));
                }
                AtomKind::Read { query, port } => equations.push((FieldKind::Q, *port, query.clone())),
                AtomKind::Lookup { query, port } => {
                    let first = ids.filter(|_| atom.range.is_id).map_or(0, |ids| ids.first);
                    equations.push((FieldKind::T, *port, query.clone().offset(first)));
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
            equations[t].push((FieldKind::K, port, row.key.clone()));
            match &row.value {
                RowValue::Linear(form) => equations[t].push((FieldKind::X, port, form.clone())),
                RowValue::Packet(packet) => packet_values.push((t, port, *packet)),
            }
        }
        let mut preferred: FxHashMap<u32, u16> = FxHashMap::default();
        for (kind, port, form) in exits {
            if let (FieldKind::S, Some(atom)) = (kind, form.as_atom()) {
                preferred.entry(atom).or_insert(port);
            }
            equations[last as usize].push((kind, port, form));
        }
        Maps { equations, packet_values, preferred, last }
    }

    /// Finds the fields of what is carried. It begins with the last map, so that what must be carried to a
    /// map is known.
    fn carried(&self, maps: &Maps, next: &[&Linear]) -> Result<Carried<'_>, Retry> {
        let circuit = self.circuit();
        let mut carried = Carried::new(circuit);
        for t in (0..=maps.last).rev() {
            for (_, _, form) in &maps.equations[t as usize] {
                carried.use_at(&circuit.expand(form, t), t);
            }
            if t == maps.last {
                next.iter().for_each(|f| carried.use_at(&circuit.expand(f, t), t));
            }
            carried.make_at(t);
        }
        carried.assign_fields(self.own, &maps.preferred)?;
        Ok(carried)
    }

    /// Writes the experts, one for each map.
    fn write(
        &self,
        carried: &Carried,
        maps: &Maps,
        ids: Option<NextIds>,
        out: &mut Writer,
    ) -> Result<(), Retry> {
        let (circuit, last) = (self.circuit(), maps.last);
        out.begin_packet(self.packet.offset);
        for t in 0..=last {
            self.declare(carried, t, ids, out);
            let mut encoded: Vec<(PortField, Terms)> = Vec::new();
            for (kind, port, form) in &maps.equations[t as usize] {
                let open = circuit.expand(form, t);
                if *kind == FieldKind::N {
                    self.declare_cancelled(carried, form, &open, t, out);
                }
                encoded.push((PortField::new(*kind, *port), self.terms(carried, &open, t)));
            }
            for (_, port, packet) in maps.packet_values.iter().filter(|v| v.0 == t as usize) {
                out.packet_value(PortField::new(FieldKind::X, *port), *packet, &mut encoded);
            }
            for (atom, field) in carried.carried_at(t + 1) {
                let form = match &circuit.atoms[atom as usize].kind {
                    AtomKind::Linear(form) | AtomKind::Pinned(form)
                        if carried.first_in_field(atom as usize) == t + 1 =>
                    {
                        circuit.expand(form, t)
                    }
                    _ => Linear::atom(atom),
                };
                encoded.push((PortField::new(FieldKind::S, field), self.terms(carried, &form, t)));
            }
            let next = if t < last { NextOut::Following } else { self.next(carried, last, out) };
            out.end_expert(encoded, next)?;
        }
        Ok(())
    }

    fn dest(&self, dest: Dest, out: &mut Writer) -> ExpertRef {
        match dest {
            Dest::Jump(j) => ExpertRef::Packet(out.packet(self.packet.jumps[j as usize].packet)),
            Dest::Function(func) => ExpertRef::Function(func),
            Dest::Trap(code, offset) => out.terminal(code, offset),
            Dest::Resolver => ExpertRef::Packet(out.packet(self.resolver.expect("several checks can fail"))),
        }
    }

    fn next(&self, carried: &Carried, last: i32, out: &mut Writer) -> NextOut {
        match &self.packet.next {
            Next::Read(form) => {
                NextOut::Read(Box::new(self.terms(carried, &self.circuit().expand(form, last), last)))
            }
            Next::Choice { default, choices } => {
                let default = self.dest(*default, out);
                let choices = choices
                    .iter()
                    .map(|(form, dest)| {
                        let terms = self.terms(carried, &self.circuit().expand(form, last), last);
                        (terms, self.dest(*dest, out))
                    })
                    .collect();
                NextOut::Choice(Box::new(Choice { default, choices }))
            }
        }
    }

    /// Returns the ids that the packet's next id can be, if that is computed. Makes the packet's jump table.
    fn next_ids(&self, out: &mut Writer) -> Option<NextIds> {
        let targets: Vec<ExpertRef> = match self.term {
            _ if !self.packet.table.is_empty() => {
                self.packet.table.iter().map(|d| self.dest(*d, out)).collect()
            }
            Some(Term::Switch { targets, .. }) => {
                targets.iter().map(|t| ExpertRef::Packet(out.packet(t.packet))).collect()
            }
            Some(Term::Return(_)) => return Some(NextIds { set: RETURNS, first: 0 }),
            Some(
                Term::Call { callee: Callee::Reference(_), .. }
                | Term::TailCall { callee: Callee::Reference(_), .. },
            ) => return Some(NextIds { set: FUNCTIONS, first: 0 }),
            _ => return None,
        };
        let (set, first) = out.jump_table(targets);
        Some(NextIds { set, first })
    }

    /// Returns the expanded linear form in terms of elements of y_t.
    fn terms(&self, carried: &Carried, form: &Linear, t: i32) -> Terms {
        let mut terms = Terms::new();
        if form.constant != Exact::ZERO {
            terms.push((PortSource::ONE, form.constant));
        }
        for (atom, c) in &form.terms {
            terms.push((self.source(carried, *atom, t), *c));
        }
        terms.sort_unstable_by_key(|term| term.0);
        terms
    }

    fn source(&self, carried: &Carried, atom: u32, t: i32) -> PortSource {
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
        PortSource::new(SourceKind::S, carried.field[atom as usize])
    }
}
