//! Random functions of words, with the constants and shapes that rules look for, before and after.

use cranelift_entity::PrimaryMap;
use smallvec::smallvec;
use wasm2onnx_runtime::ValueType;

use crate::builder::Builder;
use crate::evaluate::Machine;
use crate::ir::*;
use crate::verify::{Stage, verify};
use fastrand::Rng;

/// Draws a word that is likely to be one that rules look for.
fn word(random: &mut Rng) -> u32 {
    let next = random.u64(..);
    match next % 8 {
        0 => next as u32 >> 28,
        1 => (next as u32 >> 28).wrapping_neg(),
        2 => 1 << (next >> 8 & 31),
        3 => (1u32 << (next >> 8 & 31)).wrapping_sub(1),
        4 => u32::MAX << (next >> 8 & 31),
        5 => (next >> 8) as u32 & 0xff,
        6 => i32::MAX as u32,
        _ => (next >> 32) as u32,
    }
}

fn module_of(func: Function, params: usize) -> Module {
    let signature =
        Signature { params: vec![ValueType::I32; params], results: vec![ValueType::I32; func.results.len()] };
    let mut functions = PrimaryMap::new();
    let id = functions.push(func);
    let mut function_types = PrimaryMap::new();
    function_types.push(0);
    Module {
        functions,
        function_types,
        cells: PrimaryMap::new(),
        // The compiler's own.
        tables: PrimaryMap::from_iter([TableData { size: 1, size_cell: None, entries: Vec::new() }]),
        references: Vec::new(),
        passive_data: Vec::new(),
        passive_elements: Vec::new(),
        memories: PrimaryMap::from_iter([MemoryData { size: MemorySize::Constant(1), data: Vec::new() }]),
        creation_trap: None,
        start: None,
        exports: vec![("f".into(), id, signature)],
        boundaries: Default::default(),
        exported_globals: Vec::new(),
        exported_memories: vec![("memory".into(), MemoryId::from_u32(0))],
        host: Host::default(),
        growth_limit: None,
        function_names: Vec::new(),
        function_offsets: Vec::new(),
        modules: Vec::new(),
        lines: Default::default(),
    }
}

/// Appends operations on what came before, most often on the latest values.
fn operations(b: &mut Builder, random: &mut Rng, values: &mut Vec<Value>, count: usize) {
    use BinaryOp::*;
    use UnaryOp::*;
    const UNARY: [UnaryOp; 6] = [Eqz, Clz, Ctz, Popcnt, Extend8S, Extend16S];
    const BINARY: [BinaryOp; 20] = [
        Add, Sub, Mul, MulHi, Carry, And, Or, Xor, Shl, ShrU, ShrS, Rotl, Eq, Ne, LtU, LtS, GeU, GeS, Add,
        Sub,
    ];
    for _ in 0..count {
        let mut operand = |b: &mut Builder, constants: usize| {
            if random.usize(..10) < constants {
                let word = word(random);
                return (b.word(word), random.u64(..));
            }
            let back = random.usize(..4).min(random.usize(..values.len()));
            (values[values.len() - 1 - back], random.u64(..))
        };
        let (first, choice) = operand(b, 1);
        let (second, other) = operand(b, 5);
        let value = match choice % 10 {
            0 | 1 => b.unary(UNARY[other as usize % UNARY.len()], Type::I32, first),
            2 => {
                let (third, _) = operand(b, 2);
                b.select(Type::I32, first, second, third)
            }
            3 => {
                let divisor = b.word((other as u32 & 0xffff).max(1) >> (other >> 60));
                let divisor = if other & 1 == 0 { divisor } else { b.word(1 << (other >> 40 & 31)) };
                let Op::Const(bits) = b.func.blocks[b.block].insts.last().expect("just made").op else {
                    panic!()
                };
                let divisor = if bits == 0 { b.word(3) } else { divisor };
                b.word_op(if other & 2 == 0 { DivU } else { RemU }, first, divisor)
            }
            4 => {
                // The idiom of `legalize` for the bits that a shift moves out.
                let shifted = b.word_op(if other & 1 == 0 { Shl } else { ShrU }, first, second);
                let zero = b.word(0);
                let back = if other & 1 == 0 { second } else { b.word_op(Sub, zero, second) };
                let rotated = b.word_op(Rotl, first, back);
                b.word_op(Sub, rotated, shifted)
            }
            5 => b.value(
                Op::Load {
                    space: Space::Memory(MemoryId::from_u32(0)),
                    bytes: 1 << (other % 3),
                    signed: other & 8 == 0 && other % 3 < 2,
                    offset: other & 7,
                },
                Type::I32,
                &[first],
            ),
            _ => b.word_op(BINARY[other as usize % BINARY.len()], first, second),
        };
        values.push(value);
    }
}

