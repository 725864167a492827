//! The function that tells whether bytes in the program's memory are text in UTF-8: `(address, length) -> 1 or 0`.

use wasm_encoder::{BlockType, Function, MemArg, MemArgTarget, ValType};

/// Returns its parameters and results.
pub(super) fn signature() -> ([ValType; 2], [ValType; 1]) {
    ([ValType::I32; 2], [ValType::I32])
}

/// Returns its body.
pub(super) fn function() -> Function {
    let mut function = Function::new([(4, ValType::I32)]);
    // What is at an address, which comes to be that of the next character; the end; the character's first byte, its second, and the
    // smallest and the largest number that the second can be.
    let [at, end, first, second, low, high] = [0, 1, 2, 3, 4, 5];
    let byte = |offset| MemArg { offset, align: 0, target: MemArgTarget::Memory(0), ordering: None };
    let mut code = function.instructions();
    let refuse = |code: &mut wasm_encoder::InstructionSink| {
        code.if_(BlockType::Empty).i32_const(0).return_().end();
    };
    code.local_get(at).local_get(end).i32_add().local_set(end);
    code.loop_(BlockType::Empty);
    code.block(BlockType::Empty);
    // Eight bytes below 128 are eight characters.
    code.local_get(end).local_get(at).i32_sub().i32_const(8).i32_lt_u().br_if(0);
    code.local_get(at).i64_load(byte(0)).i64_const(0x8080_8080_8080_8080_u64 as i64).i64_and().i64_eqz();
    code.i32_eqz().br_if(0);
    code.local_get(at).i32_const(8).i32_add().local_set(at).br(1).end();
    code.local_get(at).local_get(end).i32_ge_u();
    code.if_(BlockType::Empty).i32_const(1).return_().end();
    code.local_get(at).i32_load8_u(byte(0)).local_tee(first).i32_const(0x80).i32_lt_u();
    code.if_(BlockType::Empty).local_get(at).i32_const(1).i32_add().local_set(at).br(1).end();
    // No character has a longer form than it needs, none is a surrogate, and none is larger than 0x10ffff.
    code.local_get(first).i32_const(0xc2).i32_sub().i32_const(0xf4 - 0xc2).i32_gt_u();
    refuse(&mut code);
    code.i32_const(0x80).local_set(low).i32_const(0xbf).local_set(high);
    for (number, bound, value) in
        [(0xe0, low, 0xa0), (0xed, high, 0x9f), (0xf0, low, 0x90), (0xf4, high, 0x8f)]
    {
        code.local_get(first).i32_const(number).i32_eq();
        code.if_(BlockType::Empty).i32_const(value).local_set(bound).end();
    }
    // It has one more byte than that, from 0xe0 on two more, from 0xf0 on three more.
    for (i, from) in [(1, 0xc2), (2, 0xe0), (3, 0xf0)] {
        code.local_get(first).i32_const(from).i32_ge_u().if_(BlockType::Empty);
        code.local_get(end).local_get(at).i32_sub().i32_const(i + 1).i32_lt_u();
        refuse(&mut code);
        code.local_get(at).i32_load8_u(byte(i as u64)).local_tee(second);
        if i == 1 {
            code.local_get(low).i32_lt_u().local_get(second).local_get(high).i32_gt_u().i32_or();
        } else {
            code.i32_const(0xc0).i32_and().i32_const(0x80).i32_ne();
        }
        refuse(&mut code);
        code.end();
    }
    code.local_get(at).i32_const(2).i32_add();
    code.local_get(first).i32_const(0xe0).i32_ge_u().i32_add();
    code.local_get(first).i32_const(0xf0).i32_ge_u().i32_add().local_set(at);
    code.br(0).end().unreachable().end();
    function
}
