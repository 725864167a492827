//! Float arithmetic on bit patterns: IEEE 754, rounded to nearest even, an arithmetic result that is a
//! NaN being the canonical one.
//!
//! Everything is written once, over a [`Format`]: an f32 in one word, an f64 in an I64, which
//! `legalize` makes two words of like any other. What is short is emitted in place ([`compare`]); the rest is a
//! [`routine`], linked where it is used.
//!
//! A step of the network costs about the same whether it does one operation or thirty, so that the
//! routines are written for depth: both sides of a choice are computed and selected, and what is
//! rare (NaNs, infinities, subnormals where they are hard) goes a way of its own behind one branch. A way
//! that ends like another has a copy of that end: a jump to a shared one would be a token.
//!
//! Numbers on their way have this form: sign (a bit), biased exponent (a word, signed, not limited
//! yet), significand with its leading 1 in the highest bit of the type, as many bits below the
//! format's as the exponent is wide, and a bit that says whether something lies below all of them.

pub mod compare;
mod convert;
mod divide;
mod product;
mod reciprocal;
mod round;
mod sum;
#[cfg(test)]
mod tests;

use smallvec::smallvec;

use crate::builder::Builder;
use crate::ir::*;

use BinaryOp::*;
use Type::{I32, I64};

/// A float format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    /// Type of the bit patterns.
    pub ty: Type,
    /// Bits of the fraction.
    pub fraction: u32,
}

impl Format {
    /// Of f32.
    pub const F32: Format = Format { ty: I32, fraction: 23 };
    /// Of f64.
    pub const F64: Format = Format { ty: I64, fraction: 52 };

    /// The format whose bit patterns have that type.
    pub fn of(ty: Type) -> Self {
        match ty {
            I32 => Format::F32,
            I64 => Format::F64,
        }
    }

    /// Bits of all.
    pub fn width(self) -> u32 {
        width(self.ty)
    }

    /// Bits of the exponent; also those that a significand in the highest bits has below its own.
    fn exponent(self) -> u32 {
        self.width() - 1 - self.fraction
    }

    /// Exponent of infinities and NaNs.
    fn max_exponent(self) -> u32 {
        (1 << self.exponent()) - 1
    }

    /// Biased exponent of 1.
    pub fn bias(self) -> u32 {
        self.max_exponent() / 2
    }

    /// Bit pattern of −0.
    pub fn sign(self) -> u64 {
        1 << (self.width() - 1)
    }

    /// All bits but the sign.
    pub fn magnitude(self) -> u64 {
        self.sign() - 1
    }

    /// Bit pattern of ∞.
    pub fn infinity(self) -> u64 {
        (self.max_exponent() as u64) << self.fraction
    }

    /// Bit pattern of the canonical NaN.
    pub fn nan(self) -> u64 {
        self.infinity() | 1 << (self.fraction - 1)
    }

    /// Bit pattern of 2^n, which has to be a normal number.
    pub fn power(self, n: u32) -> u64 {
        ((self.bias() + n) as u64) << self.fraction
    }
}

/// Bits of a type.
fn width(ty: Type) -> u32 {
    match ty {
        I32 => 32,
        I64 => 64,
    }
}

/// Emits operations of one format.
pub struct Emit<'a, 'b> {
    /// Where to.
    pub b: &'b mut Builder<'a>,
    /// Of what.
    pub format: Format,
}

/// A float taken apart.
#[derive(Clone, Copy)]
struct Parts {
    /// All bits but the sign.
    magnitude: Value,
    /// A bit.
    sign: Value,
    /// Biased, a word.
    exponent: Value,
}

impl Emit<'_, '_> {
    fn type_of(&self, value: Value) -> Type {
        self.b.func.values[value]
    }

    fn constant(&mut self, bits: u64) -> Value {
        self.b.constant(self.format.ty, bits)
    }

    fn word(&mut self, bits: u32) -> Value {
        self.b.word(bits)
    }

    /// An operation of the operands' type.
    fn op(&mut self, op: BinaryOp, a: Value, b: Value) -> Value {
        let ty = self.type_of(a);
        self.b.binary(op, ty, a, b)
    }

    /// An operation with a constant.
    fn with(&mut self, op: BinaryOp, a: Value, b: u64) -> Value {
        let ty = self.type_of(a);
        let b = self.b.constant(ty, b);
        self.b.binary(op, ty, a, b)
    }

    fn unary(&mut self, op: UnaryOp, a: Value) -> Value {
        let ty = self.type_of(a);
        self.b.unary(op, ty, a)
    }

    fn select(&mut self, cond: Value, a: Value, b: Value) -> Value {
        let ty = self.type_of(a);
        self.b.select(ty, cond, a, b)
    }

    /// A select with constants, of the format's type.
    fn either(&mut self, cond: Value, a: u64, b: u64) -> Value {
        let (a, b) = (self.constant(a), self.constant(b));
        self.select(cond, a, b)
    }

    /// `a && b` of bits; a may be the later one if it is a comparison.
    fn and(&mut self, a: Value, b: Value) -> Value {
        let no = self.word(0);
        self.select(a, b, no)
    }

