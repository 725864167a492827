//! The steps of one function, before ids and port numbers are known.

use super::Retry;
use super::assembly::{Before, JUMP_TABLES, Terminals};
use super::coordinates::{PortField, PortSource};
use crate::circuits::Exact;
use crate::ir::Func;
use smallvec::SmallVec;
use wasm2onnx_runtime::{Certificate, Domain, Experts, IdSetId, Interval, PacketDebug, Ports, TrapCode};

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
    fn most_terms(&self) -> usize {
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
    /// For each packet, its first expert in the fragment.
    pub packets: Vec<u32>,
    /// Where packets came from, in order of experts in the fragment.
    pub debug: Vec<PacketDebug>,
    /// Terms whose weight is the id of a packet's first expert. Packets are counted over all functions.
    pub packet_values: Vec<(usize, u32)>,
    /// Landing packets, counted over all functions.
    pub landings: Vec<u32>,
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
        self.packets.extend(other.packets.into_iter().map(|first| experts + first));
        let moved = |debug: PacketDebug| PacketDebug { expert: experts + debug.expert, ..debug };
        self.debug.extend(other.debug.into_iter().map(moved));
        self.packet_values
            .extend(other.packet_values.into_iter().map(|(term, packet)| (terms + term, packet)));
        self.landings.append(&mut other.landings);
        self.jump_tables.append(&mut other.jump_tables);
        self.certificate.append(other.certificate);
        self.ports = self.ports.join(other.ports);
    }
}

/// Makes a fragment, expert by expert.
pub struct Writer<'a> {
    /// What was made so far.
    pub fragment: Fragment,
    before: Before,
    terminals: &'a mut Terminals,
    /// Index of the function.
    function: u32,
    /// First keys of the jump table that was made last, and of the next one.
    last_jump_table: u32,
    jump_key: u32,
    declared: Vec<(PortField, Domain)>,
    pending_values: SmallVec<[(PortField, u32); 2]>,
}

impl<'a> Writer<'a> {
    /// Returns a writer for `packets` packets of a function, which come after what is there before.
    pub fn new(before: Before, terminals: &'a mut Terminals, function: u32, packets: usize) -> Writer<'a> {
        let fragment = Fragment { packets: vec![u32::MAX; packets], ..Fragment::default() };
        Writer {
            fragment,
            before,
            terminals,
            function,
            last_jump_table: 0,
            jump_key: before.jump_key,
            declared: Vec::new(),
            pending_values: SmallVec::new(),
        }
    }

    /// Returns the number of a packet of the function when packets are counted over all functions.
    pub fn packet(&self, index: u32) -> u32 {
        self.before.packets + index
    }

    /// Begins a packet of the function.
    pub fn begin_packet(&mut self, index: usize, offset: u32) {
        let expert = self.fragment.next.len() as u32;
        self.fragment.packets[index] = expert;
        self.fragment.debug.push(PacketDebug { expert, function: self.function, offset });
    }

    /// Ends a packet.
    pub fn end_packet(&mut self) {
        debug_assert!(self.declared.is_empty() && self.pending_values.is_empty());
    }

    /// Returns the terminal expert of a trap at an offset of the module.
    pub fn terminal(&mut self, code: TrapCode, offset: u32) -> ExpertRef {
        self.terminals.trap(code, self.function, offset)
    }

    /// Returns the key of the next jump table's first entry.
    pub fn next_jump_table(&self) -> u32 {
        self.jump_key
    }

    /// Returns the key of the last jump table's first entry.
    pub fn last_jump_table(&self) -> u32 {
        self.last_jump_table
    }

    /// Adds a jump table. Returns the set of its targets.
    pub fn jump_table(&mut self, entries: Vec<ExpertRef>) -> IdSetId {
        self.last_jump_table = self.jump_key;
        self.jump_key += entries.len() as u32;
        let set = JUMP_TABLES + self.before.jump_tables + self.fragment.jump_tables.len() as IdSetId;
        self.fragment.jump_tables.push(entries);
        set
    }

    /// Declares a field of the expert being made.
    pub fn declare(&mut self, field: PortField, domain: Domain) {
        field.count_in(&mut self.fragment.ports);
        self.declared.push((field, domain));
    }

    /// Declares a ghost of the expert being made.
    pub fn declare_ghost(&mut self, terms: GhostTerms, range: Interval) {
        self.fragment.certificate.push_ghost(terms.into_iter().map(|(field, c)| (field.code(), c)), range);
    }

    /// Makes the value of a row the id of a packet of the function.
    pub fn packet_value(&mut self, field: PortField, index: u32, equations: &mut Vec<(PortField, Terms)>) {
        // The weight stands in for the id, which is not 0.
        equations.push((field, Terms::from_slice(&[(PortSource::ONE, Exact::ONE)])));
        self.pending_values.push((field, self.packet(index)));
        self.fragment.landings.push(self.packet(index));
    }

    /// Ends an expert. The numbers in its equations become weights here, those of the next id in `link`.
    pub fn end_expert(&mut self, mut equations: Vec<(PortField, Terms)>, next: NextOut) -> Result<(), Retry> {
        equations.sort_unstable_by_key(|equation| equation.0);
        let Fragment { experts, next: nexts, ports, packet_values, debug, certificate, .. } =
            &mut self.fragment;
        for (field, terms) in equations {
            if terms.is_empty() {
                continue;
            }
            field.count_in(ports);
            if let Some(value) = self.pending_values.iter().find(|value| value.0 == field) {
                packet_values.push((experts.weights.len(), value.1));
            }
            for (source, weight) in terms {
                let offset = || debug.last().map_or(0, |packet| packet.offset);
                let weight = weight.to_f64().ok_or_else(|| Retry::Inexact(offset()))?;
                experts.push_term(source.code(), weight);
            }
            experts.end_equation(field.code());
        }
        self.pending_values.clear();
        (0..next.most_terms()).for_each(|_| experts.push_term(PortSource::ONE.code(), 0.0));
        experts.end_equation(PortField::EXPERT.code());
        experts.end_expert();
        nexts.push(next);
        self.declared.sort_unstable_by_key(|declared| declared.0);
        certificate.fields.extend(self.declared.drain(..).map(|(field, domain)| (field.code(), domain)));
        certificate.end_expert();
        Ok(())
    }
}
