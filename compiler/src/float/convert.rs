//! Rounding to integers and conversions.

use super::round::Exact;
use super::{Emit, Format, width};
use crate::ir::*;

use BinaryOp::*;
use Type::{I32, I64};

impl Emit<'_, '_> {
    /// Emits the routine of `ceil`, `floor`, `trunc` or `nearest`.
    pub(super) fn integral(&mut self, op: FloatOp, a: Value) {
        let format = self.format;
        let (ty, one) = (format.ty, format.power(0));
        let parts = self.parts(a);
        // The integer part is made of all bits above the last `amount`, which is at least 1 and at most the
        // length of the fraction.
        let amount = self.word(format.bias() + format.fraction);
        let amount = self.op(Sub, amount, parts.exponent);
        let amount = self.widen(amount, ty);
        let all = self.constant(u64::MAX >> (64 - format.width()));
        let integer = self.op(Shl, all, amount);
        let outside = self.op(Sub, all, integer);
        let zero = self.constant(0);
        let none = self.not(parts.magnitude);
        // What is added before the rest is cut off, and the resulting magnitude of a number below 1.
        let (added, small) = match op {
            FloatOp::Trunc => (zero, zero),
            FloatOp::Ceil | FloatOp::Floor => {
                let ceil = op == FloatOp::Ceil;
                let away = if ceil { self.not(parts.sign) } else { parts.sign };
                let added = self.select(away, outside, zero);
                let small = self.either(away, one, 0);
                (added, self.select(none, zero, small))
            }
            _ => {
                let half = self.with(ShrU, outside, 1);
                let unit = self.with(Add, outside, 1);
                let last = self.op(And, a, unit);
                let even = self.unary(UnaryOp::Eqz, last);
                let odd = self.not(even);
                let odd = self.widen(odd, ty);
                let up = self.above(parts.magnitude, format.power(0) - (1 << format.fraction));
                (self.op(Add, half, odd), self.either(up, one, 0))
            }
        };
        let sum = self.op(Add, a, added);
        let rounded = self.op(And, sum, integer);
        let small = self.signed(parts.sign, small);
        let bias = self.word(format.bias());
        let is_small = self.op(LtU, parts.exponent, bias);
        let result = self.select(is_small, small, rounded);
        let integral = self.with(GeU, parts.exponent, (format.bias() + format.fraction) as u64);
        let result = self.select(integral, a, result);
        let nan = self.is_nan(parts.magnitude);
        let canonical = self.constant(format.nan());
        let result = self.select(nan, canonical, result);
        self.return_value(result);
    }

    /// Emits the routine of the conversion from an integer to the format.
    pub(super) fn convert_int(&mut self, signed: bool, a: Value) {
        let (from, to) = (self.type_of(a), self.format);
        let zero = self.b.constant(from, 0);
        let (sign, magnitude) = if signed {
            let sign = self.op(LtS, a, zero);
            let negated = self.op(Sub, zero, a);
            (sign, self.select(sign, negated, a))
        } else {
            (self.word(0), a)
        };
        let leading = self.unary(UnaryOp::Clz, magnitude);
        let significand = self.op(Shl, magnitude, leading);
        let leading = self.low(leading);
        let exponent = self.word(to.bias() + width(from) - 1);
        let exponent = self.op(Sub, exponent, leading);
        let exact = self.word(1);
        let result = match (from, to.ty) {
            (I32, I64) => {
                let significand = self.widen(significand, I64);
                let significand = self.with(Shl, significand, to.fraction as u64 - 31);
                self.packed(exponent, significand)
            }
            (I64, I32) => {
                let low = self.low(significand);
                let high = self.high(significand);
                let none = self.not(low);
                let below = self.not(none);
                let tail = self.with(Add, below, 1);
                self.round(exponent, high, tail)
            }
            _ => self.round(exponent, significand, exact),
        };
        let result = self.signed(sign, result);
        let none = self.not(a);
        let zero = self.constant(0);
        let result = self.select(none, zero, result);
        self.return_value(result);
    }

