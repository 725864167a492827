//! The frozen network: sparse expert matrices, frozen tables, first rows of the trace,
//! and the certificate that travels with them.
//!
//! A [`Network`] holds tensors, names, declared intervals and debug information. Nothing in it
//! says what an expert *means*; every executor follows the one definition of a step in the
//! documentation of [`crate`].
//!
//! # The vectors of a step
//!
//! `z`, which one step hands to the next, is the expert id `e` and a vector of *fields*, laid out by
//! [`Ports`] as
//!
//! | fields | count | meaning |
//! | --- | --- | --- |
//! | `s` | `carried` | carried values |
//! | `n` | `units` | quantized gates of the units |
//! | `v` | `units` | values of the units |
//! | `q` | `reads` | queries of the trace; the query 0 reads 0 |
//! | `t` | `lookups` | queries of the frozen tables; a query out of range reads 0 |
//! | `k` | `rows` | keys of the rows to append; the key 0 is no row |
//! | `x` | `rows` | values of the rows to append |
//! | `e` | 1 | the next expert, last |
//!
//! `y`, which the map of an expert multiplies, is `[1, r, w, u, s]`: the constant, the values read
//! from the trace (`reads`), the values read from the tables (`lookups`), the units (`units`) and the
//! carried values.

use std::collections::BTreeMap;

use crate::certificate::{Certificate, Domain};
use crate::place::{Lines, PacketDebug};
use crate::tensors::Boundary;

/// Index of an expert: one matrix, one step. Terminal experts come first.
pub type ExpertId = u32;

/// Numbers of ports of each kind. They appear in a network only as tensor shapes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ports {
    /// Carried values `s`.
    pub carried: u16,
    /// Gated units, each a gate `n` and a value `v`.
    pub units: u16,
    /// Attention reads of the trace.
    pub reads: u16,
    /// Attention reads of the frozen tables.
    pub lookups: u16,
    /// Rows `(k, x)` appended in a step.
    pub rows: u16,
}

/// Index of a field of `z`.
pub type Field = u16;
/// Index of an element of `y`.
pub type Source = u16;

impl Ports {
    /// Returns the larger number of ports of each kind.
    pub fn join(self, other: Ports) -> Ports {
        Ports {
            carried: self.carried.max(other.carried),
            units: self.units.max(other.units),
            reads: self.reads.max(other.reads),
            lookups: self.lookups.max(other.lookups),
            rows: self.rows.max(other.rows),
        }
    }
    /// Returns the field of carried value `i`.
    pub fn s(&self, i: u16) -> Field {
        i
    }
    /// Returns the field of the gate of unit `i`.
    pub fn n(&self, i: u16) -> Field {
        self.carried + i
    }
    /// Returns the field of the value of unit `i`.
    pub fn v(&self, i: u16) -> Field {
        self.carried + self.units + i
    }
    /// Returns the field of trace query `i`.
    pub fn q(&self, i: u16) -> Field {
        self.carried + 2 * self.units + i
    }
    /// Returns the field of table query `i`.
    pub fn t(&self, i: u16) -> Field {
        self.carried + 2 * self.units + self.reads + i
    }
    /// Returns the field of the key of row `i`.
    pub fn k(&self, i: u16) -> Field {
        self.carried + 2 * self.units + self.reads + self.lookups + i
    }
    /// Returns the field of the value of row `i`.
    pub fn x(&self, i: u16) -> Field {
        self.k(i) + self.rows
    }
    /// Returns the field of the next expert: the last one.
    pub fn e(&self) -> Field {
        self.k(0) + 2 * self.rows
    }
    /// Returns the number of fields of `z` without `e`.
    pub fn fields(&self) -> usize {
        self.e() as usize
    }
    /// Returns the kind of a field, and its index among the fields of that kind.
    pub fn kind(&self, field: Field) -> (FieldKind, u16) {
        let mut rest = field;
        for (kind, count) in [
            (FieldKind::S, self.carried),
            (FieldKind::N, self.units),
            (FieldKind::V, self.units),
            (FieldKind::Q, self.reads),
            (FieldKind::T, self.lookups),
            (FieldKind::K, self.rows),
            (FieldKind::X, self.rows),
        ] {
            if rest < count {
                return (kind, rest);
            }
            rest -= count;
        }
        (FieldKind::E, rest)
    }

