//! What all functions' packets add up to, before ids and port numbers are known.

use super::Retry;
use crate::circuits::Exact;
use crate::ir::Func;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use wasm2onnx_runtime::{
    Certificate, Domain, Experts, FieldKind, IdSetId, Interval, PacketDebug, Ports, SourceKind, Terminal,
    TrapCode,
};

/// Terms of a row: encoded sources, ascending, and weights.
pub type Terms = SmallVec<[(u16, Exact); 4]>;

/// Terms of a ghost: encoded fields and coefficients.
pub type GhostTerms = SmallVec<[(u16, i64); 4]>;

/// Id set of return experts.
pub const RETURNS: IdSetId = 0;
/// Id set of functions in tables.
pub const FUNCTIONS: IdSetId = 1;
/// Id set of the first jump table; the others follow.
pub const JUMP_TABLES: IdSetId = 2;

/// An expert whose id is not known yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExpertRef {
    /// The first of a packet, counted over all functions.
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
    /// Terms of the row that makes the id: so many at most.
    fn most_terms(&self) -> usize {
        match self {
            NextOut::Following => 1,
            NextOut::Read(terms) => terms.len(),
            NextOut::Choice(choice) => 1 + choice.choices.iter().map(|(terms, _)| terms.len()).sum::<usize>(),
        }
    }
}

/// A set of ids that a value belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdDomain {
    /// [`RETURNS`].
    Returns,
    /// [`FUNCTIONS`].
    Functions,
    /// That jump table's.
    JumpTable(IdSetId),
}

/// What a field is declared to be.
#[derive(Clone, Copy, Debug)]
pub enum DomainOut {
    /// That.
    Known(Domain),
    /// Ids of a set.
    Ids(IdDomain),
}

const KIND_SHIFT: u16 = 10;

/// A field before port numbers are known: order is that of the final fields.
pub fn encode(kind: FieldKind, port: u16) -> u16 {
    (kind as u16) << KIND_SHIFT | port
}

/// A source before port numbers are known: order is that of the final sources.
pub fn encode_source(kind: SourceKind, port: u16) -> u16 {
    (kind as u16) << KIND_SHIFT | port
}

/// The field that [`encode`] encoded.
pub fn decode(code: u16, ports: &Ports) -> u16 {
    let port = code & ((1 << KIND_SHIFT) - 1);
    let make = [Ports::s, Ports::n, Ports::v, Ports::q, Ports::t, Ports::k, Ports::x];
    make[(code >> KIND_SHIFT) as usize](ports, port)
}

/// The source that [`encode_source`] encoded.
pub fn decode_source(code: u16, ports: &Ports) -> u16 {
    let port = code & ((1 << KIND_SHIFT) - 1);
    match code >> KIND_SHIFT {
        0 => Ports::ONE,
        1 => ports.yr(port),
        2 => ports.yw(port),
        3 => ports.yu(port),
        _ => ports.ys(port),
    }
}

/// Lengths of an [`Assembly`]'s parts.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    experts: usize,
    rows: usize,
    terms: usize,
    packets: usize,
    debug: usize,
    packet_values: usize,
    jump_tables: usize,
    jump_next: u32,
    fields: usize,
    ghosts: usize,
    ghost_terms: usize,
}

