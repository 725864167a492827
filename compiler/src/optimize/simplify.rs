//! One walk down the dominator tree: folds constants, applies identities, numbers values, and removes checks
//! and reads that were done before.
//!
//! What was found in a block holds in all blocks that it dominates. A table entry names the block that it was
//! made in and counts only where that block dominates. The walk is in preorder, so an entry that does not
//! dominate the current block never will again and may be overwritten.

use cranelift_entity::SecondaryMap;
use cranelift_entity::packed_option::PackedOption;
use rustc_hash::FxHashMap;
use smallvec::{SmallVec, smallvec};
use wasm2onnx_runtime::TrapCode;

use super::facts::Facts;
use super::fold::{self, Bound, Def, Folded, Known};
use crate::cfg::{Cfg, Dominators};
use crate::ir::*;

/// Maximum number of known values of cells that a block hands on. If there are more, all are forgotten, so
/// that the time stays linear.
const MAX_CELLS: usize = 32;

/// Simplifies a function. Control flow changes only in terminators.
pub fn run(func: &mut Function, facts: &Facts) {
    let cfg = Cfg::new(func);
    let dominators = Dominators::new(func, &cfg);
    let values = func.values.len();
    let mut simplifier = Simplifier {
        facts,
        dominators,
        block: func.entry,
        insts: Vec::new(),
        offset: 0,
        alias: SecondaryMap::with_capacity(values),
        defs: SecondaryMap::with_capacity(values),
        bounds: SecondaryMap::with_default(Bound::ANY),
        numbers: FxHashMap::default(),
        constants: FxHashMap::default(),
        checked: FxHashMap::default(),
        conditions: FxHashMap::default(),
        references: FxHashMap::default(),
        cells: FxHashMap::default(),
        types: std::mem::take(&mut func.values),
    };
    let mut cells_after: SecondaryMap<Block, Vec<(Cell, Value)>> = SecondaryMap::new();
    for block in simplifier.dominators.preorder(func, &cfg) {
        simplifier.block = block;
        simplifier.cells.clear();
        if let [pred] = cfg.preds[block][..] {
            simplifier.enter(&func.blocks[pred].term, block);
            simplifier.cells.extend(cells_after[pred].iter().copied());
        }
        let data = &mut func.blocks[block];
        let mut term = std::mem::replace(&mut data.term, Terminator::Return(Values::new()));
        let insts = std::mem::take(&mut data.insts);
        simplifier.insts = Vec::with_capacity(insts.len());
        for inst in insts {
            if let Some(code) = simplifier.inst(inst) {
                term = Terminator::Trap(code);
                data.term_offset = simplifier.offset;
                break;
            }
        }
        simplifier.offset = data.term_offset;
        simplifier.terminator(&mut term);
        data.term = term;
        data.insts = std::mem::take(&mut simplifier.insts);
        // A call may write every cell.
        if simplifier.cells.len() <= MAX_CELLS && !matches!(data.term, Terminator::Call { .. }) {
            cells_after[block] = simplifier.cells.iter().map(|(cell, value)| (*cell, *value)).collect();
        }
    }
    func.values = simplifier.types;
}

/// Up to where a memory is known to reach beyond an address, from which blocks on.
type Checked = SmallVec<[(Block, u64); 1]>;

struct Simplifier<'a> {
    facts: &'a Facts,
    dominators: Dominators,
    /// The current block, its instructions so far, and the offset for new ones.
    block: Block,
    insts: Vec<Inst>,
    offset: u32,
    /// For each value that was replaced, its replacement.
    alias: SecondaryMap<Value, PackedOption<Value>>,
    defs: SecondaryMap<Value, Def>,
    bounds: SecondaryMap<Value, Bound>,
    /// Values by how they are computed.
    numbers: FxHashMap<(Op, Values), (Value, Block)>,
    constants: FxHashMap<u32, (Value, Block)>,
    /// For each address, how far beyond it the memory is known to reach. The last entry that dominates
    /// counts.
    checked: FxHashMap<(MemoryId, Value), Checked>,
    /// Conditions known to be 0 (true) or not.
    conditions: FxHashMap<Value, (Block, bool)>,
    /// Functions that constant entries of tables refer to.
    references: FxHashMap<Value, Func>,
    /// Known values of cells.
    cells: FxHashMap<Cell, Value>,
    types: cranelift_entity::PrimaryMap<Value, Type>,
}

