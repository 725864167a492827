//! The reference evaluator of the IR, typed or of words, by which the phases are compared.
//!
//! It does what the IR's documentation says, one instruction after the other, and keeps its own
//! stack of activations, so that deep recursion of a program is a trap and not a crash.

pub(crate) mod float;

use cranelift_entity::SecondaryMap;
use smallvec::SmallVec;
use wasm2onnx_runtime::TrapCode;

use crate::ir::*;

const PAGE: usize = wasm2onnx_runtime::PAGE_BYTES as usize;

/// A module being run.
pub struct Machine<'a> {
    module: &'a Module,
    /// Linear memories.
    pub memories: SecondaryMap<MemoryId, Vec<u8>>,
    /// Values of the cells.
    pub cells: SecondaryMap<Cell, u32>,
    /// References in the tables.
    pub tables: SecondaryMap<TableId, Vec<u32>>,
    passive_data: Vec<u8>,
    /// What the host gives; set with [`Machine::set_input`].
    input: Vec<u8>,
    /// What the program prints.
    outputs: [Vec<u8>; Output::ALL.len()],
    /// Instructions and terminators that may still be evaluated.
    pub fuel: u64,
    /// Maximum number of calls that may be open.
    max_depth: usize,
}

/// Why a call has no results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The program traps.
    Trap(TrapCode),
    /// The fuel is used up.
    Fuel,
    /// There is no such export.
    NoSuchExport,
}

struct Activation<'a> {
    func: &'a Function,
    values: Vec<u64>,
    block: Block,
    /// Block that the results of the call in progress go to.
    next: Option<Block>,
}

impl<'a> Machine<'a> {
    /// Creates an instance and runs the start function.
    ///
    /// # Errors
    ///
    /// If that traps.
    pub fn new(module: &'a Module) -> Result<Self, Failure> {
        Self::with_fuel(module, u64::MAX)
    }

    /// Does the same with a limit on the number of instructions, for the start function and all calls
    /// together.
    ///
    /// # Errors
    ///
    /// If the start function traps or the limit is too low.
    pub fn with_fuel(module: &'a Module, fuel: u64) -> Result<Self, Failure> {
        let mut cells = SecondaryMap::new();
        for (cell, data) in &module.cells {
            cells[cell] = data.init;
        }
        let mut memories: SecondaryMap<MemoryId, Vec<u8>> = SecondaryMap::new();
        for (memory, data) in &module.memories {
            let pages = match data.size {
                MemorySize::Constant(pages) => pages,
                MemorySize::Cell { cell, .. } => cells[cell],
            };
            memories[memory] = vec![0; pages as usize * PAGE];
            for (address, bytes) in &data.data {
                memories[memory][*address as usize..][..bytes.len()].copy_from_slice(bytes);
            }
        }
        let mut tables: SecondaryMap<TableId, Vec<u32>> = SecondaryMap::new();
        for (table, data) in &module.tables {
            tables[table] = vec![0; data.size as usize];
            for (index, reference) in &data.entries {
                tables[table][*index as usize] = *reference;
            }
        }
        let mut machine = Machine {
            module,
            memories,
            cells,
            tables,
            passive_data: module.passive_data.clone(),
            input: Vec::new(),
            outputs: Default::default(),
            fuel,
            max_depth: 1000,
        };
        if let Some(code) = module.creation_trap {
            return Err(Failure::Trap(code));
        }
        if let Some(start) = module.start {
            machine.call_function(start, &[])?;
        }
        Ok(machine)
    }

    /// Sets what the host gives: arguments, environment, files and standard input.
    pub fn set_input(&mut self, parts: [&[u8]; 4]) {
        let host = &self.module.host;
        self.input.clear();
        for (i, (part, end)) in parts.into_iter().zip(host.ends()).enumerate() {
            if let (3, Some(position)) = (i, host.stdin_position) {
                self.cells[position] = self.input.len() as u32;
            }
            // What the program does not use is not there.
            let Some(end) = end else { continue };
            self.input.extend_from_slice(part);
            self.cells[end] = self.input.len() as u32;
        }
    }

