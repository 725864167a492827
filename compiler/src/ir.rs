//! The intermediate representation: functions in SSA form with block parameters.
//!
//! `frontend` makes it with 32- and 64-bit values; `legalize` leaves only words (`Type::I32`), and
//! from there on every value is one number in [0, 2^32). Floats are bit patterns from the start.
//!
//! Calls end a block: their results are the first parameters of the block that they return to (its only
//! predecessor is the call). A tail call replaces the function that makes it: the callee returns to that
//! function's caller. Accesses to memory and tables are unchecked; an [`Op::Bounds`] or [`Op::Within`] before
//! them traps where WebAssembly says so. A reference to a function is a word, the number of the reference
//! (see [`Module::references`]); an `externref` is whatever the host gave; null is 0. Everything that has a
//! side effect or can trap happens in program order, within a block in the order of its instructions.

use std::collections::BTreeMap;

use cranelift_entity::{PrimaryMap, entity_impl};
use smallvec::SmallVec;
use wasm2onnx_runtime::{Boundary, Lines, TrapCode};

/// A function of the module: an index into [`Module::functions`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Func(u32);
entity_impl!(Func, "fn");

/// A basic block of a function.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Block(u32);
entity_impl!(Block, "block");

/// An SSA value of a function.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Value(u32);
entity_impl!(Value, "v");

/// A cell of the `global` region: a word of a global, or one of the compiler's own.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cell(u32);
entity_impl!(Cell, "cell");

/// A table of references.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TableId(u32);
entity_impl!(TableId, "table");

/// A linear memory.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MemoryId(u32);
entity_impl!(MemoryId, "memory");

/// Type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    /// A word, also the bit pattern of an f32.
    I32,
    /// Two words, also the bit pattern of an f64. Only before `legalize`.
    I64,
}

/// Arguments of an instruction or of a jump.
pub type Values = SmallVec<[Value; 4]>;

/// Operations without side effects on one operand. `Eqz` gives an I32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum UnaryOp {
    /// 1 if the operand is 0, else 0.
    Eqz,
    /// Number of zero bits above the highest 1; all of them if the operand is 0.
    Clz,
    /// Number of zero bits below the lowest 1; all of them if the operand is 0.
    Ctz,
    /// Number of bits that are 1.
    Popcnt,
    /// Sign extension of the lowest 8 bits.
    Extend8S,
    /// Sign extension of the lowest 16 bits.
    Extend16S,
    /// Only before `legalize`: sign extension of the lowest 32 bits of an I64.
    Extend32S,
    /// Only before `legalize`: the low word of an I64.
    Wrap,
    /// Only before `legalize`: the I64 whose low word is the operand and whose high word is 0.
    ExtendU,
    /// Only before `legalize`: the I64 that is the same number as the operand, both signed.
    ExtendS,
}

/// Operations without side effects on two operands of one type. Comparisons give an I32, 0 or 1. All are
/// total: division by zero gives the dividend with remainder 0 (the trap is a [`Op::TrapIf`] before it), and
/// the signed division of the minimum by −1 gives the minimum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum BinaryOp {
    /// Sum, wrapped.
    Add,
    /// Difference, wrapped.
    Sub,
    /// Product, wrapped.
    Mul,
    /// Only after `legalize`: high word of the unsigned product.
    MulHi,
    /// Only after `legalize`: 1 if the sum of two words is 2^32 or more.
    Carry,
    /// Bitwise and.
    And,
    /// Bitwise or.
    Or,
    /// Bitwise exclusive or.
    Xor,
    /// Shift to the left. Amounts of shifts and rotations count modulo the width of the type.
    Shl,
    /// Shift to the right, zeros moving in.
    ShrU,
    /// Shift to the right, the sign moving in.
    ShrS,
    /// Rotation to the left.
    Rotl,
    /// Rotation to the right; not after `legalize`.
    Rotr,
    /// Whether they are equal.
    Eq,
    /// Whether they differ.
    Ne,
    /// Whether the first is less than the second, both unsigned.
    LtU,
    /// Whether the first is less than the second, both signed.
    LtS,
    /// Whether the first is greater than or equal to the second, both unsigned.
    GeU,
    /// Whether the first is greater than or equal to the second, both signed.
    GeS,
    /// Unsigned quotient.
    DivU,
    /// Unsigned remainder.
    RemU,
    /// Signed quotient, rounded towards 0; not after `legalize`.
    DivS,
    /// Signed remainder, with the dividend's sign; not after `legalize`.
    RemS,
}

