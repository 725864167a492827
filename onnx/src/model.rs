//! What a model holds besides its tensors: names, declared intervals, debug information.
//!
//! Everything that people or drivers of a model read is JSON; the declared intervals, of which there
//! are many, are a message of their own, compressed.

use std::fmt::Write as _;
use std::io::{Read, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use prost::Message;
use rustc_hash::FxHashMap;
use serde_json::json;
use sha2::{Digest, Sha256};
use wasm2onnx_runtime::{
    Boundary, CellWidth, Certificate, Dim, Domain, ElementType, Entry, Field, GrowthLimit, IdSet, Interval,
    Io, LineRow, Lines, Network, PacketDebug, Ports, Region, Spec, Table, Terminal, TrapCode, Validated,
    ValueType, WordLocation,
};

use crate::proto::{GraphProto, StringStringEntryProto, TensorProto};

/// Version of the format: one unit-and-map phase behind each attention; all that a program is given in one region; the position
/// in standard input is read after its end; functions of tensors.
pub const FORMAT: &str = "4";

/// Maximum number of bytes that compressed metadata may expand to.
const MAX_EXPANDED: u64 = 1 << 28;

/// Everything in a network that is not in tensors, except the debug information.
///
/// Fields are numbered as in a network, by [`Ports`], not as [`Slots`](crate::Slots) are. The lists of all
/// experts or ghosts are concatenated; a list of counts says where each ends.
#[derive(Clone, PartialEq, Message)]
pub struct Declared {
    /// Carried values, units, reads, lookups, rows.
    #[prost(uint32, repeated, tag = "1")]
    ports: Vec<u32>,
    /// Trap code of each terminal expert after `halt`.
    #[prost(uint32, repeated, tag = "2")]
    trap_codes: Vec<u32>,
    /// Function of each of these traps.
    #[prost(uint32, repeated, tag = "3")]
    trap_functions: Vec<u32>,
    /// Offset of each of these traps.
    #[prost(uint32, repeated, tag = "4")]
    trap_offsets: Vec<u32>,
    /// Regions of the trace.
    #[prost(message, repeated, tag = "5")]
    regions: Vec<NamedRange>,
    /// Frozen tables.
    #[prost(message, repeated, tag = "6")]
    tables: Vec<NamedRange>,
    /// Sets of ids.
    #[prost(message, repeated, tag = "7")]
    id_sets: Vec<NamedIds>,
    /// The distinct domains, those that occur most often first; others refer to them by index.
    #[prost(message, repeated, tag = "8")]
    domains: Vec<DomainMessage>,
    /// Number of declared fields of each expert.
    #[prost(uint32, repeated, tag = "9")]
    field_counts: Vec<u32>,
    /// Declared fields.
    #[prost(uint32, repeated, tag = "10")]
    fields: Vec<u32>,
    /// Domains of the declared fields.
    #[prost(uint32, repeated, tag = "11")]
    field_domains: Vec<u32>,
    /// Number of ghosts of each expert.
    #[prost(uint32, repeated, tag = "12")]
    ghost_counts: Vec<u32>,
    /// Number of terms of each ghost.
    #[prost(uint32, repeated, tag = "13")]
    ghost_term_counts: Vec<u32>,
    /// Fields of ghosts' terms.
    #[prost(uint32, repeated, tag = "14")]
    ghost_fields: Vec<u32>,
    /// Coefficients of ghosts' terms.
    #[prost(sint64, repeated, tag = "15")]
    ghost_coefficients: Vec<i64>,
    /// Domain of each ghost, an interval.
    #[prost(uint32, repeated, tag = "16")]
    ghost_domains: Vec<u32>,
    /// The function that the model runs.
    #[prost(message, optional, tag = "17")]
    entry: Option<EntryMessage>,
    /// The region of what is given, if any of it is used.
    #[prost(uint64, optional, tag = "18")]
    input: Option<u64>,
    /// Region and length key of standard output, if it is written.
    #[prost(uint64, repeated, tag = "19")]
    stdout: Vec<u64>,
    /// Key of the position in standard input, if it is read.
    #[prost(uint64, optional, tag = "20")]
    stdin_position: Option<u64>,
    /// Maximum number of pages of the memory, and the key of the number that was refused, if this limit is
    /// the compiler's.
    #[prost(uint64, repeated, tag = "21")]
    growth_limit: Vec<u64>,
    /// Keys of the ends of arguments, environment, files and standard input, 0 for those that are not used.
    #[prost(uint64, repeated, tag = "22")]
    ends: Vec<u64>,
    /// Region and length key of standard error, if it is written.
    #[prost(uint64, repeated, tag = "23")]
    stderr: Vec<u64>,
    /// Keys of the words of the clock and the seed, low before high, of the terminals, of the exit status, of the beginning of
    /// tensors and of the error; 0 for those that are not used.
    #[prost(uint64, repeated, tag = "24")]
    host_words: Vec<u64>,
    /// Region and length key of the bytes that a function of tensors gives, if there are any.
    #[prost(uint64, repeated, tag = "25")]
    results: Vec<u64>,
}

/// A region or a table.
#[derive(Clone, PartialEq, Message)]
struct NamedRange {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(uint64, tag = "2")]
    first: u64,
    #[prost(uint64, tag = "3")]
    count: u64,
    /// Index, among the domains, of what its values are declared to be.
    #[prost(uint32, tag = "4")]
    domain: u32,
    /// For a region, whether its cells are bytes.
    #[prost(bool, tag = "5")]
    bytes: bool,
}

