//! The wasm instructions that are one operation, or one access to memory, of the IR.

use wasmparser::{MemArg, Operator};

use crate::ir::{BinaryOp, Type, UnaryOp};
use Type::{I32, I64};

/// An instruction that is one operation.
#[derive(Clone, Copy)]
pub enum Numeric {
    /// A constant.
    Const(Type, u64),
    /// On one operand, of that type.
    Unary(UnaryOp, Type),
    /// On two operands, of that type.
    Binary(BinaryOp, Type),
    /// On two operands, exchanged: a > b is b < a.
    Swapped(BinaryOp, Type),
    /// Division, with the traps that WebAssembly has.
    Division(BinaryOp, Type),
    /// The bits stay.
    Reinterpret,
    /// An operation on the bits of a float.
    Float(FloatOp, Type),
}

/// Operations on floats that are operations on their bits.
#[derive(Clone, Copy)]
pub enum FloatOp {
    /// Flips the sign.
    Neg,
    /// Clears the sign.
    Abs,
    /// Takes the sign of the second operand.
    Copysign,
}

/// The operation that an instruction is, if it is just one.
pub fn numeric(op: &Operator) -> Option<Numeric> {
    use BinaryOp::*;
    use Numeric::*;
    use UnaryOp::*;
    use wasmparser::Operator as W;
    Some(match op {
        W::I32Const { value } => Const(I32, *value as u32 as u64),
        W::I64Const { value } => Const(I64, *value as u64),
        W::F32Const { value } => Const(I32, value.bits() as u64),
        W::F64Const { value } => Const(I64, value.bits()),

        W::I32Eqz => Unary(Eqz, I32),
        W::I32Eq => Binary(Eq, I32),
        W::I32Ne => Binary(Ne, I32),
        W::I32LtS => Binary(LtS, I32),
        W::I32LtU => Binary(LtU, I32),
        W::I32GtS => Swapped(LtS, I32),
        W::I32GtU => Swapped(LtU, I32),
        W::I32LeS => Swapped(GeS, I32),
        W::I32LeU => Swapped(GeU, I32),
        W::I32GeS => Binary(GeS, I32),
        W::I32GeU => Binary(GeU, I32),
        W::I64Eqz => Unary(Eqz, I64),
        W::I64Eq => Binary(Eq, I64),
        W::I64Ne => Binary(Ne, I64),
        W::I64LtS => Binary(LtS, I64),
        W::I64LtU => Binary(LtU, I64),
        W::I64GtS => Swapped(LtS, I64),
        W::I64GtU => Swapped(LtU, I64),
        W::I64LeS => Swapped(GeS, I64),
        W::I64LeU => Swapped(GeU, I64),
        W::I64GeS => Binary(GeS, I64),
        W::I64GeU => Binary(GeU, I64),

        W::I32Clz => Unary(Clz, I32),
        W::I32Ctz => Unary(Ctz, I32),
        W::I32Popcnt => Unary(Popcnt, I32),
        W::I32Add => Binary(Add, I32),
        W::I32Sub => Binary(Sub, I32),
        W::I32Mul => Binary(Mul, I32),
        W::I32DivS => Division(DivS, I32),
        W::I32DivU => Division(DivU, I32),
        W::I32RemS => Division(RemS, I32),
        W::I32RemU => Division(RemU, I32),
        W::I32And => Binary(And, I32),
        W::I32Or => Binary(Or, I32),
        W::I32Xor => Binary(Xor, I32),
        W::I32Shl => Binary(Shl, I32),
        W::I32ShrS => Binary(ShrS, I32),
        W::I32ShrU => Binary(ShrU, I32),
        W::I32Rotl => Binary(Rotl, I32),
        W::I32Rotr => Binary(Rotr, I32),
        W::I64Clz => Unary(Clz, I64),
        W::I64Ctz => Unary(Ctz, I64),
        W::I64Popcnt => Unary(Popcnt, I64),
        W::I64Add => Binary(Add, I64),
        W::I64Sub => Binary(Sub, I64),
        W::I64Mul => Binary(Mul, I64),
        W::I64DivS => Division(DivS, I64),
        W::I64DivU => Division(DivU, I64),
        W::I64RemS => Division(RemS, I64),
        W::I64RemU => Division(RemU, I64),
        W::I64And => Binary(And, I64),
        W::I64Or => Binary(Or, I64),
        W::I64Xor => Binary(Xor, I64),
        W::I64Shl => Binary(Shl, I64),
        W::I64ShrS => Binary(ShrS, I64),
        W::I64ShrU => Binary(ShrU, I64),
        W::I64Rotl => Binary(Rotl, I64),
        W::I64Rotr => Binary(Rotr, I64),

        W::I32WrapI64 => Unary(Wrap, I64),
        W::I64ExtendI32U => Unary(ExtendU, I32),
        W::I64ExtendI32S => Unary(ExtendS, I32),
        W::I32Extend8S => Unary(Extend8S, I32),
        W::I32Extend16S => Unary(Extend16S, I32),
        W::I64Extend8S => Unary(Extend8S, I64),
        W::I64Extend16S => Unary(Extend16S, I64),
        W::I64Extend32S => Unary(Extend32S, I64),

        W::I32ReinterpretF32 | W::I64ReinterpretF64 | W::F32ReinterpretI32 | W::F64ReinterpretI64 => {
            Reinterpret
        }
        W::F32Neg => Float(FloatOp::Neg, I32),
        W::F64Neg => Float(FloatOp::Neg, I64),
        W::F32Abs => Float(FloatOp::Abs, I32),
        W::F64Abs => Float(FloatOp::Abs, I64),
        W::F32Copysign => Float(FloatOp::Copysign, I32),
        W::F64Copysign => Float(FloatOp::Copysign, I64),
        _ => return None,
    })
}

