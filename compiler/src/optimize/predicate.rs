//! If-conversion: short arms without side effects are both computed, and selects choose. Arms that go back to
//! the beginning of a loop are computed before it is known whether the loop goes on.

use cranelift_entity::packed_option::PackedOption;
use cranelift_entity::{EntityRef, SecondaryMap};
use smallvec::smallvec;

use crate::cfg::Cfg;
use crate::ir::*;

/// Maximum number of operations of an arm; constants are free.
const MAX_OPERATIONS: usize = 8;
/// Maximum number of values that the arms may choose between.
const MAX_SELECTS: usize = 6;

/// Replaces branches by selects where that is cheap. Returns whether it replaced any.
pub fn run(func: &mut Function) -> bool {
    let cfg = Cfg::new(func);
    let mut shapes: Shapes = SecondaryMap::new();
    shapes.resize(func.blocks.len());
    for block in &cfg.order {
        let insts = &func.blocks[*block].insts;
        let operations = insts.iter().filter(|inst| !matches!(inst.op, Op::Const(_))).count();
        let operations = if insts.iter().all(Inst::is_pure) { operations } else { usize::MAX };
        let preds = cfg.preds[*block].len() as u32;
        shapes[*block] = Shape { preds, operations, last: *block, next: None.into() };
    }
    let mut changed = false;
    // Inner branches first: what they become is then part of an arm.
    for block in cfg.order.iter().rev() {
        while let Some((then, otherwise)) = arms(func, &shapes, *block) {
            convert(func, &mut shapes, *block, then.is_some(), otherwise.is_some());
            let Terminator::Jump(call) = &func.blocks[*block].term else { unreachable!("just made") };
            shapes[call.block].preds -= 1;
            changed = true;
            // A join of two arms is part of this block if nothing else goes there.
            let (join, args) = (call.block, call.args.clone());
            if shapes[join].preds != 1 || join == func.entry || join == *block {
                break;
            }
            append(func, &mut shapes, *block, join, args);
        }
        changed |= turn(func, &cfg, &mut shapes, *block);
    }
    for block in &cfg.order {
        gather(func, &mut shapes, *block);
    }
    changed
}

/// What is known of each block.
type Shapes = SecondaryMap<Block, Shape>;

/// What is known of a block.
#[derive(Clone, Copy)]
struct Shape {
    /// Number of edges to it.
    preds: u32,
    /// Number of its operations; constants are free. `usize::MAX` if one has an effect.
    operations: usize,
    /// The block whose instructions are its last ones: a block that is appended keeps its instructions until
    /// the end, so that a chain of many blocks becomes one in linear time.
    last: Block,
    /// The block whose instructions follow those of this one.
    next: PackedOption<Block>,
}

impl Default for Shape {
    fn default() -> Self {
        Shape { preds: 0, operations: 0, last: Block::new(0), next: None.into() }
    }
}

/// Moves the instructions of all blocks that were appended to a block into it.
fn gather(func: &mut Function, shapes: &mut Shapes, block: Block) {
    while let Some(next) = shapes[block].next.expand() {
        let insts = std::mem::take(&mut func.blocks[next].insts);
        func.blocks[block].insts.extend(insts);
        shapes[block].next = shapes[next].next.take().into();
    }
}

/// Computes what a short arm passes back to the beginning of a loop before it is known whether the loop goes
/// on: a turn of a loop that tests first is then one block, like that of a loop that tests last. Returns
/// whether there was such an arm.
fn turn(func: &mut Function, cfg: &Cfg, shapes: &mut Shapes, block: Block) -> bool {
    let mut changed = false;
    for edge in 0..2 {
        let Terminator::Branch { then, otherwise, .. } = &func.blocks[block].term else { return false };
        let (arm, other) = if edge == 0 { (then, otherwise) } else { (otherwise, then) };
        let Some(back) = short_arm(func, shapes, arm) else { continue };
        if cfg.position[back.block] > cfg.position[block] || back.block == other.block {
            continue;
        }
        let arm = arm.clone();
        let term = func.blocks[block].term.clone();
        append(func, shapes, block, arm.block, arm.args);
        func.blocks[block].term = term;
        *func.blocks[block].term.edge_mut(edge) = back;
        changed = true;
    }
    changed
}

