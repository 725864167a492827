//! Function bodies: the operand stack and structured control become values and blocks, in one pass
//! with validation.
//!
//! Code that cannot be reached is validated and otherwise skipped: no block of the result is made
//! from it.

use smallvec::smallvec;
use wasm2onnx_runtime::TrapCode;
use wasmparser::{
    BlockType, FuncToValidate, FuncValidatorAllocations, FunctionBody, MemArgTarget, Operator,
    OperatorsReader, OperatorsReaderAllocations, ValidatorResources,
};

use super::context::Context;
use super::names::operator_name;
use super::program::{Callable, Program};
use super::ssa::{Opened, Ssa};
use super::types::{TypeList, Types, value_type, word_type};
use super::{Stop, float, host};
use crate::builder::Builder;
use crate::instructions::{Becomes, Instruction, memarg};
use crate::ir::*;

/// Allocations that the translation of a function can take over from the one before.
#[derive(Default)]
pub struct Allocations {
    validator: FuncValidatorAllocations,
    reader: OperatorsReaderAllocations,
    stack: Vec<Value>,
    constructs: Vec<Construct>,
}

/// Validates a body and translates it.
pub fn translate(
    context: &mut Context,
    allocations: &mut Allocations,
    index: u32,
    to_validate: FuncToValidate<ValidatorResources>,
    body: FunctionBody,
) -> Result<Function, Stop> {
    let first_position = context.position;
    let mut validator = to_validate.into_validator(std::mem::take(&mut allocations.validator));
    let mut reader = body.get_binary_reader();
    let start = reader.original_position();
    validator.read_locals(&mut reader)?;
    let mut reader = OperatorsReader::new_with_allocs(reader, std::mem::take(&mut allocations.reader));

    let name = context.functions.names[index as usize].clone();
    let number = context.functions.first_number + index;
    let mut func = Function::new(name, Origin::Module(number), Vec::new());
    // An unsupported instruction does not end validation: an invalid module is always refused.
    let mut stop = None;
    let mut body = match Body::new(context, allocations, &mut func, index, &validator) {
        Ok(body) => Some(body),
        Err(what) => {
            stop = Some(Stop::Unsupported { what, offset: start });
            None
        }
    };
    while !reader.eof() {
        let offset = reader.original_position();
        let op = reader.read()?;
        validator.op(offset, &op)?;
        let Some(body) = &mut body else { continue };
        body.b.offset = first_position + offset as u32;
        if stop.is_none()
            && let Err(what) = body.operator(&op)
        {
            stop = Some(Stop::Unsupported { what, offset });
        }
    }
    reader.finish()?;
    if let Some(body) = body
        && stop.is_none()
    {
        body.ssa.finish(body.b.func);
    }
    allocations.validator = validator.into_allocations();
    allocations.reader = reader.into_allocations();
    match stop {
        Some(stop) => Err(stop),
        None => Ok(func),
    }
}

/// An open construct: a block, a loop, an `if`, or the function itself.
struct Construct {
    kind: ConstructKind,
    /// Height of the operand stack below its parameters.
    height: usize,
    /// The block that follows its end. Not used for the function itself, whose end returns.
    end: Block,
    /// Number of its results.
    results: usize,
    /// Where it was opened.
    opened: Opened,
}

enum ConstructKind {
    /// Entered in unreachable code.
    Dead,
    Function,
    Block,
    /// The first parameters of the header are those of the loop.
    Loop {
        header: Block,
        params: usize,
    },
    /// The parameters are saved for the other arm, whose block exists already.
    If {
        otherwise: Block,
        params: Values,
    },
    Else,
}

/// A function body being translated.
pub(super) struct Body<'a> {
    pub(super) context: &'a mut Context,
    pub(super) b: Builder<'a>,
    ssa: Ssa,
    stack: &'a mut Vec<Value>,
    constructs: &'a mut Vec<Construct>,
    reachable: bool,
}