/// A set of ids.
#[derive(Clone, PartialEq, Message)]
struct NamedIds {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(uint32, repeated, tag = "2")]
    ids: Vec<u32>,
    #[prost(uint32, repeated, tag = "3")]
    fields: Vec<u32>,
    #[prost(uint32, repeated, tag = "4")]
    domains: Vec<u32>,
}

/// A domain, by kind: 0 an interval, 1 powers of two up to `2^hi` and 0, 2 ids of set `hi` and 0.
#[derive(Clone, Copy, PartialEq, Message)]
struct DomainMessage {
    #[prost(uint32, tag = "1")]
    kind: u32,
    #[prost(sint64, tag = "2")]
    lo: i64,
    #[prost(sint64, tag = "3")]
    hi: i64,
}

/// An exported function.
#[derive(Clone, PartialEq, Message)]
struct EntryMessage {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(bytes = "vec", tag = "2")]
    params: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    results: Vec<u8>,
    #[prost(message, repeated, tag = "4")]
    param_locations: Vec<LocationMessage>,
    #[prost(message, repeated, tag = "5")]
    result_locations: Vec<LocationMessage>,
    /// Its tensors, if it is a function of tensors.
    #[prost(message, optional, tag = "6")]
    boundary: Option<BoundaryMessage>,
}

/// The tensors of a function.
#[derive(Clone, PartialEq, Message)]
struct BoundaryMessage {
    #[prost(message, repeated, tag = "1")]
    inputs: Vec<SpecMessage>,
    #[prost(message, repeated, tag = "2")]
    outputs: Vec<SpecMessage>,
}

/// A tensor that a function takes or gives.
#[derive(Clone, PartialEq, Message)]
struct SpecMessage {
    #[prost(string, tag = "1")]
    name: String,
    /// Name of the type of its elements.
    #[prost(string, tag = "2")]
    element: String,
    #[prost(message, repeated, tag = "3")]
    shape: Vec<DimMessage>,
}

/// A dimension: neither, if its size is counted.
#[derive(Clone, PartialEq, Message)]
struct DimMessage {
    #[prost(uint32, optional, tag = "1")]
    size: Option<u32>,
    #[prost(string, optional, tag = "2")]
    name: Option<String>,
}

impl BoundaryMessage {
    fn of(boundary: &Boundary) -> BoundaryMessage {
        let dim = |dim: &Dim| match dim {
            Dim::Fixed(size) => DimMessage { size: Some(*size), name: None },
            Dim::Named(name) => DimMessage { size: None, name: Some(name.clone()) },
            Dim::Counted => DimMessage { size: None, name: None },
        };
        let spec = |spec: &Spec| SpecMessage {
            name: spec.name.clone(),
            element: spec.element.name().to_owned(),
            shape: spec.shape.iter().map(dim).collect(),
        };
        let Boundary { inputs, outputs } = boundary;
        BoundaryMessage {
            inputs: inputs.iter().map(spec).collect(),
            outputs: outputs.iter().map(spec).collect(),
        }
    }