impl Known for Simplifier<'_> {
    fn def(&self, value: Value) -> Def {
        self.defs[value]
    }

    fn bound(&self, value: Value) -> Bound {
        self.bounds[value]
    }

    fn constant(&mut self, bits: u32) -> Value {
        if let Some((value, block)) = self.constants.get(&bits)
            && self.dominators.dominates(*block, self.block)
        {
            return *value;
        }
        let value = self.types.push(Type::I32);
        self.push_constant(bits, value);
        value
    }

    fn known(&self, value: Value) -> Option<bool> {
        let (block, zero) = self.conditions.get(&value)?;
        self.dominators.dominates(*block, self.block).then_some(*zero)
    }
}

impl Simplifier<'_> {
    fn push_constant(&mut self, bits: u32, value: Value) {
        self.constants.insert(bits, (value, self.block));
        self.defs[value] = Def::Const(bits);
        self.bounds[value] = Bound::exactly(bits);
        let (op, args) = (Op::Const(bits as u64), Values::new());
        self.insts.push(Inst { op, ty: Type::I32, args, result: Some(value), offset: self.offset });
    }

    fn resolve(&self, value: &mut Value) {
        if let Some(other) = self.alias[*value].expand() {
            *value = other;
        }
    }

    /// Remembers what the branch to a block with one predecessor says about the branch's condition.
    fn enter(&mut self, term: &Terminator, block: Block) {
        if let Terminator::Branch { cond, then, otherwise } = term
            && then.block != otherwise.block
        {
            self.condition(*cond, block == otherwise.block);
        }
    }

    /// Remembers whether a value is 0 from here on.
    fn condition(&mut self, value: Value, zero: bool) {
        self.conditions.insert(value, (self.block, zero));
    }

    /// Simplifies an instruction. Returns the trap code if it always traps.
    fn inst(&mut self, mut inst: Inst) -> Option<TrapCode> {
        self.offset = inst.offset;
        inst.args.iter_mut().for_each(|arg| self.resolve(arg));
        match (&mut inst.op, inst.result) {
            (Op::Const(_) | Op::Unary(_) | Op::Binary(_) | Op::Select, Some(result)) => {
                self.pure(inst, result);
                return None;
            }
            (Op::Load { space: Space::Memory(memory), bytes, signed: false, offset }, Some(result)) => {
                if let Def::Const(address) = self.defs[inst.args[0]]
                    && let Some(word) = self.facts.load(*memory, address as u64 + *offset, *bytes)
                {
                    let value = self.constant(word);
                    self.alias[result] = value.into();
                    return None;
                }
            }
            (Op::Store { space, bytes, .. }, _) if !space.has_words() => {
                inst.args[1] = self.stored(inst.args[1], *bytes);
            }
            (Op::Within(code), _) => {
                let defs = [0, 1, 2].map(|i| self.defs[inst.args[i]]);
                if let [Def::Const(a), Def::Const(b), Def::Const(limit)] = defs {
                    return (a as u64 + b as u64 > limit as u64).then_some(*code);
                }
            }
            (Op::Bounds { offset, .. }, _) if inst.args.len() == 2 => {
                if let Def::Const(more) = self.defs[inst.args[1]] {
                    *offset += more as u64;
                    inst.args.pop();
                    return self.inst(inst);
                }
            }
            (Op::Bounds { memory, offset, bytes }, _) => {
                let (memory, end) = (*memory, *offset + *bytes as u64);
                if self.is_checked(memory, inst.args[0], end) {
                    return None;
                }
            }
            (Op::TrapIf(code), _) => {
                let code = *code;
                let cond = &mut inst.args[0];
                *cond = self.boolean(*cond);
                let known = match self.defs[*cond] {
                    Def::Const(bits) => Some(bits == 0),
                    _ => self.known(*cond),
                };
                match known {
                    Some(true) => return None,
                    Some(false) => return Some(code),
                    None => self.condition(*cond, true),
                }
                // For x == 0, it is x that later conditions ask about.
                if let Def::Unary(UnaryOp::Eqz, x) = self.defs[*cond] {
                    self.condition(x, false);
                }
            }
            (Op::CellGet(cell), Some(result)) => {
                let cell = *cell;
                let known = match self.facts.cells[cell] {
                    Some(bits) => Some(self.constant(bits)),
                    None => self.cells.get(&cell).copied(),
                };
                if let Some(value) = known {
                    self.alias[result] = value.into();
                    return None;
                }
                match self.facts.stdin {
                    [Some(end), position] if end == cell => {
                        position.map(|position| self.cells.remove(&position));
                    }
                    _ => drop(self.cells.insert(cell, result)),
                }
            }
            (Op::CellSet(cell), _) => {
                let before = self.cells.insert(*cell, inst.args[0]);
                // Writing what is there already changes nothing.
                if before == Some(inst.args[0]) {
                    return None;
                }
            }
            (op @ (Op::TableFunc(_) | Op::TableType(_)), Some(result)) => {
                if let Def::Const(index) = self.defs[inst.args[0]] {
                    match *op {
                        Op::TableFunc(table) => {
                            // The entry is a function of that type, or an earlier check has trapped.
                            if let Some(func) = self.facts.table_entry(table, index) {
                                self.references.insert(result, func);
                            }
                        }
                        Op::TableType(table) => {
                            let entry = self.facts.table_entry(table, index);
                            let id = entry.map_or(0, |func| 1 + self.facts.function_types[func]);
                            let value = self.constant(id);
                            self.alias[result] = value.into();
                            return None;
                        }
                        _ => {}
                    }
                }
                self.number(inst, result);
                return None;
            }
            _ => {}
        }
        if let Some(result) = inst.result {
            self.bounds[result] = fold::bound_of(self, &inst.op, &inst.args);
        }
        self.insts.push(inst);
        None
    }

    fn pure(&mut self, inst: Inst, result: Value) {
        match fold::fold(self, inst.op, inst.args) {
            Folded::Const(bits) => match self.constants.get(&bits) {
                Some((value, block)) if self.dominators.dominates(*block, self.block) => {
                    self.alias[result] = (*value).into();
                }
                _ => self.push_constant(bits, result),
            },
            Folded::Value(value) => self.alias[result] = value.into(),
            Folded::Op(op, args) => {
                let inst = Inst { op, args, ..inst_like(self.offset, result) };
                self.number(inst, result);
            }
        }
    }

    /// Keeps an instruction, or replaces its result by that of an equal one.
    fn number(&mut self, inst: Inst, result: Value) {
        let key = (inst.op.clone(), inst.args.clone());
        if let Some((value, block)) = self.numbers.get(&key)
            && self.dominators.dominates(*block, self.block)
        {
            self.alias[result] = (*value).into();
            return;
        }
        self.defs[result] = match (&inst.op, &inst.args[..]) {
            (Op::Unary(op), [a]) => Def::Unary(*op, *a),
            (Op::Binary(op), [a, b]) => Def::Binary(*op, *a, *b),
            (Op::Select, [cond, a, b]) => Def::Select(*cond, *a, *b),
            _ => Def::Other,
        };
        self.bounds[result] = fold::bound_of(self, &inst.op, &inst.args);
        self.numbers.insert(key, (result, self.block));
        self.insts.push(inst);
    }

    /// Returns a value that can be stored in place of this one if only the lowest bytes are stored.
    fn stored(&self, value: Value, bytes: u8) -> Value {
        let mask = match bytes {
            1 => 0xff,
            2 => 0xffff,
            _ => return value,
        };
        match self.defs[value] {
            Def::Binary(BinaryOp::And, x, c) => match self.defs[c] {
                Def::Const(c) if c & mask == mask => x,
                _ => value,
            },
            Def::Unary(UnaryOp::Extend16S, x) => x,
            Def::Unary(UnaryOp::Extend8S, x) if bytes == 1 => x,
            _ => value,
        }
    }

    /// Returns whether a memory is known to reach `end` bytes beyond an address. From here on it is.
    fn is_checked(&mut self, memory: MemoryId, address: Value, end: u64) -> bool {
        if self.bounds[address].max as u64 + end <= self.facts.memory_bytes(memory) {
            return true;
        }
        let entries = self.checked.entry((memory, address)).or_default();
        while let Some((block, checked)) = entries.last() {
            if self.dominators.dominates(*block, self.block) {
                if *checked >= end {
                    return true;
                }
                break;
            }
            entries.pop();
        }
        entries.push((self.block, end));
        false
    }

    /// Returns a value that a condition can test in place of this one: both are 0 in the same cases.
    fn boolean(&self, mut cond: Value) -> Value {
        while let Def::Binary(BinaryOp::Ne, x, y) = self.defs[cond]
            && self.defs[y] == Def::Const(0)
        {
            cond = x;
        }
        cond
    }

    fn terminator(&mut self, term: &mut Terminator) {
        term.for_each_use_mut(|value| self.resolve(value));
        match term {
            Terminator::Branch { cond, then, otherwise } => {
                loop {
                    let simpler = self.boolean(*cond);
                    if let Def::Unary(UnaryOp::Eqz, x) = self.defs[simpler] {
                        *cond = x;
                        std::mem::swap(then, otherwise);
                    } else {
                        *cond = simpler;
                        break;
                    }
                }
                let known = match self.defs[*cond] {
                    Def::Const(bits) => Some(bits == 0),
                    _ => self.known(*cond),
                };
                if let Some(zero) = known {
                    *term = Terminator::Jump(if zero { otherwise.clone() } else { then.clone() });
                } else if then == otherwise {
                    *term = Terminator::Jump(then.clone());
                }
            }
            Terminator::Switch { index, targets, default } => {
                // The last entries are dropped if they do what the default does.
                while targets.last() == Some(default) {
                    targets.pop();
                }
                if let Def::Const(bits) = self.defs[*index] {
                    *term = Terminator::Jump(targets.get(bits as usize).unwrap_or(default).clone());
                } else if let [target] = &targets[..] {
                    let (cond, then, otherwise) = (*index, default.clone(), target.clone());
                    *term = Terminator::Branch { cond, then, otherwise };
                    self.terminator(term);
                } else if targets.is_empty() {
                    *term = Terminator::Jump(default.clone());
                }
            }
            Terminator::Call { callee: callee @ Callee::Reference(_), .. }
            | Terminator::TailCall { callee: callee @ Callee::Reference(_), .. } => {
                if let Callee::Reference(reference) = *callee
                    && let Some(func) = self.references.get(&reference)
                {
                    *callee = Callee::Direct(*func);
                }
            }
            Terminator::Call { callee: Callee::Direct(callee), args, next } => {
                // A division by a divisor that became a constant is done inline.
                if Some(*callee) == self.facts.udivrem32
                    && let Def::Const(divisor) = self.defs[args[1]]
                    && divisor != 0
                {
                    let results = [BinaryOp::DivU, BinaryOp::RemU].map(|op| {
                        let result = self.types.push(Type::I32);
                        let args = smallvec![args[0], args[1]];
                        self.pure(
                            Inst { op: Op::Binary(op), args, ..inst_like(self.offset, result) },
                            result,
                        );
                        self.alias[result].expand().unwrap_or(result)
                    });
                    *term = Terminator::Jump(BlockCall { block: *next, args: Values::from_slice(&results) });
                }
            }
            _ => {}
        }
    }
}

fn inst_like(offset: u32, result: Value) -> Inst {
    Inst { op: Op::Select, ty: Type::I32, args: Values::new(), result: Some(result), offset }
}
