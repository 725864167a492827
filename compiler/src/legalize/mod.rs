//! Everything becomes 32-bit words: 64-bit values become pairs of them; division, float arithmetic and long
//! copies become calls of routines; indirect calls become checks and a reference.
//!
//! Each function is made anew, block by block in reverse postorder, so that every value is known as words
//! before it is used. What a 64-bit operation becomes is in `wide`.

mod bulk;
mod divide;
mod float;
mod wide;

use cranelift_entity::{EntitySet, SecondaryMap};
use rustc_hash::FxHashMap;
use wasm2onnx_runtime::TrapCode;

use crate::builder::Builder;
use crate::cfg::reverse_postorder;
use crate::ir::*;
use crate::library::Linker;

/// Legalizes a module and links the routines that it needs.
pub fn run(module: &mut Module) {
    let mut linker = Linker::new(module.functions.len());
    let tables = Tables::new(module);
    let functions = std::mem::take(&mut module.functions);
    for (_, func) in functions {
        let func = Legalizer::run(module, &tables, &mut linker, func);
        module.functions.push(func);
    }
    for i in 0.. {
        let Some(func) = linker.routine(i) else { break };
        let func = Legalizer::run(module, &tables, &mut linker, func);
        module.functions.push(func);
        // No routine is in a table, so its type is never asked for.
        module.function_types.push(u32::MAX);
    }
}

/// What is known of all tables.
struct Tables {
    /// Those that an instruction writes to.
    written: EntitySet<TableId>,
    /// For a table and a type that just one of its functions has at first, that function: a call through a
    /// table that does not change can only be a call of that one, if it passes the checks.
    only: FxHashMap<(TableId, u32), Func>,
}

impl Tables {
    fn new(module: &Module) -> Tables {
        let mut callees: FxHashMap<(TableId, u32), Option<Func>> = FxHashMap::default();
        for (table, data) in &module.tables {
            for func in data.entries.iter().filter_map(|entry| module.referenced(entry.1)) {
                let only = callees.entry((table, module.function_types[func])).or_insert(Some(func));
                if *only != Some(func) {
                    *only = None;
                }
            }
        }
        let only = callees.into_iter().filter_map(|(key, func)| Some((key, func?))).collect();
        Tables { written: module.written_tables(), only }
    }
}

/// A value as words, low first; for a value of one word, the second is the same word.
type Pair = [Value; 2];

struct Legalizer<'a> {
    module: &'a Module,
    tables: &'a Tables,
    linker: &'a mut Linker,
    /// The function being read: its values' types and its blocks.
    old: &'a Function,
    /// Words of the old function's values.
    words: SecondaryMap<Value, Pair>,
    /// Constants of the old function.
    constants: SecondaryMap<Value, Option<u64>>,
    blocks: SecondaryMap<Block, Block>,
    b: Builder<'a>,
    /// Divisions of this block: a division and its remainder are computed together.
    divisions: divide::Done,
}

impl<'a> Legalizer<'a> {
    fn run(module: &Module, tables: &Tables, linker: &mut Linker, old: Function) -> Function {
        let results = old.results.iter().flat_map(|ty| vec![Type::I32; words_of(*ty)]).collect();
        let mut func = Function::new(old.name.clone(), old.origin, results);
        let order = reverse_postorder(&old);
        let mut words = SecondaryMap::with_default([Value::from_u32(0); 2]);
        words.resize(old.values.len());
        let mut blocks = SecondaryMap::with_default(func.entry);
        for block in &order {
            let new = if *block == old.entry { func.entry } else { func.add_block() };
            blocks[*block] = new;
            for param in &old.blocks[*block].params {
                let low = func.add_param(new, Type::I32);
                let wide = old.values[*param] == Type::I64;
                words[*param] = [low, if wide { func.add_param(new, Type::I32) } else { low }];
            }
        }
        let b = Builder { block: func.entry, func: &mut func, offset: 0 };
        let constants = SecondaryMap::new();
        let divisions = divide::Done::default();
        let mut legalizer =
            Legalizer { module, tables, linker, old: &old, words, constants, blocks, b, divisions };
        for block in order {
            legalizer.block(block);
        }
        func
    }

    fn block(&mut self, block: Block) {
        self.b.block = self.blocks[block];
        self.divisions.clear();
        let data = &self.old.blocks[block];
        for inst in &data.insts {
            self.b.offset = inst.offset;
            self.inst(inst);
        }
        self.b.offset = data.term_offset;
        let term = self.terminator(&data.term);
        self.b.terminate(term);
    }

    fn word(&self, value: Value) -> Value {
        self.words[value][0]
    }

    /// Returns all words of the values.
    fn flat(&self, values: &[Value]) -> Values {
        let mut flat = Values::new();
        for value in values {
            flat.extend_from_slice(&self.words[*value][..words_of(self.old.values[*value])]);
        }
        flat
    }

