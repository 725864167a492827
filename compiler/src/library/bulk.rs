//! Copies and fills: loops that move as many cells per token as a step has ports for, then the rest.
//!
//! Bounds were checked before, so that nothing here traps.

use smallvec::smallvec;

use crate::builder::Builder;
use crate::ir::*;

use BinaryOp::{Add, GeU, LtU, Sub};
use Type::I32;

/// Cells that one turn of each loop moves; the last loop moves 1, so that nothing is left.
const TURNS: [u8; 3] = [MAX_CELLS, 4, 1];

/// Returns the routine `(to, from, cells)`, which copies between two spaces, or within one, where the ranges
/// may overlap.
pub fn copy(from: Space, to: Space) -> Function {
    let (mut func, [target, source, cells]) = function(Routine::Copy { from, to });
    let mut b = Builder { block: func.entry, func: &mut func, offset: 0 };
    let moved = |cells| Op::Move { from, to, cells };
    if from != to {
        forward(&mut b, [target, source, cells], true, moved);
        return func;
    }
    // Upwards, cells would be overwritten before they are read if the target begins within the source.
    let distance = b.word_op(Sub, target, source);
    let within = b.word_op(LtU, distance, cells);
    let (down, up) = (b.func.add_block(), b.func.add_block());
    b.terminate(Terminator::Branch { cond: within, then: BlockCall::to(down), otherwise: BlockCall::to(up) });
    b.block = down;
    let [target_end, source_end] = [target, source].map(|first| b.word_op(Add, first, cells));
    backward(&mut b, [target_end, source_end, cells], moved);
    b.block = up;
    forward(&mut b, [target, source, cells], true, moved);
    func
}

/// Returns the routine `(to, value, cells)`, which writes one value to many cells.
pub fn fill(space: Space) -> Function {
    let (mut func, args) = function(Routine::Fill(space));
    let mut b = Builder { block: func.entry, func: &mut func, offset: 0 };
    forward(&mut b, args, false, |cells| Op::Repeat { space, cells });
    func
}

fn function(routine: Routine) -> (Function, [Value; 3]) {
    let mut func = Function::routine(routine, Vec::new());
    let entry = func.entry;
    let args = [(); 3].map(|()| func.add_param(entry, I32));
    (func, args)
}

/// Emits loops that go upwards, from the builder's block to the function's end. The second value moves along
/// if it is an address.
fn forward(b: &mut Builder, args: [Value; 3], is_address: bool, op: impl Fn(u8) -> Op) {
    loops(b, args, |b, [target, second, left], turn, step| {
        b.effect(op(turn), I32, &[target, second]);
        let second = if is_address { b.word_op(Add, second, step) } else { second };
        [b.word_op(Add, target, step), second, b.word_op(Sub, left, step)]
    });
}

/// Emits the same downwards, from the ends.
fn backward(b: &mut Builder, args: [Value; 3], op: impl Fn(u8) -> Op) {
    loops(b, args, |b, [target, source, left], turn, step| {
        let [target, source, left] = [target, source, left].map(|value| b.word_op(Sub, value, step));
        b.effect(op(turn), I32, &[target, source]);
        [target, source, left]
    });
}

/// Emits a loop for each of [`TURNS`], which runs as long as that many cells are left. `body` emits a turn
/// and returns the values after it.
fn loops(
    b: &mut Builder,
    mut state: [Value; 3],
    body: impl Fn(&mut Builder, [Value; 3], u8, Value) -> [Value; 3],
) {
    for turn in TURNS {
        let (header, next) = (b.func.add_block(), b.func.add_block());
        let inside = [(); 3].map(|()| b.func.add_param(header, I32));
        let after = [(); 3].map(|()| b.func.add_param(next, I32));
        let again = |b: &mut Builder, state: [Value; 3]| {
            let step = b.word(turn.into());
            let more = b.word_op(GeU, state[2], step);
            let args: Values = state.into_iter().collect();
            b.terminate(Terminator::Branch {
                cond: more,
                then: BlockCall { block: header, args: args.clone() },
                otherwise: BlockCall { block: next, args },
            });
        };
        again(b, state);
        b.block = header;
        let step = b.word(turn.into());
        let turned = body(b, inside, turn, step);
        again(b, turned);
        b.block = next;
        state = after;
    }
    b.terminate(Terminator::Return(smallvec![]));
}
