//! Inlining of functions that are small or called once.
//!
//! Callees first: what is put in place of a call is then as small as it gets. Functions that call themselves,
//! also those that do so through others, stay as they are.

use cranelift_entity::{EntityRef, EntitySet, SecondaryMap};

use crate::components::components;
use crate::ir::*;

/// Maximum size of functions that are always put in place.
const SMALL: usize = 12;
/// The same for functions without calls.
const SMALL_LEAF: usize = 30;
/// Maximum size of functions that are put in place of their only call.
const ONCE: usize = 2000;
/// No function is made larger than this.
const MAX_SIZE: usize = 20_000;

/// Puts small functions in place of calls to them, as long as the module grows to at most 1.3 times its size.
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
    let mut plan: Decisions = SecondaryMap::new();
    plan.resize(module.functions.len());
    for Node { func: id, recursive } in &order {
        let mut planned = Planned::default();
        let mut grown = sizes[*id];
        let mut landings = 0;
        for (block, data) in &module.functions[*id].blocks {
            let is_tail = matches!(data.term, Terminator::TailCall { .. });
            planned.tail_calls += usize::from(is_tail);
            let Some(Callee::Direct(callee)) = data.term.callee() else { continue };
            planned.calls += 1;
            let once = calls[*callee] == 1 && sizes[*callee] <= ONCE;
            let small = sizes[*callee] <= if plan[*callee].calls == 0 { SMALL_LEAF } else { SMALL };
            let fits = grown + sizes[*callee] <= MAX_SIZE;
            if !done.contains(*callee) || !fits || !(once || small && sizes[*callee] <= budget) {
                continue;
            }
            if !once {
                budget -= sizes[*callee];
            }
            grown += sizes[*callee];
            plan[*callee].is_part = once;
            planned.chosen.push((block, *callee));
            planned.calls += plan[*callee].calls;
            planned.calls -= 1;
            if is_tail {
                planned.tail_calls += plan[*callee].tail_calls;
                planned.tail_calls -= 1;
            } else {
                landings += plan[*callee].tail_calls;
            }
        }
        plan[*id] = planned;
        sizes[*id] = grown + landings;
        if !recursive && module.functions[*id].origin != Origin::Routine(Routine::Udivrem32) {
            done.insert(*id);
        }
    }
    for Node { func: id, .. } in order {
        if !plan[id].is_part {
            expand(module, &mut plan, id);
            debug_assert_eq!(size(&module.functions[id]), sizes[id]);
        }
    }
}

/// What is to become of each function.
type Decisions = SecondaryMap<Func, Planned>;

/// What is to become of a function.
#[derive(Clone, Default)]
struct Planned {
    /// Calls that functions are put in place of, in the order of their blocks.
    chosen: Vec<(Block, Func)>,
    /// Number of direct calls that are left then, tail calls among them.
    calls: usize,
    /// Number of tail calls that are left then.
    tail_calls: usize,
    /// Whether the function is put in place of the only call to it: it is then moved, not copied.
    is_part: bool,
}

/// Returns the number of instructions and terminators; constants are free.
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

/// Returns the functions, each after those that it calls, as far as that is possible. A function is recursive
/// if it is in a component with others or calls itself.
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

/// A function whose blocks are being put in place of a call, or the function in which all this happens.
struct Level {
    /// Calls in it that functions are to be put in place of.
    chosen: std::vec::IntoIter<(Block, Func)>,
    /// What is added to the old numbers of its blocks.
    first: usize,
    /// Where to go on after the call that it is put in place of; `None` for a tail call.
    next: Option<Block>,
    /// Where its returns go; `None` if they stay returns.
    returns: Option<Block>,
    /// Offset in the module for its instructions if they have none of their own, as those of a routine.
    offset: Option<u32>,
    /// Blocks that tail call, in it and in what is put in place of its tail calls.
    tail_calls: Vec<Block>,
}