    fn restore(&self) -> Result<Boundary, String> {
        let dim = |dim: &DimMessage| match (dim.size, &dim.name) {
            (Some(size), _) => Dim::Fixed(size),
            (None, Some(name)) => Dim::Named(name.clone()),
            (None, None) => Dim::Counted,
        };
        let spec = |spec: &SpecMessage| {
            let element = ElementType::from_name(&spec.element).ok_or("a type of elements does not exist")?;
            Ok(Spec { name: spec.name.clone(), element, shape: spec.shape.iter().map(dim).collect() })
        };
        let list = |specs: &[SpecMessage]| specs.iter().map(spec).collect::<Result<_, String>>();
        Ok(Boundary { inputs: list(&self.inputs)?, outputs: list(&self.outputs)? })
    }
}

/// A word location: a field or a key.
#[derive(Clone, Copy, PartialEq, Message)]
struct LocationMessage {
    #[prost(bool, tag = "1")]
    row: bool,
    #[prost(uint64, tag = "2")]
    at: u64,
}

/// Returns the debug information of a network: names of its wasm functions, for each packet its first
/// expert, its function (null for library routines) and the offset of its first instruction, and if there are any, the
/// lines of source text: files, and for each place where a line begins the function, the offset, the file and the line (0 if
/// the instructions come from no line).
pub fn debug(network: &Network) -> serde_json::Value {
    let packet = |packet: &PacketDebug| {
        let function = (packet.function != u32::MAX).then_some(packet.function);
        json!([packet.expert, function, packet.offset])
    };
    let packets: Vec<_> = network.packets.iter().map(packet).collect();
    let mut debug = json!({ "functions": network.function_names, "packets": packets });
    let Lines { files, rows } = &network.lines;
    if !rows.is_empty() {
        let row = |row: &LineRow| json!([row.function, row.offset, row.file, row.line]);
        debug["files"] = json!(files);
        debug["lines"] = rows.iter().map(row).collect();
    }
    debug
}

/// Debug information as JSON has it.
#[derive(serde::Deserialize)]
struct Debug {
    functions: Vec<String>,
    packets: Vec<(u32, Option<u32>, u32)>,
    #[serde(default)]
    files: Vec<String>,
    #[serde(default)]
    lines: Vec<(u32, u32, u32, u32)>,
}

/// Puts debug information into a network.
///
/// # Errors
///
/// What is wrong with it.
pub fn restore_debug(text: &str, network: &mut Network) -> Result<(), String> {
    let debug: Debug = serde_json::from_str(text).map_err(|error| error.to_string())?;
    network.function_names = debug.functions;
    let row = |(function, offset, file, line)| LineRow { function, offset, file, line };
    network.lines = Lines { files: debug.files, rows: debug.lines.into_iter().map(row).collect() };
    let packets = debug.packets.into_iter();
    network.packets = packets
        .map(|(expert, function, offset)| PacketDebug {
            expert,
            function: function.unwrap_or(u32::MAX),
            offset,
        })
        .collect();
    Ok(())
}

/// How the compiler compared a network with the program, as JSON has it.
#[derive(serde::Serialize, serde::Deserialize)]
struct ValidatedMessage {
    packets: u64,
    states: u64,
    /// Number of packets without a state that a run could be in.
    without: u64,
    /// Number of packets that were proved; `None` if no proof was tried.
    #[serde(default)]
    proved: Option<u64>,
}

/// Returns in JSON how a network was compared with the program.
pub fn validated(validated: &Validated) -> serde_json::Value {
    let Validated { packets, states, without, proved } = *validated;
    serde_json::to_value(ValidatedMessage { packets, states, without, proved }).expect("numbers have a value")
}

/// Puts into a network how it was compared with the program.
///
/// # Errors
///
/// What is wrong with the text.
pub fn restore_validated(text: &str, network: &mut Network) -> Result<(), String> {
    let message: ValidatedMessage = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let ValidatedMessage { packets, states, without, proved } = message;
    network.validated = Validated { packets, states, without, proved };
    Ok(())
}

/// The distinct domains of a network while they are being numbered.
#[derive(Default)]
struct Domains {
    index: FxHashMap<Domain, u32>,
    list: Vec<DomainMessage>,
}

impl Domains {
    fn number(&mut self, domain: Domain) -> u32 {
        *self.index.entry(domain).or_insert_with(|| {
            self.list.push(match domain {
                Domain::Interval(Interval { lo, hi }) => DomainMessage { kind: 0, lo, hi },
                Domain::PowerOfTwo { hi } => DomainMessage { kind: 1, lo: 0, hi: hi.into() },
                Domain::Ids(set) => DomainMessage { kind: 2, lo: 0, hi: set.into() },
            });
            self.list.len() as u32 - 1
        })
    }
}

