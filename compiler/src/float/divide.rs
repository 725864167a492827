//! Division and square root: digits by a reciprocal, never too large, and their remainders in exact
//! arithmetic modulo 2^32 or 2^64. The last digit is at most 1 too small, which its remainder shows.

use super::Emit;
use super::product::Factors;
use super::round::Exact;
use crate::ir::*;

use BinaryOp::*;
use Type::{I32, I64};

impl Emit<'_, '_> {
    /// Emits the routine of `a / b`.
    pub(super) fn div(&mut self, a: Value, b: Value) {
        self.of_factors(true, a, b, Emit::quotient);
    }

    /// Emits the quotient of significands a and b, both with the leading 1 in the highest bit, so that a / b
    /// is between 1/2 and 2.
    fn quotient(&mut self, factors: Factors) -> (Exact, Value) {
        let Factors { sign, significands: [a, b], exponents: [ea, eb] } = factors;
        let b_high = self.high(b);
        let x = self.reciprocal(b_high);
        // Four bits less: remainders of up to 7 times b have room.
        let (a_small, b_small) = (self.with(ShrU, a, 4), self.with(ShrU, b, 4));
        let (quotient, rest, places) = match self.format.ty {
            // 27 places behind the binary point, of 31 that are within 5 units.
            I32 => {
                let quotient = self.op(MulHi, a, x);
                let quotient = self.with(ShrU, quotient, 4);
                let scaled = self.with(Shl, a_small, 27);
                let taken = self.op(Mul, quotient, b_small);
                (quotient, self.op(Sub, scaled, taken), 27)
            }
            // 31 places within 7 units, and 25 more. b is up to one unit more than its high word says, so x
            // is made less by 2.
            I64 => {
                let x = self.with(Sub, x, 2);
                let a_high = self.high(a);
                let first = self.op(MulHi, a_high, x);
                let first = self.widen(first, I64);
                let scaled = self.with(Shl, a_small, 31);
                let taken = self.op(Mul, first, b_small);
                let rest = self.op(Sub, scaled, taken);
                let rest_high = self.with(ShrU, rest, 31);
                let rest_high = self.low(rest_high);
                let second = self.op(MulHi, rest_high, x);
                let second = self.with(ShrU, second, 3);
                let second = self.widen(second, I64);
                let scaled = self.with(Shl, rest, 25);
                let taken = self.op(Mul, second, b_small);
                let first = self.with(Shl, first, 25);
                (self.op(Add, first, second), self.op(Sub, scaled, taken), 56)
            }
        };
        let (quotient, below) = self.corrected(quotient, rest, b_small);
        let significand = self.with(Shl, quotient, self.format.width() as u64 - 1 - places);
        let exponent = self.op(Sub, ea, eb);
        // The leading 1 is in the highest bit if a is not less than b.
        let top = self.top(significand);
        let doubled = self.with(Shl, significand, 1);
        let significand = self.select(top, significand, doubled);
        let least = self.with(Add, exponent, self.format.bias() as u64 - 1);
        let exponent = self.op(Add, least, top);
        (Exact { sign, exponent, significand, below }, least)
    }

    /// Emits a number with its last unit added if the remainder is at least `unit`, and whether the result is
    /// inexact.
    fn corrected(&mut self, number: Value, rest: Value, unit: Value) -> (Value, Value) {
        let more = self.op(GeU, rest, unit);
        let more = self.widen(more, self.format.ty);
        let none = self.not(rest);
        let one = self.op(Eq, rest, unit);
        let exact = self.or(none, one);
        (self.op(Add, number, more), self.not(exact))
    }

    /// Emits the routine of √a.
    pub(super) fn sqrt(&mut self, a: Value) {
        let format = self.format;
        let parts = self.parts(a);
        let significand = self.significand(a);
        let special = self.is_special(parts.exponent);
        let special = self.or(parts.sign, special);
        let result = self.root(significand, parts.exponent);
        let [special, normal] = self.branch(special);
        self.b.block = normal;
        self.return_value(result);

        // For a NaN or anything negative: a NaN. For ∞ and for zeros: themselves.
        self.b.block = special;
        let zero = self.not(parts.magnitude);
        let positive = self.not(parts.sign);
        let infinite = self.with(Eq, a, format.infinity());
        let itself = self.or(zero, infinite);
        let canonical = self.constant(format.nan());
        let result = self.select(itself, a, canonical);
        let nan = self.is_nan(parts.magnitude);
        let valid = self.not(nan);
        let valid = self.and(positive, valid);
        let known = self.not(valid);
        let known = self.or(known, itself);
        let [known, subnormal] = self.branch(known);
        self.b.block = known;
        self.return_value(result);

        self.b.block = subnormal;
        let (significand, exponent) = self.normalized(significand, parts);
        let result = self.root(significand, exponent);
        self.return_value(result);
    }

    /// Emits the root of a significand m ≥ 1, which is doubled if the power of 2 that goes with it is odd.
    fn root(&mut self, significand: Value, exponent: Value) -> Value {
        // The bias is odd, so that an odd exponent stands for an even power.
        let even = self.with(And, exponent, 1);
        let half = self.with(ShrU, significand, 1);
        // m · 2^30 as a word, m · 2^62 as an I64.
        let m = self.select(even, half, significand);
        let exponent = self.with(Add, exponent, self.format.bias() as u64);
        let exponent = self.with(ShrU, exponent, 1);
        let high = self.high(m);
        let y = self.reciprocal_root(high);
        // √m with 30 places.
        let first = self.op(MulHi, high, y);
        let (root, rest, places) = match self.format.ty {
            I32 => {
                let root = self.with(ShrU, first, 4);
                let square = self.op(Mul, root, root);
                let scaled = self.with(Shl, m, 22);
                (root, self.op(Sub, scaled, square), 26)
            }
            I64 => {
                // m = (r + s)², with r the first digit: s = (m − r²) / (r + √m). To put √m for r makes this
                // less, and 1 / √m is what y is.
                let first = self.widen(first, I64);
                let square = self.op(Mul, first, first);
                let scaled = self.with(ShrU, m, 2);
                let rest = self.op(Sub, scaled, square);
                let rest_high = self.with(ShrU, rest, 3);
                let rest_high = self.low(rest_high);
                let second = self.op(MulHi, rest_high, y);
                let second = self.with(ShrU, second, 3);
                let second = self.widen(second, I64);
                let cross = self.op(Mul, first, second);
                let cross = self.with(Shl, cross, 26);
                let square = self.op(Mul, second, second);
                let taken = self.op(Add, cross, square);
                let scaled = self.with(Shl, rest, 50);
                let first = self.with(Shl, first, 25);
                (self.op(Add, first, second), self.op(Sub, scaled, taken), 55)
            }
        };
        let unit = self.with(Shl, root, 1);
        let unit = self.with(Add, unit, 1);
        let (root, below) = self.corrected(root, rest, unit);
        let significand = self.with(Shl, root, self.format.width() as u64 - 1 - places);
        let tail = self.with(Add, below, 1);
        self.round(exponent, significand, tail)
    }
}
