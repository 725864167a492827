//! Addition. A difference is the sum with the second operand's sign flipped.

use super::Emit;
use crate::ir::*;

use BinaryOp::*;
use Type::I32;

impl Emit<'_, '_> {
    /// Emits the routine of `a + b`.
    ///
    /// Let x be the operand of greater exponent, y the other, d the difference of exponents. If the signs are
    /// equal or d ≥ 2, no more than one leading bit vanishes, and y is shifted by any distance; otherwise y
    /// is shifted by at most one place, exactly, and any number of bits vanish.
    pub(super) fn add(&mut self, a: Value, b: Value) {
        let format = self.format;
        let (pa, pb) = (self.parts(a), self.parts(b));
        let (sa, ea) = self.addend(a, pa.exponent);
        let (sb, eb) = self.addend(b, pb.exponent);
        let same = self.op(Eq, pa.sign, pb.sign);
        // The exponents of subnormal numbers count as 1, so a subnormal number may have the greater exponent
        // of two that are equal.
        let swap = self.op(LtU, pa.exponent, pb.exponent);
        let (forth, back) = (self.op(Sub, ea, eb), self.op(Sub, eb, ea));
        let distance = self.select(swap, back, forth);
        let exponent = self.select(swap, eb, ea);
        let sign = self.select(swap, pb.sign, pa.sign);
        let (x, y) = (self.select(swap, sb, sa), self.select(swap, sa, sb));
        let special = self.with(Eq, exponent, format.max_exponent() as u64);
        let (nan_a, nan_b) = (self.is_nan(pa.magnitude), self.is_nan(pb.magnitude));
        let nan = self.or(nan_a, nan_b);
        // y is added, or its complement; either keeps its highest bit when it is shifted.
        let complement = self.with(Xor, y, u64::MAX >> (64 - format.width()));
        let added = self.select(same, y, complement);
        let most = self.word(format.width() - 1);
        let too_far = self.op(LtU, most, distance);
        let amount = self.select(too_far, most, distance);
        let close = self.word(2);
        let close = self.op(LtU, distance, close);
        let differ = self.not(same);
        let near = self.and(close, differ);
        let [near, far] = self.branch(near);

        self.b.block = far;
        let amount = self.widen(amount, format.ty);
        let shifted = self.op(ShrS, added, amount);
        // x − y is x + complement + 1; what is below the sum makes it less then.
        let sum = self.add_with(x, shifted, differ);
        let trailing = self.unary(UnaryOp::Ctz, y);
        let trailing = self.low(trailing);
        let below = self.op(LtU, trailing, distance);
        let (one, two) = (self.word(1), self.word(2));
        let tail = self.op(Sub, two, differ);
        let tail = self.op(Sub, tail, differ);
        let tail = self.select(below, tail, one);
        let nothing = self.not(y);
        let tail = self.select(nothing, one, tail);
        // The leading 1 is in one of three places; if the signs are equal, it is in the first, or else counts
        // as in the second (where subnormal numbers have none).
        let high = self.high(sum);
        let first = self.with(GeU, high, 1 << 31);
        let (none, bit) = (self.word(0), self.word(1 << 30));
        let limit = self.select(same, none, bit);
        let second = self.op(GeU, high, limit);
        let significand = self.leading_of_three(first, second, sum);
        let more = self.op(Add, exponent, second);
        let more = self.op(Add, more, first);
        let e = self.with(Sub, more, 1);
        let rounded = self.round(e, significand, tail);
        let result = self.signed(sign, rounded);
        let too_large = self.above(more, format.max_exponent() as u64);
        let special_here = self.or(too_large, special);
        let infinite = self.special_sum(sign, nan);
        let result = self.select(special_here, infinite, result);
        self.return_value(result);

        self.b.block = near;
        let half = self.with(ShrU, y, 1);
        let shifted = self.select(distance, half, y);
        let (forth, back) = (self.op(Sub, x, shifted), self.op(Sub, shifted, x));
        let less = self.op(LtU, x, shifted);
        let difference = self.select(less, back, forth);
        let sign_here = self.op(Ne, sign, less);
        let leading = self.unary(UnaryOp::Clz, difference);
        let leading = self.low(leading);
        // The shift goes only as far as the exponent allows, which is then 1.
        let limited = self.op(LtU, exponent, leading);
        let leading = self.select(limited, exponent, leading);
        let amount = self.widen(leading, format.ty);
        let significand = self.op(Shl, difference, amount);
        let more = self.with(Add, exponent, 1);
        let e = self.op(Sub, more, leading);
        let one = self.word(1);
        let rounded = self.round(e, significand, one);
        let result = self.signed(sign_here, rounded);
        // Infinities of both signs give a NaN.
        let both = self.not(distance);
        let nan = self.or(nan, both);
        let infinite = self.special_sum(sign, nan);
        // Or nothing is left: 0.
        let zero = self.constant(0);
        let known = self.select(special, infinite, zero);
        let none = self.not(difference);
        let special = self.or(special, none);
        let result = self.select(special, known, result);
        self.return_value(result);
    }

