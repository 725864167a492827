//! Sums, shifts and rotations by constants, and what is done with their bits: the constants of a chain of
//! operations meet in the weights of one map, where they must not round.

use std::fmt::Write;

use wasm2onnx_runtime::{Value, ValueType};
use wasm2onnx_tests::ours::Way;
use wasm2onnx_tests::values::random_value;

use super::{Test, core_edges, value};

/// Operands of a shift, `#` for the type and `@` for a constant near a power of two. Some results are far
/// smaller than the numbers that they are computed from: `x | 2^k` where x is small, minus 2^k.
const BEFORE: [&str; 12] = [
    "(#.sub (local.get $0) (local.get $1))",
    "(#.add (local.get $0) (local.get $1))",
    "(#.add (#.sub (local.get $0) (local.get $1)) (#.const @))",
    "(#.sub (#.const @) (local.get $0))",
    "(#.sub (#.sub (#.const @) (local.get $1)) (local.get $0))",
    "(#.mul (local.get $0) (#.const @))",
    "(#.mul (#.add (local.get $0) (#.const @)) (#.sub (local.get $1) (#.const @)))",
    "(#.sub (#.or (#.add (#.and (local.get $0) (#.const 7)) (#.and (local.get $1) (#.const 7))) (#.const @)) (#.const @))",
    "(#.add (#.mul (#.or (#.and (local.get $0) (#.const 3)) (#.const @)) (#.const @)) (#.const @))",
    "(#.xor (#.sub (local.get $0) (#.const @)) (#.const -1))",
    "(#.shl (#.sub (local.get $1) (local.get $0)) (#.const @))",
    "(#.sub (#.shr_s (#.sub (local.get $0) (local.get $1)) (#.const 3)) (#.shl (local.get $1) (#.const 5)))",
];

/// What is done with the shifted value `$`; comparisons give an i32.
const AFTER: [(&str, bool); 16] = [
    ("(#.add $ (#.const @))", false),
    ("(#.sub $ (#.const @))", false),
    ("(#.sub (#.const @) $)", false),
    ("(#.or $ (#.const @))", false),
    ("(#.xor $ (#.const @))", false),
    ("(#.and $ (#.const @))", false),
    ("(#.mul $ (#.const @))", false),
    ("(#.add (#.add $ (local.get $1)) (#.const @))", false),
    ("(#.sub (#.shl (#.add $ (#.const @)) (#.const 7)) (#.const @))", false),
    ("(#.div_u (#.add $ (#.const @)) (#.const 10))", false),
    ("(#.lt_u $ (#.const @))", true),
    ("(#.ge_s (#.add $ (#.const @)) (local.get $1))", true),
    ("(#.eq (#.sub $ (#.const @)) (local.get $0))", true),
    ("(#.ne (#.add $ (#.const @)) (#.const @))", true),
    ("(#.gt_s $ (#.const @))", true),
    ("(#.eqz (#.sub $ (#.const @)))", true),
];

const SHIFTS: [&str; 5] = ["shl", "shr_u", "shr_s", "rotl", "rotr"];

/// Number of functions for each shift and amount.
const FUNCTIONS: usize = 6;

fn bits(ty: ValueType) -> u32 {
    32 * ty.words() as u32
}

/// Returns 2^k − 1, 2^k or 2^k + 1, or the negative of one of these, or a small number.
fn constant(rng: &mut fastrand::Rng, ty: ValueType) -> i64 {
    let power = 1i64.wrapping_shl(rng.u32(..bits(ty)));
    let near = match rng.u8(..8) {
        0 => rng.i64(0..8),
        _ => power.wrapping_add(rng.i64(-1..=1)),
    };
    let signed = if rng.bool() { near } else { near.wrapping_neg() };
    if ty == ValueType::I32 { (signed as i32).into() } else { signed }
}

/// Returns the text with its types and constants put in; half of the time, every `@` is the same constant.
fn filled(rng: &mut fastrand::Rng, ty: ValueType, text: &str) -> String {
    let same = rng.bool().then(|| constant(rng, ty));
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '#' => write!(out, "{ty}").expect("strings can be written"),
            '@' => {
                let constant = same.unwrap_or_else(|| constant(rng, ty));
                write!(out, "{constant}").expect("strings can be written");
            }
            c => out.push(c),
        }
    }
    out
}