    /// Element of `y` that is the constant 1.
    pub const ONE: Source = 0;
    /// Returns the element of `y` with trace read `i`.
    pub fn yr(&self, i: u16) -> Source {
        1 + i
    }
    /// Returns the element of `y` with table read `i`.
    pub fn yw(&self, i: u16) -> Source {
        1 + self.reads + i
    }
    /// Returns the element of `y` with unit `i`.
    pub fn yu(&self, i: u16) -> Source {
        1 + self.reads + self.lookups + i
    }
    /// Returns the element of `y` with carried value `i`.
    pub fn ys(&self, i: u16) -> Source {
        1 + self.reads + self.lookups + self.units + i
    }
    /// Returns the number of elements of `y`.
    pub fn sources(&self) -> usize {
        self.ys(0) as usize + self.carried as usize
    }
    /// Returns the kind of an element of `y`, and its index among the elements of that kind.
    pub fn source_kind(&self, source: Source) -> (SourceKind, u16) {
        if source == 0 {
            return (SourceKind::One, 0);
        }
        let mut rest = source - 1;
        for (kind, count) in
            [(SourceKind::R, self.reads), (SourceKind::W, self.lookups), (SourceKind::U, self.units)]
        {
            if rest < count {
                return (kind, rest);
            }
            rest -= count;
        }
        (SourceKind::S, rest)
    }
}

/// The kinds of fields of `z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FieldKind {
    /// Carried value.
    S,
    /// Quantized gate of a unit.
    N,
    /// Value of a unit.
    V,
    /// Query of the trace.
    Q,
    /// Query of the tables.
    T,
    /// Key of a row.
    K,
    /// Value of a row.
    X,
    /// Next expert.
    E,
}

/// The kinds of elements of `y`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SourceKind {
    /// The constant 1.
    One,
    /// Value read from the trace.
    R,
    /// Value read from the tables.
    W,
    /// A unit.
    U,
    /// Carried value.
    S,
}

/// The matrices of all experts: equations of non-zero terms, ragged, concatenated.
///
/// A field without an equation becomes 0. The equations of an expert are sorted by field, the terms of an
/// equation by source, and no weight is 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Experts {
    /// For each expert, the end of its equations in `fields`; those of the first begin at 0.
    pub expert_end: Vec<u32>,
    /// For each equation, the field that it makes.
    pub fields: Vec<Field>,
    /// For each equation, the end of its terms in `sources` and `weights`; those of the first begin at 0.
    pub equation_end: Vec<u32>,
    /// For each term, the element of `y`.
    pub sources: Vec<Source>,
    /// For each term, its weight.
    pub weights: Vec<f64>,
}

/// One equation of an expert: `z'[field] = Σ weights[i] · y[sources[i]]`
/// (for gates, the floor of the positive part of the sum).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Equation<'a> {
    /// The field that the equation makes.
    pub field: Field,
    /// Elements of `y`, ascending.
    pub sources: &'a [Source],
    /// Their weights.
    pub weights: &'a [f64],
}

impl Experts {
    /// Returns the number of experts, terminal ones included.
    pub fn len(&self) -> usize {
        self.expert_end.len()
    }
    /// Returns whether there are no experts.
    pub fn is_empty(&self) -> bool {
        self.expert_end.is_empty()
    }
    /// Appends a term to the equation being made.
    pub fn push_term(&mut self, source: Source, weight: f64) {
        self.sources.push(source);
        self.weights.push(weight);
    }
    /// Ends the equation being made: all terms pushed since the last equation.
    pub fn end_equation(&mut self, field: Field) {
        self.fields.push(field);
        self.equation_end.push(self.sources.len() as u32);
    }
    /// Appends all experts of another list.
    pub fn append(&mut self, mut others: Experts) {
        if self.is_empty() {
            *self = others;
            return;
        }
        let (equations, terms) = (self.fields.len() as u32, self.sources.len() as u32);
        self.expert_end.extend(others.expert_end.iter().map(|end| equations + end));
        self.equation_end.extend(others.equation_end.iter().map(|end| terms + end));
        self.fields.append(&mut others.fields);
        self.sources.append(&mut others.sources);
        self.weights.append(&mut others.weights);
    }
    /// Ends the expert being made: all equations since the last expert.
    pub fn end_expert(&mut self) -> ExpertId {
        self.expert_end.push(self.fields.len() as u32);
        self.expert_end.len() as ExpertId - 1
    }
    /// Returns the range of the equations of an expert, as indices into `fields` and `equation_end`.
    pub fn equation_range(&self, e: ExpertId) -> std::ops::Range<usize> {
        let e = e as usize;
        let first = if e == 0 { 0 } else { self.expert_end[e - 1] };
        first as usize..self.expert_end[e] as usize
    }
    /// Returns the range of the terms of an equation, as indices into `sources` and `weights`.
    pub fn term_range(&self, equation: usize) -> std::ops::Range<usize> {
        let first = if equation == 0 { 0 } else { self.equation_end[equation - 1] };
        first as usize..self.equation_end[equation] as usize
    }
    /// Returns the equations of an expert, ascending by field.
    pub fn equations(
        &self,
        e: ExpertId,
    ) -> impl DoubleEndedIterator<Item = Equation<'_>> + ExactSizeIterator {
        self.equation_range(e).map(move |equation| {
            let terms = self.term_range(equation);
            Equation {
                field: self.fields[equation],
                sources: &self.sources[terms.clone()],
                weights: &self.weights[terms],
            }
        })
    }
}

