//! How results are put together: rounding, overflow, underflow.

use super::Emit;
use crate::ir::*;

use BinaryOp::*;

/// A number before it is rounded; see the documentation of `float`.
#[derive(Clone, Copy)]
pub(super) struct Exact {
    pub sign: Value,
    pub exponent: Value,
    pub significand: Value,
    /// Whether there is more below the significand.
    pub below: Value,
}

impl Emit<'_, '_> {
    /// Rounds and packs, without its sign, a number whose exponent is from 1 to the largest of finite
    /// numbers. Without a leading 1 it is subnormal, and its exponent has to be 1. `tail` is 1, and 1 more if
    /// there is something below the significand, or 1 less if something that is less than the significand's
    /// last bit is to be taken from it.
    pub(super) fn round(&mut self, exponent: Value, significand: Value, tail: Value) -> Value {
        let format = self.format;
        let fraction = self.with(ShrU, significand, format.exponent() as u64);
        let low = self.low(significand);
        let rest = self.with(And, low, (1 << format.exponent()) - 1);
        let last = self.low(fraction);
        let last = self.with(And, last, 1);
        // Compares twice the rest, with the tail, to twice the half of a last place and 1; a tie goes up if
        // the last bit is 1.
        let rest = self.with(Shl, rest, 1);
        let tail = self.op(Add, tail, last);
        let rest = self.op(Add, rest, tail);
        let up = self.above(rest, (1 << format.exponent()) + 1);
        let up = self.widen(up, format.ty);
        let rounded = self.op(Add, fraction, up);
        // The leading 1, or the carry into it, adds 1 to the exponent.
        self.packed(exponent, rounded)
    }

    /// Emits exponent and significand, which is of the format's width and has its leading 1, put together.
    pub(super) fn packed(&mut self, exponent: Value, significand: Value) -> Value {
        let exponent = self.with(Sub, exponent, 1);
        let exponent = self.widen(exponent, self.format.ty);
        let exponent = self.with(Shl, exponent, self.format.fraction as u64);
        self.op(Add, exponent, significand)
    }

    /// Returns from the routine with a number that has a leading 1 and any exponent, rounded; where `nan`
    /// holds, with the canonical NaN.
    pub(super) fn finish(&mut self, exact: Exact, nan: Option<Value>) {
        let Exact { sign, exponent, significand, below } = exact;
        let tail = self.with(Add, below, 1);
        let rounded = self.round(exponent, significand, tail);
        let too_large = self.with(GeS, exponent, self.format.max_exponent() as u64);
        let infinity = self.constant(self.format.infinity());
        let rounded = self.select(too_large, infinity, rounded);
        let mut result = self.signed(sign, rounded);
        if let Some(nan) = nan {
            let canonical = self.constant(self.format.nan());
            result = self.select(nan, canonical, result);
        }
        let one = self.word(1);
        let small = self.op(LtS, exponent, one);
        let [underflow, done] = self.branch(small);
        self.b.block = done;
        self.return_value(result);

        self.b.block = underflow;
        let ty = self.format.ty;
        let last = self.format.width() - 1;
        let most = self.word(last);
        let amount = self.op(Sub, one, exponent);
        let too_far = self.op(GeU, amount, most);
        // Shifted that far, nothing is left but something below half of the last place.
        let amount = self.select(too_far, most, amount);
        let back = self.op(Sub, most, amount);
        let (amount, back) = (self.widen(amount, ty), self.widen(back, ty));
        let shifted = self.op(ShrU, significand, amount);
        let lost = self.with(Shl, significand, 1);
        let lost = self.op(Shl, lost, back);
        let nothing = self.not(lost);
        let below = self.select(nothing, below, one);
        let tail = self.with(Add, below, 1);
        let rounded = self.round(one, shifted, tail);
        let result = self.signed(sign, rounded);
        self.return_value(result);
    }
}
