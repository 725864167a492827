//! Float arithmetic: a constant where the operands are constants, else a call of a routine.

use super::{Legalizer, Pair, words_of};
use crate::evaluate::float::evaluate;
use crate::ir::*;

impl Legalizer<'_> {
    /// Emits an operation, given values of the old function.
    pub(super) fn float(&mut self, op: FloatOp, ty: Type, args: &[Value]) -> Pair {
        let constants: Option<Values64> = args.iter().map(|arg| self.constants[*arg]).collect();
        if let Some(constants) = constants {
            let bits = evaluate(op, ty, &constants);
            let low = self.b.word(bits as u32);
            return match op.result(ty) {
                Type::I32 => [low; 2],
                Type::I64 => [low, self.b.word((bits >> 32) as u32)],
            };
        }
        let args = self.flat(args);
        let results = self.call_routine(Routine::Float(op, ty), args, words_of(op.result(ty)));
        [results[0], results[results.len() - 1]]
    }
}

/// Bits of the operands.
type Values64 = smallvec::SmallVec<[u64; 2]>;