/// A declared region of keys of the trace.
#[derive(Clone, Debug, PartialEq)]
pub struct Region {
    /// Its role, for people: `control.fp`, `frame`, `memory`, …
    pub name: String,
    /// First key; at least 1.
    pub first: u64,
    /// Number of keys.
    pub count: u64,
    /// Width of the cells that an exact cache needs, from the declared values.
    pub width: CellWidth,
    /// The values that its rows are declared to have. Contains 0.
    pub values: Domain,
}

/// Width of a cell of a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CellWidth {
    /// Values 0 … 255.
    Byte,
    /// Any exact value.
    Number,
}

/// A frozen table, a slice of [`Network::lookup`].
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// Its role, for people: `and`, `powers`, `jump`, …
    pub name: String,
    /// First key in the space of the tables.
    pub first: u32,
    /// Number of entries.
    pub count: u32,
    /// The numbers that the entries are declared to be; for jump tables, ids of a set.
    pub domain: Domain,
}

/// Why a run ends: the meaning of a terminal expert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Terminal {
    /// Expert 0: a state that no certified run reaches.
    Unreachable,
    /// The program or the call is done.
    Halt,
    /// A trap of the program at one site.
    Trap {
        /// Which trap.
        code: TrapCode,
        /// Index of the wasm function.
        function: u32,
        /// Offset of the instruction in the module, in bytes.
        offset: u32,
    },
}

/// Trap codes, numbered as in the models' `trap` output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[allow(missing_docs)] // The names say it; `message` is their text.
pub enum TrapCode {
    Unreachable = 1,
    IntegerDivideByZero = 2,
    IntegerOverflow = 3,
    InvalidConversionToInteger = 4,
    MemoryOutOfBounds = 5,
    TableOutOfBounds = 6,
    UndefinedElement = 7,
    UninitializedElement = 8,
    IndirectCallTypeMismatch = 9,
    CallStackExhausted = 10,
    StepLimit = 11,
    UnsupportedHostCall = 12,
    /// No trap of WebAssembly: a function of tensors has returned a negative number.
    ReportedError = 13,
    OutputLimit = 14,
    /// No trap: the program has ended itself with an exit status.
    Exit = 18,
}

impl TrapCode {
    /// All codes, ascending.
    pub const ALL: [TrapCode; 15] = {
        use TrapCode::*;
        [
            Unreachable,
            IntegerDivideByZero,
            IntegerOverflow,
            InvalidConversionToInteger,
            MemoryOutOfBounds,
            TableOutOfBounds,
            UndefinedElement,
            UninitializedElement,
            IndirectCallTypeMismatch,
            CallStackExhausted,
            StepLimit,
            UnsupportedHostCall,
            ReportedError,
            OutputLimit,
            Exit,
        ]
    };
    /// Returns the trap code with a number.
    pub fn from_code(code: u8) -> Option<TrapCode> {
        Self::ALL.into_iter().find(|c| *c as u8 == code)
    }
    /// Returns wasmtime's text for the trap.
    pub fn message(self) -> &'static str {
        match self {
            TrapCode::Unreachable => "wasm `unreachable` instruction executed",
            TrapCode::IntegerDivideByZero => "integer divide by zero",
            TrapCode::IntegerOverflow => "integer overflow",
            TrapCode::InvalidConversionToInteger => "invalid conversion to integer",
            TrapCode::MemoryOutOfBounds => "out of bounds memory access",
            TrapCode::TableOutOfBounds => "undefined element: out of bounds table access",
            TrapCode::UndefinedElement => "undefined element: out of bounds table access",
            TrapCode::UninitializedElement => "uninitialized element",
            TrapCode::IndirectCallTypeMismatch => "indirect call type mismatch",
            TrapCode::CallStackExhausted => "call stack exhausted",
            TrapCode::StepLimit => "step limit reached",
            TrapCode::UnsupportedHostCall => "unsupported host call",
            TrapCode::ReportedError => "the function reported an error",
            TrapCode::OutputLimit => "output limit reached",
            TrapCode::Exit => "the program has ended itself",
        }
    }
}

