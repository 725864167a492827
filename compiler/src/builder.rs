//! Making and walking IR functions: what all phases share.

use cranelift_entity::{EntitySet, PrimaryMap};
use smallvec::{SmallVec, smallvec};
use wasm2onnx_runtime::TrapCode;

use crate::ir::*;

impl Function {
    /// Returns a function with an empty entry block that traps.
    pub fn new(name: String, origin: Origin, results: Vec<Type>) -> Self {
        let mut blocks = PrimaryMap::new();
        let entry = blocks.push(BlockData::new());
        Function { name, origin, results, blocks, values: PrimaryMap::new(), entry }
    }

    /// Returns a routine of the library that is still empty.
    pub fn routine(routine: Routine, results: Vec<Type>) -> Self {
        Function::new(routine.to_string(), Origin::Routine(routine), results)
    }

    /// Returns the index of the wasm function as debug information has it: `u32::MAX` for routines.
    pub fn index(&self) -> u32 {
        match self.origin {
            Origin::Module(index) => index,
            Origin::Routine(_) => u32::MAX,
        }
    }

    /// Returns a function of the module that only traps.
    pub fn trapping(name: String, index: u32, params: &[Type], results: Vec<Type>, code: TrapCode) -> Self {
        let mut func = Function::new(name, Origin::Module(index), results);
        for ty in params {
            func.add_param(func.entry, *ty);
        }
        func.blocks[func.entry].term = Terminator::Trap(code);
        func
    }

    /// Adds an empty block.
    pub fn add_block(&mut self) -> Block {
        self.blocks.push(BlockData::new())
    }

    /// Adds a parameter to a block.
    pub fn add_param(&mut self, block: Block, ty: Type) -> Value {
        let value = self.values.push(ty);
        self.blocks[block].params.push(value);
        value
    }

    /// Returns the types of the parameters.
    pub fn param_types(&self) -> Vec<Type> {
        self.blocks[self.entry].params.iter().map(|p| self.values[*p]).collect()
    }

    /// Returns the number of instructions and terminators: a measure of size.
    pub fn size(&self) -> usize {
        self.blocks.values().map(|b| b.insts.len() + 1).sum()
    }
}

impl Module {
    /// Returns the index of the wasm function that an instruction comes from, by its offset in the module.
    pub fn function_at(&self, offset: u32) -> Option<u32> {
        let i = self.function_offsets.partition_point(|(first, _)| *first <= offset);
        Some(self.function_offsets[i.checked_sub(1)?].1)
    }

    /// Returns the offset in its own module of an instruction, given its offset if all modules are put one behind the
    /// other.
    pub fn offset_in_module(&self, offset: u32) -> u32 {
        let i = self.modules.partition_point(|first| *first <= offset);
        offset - i.checked_sub(1).map_or(0, |i| self.modules[i])
    }

    /// Returns the functions that exports, tables and instance creation lead to. A table counts only if something reads
    /// it.
    pub fn reached(&self) -> EntitySet<Func> {
        let mut reached = EntitySet::with_capacity(self.functions.len());
        let mut work: Vec<Func> = self.exports.iter().map(|export| export.1).chain(self.start).collect();
        let mut tables = EntitySet::with_capacity(self.tables.len());
        let written = self.written_tables();
        while let Some(id) = work.pop() {
            if !reached.insert(id) {
                continue;
            }
            let mut read = |table: TableId, work: &mut Vec<Func>| {
                // Before `legalize`, a call may be through a table that changes: then any reference may be in it.
                let table = if written.contains(table) { self.reference_table() } else { table };
                if tables.insert(table) {
                    let entries = self.tables[table].entries.iter();
                    work.extend(entries.filter_map(|entry| self.referenced(entry.1)));
                }
            };
            for block in self.functions[id].blocks.values() {
                for inst in &block.insts {
                    if let Op::TableFunc(table) | Op::TableType(table) = inst.op {
                        read(table, &mut work);
                    }
                }
                match block.term.callee() {
                    Some(Callee::Direct(callee)) => work.push(*callee),
                    Some(Callee::Indirect { table, .. }) => read(*table, &mut work),
                    Some(Callee::Reference(_)) | None => {}
                }
            }
        }
        reached
    }

    /// Returns the function that a reference refers to; `None` for null.
    pub fn referenced(&self, reference: u32) -> Option<Func> {
        *self.references.get((reference as usize).checked_sub(1)?)?
    }

    /// Returns the compiler's own table, with all functions to which there are references.
    pub fn reference_table(&self) -> TableId {
        self.tables.last().expect("the frontend makes it").0
    }

