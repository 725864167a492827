//! Division: inline where the divisor is a small constant, else a call of a routine.
//!
//! Quotient and remainder come together, so that `a / b` and `a % b` in one block cost one division.
//! The traps are the frontend's: here a divisor may be anything, and 0 gives any result.

use rustc_hash::FxHashMap;
use smallvec::smallvec;

use super::{Legalizer, Pair};
use crate::ir::*;

use BinaryOp::*;
use Type::I32;

/// Divisions that were already done in this block, by sign and operands: quotient and remainder.
pub(super) type Done = FxHashMap<(bool, Value, Value), (Pair, Pair)>;

impl Legalizer<'_> {
    /// Emits a division, given values of the old function.
    pub(super) fn division(&mut self, op: BinaryOp, ty: Type, a: Value, b: Value) -> Pair {
        let signed = matches!(op, DivS | RemS);
        let key = (signed, a, b);
        let (quotient, remainder) = match self.divisions.get(&key) {
            Some(done) => *done,
            None => {
                let (dividend, divisor, constant) = (self.words[a], self.words[b], self.constants[b]);
                let done = match ty {
                    I32 => {
                        let constant = constant.map(|bits| bits as u32);
                        let (quotient, remainder) =
                            self.divide_word(signed, dividend[0], divisor[0], constant);
                        ([quotient; 2], [remainder; 2])
                    }
                    Type::I64 => self.divide_pair(signed, dividend, divisor, constant),
                };
                self.divisions.insert(key, done);
                done
            }
        };
        if matches!(op, DivU | DivS) { quotient } else { remainder }
    }

    fn negative(&mut self, word: Value) -> Value {
        let zero = self.b.word(0);
        self.b.word_op(LtS, word, zero)
    }

    /// Emits −word if the condition holds, else the word.
    fn negate_if(&mut self, cond: Value, word: Value) -> Value {
        let zero = self.b.word(0);
        let negated = self.b.word_op(Sub, zero, word);
        self.b.select(I32, cond, negated, word)
    }

    fn negate_pair_if(&mut self, cond: Value, pair: Pair) -> Pair {
        let zero = self.b.word(0);
        let negated = self.sub_pair([zero; 2], pair);
        self.select_pair(cond, negated, pair)
    }

    /// Emits whether the quotient of a dividend whose sign is known only at run time is negative.
    fn quotient_sign(&mut self, dividend_negative: Value, divisor_negative: bool) -> Value {
        if divisor_negative { self.b.unary(UnaryOp::Eqz, I32, dividend_negative) } else { dividend_negative }
    }

    fn divide_word(&mut self, signed: bool, a: Value, b: Value, constant: Option<u32>) -> (Value, Value) {
        if !signed {
            return self.divide_unsigned(a, b, constant);
        }
        let a_negative = self.negative(a);
        let magnitude = self.negate_if(a_negative, a);
        let (quotient, remainder, negative) = match constant {
            Some(divisor) => {
                let divisor = divisor as i32;
                let divisor_magnitude = self.b.word(divisor.unsigned_abs());
                let (quotient, remainder) =
                    self.divide_unsigned(magnitude, divisor_magnitude, Some(divisor.unsigned_abs()));
                (quotient, remainder, self.quotient_sign(a_negative, divisor < 0))
            }
            None => {
                let b_negative = self.negative(b);
                let divisor = self.negate_if(b_negative, b);
                let (quotient, remainder) = self.divide_unsigned(magnitude, divisor, None);
                (quotient, remainder, self.b.word_op(Ne, a_negative, b_negative))
            }
        };
        (self.negate_if(negative, quotient), self.negate_if(a_negative, remainder))
    }

    fn divide_unsigned(&mut self, a: Value, b: Value, constant: Option<u32>) -> (Value, Value) {
        match constant {
            Some(0) => (self.b.word(0), a),
            Some(_) => (self.b.word_op(DivU, a, b), self.b.word_op(RemU, a, b)),
            None => {
                let results = self.call_routine(Routine::Udivrem32, smallvec![a, b], 2);
                (results[0], results[1])
            }
        }
    }

    fn divide_pair(&mut self, signed: bool, a: Pair, b: Pair, constant: Option<u64>) -> (Pair, Pair) {
        match constant {
            Some(divisor) if !signed && (1..1 << 16).contains(&divisor) => {
                self.divide_by_digit(a, divisor as u32)
            }
            Some(divisor) if signed && (1..1 << 16).contains(&(divisor as i64).unsigned_abs()) => {
                let divisor = divisor as i64;
                let negative = self.negative(a[1]);
                let magnitude = self.negate_pair_if(negative, a);
                let (quotient, remainder) = self.divide_by_digit(magnitude, divisor.unsigned_abs() as u32);
                let quotient_negative = self.quotient_sign(negative, divisor < 0);
                (self.negate_pair_if(quotient_negative, quotient), self.negate_pair_if(negative, remainder))
            }
            _ => {
                let routine = if signed { Routine::Sdivrem64 } else { Routine::Udivrem64 };
                let results = self.call_routine(routine, smallvec![a[0], a[1], b[0], b[1]], 4);
                ([results[0], results[1]], [results[2], results[3]])
            }
        }
    }

    /// Emits a long division by a constant below 2^16, in digits of 16 bits below the high word.
    fn divide_by_digit(&mut self, [low, high]: Pair, divisor: u32) -> (Pair, Pair) {
        let divisor = self.b.word(divisor);
        let half = self.b.word(16);
        let mask = self.b.word(0xffff);
        let quotient_high = self.b.word_op(DivU, high, divisor);
        let mut rest = self.b.word_op(RemU, high, divisor);
        let digits = [self.b.word_op(ShrU, low, half), self.b.word_op(And, low, mask)];
        let quotient_digits = digits.map(|digit| {
            let scaled = self.b.word_op(Shl, rest, half);
            let part = self.b.word_op(Add, scaled, digit);
            rest = self.b.word_op(RemU, part, divisor);
            self.b.word_op(DivU, part, divisor)
        });
        let scaled = self.b.word_op(Shl, quotient_digits[0], half);
        let quotient_low = self.b.word_op(Add, scaled, quotient_digits[1]);
        ([quotient_low, quotient_high], [rest, self.b.word(0)])
    }
}