/// Returns the lengths of consecutive ranges from their ends.
fn lengths(ends: &[u32]) -> Vec<u32> {
    let firsts = std::iter::once(0).chain(ends.iter().copied());
    ends.iter().zip(firsts).map(|(end, first)| end - first).collect()
}

/// Returns the ends of consecutive ranges from their lengths.
fn ends(lengths: &[u32]) -> Result<Vec<u32>, String> {
    let mut end = 0u32;
    let mut next = |length: &u32| {
        end = end.checked_add(*length)?;
        Some(end)
    };
    lengths.iter().map(&mut next).collect::<Option<_>>().ok_or_else(|| "the certificate is too long".into())
}

/// Types that a model's entry can have, by their numbers in the file.
const TYPES: [ValueType; 4] = [ValueType::I32, ValueType::I64, ValueType::F32, ValueType::F64];

fn types(types: &[ValueType]) -> Vec<u8> {
    types.iter().map(|ty| TYPES.iter().position(|t| t == ty).expect("all types are listed") as u8).collect()
}

fn read_types(bytes: &[u8]) -> Result<Vec<ValueType>, String> {
    let read = |byte: &u8| TYPES.get(usize::from(*byte)).copied();
    bytes.iter().map(read).collect::<Option<_>>().ok_or_else(|| "a type does not exist".into())
}

impl LocationMessage {
    fn of(location: &WordLocation) -> LocationMessage {
        match *location {
            WordLocation::Field(field) => LocationMessage { row: false, at: field.into() },
            WordLocation::Row(key) => LocationMessage { row: true, at: key },
        }
    }

    fn restore(&self) -> Result<WordLocation, String> {
        match (self.row, u16::try_from(self.at)) {
            (true, _) => Ok(WordLocation::Row(self.at)),
            (false, Ok(field)) => Ok(WordLocation::Field(field)),
            (false, Err(_)) => Err("the location of an argument or result does not exist".into()),
        }
    }
}

impl Declared {
    /// Returns everything in a network that is neither tensor nor debug information, for a model of one
    /// entry.
    pub fn of(network: &Network, name: &str, entry: &Entry) -> Declared {
        let mut domains = Domains::default();
        let (certificate, io) = (&network.certificate, &network.io);
        let field_domains = certificate.fields.iter().map(|(_, domain)| domains.number(domain)).collect();
        let ghost_domains =
            certificate.ghost_range.iter().map(|range| domains.number(Domain::Interval(*range))).collect();
        let Ports { carried, units, reads, lookups, rows } = network.ports;
        let traps = network.terminals.iter().filter_map(|terminal| match *terminal {
            Terminal::Trap { code, function, offset } => Some((code as u32, function, offset)),
            Terminal::Unreachable | Terminal::Halt => None,
        });
        let traps: Vec<_> = traps.collect();
        let locations = |list: &[WordLocation]| list.iter().map(LocationMessage::of).collect();
        Declared {
            ports: [carried, units, reads, lookups, rows].map(u32::from).to_vec(),
            trap_codes: traps.iter().map(|trap| trap.0).collect(),
            trap_functions: traps.iter().map(|trap| trap.1).collect(),
            trap_offsets: traps.iter().map(|trap| trap.2).collect(),
            regions: network
                .regions
                .iter()
                .map(|region| NamedRange {
                    name: region.name.clone(),
                    first: region.first,
                    count: region.count,
                    domain: domains.number(region.values),
                    bytes: region.width == CellWidth::Byte,
                })
                .collect(),
            tables: network
                .tables
                .iter()
                .map(|table| NamedRange {
                    name: table.name.clone(),
                    first: table.first.into(),
                    count: table.count.into(),
                    domain: domains.number(table.domain),
                    bytes: false,
                })
                .collect(),
            id_sets: certificate
                .id_sets
                .iter()
                .map(|set| NamedIds {
                    name: set.name.clone(),
                    ids: set.ids.clone(),
                    fields: set.interface.iter().map(|(field, _)| (*field).into()).collect(),
                    domains: set.interface.iter().map(|(_, domain)| domains.number(*domain)).collect(),
                })
                .collect(),
            field_counts: lengths(&certificate.field_end),
            fields: certificate.fields.iter().map(|(field, _)| field.into()).collect(),
            field_domains,
            ghost_counts: lengths(&certificate.ghost_end),
            ghost_term_counts: lengths(&certificate.ghost_term_end),
            ghost_fields: certificate.ghost_terms.iter().map(|(field, _)| (*field).into()).collect(),
            ghost_coefficients: certificate.ghost_terms.iter().map(|(_, c)| *c).collect(),
            ghost_domains,
            entry: Some(EntryMessage {
                name: name.to_owned(),
                params: types(&entry.params),
                results: types(&entry.results),
                param_locations: locations(&entry.param_locations),
                result_locations: locations(&entry.result_locations),
                boundary: entry.boundary.as_ref().map(BoundaryMessage::of),
            }),
            input: io.input.map(|region| region as u64),
            stdout: stream(io.stdout),
            stdin_position: io.stdin_position,
            ends: or_zero([io.argv_end, io.environ_end, io.files_end, io.stdin_end]),
            stderr: stream(io.stderr),
            host_words: or_zero([
                io.clock[0],
                io.clock[1],
                io.seed[0],
                io.seed[1],
                io.terminals,
                io.exit_code,
                io.tensors,
                io.error,
            ]),
            results: stream(io.results),
            growth_limit: network
                .growth_limit
                .iter()
                .flat_map(|limit| [u64::from(limit.pages), limit.refused])
                .collect(),
            domains: domains.list,
        }
    }

