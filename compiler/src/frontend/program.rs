//! What all modules of a program share: the IR that they become, and what they can import from each other.

use std::collections::BTreeMap;

use cranelift_entity::SecondaryMap;
use rustc_hash::FxHashMap;
use wasm2onnx_runtime::TrapCode;
use wasmparser::{FuncType, GlobalType, MemoryType, SubType, TableType};

use super::cells::{Global, Memory, Streams};
use super::lines::Files;
use crate::builder::Builder;
use crate::error::{CompileError, MissingImport};
use crate::ir::*;
use crate::options::Options;

/// The modules that have been translated so far.
#[derive(Default)]
pub struct Program {
    /// The IR. Its functions stand in `functions` until all of them are there.
    pub module: Module,
    /// The bodies of functions, by [`Func`].
    functions: Vec<Option<Function>>,
    /// The reference of each function that has one.
    reference_of: FxHashMap<Func, u32>,
    /// For each type of any module, a number that it shares with all equal types.
    pub canonical: FxHashMap<SubType, u32>,
    /// The globals of all modules.
    pub globals: Vec<Global>,
    /// What the frontend knows of memories.
    pub memories: SecondaryMap<MemoryId, Memory>,
    /// The initial contents of memories.
    pub contents: SecondaryMap<MemoryId, Contents>,
    /// The initial references of tables, null ones included.
    pub entries: SecondaryMap<TableId, BTreeMap<u32, u32>>,
    /// The maximum number of entries of each table.
    pub table_max: SecondaryMap<TableId, u32>,
    /// What the host gives and what is printed.
    pub streams: Streams,
    /// What modules export, by the name that others import them by and the name of the export.
    pub exports: BTreeMap<(String, String), Extern>,
    /// The exports of the library's modules, and the memories that these work on.
    pub library: Vec<(Space, BTreeMap<String, Extern>)>,
    /// What is run when an instance is created, in order.
    pub creation: Vec<Creation>,
    /// Whether the host creates each module when it wants ([`Options::staged`]).
    pub staged: bool,
    /// Imports that nothing serves.
    pub missing: Vec<MissingImport>,
    /// The functions that stand for missing functions: calling one is an error if the program can reach the call.
    pub stand_ins: FxHashMap<Func, MissingImport>,
    /// The files of source text.
    pub files: Files,
    /// Where the next module begins, if all modules are put one behind the other.
    pub end: u32,
}

/// Maximum number of results of a function that returns constants.
pub const MAX_CONSTANTS: usize = 4;

/// What an entry of the function index space is.
#[derive(Clone, Copy)]
pub enum Callable {
    /// A function of this module or of another one.
    Func(Func),
    /// A function of the host, whose operations are put in place of the call.
    Host(HostCall),
}

/// What a function of the host does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum HostCall {
    /// Prints a byte.
    StdoutByte,
    /// Reads a byte.
    StdinByte,
    /// Returns zeros.
    Nop,
    /// Returns these bits, one for each result.
    Results([u64; MAX_CONSTANTS]),
    /// Ends the program with its parameter as exit status. Only the library's modules import it.
    Exit,
    /// Ends the call with its parameter as the error that a function of tensors reports.
    Report,
    /// Traps as an access beyond a memory does.
    OutOfBounds,
    /// Ends the run because there is no room for what is printed. Only the library's modules import it.
    OutputLimit,
}

/// What a module exports to others.
#[derive(Clone)]
pub enum Extern {
    /// A function and its type.
    Func(Callable, FuncType),
    /// A function of the library by its name, and the type that it is imported with, for the memory of whoever imports it.
    Library(String, FuncType),
    /// A table and its type.
    Table(TableId, TableType),
    /// A memory or bytes of the host, and its type.
    Memory(Space, MemoryType),
    /// The number of a global in [`Program::globals`], and its type.
    Global(usize, GlobalType),
}

/// Bytes that may overlap and lie anywhere, gathered in small chunks by address.
#[derive(Clone, Default)]
pub struct Contents(BTreeMap<usize, Box<[u8; CHUNK]>>);

/// Size of a chunk of [`Contents`].
const CHUNK: usize = 4096;

impl Contents {
    /// Writes bytes over what is there.
    pub fn write(&mut self, first: usize, bytes: &[u8]) {
        let (mut address, mut bytes) = (first, bytes);
        while !bytes.is_empty() {
            let (part, rest) = bytes.split_at(bytes.len().min(CHUNK - address % CHUNK));
            let chunk = self.0.entry(address / CHUNK).or_insert_with(|| Box::new([0; CHUNK]));
            chunk[address % CHUNK..][..part.len()].copy_from_slice(part);
            address += part.len();
            bytes = rest;
        }
    }

    /// Returns them without most of the zeros, ascending.
    fn pieces(self) -> Vec<(u32, Vec<u8>)> {
        let piece = |(number, chunk): (usize, Box<[u8; CHUNK]>)| {
            let first = chunk.iter().position(|b| *b != 0)?;
            let last = chunk.iter().rposition(|b| *b != 0).expect("not all are 0");
            Some(((number * CHUNK + first) as u32, chunk[first..=last].to_vec()))
        };
        self.0.into_iter().filter_map(piece).collect()
    }
}

/// A step of instance creation.
pub enum Creation {
    /// Calls a function without parameters and results.
    Call(Func),
    /// Copies an active segment to a memory or a table, and drops it: its beginning in its space, the cell with its length.
    Segment { segment: (u32, Cell), target: Space, at: u32, length: u32 },
    /// Traps unless a memory or table that was created before has grown to this size by now: a cell holds its size.
    AtLeast { size: Cell, least: u32, code: TrapCode },
    /// Traps.
    Trap(TrapCode),
}

