//! Float arithmetic by the machine's own, with NaNs made canonical.

use crate::ir::{FloatOp, Type};

/// Evaluates an operation on bit patterns of type `ty`.
pub(crate) fn evaluate(op: FloatOp, ty: Type, args: &[u64]) -> u64 {
    if let FloatOp::FromInt { signed, to } = op {
        let bits = args[0];
        return match (to, ty, signed) {
            (Type::I32, Type::I32, true) => single(bits as i32 as f32),
            (Type::I32, Type::I32, false) => single(bits as u32 as f32),
            (Type::I32, Type::I64, true) => single(bits as i64 as f32),
            (Type::I32, Type::I64, false) => single(bits as f32),
            (Type::I64, Type::I32, true) => double(bits as i32 as f64),
            (Type::I64, Type::I32, false) => double(bits as u32 as f64),
            (Type::I64, Type::I64, true) => double(bits as i64 as f64),
            (Type::I64, Type::I64, false) => double(bits as f64),
        };
    }
    let b = args.get(1).copied().unwrap_or(0);
    match ty {
        Type::I32 => {
            let (a, b) = (f32::from_bits(args[0] as u32), f32::from_bits(b as u32));
            single(match op {
                FloatOp::Add => a + b,
                FloatOp::Mul => a * b,
                FloatOp::Div => a / b,
                FloatOp::Sqrt => a.sqrt(),
                FloatOp::Ceil => a.ceil(),
                FloatOp::Floor => a.floor(),
                FloatOp::Trunc => a.trunc(),
                FloatOp::Nearest => a.round_ties_even(),
                FloatOp::Promote => return double(a.into()),
                FloatOp::ToInt { signed: true, to: Type::I32 } => return a as i32 as u32 as u64,
                FloatOp::ToInt { signed: false, to: Type::I32 } => return a as u32 as u64,
                FloatOp::ToInt { signed: true, to: Type::I64 } => return a as i64 as u64,
                FloatOp::ToInt { signed: false, to: Type::I64 } => return a as u64,
                FloatOp::Demote | FloatOp::FromInt { .. } => unreachable!("of another type"),
            })
        }
        Type::I64 => {
            let (a, b) = (f64::from_bits(args[0]), f64::from_bits(b));
            double(match op {
                FloatOp::Add => a + b,
                FloatOp::Mul => a * b,
                FloatOp::Div => a / b,
                FloatOp::Sqrt => a.sqrt(),
                FloatOp::Ceil => a.ceil(),
                FloatOp::Floor => a.floor(),
                FloatOp::Trunc => a.trunc(),
                FloatOp::Nearest => a.round_ties_even(),
                FloatOp::Demote => return single(a as f32),
                FloatOp::ToInt { signed: true, to: Type::I32 } => return a as i32 as u32 as u64,
                FloatOp::ToInt { signed: false, to: Type::I32 } => return a as u32 as u64,
                FloatOp::ToInt { signed: true, to: Type::I64 } => return a as i64 as u64,
                FloatOp::ToInt { signed: false, to: Type::I64 } => return a as u64,
                FloatOp::Promote | FloatOp::FromInt { .. } => unreachable!("of another type"),
            })
        }
    }
}

fn single(x: f32) -> u64 {
    if x.is_nan() { 0x7fc0_0000 } else { x.to_bits().into() }
}

fn double(x: f64) -> u64 {
    if x.is_nan() { 0x7ff8_0000_0000_0000 } else { x.to_bits() }
}