/// Float arithmetic on bit patterns, done by routines of the library. The frontend makes all other float
/// operations out of operations on the bits. A NaN result is the canonical NaN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FloatOp {
    /// Sum.
    Add,
    /// Product.
    Mul,
    /// Quotient.
    Div,
    /// Square root.
    Sqrt,
    /// The smallest integer that is not less.
    Ceil,
    /// The largest integer that is not greater.
    Floor,
    /// The integer part.
    Trunc,
    /// The nearest integer; of two that are equally near, the even one.
    Nearest,
    /// From an f32 to the f64 that is the same number.
    Promote,
    /// From an f64 to the nearest f32.
    Demote,
    /// From an integer to the nearest float.
    FromInt {
        /// Whether the integer is signed.
        signed: bool,
        /// Type of the float.
        to: Type,
    },
    /// From a float to its integer part; for a number that is too large, the nearest integer of the type, and
    /// for a NaN, 0.
    ToInt {
        /// Whether the integer is signed.
        signed: bool,
        /// Type of the integer.
        to: Type,
    },
}

impl FloatOp {
    /// Returns the number of operands.
    pub fn operands(self) -> usize {
        if matches!(self, FloatOp::Add | FloatOp::Mul | FloatOp::Div) { 2 } else { 1 }
    }

    /// Returns the type of the result if the operands are of type `ty`.
    pub fn result(self, ty: Type) -> Type {
        match self {
            FloatOp::Promote => Type::I64,
            FloatOp::Demote => Type::I32,
            FloatOp::FromInt { to, .. } | FloatOp::ToInt { to, .. } => to,
            _ => ty,
        }
    }
}

/// Bytes that the program gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Output {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// The outputs of functions of tensors.
    Results,
}

impl Output {
    /// All of them, in the order of their numbers.
    pub const ALL: [Output; 3] = [Output::Stdout, Output::Stderr, Output::Results];

    /// Returns its name: that of its region, and of the output of a model.
    pub fn name(self) -> &'static str {
        match self {
            Output::Stdout => "stdout",
            Output::Stderr => "stderr",
            Output::Results => "results",
        }
    }
}

/// Address spaces. Each address has a byte or, in some spaces, a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Space {
    /// A linear memory.
    Memory(MemoryId),
    /// What the host gives, one behind the other: the arguments of a WASI program and its environment, each string ended by a
    /// 0, its tree of files, which is a ustar archive, standard input, of which more may arrive while the program runs, and the
    /// inputs of a function of tensors.
    Input,
    /// What is printed.
    Output(Output),
    /// Bytes of the passive data segments, one after the other.
    Data,
    /// Words: the references of a table.
    Table(TableId),
    /// Words: the references of the passive element segments, one after the other.
    Elements,
}

impl Space {
    /// Returns whether its cells are words rather than bytes.
    pub fn has_words(self) -> bool {
        matches!(self, Space::Table(_) | Space::Elements)
    }
}

