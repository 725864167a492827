//! Checks that a module in the IR is well formed: for tests and debug builds.
//!
//! What is checked: every value is defined once and before it is used on every path; numbers and
//! types of arguments; that a call is the only predecessor of the block it returns to; and what
//! each phase promises of its result ([`Stage`]).

use cranelift_entity::SecondaryMap;
use cranelift_entity::packed_option::PackedOption;

use crate::builder::result_type;
use crate::cfg::{Cfg, Dominators};
use crate::ir::*;

/// How far a module has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// After `frontend`.
    Typed,
    /// After `legalize`: words only.
    Words,
    /// After `optimize`: the shape that the backend takes.
    Final,
}

/// Checks a module.
///
/// # Errors
///
/// What is wrong and where, with the function printed.
pub fn verify(module: &Module, stage: Stage) -> Result<(), String> {
    for (id, func) in &module.functions {
        let check = Check::new(module, func, stage);
        check.function().map_err(|message| format!("{id} `{}`: {message}\n{func}", func.name))?;
    }
    let funcs = module.functions.len();
    if module.function_types.len() != funcs {
        return Err(format!("{} types for {funcs} functions", module.function_types.len()));
    }
    for (name, func, signature) in &module.exports {
        let words = |types: &[wasm2onnx_runtime::ValueType]| types.iter().map(|ty| ty.words()).sum::<usize>();
        let function = module.functions.get(*func).ok_or_else(|| format!("export {name}: no {func}"))?;
        let counts = if stage == Stage::Typed {
            (signature.params.len(), signature.results.len())
        } else {
            (words(&signature.params), words(&signature.results))
        };
        if counts != (function.param_types().len(), function.results.len()) {
            return Err(format!("export {name}: its type does not fit {func}"));
        }
    }
    for (table, data) in &module.tables {
        let ascending = data.entries.windows(2).all(|pair| pair[0].0 < pair[1].0);
        if !ascending || data.entries.iter().any(|(i, _)| *i >= data.size) {
            return Err(format!("{table}: bad entries"));
        }
    }
    if module.references.iter().flatten().any(|func| func.as_u32() as usize >= funcs) {
        return Err("a reference to a function that does not exist".into());
    }
    Ok(())
}

struct Check<'a> {
    module: &'a Module,
    func: &'a Function,
    stage: Stage,
    cfg: Cfg,
    dominators: Dominators,
    /// Where each value is defined: block, and number of the instruction + 1, 0 for parameters.
    defs: SecondaryMap<Value, PackedOption<Block>>,
    positions: SecondaryMap<Value, u32>,
}

type Checked = Result<(), String>;

fn ensure(condition: bool, message: impl FnOnce() -> String) -> Checked {
    if condition { Ok(()) } else { Err(message()) }
}

impl<'a> Check<'a> {
    fn new(module: &'a Module, func: &'a Function, stage: Stage) -> Self {
        let cfg = Cfg::new(func);
        let dominators = Dominators::new(func, &cfg);
        let (defs, positions) = (SecondaryMap::new(), SecondaryMap::new());
        Check { module, func, stage, cfg, dominators, defs, positions }
    }

    fn function(mut self) -> Checked {
        let order = self.cfg.order.clone();
        for block in &order {
            let data = &self.func.blocks[*block];
            for param in &data.params {
                self.define(*param, *block, 0)?;
            }
            for (i, inst) in data.insts.iter().enumerate() {
                if let Some(result) = inst.result {
                    self.define(result, *block, i as u32 + 1)?;
                }
            }
        }
        for block in &order {
            let data = &self.func.blocks[*block];
            for (i, inst) in data.insts.iter().enumerate() {
                for arg in &inst.args {
                    self.available(*arg, *block, i as u32 + 1)?;
                }
                self.inst(inst).map_err(|message| format!("{inst}: {message}"))?;
            }
            let mut uses = Vec::new();
            data.term.for_each_use(|v| uses.push(v));
            for value in uses {
                self.available(value, *block, u32::MAX)?;
            }
            self.terminator(*block).map_err(|message| format!("{block}: {}: {message}", data.term))?;
            if self.stage == Stage::Final {
                self.shape(*block).map_err(|message| format!("{block}: {}: {message}", data.term))?;
            }
        }
        Ok(())
    }

    fn define(&mut self, value: Value, block: Block, position: u32) -> Checked {
        ensure(self.defs[value].is_none(), || format!("{value} is defined twice"))?;
        ensure(self.stage == Stage::Typed || self.func.values[value] == Type::I32, || {
            format!("{value} is no word")
        })?;
        self.defs[value] = block.into();
        self.positions[value] = position;
        Ok(())
    }

    fn available(&self, value: Value, block: Block, position: u32) -> Checked {
        let Some(def) = self.defs[value].expand() else {
            return Err(format!("{block} uses {value}, which is not defined"));
        };
        let before = if def == block {
            self.positions[value] < position
        } else {
            self.dominators.dominates(def, block)
        };
        ensure(before, || format!("{block} uses {value} before its definition in {def}"))
    }

    fn types(&self, args: &[Value], types: &[Type]) -> Checked {
        let found: Vec<Type> = args.iter().map(|v| self.func.values[*v]).collect();
        ensure(found == types, || format!("expected {types:?}, found {found:?}"))
    }

