//! Addition. A difference is the sum with the second operand's sign flipped.

use super::Emit;
use crate::ir::*;

use BinaryOp::*;

impl Emit<'_, '_> {
    /// The routine of `a + b`.
    ///
    /// With x the operand of greater magnitude, y the other, d the difference of their exponents:
    /// if the signs are equal or d ≥ 2, no more than two leading bits vanish, and y is shifted by any
    /// distance; otherwise y is shifted by at most one place, exactly, and any number of bits vanish.
    pub(super) fn add(&mut self, a: Value, b: Value) {
        let format = self.format;
        let ty = format.ty;
        let (pa, pb) = (self.parts(a), self.parts(b));
        let swap = self.op(LtU, pa.magnitude, pb.magnitude);
        let same = self.op(Eq, pa.sign, pb.sign);
        let (sa, ea) = self.addend(a, pa.exponent);
        let (sb, eb) = self.addend(b, pb.exponent);
        let (ta, tb) = (self.trailing(sa), self.trailing(sb));
        let (forth, back) = (self.op(Sub, ea, eb), self.op(Sub, eb, ea));
        let distance = self.select(swap, back, forth);
        let exponent = self.select(swap, eb, ea);
        let sign = self.select(swap, pb.sign, pa.sign);
        let (x, y) = (self.select(swap, sb, sa), self.select(swap, sa, sb));
        let trailing = self.select(swap, ta, tb);
        let far = self.with(GeU, distance, 2);
        let far = self.or(same, far);
        let special = self.with(Eq, exponent, format.max_exponent() as u64);
        let finite = self.not(special);
        let far = self.and(far, finite);
        let [far, near] = self.branch(far);

        self.b.block = far;
        let beyond = self.with(GeU, distance, format.width() as u64);
        let amount = self.amount(distance, ty);
        let shifted = self.op(ShrU, y, amount);
        let zero = self.constant(0);
        let shifted = self.select(beyond, zero, shifted);
        let below = self.op(LtU, trailing, distance);
        let sum = self.op(Add, x, shifted);
        let difference = self.op(Sub, x, shifted);
        // What is below makes the difference less.
        let borrow = self.widen(below, ty);
        let difference = self.op(Sub, difference, borrow);
        let sum = self.select(same, sum, difference);
        // The leading 1 is in one of three places; if the signs are equal, in the first, or else it counts
        // as in the second (where subnormal numbers have none).
        let first = self.top(sum);
        let doubled = self.with(Shl, sum, 1);
        let high = self.high(sum);
        let second = self.with(GeU, high, 1 << 30);
        let second = self.or(same, second);
        let four_times = self.with(Shl, sum, 2);
        let significand = self.select(second, doubled, four_times);
        let significand = self.select(first, sum, significand);
        let less = self.with(Sub, exponent, 1);
        let e = self.select(second, exponent, less);
        let more = self.with(Add, exponent, 1);
        let e = self.select(first, more, e);
        let rounded = self.round(e, significand, below);
        let result = self.signed(sign, rounded);
        self.return_value(result);

        self.b.block = near;
        let [special, near] = self.branch(special);

        self.b.block = near;
        let half = self.with(ShrU, y, 1);
        let shifted = self.select(distance, half, y);
        let difference = self.op(Sub, x, shifted);
        let leading = self.unary(UnaryOp::Clz, difference);
        let leading = self.low(leading);
        // As far as the exponent allows: then it is 1.
        let limited = self.op(LtU, exponent, leading);
        let leading = self.select(limited, exponent, leading);
        let amount = self.amount(leading, ty);
        let significand = self.op(Shl, difference, amount);
        let more = self.with(Add, exponent, 1);
        let e = self.op(Sub, more, leading);
        let none = self.word(0);
        let rounded = self.round(e, significand, none);
        let result = self.signed(sign, rounded);
        let none = self.not(difference);
        let zero = self.constant(0);
        let result = self.select(none, zero, result);
        self.return_value(result);

        self.b.block = special;
        let nan_a = self.is_nan(pa.magnitude);
        let nan_b = self.is_nan(pb.magnitude);
        let nan = self.or(nan_a, nan_b);
        // Both infinite, if the signs differ.
        let equal = self.op(Eq, pa.magnitude, pb.magnitude);
        let none = self.word(0);
        let opposite = self.select(same, none, equal);
        let nan = self.or(nan, opposite);
        let greater = self.select(swap, b, a);
        let canonical = self.constant(format.nan());
        let result = self.select(nan, canonical, greater);
        self.return_value(result);
    }

    /// Significand, with one bit free above it, and exponent of a number that may be subnormal or 0: the
    /// exponent is then 1, and there is no leading 1.
    fn addend(&mut self, a: Value, exponent: Value) -> (Value, Value) {
        let format = self.format;
        let fraction = self.with(And, a, (1 << format.fraction) - 1);
        let subnormal = self.not(exponent);
        let e = self.op(Add, exponent, subnormal);
        let shifted = self.with(Shl, fraction, format.exponent() as u64 - 1);
        let normal = self.with(Or, shifted, format.sign() / 2);
        (self.select(subnormal, shifted, normal), e)
    }

    /// How far a number can be shifted to the right without loss.
    fn trailing(&mut self, a: Value) -> Value {
        let count = self.unary(UnaryOp::Ctz, a);
        let count = self.low(count);
        let zero = self.not(a);
        let any = self.word(1 << 12);
        self.select(zero, any, count)
    }
}