/// What an instruction does.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// A constant of the instruction's type, given by its bits.
    Const(u64),
    /// One operand, of the instruction's type.
    Unary(UnaryOp),
    /// Two operands, of the instruction's type.
    Binary(BinaryOp),
    /// Only before `legalize`: float arithmetic; the instruction's type is that of the operands.
    Float(FloatOp),
    /// `args[0] != 0 ? args[1] : args[2]`.
    Select,
    /// Reads `bytes` little-endian bytes at `args[0] + offset` (not wrapped), or one word in a space of words
    /// (`bytes` is then 4). Reads 0 where there is nothing; never traps.
    Load {
        /// Space to read.
        space: Space,
        /// 1, 2, 4, or 8 before `legalize`.
        bytes: u8,
        /// Whether the most significant bit is extended to the instruction's type.
        signed: bool,
        /// Added to the address.
        offset: u64,
    },
    /// Writes the lowest `bytes` bytes of `args[1]` at `args[0] + offset`, or the word `args[1]` in a space
    /// of words.
    Store {
        /// Space to write.
        space: Space,
        /// 1, 2, 4, or 8 before `legalize`.
        bytes: u8,
        /// Added to the address.
        offset: u64,
    },
    /// Only before `legalize`: copies `args[2]` cells from `args[1]` in one space to `args[0]` in another
    /// with cells of the same kind, or in the same one, where the two ranges may overlap.
    Copy {
        /// Space to read.
        from: Space,
        /// Space to write.
        to: Space,
    },
    /// Only before `legalize`: writes `args[1]`, or its lowest byte in a space of bytes, to `args[2]` cells
    /// from `args[0]` on.
    Fill(Space),
    /// Only after `legalize`: the same as [`Op::Copy`] for a constant number of cells, at most [`MAX_CELLS`].
    Move {
        /// Space to read.
        from: Space,
        /// Space to write.
        to: Space,
        /// Number of cells.
        cells: u8,
    },
    /// Only after `legalize`: writes `args[1]`, or its lowest byte in a space of bytes, to `cells` cells from
    /// `args[0]` on, at most [`MAX_CELLS`].
    Repeat {
        /// Space to write.
        space: Space,
        /// Number of cells.
        cells: u8,
    },
    /// Traps with `MemoryOutOfBounds` unless `args[0] + offset + bytes <=` size of the memory in bytes. If
    /// there is a second argument, it is added, too.
    Bounds {
        /// The memory that is accessed.
        memory: MemoryId,
        /// Added to the address.
        offset: u64,
        /// Number of bytes accessed.
        bytes: u8,
    },
    /// Traps unless `args[0] + args[1] <= args[2]`, not wrapped.
    Within(TrapCode),
    /// Traps if `args[0] != 0`.
    TrapIf(TrapCode),
    /// Reads a cell.
    CellGet(Cell),
    /// Writes a cell.
    CellSet(Cell),
    /// Reads which function entry `args[0]` of a table that does not change refers to, as an opaque function
    /// reference: 0 where there is none. Reads 0 out of range.
    TableFunc(TableId),
    /// Reads the type id of entry `args[0]` of a table that does not change: 1 + index of the canonical type,
    /// 0 where there is none.
    TableType(TableId),
}

/// Maximum number of cells that one instruction moves: a step can append that many rows and more.
pub const MAX_CELLS: u8 = 16;

/// An instruction.
#[derive(Clone, Debug, PartialEq)]
pub struct Inst {
    /// What it does.
    pub op: Op,
    /// Type that it works on: that of the values for loads, stores, constants, arithmetic and selects.
    pub ty: Type,
    /// Operands.
    pub args: Values,
    /// Its result, if it has one.
    pub result: Option<Value>,
    /// Offset of the wasm instruction in the module, in bytes.
    pub offset: u32,
}

