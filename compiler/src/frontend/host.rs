//! Imported functions: each call of one is replaced by a few operations.

use smallvec::smallvec;
use wasm2onnx_runtime::TrapCode;

use super::context::Context;
use crate::builder::Builder;
use crate::ir::*;
use crate::options::Role;

/// Returns the type that functions with a role must have, or `None` if functions of any type can have the
/// role.
pub fn expected_type(role: Role) -> Option<&'static str> {
    match role {
        Role::StdoutByte => Some("(i32) -> ()"),
        Role::StdinByte => Some("() -> (i32)"),
        Role::Nop | Role::Trap => None,
    }
}

/// Emits the operations in place of a call of an import, and returns its results. Returns `None` if the
/// import always traps, which is left to the caller.
pub fn emit(
    context: &mut Context,
    b: &mut Builder,
    role: Role,
    args: &[Value],
    results: &[Type],
) -> Option<Values> {
    Some(match role {
        Role::Trap => return None,
        Role::Nop => results.iter().map(|ty| b.constant(*ty, 0)).collect(),
        Role::StdoutByte => {
            let length = context.streams.stdout_length(&mut context.module);
            let position = b.value(Op::CellGet(length), Type::I32, &[]);
            let limit = b.word(context.streams.stdout);
            let full = b.word_op(BinaryOp::GeU, position, limit);
            b.trap_if(TrapCode::OutputLimit, full);
            let store = Op::Store { space: Space::Stdout, bytes: 1, offset: 0 };
            b.effect(store, Type::I32, &[position, args[0]]);
            let one = b.word(1);
            let next = b.word_op(BinaryOp::Add, position, one);
            b.effect(Op::CellSet(length), Type::I32, &[next]);
            smallvec![]
        }
        Role::StdinByte => {
            let (position_cell, length_cell) = context.streams.stdin(&mut context.module);
            // The length is read first, so that a packet begins here: everything printed so far is in the
            // trace when the host is asked for input.
            let length = b.value(Op::CellGet(length_cell), Type::I32, &[]);
            let position = b.value(Op::CellGet(position_cell), Type::I32, &[]);
            let more = b.word_op(BinaryOp::LtU, position, length);
            let load = Op::Load { space: Space::Stdin, bytes: 1, signed: false, offset: 0 };
            let byte = b.value(load, Type::I32, &[position]);
            let end = b.word(u32::MAX);
            let result = b.select(Type::I32, more, byte, end);
            let next = b.word_op(BinaryOp::Add, position, more);
            b.effect(Op::CellSet(position_cell), Type::I32, &[next]);
            smallvec![result]
        }
    })
}