    /// Returns what the program has printed.
    pub fn output(&self, output: Output) -> &[u8] {
        let length = self.module.host.outputs[output as usize].map_or(0, |cell| self.cells[cell]);
        &self.outputs[output as usize][..length as usize]
    }

    /// Calls an exported function. Arguments and results are of the function's types at the
    /// boundary, as bits, whether the module is legalized or not.
    ///
    /// # Errors
    ///
    /// [`Failure`]
    pub fn call(&mut self, name: &str, args: &[u64]) -> Result<Vec<u64>, Failure> {
        let (_, func, signature) =
            self.module.exports.iter().find(|export| export.0 == name).ok_or(Failure::NoSuchExport)?;
        let legalized = {
            let words: usize = signature.params.iter().chain(&signature.results).map(|ty| ty.words()).sum();
            let function = &self.module.functions[*func];
            words == function.blocks[function.entry].params.len() + function.results.len()
        };
        if !legalized {
            return self.call_function(*func, args);
        }
        let mut words = Vec::new();
        for (ty, arg) in signature.params.iter().zip(args) {
            words.push(*arg & 0xffff_ffff);
            if ty.words() == 2 {
                words.push(*arg >> 32);
            }
        }
        let mut words = self.call_function(*func, &words)?.into_iter();
        let mut word = || words.next().expect("as many words as the type has");
        Ok(signature
            .results
            .iter()
            .map(|ty| word() | if ty.words() == 2 { word() << 32 } else { 0 })
            .collect())
    }

    /// Calls a function with arguments of its own parameters' types.
    fn call_function(&mut self, func: Func, args: &[u64]) -> Result<Vec<u64>, Failure> {
        let mut activations = vec![self.enter(func, args)];
        loop {
            let depth = activations.len();
            let activation = activations.last_mut().expect("returns before it is empty");
            let data = &activation.func.blocks[activation.block];
            self.fuel = self.fuel.checked_sub(data.insts.len() as u64 + 1).ok_or(Failure::Fuel)?;
            for inst in &data.insts {
                let args: SmallVec<[u64; 4]> =
                    inst.args.iter().map(|v| activation.values[v.as_u32() as usize]).collect();
                if let Some(value) = self.inst(inst, &args)? {
                    activation.values[inst.result.expect("it has one").as_u32() as usize] = value;
                }
            }
            let get = |activation: &Activation, v: &Value| activation.values[v.as_u32() as usize];
            match &data.term {
                Terminator::Jump(call) => activation.goto(call),
                Terminator::Branch { cond, then, otherwise } => {
                    let call = if get(activation, cond) != 0 { then } else { otherwise };
                    activation.goto(call);
                }
                Terminator::Switch { index, targets, default } => {
                    let call = targets.get(get(activation, index) as usize).unwrap_or(default);
                    activation.goto(call);
                }
                Terminator::Call { callee, args, next } => {
                    activation.next = Some(*next);
                    let args: Vec<u64> = args.iter().map(|v| get(activation, v)).collect();
                    let func = self.callee(activation, callee)?;
                    if depth >= self.max_depth {
                        return Err(Failure::Trap(TrapCode::CallStackExhausted));
                    }
                    activations.push(self.enter(func, &args));
                }
                Terminator::TailCall { callee, args } => {
                    let args: Vec<u64> = args.iter().map(|v| get(activation, v)).collect();
                    *activation = self.enter(self.callee(activation, callee)?, &args);
                }
                Terminator::Return(values) => {
                    let results: Vec<u64> = values.iter().map(|v| get(activation, v)).collect();
                    activations.pop();
                    let Some(caller) = activations.last_mut() else { return Ok(results) };
                    caller.block = caller.next.take().expect("set by the call");
                    caller.set_params(&results);
                }
                Terminator::Trap(code) => return Err(Failure::Trap(*code)),
            }
        }
    }