    /// `a || b` of bits; a may be the later one if it is a comparison.
    fn or(&mut self, a: Value, b: Value) -> Value {
        let yes = self.word(1);
        self.select(a, yes, b)
    }

    fn not(&mut self, a: Value) -> Value {
        self.unary(UnaryOp::Eqz, a)
    }

    /// `a > b` of unsigned numbers, for constants b below the largest.
    fn above(&mut self, a: Value, b: u64) -> Value {
        self.with(GeU, a, b + 1)
    }

    /// A number of any type as a word.
    fn low(&mut self, a: Value) -> Value {
        match self.type_of(a) {
            I32 => a,
            I64 => self.unary(UnaryOp::Wrap, a),
        }
    }

    /// The highest 32 bits.
    fn high(&mut self, a: Value) -> Value {
        match self.type_of(a) {
            I32 => a,
            I64 => {
                let high = self.with(ShrU, a, 32);
                self.unary(UnaryOp::Wrap, high)
            }
        }
    }

    /// A word as a number of that type.
    fn widen(&mut self, word: Value, ty: Type) -> Value {
        match ty {
            I32 => word,
            I64 => self.unary(UnaryOp::ExtendU, word),
        }
    }

    /// 1 if it has the highest bit of its type.
    fn top(&mut self, a: Value) -> Value {
        let high = self.high(a);
        self.with(GeU, high, 1 << 31)
    }

    fn parts(&mut self, a: Value) -> Parts {
        let format = self.format;
        let high = self.high(a);
        let sign = self.with(ShrU, high, 31);
        let exponent = self.with(ShrU, high, format.fraction as u64 % 32);
        let exponent = self.with(And, exponent, format.max_exponent() as u64);
        let magnitude = self.with(And, a, format.magnitude());
        Parts { magnitude, sign, exponent }
    }

    /// The significand of a normal number, in the highest bits.
    fn significand(&mut self, a: Value) -> Value {
        // A shift of what has been masked is a matter of where bits are.
        let fraction = self.with(And, a, (1 << self.format.fraction) - 1);
        let shifted = self.with(Shl, fraction, self.format.exponent() as u64);
        self.with(Or, shifted, self.format.sign())
    }

    /// A bit pattern with that sign: the bit is added to what has none.
    fn signed(&mut self, sign: Value, magnitude: Value) -> Value {
        let sign = self.widen(sign, self.format.ty);
        let sign = self.with(Shl, sign, self.format.width() as u64 - 1);
        self.op(Add, sign, magnitude)
    }

    fn is_nan(&mut self, magnitude: Value) -> Value {
        self.above(magnitude, self.format.infinity())
    }

    fn return_value(&mut self, value: Value) {
        self.b.terminate(Terminator::Return(smallvec![value]));
    }

    /// Ends the block with a branch to two new ones: where the condition holds, and where not. Goes on
    /// in none of them.
    fn branch(&mut self, cond: Value) -> [Block; 2] {
        let (then, otherwise) = (self.b.func.add_block(), self.b.func.add_block());
        self.b.terminate(Terminator::Branch {
            cond,
            then: BlockCall::to(then),
            otherwise: BlockCall::to(otherwise),
        });
        [then, otherwise]
    }
}

/// The name of an operation, as the text format has it.
pub fn name(op: FloatOp, ty: Type) -> String {
    let float = |ty| if ty == I32 { "f32" } else { "f64" };
    let int = |ty| if ty == I32 { "i32" } else { "i64" };
    let sign = |signed| if signed { "s" } else { "u" };
    match op {
        FloatOp::Promote => "f64.promote_f32".into(),
        FloatOp::Demote => "f32.demote_f64".into(),
        FloatOp::FromInt { signed, to } => format!("{}.convert_{}_{}", float(to), int(ty), sign(signed)),
        FloatOp::ToInt { signed, to } => format!("{}.trunc_sat_{}_{}", int(to), float(ty), sign(signed)),
        _ => format!("{}.{}", float(ty), format!("{op:?}").to_lowercase()),
    }
}

/// The routine for an operation on operands of a type.
pub fn routine(op: FloatOp, ty: Type) -> Function {
    let mut func = Function::routine(Routine::Float(op, ty), vec![op.result(ty)]);
    let args: Vec<Value> = (0..op.operands()).map(|_| func.add_param(func.entry, ty)).collect();
    let block = func.entry;
    let mut builder = Builder { func: &mut func, block, offset: 0 };
    let mut emit = Emit { b: &mut builder, format: Format::of(ty) };
    match op {
        FloatOp::Add => emit.add(args[0], args[1]),
        FloatOp::Mul => emit.mul(args[0], args[1]),
        FloatOp::Div => emit.div(args[0], args[1]),
        FloatOp::Sqrt => emit.sqrt(args[0]),
        FloatOp::Ceil | FloatOp::Floor | FloatOp::Trunc | FloatOp::Nearest => emit.integral(op, args[0]),
        FloatOp::Promote => emit.promote(args[0]),
        FloatOp::Demote => emit.demote(args[0]),
        FloatOp::FromInt { signed, to } => {
            emit.format = Format::of(to);
            emit.convert_int(signed, args[0]);
        }
        FloatOp::ToInt { signed, to } => emit.convert_to_int(signed, to, args[0]),
    }
    func
}