    fn inst(&self, inst: &Inst) -> Checked {
        use Type::I32;
        let ty = inst.ty;
        let has_result = match &inst.op {
            Op::Const(_) => self.types(&inst.args, &[]).map(|()| true),
            Op::Unary(_) => self.types(&inst.args, &[ty]).map(|()| true),
            Op::Binary(_) => self.types(&inst.args, &[ty, ty]).map(|()| true),
            Op::Float(op) => self.types(&inst.args, &vec![ty; op.operands()]).map(|()| true),
            Op::Select => self.types(&inst.args, &[I32, ty, ty]).map(|()| true),
            Op::Load { .. } => self.types(&inst.args, &[I32]).map(|()| true),
            Op::Store { .. } => self.types(&inst.args, &[I32, ty]).map(|()| false),
            Op::Copy { .. } | Op::Fill(_) | Op::Within(_) => {
                self.types(&inst.args, &[I32, I32, I32]).map(|()| false)
            }
            Op::Move { .. } | Op::Repeat { .. } => self.types(&inst.args, &[I32, I32]).map(|()| false),
            Op::Bounds { .. } if inst.args.len() == 2 => self.types(&inst.args, &[I32, I32]).map(|()| false),
            Op::Bounds { .. } | Op::TrapIf(_) => self.types(&inst.args, &[I32]).map(|()| false),
            Op::CellGet(_) => self.types(&inst.args, &[]).map(|()| true),
            Op::CellSet(_) => self.types(&inst.args, &[I32]).map(|()| false),
            Op::TableFunc(_) | Op::TableType(_) => self.types(&inst.args, &[I32]).map(|()| true),
        }?;
        ensure(inst.result.is_some() == has_result, || "result".into())?;
        if let Some(result) = inst.result {
            ensure(self.func.values[result] == result_type(&inst.op, ty), || "type of the result".into())?;
        }
        for space in [inst.reads(), inst.writes()].into_iter().flatten() {
            if let Space::Table(table) = space {
                ensure(self.module.tables.is_valid(table), || "no such table".into())?;
            }
        }
        match inst.op {
            Op::CellGet(cell) | Op::CellSet(cell) => {
                ensure(self.module.cells.is_valid(cell), || "no such cell".into())?;
            }
            Op::TableFunc(table) | Op::TableType(table) => {
                ensure(self.module.tables.is_valid(table), || "no such table".into())?;
            }
            _ => {}
        }
        if self.stage >= Stage::Words { self.word_inst(inst) } else { Ok(()) }
    }

    fn word_inst(&self, inst: &Inst) -> Checked {
        use BinaryOp::*;
        let allowed = match &inst.op {
            Op::Const(bits) => *bits <= u32::MAX as u64,
            Op::Unary(op) => {
                use UnaryOp::*;
                matches!(op, Eqz | Clz | Ctz | Popcnt | Extend8S | Extend16S)
            }
            Op::Binary(DivU | RemU) => {
                self.func.origin == Origin::Routine(Routine::Udivrem32)
                    || self.constant(inst.args[1]).is_some_and(|divisor| divisor != 0)
            }
            Op::Binary(op) => !matches!(op, DivS | RemS | Rotr),
            Op::Load { bytes, .. } | Op::Store { bytes, .. } => *bytes <= 4,
            Op::Move { cells, .. } | Op::Repeat { cells, .. } => (1..=MAX_CELLS).contains(cells),
            Op::Float(_) | Op::Copy { .. } | Op::Fill(_) => false,
            _ => true,
        };
        ensure(allowed && inst.ty == Type::I32, || "not a word operation".into())
    }

    fn constant(&self, value: Value) -> Option<u64> {
        let block = self.defs[value].expand()?;
        let inst = self.func.blocks[block].insts.get((self.positions[value] as usize).checked_sub(1)?)?;
        if let Op::Const(bits) = inst.op { Some(bits) } else { None }
    }

    fn terminator(&self, block: Block) -> Checked {
        let term = &self.func.blocks[block].term;
        for edge in term.edges() {
            ensure(self.func.blocks.is_valid(edge.block), || "no such block".into())?;
            let params: Vec<Type> =
                self.func.blocks[edge.block].params.iter().map(|p| self.func.values[*p]).collect();
            self.types(&edge.args, &params)?;
        }
        match term {
            Terminator::Branch { cond: word, .. } | Terminator::Switch { index: word, .. } => {
                self.types(&[*word], &[Type::I32])
            }
            Terminator::Return(args) => self.types(args, &self.func.results),
            Terminator::Call { callee, args, next } => {
                ensure(self.cfg.preds[*next].len() == 1, || format!("{next} has other predecessors"))?;
                let params: Vec<Type> =
                    self.func.blocks[*next].params.iter().map(|p| self.func.values[*p]).collect();
                self.call(callee, args, &params)
            }
            Terminator::TailCall { callee, args } => self.call(callee, args, &self.func.results),
            Terminator::Jump(_) | Terminator::Trap(_) => Ok(()),
        }
    }

    fn call(&self, callee: &Callee, args: &[Value], results: &[Type]) -> Checked {
        match callee {
            Callee::Direct(func) => {
                let Some(func) = self.module.functions.get(*func) else {
                    return Err("no such function".into());
                };
                self.types(args, &func.param_types())?;
                ensure(results == func.results, || "results".into())
            }
            Callee::Indirect { index, .. } => {
                ensure(self.stage == Stage::Typed, || "an indirect call".into())?;
                self.types(&[*index], &[Type::I32])
            }
            Callee::Reference(value) => self.types(&[*value], &[Type::I32]),
        }
    }

    /// Checks what the backend relies on.
    fn shape(&self, block: Block) -> Checked {
        if block == self.func.entry {
            ensure(self.cfg.preds[block].is_empty(), || "the entry block has predecessors".into())?;
        }
        match &self.func.blocks[block].term {
            Terminator::Branch { then, otherwise, .. } => {
                ensure(then.block != otherwise.block, || "both arms go to one block".into())
            }
            term @ Terminator::Switch { .. } => {
                for edge in term.edges() {
                    let free = edge.args.is_empty() || self.cfg.preds[edge.block].len() == 1;
                    ensure(free, || format!("a critical edge to {}", edge.block))?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