impl<'a> Body<'a> {
    fn new(
        context: &'a mut Context,
        allocations: &'a mut Allocations,
        func: &'a mut Function,
        index: u32,
        validator: &wasmparser::FuncValidator<ValidatorResources>,
    ) -> Result<Self, String> {
        let signature = context.functions.signature(context.functions.type_index(index))?;
        let results = signature.results.len();
        func.results = signature.results.to_vec();
        let mut ssa = Ssa::default();
        for local in 0..validator.len_locals() {
            ssa.types.push(value_type(validator.get_local_type(local).expect("in range"))?);
        }
        for (local, ty) in signature.params.iter().enumerate() {
            let param = func.add_param(func.entry, *ty);
            ssa.set(func.entry, local as u32, param);
        }
        let Allocations { stack, constructs, .. } = allocations;
        stack.clear();
        constructs.clear();
        let opened = ssa.open(func.entry);
        constructs.push(Construct {
            kind: ConstructKind::Function,
            height: 0,
            end: func.entry,
            results,
            opened,
        });
        let block = func.entry;
        Ok(Body { context, b: Builder { func, block, offset: 0 }, ssa, stack, constructs, reachable: true })
    }

    pub(super) fn pop(&mut self) -> Value {
        self.stack.pop().expect("validated")
    }

    pub(super) fn push(&mut self, value: Value) {
        self.stack.push(value);
    }

    /// Takes the topmost values from the stack.
    fn pop_many(&mut self, count: usize) -> Values {
        let rest = self.stack.len() - count;
        self.stack.drain(rest..).collect()
    }

    /// Returns the topmost values and leaves them on the stack.
    fn top(&self, count: usize) -> Values {
        Values::from_slice(&self.stack[self.stack.len() - count..])
    }

