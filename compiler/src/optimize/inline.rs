//! Inlining of functions that are small or called once.
//!
//! Callees first: what is put in place of a call is as small as it gets. Functions that call
//! themselves, through others too, stay as they are.

use cranelift_entity::{EntitySet, SecondaryMap};
use smallvec::SmallVec;

use crate::components::components;
use crate::ir::*;

/// Size of functions that are always put in place.
const SMALL: usize = 12;
/// The same of functions without calls.
const SMALL_LEAF: usize = 30;
/// Largest size of functions that are put in place of their only call.
const ONCE: usize = 2000;
/// No function is made larger than this.
const MAX_SIZE: usize = 20_000;

/// Puts small functions in place of their calls, while the module grows to at most 1.3 times its size.
pub fn run(module: &mut Module) {
    let order = callees_first(module);
    let mut sizes: SecondaryMap<Func, usize> = SecondaryMap::new();
    let mut calls: SecondaryMap<Func, usize> = SecondaryMap::new();
    for (id, func) in &module.functions {
        sizes[id] = size(func);
        direct_calls(func).for_each(|callee| calls[callee] += 1);
    }
    // Exports and functions with references are called from elsewhere.
    for (_, func, _) in &module.exports {
        calls[*func] += 2;
    }
    for func in module.references.iter().flatten() {
        calls[*func] += 2;
    }
    module.start.iter().for_each(|start| calls[*start] += 2);

    let total: usize = module.functions.keys().map(|id| sizes[id]).sum();
    let mut budget = total * 3 / 10 + 1000;
    let mut done = EntitySet::with_capacity(module.functions.len());
    for Node { func: id, recursive } in order {
        let chosen: Vec<(Block, Func)> = {
            let mut size = sizes[id];
            let mut choose = |callee: Func| {
                let once = calls[callee] == 1 && sizes[callee] <= ONCE;
                let leaf = direct_calls(&module.functions[callee]).next().is_none();
                let small = sizes[callee] <= if leaf { SMALL_LEAF } else { SMALL };
                let fits = size + sizes[callee] <= MAX_SIZE;
                if !done.contains(callee) || !fits || !(once || small && sizes[callee] <= budget) {
                    return false;
                }
                if !once {
                    budget -= sizes[callee];
                }
                size += sizes[callee];
                true
            };
            let func = &module.functions[id];
            let call = |(block, data): (Block, &BlockData)| match data.term.callee() {
                Some(Callee::Direct(callee)) => Some((block, *callee)),
                _ => None,
            };
            func.blocks.iter().filter_map(call).filter(|(_, callee)| choose(*callee)).collect()
        };
        for (block, callee) in &chosen {
            let callee = module.functions[*callee].clone();
            put_in_place(&mut module.functions[id], *block, callee);
        }
        sizes[id] = size(&module.functions[id]);
        if !recursive && module.functions[id].origin != Origin::Routine(Routine::Udivrem32) {
            done.insert(id);
        }
    }
}

/// Instructions and terminators; constants are free.
fn size(func: &Function) -> usize {
    let cost = |data: &BlockData| 1 + data.insts.iter().filter(|i| !matches!(i.op, Op::Const(_))).count();
    func.blocks.values().map(cost).sum()
}

fn direct_calls(func: &Function) -> impl Iterator<Item = Func> + '_ {
    func.blocks.values().filter_map(|data| match data.term.callee() {
        Some(Callee::Direct(callee)) => Some(*callee),
        _ => None,
    })
}

struct Node {
    func: Func,
    recursive: bool,
}

/// Functions, each after those that it calls, as far as that is possible. A function is recursive if it
/// is in a component with others or calls itself.
fn callees_first(module: &Module) -> Vec<Node> {
    let callees = |func: Func| direct_calls(&module.functions[func]).collect::<Vec<Func>>();
    let mut order = Vec::with_capacity(module.functions.len());
    for members in components(module.functions.keys(), callees) {
        for func in &members {
            let recursive = members.len() > 1 || callees(*func).contains(func);
            order.push(Node { func: *func, recursive });
        }
    }
    order
}

/// Puts a copy of the callee in place of the call that ends a block. Where the call was no tail call, the
/// callee's returns become jumps and its tail calls calls.
fn put_in_place(func: &mut Function, block: Block, callee: Function) {
    let blocks: SmallVec<[Block; 16]> = callee.blocks.keys().map(|_| func.add_block()).collect();
    let new_block = |block: Block| blocks[block.as_u32() as usize];
    let first = func.values.len() as u32;
    for ty in callee.values.values() {
        func.values.push(*ty);
    }
    let new_value = |value: Value| Value::from_u32(first + value.as_u32());
    let data = &mut func.blocks[block];
    let term = std::mem::replace(&mut data.term, Terminator::Return(Values::new()));
    let (args, next) = match term {
        Terminator::Call { args, next, .. } => (args, Some(next)),
        Terminator::TailCall { args, .. } => (args, None),
        _ => unreachable!("chosen for its call"),
    };
    data.term = Terminator::Jump(BlockCall { block: new_block(callee.entry), args });
    // A routine's instructions have no place of their own in the module.
    let place = matches!(callee.origin, Origin::Routine(_)).then_some(data.term_offset);
    for (block, mut data) in callee.blocks {
        data.term_offset = place.unwrap_or(data.term_offset);
        data.params.iter_mut().for_each(|param| *param = new_value(*param));
        for inst in &mut data.insts {
            inst.args.iter_mut().for_each(|arg| *arg = new_value(*arg));
            inst.result = inst.result.map(new_value);
            inst.offset = place.unwrap_or(inst.offset);
        }
        data.term.for_each_use_mut(|value| *value = new_value(*value));
        data.term.edges_mut().into_iter().for_each(|edge| edge.block = new_block(edge.block));
        match (&mut data.term, next) {
            (Terminator::Call { next, .. }, _) => *next = new_block(*next),
            (Terminator::Return(args), Some(next)) => {
                let args = std::mem::take(args);
                data.term = Terminator::Jump(BlockCall { block: next, args });
            }
            (Terminator::TailCall { callee, args }, Some(next)) => {
                let (callee, args) = (*callee, std::mem::take(args));
                let landing = landing(func, next, data.term_offset);
                data.term = Terminator::Call { callee, args, next: landing };
            }
            _ => {}
        }
        func.blocks[new_block(block)] = data;
    }
}

/// A block with parameters as those of `next` that hands them on to it: a call's `next` has no other predecessors.
fn landing(func: &mut Function, next: Block, offset: u32) -> Block {
    let landing = func.add_block();
    let params = func.blocks[next].params.clone();
    let args = params.iter().map(|param| func.add_param(landing, func.values[*param])).collect();
    let data = &mut func.blocks[landing];
    data.term = Terminator::Jump(BlockCall { block: next, args });
    data.term_offset = offset;
    landing
}