    /// Emits the routine of the conversion to an integer: to the nearest one of the type, and to 0 for a NaN.
    pub(super) fn convert_to_int(&mut self, signed: bool, to: Type, a: Value) {
        let parts = self.parts(a);
        let integer = self.integer_part(signed, to, a);
        let all = u64::MAX >> (64 - width(to));
        let [least, greatest] = if signed { [all / 2 + 1, all / 2] } else { [0, all] };
        let (least, greatest) = (self.b.constant(to, least), self.b.constant(to, greatest));
        let limit = self.select(parts.sign, least, greatest);
        let outside = self.outside(signed, to, parts.sign, parts.magnitude);
        let integer = self.select(outside, limit, integer);
        let nan = self.is_nan(parts.magnitude);
        let zero = self.b.constant(to, 0);
        let integer = self.select(nan, zero, integer);
        self.return_value(integer);
    }

    /// Emits the integer part of a number whose integer part is in the type; for other numbers, the result
    /// may be anything.
    pub fn integer_part(&mut self, signed: bool, to: Type, a: Value) -> Value {
        let from = self.format;
        let parts = self.parts(a);
        let significand = self.significand(a);
        let significand = match (from.ty, to) {
            (I32, I64) => {
                let wide = self.widen(significand, I64);
                self.with(Shl, wide, 32)
            }
            (I64, I32) => self.high(significand),
            _ => significand,
        };
        let amount = self.word(from.bias() + width(to) - 1);
        let amount = self.op(Sub, amount, parts.exponent);
        let amount = self.widen(amount, to);
        let integer = self.op(ShrU, significand, amount);
        let bias = self.word(from.bias());
        let below_one = self.op(LtU, parts.exponent, bias);
        let zero = self.b.constant(to, 0);
        let integer = self.select(below_one, zero, integer);
        if !signed {
            return integer;
        }
        let negated = self.op(Sub, zero, integer);
        self.select(parts.sign, negated, integer)
    }

    /// Emits the routine of the conversion from f32 to f64.
    pub(super) fn promote(&mut self, a: Value) {
        let (from, to) = (Format::F32, Format::F64);
        let parts = self.parts(a);
        let nan = self.is_nan(parts.magnitude);
        let infinite = self.with(Eq, parts.exponent, from.max_exponent() as u64);
        self.format = to;
        let wide = self.widen(parts.magnitude, I64);
        let shifted = self.with(Shl, wide, (to.fraction - from.fraction) as u64);
        let normal = self.with(Add, shifted, ((to.bias() - from.bias()) as u64) << to.fraction);
        let infinity = self.constant(to.infinity());
        let normal = self.select(infinite, infinity, normal);
        let none = self.not(parts.magnitude);
        let zero = self.constant(0);
        let normal = self.select(none, zero, normal);
        let result = self.signed(parts.sign, normal);
        let canonical = self.constant(to.nan());
        let result = self.select(nan, canonical, result);
        let lowest = self.not(parts.exponent);
        let other = self.not(none);
        let subnormal = self.and(lowest, other);
        let [subnormal, done] = self.branch(subnormal);
        self.b.block = done;
        self.return_value(result);

        self.b.block = subnormal;
        let leading = self.unary(UnaryOp::Clz, parts.magnitude);
        let significand = self.op(Shl, parts.magnitude, leading);
        let significand = self.widen(significand, I64);
        let significand = self.with(Shl, significand, to.fraction as u64 - 31);
        // The last bit of the fraction is 2^(1 − bias − fraction).
        let exponent = self.word(to.bias() + 31 + 1 - from.bias() - from.fraction);
        let exponent = self.op(Sub, exponent, leading);
        let packed = self.packed(exponent, significand);
        let result = self.signed(parts.sign, packed);
        self.return_value(result);
    }

    /// Emits the routine of the conversion from f64 to f32. What is subnormal in f64 is far below all of f32.
    pub(super) fn demote(&mut self, a: Value) {
        let (from, to) = (Format::F64, Format::F32);
        let parts = self.parts(a);
        let nan = self.is_nan(parts.magnitude);
        let wide = self.significand(a);
        let significand = self.high(wide);
        let low = self.low(wide);
        let none = self.not(low);
        let below = self.not(none);
        let exponent = self.with(Sub, parts.exponent, (from.bias() - to.bias()) as u64);
        self.format = to;
        self.finish(Exact { sign: parts.sign, exponent, significand, below }, Some(nan));
    }
}
