//! What float instructions become: operations on bits, comparisons in place, calls of routines.

use crate::builder::Builder;
use crate::float::{Emit, Format};
use crate::instructions::{Becomes, SignOp};
use crate::ir::*;

/// Emits an instruction with one operand or two. `result` is the type of its result.
pub fn emit(b: &mut Builder, becomes: Becomes, result: Type, first: Value, second: Value) -> Value {
    let ty = b.func.values[first];
    let format = Format::of(ty);
    match becomes {
        Becomes::Sign(op) => sign(b, format, op, first, second),
        Becomes::Float(op) => {
            let args = [first, second];
            b.value(Op::Float(op), ty, &args[..op.operands()])
        }
        Becomes::FloatDifference => {
            let negated = sign(b, format, SignOp::Neg, second, second);
            b.value(Op::Float(FloatOp::Add), ty, &[first, negated])
        }
        Becomes::FloatCompare(compare) => Emit { b, format }.compare(compare, first, second),
        Becomes::FloatExtremum { greatest } => Emit { b, format }.extremum(greatest, first, second),
        Becomes::Truncation { signed } => {
            let mut emit = Emit { b, format };
            emit.check_to_int(signed, result, first);
            // The operations for a word are few enough to be put in place.
            if result == Type::I32 {
                return emit.integer_part(signed, result, first);
            }
            b.value(Op::Float(FloatOp::ToInt { signed, to: result }), ty, &[first])
        }
        other => unreachable!("{other:?} is no float instruction"),
    }
}

fn sign(b: &mut Builder, format: Format, op: SignOp, first: Value, second: Value) -> Value {
    let mut with = |op, value, bits| {
        let mask = b.constant(format.ty, bits);
        b.binary(op, format.ty, value, mask)
    };
    match op {
        SignOp::Neg => with(BinaryOp::Xor, first, format.sign()),
        SignOp::Abs => with(BinaryOp::And, first, format.magnitude()),
        SignOp::Copysign => {
            let magnitude = with(BinaryOp::And, first, format.magnitude());
            let sign = with(BinaryOp::And, second, format.sign());
            b.binary(BinaryOp::Or, format.ty, magnitude, sign)
        }
    }
}
