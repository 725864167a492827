//! Control flow: jumps to jumps, branches whose outcome is decided by the way to them, blocks to which only
//! one block jumps.

use cranelift_entity::{EntitySet, SecondaryMap};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use cranelift_entity::packed_option::PackedOption;

use crate::alias::Aliases;
use crate::cfg::{Cfg, reverse_postorder};
use crate::ir::*;

/// Maximum number of blocks that one jump is led through.
const MAX_HOPS: usize = 8;
/// Maximum number of constants in a block that jumps are led through.
const MAX_CONSTANTS: usize = 4;

/// Cleans up the control flow. Returns whether there was anything to do.
pub fn run(func: &mut Function) -> bool {
    let threaded = thread(func);
    let merged = merge(func);
    drop_unreachable(func);
    threaded | merged
}

/// Leads jumps through blocks that do nothing, and through branches whose condition is constant on
/// that way.
fn thread(func: &mut Function) -> bool {
    let cfg = Cfg::new(func);
    let escaping = escaping(func, &cfg);
    let mut headers = EntitySet::with_capacity(func.blocks.len());
    for block in &cfg.order {
        func.blocks[*block].term.for_each_successor(|next| {
            if cfg.position[next] <= cfg.position[*block] {
                headers.insert(next);
            }
        });
    }
    let mut threader = Threader { func, cfg: &cfg, headers, constants: SecondaryMap::new() };
    for inst in cfg.order.iter().flat_map(|block| &threader.func.blocks[*block].insts) {
        if let (Op::Const(bits), Some(result)) = (&inst.op, inst.result) {
            threader.constants[result] = Some(*bits);
        }
    }
    // Blocks that jumps can be led through: what they define is used only in themselves.
    let mut through = EntitySet::with_capacity(threader.func.blocks.len());
    for block in &cfg.order {
        let data = &threader.func.blocks[*block];
        let constants =
            data.insts.len() <= MAX_CONSTANTS && data.insts.iter().all(|i| matches!(i.op, Op::Const(_)));
        let own = data.params.iter().copied().chain(data.insts.iter().filter_map(|inst| inst.result));
        // What a call returns to has one predecessor, the call.
        if constants && *block != threader.func.entry && !own.clone().any(|value| escaping.contains(value)) {
            through.insert(*block);
        }
    }
    let mut changed = false;
    for block in &cfg.order {
        let mut term =
            std::mem::replace(&mut threader.func.blocks[*block].term, Terminator::Return(Values::new()));
        for edge in term.edges_mut() {
            changed |= threader.edge(*block, edge, &through);
        }
        if let Terminator::Branch { then, otherwise, .. } = &term
            && then == otherwise
        {
            term = Terminator::Jump(then.clone());
            changed = true;
        }
        if let Terminator::Jump(call) = &term
            && let Some((end, offset)) = threader.end(*block, call, &through)
        {
            term = end;
            threader.func.blocks[*block].term_offset = offset;
            changed = true;
        }
        threader.func.blocks[*block].term = term;
    }
    changed
}

/// Returns the values that are used in other blocks than their own.
fn escaping(func: &Function, cfg: &Cfg) -> EntitySet<Value> {
    let mut home: SecondaryMap<Value, PackedOption<Block>> = SecondaryMap::new();
    home.resize(func.values.len());
    for block in &cfg.order {
        let data = &func.blocks[*block];
        for value in data.params.iter().copied().chain(data.insts.iter().filter_map(|inst| inst.result)) {
            home[value] = (*block).into();
        }
    }
    let mut escaping = EntitySet::with_capacity(func.values.len());
    for block in &cfg.order {
        let mut check = |value: Value| {
            if home[value] != (*block).into() {
                escaping.insert(value);
            }
        };
        let data = &func.blocks[*block];
        data.insts.iter().flat_map(|inst| &inst.args).for_each(|value| check(*value));
        data.term.for_each_use(check);
    }
    escaping
}

struct Threader<'a> {
    func: &'a mut Function,
    cfg: &'a Cfg,
    /// Blocks that are jumped back to.
    headers: EntitySet<Block>,
    constants: SecondaryMap<Value, Option<u64>>,
}