    /// Makes a network, which has no tensors, no experts of entries and no start yet.
    ///
    /// # Errors
    ///
    /// What does not fit together.
    pub fn restore(self) -> Result<Network, String> {
        let domains = ReadDomains(&self.domains);
        let entry = self.entry.as_ref().ok_or("there is no entry")?;
        Ok(Network {
            ports: self.restore_ports()?,
            terminals: self.restore_terminals()?,
            tables: self.tables.iter().map(|table| domains.table(table)).collect::<Result<_, _>>()?,
            regions: self.regions.iter().map(|region| domains.region(region)).collect::<Result<_, _>>()?,
            entries: [(entry.name.clone(), entry.restore()?)].into(),
            io: self.restore_io()?,
            growth_limit: self.restore_growth_limit()?,
            certificate: self.restore_certificate(&domains)?,
            ..Network::default()
        })
    }

    fn restore_ports(&self) -> Result<Ports, String> {
        let [carried, units, reads, lookups, rows] = self.ports[..] else {
            return Err("there are not five kinds of ports".into());
        };
        // Indices of fields are sums of these numbers in 16 bits, and are computed before the whole network
        // is there to be validated.
        let fields = [carried, units, units, reads, lookups, rows, rows].map(u64::from).iter().sum::<u64>();
        if fields >= u16::MAX.into() {
            return Err(format!("{fields} fields are too many"));
        }
        Ok(Ports {
            carried: small(carried)?,
            units: small(units)?,
            reads: small(reads)?,
            lookups: small(lookups)?,
            rows: small(rows)?,
        })
    }

    fn restore_terminals(&self) -> Result<Vec<Terminal>, String> {
        if [self.trap_functions.len(), self.trap_offsets.len()] != [self.trap_codes.len(); 2] {
            return Err("the lists of the traps differ in length".into());
        }
        let mut terminals = vec![Terminal::Unreachable, Terminal::Halt];
        let origins = self.trap_functions.iter().zip(&self.trap_offsets);
        for (code, (&function, &offset)) in self.trap_codes.iter().zip(origins) {
            let code = u8::try_from(*code).ok().and_then(TrapCode::from_code);
            let code = code.ok_or("a trap code does not exist")?;
            terminals.push(Terminal::Trap { code, function, offset });
        }
        Ok(terminals)
    }

    fn restore_io(&self) -> Result<Io, String> {
        let input = self.input.map(usize::try_from).transpose().map_err(|_| "a region does not exist")?;
        let [argv_end, environ_end, files_end, stdin_end] = restore_keys(&self.ends)?;
        let [clock_low, clock_high, seed_low, seed_high, terminals, exit_code, tensors, error] =
            restore_keys(&self.host_words)?;
        Ok(Io {
            input,
            argv_end,
            environ_end,
            files_end,
            stdin_end,
            stdin_position: self.stdin_position,
            stdout: restore_stream(&self.stdout)?,
            stderr: restore_stream(&self.stderr)?,
            clock: [clock_low, clock_high],
            seed: [seed_low, seed_high],
            terminals,
            exit_code,
            tensors,
            results: restore_stream(&self.results)?,
            error,
        })
    }