impl Inst {
    /// Returns whether it has an effect or can trap, so that it must stay even if its result is unused.
    pub fn has_effect(&self) -> bool {
        self.can_trap() || self.writes().is_some() || matches!(self.op, Op::CellSet(_))
    }
    /// Returns whether it can trap.
    pub fn can_trap(&self) -> bool {
        matches!(self.op, Op::Bounds { .. } | Op::Within(_) | Op::TrapIf(_))
    }
    /// Returns the space that it writes to.
    pub fn writes(&self) -> Option<Space> {
        match self.op {
            Op::Store { space, .. } | Op::Fill(space) | Op::Repeat { space, .. } => Some(space),
            Op::Copy { to, .. } | Op::Move { to, .. } => Some(to),
            _ => None,
        }
    }
    /// Returns the space that it reads from.
    pub fn reads(&self) -> Option<Space> {
        match self.op {
            Op::Load { space, .. } => Some(space),
            Op::Copy { from, .. } | Op::Move { from, .. } => Some(from),
            _ => None,
        }
    }
    /// Returns whether it depends on nothing but its operands, so that equal ones are interchangeable.
    pub fn is_pure(&self) -> bool {
        matches!(self.op, Op::Const(_) | Op::Unary(_) | Op::Binary(_) | Op::Select)
    }
}

/// A jump with arguments for the parameters of the block.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BlockCall {
    /// Target block.
    pub block: Block,
    /// Arguments, one for each parameter.
    pub args: Values,
}

/// What is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Callee {
    /// A function of the module.
    Direct(Func),
    /// Only before `legalize`: table entry `index` of canonical type `ty`.
    Indirect {
        /// Which table.
        table: TableId,
        /// Canonical type index (equal types have equal indices).
        ty: u32,
        /// Index of the entry.
        index: Value,
    },
    /// Only after `legalize`: a function reference read by [`Op::TableFunc`].
    Reference(Value),
}

/// How a block ends.
#[derive(Clone, Debug, PartialEq)]
pub enum Terminator {
    /// Jumps.
    Jump(BlockCall),
    /// Goes to `then` if `cond` is not 0, else to `otherwise`.
    Branch {
        /// A word.
        cond: Value,
        /// Target if `cond` is not 0.
        then: BlockCall,
        /// Target if `cond` is 0.
        otherwise: BlockCall,
    },
    /// `br_table`.
    Switch {
        /// A word.
        index: Value,
        /// Targets for 0, 1, ….
        targets: Vec<BlockCall>,
        /// Target for all other indices.
        default: BlockCall,
    },
    /// Calls, and goes on at `next` with the results as its parameters.
    Call {
        /// What is called.
        callee: Callee,
        /// Arguments.
        args: Values,
        /// Block to go on at. Its only predecessor is this call.
        next: Block,
    },
    /// Calls, and returns what the callee returns. The callee runs in place of this function: no call is open
    /// for it.
    TailCall {
        /// What is called.
        callee: Callee,
        /// Arguments.
        args: Values,
    },
    /// Returns from the function.
    Return(Values),
    /// Traps.
    Trap(TrapCode),
}

/// A basic block.
#[derive(Clone, Debug, PartialEq)]
pub struct BlockData {
    /// Parameters (of the entry block: the function's).
    pub params: Vec<Value>,
    /// Instructions in program order.
    pub insts: Vec<Inst>,
    /// How it ends.
    pub term: Terminator,
    /// Offset of the terminator's instruction in the module, in bytes.
    pub term_offset: u32,
}

/// A routine of the compiler's library, for what has no circuit of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Routine {
    /// `(a, b) -> (a / b, a % b)` on unsigned words. The only function with variable divisors.
    Udivrem32,
    /// `(high, low, divisor)`: the same for a dividend of two words, the high one of which is below the
    /// divisor.
    Udivrem64By32,
    /// The same as [`Routine::Udivrem32`] on unsigned 64-bit integers.
    Udivrem64,
    /// The same on signed 64-bit integers.
    Sdivrem64,
    /// Float arithmetic on operands of a type.
    Float(FloatOp, Type),
    /// [`Op::Copy`] of any length.
    Copy {
        /// Space to read.
        from: Space,
        /// Space to write.
        to: Space,
    },
    /// [`Op::Fill`] of any length.
    Fill(Space),
}

/// Where a function comes from. Its name does not tell this, because names are for people: a program may give
/// its functions the names of routines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A module: the wasm function with that number in [`Module::function_names`].
    Module(u32),
    /// The library.
    Routine(Routine),
}

