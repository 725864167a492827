//! Values at the boundary of a program.

use std::fmt;
use std::num::NonZeroU32;

use crate::network::ValueType;

/// An argument, a result or the content of a global. Floats are bit patterns, so that NaNs pass
/// unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Value {
    /// A 32-bit integer.
    I32(i32),
    /// A 64-bit integer.
    I64(i64),
    /// The bits of a 32-bit float.
    F32(u32),
    /// The bits of a 64-bit float.
    F64(u64),
    /// A reference to a function of the instance, or null. The number means nothing to any other network.
    FuncRef(Option<NonZeroU32>),
    /// A reference to something that belongs to the host, or null. The host chooses what the number means.
    ExternRef(Option<NonZeroU32>),
}

impl Value {
    /// Returns the type of the value.
    pub fn ty(self) -> ValueType {
        match self {
            Value::I32(_) => ValueType::I32,
            Value::I64(_) => ValueType::I64,
            Value::F32(_) => ValueType::F32,
            Value::F64(_) => ValueType::F64,
            Value::FuncRef(_) => ValueType::FuncRef,
            Value::ExternRef(_) => ValueType::ExternRef,
        }
    }

    /// Returns the words of the value, low word first; those beyond [`ValueType::words`] are 0.
    pub fn words(self) -> [u32; 2] {
        let split = |bits: u64| [bits as u32, (bits >> 32) as u32];
        match self {
            Value::I32(x) => [x as u32, 0],
            Value::I64(x) => split(x as u64),
            Value::F32(x) => [x, 0],
            Value::F64(x) => split(x),
            Value::FuncRef(x) | Value::ExternRef(x) => [x.map_or(0, NonZeroU32::get), 0],
        }
    }

    /// Makes a value of its words, low word first.
    pub fn from_words(ty: ValueType, [low, high]: [u32; 2]) -> Self {
        let bits = u64::from(high) << 32 | u64::from(low);
        match ty {
            ValueType::I32 => Value::I32(low as i32),
            ValueType::I64 => Value::I64(bits as i64),
            ValueType::F32 => Value::F32(low),
            ValueType::F64 => Value::F64(bits),
            ValueType::FuncRef => Value::FuncRef(NonZeroU32::new(low)),
            ValueType::ExternRef => Value::ExternRef(NonZeroU32::new(low)),
        }
    }
}

impl fmt::Display for Value {
    /// Writes integers as signed decimals, floats as Rust's `{}` does, references as `null` or with their
    /// number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Value::I32(x) => x.fmt(f),
            Value::I64(x) => x.fmt(f),
            Value::F32(x) => f32::from_bits(x).fmt(f),
            Value::F64(x) => f64::from_bits(x).fmt(f),
            Value::FuncRef(None) | Value::ExternRef(None) => f.write_str("null"),
            Value::FuncRef(Some(x)) => write!(f, "funcref {x}"),
            Value::ExternRef(Some(x)) => write!(f, "externref {x}"),
        }
    }
}

macro_rules! from {
    ($($type:ty => $variant:ident $convert:expr;)*) => {$(
        impl From<$type> for Value {
            fn from(x: $type) -> Self {
                Value::$variant($convert(x))
            }
        }
    )*};
}

from! {
    i32 => I32 |x| x;
    u32 => I32 |x| x as i32;
    i64 => I64 |x| x;
    u64 => I64 |x| x as i64;
    f32 => F32 f32::to_bits;
    f64 => F64 f64::to_bits;
}