/// Puts functions in place of the chosen calls of a function, and others in place of the chosen calls of
/// those. Each block is moved or copied only once, to where it will be, however deeply the calls are nested.
fn expand(module: &mut Module, plan: &mut Decisions, id: Func) {
    let root = std::mem::take(&mut plan[id].chosen);
    if root.is_empty() {
        return;
    }
    let empty = Function::new(String::new(), Origin::Module(0), Vec::new());
    let mut func = std::mem::replace(&mut module.functions[id], empty.clone());
    let mut levels = vec![Level {
        chosen: root.into_iter(),
        first: 0,
        next: None,
        returns: None,
        offset: None,
        tail_calls: Vec::new(),
    }];
    while let Some(level) = levels.last_mut() {
        match level.chosen.next() {
            Some((block, callee)) => {
                let block = Block::new(level.first + block.index());
                let body = &mut module.functions[callee];
                let body =
                    if plan[callee].is_part { std::mem::replace(body, empty.clone()) } else { body.clone() };
                // What is copied has been expanded before; what is moved has not.
                let chosen = std::mem::take(&mut plan[callee].chosen);
                let level = put_in_place(&mut func, block, body, chosen, level);
                levels.push(level);
            }
            None => {
                let Level { next, tail_calls, .. } = levels.pop().expect("just seen");
                match (next, levels.last_mut()) {
                    (Some(next), _) => {
                        tail_calls.into_iter().for_each(|block| call_from(&mut func, block, next))
                    }
                    (None, Some(outer)) => outer.tail_calls.extend(tail_calls),
                    (None, None) => {}
                }
            }
        }
    }
    module.functions[id] = func;
}

/// Puts the callee in place of the call that ends a block of `outer`. If the call was not a tail call, the
/// callee's returns become jumps.
fn put_in_place(
    func: &mut Function,
    block: Block,
    callee: Function,
    chosen: Vec<(Block, Func)>,
    outer: &Level,
) -> Level {
    let first = func.blocks.len();
    let new_block = |block: Block| Block::new(first + block.index());
    let first_value = func.values.len() as u32;
    for ty in callee.values.values() {
        func.values.push(*ty);
    }
    let new_value = |value: Value| Value::from_u32(first_value + value.as_u32());
    let data = &mut func.blocks[block];
    let term = std::mem::replace(&mut data.term, Terminator::Return(Values::new()));
    let (args, next) = match term {
        Terminator::Call { args, next, .. } => (args, Some(next)),
        Terminator::TailCall { args, .. } => (args, None),
        _ => unreachable!("chosen for its call"),
    };
    data.term = Terminator::Jump(BlockCall { block: new_block(callee.entry), args });
    // A routine's instructions have no offset of their own in the module.
    let offset = outer.offset.or(matches!(callee.origin, Origin::Routine(_)).then_some(data.term_offset));
    let returns = next.or(outer.returns);
    let mut tail_calls = Vec::new();
    for (block, mut data) in callee.blocks {
        data.term_offset = offset.unwrap_or(data.term_offset);
        data.params.iter_mut().for_each(|param| *param = new_value(*param));
        for inst in &mut data.insts {
            inst.args.iter_mut().for_each(|arg| *arg = new_value(*arg));
            inst.result = inst.result.map(new_value);
            inst.offset = offset.unwrap_or(inst.offset);
        }
        data.term.for_each_use_mut(|value| *value = new_value(*value));
        data.term.edges_mut().into_iter().for_each(|edge| edge.block = new_block(edge.block));
        match &mut data.term {
            Terminator::Call { next, .. } => *next = new_block(*next),
            Terminator::Return(args) => {
                if let Some(block) = returns {
                    let args = std::mem::take(args);
                    data.term = Terminator::Jump(BlockCall { block, args });
                }
            }
            Terminator::TailCall { .. } => tail_calls.push(new_block(block)),
            _ => {}
        }
        func.blocks.push(data);
    }
    Level { chosen: chosen.into_iter(), first, next, returns, offset, tail_calls }
}

/// Turns a tail call, if it still is one, into a call that goes on at `next`.
fn call_from(func: &mut Function, block: Block, next: Block) {
    let offset = func.blocks[block].term_offset;
    if let Terminator::TailCall { callee, args } = &mut func.blocks[block].term {
        let (callee, args) = (*callee, std::mem::take(args));
        func.blocks[block].term = Terminator::Call { callee, args, next: landing(func, next, offset) };
    }
}

/// Adds a block that has the same parameters as `next` and hands them on to it: a call's `next` has no other
/// predecessors.
fn landing(func: &mut Function, next: Block, offset: u32) -> Block {
    let landing = func.add_block();
    let params = func.blocks[next].params.clone();
    let args = params.iter().map(|param| func.add_param(landing, func.values[*param])).collect();
    let data = &mut func.blocks[landing];
    data.term = Terminator::Jump(BlockCall { block: next, args });
    data.term_offset = offset;
    landing
}