    fn operator(&mut self, op: &Operator) -> Result<(), String> {
        if !self.reachable {
            match op {
                Operator::End => self.end(),
                Operator::Else => self.otherwise(),
                Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } => {
                    let (height, end) = (self.stack.len(), self.b.block);
                    let opened = self.ssa.open(end);
                    self.constructs.push(Construct {
                        kind: ConstructKind::Dead,
                        height,
                        end,
                        results: 0,
                        opened,
                    });
                }
                _ => {}
            }
            return Ok(());
        }
        match Instruction::of(op) {
            Some(Instruction { becomes: Becomes::Own, .. }) => self.own(op),
            Some(instruction) => self.operation(instruction, op),
            None => Err(operator_name(op)),
        }
    }

    /// Translates an instruction that is one operation of the IR, or a few, as the table says.
    fn operation(&mut self, instruction: &Instruction, op: &Operator) -> Result<(), String> {
        let ty = word_type(match instruction.becomes {
            Becomes::Const | Becomes::Load { .. } => instruction.results[0],
            _ => *instruction.params.last().expect("all others have operands"),
        });
        let value = match instruction.becomes {
            Becomes::Own => unreachable!("not an operation"),
            // A word stays a word: the types of the IR do not tell floats from integers.
            Becomes::Reinterpret => return Ok(()),
            Becomes::Const => self.b.constant(ty, immediate(op)),
            Becomes::Unary(op) => {
                let a = self.pop();
                self.b.unary(op, ty, a)
            }
            Becomes::Binary(op) => {
                let (b, a) = (self.pop(), self.pop());
                self.b.binary(op, ty, a, b)
            }
            Becomes::Swapped(op) => {
                let (b, a) = (self.pop(), self.pop());
                self.b.binary(op, ty, b, a)
            }
            Becomes::Division(op) => self.division(op, ty),
            Becomes::Sign(_)
            | Becomes::Float(_)
            | Becomes::FloatDifference
            | Becomes::FloatCompare(_)
            | Becomes::FloatExtremum { .. }
            | Becomes::Truncation { .. } => {
                let second = if instruction.params.len() == 2 { Some(self.pop()) } else { None };
                let first = self.pop();
                let result = word_type(instruction.results[0]);
                float::emit(&mut self.b, instruction.becomes, result, first, second.unwrap_or(first))
            }
            Becomes::Load { bytes, signed } => {
                let (space, address, offset) = self.address(op, bytes)?;
                self.b.value(Op::Load { space, bytes, signed, offset }, ty, &[address])
            }
            Becomes::Store { bytes } => {
                let value = self.pop();
                let (space, address, offset) = self.address(op, bytes)?;
                self.b.effect(Op::Store { space, bytes, offset }, ty, &[address, value]);
                return Ok(());
            }
        };
        self.push(value);
        Ok(())
    }

    /// Emits the bounds check of an access to this many bytes. Returns what is accessed, the address and the offset of
    /// the access.
    fn address(&mut self, op: &Operator, bytes: u8) -> Result<(Space, Value, u64), String> {
        let memarg = memarg(op).expect("loads and stores have one");
        let MemArgTarget::Memory(index) = memarg.target else { return Err(operator_name(op)) };
        let space = self.context.memories.get(index);
        let (offset, address) = (memarg.offset, self.pop());
        // Bytes of the host are only accessed by the library, which knows where they end.
        if let Space::Memory(memory) = space {
            self.b.effect(Op::Bounds { memory, offset, bytes }, Type::I32, &[address]);
        }
        Ok((space, address, offset))
    }

    /// Translates an instruction that the table leaves to this function.
    fn own(&mut self, op: &Operator) -> Result<(), String> {
        match op {
            Operator::End => self.end(),
            Operator::Else => self.otherwise(),
            Operator::Block { blockty } => {
                let (params, results) = self.block_type(*blockty)?;
                let end = self.join(&results);
                let height = self.stack.len() - params.len();
                let opened = self.ssa.open(self.b.block);
                let kind = ConstructKind::Block;
                self.constructs.push(Construct { kind, height, end, results: results.len(), opened });
            }
            Operator::Loop { blockty } => self.enter_loop(*blockty)?,
            Operator::If { blockty } => self.enter_if(*blockty)?,
            Operator::Br { relative_depth } => {
                let args = self.top(self.label_arity(*relative_depth));
                self.branch(*relative_depth, args);
                self.reachable = false;
            }
            Operator::BrIf { relative_depth } => self.br_if(*relative_depth),
            Operator::BrTable { targets } => self.br_table(targets),
            Operator::Return => self.return_results(),
            Operator::Unreachable => self.trap(TrapCode::Unreachable),
            Operator::Call { function_index } => self.call(*function_index)?,
            Operator::CallIndirect { type_index, table_index } => {
                let types = self.context.functions.signature(*type_index)?;
                let index = self.pop();
                let ty = self.context.functions.canonical(*type_index);
                let table = self.context.tables.get(*table_index);
                self.emit_call(Callee::Indirect { table, ty, index }, types);
            }
            Operator::ReturnCall { function_index } => self.return_call(*function_index)?,
            Operator::ReturnCallIndirect { type_index, table_index } => {
                let types = self.context.functions.signature(*type_index)?;
                let index = self.pop();
                let ty = self.context.functions.canonical(*type_index);
                let table = self.context.tables.get(*table_index);
                self.emit_tail_call(Callee::Indirect { table, ty, index }, types);
            }
            Operator::Nop => {}
            Operator::Drop => drop(self.pop()),
            Operator::Select | Operator::TypedSelect { .. } => {
                let cond = self.pop();
                let (b, a) = (self.pop(), self.pop());
                let ty = self.b.func.values[a];
                let value = self.b.select(ty, cond, a, b);
                self.push(value);
            }
            Operator::LocalGet { local_index } => {
                let value = self.ssa.read(self.b.func, self.b.block, *local_index);
                self.push(value);
            }
            Operator::LocalSet { local_index } => {
                let value = self.pop();
                self.ssa.set(self.b.block, *local_index, value);
            }
            Operator::LocalTee { local_index } => {
                let value = *self.stack.last().expect("validated");
                self.ssa.set(self.b.block, *local_index, value);
            }
            Operator::GlobalGet { global_index } => self.global_get(*global_index)?,
            Operator::GlobalSet { global_index } => self.global_set(*global_index)?,
            Operator::MemorySize { mem } => {
                let cell = self.memory_size(self.context.memories.linear(*mem));
                let pages = self.b.value(Op::CellGet(cell), Type::I32, &[]);
                self.push(pages);
            }
            Operator::MemoryGrow { mem } => self.memory_grow(self.context.memories.linear(*mem)),
            Operator::RefNull { .. } => {
                let null = self.b.word(0);
                self.push(null);
            }
            Operator::RefIsNull => {
                let reference = self.pop();
                let is_null = self.b.unary(UnaryOp::Eqz, Type::I32, reference);
                self.push(is_null);
            }
            Operator::RefFunc { function_index } => {
                let Context { functions, program, .. } = &mut *self.context;
                let reference = functions.reference(*function_index, program);
                let reference = self.b.word(reference);
                self.push(reference);
            }
            op => self.bulk(op)?,
        }
        Ok(())
    }

    fn division(&mut self, op: BinaryOp, ty: Type) -> Value {
        let (b, a) = (self.pop(), self.pop());
        let zero = self.b.unary(UnaryOp::Eqz, ty, b);
        self.b.trap_if(TrapCode::IntegerDivideByZero, zero);
        if op == BinaryOp::DivS {
            let (min, minus_one) = match ty {
                Type::I32 => (i32::MIN as u32 as u64, u32::MAX as u64),
                Type::I64 => (i64::MIN as u64, u64::MAX),
            };
            let min = self.b.constant(ty, min);
            let minus_one = self.b.constant(ty, minus_one);
            let is_min = self.b.binary(BinaryOp::Eq, ty, a, min);
            let is_minus_one = self.b.binary(BinaryOp::Eq, ty, b, minus_one);
            let none = self.b.word(0);
            let overflow = self.b.select(Type::I32, is_min, is_minus_one, none);
            self.b.trap_if(TrapCode::IntegerOverflow, overflow);
        }
        self.b.binary(op, ty, a, b)
    }

    fn global_get(&mut self, index: u32) -> Result<(), String> {
        let (ty, global) = self.context.globals.supported(index, &self.context.program)?;
        let value = match (global.constant, &global.cells[..]) {
            (Some(bits), _) => self.b.constant(ty, bits),
            (None, [cell]) => self.b.value(Op::CellGet(*cell), Type::I32, &[]),
            (None, cells) => {
                let low = self.b.value(Op::CellGet(cells[0]), Type::I32, &[]);
                let high = self.b.value(Op::CellGet(cells[1]), Type::I32, &[]);
                let low = self.b.unary(UnaryOp::ExtendU, Type::I32, low);
                let high = self.b.unary(UnaryOp::ExtendU, Type::I32, high);
                let shift = self.b.constant(Type::I64, 32);
                let high = self.b.binary(BinaryOp::Shl, Type::I64, high, shift);
                self.b.binary(BinaryOp::Or, Type::I64, low, high)
            }
        };
        self.push(value);
        Ok(())
    }

    fn global_set(&mut self, index: u32) -> Result<(), String> {
        let value = self.pop();
        let (_, global) = self.context.globals.supported(index, &self.context.program)?;
        match global.cells[..] {
            [cell] => self.b.effect(Op::CellSet(cell), Type::I32, &[value]),
            [low_cell, high_cell] => {
                let low = self.b.unary(UnaryOp::Wrap, Type::I64, value);
                let shift = self.b.constant(Type::I64, 32);
                let high = self.b.binary(BinaryOp::ShrU, Type::I64, value, shift);
                let high = self.b.unary(UnaryOp::Wrap, Type::I64, high);
                self.b.effect(Op::CellSet(low_cell), Type::I32, &[low]);
                self.b.effect(Op::CellSet(high_cell), Type::I32, &[high]);
            }
            _ => unreachable!("a mutable global has one or two cells"),
        }
        Ok(())
    }

    /// Returns the cell with the size of a memory.
    fn memory_size(&mut self, memory: MemoryId) -> Cell {
        let Program { memories, module, .. } = &mut self.context.program;
        memories[memory].size(memory, &mut module.cells)
    }

    fn memory_grow(&mut self, memory: MemoryId) {
        let cell = self.memory_size(memory);
        let delta = self.pop();
        let memory = &mut self.context.program.memories[memory];
        memory.grows = true;
        let memory = *memory;
        let old = self.b.value(Op::CellGet(cell), Type::I32, &[]);
        let [fits, new] = self.grown(old, delta, memory.max);
        self.b.effect(Op::CellSet(cell), Type::I32, &[new]);
        if let Some(refused) = memory.refused_growth(&mut self.context.program.module) {
            let [declared, wanted] = self.grown(old, delta, memory.declared);
            let before = self.b.value(Op::CellGet(refused), Type::I32, &[]);
            let wanted = self.b.select(Type::I32, declared, wanted, before);
            let wanted = self.b.select(Type::I32, fits, before, wanted);
            self.b.effect(Op::CellSet(refused), Type::I32, &[wanted]);
        }
        let failed = self.b.word(u32::MAX);
        let result = self.b.select(Type::I32, fits, old, failed);
        self.push(result);
    }

    /// Returns whether a size can grow by `delta`, and the size after that, which is the old one if it
    /// cannot.
    pub(super) fn grown(&mut self, old: Value, delta: Value, max: u32) -> [Value; 2] {
        let max = self.b.word(max);
        let room = self.b.word_op(BinaryOp::Sub, max, old);
        let fits = self.b.word_op(BinaryOp::GeU, room, delta);
        let grown = self.b.word_op(BinaryOp::Add, old, delta);
        [fits, self.b.select(Type::I32, fits, grown, old)]
    }

    /// Returns the types of a function.
    fn signature(&self, index: u32) -> Result<Types, String> {
        let functions = &self.context.functions;
        functions.signature(functions.type_index(index))
    }

    fn call(&mut self, index: u32) -> Result<(), String> {
        let types = self.signature(index)?;
        match self.context.functions.callable(index) {
            Callable::Func(func) => self.emit_call(Callee::Direct(func), types),
            Callable::Host(call) => {
                let args = self.pop_many(types.params.len());
                let program = &mut self.context.program;
                match host::emit(program, &mut self.b, call, &args, &types.results) {
                    Ok(results) => self.stack.extend(results),
                    Err(code) => self.trap(code),
                }
            }
        }
        Ok(())
    }

    fn emit_call(&mut self, callee: Callee, types: Types) {
        let args = self.pop_many(types.params.len());
        let next = self.b.func.add_block();
        for ty in &types.results {
            let result = self.b.func.add_param(next, *ty);
            self.push(result);
        }
        self.b.terminate(Terminator::Call { callee, args, next });
        self.ssa.edge(self.b.block, 0, next);
        self.b.block = next;
    }

    fn return_call(&mut self, index: u32) -> Result<(), String> {
        if let Callable::Func(func) = self.context.functions.callable(index) {
            let types = self.signature(index)?;
            self.emit_tail_call(Callee::Direct(func), types);
            return Ok(());
        }
        // An import, whose operations are put in place of the call, needs no frame.
        self.call(index)?;
        if self.reachable {
            self.return_results();
        }
        Ok(())
    }

    fn emit_tail_call(&mut self, callee: Callee, types: Types) {
        let args = self.pop_many(types.params.len());
        self.b.terminate(Terminator::TailCall { callee, args });
        self.reachable = false;
    }

    fn return_results(&mut self) {
        let args = self.top(self.constructs[0].results);
        self.b.terminate(Terminator::Return(args));
        self.reachable = false;
    }

    fn trap(&mut self, code: TrapCode) {
        self.b.terminate(Terminator::Trap(code));
        self.reachable = false;
    }

    // Control.

    fn block_type(&self, ty: BlockType) -> Result<(TypeList, TypeList), String> {
        Ok(match ty {
            BlockType::Empty => (smallvec![], smallvec![]),
            BlockType::Type(ty) => (smallvec![], smallvec![value_type(ty)?]),
            BlockType::FuncType(index) => {
                let types = self.context.functions.signature(index)?;
                (types.params, types.results)
            }
        })
    }

    /// Makes a block with parameters of these types.
    fn join(&mut self, types: &[Type]) -> Block {
        let block = self.b.func.add_block();
        for ty in types {
            self.b.func.add_param(block, *ty);
        }
        block
    }

    fn enter_loop(&mut self, ty: BlockType) -> Result<(), String> {
        let (params, results) = self.block_type(ty)?;
        let header = self.join(&params);
        let end = self.join(&results);
        let args = self.pop_many(params.len());
        let height = self.stack.len();
        self.ssa.header(header);
        let opened = self.ssa.open(self.b.block);
        self.b.terminate(Terminator::Jump(BlockCall { block: header, args }));
        self.ssa.edge(self.b.block, 0, header);
        self.stack.extend(&self.b.func.blocks[header].params);
        self.b.block = header;
        let kind = ConstructKind::Loop { header, params: params.len() };
        self.constructs.push(Construct { kind, height, end, results: results.len(), opened });
        Ok(())
    }

    fn enter_if(&mut self, ty: BlockType) -> Result<(), String> {
        let (params, results) = self.block_type(ty)?;
        let cond = self.pop();
        let (then, otherwise) = (self.b.func.add_block(), self.b.func.add_block());
        let end = self.join(&results);
        self.b.terminate(Terminator::Branch {
            cond,
            then: BlockCall::to(then),
            otherwise: BlockCall::to(otherwise),
        });
        let opened = self.ssa.open(self.b.block);
        self.ssa.edge(self.b.block, 0, then);
        self.ssa.edge(self.b.block, 1, otherwise);
        self.b.block = then;
        let height = self.stack.len() - params.len();
        let kind = ConstructKind::If { otherwise, params: self.top(params.len()) };
        self.constructs.push(Construct { kind, height, end, results: results.len(), opened });
        Ok(())
    }

    /// Translates `else`.
    fn otherwise(&mut self) {
        let construct = self.constructs.last_mut().expect("validated");
        if let ConstructKind::Dead = construct.kind {
            return;
        }
        let ConstructKind::If { otherwise, params } =
            std::mem::replace(&mut construct.kind, ConstructKind::Else)
        else {
            unreachable!("validated")
        };
        let (height, end, results) = (construct.height, construct.end, construct.results);
        if self.reachable {
            let args = self.top(results);
            self.jump(end, args);
        }
        self.stack.truncate(height);
        self.stack.extend(params);
        self.b.block = otherwise;
        self.reachable = true;
    }

    fn end(&mut self) {
        let construct = self.constructs.pop().expect("validated");
        match construct.kind {
            ConstructKind::Dead => return,
            ConstructKind::Function => {
                if self.reachable {
                    let args = self.top(construct.results);
                    self.b.terminate(Terminator::Return(args));
                }
                return;
            }
            ConstructKind::Block | ConstructKind::Else => {}
            ConstructKind::Loop { header, .. } => {
                self.ssa.close(construct.opened, header);
                self.ssa.seal(self.b.func, header);
            }
            // Without an `else`, the other arm passes the parameters on.
            ConstructKind::If { otherwise, params } => {
                if self.reachable {
                    let args = self.top(construct.results);
                    self.jump(construct.end, args);
                }
                self.b.block = otherwise;
                self.reachable = true;
                self.stack.truncate(construct.height);
                self.stack.extend(params);
            }
        }
        if self.reachable {
            let args = self.top(construct.results);
            self.jump(construct.end, args);
        }
        self.ssa.close(construct.opened, construct.end);
        self.stack.truncate(construct.height);
        self.reachable = self.ssa.has_preds(construct.end);
        if self.reachable {
            self.b.block = construct.end;
            // So far the block has only the results as parameters. Parameters for locals are added when these
            // are read.
            self.stack.extend(&self.b.func.blocks[construct.end].params[..construct.results]);
        }
    }

    fn jump(&mut self, block: Block, args: Values) {
        self.b.terminate(Terminator::Jump(BlockCall { block, args }));
        self.ssa.edge(self.b.block, 0, block);
    }

    fn construct(&self, depth: u32) -> &Construct {
        &self.constructs[self.constructs.len() - 1 - depth as usize]
    }

    /// Returns the number of values that a branch to a label takes.
    fn label_arity(&self, depth: u32) -> usize {
        match self.construct(depth) {
            Construct { kind: ConstructKind::Loop { params, .. }, .. } => *params,
            construct => construct.results,
        }
    }

    /// Returns the block of a label, or `None` for the label of the function, which returns.
    fn label_block(&self, depth: u32) -> Option<Block> {
        match &self.construct(depth).kind {
            ConstructKind::Function => None,
            ConstructKind::Loop { header, .. } => Some(*header),
            _ => Some(self.construct(depth).end),
        }
    }

    /// Ends the block with a branch to a label.
    fn branch(&mut self, depth: u32, args: Values) {
        match self.label_block(depth) {
            Some(block) => self.jump(block, args),
            None => self.b.terminate(Terminator::Return(args)),
        }
    }

    /// Returns a block call for one edge of a terminator. A branch to the function's label goes to a new
    /// block that returns.
    fn label_call(&mut self, depth: u32, args: &Values, edge: usize) -> BlockCall {
        match self.label_block(depth) {
            Some(block) => {
                self.ssa.edge(self.b.block, edge, block);
                BlockCall { block, args: args.clone() }
            }
            None => {
                let block = self.b.func.add_block();
                let data = &mut self.b.func.blocks[block];
                data.term = Terminator::Return(args.clone());
                data.term_offset = self.b.offset;
                BlockCall::to(block)
            }
        }
    }

    fn br_if(&mut self, depth: u32) {
        let cond = self.pop();
        let args = self.top(self.label_arity(depth));
        let then = self.label_call(depth, &args, 0);
        let next = self.b.func.add_block();
        self.ssa.edge(self.b.block, 1, next);
        self.b.terminate(Terminator::Branch { cond, then, otherwise: BlockCall::to(next) });
        self.b.block = next;
    }

    fn br_table(&mut self, table: &wasmparser::BrTable) {
        let index = self.pop();
        let args = self.top(self.label_arity(table.default()));
        let mut targets = Vec::with_capacity(table.len() as usize);
        // All entries that return share one block.
        let mut returns: Option<BlockCall> = None;
        let depths = table.targets().chain(std::iter::once(Ok(table.default())));
        for (edge, depth) in depths.enumerate() {
            let depth = depth.expect("validated");
            let call = match (self.label_block(depth), &returns) {
                (None, Some(call)) => call.clone(),
                (None, None) => returns.insert(self.label_call(depth, &args, edge)).clone(),
                (Some(_), _) => self.label_call(depth, &args, edge),
            };
            targets.push(call);
        }
        let default = targets.pop().expect("the default");
        self.b.terminate(Terminator::Switch { index, targets, default });
        self.reachable = false;
    }
}

/// Returns the bits of a constant.
fn immediate(op: &Operator) -> u64 {
    match op {
        Operator::I32Const { value } => *value as u32 as u64,
        Operator::I64Const { value } => *value as u64,
        Operator::F32Const { value } => value.bits() as u64,
        Operator::F64Const { value } => value.bits(),
        _ => unreachable!("{} is not a constant", operator_name(op)),
    }
}
