//! The steps of one function, before ids and port numbers are known.

use super::coordinates::{PortField, PortSource};
use crate::circuits::Exact;
use crate::ir::Func;
use smallvec::SmallVec;
use wasm2onnx_runtime::{Certificate, Experts, PacketDebug, Ports};

/// Terms of an equation with their weights, ascending.
pub type Terms = SmallVec<[(PortSource, Exact); 4]>;

/// Terms of a ghost: fields and coefficients.
pub type GhostTerms = SmallVec<[(PortField, i64); 4]>;

/// An expert whose id is not known yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExpertRef {
    /// The first expert of a packet; packets are counted over all functions.
    Packet(u32),
    /// The entry of a function.
    Function(Func),
    /// A terminal expert, by its final id.
    Terminal(u32),
}

/// How the next expert of a map is found.
#[derive(Clone, Debug)]
pub enum NextOut {
    /// It is the one that follows.
    Following,
    /// It is read.
    Read(Box<Terms>),
    /// One of several.
    Choice(Box<Choice>),
}

/// `default`, or the expert whose bit is 1.
#[derive(Clone, Debug)]
pub struct Choice {
    /// Where to if no bit is 1.
    pub default: ExpertRef,
    /// Bits and where they lead.
    pub choices: Vec<(Terms, ExpertRef)>,
}

impl NextOut {
    /// Returns the maximum number of terms of the equation that makes the id.
    pub(super) fn most_terms(&self) -> usize {
        match self {
            NextOut::Following => 1,
            NextOut::Read(terms) => terms.len(),
            NextOut::Choice(choice) => 1 + choice.choices.iter().map(|(terms, _)| terms.len()).sum::<usize>(),
        }
    }
}

/// The experts of some packets, one after the other, and what is declared of them.
#[derive(Debug, Default)]
pub struct Fragment {
    /// Equations, with the codes of [`PortField`] and [`PortSource`]. The last of each expert is that of `e`,
    /// with room for as many terms as it may get: `link` writes it.
    pub experts: Experts,
    /// For each expert, how the next one is found.
    pub next: Vec<NextOut>,
    /// The packets: the first expert of each, counted in the fragment, and where the packet came from.
    pub packets: Vec<PacketDebug>,
    /// Terms whose weight is the id of a packet's first expert: of packets to which calls return. Packets are counted over
    /// all functions.
    pub packet_values: Vec<(usize, u32)>,
    /// Jump tables.
    pub jump_tables: Vec<Vec<ExpertRef>>,
    /// What is declared, with the codes of [`PortField`].
    pub certificate: Certificate,
    /// Maximum number of ports of each kind.
    pub ports: Ports,
}

impl Fragment {
    /// Appends another fragment.
    pub fn append(&mut self, mut other: Fragment) {
        let (experts, terms) = (self.next.len() as u32, self.experts.weights.len());
        self.experts.append(other.experts);
        self.next.append(&mut other.next);
        let moved = |debug: PacketDebug| PacketDebug { expert: experts + debug.expert, ..debug };
        self.packets.extend(other.packets.into_iter().map(moved));
        self.packet_values
            .extend(other.packet_values.into_iter().map(|(term, packet)| (terms + term, packet)));
        self.jump_tables.append(&mut other.jump_tables);
        self.certificate.append(other.certificate);
        self.ports = self.ports.join(other.ports);
    }
}
