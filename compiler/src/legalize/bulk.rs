//! Copies and fills of many cells: one instruction if they are few, else a call of a routine.

use super::Legalizer;
use crate::ir::*;

/// Maximum number of cells that are filled in place, by several instructions one after the other.
const MAX_FILL: u64 = 4 * MAX_CELLS as u64;

impl Legalizer<'_> {
    /// Emits a copy, given values of the old function.
    pub(super) fn copy(&mut self, from: Space, to: Space, args: &[Value]) {
        let words = self.flat(args);
        match self.constants[args[2]] {
            Some(0) => {}
            // One instruction reads everything before it writes, so the ranges may overlap.
            Some(cells) if cells <= MAX_CELLS.into() => {
                let cells = cells as u8;
                self.b.effect(Op::Move { from, to, cells }, Type::I32, &words[..2]);
            }
            _ => drop(self.call_routine(Routine::Copy { from, to }, words, 0)),
        }
    }

    /// Emits a fill, given values of the old function.
    pub(super) fn fill(&mut self, space: Space, args: &[Value]) {
        let words = self.flat(args);
        match self.constants[args[2]] {
            Some(cells) if cells <= MAX_FILL => {
                for first in (0..cells).step_by(MAX_CELLS.into()) {
                    let offset = self.b.word(first as u32);
                    let at = self.b.word_op(BinaryOp::Add, words[0], offset);
                    let cells = (cells - first).min(MAX_CELLS.into()) as u8;
                    self.b.effect(Op::Repeat { space, cells }, Type::I32, &[at, words[1]]);
                }
            }
            _ => drop(self.call_routine(Routine::Fill(space), words, 0)),
        }
    }
}
