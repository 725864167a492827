//! Float arithmetic on bit patterns: IEEE 754, rounded to nearest even; an arithmetic result that is a NaN is
//! the canonical one.
//!
//! Everything is written once, over a [`Format`]: an f32 in one word, an f64 in an I64, which
//! `legalize` makes two words of like any other. What is short is emitted in place ([`compare`]); the rest is a
//! [`routine`], linked where it is used.
//!
//! A step of the network costs about the same whether it does one operation or thirty, so the routines are
//! written for depth: both sides of a choice are computed and one is selected, and what is rare (NaNs,
//! infinities, subnormals where they are hard) has a path of its own behind one branch. A path that ends like
//! another has a copy of that end: a jump to a shared one would be a token.
//!
//! A number on its way to being a result has this form: sign (a bit), biased exponent (a word, signed, not
//! limited yet), significand with its leading 1 in the highest bit of the type, with as many bits below those
//! of the format as the exponent is wide, and a bit that says whether something lies below all of them.

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
    /// Number of bits of the fraction.
    pub fraction: u32,
}

impl Format {
    /// The format of f32.
    pub const F32: Format = Format { ty: I32, fraction: 23 };
    /// The format of f64.
    pub const F64: Format = Format { ty: I64, fraction: 52 };

    /// Returns the format whose bit patterns have that type.
    pub fn of(ty: Type) -> Self {
        match ty {
            I32 => Format::F32,
            I64 => Format::F64,
        }
    }

    /// Returns the number of bits of a bit pattern.
    pub fn width(self) -> u32 {
        width(self.ty)
    }

    /// Returns the number of bits of the exponent. A significand in the highest bits leaves as many bits
    /// below its own.
    fn exponent(self) -> u32 {
        self.width() - 1 - self.fraction
    }

    /// Returns the exponent of infinities and NaNs.
    fn max_exponent(self) -> u32 {
        (1 << self.exponent()) - 1
    }

    /// Returns the biased exponent of 1.
    pub fn bias(self) -> u32 {
        self.max_exponent() / 2
    }

    /// Returns the bit pattern of −0.
    pub fn sign(self) -> u64 {
        1 << (self.width() - 1)
    }

    /// Returns a mask of all bits but the sign.
    pub fn magnitude(self) -> u64 {
        self.sign() - 1
    }

    /// Returns the bit pattern of ∞.
    pub fn infinity(self) -> u64 {
        (self.max_exponent() as u64) << self.fraction
    }

    /// Returns the bit pattern of the canonical NaN.
    pub fn nan(self) -> u64 {
        self.infinity() | 1 << (self.fraction - 1)
    }

    /// Returns the bit pattern of 2^n, which has to be a normal number.
    pub fn power(self, n: u32) -> u64 {
        ((self.bias() + n) as u64) << self.fraction
    }
}

/// Returns the number of bits of a type.
fn width(ty: Type) -> u32 {
    match ty {
        I32 => 32,
        I64 => 64,
    }
}

/// Emits operations of one format.
pub struct Emit<'a, 'b> {
    /// Where to emit them.
    pub b: &'b mut Builder<'a>,
    /// The format.
    pub format: Format,
}

/// A float taken apart.
#[derive(Clone, Copy)]
struct Parts {
    /// All bits but the sign.
    magnitude: Value,
    /// Its sign, a bit.
    sign: Value,
    /// Its biased exponent, a word.
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

    /// Emits an operation of the operands' type.
    fn op(&mut self, op: BinaryOp, a: Value, b: Value) -> Value {
        let ty = self.type_of(a);
        self.b.binary(op, ty, a, b)
    }

    /// Emits an operation with a constant.
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

    /// Emits a select between constants of the format's type.
    fn either(&mut self, cond: Value, a: u64, b: u64) -> Value {
        let (a, b) = (self.constant(a), self.constant(b));
        self.select(cond, a, b)
    }

    /// Emits `a && b` of bits; `a` may be the one that is made later if it is a comparison.
    fn and(&mut self, a: Value, b: Value) -> Value {
        let no = self.word(0);
        self.select(a, b, no)
    }

    /// Emits `a || b` of bits; `a` may be the one that is made later if it is a comparison.
    fn or(&mut self, a: Value, b: Value) -> Value {
        let yes = self.word(1);
        self.select(a, yes, b)
    }

    fn not(&mut self, a: Value) -> Value {
        self.unary(UnaryOp::Eqz, a)
    }

    /// Emits `a > b` of unsigned numbers, for a constant b below the largest number.
    fn above(&mut self, a: Value, b: u64) -> Value {
        self.with(GeU, a, b + 1)
    }

    /// Emits a number of any type as a word.
    fn low(&mut self, a: Value) -> Value {
        match self.type_of(a) {
            I32 => a,
            I64 => self.unary(UnaryOp::Wrap, a),
        }
    }

    /// Emits the highest 32 bits of a number.
    fn high(&mut self, a: Value) -> Value {
        match self.type_of(a) {
            I32 => a,
            I64 => {
                let high = self.with(ShrU, a, 32);
                self.unary(UnaryOp::Wrap, high)
            }
        }
    }

    /// Emits a word as a number of that type.
    fn widen(&mut self, word: Value, ty: Type) -> Value {
        match ty {
            I32 => word,
            I64 => self.unary(UnaryOp::ExtendU, word),
        }
    }

    /// Emits 1 if the number has the highest bit of its type, else 0.
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

    /// Emits the significand of a normal number, in the highest bits.
    fn significand(&mut self, a: Value) -> Value {
        // A shift of what has been masked only changes where its bits are.
        let fraction = self.with(And, a, (1 << self.format.fraction) - 1);
        let shifted = self.with(Shl, fraction, self.format.exponent() as u64);
        self.with(Or, shifted, self.format.sign())
    }

    /// Emits a bit pattern with that sign: the sign bit is added to a pattern without one.
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

    /// Ends the block with a branch to two new ones, which it returns: that where the condition holds, and
    /// that where it does not. The builder goes on in neither of them.
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

/// Returns the name of an operation, as the text format has it.
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

/// Returns the routine for an operation on operands of a type.
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
