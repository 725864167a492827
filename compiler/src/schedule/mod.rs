//! Circuits → steps: the maps of a packet, fields for what is carried from step to step, and what is
//! declared of each z.
//!
//! Everything is made as early as possible. The last map of a packet makes what the next one begins with:
//! carried values in their fields, and the gates, values and queries that the next packet has prefetched,
//! multiplied out over this packet's linear forms.
//!
//! In this order: what packets ask of those before them ([`interface`]); what each map of a packet makes
//! ([`emit`]), in which fields values are carried ([`carried`]) and what is declared of them ([`declare`]);
//! the experts of a function ([`fragment`]), and those of all functions, one after the other ([`assembly`]).
//! [`coordinates`] are fields and sources before a network's ports are counted.

pub mod assembly;
mod carried;
mod coordinates;
mod declare;
mod emit;
mod fragment;
mod interface;
mod print;
mod writer;

pub use assembly::Assembly;
pub use coordinates::{PortField, PortSource};
pub use fragment::{ExpertRef, Fragment, NextOut, Terms};
pub use interface::Prefetched;

use crate::circuits::linear::{Linear, Range};
use crate::circuits::packet::{Next, PacketCircuit};
use crate::circuits::{AtomKind, Circuit, EntrySource};
use crate::ir::Module;
use crate::limits;
use crate::packetize::Packets;
use emit::Emitter;
use interface::{Interface, for_each_result, interfaces};
use writer::Writer;

/// First field of the bits that a resolver gets.
const FAILURE_FIELDS: u16 = limits::CARRIED - 8;

/// Why a function has to be lowered again with smaller packets or without prefetching.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// More is carried than there are fields.
    Fields,
    /// Prefetched ports of packets that follow the same packets do not fit side by side.
    Prefetch,
    /// A sum is not exact however many steps it is given, in the packet at that offset.
    Inexact(u32),
}

/// Emits all packets of a function of a module; `function` is its index. Returns their experts, which come after
/// those in the assembly, and what is prefetched for each packet.
pub fn run(
    module: &Module,
    packets: &Packets,
    mut circuits: Vec<PacketCircuit>,
    function: u32,
    assembly: &mut Assembly,
) -> Result<(Fragment, Vec<Prefetched>), Retry> {
    if let Some(packet) = circuits.iter().find(|packet| packet.circuit.inexact) {
        return Err(Retry::Inexact(packet.offset));
    }
    // Resolvers come after the other packets and have none themselves.
    let mut resolvers = vec![None; circuits.len()];
    for (i, number) in resolvers.iter_mut().enumerate() {
        if !circuits[i].failures.is_empty() {
            *number = Some(circuits.len() as u32);
            circuits.push(resolver(&circuits[i]));
        }
    }
    let live: Vec<Vec<bool>> = circuits.iter().map(live_atoms).collect();
    let interfaces = interfaces(packets, &circuits, &live)?;
    let mut out = Writer::new(module, assembly, function);
    for (i, packet) in circuits.iter().enumerate() {
        Emitter {
            term: packets.packets.get(i).map(|packet| &packet.term),
            packet,
            live: &live[i],
            own: &interfaces[i],
            circuits: &circuits,
            interfaces: &interfaces,
            resolver: resolvers.get(i).copied().flatten(),
        }
        .emit(&mut out)?;
    }
    let prefetched = |(packet, interface): (&PacketCircuit, &Interface)| {
        Prefetched::new(&packet.circuit, interface).ok_or(Retry::Inexact(packet.offset))
    };
    let prefetched = circuits.iter().zip(&interfaces).map(prefetched).collect::<Result<_, _>>()?;
    Ok((out.fragment, prefetched))
}

/// Returns a packet that is entered when one of several checks has failed, and that finds the first which
/// did: it counts the checks before it, and a table has the traps.
fn resolver(packet: &PacketCircuit) -> PacketCircuit {
    let mut circuit = Circuit::new(false, false);
    let one = Linear::constant(1);
    let mut passed = Linear::constant(1);
    let mut index = Linear::default();
    for i in 0..packet.failures.len() - 1 {
        let bit = circuit.entry(FAILURE_FIELDS + i as u16, EntrySource::Fixed, Range::BIT);
        passed = passed.plus(-1, &bit);
        index = index.plus(1, &circuit.unit(&passed, &one));
    }
    let next = Next::Read(circuit.lookup_jump(&index));
    PacketCircuit {
        circuit,
        next,
        jumps: Vec::new(),
        live: Vec::new(),
        fixed: Vec::new(),
        frame_pointer: Linear::default(),
        failures: Vec::new(),
        offset: packet.offset,
        misfit: false,
        table: packet.failures.iter().map(|f| f.1).collect(),
    }
}

/// Returns, for each atom of a packet, whether the packet's rows, jumps or next id depend on it.
fn live_atoms(packet: &PacketCircuit) -> Vec<bool> {
    let mut live = vec![false; packet.circuit.atoms.len()];
    let mut work: Vec<u32> = Vec::new();
    for_each_root(packet, &mut |form| work.extend(form.terms.iter().map(|t| t.0)));
    while let Some(atom) = work.pop() {
        if std::mem::replace(&mut live[atom as usize], true) {
            continue;
        }
        let mut add = |form: &Linear| work.extend(form.terms.iter().map(|t| t.0));
        match &packet.circuit.atoms[atom as usize].kind {
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

/// Calls `each` with all linear forms that a packet makes.
fn for_each_root(packet: &PacketCircuit, each: &mut impl FnMut(&Linear)) {
    for_each_result(packet, each);
    packet.jumps.iter().flat_map(|j| j.args.iter().flatten()).for_each(&mut *each);
    packet.live.iter().for_each(|l| each(&l.1));
    each(&packet.frame_pointer);
}