    fn enter(&self, func: Func, args: &[u64]) -> Activation<'a> {
        let func = &self.module.functions[func];
        let mut activation =
            Activation { func, values: vec![0; func.values.len()], block: func.entry, next: None };
        activation.set_params(args);
        activation
    }

    fn callee(&self, activation: &Activation, callee: &Callee) -> Result<Func, Failure> {
        let get = |v: &Value| activation.values[v.as_u32() as usize] as u32;
        match callee {
            Callee::Direct(func) => Ok(*func),
            Callee::Reference(v) => Ok(Func::from_u32(get(v) - 1)),
            Callee::Indirect { table, ty, index } => {
                self.indirect(*table, *ty, get(index)).map_err(Failure::Trap)
            }
        }
    }

    fn indirect(&self, table: TableId, ty: u32, index: u32) -> Result<Func, TrapCode> {
        let size = match self.module.tables[table].size_cell {
            Some(cell) => self.cells[cell],
            None => self.module.tables[table].size,
        };
        if index >= size {
            return Err(TrapCode::UndefinedElement);
        }
        let func = self.table_entry(table, index).ok_or(TrapCode::UninitializedElement)?;
        if self.module.function_types[func] != ty {
            return Err(TrapCode::IndirectCallTypeMismatch);
        }
        Ok(func)
    }

    fn table_entry(&self, table: TableId, index: u32) -> Option<Func> {
        self.module.referenced(*self.tables[table].get(index as usize)?)
    }

    fn inst(&mut self, inst: &Inst, args: &[u64]) -> Result<Option<u64>, Failure> {
        let value = match &inst.op {
            Op::Const(bits) => *bits,
            Op::Unary(op) => unary(*op, inst.ty, args[0]),
            Op::Binary(op) => binary(*op, inst.ty, args[0], args[1]),
            Op::Float(op) => float::evaluate(*op, inst.ty, args),
            Op::Select => {
                if args[0] != 0 {
                    args[1]
                } else {
                    args[2]
                }
            }
            Op::Load { space, offset, .. } if space.has_words() => self.word(*space, args[0] + offset),
            Op::Store { space, offset, .. } if space.has_words() => {
                self.set_word(*space, args[0] + offset, args[1]);
                return Ok(None);
            }
            Op::Load { space, bytes, signed, offset } => {
                let bytes_of = self.space(*space);
                let address = args[0] + offset;
                let mut value = 0;
                for i in 0..*bytes as u64 {
                    let byte = usize::try_from(address + i).ok().and_then(|a| bytes_of.get(a));
                    value |= (*byte.unwrap_or(&0) as u64) << (8 * i);
                }
                if *signed {
                    let shift = 64 - 8 * *bytes as u32;
                    value = (((value << shift) as i64) >> shift) as u64;
                }
                truncate(inst.ty, value)
            }
            Op::Store { space, bytes, offset } => {
                let address = (args[0] + offset) as usize;
                let end = address + *bytes as usize;
                // A store comes after a bounds check; one that does not is an error of the compiler.
                self.target(*space, end)[address..end]
                    .copy_from_slice(&args[1].to_le_bytes()[..*bytes as usize]);
                return Ok(None);
            }
            Op::Copy { from, to } => {
                self.copy(*from, *to, args[0], args[1], args[2]);
                return Ok(None);
            }
            Op::Move { from, to, cells } => {
                self.copy(*from, *to, args[0], args[1], *cells as u64);
                return Ok(None);
            }
            Op::Fill(space) => {
                self.fill(*space, args[0], args[1], args[2]);
                return Ok(None);
            }
            Op::Repeat { space, cells } => {
                self.fill(*space, args[0], args[1], *cells as u64);
                return Ok(None);
            }
            Op::Within(code) => {
                if args[0] + args[1] > args[2] {
                    return Err(Failure::Trap(*code));
                }
                return Ok(None);
            }
            Op::Bounds { memory, offset, bytes } => {
                let more = args.get(1).unwrap_or(&0);
                if args[0] + more + offset + *bytes as u64 > self.memories[*memory].len() as u64 {
                    return Err(Failure::Trap(TrapCode::MemoryOutOfBounds));
                }
                return Ok(None);
            }
            Op::TrapIf(code) => {
                if args[0] != 0 {
                    return Err(Failure::Trap(*code));
                }
                return Ok(None);
            }
            Op::CellGet(cell) => self.cells[*cell] as u64,
            Op::CellSet(cell) => {
                let value = args[0] as u32;
                assert!(value <= self.module.cells[*cell].max, "{cell} is {value}");
                self.cells[*cell] = value;
                for (memory, data) in &self.module.memories {
                    if let MemorySize::Cell { cell: pages, .. } = data.size
                        && pages == *cell
                    {
                        self.memories[memory].resize(value as usize * PAGE, 0);
                    }
                }
                return Ok(None);
            }
            Op::TableFunc(table) => {
                self.table_entry(*table, args[0] as u32).map_or(0, |func| func.as_u32() as u64 + 1)
            }
            Op::TableType(table) => {
                let func = self.table_entry(*table, args[0] as u32);
                func.map_or(0, |func| self.module.function_types[func] as u64 + 1)
            }
        };
        Ok(Some(value))
    }

    fn space(&mut self, space: Space) -> &mut Vec<u8> {
        match space {
            Space::Memory(memory) => &mut self.memories[memory],
            Space::Input => &mut self.input,
            Space::Output(output) => &mut self.outputs[output as usize],
            Space::Data => &mut self.passive_data,
            Space::Table(_) | Space::Elements => unreachable!("a space of words"),
        }
    }

    /// Returns a space that is about to be written up to `end`. An output grows as it is written.
    fn target(&mut self, space: Space, end: usize) -> &mut Vec<u8> {
        let bytes = self.space(space);
        if matches!(space, Space::Output(_)) && bytes.len() < end {
            bytes.resize(end, 0);
        }
        bytes
    }

    /// Returns a cell of a space of words; 0 where there is none.
    fn word(&self, space: Space, address: u64) -> u64 {
        let words = match space {
            Space::Table(table) => &self.tables[table],
            _ => &self.module.passive_elements,
        };
        u64::from(*words.get(address as usize).unwrap_or(&0))
    }

    /// Writes a word of a table. It was checked before that the table is large enough, and its size may have
    /// grown.
    fn set_word(&mut self, space: Space, address: u64, value: u64) {
        let Space::Table(table) = space else { unreachable!("only tables are written") };
        let words = &mut self.tables[table];
        if words.len() <= address as usize {
            words.resize(address as usize + 1, 0);
        }
        words[address as usize] = value as u32;
    }

    fn copy(&mut self, from: Space, to: Space, target: u64, source: u64, cells: u64) {
        if from.has_words() {
            let words: Vec<u64> = (0..cells).map(|i| self.word(from, source + i)).collect();
            for (i, word) in (0..).zip(words) {
                self.set_word(to, target + i, word);
            }
        } else {
            let (source, cells) = (source as usize, cells as usize);
            // What lies behind an input is 0.
            let bytes = self.space(from);
            let mut bytes = bytes[source.min(bytes.len())..bytes.len().min(source + cells)].to_vec();
            assert!(bytes.len() == cells || from == Space::Input, "{from} ends before {}", source + cells);
            bytes.resize(cells, 0);
            let target = target as usize;
            self.target(to, target + cells)[target..][..cells].copy_from_slice(&bytes);
        }
    }

    fn fill(&mut self, space: Space, target: u64, value: u64, cells: u64) {
        if space.has_words() {
            (0..cells).for_each(|i| self.set_word(space, target + i, value));
        } else {
            let (target, cells) = (target as usize, cells as usize);
            self.target(space, target + cells)[target..][..cells].fill(value as u8);
        }
    }
}