/// All packets so far.
#[derive(Debug, Default)]
pub struct Assembly {
    /// Rows, encoded. The last of each expert is that of `e`, as long as it may become: `link` writes it.
    pub experts: Experts,
    /// For each expert, how the next one is found.
    pub next: Vec<NextOut>,
    /// For each packet, its first expert, terminal ones not counted.
    pub packets: Vec<u32>,
    /// Where packets came from, in order of experts.
    pub debug: Vec<PacketDebug>,
    /// Terms whose weight is the id of a packet's first expert.
    pub packet_values: Vec<(usize, u32)>,
    /// Landing packets.
    pub landings: Vec<u32>,
    /// Terminal experts.
    pub terminals: Vec<Terminal>,
    /// Jump tables, from key `jump_base` on.
    pub jump_tables: Vec<Vec<ExpertRef>>,
    /// Certificate, fields encoded.
    pub certificate: Certificate,
    /// Largest numbers of ports.
    pub ports: Ports,
    function_offsets: Vec<(u32, u32)>,
    sites: FxHashMap<(TrapCode, u32, u32), u32>,
    function: u32,
    jump_next: u32,
    jump_last: u32,
    declared: Vec<(u16, Domain)>,
    pending_values: SmallVec<[(u16, u32); 2]>,
}

impl Assembly {
    /// Nothing yet. Jump tables begin at that key of the table space; `function_offsets` says
    /// where each function's body begins in the module.
    pub fn new(jump_base: u32, function_offsets: Vec<(u32, u32)>) -> Assembly {
        Assembly {
            function_offsets,
            jump_next: jump_base,
            terminals: vec![Terminal::Unreachable, Terminal::Halt],
            ..Assembly::default()
        }
    }

    /// Where the assembly stands before a function.
    pub fn mark(&self) -> Mark {
        Mark {
            experts: self.experts.expert_end.len(),
            rows: self.experts.fields.len(),
            terms: self.experts.weights.len(),
            packets: self.packets.len(),
            debug: self.debug.len(),
            packet_values: self.packet_values.len(),
            jump_tables: self.jump_tables.len(),
            jump_next: self.jump_next,
            fields: self.certificate.fields.len(),
            ghosts: self.certificate.ghost_range.len(),
            ghost_terms: self.certificate.ghost_terms.len(),
        }
    }

    /// Forgets all that came after `mark`.
    pub fn reset(&mut self, mark: Mark) {
        self.experts.expert_end.truncate(mark.experts);
        self.experts.fields.truncate(mark.rows);
        self.experts.row_end.truncate(mark.rows);
        self.experts.sources.truncate(mark.terms);
        self.experts.weights.truncate(mark.terms);
        self.next.truncate(mark.experts);
        self.packets.truncate(mark.packets);
        self.debug.truncate(mark.debug);
        self.packet_values.truncate(mark.packet_values);
        self.landings.truncate(mark.packet_values);
        self.jump_tables.truncate(mark.jump_tables);
        self.jump_next = mark.jump_next;
        let certificate = &mut self.certificate;
        certificate.field_end.truncate(mark.experts);
        certificate.ghost_end.truncate(mark.experts);
        certificate.fields.truncate(mark.fields);
        certificate.ghost_range.truncate(mark.ghosts);
        certificate.ghost_term_end.truncate(mark.ghosts);
        certificate.ghost_terms.truncate(mark.ghost_terms);
        self.declared.clear();
        self.pending_values.clear();
    }

    /// Reserves packets of a function; returns the first one's number.
    pub fn begin_function(&mut self, packets: usize) -> u32 {
        let first = self.packets.len() as u32;
        self.packets.resize(self.packets.len() + packets, u32::MAX);
        first
    }

    /// Reserves one more packet of the function.
    pub fn add_packet(&mut self) {
        self.packets.push(u32::MAX);
    }

    /// Begins a packet.
    pub fn begin_packet(&mut self, packet: u32, function: u32, offset: u32) {
        self.function = function;
        self.packets[packet as usize] = self.next.len() as u32;
        self.debug.push(PacketDebug { expert: self.next.len() as u32, function, offset });
    }

    /// Ends a packet.
    pub fn end_packet(&mut self) {
        debug_assert!(self.declared.is_empty() && self.pending_values.is_empty());
    }