    /// Emits infinity, or a NaN.
    fn special_sum(&mut self, sign: Value, nan: Value) -> Value {
        let infinity = self.constant(self.format.infinity());
        let infinity = self.signed(sign, infinity);
        let canonical = self.constant(self.format.nan());
        self.select(nan, canonical, infinity)
    }

    /// Emits `x + y + one`, where x has zeros in its last bits, so that adding 1 there carries nothing.
    fn add_with(&mut self, x: Value, y: Value, one: Value) -> Value {
        if self.format.ty == I32 {
            let sum = self.op(Add, x, one);
            return self.op(Add, sum, y);
        }
        let ([x0, x1], [y0, y1]) = (self.halves(x), self.halves(y));
        let x0 = self.op(Add, x0, one);
        let (low, carry) = (self.op(Add, x0, y0), self.op(Carry, x0, y0));
        let high = self.op(Add, x1, y1);
        let high = self.op(Add, high, carry);
        self.join(low, high)
    }

    /// Emits the number itself if `first`, else its double if `second`, which `first` implies, else four
    /// times the number. Each word is a sum, so that both choices are made in one step.
    fn leading_of_three(&mut self, first: Value, second: Value, number: Value) -> Value {
        let (double, four) = (self.with(Shl, number, 1), self.with(Shl, number, 2));
        if self.format.ty == I32 {
            return self.choose_word(first, second, [number, double, four]);
        }
        let ([a0, a1], [b0, b1], [c0, c1]) = (self.halves(number), self.halves(double), self.halves(four));
        let (low, high) =
            (self.choose_word(first, second, [a0, b0, c0]), self.choose_word(first, second, [a1, b1, c1]));
        self.join(low, high)
    }

    fn choose_word(&mut self, first: Value, second: Value, [once, double, four]: [Value; 3]) -> Value {
        let none = self.word(0);
        let (half, quarter) = (self.op(Sub, four, double), self.op(Sub, double, once));
        let half = self.select(second, half, none);
        let quarter = self.select(first, quarter, none);
        let rest = self.op(Sub, four, half);
        self.op(Sub, rest, quarter)
    }

    /// Emits the significand, with one bit free above it, and the exponent of a number that may be subnormal
    /// or 0: the exponent is then 1, and there is no leading 1.
    fn addend(&mut self, a: Value, exponent: Value) -> (Value, Value) {
        let format = self.format;
        let fraction = self.with(And, a, (1 << format.fraction) - 1);
        let subnormal = self.not(exponent);
        let e = self.op(Add, exponent, subnormal);
        let shifted = self.with(Shl, fraction, format.exponent() as u64 - 1);
        let normal = self.with(Or, shifted, format.sign() / 2);
        (self.select(subnormal, shifted, normal), e)
    }
}