/// Returns a function with branches, joins with parameters, loops that end, and checks.
fn function(seed: u64) -> Function {
    let random = &mut Rng::with_seed(seed);
    let mut func = Function::new("f".into(), Origin::Module(0), vec![Type::I32; 3]);
    let entry = func.entry;
    let mut values: Vec<Value> = (0..3).map(|_| func.add_param(entry, Type::I32)).collect();
    let mut b = Builder { func: &mut func, block: entry, offset: 1 };
    for _ in 0..random.usize(..5) {
        let count = random.usize(..12) + 1;
        operations(&mut b, random, &mut values, count);
        let last = *values.last().expect("parameters at least");
        match random.usize(..6) {
            0 => b.effect(
                Op::Bounds { memory: MemoryId::from_u32(0), offset: random.u64(..) & 0xff, bytes: 4 },
                Type::I32,
                &[last],
            ),
            1 => b.trap_if(wasm2onnx_runtime::TrapCode::Unreachable, last),
            2 => {
                // A loop of at most three rounds.
                let (header, body, exit) = (b.func.add_block(), b.func.add_block(), b.func.add_block());
                let count = b.word(3);
                b.terminate(Terminator::Jump(BlockCall { block: header, args: smallvec![count, last] }));
                let counter = b.func.add_param(header, Type::I32);
                let carried = b.func.add_param(header, Type::I32);
                b.block = header;
                b.terminate(Terminator::Branch {
                    cond: counter,
                    then: BlockCall::to(body),
                    otherwise: BlockCall::to(exit),
                });
                b.block = body;
                let mut inner = values.clone();
                inner.push(carried);
                operations(&mut b, random, &mut inner, 4);
                let minus_one = b.word(u32::MAX);
                let next = b.word_op(BinaryOp::Add, counter, minus_one);
                let args = smallvec![next, *inner.last().expect("some")];
                b.terminate(Terminator::Jump(BlockCall { block: header, args }));
                b.block = exit;
                values.push(carried);
            }
            _ => {
                let (then, otherwise, join) = (b.func.add_block(), b.func.add_block(), b.func.add_block());
                let params = [b.func.add_param(join, Type::I32), b.func.add_param(join, Type::I32)];
                let cond = values[values.len() - 1 - random.usize(..3)];
                b.terminate(Terminator::Branch {
                    cond,
                    then: BlockCall::to(then),
                    otherwise: BlockCall::to(otherwise),
                });
                for arm in [then, otherwise] {
                    b.block = arm;
                    let mut inner = values.clone();
                    let count = random.usize(..5);
                    operations(&mut b, random, &mut inner, count);
                    if random.usize(..3) == 0 {
                        let word = random.usize(..2) as u32;
                        inner.push(b.word(word));
                    }
                    let args = smallvec![inner[inner.len() - 1], inner[inner.len() - 2]];
                    b.terminate(Terminator::Jump(BlockCall { block: join, args }));
                }
                b.block = join;
                values.extend(params);
            }
        }
    }
    let results = values[values.len() - 3..].iter().copied().collect();
    b.terminate(Terminator::Return(results));
    func
}

#[test]
fn random_functions() {
    for seed in 0..3000 {
        let before = module_of(function(seed), 3);
        verify(&before, Stage::Words).unwrap();
        let mut after = before.clone();
        super::run(&mut after);
        verify(&after, Stage::Final).unwrap_or_else(|message| panic!("seed {seed}: {message}"));
        let random = &mut Rng::with_seed(seed ^ 0x5555);
        for _ in 0..12 {
            let args: Vec<u64> = (0..3).map(|_| word(random) as u64).collect();
            let run = |module| {
                let mut machine = Machine::new(module).unwrap();
                for (i, byte) in machine.memories[MemoryId::from_u32(0)][..1024].iter_mut().enumerate() {
                    *byte = (i as u8).wrapping_mul(37) ^ (i >> 8) as u8;
                }
                machine.call("f", &args)
            };
            let (expected, found) = (run(&before), run(&after));
            assert_eq!(expected, found, "seed {seed}, arguments {args:x?}\n{before}\n{after}");
        }
    }
}