    fn inst(&mut self, inst: &Inst) {
        if let (Op::Const(bits), Some(result)) = (&inst.op, inst.result) {
            self.constants[result] = Some(*bits);
        }
        let pair = match (&inst.op, inst.ty) {
            (Op::Binary(op @ (BinaryOp::DivU | BinaryOp::DivS | BinaryOp::RemU | BinaryOp::RemS)), ty)
                if self.old.origin != Origin::Routine(Routine::Udivrem32) =>
            {
                Some(self.division(*op, ty, inst.args[0], inst.args[1]))
            }
            (Op::Float(op), ty) => Some(self.float(*op, ty, &inst.args)),
            (Op::Copy { from, to }, _) => {
                self.copy(*from, *to, &inst.args);
                None
            }
            (Op::Fill(space), _) => {
                self.fill(*space, &inst.args);
                None
            }
            (Op::Unary(UnaryOp::Wrap), _) => Some([self.word(inst.args[0]); 2]),
            (Op::Unary(UnaryOp::ExtendU), _) => Some([self.word(inst.args[0]), self.b.word(0)]),
            (Op::Unary(UnaryOp::ExtendS), _) => {
                let low = self.word(inst.args[0]);
                Some([low, self.sign(low)])
            }
            (Op::Binary(BinaryOp::Rotr), Type::I32) => {
                let amount = match self.constants[inst.args[1]] {
                    Some(bits) => self.b.word((bits as u32).wrapping_neg() % 32),
                    None => {
                        let zero = self.b.word(0);
                        let amount = self.word(inst.args[1]);
                        self.b.word_op(BinaryOp::Sub, zero, amount)
                    }
                };
                let word = self.word(inst.args[0]);
                Some([self.b.word_op(BinaryOp::Rotl, word, amount); 2])
            }
            (_, Type::I64) => self.wide(inst),
            (op, Type::I32) => {
                let args: Values = inst.args.iter().map(|v| self.word(*v)).collect();
                let mut op = op.clone();
                if let Op::Load { bytes: 4, signed, .. } = &mut op {
                    *signed = false;
                }
                match inst.result {
                    Some(_) => Some([self.b.value(op, Type::I32, &args); 2]),
                    None => {
                        self.b.effect(op, Type::I32, &args);
                        None
                    }
                }
            }
        };
        if let (Some(pair), Some(result)) = (pair, inst.result) {
            self.words[result] = pair;
        }
    }

    fn terminator(&mut self, term: &Terminator) -> Terminator {
        let call = |this: &Self, call: &BlockCall| BlockCall {
            block: this.blocks[call.block],
            args: this.flat(&call.args),
        };
        match term {
            Terminator::Jump(to) => Terminator::Jump(call(self, to)),
            Terminator::Branch { cond, then, otherwise } => Terminator::Branch {
                cond: self.word(*cond),
                then: call(self, then),
                otherwise: call(self, otherwise),
            },
            Terminator::Switch { index, targets, default } => Terminator::Switch {
                index: self.word(*index),
                targets: targets.iter().map(|target| call(self, target)).collect(),
                default: call(self, default),
            },
            Terminator::Call { callee, args, next } => {
                let args = self.flat(args);
                Terminator::Call { callee: self.callee(*callee), args, next: self.blocks[*next] }
            }
            Terminator::TailCall { callee, args } => {
                let args = self.flat(args);
                Terminator::TailCall { callee: self.callee(*callee), args }
            }
            Terminator::Return(args) => Terminator::Return(self.flat(args)),
            Terminator::Trap(code) => Terminator::Trap(*code),
        }
    }

    fn callee(&mut self, callee: Callee) -> Callee {
        match callee {
            Callee::Indirect { table, ty, index } => {
                let index = self.word(index);
                self.indirect(table, ty, index)
            }
            Callee::Direct(_) | Callee::Reference(_) => callee,
        }
    }

    /// Emits the checks of an indirect call, in their order, and returns what is to be called.
    fn indirect(&mut self, table: TableId, ty: u32, index: Value) -> Callee {
        let data = &self.module.tables[table];
        let size = match data.size_cell {
            Some(cell) => self.b.value(Op::CellGet(cell), Type::I32, &[]),
            None => self.b.word(data.size),
        };
        let outside = self.b.word_op(BinaryOp::GeU, index, size);
        self.b.trap_if(TrapCode::UndefinedElement, outside);
        // A table that changes holds references, and the compiler's own table has their functions.
        let (table, index) = match self.tables.written.contains(table) {
            true => {
                let load = Op::Load { space: Space::Table(table), bytes: 4, signed: false, offset: 0 };
                (self.module.reference_table(), self.b.value(load, Type::I32, &[index]))
            }
            false => (table, index),
        };
        let found = self.b.value(Op::TableType(table), Type::I32, &[index]);
        let null = self.b.unary(UnaryOp::Eqz, Type::I32, found);
        self.b.trap_if(TrapCode::UninitializedElement, null);
        let expected = self.b.word(1 + ty);
        let other = self.b.word_op(BinaryOp::Ne, found, expected);
        self.b.trap_if(TrapCode::IndirectCallTypeMismatch, other);
        match self.tables.only.get(&(table, ty)) {
            Some(func) => Callee::Direct(*func),
            None => Callee::Reference(self.b.value(Op::TableFunc(table), Type::I32, &[index])),
        }
    }

    /// Calls a routine and goes on after the call, in a new block.
    fn call_routine(&mut self, routine: Routine, args: Values, results: usize) -> Values {
        let callee = Callee::Direct(self.linker.link(routine));
        let next = self.b.func.add_block();
        let results = (0..results).map(|_| self.b.func.add_param(next, Type::I32)).collect();
        self.b.terminate(Terminator::Call { callee, args, next });
        self.b.block = next;
        results
    }

    /// Emits the high word of the sign extension of a word.
    fn sign(&mut self, word: Value) -> Value {
        let shift = self.b.word(31);
        self.b.word_op(BinaryOp::ShrS, word, shift)
    }
}

/// Returns how many words a value takes.
fn words_of(ty: Type) -> usize {
    match ty {
        Type::I32 => 1,
        Type::I64 => 2,
    }
}
