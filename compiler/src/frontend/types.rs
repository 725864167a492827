//! WebAssembly's types in the IR and at the boundary.

use smallvec::SmallVec;
use wasm2onnx_runtime::ValueType;
use wasmparser::{RefType, ValType};

use crate::ir::Type;

/// Types of the parameters or results of a function or block.
pub type TypeList = SmallVec<[Type; 4]>;

/// A function type in the IR's types.
pub struct Types {
    pub params: TypeList,
    pub results: TypeList,
}

/// Returns the IR's type for a type of values.
///
/// # Errors
///
/// The name of a type that is not supported.
pub fn value_type(ty: ValType) -> Result<Type, String> {
    match ty {
        ValType::I32 | ValType::F32 => Ok(Type::I32),
        ValType::I64 | ValType::F64 => Ok(Type::I64),
        ValType::Ref(RefType::FUNCREF | RefType::EXTERNREF) => Ok(Type::I32),
        ValType::V128 | ValType::Ref(_) => Err(format!("type {ty}")),
    }
}

/// Returns the IR's type of a value at the boundary.
pub fn word_type(ty: ValueType) -> Type {
    match ty {
        ValueType::I32 | ValueType::F32 | ValueType::FuncRef | ValueType::ExternRef => Type::I32,
        ValueType::I64 | ValueType::F64 => Type::I64,
    }
}

/// Returns the type at the boundary of values of a type, or `None` if they cannot cross the boundary.
pub fn boundary_type(ty: ValType) -> Option<ValueType> {
    Some(match ty {
        ValType::I32 => ValueType::I32,
        ValType::I64 => ValueType::I64,
        ValType::F32 => ValueType::F32,
        ValType::F64 => ValueType::F64,
        ValType::Ref(RefType::FUNCREF) => ValueType::FuncRef,
        ValType::Ref(RefType::EXTERNREF) => ValueType::ExternRef,
        ValType::V128 | ValType::Ref(_) => return None,
    })
}