impl Program {
    /// Returns a program without modules.
    ///
    /// # Errors
    ///
    /// If a stream is to have room for more bytes than there can be.
    pub fn new(options: &Options) -> Result<Self, CompileError> {
        Ok(Program { streams: Streams::new(options)?, staged: options.staged, ..Program::default() })
    }

    /// Makes a function whose body is given later. Its type has this canonical number.
    pub fn declare(&mut self, canonical: u32) -> Func {
        self.functions.push(None);
        self.module.function_types.push(canonical)
    }

    /// Gives a function its body.
    pub fn define(&mut self, func: Func, body: Function) {
        self.functions[func.as_u32() as usize] = Some(body);
    }

    /// Returns the reference to a function, and makes it if there is none yet.
    pub fn reference(&mut self, func: Func) -> u32 {
        *self.reference_of.entry(func).or_insert_with(|| {
            self.module.references.push(Some(func));
            self.module.references.len() as u32
        })
    }

    /// Returns whether instance creation traps after all that has been added to it.
    pub fn traps_at_creation(&self) -> bool {
        self.module.creation_trap.is_some() || matches!(self.creation.last(), Some(Creation::Trap(_)))
    }

    /// Returns the IR of all modules.
    pub fn finish(mut self) -> Module {
        self.module.start = self.start();
        // The library's modules are translated while those that use them are.
        self.module.function_offsets.sort_unstable();
        self.module.modules.sort_unstable();
        for body in std::mem::take(&mut self.functions) {
            self.module.functions.push(body.expect("every function has been defined"));
        }
        for (table, data) in self.module.tables.iter_mut() {
            let entries = std::mem::take(&mut self.entries[table]).into_iter();
            data.entries = entries.filter(|(_, reference)| *reference != 0).collect();
        }
        self.add_reference_table();
        self.module.lines.files = self.files.paths;
        for (memory, data) in self.module.memories.iter_mut() {
            data.data = std::mem::take(&mut self.contents[memory]).pieces();
            let known = &mut self.memories[memory];
            if known.grows {
                let cell = known.size(memory, &mut self.module.cells);
                data.size = MemorySize::Cell { cell, max: known.max };
            }
        }
        self.module
    }

    /// Returns the function that does everything that instance creation does, if it does anything.
    fn start(&mut self) -> Option<Func> {
        let steps = std::mem::take(&mut self.creation);
        match steps[..] {
            [] => None,
            [Creation::Call(func)] => Some(func),
            _ => Some(self.in_sequence("instance creation", steps)),
        }
    }

    /// Makes what has been added to instance creation an exported function, for a host that calls it when it wants.
    pub fn export_creation(&mut self, module: &str) {
        let name = format!("{module}/create");
        let steps = std::mem::take(&mut self.creation);
        let func = self.in_sequence(&name, steps);
        self.module.exports.push((name, func, Signature { params: Vec::new(), results: Vec::new() }));
    }

    /// Makes a function that does these steps one after the other.
    fn in_sequence(&mut self, name: &str, steps: Vec<Creation>) -> Func {
        // It has a number of its own among the functions, for debug information.
        let index = self.module.function_names.len() as u32;
        self.module.function_names.push(name.into());
        self.module.function_offsets.push((self.end, index));
        let mut func = Function::new(name.into(), Origin::Module(index), Vec::new());
        let block = func.entry;
        let mut b = Builder { func: &mut func, block, offset: self.end };
        let mut ended = false;
        for step in steps {
            match step {
                Creation::Call(func) => {
                    let next = b.func.add_block();
                    b.terminate(Terminator::Call { callee: Callee::Direct(func), args: Values::new(), next });
                    b.block = next;
                }
                Creation::Segment { segment: (first, cell), target, at, length } => {
                    let [to, from, count] = [at, first, length].map(|word| b.word(word));
                    let source = match target {
                        Space::Memory(memory) => {
                            b.effect(Op::Bounds { memory, offset: 0, bytes: 0 }, Type::I32, &[to, count]);
                            Space::Data
                        }
                        Space::Table(table) => {
                            let TableData { size, size_cell, .. } = self.module.tables[table];
                            let size = match size_cell {
                                Some(cell) => b.value(Op::CellGet(cell), Type::I32, &[]),
                                None => b.word(size),
                            };
                            b.effect(Op::Within(TrapCode::TableOutOfBounds), Type::I32, &[to, count, size]);
                            Space::Elements
                        }
                        _ => unreachable!("segments are for memories and tables"),
                    };
                    b.effect(Op::Copy { from: source, to: target }, Type::I32, &[to, from, count]);
                    let none = b.word(0);
                    b.effect(Op::CellSet(cell), Type::I32, &[none]);
                }
                Creation::AtLeast { size, least, code } => {
                    let [size, least] = [b.value(Op::CellGet(size), Type::I32, &[]), b.word(least)];
                    let less = b.word_op(BinaryOp::LtU, size, least);
                    b.trap_if(code, less);
                }
                Creation::Trap(code) => {
                    b.terminate(Terminator::Trap(code));
                    ended = true;
                    break;
                }
            }
        }
        if !ended {
            b.terminate(Terminator::Return(Values::new()));
        }
        // No table has it, so its type is never asked for.
        let sequence = self.declare(u32::MAX);
        self.define(sequence, func);
        sequence
    }

    /// Adds the compiler's own table, which a call of a reference reads.
    fn add_reference_table(&mut self) {
        let count = self.module.references.len() as u32;
        let entries = (1..=count).map(|reference| (reference, reference)).collect();
        self.module.tables.push(TableData { size: count + 1, size_cell: None, entries });
    }
}
