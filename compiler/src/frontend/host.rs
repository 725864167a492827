//! Functions of the host: each call of one is replaced by a few operations.

use smallvec::smallvec;
use wasm2onnx_runtime::TrapCode;

use super::cells::cell;
use super::program::{HostCall, Program};
use crate::builder::Builder;
use crate::ir::*;
use crate::options::Role;

/// Returns the type that functions with a role must have, or `None` if functions of any type can have the
/// role.
pub fn expected_type(role: Role) -> Option<&'static str> {
    match role {
        Role::StdoutByte => Some("(i32) -> ()"),
        Role::StdinByte => Some("() -> (i32)"),
        Role::Nop | Role::Constant(_) | Role::Trap => None,
    }
}

/// Emits the operations in place of a call of an import, and returns its results. If the call does not return, returns
/// the trap that the block ends with.
pub fn emit(
    program: &mut Program,
    b: &mut Builder,
    call: HostCall,
    args: &[Value],
    results: &[Type],
) -> Result<Values, TrapCode> {
    let Program { streams, module, .. } = program;
    Ok(match call {
        HostCall::OutputLimit => return Err(TrapCode::OutputLimit),
        HostCall::OutOfBounds => return Err(TrapCode::MemoryOutOfBounds),
        HostCall::Exit | HostCall::Report => {
            let Module { cells, host, .. } = module;
            let (known, name, code) = match call {
                HostCall::Exit => (&mut host.exit_code, "exit_code", TrapCode::Exit),
                _ => (&mut host.error, "error", TrapCode::ReportedError),
            };
            let number = cell(cells, known, name.into(), u32::MAX);
            b.effect(Op::CellSet(number), Type::I32, &[args[0]]);
            return Err(code);
        }
        HostCall::Nop => results.iter().map(|ty| b.constant(*ty, 0)).collect(),
        HostCall::Results(bits) => results.iter().zip(bits).map(|(ty, bits)| b.constant(*ty, bits)).collect(),
        HostCall::StdoutByte => {
            let length = streams.output_length(Output::Stdout, module);
            let position = b.value(Op::CellGet(length), Type::I32, &[]);
            let limit = b.word(streams.output);
            let full = b.word_op(BinaryOp::GeU, position, limit);
            b.trap_if(TrapCode::OutputLimit, full);
            let store = Op::Store { space: Space::Output(Output::Stdout), bytes: 1, offset: 0 };
            b.effect(store, Type::I32, &[position, args[0]]);
            let one = b.word(1);
            let next = b.word_op(BinaryOp::Add, position, one);
            b.effect(Op::CellSet(length), Type::I32, &[next]);
            smallvec![]
        }
        HostCall::StdinByte => {
            let (position_cell, end_cell) = streams.stdin(module);
            // The end is read first, so that a packet begins here: everything printed so far is in the
            // trace when the host is asked for input.
            let end = b.value(Op::CellGet(end_cell), Type::I32, &[]);
            let position = b.value(Op::CellGet(position_cell), Type::I32, &[]);
            let more = b.word_op(BinaryOp::LtU, position, end);
            let load = Op::Load { space: Space::Input, bytes: 1, signed: false, offset: 0 };
            let byte = b.value(load, Type::I32, &[position]);
            let none = b.word(u32::MAX);
            let result = b.select(Type::I32, more, byte, none);
            let next = b.word_op(BinaryOp::Add, position, more);
            b.effect(Op::CellSet(position_cell), Type::I32, &[next]);
            smallvec![result]
        }
    })
}