impl Activation<'_> {
    fn goto(&mut self, call: &BlockCall) {
        let args: SmallVec<[u64; 8]> = call.args.iter().map(|v| self.values[v.as_u32() as usize]).collect();
        self.block = call.block;
        self.set_params(&args);
    }

    fn set_params(&mut self, args: &[u64]) {
        for (param, arg) in self.func.blocks[self.block].params.iter().zip(args) {
            self.values[param.as_u32() as usize] = *arg;
        }
    }
}

fn truncate(ty: Type, value: u64) -> u64 {
    match ty {
        Type::I32 => value as u32 as u64,
        Type::I64 => value,
    }
}

/// Evaluates a unary operation on a value of type `ty`.
pub(crate) fn unary(op: UnaryOp, ty: Type, a: u64) -> u64 {
    let word = ty == Type::I32;
    let value = match op {
        UnaryOp::Eqz => (a == 0) as u64,
        UnaryOp::Clz => (a.leading_zeros() - if word { 32 } else { 0 }) as u64,
        UnaryOp::Ctz => a.trailing_zeros().min(if word { 32 } else { 64 }) as u64,
        UnaryOp::Popcnt => a.count_ones() as u64,
        UnaryOp::Extend8S => a as i8 as u64,
        UnaryOp::Extend16S => a as i16 as u64,
        UnaryOp::Extend32S | UnaryOp::ExtendS => return a as i32 as u64,
        UnaryOp::Wrap | UnaryOp::ExtendU => return a as u32 as u64,
    };
    truncate(ty, value)
}

