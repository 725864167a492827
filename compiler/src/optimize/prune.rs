//! Removes instructions and block parameters that nothing needs, and parameters that are always
//! the same.

use cranelift_entity::{EntitySet, SecondaryMap};
use smallvec::SmallVec;

use crate::alias::Aliases;
use crate::cfg::reverse_postorder;
use crate::ir::*;

/// Edges into each block: the block that each comes from, and which of that block's edges it is.
type Edges = SecondaryMap<Block, SmallVec<[(Block, u32); 2]>>;

/// Removes what is not needed.
pub fn run(func: &mut Function) {
    let order = reverse_postorder(func);
    let mut edges = Edges::new();
    edges.resize(func.blocks.len());
    for block in &order {
        let mut i = 0;
        let term = &func.blocks[*block].term;
        if !matches!(term, Terminator::Call { .. }) {
            term.for_each_successor(|next| {
                edges[next].push((*block, i));
                i += 1;
            });
        }
    }
    same_params(func, &order, &edges);
    dead(func, &order, &edges);
}

/// Returns one argument of an edge.
fn argument(func: &Function, (from, edge): (Block, u32), i: usize) -> Value {
    let call = match &func.blocks[from].term {
        Terminator::Jump(call) => call,
        Terminator::Branch { then, otherwise, .. } => {
            if edge == 0 {
                then
            } else {
                otherwise
            }
        }
        Terminator::Switch { targets, default, .. } => targets.get(edge as usize).unwrap_or(default),
        Terminator::Call { .. }
        | Terminator::TailCall { .. }
        | Terminator::Return(_)
        | Terminator::Trap(_) => unreachable!("no edges"),
    };
    call.args[i]
}

/// Replaces parameters that are the same value or the same constant on all edges.
fn same_params(func: &mut Function, order: &[Block], edges: &Edges) {
    let mut constants: SecondaryMap<Value, Option<u64>> = SecondaryMap::new();
    for inst in order.iter().flat_map(|block| &func.blocks[*block].insts) {
        if let (Op::Const(bits), Some(result)) = (&inst.op, inst.result) {
            constants[result] = Some(*bits);
        }
    }
    let mut aliases = Aliases::default();
    // The second round almost always finds nothing more.
    for _ in 0..4 {
        let mut changed = false;
        for block in order {
            if edges[*block].is_empty() {
                continue; // The entry, or after a call.
            }
            let mut new: Vec<Inst> = Vec::new();
            for i in 0..func.blocks[*block].params.len() {
                let param = func.blocks[*block].params[i];
                if aliases.contains(param) || constants[param].is_some() {
                    continue;
                }
                let mut one: Option<Value> = None;
                let mut identical = true;
                let same = edges[*block].iter().all(|edge| {
                    let arg = aliases.resolve(argument(func, *edge, i));
                    match one {
                        _ if arg == param => true,
                        None => {
                            one = Some(arg);
                            true
                        }
                        Some(other) if other == arg => true,
                        Some(other) => {
                            identical = false;
                            constants[other].is_some() && constants[other] == constants[arg]
                        }
                    }
                });
                let Some(one) = one.filter(|_| same) else { continue };
                changed = true;
                if identical {
                    aliases.insert(param, one);
                } else {
                    // Equal constants of different blocks: the parameter becomes one itself.
                    let bits = constants[one].expect("checked above");
                    constants[param] = Some(bits);
                    let ty = func.values[param];
                    let result = func.values.push(ty);
                    aliases.insert(param, result);
                    constants[result] = Some(bits);
                    let inst = Inst {
                        op: Op::Const(bits),
                        ty,
                        args: Values::new(),
                        result: Some(result),
                        offset: 0,
                    };
                    new.push(inst);
                }
            }
            func.blocks[*block].insts.splice(0..0, new.into_iter().rev());
        }
        if !changed {
            break;
        }
    }
    if aliases.is_empty() {
        return;
    }
    for block in order {
        let data = &mut func.blocks[*block];
        let mut replace = |value: &mut Value| *value = aliases.resolve(*value);
        data.insts.iter_mut().for_each(|inst| inst.args.iter_mut().for_each(&mut replace));
        data.term.for_each_use_mut(replace);
    }
}

/// Removes instructions and parameters whose values nothing needs.
fn dead(func: &mut Function, order: &[Block], edges: &Edges) {
    // Where each value is defined: block, and instruction or parameter.
    #[derive(Clone, Copy, Default)]
    enum Def {
        #[default]
        None,
        Inst(Block, u32),
        Param(Block, u32),
    }
    let mut defs: SecondaryMap<Value, Def> = SecondaryMap::new();
    defs.resize(func.values.len());
    let mut live = EntitySet::with_capacity(func.values.len());
    let mut work: Vec<Value> = Vec::new();
    for block in order {
        let data = &func.blocks[*block];
        for (i, param) in data.params.iter().enumerate() {
            defs[*param] = Def::Param(*block, i as u32);
        }
        for (i, inst) in data.insts.iter().enumerate() {
            if let Some(result) = inst.result {
                defs[result] = Def::Inst(*block, i as u32);
            }
            if inst.has_effect() {
                work.extend_from_slice(&inst.args);
            }
        }
        match &data.term {
            Terminator::Branch { cond: value, .. } | Terminator::Switch { index: value, .. } => {
                work.push(*value)
            }
            Terminator::Jump(_) => {}
            term => term.for_each_use(|value| work.push(value)),
        }
    }
    while let Some(value) = work.pop() {
        if !live.insert(value) {
            continue;
        }
        match defs[value] {
            Def::None => unreachable!("{value} is used but not defined"),
            Def::Inst(block, i) => work.extend_from_slice(&func.blocks[block].insts[i as usize].args),
            Def::Param(block, i) => {
                work.extend(edges[block].iter().map(|edge| argument(func, *edge, i as usize)));
            }
        }
    }
    for block in order {
        let data = &mut func.blocks[*block];
        data.insts
            .retain(|inst| inst.has_effect() || inst.result.is_some_and(|result| live.contains(result)));
        // A function's parameters and a call's results stay: they are its signature.
        if edges[*block].is_empty() || *block == func.entry || data.params.iter().all(|p| live.contains(*p)) {
            continue;
        }
        let keep: SmallVec<[bool; 16]> = data.params.iter().map(|param| live.contains(*param)).collect();
        let mut kept = keep.iter();
        data.params.retain(|_| *kept.next().expect("one for each"));
        for (from, edge) in &edges[*block] {
            let mut kept = keep.iter();
            let call = func.blocks[*from].term.edge_mut(*edge as usize);
            call.args.retain(|_| *kept.next().expect("one for each"));
        }
    }
}