/// A function in SSA form.
#[derive(Clone, Debug)]
pub struct Function {
    /// Its name, for people: from the name section, an export, or `func[i]`.
    pub name: String,
    /// Where it comes from.
    pub origin: Origin,
    /// Types of the results.
    pub results: Vec<Type>,
    /// Blocks. Blocks that are not reachable from `entry` may be there and mean nothing.
    pub blocks: PrimaryMap<Block, BlockData>,
    /// Type of every value.
    pub values: PrimaryMap<Value, Type>,
    /// Entry block.
    pub entry: Block,
}

/// Size of a memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemorySize {
    /// It never changes: number of pages of 65,536 bytes.
    Constant(u32),
    /// A cell holds the number of pages, which is at most `max`.
    Cell {
        /// Which cell.
        cell: Cell,
        /// Maximum number of pages.
        max: u32,
    },
}

impl MemorySize {
    /// Returns the maximum number of pages.
    pub fn max(self) -> u32 {
        match self {
            MemorySize::Constant(max) | MemorySize::Cell { max, .. } => max,
        }
    }
}

/// A linear memory.
#[derive(Clone, Debug)]
pub struct MemoryData {
    /// Its size.
    pub size: MemorySize,
    /// Its initial bytes: disjoint, ascending by address; zero bytes may be left out.
    pub data: Vec<(u32, Vec<u8>)>,
}

/// A table of references.
#[derive(Clone, Debug)]
pub struct TableData {
    /// Initial number of entries.
    pub size: u32,
    /// Cell with the number of entries, if an instruction asks for it.
    pub size_cell: Option<Cell>,
    /// Initial entries that are not null: index and reference, ascending.
    pub entries: Vec<(u32, u32)>,
}

/// What a cell holds.
#[derive(Clone, Debug)]
pub struct CellData {
    /// Name, for people.
    pub name: String,
    /// First value.
    pub init: u32,
    /// Largest value that it can ever hold.
    pub max: u32,
}

/// The cells that the host writes or looks at; each is there only if the program uses it. The host writes them before an
/// instance is created, but for the end of standard input and its position: it may write both whenever the program is about to
/// read the end, so no two reads of the end are merged, each begins a packet, and nothing is known of the position behind
/// it. At such a read the host also looks at `stdin_position` and `outputs`, so a write to these must not be removed or moved
/// across it. After a trap and at the end of a call, the host can see all cells.
#[derive(Clone, Debug, Default)]
pub struct Host {
    /// Where the arguments end in [`Space::Input`].
    pub argv_end: Option<Cell>,
    /// Where the environment ends, which begins behind the arguments.
    pub environ_end: Option<Cell>,
    /// Where the tree of files ends, which begins behind the environment.
    pub files_end: Option<Cell>,
    /// Where the standard input that has arrived ends. It begins behind the tree of files.
    pub stdin_end: Option<Cell>,
    /// Where the standard input begins that the program has not read yet. If the program reads any, the host writes it, too;
    /// once the program has read all that has arrived, the host may put what arrives next in its place.
    pub stdin_position: Option<Cell>,
    /// Number of bytes of each [`Output`].
    pub outputs: [Option<Cell>; Output::ALL.len()],
    /// Nanoseconds since 1970 when the instance is created: the low word and the high word.
    pub clock: [Option<Cell>; 2],
    /// The seed of random numbers: the low word and the high word.
    pub seed: [Option<Cell>; 2],
    /// Which of the descriptors 0, 1, 2 are terminals: a bit for each.
    pub terminals: Option<Cell>,
    /// The exit status, once the program has ended itself.
    pub exit_code: Option<Cell>,
    /// Where the inputs of a function of tensors begin in [`Space::Input`]. The host writes it before each call of one.
    pub tensors: Option<Cell>,
    /// The number that a function of tensors has reported as an error.
    pub error: Option<Cell>,
}

impl Host {
    /// Returns the cells with the ends of what the host gives.
    pub fn ends(&self) -> [Option<Cell>; 4] {
        [self.argv_end, self.environ_end, self.files_end, self.stdin_end]
    }