/// Types of parameters, results and globals at the boundary. A float is a bit pattern; a reference is a word,
/// 0 for null.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum ValueType {
    I32,
    I64,
    F32,
    F64,
    FuncRef,
    ExternRef,
}

impl ValueType {
    /// Returns whether it is a type of references.
    pub fn is_reference(self) -> bool {
        matches!(self, ValueType::FuncRef | ValueType::ExternRef)
    }

    /// Returns the number of words of a value of this type.
    pub fn words(self) -> usize {
        match self {
            ValueType::I32 | ValueType::F32 | ValueType::FuncRef | ValueType::ExternRef => 1,
            ValueType::I64 | ValueType::F64 => 2,
        }
    }
}

/// Where the host puts a word of an argument or finds a word of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WordLocation {
    /// A carried field.
    Field(Field),
    /// A row of the trace with that key, appended before the run or read after it.
    Row(u64),
}

/// An exported function.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// First expert.
    pub expert: ExpertId,
    /// Parameter types.
    pub params: Vec<ValueType>,
    /// Result types.
    pub results: Vec<ValueType>,
    /// Where the host puts each word of the arguments, low word first.
    pub param_locations: Vec<WordLocation>,
    /// Where the host finds each word of the results when the run halts, low word first.
    pub result_locations: Vec<WordLocation>,
    /// The tensors that it takes and gives, if it is a function of tensors.
    pub boundary: Option<Boundary>,
}

/// An exported global.
#[derive(Clone, Debug, PartialEq)]
pub struct GlobalExport {
    /// Its type.
    pub ty: ValueType,
    /// Whether the host may change it.
    pub mutable: bool,
    /// Keys of its words, low word first.
    pub keys: Vec<u64>,
}

/// An exported memory.
#[derive(Clone, Debug, PartialEq)]
pub struct MemoryExport {
    /// Index of its region.
    pub region: usize,
    /// Key of the row that holds its size in pages, or the size if it never changes.
    pub pages: MemoryPages,
}

/// Size of a memory in pages of 65,536 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryPages {
    /// A size that never changes.
    Constant(u32),
    /// The value of the row with that key.
    Row(u64),
}

/// What a host gives to a program and what the program prints: keys that the host fills and reads. What a program does not
/// use has no key.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Io {
    /// Index of the region of the bytes that the host gives, one behind the other from the region's first key: the arguments
    /// of a WASI program and its environment, each string ended by a 0; its tree of files, a ustar archive; standard input.
    /// Of these four, those are there whose ends have a key.
    pub input: Option<usize>,
    /// Key of the row that says where the arguments end: the number of bytes from the beginning of the region.
    pub argv_end: Option<u64>,
    /// The same for the environment.
    pub environ_end: Option<u64>,
    /// The same for the tree of files.
    pub files_end: Option<u64>,
    /// The same for standard input. More of it can be appended when a step is about to read this row and the program has read
    /// all that is there.
    pub stdin_end: Option<u64>,
    /// Key of the row that says where the standard input begins that the program has not read yet. Without it, all of the
    /// input must be there before the run. After each read of the end, a program reads this row again before it reads input:
    /// what is appended may begin anywhere, if this row says where.
    pub stdin_position: Option<u64>,
    /// Index of the region of the bytes of standard output, and the key of the row with their number.
    pub stdout: Option<(usize, u64)>,
    /// The same for standard error.
    pub stderr: Option<(usize, u64)>,
    /// Keys of the rows with the time at which an instance is created, in nanoseconds since 1970: the low word and the high
    /// word.
    pub clock: [Option<u64>; 2],
    /// Keys of the rows with the seed of random numbers: the low word and the high word.
    pub seed: [Option<u64>; 2],
    /// Key of the row that says which of the descriptors 0, 1 and 2 are terminals: a bit for each.
    pub terminals: Option<u64>,
    /// Key of the row with the exit status, once the program has ended itself ([`TrapCode::Exit`]).
    pub exit_code: Option<u64>,
    /// Key of the row that says where the inputs of a function of tensors begin: the number of bytes from the beginning of the
    /// region `input`. They lie behind all else.
    pub tensors: Option<u64>,
    /// Index of the region of the bytes of the outputs of a function of tensors, and the key of the row with their number.
    pub results: Option<(usize, u64)>,
    /// Key of the row with the number that a function of tensors has reported ([`TrapCode::ReportedError`]): a negative one that it has
    /// returned, or that of a tensor that is not valid, from 1 on.
    pub error: Option<u64>,
}