/// Returns operands at which something changes, and random ones.
fn operands(rng: &mut fastrand::Rng, ty: ValueType) -> Vec<[Value; 2]> {
    let edges = core_edges(ty);
    let mut pairs = vec![[value(ty, 9), value(ty, 2)], [value(ty, 0), value(ty, 0)]];
    for _ in 0..8 {
        pairs.push([edges[rng.usize(..edges.len())], edges[rng.usize(..edges.len())]]);
        pairs.push([random_value(rng, ty), random_value(rng, ty)]);
    }
    pairs
}

/// Tests all amounts of a shift on a type, with a module for each 16 of them.
fn shift(name: &str, ty: ValueType) {
    let mut rng = fastrand::Rng::with_seed(bits(ty).into());
    for first in (0..bits(ty)).step_by(16) {
        let mut test = Test::new(format!("{ty}.{name}-from-{first}"), "");
        for amount in first..first + 16 {
            for i in 0..FUNCTIONS {
                let before = BEFORE[rng.usize(..BEFORE.len())];
                let before = filled(&mut rng, ty, before);
                let (after, is_bit) = AFTER[rng.usize(..AFTER.len())];
                let shifted = format!("({ty}.{name} {before} ({ty}.const {amount}))");
                let body = filled(&mut rng, ty, after).replace("$ ", &format!("{shifted} "));
                let body = body.replace("$)", &format!("{shifted})"));
                let result = if is_bit { ValueType::I32 } else { ty };
                let function = format!("{amount} {i}");
                test.function(&function, &[ty, ty], &result.to_string(), &body);
                for args in operands(&mut rng, ty) {
                    test.call(&function, &args);
                }
            }
        }
        test.run();
    }
}

#[test]
fn shifts_of_sums_by_constants() {
    for name in SHIFTS {
        shift(name, ValueType::I32);
    }
}

#[test]
fn shifts_of_wide_sums_by_constants() {
    for name in SHIFTS {
        shift(name, ValueType::I64);
    }
}

/// All that may be done with a difference that was shifted, for each amount, on the dense executor too.
#[test]
fn constants_after_a_shifted_difference() {
    let mut rng = fastrand::Rng::with_seed(5);
    for ty in [ValueType::I32, ValueType::I64] {
        for (name, step) in [("shl", 1), ("rotl", 3), ("shr_s", 7)] {
            let mut test = Test::new(format!("{ty}.{name}-difference"), "");
            for amount in (0..bits(ty)).step_by(step) {
                let constants =
                    [1, 3, -1, i64::from(i32::MAX), 1 << (amount % 31), -(1 << (amount % 31)) - 1];
                for (i, c) in constants.into_iter().enumerate() {
                    for (after, op) in ["add", "or", "xor", "and", "sub"].iter().enumerate() {
                        let body = format!(
                            "({ty}.{op} ({ty}.{name} ({ty}.sub (local.get $0) (local.get $1)) ({ty}.const {amount})) ({ty}.const {c}))"
                        );
                        let function = format!("{amount} {i} {after}");
                        test.function(&function, &[ty, ty], &ty.to_string(), &body);
                        for args in operands(&mut rng, ty).into_iter().take(4) {
                            test.call(&function, &args);
                        }
                    }
                }
            }
            test.run_on(&[Way::Dense, Way::Checked, Way::Compiled]);
        }
    }
}

/// The values that were wrong once.
#[test]
fn a_constant_after_a_shift_is_not_lost() {
    let wat = r#"
        (func (export "f") (param i32 i32) (result i32)
            (i32.add (i32.shl (i32.sub (local.get 0) (local.get 1)) (i32.const 24)) (i32.const 3)))
        (func (export "g") (param i32 i32) (result i32)
            (i32.or (i32.shl (i32.sub (local.get 0) (local.get 1)) (i32.const 28)) (i32.const 1)))
        (func (export "in a loop") (param i32 i32) (result i32) (local i32)
            (loop $again (result i32)
                (local.set 2
                    (i32.add (i32.shl (i32.sub (local.get 2) (local.get 0)) (i32.const 24)) (i32.const 3)))
                (br_if $again (local.tee 1 (i32.sub (local.get 1) (i32.const 1))))
                (local.get 2)))"#;
    let mut test = Test::new("a-constant-after-a-shift", wat);
    for (a, b) in [(9u32, 2u32), (0, 0), (2, 9), (u32::MAX, 0), (0, u32::MAX), (1 << 31, 1)] {
        for name in ["f", "g"] {
            test.call(name, &[a.into(), b.into()]);
        }
        test.call("in a loop", &[a.into(), (b % 100 + 1).into()]);
    }
    test.run_on(&[Way::Dense, Way::Checked, Way::Compiled]);
}