    /// Returns the tables that an instruction writes to.
    pub fn written_tables(&self) -> EntitySet<TableId> {
        let mut written = EntitySet::with_capacity(self.tables.len());
        let blocks = self.functions.values().flat_map(|function| function.blocks.values());
        for inst in blocks.flat_map(|block| &block.insts) {
            if let Some(Space::Table(table)) = inst.writes() {
                written.insert(table);
            }
        }
        written
    }
}

impl BlockData {
    /// Returns a block without parameters or instructions that traps.
    pub fn new() -> Self {
        BlockData {
            params: Vec::new(),
            insts: Vec::new(),
            term: Terminator::Trap(TrapCode::Unreachable),
            term_offset: 0,
        }
    }
}

impl Default for BlockData {
    fn default() -> Self {
        Self::new()
    }
}

impl BlockCall {
    /// Returns a jump without arguments.
    pub fn to(block: Block) -> Self {
        BlockCall { block, args: Values::new() }
    }
}

impl Terminator {
    /// Returns its jumps with arguments, in order: for a branch `then` first, for a switch the default last.
    /// (A call's `next` is not among them.)
    pub fn edges(&self) -> SmallVec<[&BlockCall; 2]> {
        match self {
            Terminator::Jump(call) => smallvec![call],
            Terminator::Branch { then, otherwise, .. } => smallvec![then, otherwise],
            Terminator::Switch { targets, default, .. } => {
                targets.iter().chain(std::iter::once(default)).collect()
            }
            Terminator::Call { .. }
            | Terminator::TailCall { .. }
            | Terminator::Return(_)
            | Terminator::Trap(_) => smallvec![],
        }
    }

    /// Returns its jumps for changing them, in the same order.
    pub fn edges_mut(&mut self) -> SmallVec<[&mut BlockCall; 2]> {
        match self {
            Terminator::Jump(call) => smallvec![call],
            Terminator::Branch { then, otherwise, .. } => smallvec![then, otherwise],
            Terminator::Switch { targets, default, .. } => {
                targets.iter_mut().chain(std::iter::once(default)).collect()
            }
            Terminator::Call { .. }
            | Terminator::TailCall { .. }
            | Terminator::Return(_)
            | Terminator::Trap(_) => smallvec![],
        }
    }

    /// Returns one of [`Terminator::edges`] for changing it, without collecting them.
    pub fn edge_mut(&mut self, index: usize) -> &mut BlockCall {
        match self {
            Terminator::Jump(call) => call,
            Terminator::Branch { then, otherwise, .. } => {
                if index == 0 {
                    then
                } else {
                    otherwise
                }
            }
            Terminator::Switch { targets, default, .. } => targets.get_mut(index).unwrap_or(default),
            Terminator::Call { .. }
            | Terminator::TailCall { .. }
            | Terminator::Return(_)
            | Terminator::Trap(_) => unreachable!("no edges"),
        }
    }

    /// Calls `f` for each block that control can go to, once per edge.
    pub fn for_each_successor(&self, mut f: impl FnMut(Block)) {
        match self {
            Terminator::Jump(call) => f(call.block),
            Terminator::Branch { then, otherwise, .. } => {
                f(then.block);
                f(otherwise.block);
            }
            Terminator::Switch { targets, default, .. } => {
                targets.iter().for_each(|t| f(t.block));
                f(default.block);
            }
            Terminator::Call { next, .. } => f(*next),
            Terminator::TailCall { .. } | Terminator::Return(_) | Terminator::Trap(_) => {}
        }
    }

    /// Returns what it calls, if it is a call.
    pub fn callee(&self) -> Option<&Callee> {
        match self {
            Terminator::Call { callee, .. } | Terminator::TailCall { callee, .. } => Some(callee),
            _ => None,
        }
    }

    /// Returns what it calls, for changing it.
    pub fn callee_mut(&mut self) -> Option<&mut Callee> {
        match self {
            Terminator::Call { callee, .. } | Terminator::TailCall { callee, .. } => Some(callee),
            _ => None,
        }
    }

    /// Calls `f` for each value used.
    pub fn for_each_use(&self, mut f: impl FnMut(Value)) {
        match self {
            Terminator::Jump(call) => call.args.iter().copied().for_each(f),
            Terminator::Branch { cond, then, otherwise } => {
                f(*cond);
                then.args.iter().chain(&otherwise.args).copied().for_each(f);
            }
            Terminator::Switch { index, targets, default } => {
                f(*index);
                targets.iter().chain(std::iter::once(default)).flat_map(|t| &t.args).copied().for_each(f);
            }
            Terminator::Call { callee, args, .. } | Terminator::TailCall { callee, args } => {
                if let Callee::Indirect { index: v, .. } | Callee::Reference(v) = callee {
                    f(*v);
                }
                args.iter().copied().for_each(f);
            }
            Terminator::Return(args) => args.iter().copied().for_each(f),
            Terminator::Trap(_) => {}
        }
    }

