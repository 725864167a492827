//! Multiplication, and what it has in common with division: operands that are not normal numbers, and
//! a significand whose leading 1 is in one of two places.

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
    /// The routine of `a * b`.
    pub(super) fn mul(&mut self, a: Value, b: Value) {
        self.of_factors(false, a, b, Emit::product);
    }

    fn product(&mut self, factors: Factors) {
        let Factors { sign, significands: [a, b], exponents: [ea, eb] } = factors;
        let (significand, below) = self.multiply_high(a, b);
        let exponent = self.op(Add, ea, eb);
        let exponent = self.with(Sub, exponent, self.format.bias() as u64 - 1);
        self.finish_halved(sign, exponent, significand, below);
    }

    /// Finishes a number whose leading 1 is in the highest bit, where the exponent is the one given, or in the
    /// one below.
    pub(super) fn finish_halved(&mut self, sign: Value, exponent: Value, significand: Value, below: Value) {
        let top = self.top(significand);
        let doubled = self.with(Shl, significand, 1);
        let significand = self.select(top, significand, doubled);
        let less = self.with(Sub, exponent, 1);
        let exponent = self.op(Add, less, top);
        self.finish(Exact { sign, exponent, significand, below }, None);
    }

    /// The high half of a product, and whether the low half is not 0.
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
        // Third word: what does not wait for them first.
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

    /// The words of a number of 64 bits, low first.
    pub(super) fn halves(&mut self, a: Value) -> [Value; 2] {
        [self.low(a), self.high(a)]
    }

    /// The number of 64 bits made of two words.
    pub(super) fn join(&mut self, low: Value, high: Value) -> Value {
        let (low, high) = (self.widen(low, Type::I64), self.widen(high, Type::I64));
        let high = self.with(Shl, high, 32);
        self.op(Or, low, high)
    }

    /// A routine of two factors, or of dividend and divisor: `emit` does it for normal numbers, and returns.
    pub(super) fn of_factors(&mut self, quotient: bool, a: Value, b: Value, emit: fn(&mut Self, Factors)) {
        let (pa, pb) = (self.parts(a), self.parts(b));
        let sign = self.op(Ne, pa.sign, pb.sign);
        let significands = [self.significand(a), self.significand(b)];
        let exponents = [pa.exponent, pb.exponent];
        let (odd_a, odd_b) = (self.is_special(pa.exponent), self.is_special(pb.exponent));
        let special = self.or(odd_a, odd_b);
        let [special, normal] = self.branch(special);
        self.b.block = normal;
        emit(self, Factors { sign, significands, exponents });

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
        let [known, subnormal] = self.branch(known);
        self.b.block = known;
        self.return_value(result);

        self.b.block = subnormal;
        let (a, ea) = self.normalized(significands[0], pa);
        let (b, eb) = self.normalized(significands[1], pb);
        emit(self, Factors { sign, significands: [a, b], exponents: [ea, eb] });
    }

    /// Whether an exponent is none of a normal number.
    pub(super) fn is_special(&mut self, exponent: Value) -> Value {
        let zero = self.not(exponent);
        let max = self.with(Eq, exponent, self.format.max_exponent() as u64);
        self.or(zero, max)
    }

    /// Whether it is a NaN, an infinity, 0.
    fn kind(&mut self, parts: Parts) -> (Value, Value, Value) {
        let nan = self.is_nan(parts.magnitude);
        let infinite = self.with(Eq, parts.magnitude, self.format.infinity());
        (nan, infinite, self.not(parts.magnitude))
    }

    /// Significand and exponent of a finite number other than 0, which may be subnormal: the leading 1 that it then has not
    /// is taken away, and those that are 0 shifted out.
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
