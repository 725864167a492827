//! 64-bit operations on pairs of words.
//!
//! Select, add, subtract and compare are the cheapest operations of the target, `and` and `or` are not. So
//! bits that do not overlap are added, and conditions are combined by selecting.

use super::{Legalizer, Pair};
use crate::ir::*;

use BinaryOp::*;
use Type::I32;

impl Legalizer<'_> {
    /// Emits an instruction on 64-bit values other than a division.
    pub(super) fn wide(&mut self, inst: &Inst) -> Option<Pair> {
        let arg = |this: &Self, i: usize| this.words[inst.args[i]];
        Some(match inst.op {
            Op::Const(bits) => [self.b.word(bits as u32), self.b.word((bits >> 32) as u32)],
            Op::Unary(op) => {
                let a = arg(self, 0);
                self.wide_unary(op, a)
            }
            Op::Binary(op) => {
                let (a, b) = (arg(self, 0), arg(self, 1));
                match self.constants[inst.args[1]] {
                    Some(amount) if matches!(op, Shl | ShrU | ShrS | Rotl | Rotr) => {
                        self.shift_constant(op, a, (amount % 64) as u32)
                    }
                    _ => self.wide_binary(op, a, b),
                }
            }
            Op::Select => {
                let cond = self.word(inst.args[0]);
                let (a, b) = (arg(self, 1), arg(self, 2));
                self.select_pair(cond, a, b)
            }
            Op::Load { space, bytes, signed, offset } => {
                let address = self.word(inst.args[0]);
                let mut load = |bytes, signed, offset| {
                    self.b.value(Op::Load { space, bytes, signed, offset }, I32, &[address])
                };
                if bytes == 8 {
                    return Some([load(4, false, offset), load(4, false, offset + 4)]);
                }
                let low = load(bytes, signed && bytes < 4, offset);
                [low, if signed { self.sign(low) } else { self.b.word(0) }]
            }
            Op::Store { space, bytes, offset } => {
                let (address, [low, high]) = (self.word(inst.args[0]), arg(self, 1));
                let mut store = |bytes, offset, word| {
                    self.b.effect(Op::Store { space, bytes, offset }, I32, &[address, word]);
                };
                store(bytes.min(4), offset, low);
                if bytes == 8 {
                    store(4, offset + 4, high);
                }
                return None;
            }
            Op::Bounds { .. }
            | Op::Within(_)
            | Op::Copy { .. }
            | Op::Fill(_)
            | Op::Move { .. }
            | Op::Repeat { .. }
            | Op::TrapIf(_)
            | Op::CellGet(_)
            | Op::CellSet(_)
            | Op::TableFunc(_)
            | Op::Float(_)
            | Op::TableType(_) => unreachable!("on words only"),
        })
    }

    fn op(&mut self, op: BinaryOp, a: Value, b: Value) -> Value {
        self.b.word_op(op, a, b)
    }

    /// Emits an operation with a constant.
    fn op_with(&mut self, op: BinaryOp, a: Value, b: u32) -> Value {
        let b = self.b.word(b);
        self.b.word_op(op, a, b)
    }

    fn select(&mut self, cond: Value, a: Value, b: Value) -> Value {
        self.b.select(I32, cond, a, b)
    }

    pub(super) fn select_pair(&mut self, cond: Value, a: Pair, b: Pair) -> Pair {
        [self.select(cond, a[0], b[0]), self.select(cond, a[1], b[1])]
    }

    /// Emits a word as the pair of a 64-bit number, or of a 32-bit one.
    fn with_zero(&mut self, low: Value) -> Pair {
        [low, self.b.word(0)]
    }

    fn wide_unary(&mut self, op: UnaryOp, [low, high]: Pair) -> Pair {
        match op {
            UnaryOp::Eqz => {
                let zero = self.b.word(0);
                let high_zero = self.b.unary(op, I32, high);
                [self.select(low, zero, high_zero); 2]
            }
            UnaryOp::Clz | UnaryOp::Ctz => {
                // The count in the word that is looked at first; the count in the other word if the first one
                // is 0.
                let (first, second) = if op == UnaryOp::Clz { (high, low) } else { (low, high) };
                let in_first = self.b.unary(op, I32, first);
                let in_second = self.b.unary(op, I32, second);
                let in_second = self.op_with(Add, in_second, 32);
                let count = self.select(first, in_first, in_second);
                self.with_zero(count)
            }
            UnaryOp::Popcnt => {
                let (a, b) = (self.b.unary(op, I32, low), self.b.unary(op, I32, high));
                let count = self.op(Add, a, b);
                self.with_zero(count)
            }
            UnaryOp::Extend8S | UnaryOp::Extend16S => {
                let low = self.b.unary(op, I32, low);
                [low, self.sign(low)]
            }
            UnaryOp::Extend32S => [low, self.sign(low)],
            UnaryOp::Wrap | UnaryOp::ExtendU | UnaryOp::ExtendS => unreachable!("done by the caller"),
        }
    }

    fn wide_binary(&mut self, op: BinaryOp, a: Pair, b: Pair) -> Pair {
        match op {
            Add => {
                let low = self.op(Add, a[0], b[0]);
                let carry = self.op(Carry, a[0], b[0]);
                let high = self.op(Add, a[1], b[1]);
                [low, self.op(Add, high, carry)]
            }
            Sub => self.sub_pair(a, b),
            Mul => {
                let low = self.op(Mul, a[0], b[0]);
                let high = self.op(MulHi, a[0], b[0]);
                let cross = (self.op(Mul, a[0], b[1]), self.op(Mul, a[1], b[0]));
                let high = self.op(Add, high, cross.0);
                [low, self.op(Add, high, cross.1)]
            }
            And | Or | Xor => [self.op(op, a[0], b[0]), self.op(op, a[1], b[1])],
            Eq => {
                let (low, high) = (self.op(Eq, a[0], b[0]), self.op(Eq, a[1], b[1]));
                let no = self.b.word(0);
                [self.select(low, high, no); 2]
            }
            Ne => {
                let (low, high) = (self.op(Ne, a[0], b[0]), self.op(Ne, a[1], b[1]));
                let yes = self.b.word(1);
                [self.select(low, yes, high); 2]
            }
            LtU | LtS | GeU | GeS => {
                // The high words decide, unless they are equal.
                let unsigned = if matches!(op, LtU | LtS) { LtU } else { GeU };
                let equal = self.op(Eq, a[1], b[1]);
                let low = self.op(unsigned, a[0], b[0]);
                let high = self.op(op, a[1], b[1]);
                [self.select(equal, low, high); 2]
            }
            Shl | ShrU | ShrS | Rotl => self.shift(op, a, b[0]),
            Rotr => {
                let zero = self.b.word(0);
                let amount = self.op(Sub, zero, b[0]);
                self.shift(Rotl, a, amount)
            }
            DivU | RemU | DivS | RemS | MulHi | Carry => unreachable!("done by the caller, or on words only"),
        }
    }

    pub(super) fn sub_pair(&mut self, a: Pair, b: Pair) -> Pair {
        let low = self.op(Sub, a[0], b[0]);
        let borrow = self.op(LtU, a[0], b[0]);
        let high = self.op(Sub, a[1], b[1]);
        [low, self.op(Sub, high, borrow)]
    }

    /// Emits the bits that a left shift by `amount` modulo 32 moves out of a word.
    fn shifted_out(&mut self, word: Value, amount: Value, shifted: Value) -> Value {
        let rotated = self.op(Rotl, word, amount);
        self.op(Sub, rotated, shifted)
    }

    /// Emits a shift by an unknown amount, taken modulo 64.
    fn shift(&mut self, op: BinaryOp, [low, high]: Pair, amount: Value) -> Pair {
        let big = self.op_with(And, amount, 32);
        match op {
            Shl => {
                let low_shifted = self.op(Shl, low, amount);
                let high_shifted = self.op(Shl, high, amount);
                let over = self.shifted_out(low, amount, low_shifted);
                let high_shifted = self.op(Add, high_shifted, over);
                let zero = self.b.word(0);
                [self.select(big, zero, low_shifted), self.select(big, low_shifted, high_shifted)]
            }
            ShrU | ShrS => {
                // The bits that go from the high to the low word are those that a rotation to the right
                // brings to the top and a shift does not.
                let zero = self.b.word(0);
                let back = self.op(Sub, zero, amount);
                let rotated = self.op(Rotl, high, back);
                let high_unsigned = self.op(ShrU, high, amount);
                let under = self.op(Sub, rotated, high_unsigned);
                let low_shifted = self.op(ShrU, low, amount);
                let low_shifted = self.op(Add, low_shifted, under);
                let (high_shifted, fill) = match op {
                    ShrU => (high_unsigned, zero),
                    _ => (self.op(ShrS, high, amount), self.sign(high)),
                };
                [self.select(big, high_shifted, low_shifted), self.select(big, fill, high_shifted)]
            }
            _ => {
                let first = self.select(big, high, low);
                let second = self.select(big, low, high);
                let first_shifted = self.op(Shl, first, amount);
                let second_shifted = self.op(Shl, second, amount);
                let from_first = self.shifted_out(first, amount, first_shifted);
                let from_second = self.shifted_out(second, amount, second_shifted);
                [self.op(Add, first_shifted, from_second), self.op(Add, second_shifted, from_first)]
            }
        }
    }

    /// Emits a shift by a known amount below 64.
    fn shift_constant(&mut self, op: BinaryOp, [low, high]: Pair, amount: u32) -> Pair {
        let (big, n) = (amount >= 32, amount % 32);
        match op {
            Rotr => return self.shift_constant(Rotl, [low, high], (64 - amount) % 64),
            Rotl if big => return self.shift_constant(Rotl, [high, low], n),
            _ if amount == 0 => return [low, high],
            _ => {}
        }
        match op {
            Shl if big => [self.b.word(0), self.op_with(Shl, low, n)],
            Shl | Rotl => {
                let out = self.op_with(ShrU, low, 32 - n);
                let high_shifted = self.op_with(Shl, high, n);
                let new_high = self.op(Add, high_shifted, out);
                let mut new_low = self.op_with(Shl, low, n);
                if op == Rotl {
                    let out = self.op_with(ShrU, high, 32 - n);
                    new_low = self.op(Add, new_low, out);
                }
                [new_low, new_high]
            }
            ShrU if big => [self.op_with(ShrU, high, n), self.b.word(0)],
            ShrS if big => [self.op_with(ShrS, high, n), self.sign(high)],
            ShrU | ShrS => {
                let out = self.op_with(Shl, high, 32 - n);
                let low_shifted = self.op_with(ShrU, low, n);
                [self.op(Add, low_shifted, out), self.op_with(op, high, n)]
            }
            _ => unreachable!("not a shift"),
        }
    }
}