    fn restore_growth_limit(&self) -> Result<Option<GrowthLimit>, String> {
        match self.growth_limit[..] {
            [] => Ok(None),
            [pages, refused] => {
                let pages = pages.try_into().map_err(|_| "the growth limit of the memory is out of range")?;
                Ok(Some(GrowthLimit { pages, refused }))
            }
            _ => Err("the growth limit of the memory is not a size and a key".into()),
        }
    }

    fn restore_certificate(&self, domains: &ReadDomains) -> Result<Certificate, String> {
        if self.ghost_fields.len() != self.ghost_coefficients.len() {
            return Err("there is not exactly one coefficient for each term of a ghost".into());
        }
        let ghost_terms = self.ghost_fields.iter().zip(&self.ghost_coefficients);
        let id_set = |set: &NamedIds| {
            let interface = domains.fields(&set.fields, &set.domains)?.collect::<Result<_, String>>()?;
            Ok(IdSet { name: set.name.clone(), ids: set.ids.clone(), interface })
        };
        Ok(Certificate {
            field_end: ends(&self.field_counts)?,
            fields: domains.fields(&self.fields, &self.field_domains)?.collect::<Result<_, _>>()?,
            ghost_end: ends(&self.ghost_counts)?,
            ghost_term_end: ends(&self.ghost_term_counts)?,
            ghost_range: self
                .ghost_domains
                .iter()
                .map(|number| domains.interval(*number))
                .collect::<Result<_, _>>()?,
            ghost_terms: ghost_terms
                .map(|(field, c)| Ok((small(*field)?, *c)))
                .collect::<Result<_, String>>()?,
            id_sets: self.id_sets.iter().map(id_set).collect::<Result<_, String>>()?,
        })
    }
}

/// The distinct domains of a file, by their numbers.
struct ReadDomains<'a>(&'a [DomainMessage]);

impl ReadDomains<'_> {
    fn get(&self, number: u32) -> Result<Domain, String> {
        let message = self.0.get(number as usize).ok_or("a domain does not exist")?;
        let DomainMessage { kind, lo, hi } = *message;
        let small = || u32::try_from(hi).map_err(|_| String::from("a domain is out of range"));
        Ok(match kind {
            0 => Domain::Interval(Interval { lo, hi }),
            1 => Domain::PowerOfTwo { hi: small()?.try_into().map_err(|_| "a power is too large")? },
            2 => Domain::Ids(small()?),
            _ => return Err("a domain has an unknown kind".into()),
        })
    }

    fn interval(&self, number: u32) -> Result<Interval, String> {
        match self.get(number)? {
            Domain::Interval(interval) => Ok(interval),
            Domain::PowerOfTwo { .. } | Domain::Ids(_) => Err("a ghost has no interval".into()),
        }
    }

    /// Returns fields and what they are declared to be.
    fn fields<'b>(
        &'b self,
        fields: &'b [u32],
        numbers: &'b [u32],
    ) -> Result<impl Iterator<Item = Result<(Field, Domain), String>> + 'b, String> {
        if fields.len() != numbers.len() {
            return Err("there is not exactly one domain for each declared field".into());
        }
        Ok(fields.iter().zip(numbers).map(|(field, number)| Ok((small(*field)?, self.get(*number)?))))
    }

    fn region(&self, region: &NamedRange) -> Result<Region, String> {
        Ok(Region {
            name: region.name.clone(),
            first: region.first,
            count: region.count,
            width: if region.bytes { CellWidth::Byte } else { CellWidth::Number },
            values: self.get(region.domain)?,
        })
    }

    fn table(&self, table: &NamedRange) -> Result<Table, String> {
        let out = |_| String::from("a table is out of range");
        Ok(Table {
            name: table.name.clone(),
            first: table.first.try_into().map_err(out)?,
            count: table.count.try_into().map_err(out)?,
            domain: self.get(table.domain)?,
        })
    }
}

impl EntryMessage {
    /// Makes an entry, whose expert is not known yet.
    fn restore(&self) -> Result<Entry, String> {
        let locations = |locations: &[LocationMessage]| {
            locations.iter().map(LocationMessage::restore).collect::<Result<_, _>>()
        };
        Ok(Entry {
            expert: 0,
            params: read_types(&self.params)?,
            results: read_types(&self.results)?,
            param_locations: locations(&self.param_locations)?,
            result_locations: locations(&self.result_locations)?,
            boundary: self.boundary.as_ref().map(BoundaryMessage::restore).transpose()?,
        })
    }
}