/// Returns the jump that ends a short arm without side effects, if only the branch leads to that arm.
fn short_arm(func: &Function, shapes: &Shapes, call: &BlockCall) -> Option<BlockCall> {
    let Shape { preds, operations, .. } = shapes[call.block];
    match &func.blocks[call.block].term {
        Terminator::Jump(join) if operations <= MAX_OPERATIONS && preds == 1 && join.block != call.block => {
            Some(join.clone())
        }
        _ => None,
    }
}

/// The blocks that are arms of a branch, `then` and `otherwise`: `None` for an arm without a block of its
/// own.
type Arms = (Option<Block>, Option<Block>);

/// Returns the arms of the branch that ends a block; `None` if the branch cannot be converted.
fn arms(func: &Function, shapes: &Shapes, block: Block) -> Option<Arms> {
    let Terminator::Branch { then, otherwise, .. } = &func.blocks[block].term else { return None };
    let (first, second) = (short_arm(func, shapes, then), short_arm(func, shapes, otherwise));
    let joined = |a: &BlockCall, b: &BlockCall| {
        let differing = a.args.iter().zip(&b.args).filter(|(a, b)| a != b);
        a.block == b.block && differing.take(MAX_SELECTS + 1).count() <= MAX_SELECTS
    };
    if joined(then, otherwise) {
        return Some((None, None));
    }
    match (first, second) {
        (Some(a), Some(b)) if joined(&a, &b) => Some((Some(then.block), Some(otherwise.block))),
        (Some(a), _) if joined(&a, otherwise) => Some((Some(then.block), None)),
        (_, Some(b)) if joined(then, &b) => Some((None, Some(otherwise.block))),
        _ => None,
    }
}

/// Makes the arms part of the block.
fn convert(func: &mut Function, shapes: &mut Shapes, block: Block, take_then: bool, take_otherwise: bool) {
    let data = &mut func.blocks[block];
    let offset = data.term_offset;
    let term = std::mem::replace(&mut data.term, Terminator::Return(Values::new()));
    let Terminator::Branch { cond, then, otherwise } = term else { unreachable!("checked by the caller") };
    let mut arm = |take: bool, call: BlockCall| {
        if !take {
            return call;
        }
        append(func, shapes, block, call.block, call.args);
        match std::mem::replace(&mut func.blocks[block].term, Terminator::Return(Values::new())) {
            Terminator::Jump(join) => join,
            _ => unreachable!("checked by the caller"),
        }
    };
    let (a, b) = (arm(take_then, then), arm(take_otherwise, otherwise));
    let mut args = Values::new();
    for (a, b) in a.args.iter().zip(&b.args) {
        args.push(if a == b {
            *a
        } else {
            let result = func.values.push(Type::I32);
            let inst = Inst {
                op: Op::Select,
                ty: Type::I32,
                args: smallvec![cond, *a, *b],
                result: Some(result),
                offset,
            };
            shapes[block].operations = shapes[block].operations.saturating_add(1);
            func.blocks[shapes[block].last].insts.push(inst);
            result
        });
    }
    func.blocks[block].term = Terminator::Jump(BlockCall { block: a.block, args });
    func.blocks[block].term_offset = offset;
}

/// Appends a block to its only predecessor.
fn append(func: &mut Function, shapes: &mut Shapes, block: Block, next: Block, args: Values) {
    // Its parameters keep their names: uses elsewhere need not be looked for.
    let mut data = std::mem::take(&mut func.blocks[next]);
    func.blocks[next].insts = std::mem::take(&mut data.insts);
    let Shape { operations, last: new_last, .. } = shapes[next];
    let operations = operations.saturating_add(data.params.len());
    let Shape { last, .. } = shapes[block];
    shapes[block].operations = shapes[block].operations.saturating_add(operations);
    shapes[block].last = new_last;
    shapes[last].next = next.into();
    let insts = &mut func.blocks[last].insts;
    for (param, arg) in data.params.into_iter().zip(args) {
        insts.push(Inst {
            op: Op::Select,
            ty: Type::I32,
            args: smallvec![arg, arg, arg],
            result: Some(param),
            offset: data.term_offset,
        });
    }
    func.blocks[block].term = data.term;
    func.blocks[block].term_offset = data.term_offset;
}
