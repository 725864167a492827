//! Comparisons, minimum and maximum, and the checks of conversions: short enough to be emitted in place.

use wasm2onnx_runtime::TrapCode;

use super::{Emit, Format, width};
use crate::ir::*;

use BinaryOp::*;

/// Comparisons of floats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compare {
    /// Equal; zeros of either sign are.
    Eq,
    /// Not equal, or one of them is a NaN.
    Ne,
    /// The first is less.
    Lt,
    /// The first is less or equal.
    Le,
    /// The first is greater.
    Gt,
    /// The first is greater or equal.
    Ge,
}

impl Emit<'_, '_> {
    /// Emits a comparison: 0 or 1.
    pub fn compare(&mut self, compare: Compare, a: Value, b: Value) -> Value {
        match compare {
            Compare::Gt => return self.compare(Compare::Lt, b, a),
            Compare::Ge => return self.compare(Compare::Le, b, a),
            Compare::Ne => {
                let equal = self.compare(Compare::Eq, a, b);
                return self.not(equal);
            }
            Compare::Eq | Compare::Lt | Compare::Le => {}
        }
        let (x, y) = (self.parts(a), self.parts(b));
        let ordered = self.ordered(x.magnitude, y.magnitude);
        let either = self.op(Or, x.magnitude, y.magnitude);
        let zeros = self.not(either);
        let holds = match compare {
            Compare::Eq => {
                let equal = self.op(Eq, a, b);
                self.or(zeros, equal)
            }
            Compare::Lt => {
                let not_zeros = self.not(zeros);
                let less = self.less([x.sign, y.sign], x.magnitude, y.magnitude);
                self.and(not_zeros, less)
            }
            _ => {
                let greater = self.less([y.sign, x.sign], y.magnitude, x.magnitude);
                let not_greater = self.not(greater);
                self.or(zeros, not_greater)
            }
        };
        self.and(ordered, holds)
    }

    /// Emits whether neither is a NaN.
    fn ordered(&mut self, x: Value, y: Value) -> Value {
        let infinity = self.constant(self.format.infinity());
        let (x, y) = (self.op(GeU, infinity, x), self.op(GeU, infinity, y));
        self.and(x, y)
    }

    /// Emits whether the first is less; −0 is less than 0.
    fn less(&mut self, [sx, sy]: [Value; 2], x: Value, y: Value) -> Value {
        let (less, greater) = (self.op(LtU, x, y), self.op(LtU, y, x));
        let (no, yes) = (self.word(0), self.word(1));
        let if_negative = self.select(sy, greater, yes);
        let if_positive = self.select(sy, no, less);
        self.select(sx, if_negative, if_positive)
    }

    /// Emits the lesser (or the greater) of two floats.
    pub fn extremum(&mut self, greatest: bool, a: Value, b: Value) -> Value {
        let (x, y) = (self.parts(a), self.parts(b));
        let ordered = self.ordered(x.magnitude, y.magnitude);
        let less = self.less([x.sign, y.sign], x.magnitude, y.magnitude);
        let chosen = if greatest { self.select(less, b, a) } else { self.select(less, a, b) };
        let nan = self.constant(self.format.nan());
        self.select(ordered, chosen, nan)
    }

    /// Emits the traps of a conversion to an integer.
    pub fn check_to_int(&mut self, signed: bool, to: Type, a: Value) {
        let x = self.parts(a);
        let nan = self.is_nan(x.magnitude);
        self.b.trap_if(TrapCode::InvalidConversionToInteger, nan);
        let outside = self.outside(signed, to, x.sign, x.magnitude);
        self.b.trap_if(TrapCode::IntegerOverflow, outside);
    }

    /// Emits whether the integer part is outside the type, as that of a NaN is.
    pub(super) fn outside(&mut self, signed: bool, to: Type, sign: Value, magnitude: Value) -> Value {
        let [positive, negative] = limits(self.format, signed, to);
        let limit = self.either(sign, negative, positive);
        self.op(GeU, magnitude, limit)
    }
}

/// Returns the least magnitudes of a positive and of a negative float whose integer parts are too large for a
/// type.
fn limits(format: Format, signed: bool, to: Type) -> [u64; 2] {
    let bits = width(to);
    if !signed {
        return [format.power(bits), format.power(0)];
    }
    let power = format.power(bits - 1);
    // The first float of magnitude 2^n + 1 or more.
    let next = format.fraction.checked_sub(bits - 1).map_or(1, |below| 1 << below);
    [power, power + next]
}