/// Returns the region of standard input or output and the key of its length.
/// Writes keys, 0 for those that are not there; none at all if no key is there.
fn or_zero<const N: usize>(keys: [Option<u64>; N]) -> Vec<u64> {
    match keys == [None; N] {
        true => Vec::new(),
        false => keys.map(|key| key.unwrap_or(0)).to_vec(),
    }
}

/// The inverse of [`or_zero`].
fn restore_keys<const N: usize>(keys: &[u64]) -> Result<[Option<u64>; N], String> {
    if keys.is_empty() {
        return Ok([None; N]);
    }
    let keys: [u64; N] =
        keys.try_into().map_err(|_| format!("there are not {N} keys of inputs or outputs"))?;
    Ok(keys.map(|key| Some(key).filter(|key| *key != 0)))
}

fn stream(stream: Option<(usize, u64)>) -> Vec<u64> {
    stream.iter().flat_map(|(region, key)| [*region as u64, *key]).collect()
}

fn restore_stream(stream: &[u64]) -> Result<Option<(usize, u64)>, String> {
    match *stream {
        [] => Ok(None),
        [region, key] => Ok(Some((region.try_into().map_err(|_| "a region does not exist")?, key))),
        _ => Err("standard input or output is not a region and a key".into()),
    }
}

/// Returns a number of the network that has 16 bits.
fn small(x: u32) -> Result<u16, String> {
    u16::try_from(x).map_err(|_| format!("{x} is too large"))
}

/// Returns a message as text: compressed, in base 64.
pub fn to_text(message: &impl Message) -> String {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(&message.encode_to_vec()).expect("vectors can be written");
    BASE64.encode(encoder.finish().expect("vectors can be written"))
}

/// Reads a message from its text.
///
/// # Errors
///
/// What is wrong with it.
pub fn from_text<M: Message + Default>(text: &str) -> Result<M, String> {
    let bytes = BASE64.decode(text).map_err(|error| error.to_string())?;
    let mut message = Vec::new();
    let mut decoder = ZlibDecoder::new(&bytes[..]).take(MAX_EXPANDED + 1);
    decoder.read_to_end(&mut message).map_err(|error| error.to_string())?;
    if message.len() as u64 > MAX_EXPANDED {
        return Err(format!("it expands to more than {MAX_EXPANDED} bytes"));
    }
    M::decode(&message[..]).map_err(|error| error.to_string())
}

/// What all keys of metadata begin with.
pub const PREFIX: &str = "wasm2onnx.";

/// Returns bytes as hexadecimal digits.
pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("strings can be written");
        text
    })
}

/// Returns the SHA-256 of tensors, in order: for each its name, type, shape and elements.
pub fn checksum(tensors: &[TensorProto]) -> String {
    let mut hash = Sha256::new();
    for tensor in tensors {
        let mut part = |bytes: &[u8]| {
            hash.update((bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        };
        part(tensor.name.as_bytes());
        part(&tensor.data_type.to_le_bytes());
        part(&tensor.dims.iter().flat_map(|dim| dim.to_le_bytes()).collect::<Vec<_>>());
        part(&tensor.raw_data);
    }
    hexadecimal(&hash.finalize())
}

/// Returns the SHA-256 of everything else that a model says: its graph without the tensors, and the metadata
/// under [`PREFIX`] except this entry, [`INTEGRITY`]. Others may add metadata of their own.
pub fn integrity(graph: &GraphProto, metadata: &[StringStringEntryProto]) -> String {
    // Field by field: the tensors, which are nearly all of the graph, are not copied.
    let bare = GraphProto {
        node: graph.node.clone(),
        name: graph.name.clone(),
        initializer: Vec::new(),
        doc_string: graph.doc_string.clone(),
        input: graph.input.clone(),
        output: graph.output.clone(),
    };
    let mut hash = Sha256::new();
    hash.update(bare.encode_to_vec());
    for entry in metadata {
        if entry.key.strip_prefix(PREFIX).is_some_and(|key| key != INTEGRITY) {
            hash.update(entry.encode_length_delimited_to_vec());
        }
    }
    hexadecimal(&hash.finalize())
}

/// The metadata entry that holds what [`integrity`] returns.
pub const INTEGRITY: &str = "integrity";