/// Every operation on the result of every other, with constants that rules ask for.
#[test]
fn pairs_of_operations() {
    use BinaryOp::*;
    use UnaryOp::*;
    const CONSTANTS: [u32; 12] = [0, 1, 2, 7, 16, 24, 31, 33, 0xff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];
    const UNARY: [UnaryOp; 6] = [Eqz, Clz, Ctz, Popcnt, Extend8S, Extend16S];
    const BINARY: [BinaryOp; 20] = [
        Add, Sub, Mul, MulHi, Carry, And, Or, Xor, Shl, ShrU, ShrS, Rotl, Eq, Ne, LtU, LtS, GeU, GeS, DivU,
        RemU,
    ];
    let apply =
        |b: &mut Builder, op: usize, x: Value, y: Value, constant: bool| match op.checked_sub(UNARY.len()) {
            None => Some(b.unary(UNARY[op], Type::I32, x)),
            Some(op) if op < BINARY.len() => {
                let divides = matches!(BINARY[op], DivU | RemU);
                (!divides || constant).then(|| b.word_op(BINARY[op], x, y))
            }
            Some(_) => Some(b.select(Type::I32, x, y, x)),
        };
    let operations = UNARY.len() + BINARY.len() + 1;
    for first in 0..operations {
        for second in 0..operations {
            let mut func = Function::new("f".into(), Origin::Module(0), Vec::new());
            let entry = func.entry;
            let (x, y) = (func.add_param(entry, Type::I32), func.add_param(entry, Type::I32));
            let mut b = Builder { func: &mut func, block: entry, offset: 1 };
            let constants: Vec<Value> = CONSTANTS.iter().map(|c| b.word(*c)).collect();
            let bases = [
                x,
                b.word_op(And, x, constants[8]),
                b.unary(Eqz, Type::I32, x),
                b.word_op(ShrU, x, constants[3]),
                b.word_op(Shl, x, constants[4]),
            ];
            let mut results = Values::new();
            for base in bases {
                for c in 0..CONSTANTS.len() {
                    let constant = CONSTANTS[c] != 0;
                    let Some(inner) = apply(&mut b, first, base, constants[c], constant) else { continue };
                    for d in 0..CONSTANTS.len() {
                        results.extend(apply(&mut b, second, inner, constants[d], CONSTANTS[d] != 0));
                        results.extend(apply(&mut b, second, constants[d], inner, false));
                    }
                    results.extend(apply(&mut b, second, inner, x, false));
                    results.extend(apply(&mut b, second, x, inner, false));
                    if let Some(other) = apply(&mut b, first, y, constants[c], constant) {
                        results.extend(apply(&mut b, second, inner, other, false));
                    }
                }
                let Some(inner) = apply(&mut b, first, base, y, false) else { continue };
                for d in 0..CONSTANTS.len() {
                    results.extend(apply(&mut b, second, inner, constants[d], CONSTANTS[d] != 0));
                    results.extend(apply(&mut b, second, constants[d], inner, false));
                }
                results.extend(apply(&mut b, second, inner, y, false));
                results.extend(apply(&mut b, second, inner, x, false));
                results.extend(apply(&mut b, second, y, inner, false));
            }
            b.terminate(Terminator::Return(results.clone()));
            func.results = vec![Type::I32; results.len()];
            let before = module_of(func, 2);
            let mut after = before.clone();
            super::run(&mut after);
            verify(&after, Stage::Final).unwrap();
            let random = &mut Rng::with_seed((first * 100 + second) as u64);
            for _ in 0..16 {
                let args = [word(random) as u64, word(random) as u64];
                let run = |module| Machine::new(module).unwrap().call("f", &args).unwrap();
                let (expected, found) = (run(&before), run(&after));
                for (i, (expected, found)) in expected.iter().zip(&found).enumerate() {
                    assert_eq!(expected, found, "result {i} = {}, arguments {args:x?}\n{before}", results[i]);
                }
            }
        }
    }
}