    /// The terminal expert of a trap at an offset of the module. An inlined instruction is in the
    /// function that its offset is in; instructions of library routines have none.
    pub fn terminal(&mut self, code: TrapCode, offset: u32) -> ExpertRef {
        let terminals = &mut self.terminals;
        let body = self.function_offsets.partition_point(|(start, _)| *start <= offset).checked_sub(1);
        let function = body.map_or(self.function, |i| self.function_offsets[i].1);
        let id = *self.sites.entry((code, function, offset)).or_insert_with(|| {
            terminals.push(Terminal::Trap { code, function, offset });
            terminals.len() as u32 - 1
        });
        ExpertRef::Terminal(id)
    }

    /// Key of the next jump table's first entry.
    pub fn next_jump_table(&self) -> u32 {
        self.jump_next
    }

    /// Key of the last jump table's first entry.
    pub fn last_jump_table(&self) -> u32 {
        self.jump_last
    }

    /// Adds a jump table.
    pub fn jump_table(&mut self, entries: Vec<ExpertRef>) -> IdDomain {
        self.jump_last = self.jump_next;
        self.jump_next += entries.len() as u32;
        self.jump_tables.push(entries);
        IdDomain::JumpTable(JUMP_TABLES + (self.jump_tables.len() - 1) as IdSetId)
    }

    /// Declares a field of the expert being made.
    pub fn declare(&mut self, field: u16, domain: DomainOut) {
        self.see(field);
        let domain = match domain {
            DomainOut::Known(domain) => domain,
            DomainOut::Ids(IdDomain::Returns) => Domain::Ids(RETURNS),
            DomainOut::Ids(IdDomain::Functions) => Domain::Ids(FUNCTIONS),
            DomainOut::Ids(IdDomain::JumpTable(set)) => Domain::Ids(set),
        };
        self.declared.push((field, domain));
    }

    /// Declares a ghost of the expert being made.
    pub fn declare_ghost(&mut self, terms: GhostTerms, range: Interval) {
        self.certificate.push_ghost(terms, range);
    }

    /// Makes the value of a row the id of a packet.
    pub fn packet_value(&mut self, field: u16, packet: u32, rows: &mut Vec<(u16, Terms)>) {
        // The weight stands in for the id, which is not 0.
        rows.push((field, Terms::from_slice(&[(0, Exact::ONE)])));
        self.pending_values.push((field, packet));
        self.landings.push(packet);
    }

    fn see(&mut self, field: u16) {
        let port = (field & ((1 << KIND_SHIFT) - 1)) + 1;
        let ports = &mut self.ports;
        let most = match field >> KIND_SHIFT {
            0 => &mut ports.carried,
            1 | 2 => &mut ports.units,
            3 => &mut ports.reads,
            4 => &mut ports.lookups,
            _ => &mut ports.rows,
        };
        *most = (*most).max(port);
    }

    /// Ends an expert. Its rows' numbers become weights here, those of the next id in `link`.
    pub fn end_expert(&mut self, mut rows: Vec<(u16, Terms)>, next: NextOut) -> Result<(), Retry> {
        rows.sort_unstable_by_key(|r| r.0);
        for (field, terms) in rows {
            if terms.is_empty() {
                continue;
            }
            self.see(field);
            if let Some(value) = self.pending_values.iter().find(|v| v.0 == field) {
                self.packet_values.push((self.experts.weights.len(), value.1));
            }
            for (source, weight) in terms {
                let offset = || self.debug.last().map_or(0, |packet| packet.offset);
                let weight = weight.to_f64().ok_or_else(|| Retry::Inexact(offset()))?;
                self.experts.push_term(source, weight);
            }
            self.experts.end_row(field);
        }
        self.pending_values.clear();
        (0..next.most_terms()).for_each(|_| self.experts.push_term(0, 0.0));
        self.experts.end_row(encode(FieldKind::E, 0));
        self.experts.end_expert();
        self.next.push(next);
        self.declared.sort_unstable_by_key(|d| d.0);
        self.certificate.fields.extend(self.declared.drain(..));
        self.certificate.end_expert();
        Ok(())
    }
}