    /// Calls `f` for each value used, which `f` may change.
    pub fn for_each_use_mut(&mut self, mut f: impl FnMut(&mut Value)) {
        match self {
            Terminator::Jump(call) => call.args.iter_mut().for_each(f),
            Terminator::Branch { cond, then, otherwise } => {
                f(cond);
                then.args.iter_mut().chain(&mut otherwise.args).for_each(f);
            }
            Terminator::Switch { index, targets, default } => {
                f(index);
                targets.iter_mut().chain(std::iter::once(default)).flat_map(|t| &mut t.args).for_each(f);
            }
            Terminator::Call { callee, args, .. } | Terminator::TailCall { callee, args } => {
                if let Callee::Indirect { index: v, .. } | Callee::Reference(v) = callee {
                    f(v);
                }
                args.iter_mut().for_each(f);
            }
            Terminator::Return(args) => args.iter_mut().for_each(f),
            Terminator::Trap(_) => {}
        }
    }
}

/// Appends instructions to a block.
pub struct Builder<'a> {
    /// The function.
    pub func: &'a mut Function,
    /// The block being filled.
    pub block: Block,
    /// Offset of the wasm instruction being translated.
    pub offset: u32,
}

impl Builder<'_> {
    /// Appends an instruction with a result, which it returns.
    pub fn value(&mut self, op: Op, ty: Type, args: &[Value]) -> Value {
        let result = self.func.values.push(result_type(&op, ty));
        self.push(op, ty, args, Some(result));
        result
    }

    /// Appends an instruction without a result.
    pub fn effect(&mut self, op: Op, ty: Type, args: &[Value]) {
        self.push(op, ty, args, None);
    }

    fn push(&mut self, op: Op, ty: Type, args: &[Value], result: Option<Value>) {
        let inst = Inst { op, ty, args: SmallVec::from_slice(args), result, offset: self.offset };
        self.func.blocks[self.block].insts.push(inst);
    }

    /// Appends a constant.
    pub fn constant(&mut self, ty: Type, bits: u64) -> Value {
        self.value(Op::Const(bits), ty, &[])
    }

    /// Appends a constant word.
    pub fn word(&mut self, bits: u32) -> Value {
        self.constant(Type::I32, bits as u64)
    }

    /// Appends an operation on one operand.
    pub fn unary(&mut self, op: UnaryOp, ty: Type, a: Value) -> Value {
        self.value(Op::Unary(op), ty, &[a])
    }

    /// Appends an operation on two operands.
    pub fn binary(&mut self, op: BinaryOp, ty: Type, a: Value, b: Value) -> Value {
        self.value(Op::Binary(op), ty, &[a, b])
    }

    /// Appends an operation on two words.
    pub fn word_op(&mut self, op: BinaryOp, a: Value, b: Value) -> Value {
        self.binary(op, Type::I32, a, b)
    }

    /// Appends `cond != 0 ? a : b`.
    pub fn select(&mut self, ty: Type, cond: Value, a: Value, b: Value) -> Value {
        self.value(Op::Select, ty, &[cond, a, b])
    }

    /// Appends a trap that happens if `cond` is not 0.
    pub fn trap_if(&mut self, code: TrapCode, cond: Value) {
        self.effect(Op::TrapIf(code), Type::I32, &[cond]);
    }

    /// Ends the block.
    pub fn terminate(&mut self, term: Terminator) {
        let block = &mut self.func.blocks[self.block];
        block.term = term;
        block.term_offset = self.offset;
    }
}

/// Returns the type of the result of an operation that works on `ty`.
pub fn result_type(op: &Op, ty: Type) -> Type {
    match op {
        Op::Unary(UnaryOp::Eqz | UnaryOp::Wrap) => Type::I32,
        Op::Float(op) => op.result(ty),
        Op::Unary(UnaryOp::ExtendU | UnaryOp::ExtendS) => Type::I64,
        Op::Binary(op) if op.is_comparison() => Type::I32,
        _ => ty,
    }
}

impl BinaryOp {
    /// Returns whether the result is 0 or 1.
    pub fn is_comparison(self) -> bool {
        use BinaryOp::*;
        matches!(self, Eq | Ne | LtU | LtS | GeU | GeS)
    }

    /// Returns whether the operands can be exchanged.
    pub fn is_commutative(self) -> bool {
        use BinaryOp::*;
        matches!(self, Add | Mul | MulHi | Carry | And | Or | Xor | Eq | Ne)
    }
}