/// An access to linear memory.
#[derive(Clone, Copy)]
pub struct Access {
    /// Whether it writes.
    pub store: bool,
    /// Number of bytes.
    pub bytes: u8,
    /// Whether a load extends the sign.
    pub signed: bool,
    /// Type of the value.
    pub ty: Type,
    /// Static offset and alignment.
    pub memarg: MemArg,
}

/// The access to memory that an instruction is.
pub fn access(op: &Operator) -> Option<Access> {
    use wasmparser::Operator as W;
    let load =
        |bytes, signed, ty, memarg: &MemArg| Access { store: false, bytes, signed, ty, memarg: *memarg };
    let store =
        |bytes, ty, memarg: &MemArg| Access { store: true, bytes, signed: false, ty, memarg: *memarg };
    Some(match op {
        W::I32Load { memarg } | W::F32Load { memarg } => load(4, false, I32, memarg),
        W::I64Load { memarg } | W::F64Load { memarg } => load(8, false, I64, memarg),
        W::I32Load8S { memarg } => load(1, true, I32, memarg),
        W::I32Load8U { memarg } => load(1, false, I32, memarg),
        W::I32Load16S { memarg } => load(2, true, I32, memarg),
        W::I32Load16U { memarg } => load(2, false, I32, memarg),
        W::I64Load8S { memarg } => load(1, true, I64, memarg),
        W::I64Load8U { memarg } => load(1, false, I64, memarg),
        W::I64Load16S { memarg } => load(2, true, I64, memarg),
        W::I64Load16U { memarg } => load(2, false, I64, memarg),
        W::I64Load32S { memarg } => load(4, true, I64, memarg),
        W::I64Load32U { memarg } => load(4, false, I64, memarg),
        W::I32Store { memarg } | W::F32Store { memarg } => store(4, I32, memarg),
        W::I64Store { memarg } | W::F64Store { memarg } => store(8, I64, memarg),
        W::I32Store8 { memarg } => store(1, I32, memarg),
        W::I32Store16 { memarg } => store(2, I32, memarg),
        W::I64Store8 { memarg } => store(1, I64, memarg),
        W::I64Store16 { memarg } => store(2, I64, memarg),
        W::I64Store32 { memarg } => store(4, I64, memarg),
        _ => return None,
    })
}