    /// Returns the cells that say where something is in [`Space::Input`].
    pub fn input(&self) -> impl Iterator<Item = Cell> {
        self.ends().into_iter().chain([self.tensors]).flatten()
    }

    /// Returns the cells that the host writes.
    pub fn written(&self) -> impl Iterator<Item = Cell> {
        let words = [self.terminals, self.stdin_position, self.tensors];
        let numbers = self.clock.into_iter().chain(self.seed).chain(words);
        self.ends().into_iter().chain(numbers).flatten()
    }

    /// Returns all of its cells, to be changed.
    pub fn cells_mut(&mut self) -> impl Iterator<Item = &mut Option<Cell>> {
        let Host {
            argv_end,
            environ_end,
            files_end,
            stdin_end,
            stdin_position,
            outputs,
            clock,
            seed,
            terminals,
            exit_code,
            tensors,
            error,
        } = self;
        let several = outputs.iter_mut().chain(clock).chain(seed);
        let ends = [argv_end, environ_end, files_end, stdin_end];
        several.chain(ends).chain([stdin_position, terminals, exit_code, tensors, error])
    }
}

/// A module.
#[derive(Clone, Debug, Default)]
pub struct Module {
    /// Functions, in the order of the wasm index space without imports; library routines come last.
    pub functions: PrimaryMap<Func, Function>,
    /// Canonical type index of each function, for `call_indirect`.
    pub function_types: PrimaryMap<Func, u32>,
    /// Cells of the `global` region.
    pub cells: PrimaryMap<Cell, CellData>,
    /// Tables. The last one is the compiler's own: its entry `i` is the reference `i`, for all functions to
    /// which there are references.
    pub tables: PrimaryMap<TableId, TableData>,
    /// Function that reference 1 + `i` refers to; `None` if nothing can call it.
    pub references: Vec<Option<Func>>,
    /// Contents of [`Space::Data`].
    pub passive_data: Vec<u8>,
    /// Contents of [`Space::Elements`].
    pub passive_elements: Vec<u32>,
    /// The memories.
    pub memories: PrimaryMap<MemoryId, MemoryData>,
    /// If present, instance creation traps with this code (a segment that does not fit; tables and memories then hold
    /// what comes before).
    pub creation_trap: Option<TrapCode>,
    /// The start function.
    pub start: Option<Func>,
    /// Exported functions with their wasm types.
    pub exports: Vec<(String, Func, Signature)>,
    /// The tensors of those of them that are functions of tensors.
    pub boundaries: BTreeMap<String, Boundary>,
    /// Exported globals: name, type, whether it is mutable, and the cells of its words, low word first.
    pub exported_globals: Vec<(String, wasm2onnx_runtime::ValueType, bool, Vec<Cell>)>,
    /// Exported memories with their names.
    pub exported_memories: Vec<(String, MemoryId)>,
    /// What the host gives and looks at.
    pub host: Host,
    /// Maximum number of pages of a memory, and the cell with the number of pages that was refused last, if
    /// the module itself would let the memory grow further.
    pub growth_limit: Option<(u32, Cell)>,
    /// Names of all wasm functions of all modules, imports included, for messages.
    pub function_names: Vec<String>,
    /// Where the body of each function begins, and the number of the function in `function_names`, ascending.
    /// After inlining, the function of an instruction is found by the instruction's offset. If there are several modules,
    /// offsets count as if the modules were put one behind the other.
    pub function_offsets: Vec<(u32, u32)>,
    /// Where each module begins among all of them.
    pub modules: Vec<u32>,
    /// The lines of source text that instructions come from, by their offsets in their own modules.
    pub lines: Lines,
}

/// A function type at the boundary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// Parameters.
    pub params: Vec<wasm2onnx_runtime::ValueType>,
    /// Results.
    pub results: Vec<wasm2onnx_runtime::ValueType>,
}
