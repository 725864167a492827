//! Multiplication, and what it has in common with division: operands that are not normal numbers.

use super::round::Exact;
use super::{Emit, Parts};
use crate::ir::*;

use BinaryOp::*;
use Type::I32;

/// Two operands: sign of the result, significands with leading 1, exponents.
#[derive(Clone, Copy)]
pub(super) struct Factors {
    pub sign: Value,
    pub significands: [Value; 2],
    pub exponents: [Value; 2],
}

impl Emit<'_, '_> {
    /// Emits the routine of `a * b`.
    pub(super) fn mul(&mut self, a: Value, b: Value) {
        self.of_factors(false, a, b, Emit::product);
    }

    fn product(&mut self, factors: Factors) -> (Exact, Value) {
        let Factors { sign, significands: [a, b], exponents: [ea, eb] } = factors;
        // With a bit free above each factor and so two above the product, nothing of which then has to be
        // wrapped.
        let (a, b) = (self.with(ShrU, a, 1), self.with(ShrU, b, 1));
        let (product, below) = self.multiply_high(a, b);
        let high = self.high(product);
        let larger = self.with(GeU, high, 1 << 29);
        let (once, twice) = (self.with(Shl, product, 2), self.with(Shl, product, 3));
        let significand = self.select(larger, once, twice);
        let exponent = self.op(Add, ea, eb);
        let least = self.with(Sub, exponent, self.format.bias() as u64);
        let exponent = self.op(Add, least, larger);
        (Exact { sign, exponent, significand, below }, least)
    }

    /// Emits the high half of a product, and whether the low half is not 0.
    fn multiply_high(&mut self, a: Value, b: Value) -> (Value, Value) {
        if self.format.ty == I32 {
            let low = self.op(Mul, a, b);
            let none = self.not(low);
            return (self.op(MulHi, a, b), self.not(none));
        }
        let ([a0, a1], [b0, b1]) = (self.halves(a), self.halves(b));
        let (low, p0) = (self.op(Mul, a0, b0), self.op(MulHi, a0, b0));
        let (p1, q1) = (self.op(Mul, a0, b1), self.op(Mul, a1, b0));
        let (p2, q2) = (self.op(MulHi, a0, b1), self.op(MulHi, a1, b0));
        let (r2, r3) = (self.op(Mul, a1, b1), self.op(MulHi, a1, b1));
        // Second word, and its carries.
        let (second, carry) = (self.op(Add, p1, q1), self.op(Carry, p1, q1));
        let (second, other) = (self.op(Add, second, p0), self.op(Carry, second, p0));
        let carry = self.op(Add, carry, other);
        // Third word: first what does not wait for those carries.
        let (third, up) = (self.op(Add, p2, q2), self.op(Carry, p2, q2));
        let (third, more) = (self.op(Add, third, r2), self.op(Carry, third, r2));
        let up = self.op(Add, up, more);
        let (third, more) = (self.op(Add, third, carry), self.op(Carry, third, carry));
        let up = self.op(Add, up, more);
        let fourth = self.op(Add, r3, up);
        let none = self.not(low);
        let second_none = self.not(second);
        let none = self.and(none, second_none);
        (self.join(third, fourth), self.not(none))
    }

    /// Emits the words of a number of 64 bits, low first.
    pub(super) fn halves(&mut self, a: Value) -> [Value; 2] {
        [self.low(a), self.high(a)]
    }

    /// Emits the number of 64 bits made of two words.
    pub(super) fn join(&mut self, low: Value, high: Value) -> Value {
        let (low, high) = (self.widen(low, Type::I64), self.widen(high, Type::I64));
        let high = self.with(Shl, high, 32);
        self.op(Or, low, high)
    }

    /// Emits a routine of two factors, or of dividend and divisor. `emit` does the operation for normal
    /// numbers, and also returns the least that the exponent can be: the exponent is that or 1 more.
    ///
    /// All that is special, operands that are not normal numbers or a result that may not be, is left to one
    /// branch at the end, which begins anew.
    pub(super) fn of_factors(
        &mut self,
        quotient: bool,
        a: Value,
        b: Value,
        emit: fn(&mut Self, Factors) -> (Exact, Value),
    ) {
        let (pa, pb) = (self.parts(a), self.parts(b));
        let sign = self.op(Ne, pa.sign, pb.sign);
        let significands = [self.significand(a), self.significand(b)];
        let exponents = [pa.exponent, pb.exponent];
        let (exact, least) = emit(self, Factors { sign, significands, exponents });
        let tail = self.with(Add, exact.below, 1);
        let rounded = self.round(exact.exponent, exact.significand, tail);
        let result = self.signed(sign, rounded);
        let (special_a, special_b) = (self.is_special(pa.exponent), self.is_special(pb.exponent));
        let special = self.or(special_a, special_b);
        // Exponents from 1 on that stay finite even after a carry.
        let e = self.with(Sub, least, 1);
        let range = self.with(GeU, e, self.format.max_exponent() as u64 - 3);
        let special = self.or(range, special);
        let [special, normal] = self.branch(special);
        self.b.block = normal;
        self.return_value(result);

        self.b.block = special;
        let [(nan_a, inf_a, zero_a), (nan_b, inf_b, zero_b)] = [pa, pb].map(|p| self.kind(p));
        // What makes the result infinite, and what makes it 0.
        let (inf_b, zero_b) = if quotient { (zero_b, inf_b) } else { (inf_b, zero_b) };
        let (infinite, zero) = (self.or(inf_a, inf_b), self.or(zero_a, zero_b));
        let both = self.and(infinite, zero);
        let nan = self.or(nan_a, nan_b);
        let nan = self.or(nan, both);
        let result = self.either(infinite, self.format.infinity(), 0);
        let result = self.signed(sign, result);
        let canonical = self.constant(self.format.nan());
        let result = self.select(nan, canonical, result);
        let known = self.or(infinite, zero);
        let known = self.or(known, nan);
        let [known, finite] = self.branch(known);
        self.b.block = known;
        self.return_value(result);

        self.b.block = finite;
        let (a, ea) = self.normalized(significands[0], pa);
        let (b, eb) = self.normalized(significands[1], pb);
        let (exact, _) = emit(self, Factors { sign, significands: [a, b], exponents: [ea, eb] });
        self.finish(exact, None);
    }

    /// Emits whether an exponent is not that of a normal number.
    pub(super) fn is_special(&mut self, exponent: Value) -> Value {
        let zero = self.not(exponent);
        let max = self.with(Eq, exponent, self.format.max_exponent() as u64);
        self.or(zero, max)
    }

    /// Emits whether a float is a NaN, whether it is an infinity, and whether it is 0.
    fn kind(&mut self, parts: Parts) -> (Value, Value, Value) {
        let nan = self.is_nan(parts.magnitude);
        let infinite = self.with(Eq, parts.magnitude, self.format.infinity());
        (nan, infinite, self.not(parts.magnitude))
    }

    /// Emits significand and exponent of a finite number other than 0, which may be subnormal: then the
    /// leading 1, which it does not have, is taken away, and its leading zeros are shifted out.
    pub(super) fn normalized(&mut self, significand: Value, parts: Parts) -> (Value, Value) {
        let subnormal = self.not(parts.exponent);
        let without = self.with(And, significand, self.format.magnitude());
        let significand = self.select(subnormal, without, significand);
        let leading = self.unary(UnaryOp::Clz, significand);
        let significand = self.op(Shl, significand, leading);
        let exponent = self.op(Add, parts.exponent, subnormal);
        let leading = self.low(leading);
        (significand, self.op(Sub, exponent, leading))
    }
}