/// Evaluates a binary operation on values of type `ty`.
pub(crate) fn binary(op: BinaryOp, ty: Type, a: u64, b: u64) -> u64 {
    use BinaryOp::*;
    if ty == Type::I64 {
        let (sa, sb) = (a as i64, b as i64);
        return match op {
            Add => a.wrapping_add(b),
            Sub => a.wrapping_sub(b),
            Mul => a.wrapping_mul(b),
            MulHi | Carry => unreachable!("{op:?} is an operation on words"),
            And => a & b,
            Or => a | b,
            Xor => a ^ b,
            Shl => a.wrapping_shl(b as u32),
            ShrU => a.wrapping_shr(b as u32),
            ShrS => sa.wrapping_shr(b as u32) as u64,
            Rotl => a.rotate_left(b as u32 % 64),
            Rotr => a.rotate_right(b as u32 % 64),
            Eq => (a == b) as u64,
            Ne => (a != b) as u64,
            LtU => (a < b) as u64,
            LtS => (sa < sb) as u64,
            GeU => (a >= b) as u64,
            GeS => (sa >= sb) as u64,
            DivU => a.checked_div(b).unwrap_or(a),
            RemU => a.checked_rem(b).unwrap_or(0),
            DivS if b == 0 => a,
            RemS if b == 0 => 0,
            DivS => sa.wrapping_div(sb) as u64,
            RemS => sa.wrapping_rem(sb) as u64,
        };
    }
    let (a, b) = (a as u32, b as u32);
    let (sa, sb) = (a as i32, b as i32);
    let value = match op {
        Add => a.wrapping_add(b),
        Sub => a.wrapping_sub(b),
        Mul => a.wrapping_mul(b),
        MulHi => ((a as u64 * b as u64) >> 32) as u32,
        Carry => a.checked_add(b).is_none() as u32,
        And => a & b,
        Or => a | b,
        Xor => a ^ b,
        Shl => a.wrapping_shl(b),
        ShrU => a.wrapping_shr(b),
        ShrS => sa.wrapping_shr(b) as u32,
        Rotl => a.rotate_left(b % 32),
        Rotr => a.rotate_right(b % 32),
        Eq => (a == b) as u32,
        Ne => (a != b) as u32,
        LtU => (a < b) as u32,
        LtS => (sa < sb) as u32,
        GeU => (a >= b) as u32,
        GeS => (sa >= sb) as u32,
        DivU => a.checked_div(b).unwrap_or(a),
        RemU => a.checked_rem(b).unwrap_or(0),
        DivS if b == 0 => a,
        RemS if b == 0 => 0,
        DivS => sa.wrapping_div(sb) as u32,
        RemS => sa.wrapping_rem(sb) as u32,
    };
    value as u64
}