impl Threader<'_> {
    /// Leads an edge of `from` as far as it goes.
    fn edge(&mut self, from: Block, edge: &mut BlockCall, through: &EntitySet<Block>) -> bool {
        let mut changed = false;
        for _ in 0..MAX_HOPS {
            let block = edge.block;
            if block == from || !through.contains(block) {
                break;
            }
            let data = &self.func.blocks[block];
            let next = match &data.term {
                Terminator::Jump(next) if next.block != block => next.clone(),
                Terminator::Branch { cond, then, otherwise } => {
                    // Not through the header of a loop: that would evaluate the loop.
                    if self.headers.contains(block) {
                        break;
                    }
                    let cond = match data.params.iter().position(|param| param == cond) {
                        Some(i) => edge.args[i],
                        None => *cond,
                    };
                    match self.constants[cond] {
                        Some(0) => otherwise.clone(),
                        Some(_) => then.clone(),
                        None => break,
                    }
                }
                _ => break,
            };
            let mut args = next.args;
            self.substitute(from, edge, args.iter_mut());
            *edge = BlockCall { block: next.block, args };
            changed = true;
        }
        changed
    }

    /// Returns the end of a block that only returns, tail calls or traps, for use in place of a jump to it.
    fn end(
        &mut self,
        from: Block,
        call: &BlockCall,
        through: &EntitySet<Block>,
    ) -> Option<(Terminator, u32)> {
        let block = call.block;
        if block == from || !through.contains(block) || self.cfg.preds[block].len() < 2 {
            return None;
        }
        let data = &self.func.blocks[block];
        let offset = data.term_offset;
        match data.term.clone() {
            Terminator::Trap(code) => Some((Terminator::Trap(code), offset)),
            Terminator::Return(mut args) => {
                self.substitute(from, call, args.iter_mut());
                Some((Terminator::Return(args), offset))
            }
            Terminator::TailCall { callee: callee @ Callee::Direct(_), mut args } => {
                self.substitute(from, call, args.iter_mut());
                Some((Terminator::TailCall { callee, args }, offset))
            }
            _ => None,
        }
    }

    /// Replaces what a block defines, parameters and constants, by what a jump to it passes and by
    /// new constants in `from`.
    fn substitute<'v>(&mut self, from: Block, call: &BlockCall, values: impl Iterator<Item = &'v mut Value>) {
        let mut copies: SmallVec<[(Value, Value); MAX_CONSTANTS]> = SmallVec::new();
        let params = Positions::new(&self.func.blocks[call.block].params);
        for value in values {
            let data = &self.func.blocks[call.block];
            if let Some(i) = params.of(&data.params, *value) {
                *value = call.args[i];
            } else if let Some(i) = data.insts.iter().position(|inst| inst.result == Some(*value)) {
                *value = match copies.iter().find(|copy| copy.0 == *value) {
                    Some(copy) => copy.1,
                    None => {
                        let mut inst = data.insts[i].clone();
                        let copy = self.func.values.push(inst.ty);
                        self.constants[copy] = self.constants[*value];
                        inst.result = Some(copy);
                        self.func.blocks[from].insts.push(inst);
                        copies.push((*value, copy));
                        copy
                    }
                };
            }
        }
    }
}

/// Where values are in a list; a long list is not searched for each value.
struct Positions(Option<FxHashMap<Value, usize>>);

impl Positions {
    fn new(list: &[Value]) -> Self {
        let entries = || list.iter().enumerate().map(|(i, value)| (*value, i)).collect();
        Positions((list.len() > 16).then(entries))
    }

    fn of(&self, list: &[Value], value: Value) -> Option<usize> {
        match &self.0 {
            Some(map) => map.get(&value).copied(),
            None => list.iter().position(|other| *other == value),
        }
    }
}

/// Appends blocks to their only predecessor if it only jumps to them.
fn merge(func: &mut Function) -> bool {
    let cfg = Cfg::new(func);
    let mut aliases = Aliases::default();
    let mut merged = EntitySet::with_capacity(func.blocks.len());
    for block in &cfg.order {
        if merged.contains(*block) {
            continue;
        }
        while let Terminator::Jump(call) = &func.blocks[*block].term {
            let next = call.block;
            if cfg.preds[next].len() != 1 || next == func.entry || next == *block {
                break;
            }
            merged.insert(next);
            let args = call.args.clone();
            let data = std::mem::take(&mut func.blocks[next]);
            for (param, arg) in data.params.iter().zip(args) {
                aliases.insert(*param, arg);
            }
            let block = &mut func.blocks[*block];
            block.insts.extend(data.insts);
            block.term = data.term;
            block.term_offset = data.term_offset;
        }
    }
    if !aliases.is_empty() {
        for block in &cfg.order {
            let data = &mut func.blocks[*block];
            let mut replace = |value: &mut Value| *value = aliases.resolve(*value);
            data.insts.iter_mut().for_each(|inst| inst.args.iter_mut().for_each(&mut replace));
            data.term.for_each_use_mut(replace);
        }
    }
    !merged.is_empty()
}

/// Empties blocks that cannot be reached, so that nothing in them counts any more.
fn drop_unreachable(func: &mut Function) {
    let mut reached = EntitySet::with_capacity(func.blocks.len());
    reached.extend(reverse_postorder(func));
    for (block, data) in func.blocks.iter_mut() {
        if !reached.contains(block) {
            *data = BlockData::new();
        }
    }
}
