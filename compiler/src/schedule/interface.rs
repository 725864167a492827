//! What packets ask of the packets before them: fields that are needed, and ports that are made one step ahead.

use super::{PortField, Retry};
use crate::circuits::linear::{Linear, Range};
use crate::circuits::packet::{Next, PacketCircuit};
use crate::circuits::{AtomKind, Circuit, EntrySource, RowValue};
use crate::limits;
use crate::packetize::Packets;
use smallvec::SmallVec;
use wasm2onnx_runtime::FieldKind;

/// What a packet asks of the packets before it, beyond its fields.
pub struct Interface {
    /// For each atom of the packet, whether it is an entry field that is needed.
    pub needed: Vec<bool>,
    /// First ports of prefetched units, reads and lookups.
    pub base: [u16; 3],
    /// Numbers of those ports.
    count: [u16; 3],
    /// Prefetched atoms with their linear forms over entry fields: gate and value, or query.
    pub prefetched: Vec<(u32, Linear, Linear)>,
}

impl Interface {
    /// Returns the prefetched ports of a packet, given its circuit: what they are, and their linear forms over entry fields.
    pub fn ports<'a>(&'a self, circuit: &'a Circuit) -> impl Iterator<Item = (FieldKind, u16, &'a Linear)> {
        self.prefetched.iter().flat_map(|(atom, a, b)| {
            let (first, second) = match &circuit.atoms[*atom as usize].kind {
                AtomKind::Unit { port, .. } => {
                    let port = self.base[0] + port;
                    ((FieldKind::N, port, a), Some((FieldKind::V, port, b)))
                }
                AtomKind::Read { port, .. } => ((FieldKind::Q, self.base[1] + port, a), None),
                AtomKind::Lookup { port, .. } => ((FieldKind::T, self.base[2] + port, a), None),
                _ => unreachable!("not a port"),
            };
            std::iter::once(first).chain(second)
        })
    }
}

/// Packets that jump to a packet, each with the jump by which it does.
type Predecessors = SmallVec<[(u32, u32); 2]>;

/// A prefetched port: its field, its terms over carried fields, and its constant.
pub type Port = (PortField, SmallVec<[(u16, f64); 2]>, f64);

/// What the packets before a packet make for it in ports, besides the fields that it is declared to begin
/// with.
///
/// Each port is a linear form over carried fields as the packet finds them. The packets before multiply it
/// out over what they have, so that a field on which only ports depend is not handed over at all.
#[derive(Clone, Debug, Default)]
pub struct Prefetched {
    /// The ports.
    pub ports: Vec<Port>,
    /// The carried fields on which ports depend, and the ranges of their values.
    pub inputs: Vec<(u16, Range)>,
}

impl Prefetched {
    /// Returns `None` if a weight is not a float64.
    pub fn new(circuit: &Circuit, interface: &Interface) -> Option<Prefetched> {
        let mut result = Prefetched::default();
        for (kind, port, form) in interface.ports(circuit) {
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
        }
        Some(result)
    }
}

/// Calls `each` with the linear forms that a packet makes whatever follows it: its rows, its next expert, and what it hands
/// over by convention.
pub fn for_each_result(packet: &PacketCircuit, each: &mut impl FnMut(&Linear)) {
    for row in &packet.circuit.rows {
        each(&row.key);
        if let RowValue::Linear(form) = &row.value {
            each(form);
        }
    }
    match &packet.next {
        Next::Read(form) => each(form),
        Next::Choice { choices, .. } => choices.iter().for_each(|(form, _)| each(form)),
    }
    packet.fixed.iter().for_each(|(_, form)| each(form));
    packet.failures.iter().for_each(|(form, _)| each(form));
}

/// Returns the interfaces of all packets of a function.
pub fn interfaces(
    packets: &Packets,
    circuits: &[PacketCircuit],
    live: &[Vec<bool>],
) -> Result<Vec<Interface>, Retry> {
    let mut result: Vec<Interface> = Vec::with_capacity(circuits.len());
    for (packet, live) in circuits.iter().zip(live) {
        let circuit = &packet.circuit;
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
        let mut need = |form: &Linear| need_entries(circuit, form, &mut needed, &mut new);
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
        for_each_result(packet, &mut need);
        result.push(Interface { needed, base: [0; 3], count, prefetched });
    }
    // What later packets need has to pass through the packets before them.
    let mut predecessors: Vec<Predecessors> = vec![Predecessors::new(); circuits.len()];
    for (i, packet) in circuits.iter().enumerate() {
        for (j, jump) in packet.jumps.iter().enumerate() {
            predecessors[jump.packet as usize].push((i as u32, j as u32));
        }
    }
    // Each entry field that a packet needs is asked of the packets before it, once: to make it, they may need
    // further fields.
    let mut work: Vec<(u32, u32)> = Vec::new();
    for (i, interface) in result.iter().enumerate() {
        let needed = interface.needed.iter().enumerate().filter(|n| *n.1).map(|n| n.0 as u32);
        let terms = interface.prefetched.iter().flat_map(|(_, a, b)| a.terms.iter().chain(&b.terms));
        work.extend(needed.chain(terms.map(|term| term.0)).map(|atom| (i as u32, atom)));
    }
    let mut new = Vec::new();
    while let Some((i, atom)) = work.pop() {
        for &(p, j) in &predecessors[i as usize] {
            let before = &circuits[p as usize];
            let form = handed_over(before, j as usize, &circuits[i as usize], atom);
            need_entries(&before.circuit, form, &mut result[p as usize].needed, &mut new);
            work.extend(new.drain(..).map(|atom| (p, atom)));
        }
    }
    place_ports(packets, circuits, &predecessors, &mut result)?;
    Ok(result)
}

/// Gives different numbers to the prefetched ports of packets that can follow the same packet.
fn place_ports(
    packets: &Packets,
    circuits: &[PacketCircuit],
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
                for sibling in &circuits[*p as usize].jumps {
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

/// Marks the entry fields that a linear form, computed in the packet, depends on; those that were not marked
/// before are added to `new`.
fn need_entries(circuit: &Circuit, form: &Linear, needed: &mut [bool], new: &mut Vec<u32>) {
    let mut work: SmallVec<[&Linear; 4]> = SmallVec::from_slice(&[form]);
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

/// Returns the linear form that a packet hands over, by its jump `j`, for an entry field of the next packet.
pub fn handed_over<'a>(packet: &'a PacketCircuit, j: usize, next: &PacketCircuit, atom: u32) -> &'a Linear {
    static ZERO: std::sync::LazyLock<Linear> = std::sync::LazyLock::new(Linear::default);
    match &next.circuit.atoms[atom as usize].kind {
        AtomKind::Entry { source, .. } => match source {
            EntrySource::FramePointer => &packet.frame_pointer,
            EntrySource::Param(i) => {
                packet.jumps[j].args[*i as usize].as_ref().expect("parameter in a field")
            }
            EntrySource::Live(value) => {
                let i = packet.live.binary_search_by_key(value, |l| l.0).expect("it lives on");
                &packet.live[i].1
            }
            EntrySource::Fixed => unreachable!("not entered by a jump"),
        },
        // `needed` marks named linear forms too while it is being computed.
        _ => &ZERO,
    }
}