/// A limit on the growth of a memory that the compiler sets and the program does not declare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GrowthLimit {
    /// Maximum size of the memory in pages of 65,536 bytes.
    pub pages: u32,
    /// Key of the row with the size in pages that the program asked for when this limit last refused a
    /// growth. The value is 0 if the limit never refused one.
    pub refused: u64,
}

/// A program as a frozen network.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Network {
    /// Numbers of ports.
    pub ports: Ports,
    /// The experts' matrices. Terminal experts have none.
    pub experts: Experts,
    /// The terminal experts, ids 0 …; expert 0 is `Unreachable`, 1 is `Halt`.
    pub terminals: Vec<Terminal>,
    /// Entries of all frozen tables, in one space of keys from 0.
    pub lookup: Vec<f64>,
    /// The tables in `lookup`.
    pub tables: Vec<Table>,
    /// Regions of the trace, ascending by key, disjoint.
    pub regions: Vec<Region>,
    /// First rows of the trace (key, value): data segments, element segments, initial globals.
    pub first_rows: Vec<(u64, f64)>,
    /// First expert of instance creation, if something has to run then.
    pub start: Option<ExpertId>,
    /// Exported functions.
    pub entries: BTreeMap<String, Entry>,
    /// Exported globals.
    pub globals: BTreeMap<String, GlobalExport>,
    /// Exported memories.
    pub memories: BTreeMap<String, MemoryExport>,
    /// Standard input and output.
    pub io: Io,
    /// Limit on the growth of the memory, if the program does not declare it.
    pub growth_limit: Option<GrowthLimit>,
    /// Declared intervals.
    pub certificate: Certificate,
    /// Names of the wasm functions, for messages.
    pub function_names: Vec<String>,
    /// Where packets came from, ascending by expert.
    pub packets: Vec<PacketDebug>,
    /// The lines of source text that instructions came from, if the module has debug information.
    pub lines: Lines,
    /// How the compiler compared the network with the program. For people: nothing depends on it.
    pub validated: Validated,
}

/// How a network was compared with the program that it was made from: packet by packet, by proof and on
/// states.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Validated {
    /// Number of packets that were compared.
    pub packets: u64,
    /// Number of packets that were proved to do the same in every state, if a proof was asked for.
    pub proved: Option<u64>,
    /// Number of states that packets were compared on, summed over all packets.
    pub states: u64,
    /// Number of packets for which no state was found that a run could be in.
    pub without: u64,
}

impl Network {
    /// Returns whether a run ends at `e`.
    pub fn is_terminal(&self, e: ExpertId) -> bool {
        (e as usize) < self.terminals.len()
    }
    /// Returns the experts of a packet: from its first expert to the one before the next packet's first.
    ///
    /// # Panics
    ///
    /// If there is no packet with that index.
    pub fn experts_of(&self, packet: usize) -> std::ops::Range<ExpertId> {
        let end = self.packets.get(packet + 1).map_or(self.experts.len() as ExpertId, |next| next.expert);
        self.packets[packet].expert..end
    }
    /// Returns the index of the region that contains a key.
    pub fn region_of(&self, key: u64) -> Option<usize> {
        let i = self.regions.partition_point(|r| r.first + r.count <= key);
        (i < self.regions.len() && self.regions[i].first <= key).then_some(i)
    }
}
