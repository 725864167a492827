//! The routines, legalized and optimized, against the machine's own arithmetic.
//!
//! `WASM2ONNX_FLOATS` sets the number of random operands of each operation.

use wasm2onnx_runtime::TrapCode;

use smallvec::smallvec;

use super::{Emit, Format};
use crate::builder::Builder;
use crate::evaluate::{Failure, Machine};
use crate::ir::{Function, Origin, Terminator, Type, Value};
use crate::options::Options;
use crate::verify::{Stage, verify};
use crate::{frontend, legalize, optimize};
use fastrand::Rng;

/// Number of random operands of each operation, unless the environment says otherwise.
const RANDOM: usize = 20_000;

/// Returns values at which something changes: zeros, subnormal and normal limits, powers of two and their
/// neighbours, halves, limits of integers, infinities, NaNs of all kinds; both signs.
fn edges(fraction: u32, width: u32) -> Vec<u64> {
    let (sign, one) = (1u64 << (width - 1), 1u64 << fraction);
    let exponents = (1u64 << (width - 1 - fraction)) - 1;
    let bias = exponents / 2;
    let mut edges = vec![0, 1, 2, 3, one / 2 - 1, one / 2, one / 2 + 1, one - 1];
    let mut powers = vec![
        1,
        2,
        3,
        fraction as u64,
        bias / 2,
        bias - 1,
        bias,
        bias + 1,
        bias + 2,
        exponents - 2,
        exponents - 1,
    ];
    powers.extend(
        [30, 31, 32, 62, 63, 64, fraction as u64 - 1, fraction as u64, fraction as u64 + 1].map(|n| bias + n),
    );
    powers.extend([1, 2, 22, 23, 24, 51, 52, 53].map(|n| bias - n));
    for e in powers {
        let power = e << fraction;
        edges.extend([
            power - 1,
            power,
            power + 1,
            power + one / 2,
            power + one / 2 - 1,
            power + one / 2 + 1,
        ]);
    }
    let infinity = exponents << fraction;
    edges.extend([
        infinity - 1,
        infinity,
        infinity + 1,
        infinity + one / 2,
        infinity + one / 2 + 1,
        sign - 1,
    ]);
    edges.sort_unstable();
    edges.dedup();
    edges.iter().flat_map(|x| [*x, x | sign]).collect()
}

/// Returns a float with any bits, or with an exponent close to another's and a fraction with few bits, or
/// with many that are 1, or any, so that sums cancel and halves occur.
fn random_float(random: &mut Rng, like: u64, fraction: u32, width: u32) -> u64 {
    let all = u64::MAX >> (64 - width);
    let any = random.u64(..) & all;
    if random.usize(..4) == 0 {
        return any;
    }
    let exponents = (1u64 << (width - 1 - fraction)) - 1;
    let near = (like >> fraction & exponents) as i64 + random.usize(..2 * fraction as usize + 8) as i64
        - fraction as i64
        - 4;
    let exponent = if random.usize(..8) == 0 {
        random.usize(..3) as u64
    } else {
        near.clamp(0, exponents as i64) as u64
    };
    let mask = (1 << fraction) - 1;
    let bits = match random.usize(..4) {
        0 => random.u64(..) & mask,
        1 => random.u64(..) & random.u64(..) & random.u64(..) & mask,
        2 => (random.u64(..) | random.u64(..) | random.u64(..)) & mask,
        _ => mask << random.usize(..fraction as usize) & mask,
    };
    any & (1 << (width - 1)) | exponent << fraction | bits
}

/// Returns words, some of which are close to the ends of lines or to the least and the greatest word.
fn words(least: u32) -> impl Iterator<Item = u32> {
    let ends = (0..32u32)
        .flat_map(|i| (0..64).flat_map(move |n| [(i << 27) + 37 * n, (i << 27).wrapping_sub(1 + 37 * n)]));
    let mut random = Rng::with_seed(3);
    let random = (0..count()).map(move |_| random.u64(..) as u32);
    ends.chain(random).filter(move |word| *word >= least)
}

/// Calls `f` with a machine for a function `f` of a word that `emit` makes.
fn with_function(emit: impl FnOnce(&mut Emit, Value) -> Value, f: impl FnOnce(&mut Machine)) {
    let wat = r#"(module (func (export "f") (param i32) (result i32) (local.get 0)))"#;
    let mut module = frontend::parse(wat.as_bytes(), &Options::default()).unwrap();
    let mut func = Function::new("f".into(), Origin::Module(0), vec![Type::I32]);
    let block = func.entry;
    let word = func.add_param(block, Type::I32);
    let mut b = Builder { func: &mut func, block, offset: 0 };
    let result = emit(&mut Emit { b: &mut b, format: Format::F32 }, word);
    b.terminate(Terminator::Return(smallvec![result]));
    *module.functions.values_mut().next().expect("there is one") = func;
    legalize::run(&mut module);
    optimize::run(&mut module);
    f(&mut Machine::new(&module).unwrap());
}

/// The digits of quotients and roots rely on this: reciprocals are never too large, and too small by at most
/// a known amount.
#[test]
fn reciprocals_are_within_their_bounds() {
    with_function(
        |emit, b| emit.reciprocal(b),
        |machine| {
            for b in words(1 << 31) {
                let x = machine.call("f", &[b.into()]).unwrap()[0] as u128;
                let (one, b) = (1u128 << 63, b as u128);
                assert!(x * b <= one && one <= (x + 3) * b, "2^63 / {b} is not {x}");
            }
        },
    );
    with_function(
        |emit, a| emit.reciprocal_root(a),
        |machine| {
            for a in words(1 << 30) {
                let y = machine.call("f", &[a.into()]).unwrap()[0] as u128;
                let (one, a) = (1u128 << 94, a as u128);
                assert!(y * y * a <= one && one <= (y + 5) * (y + 5) * a, "2^47 / √{a} is not {y}");
            }
        },
    );
}

fn count() -> usize {
    std::env::var("WASM2ONNX_FLOATS").map_or(RANDOM, |n| n.parse().expect("a number"))
}

/// Calls `f` with a machine for a module with one function, `f`.
fn with_machine(wat: &str, f: impl FnOnce(&mut Machine)) {
    let mut module = frontend::parse(wat.as_bytes(), &Options::default()).unwrap();
    verify(&module, Stage::Typed).unwrap();
    legalize::run(&mut module);
    verify(&module, Stage::Words).unwrap();
    optimize::run(&mut module);
    verify(&module, Stage::Final).unwrap();
    f(&mut Machine::new(&module).unwrap());
}

/// Checks an instruction with one or two operands of a float type against a function on bits.
fn check(ty: &str, instruction: &str, operands: usize, result: &str, expected: impl Fn(u64, u64) -> u64) {
    let (fraction, width) = if ty == "f32" { (23, 32) } else { (52, 64) };
    let params = vec![ty; operands].join(" ");
    let args: String = (0..operands).map(|i| format!("(local.get {i})")).collect();
    let wat =
        format!("(module (func (export \"f\") (param {params}) (result {result}) ({instruction} {args})))");
    with_machine(&wat, |machine| {
        let mut check = |a: u64, b: u64| {
            let found = machine.call("f", &[a, b][..operands]);
            assert_eq!(
                found,
                Ok(vec![expected(a, b)]),
                "{instruction} {a:#x} {b:#x}: {:#x}",
                found.clone().unwrap()[0]
            );
        };
        let edges = edges(fraction, width);
        let mut random = Rng::with_seed(operands as u64);
        for a in &edges {
            if operands == 1 {
                check(*a, 0);
                continue;
            }
            for b in &edges {
                check(*a, *b);
            }
        }
        for i in 0..count() {
            let like = if i % 2 == 0 { random.u64(..) } else { edges[i % edges.len()] };
            let a = random_float(&mut random, like, fraction, width);
            let b = random_float(&mut random, a, fraction, width);
            check(a, b);
        }
    });
}

fn single(x: f32) -> u64 {
    if x.is_nan() { 0x7fc0_0000 } else { x.to_bits().into() }
}

fn double(x: f64) -> u64 {
    if x.is_nan() { 0x7ff8_0000_0000_0000 } else { x.to_bits() }
}

fn check_f32(name: &str, operands: usize, f: impl Fn(f32, f32) -> f32) {
    let expected = |a: u64, b: u64| single(f(f32::from_bits(a as u32), f32::from_bits(b as u32)));
    check("f32", &format!("f32.{name}"), operands, "f32", expected);
}

fn check_f64(name: &str, operands: usize, f: impl Fn(f64, f64) -> f64) {
    check("f64", &format!("f64.{name}"), operands, "f64", |a, b| {
        double(f(f64::from_bits(a), f64::from_bits(b)))
    });
}

#[test]
fn sums() {
    check_f32("add", 2, |a, b| a + b);
    check_f64("add", 2, |a, b| a + b);
    check_f32("sub", 2, |a, b| a - b);
    check_f64("sub", 2, |a, b| a - b);
}

#[test]
fn products() {
    check_f32("mul", 2, |a, b| a * b);
    check_f64("mul", 2, |a, b| a * b);
}

#[test]
fn quotients() {
    check_f32("div", 2, |a, b| a / b);
    check_f64("div", 2, |a, b| a / b);
}

#[test]
fn roots() {
    check_f32("sqrt", 1, |a, _| a.sqrt());
    check_f64("sqrt", 1, |a, _| a.sqrt());
}

#[test]
fn integral() {
    check_f32("ceil", 1, |a, _| a.ceil());
    check_f32("floor", 1, |a, _| a.floor());
    check_f32("trunc", 1, |a, _| a.trunc());
    check_f32("nearest", 1, |a, _| a.round_ties_even());
    check_f64("ceil", 1, |a, _| a.ceil());
    check_f64("floor", 1, |a, _| a.floor());
    check_f64("trunc", 1, |a, _| a.trunc());
    check_f64("nearest", 1, |a, _| a.round_ties_even());
}

/// −0 is less than 0, and a NaN gives a NaN.
#[test]
fn extrema() {
    fn choose<T: PartialOrd + Copy>(least: bool, a: T, b: T, negative: bool, nan: T) -> T {
        match a.partial_cmp(&b) {
            None => nan,
            Some(std::cmp::Ordering::Equal) => {
                if negative == least {
                    a
                } else {
                    b
                }
            }
            Some(order) => {
                if (order == std::cmp::Ordering::Less) == least {
                    a
                } else {
                    b
                }
            }
        }
    }
    for (name, least) in [("min", true), ("max", false)] {
        check_f32(name, 2, |a, b| choose(least, a, b, a.is_sign_negative(), f32::NAN));
        check_f64(name, 2, |a, b| choose(least, a, b, a.is_sign_negative(), f64::NAN));
    }
}

#[test]
fn comparisons() {
    fn all<T: PartialOrd>(a: T, b: T) -> [(&'static str, bool); 6] {
        [("eq", a == b), ("ne", a != b), ("lt", a < b), ("gt", a > b), ("le", a <= b), ("ge", a >= b)]
    }
    for i in 0..6 {
        let name = all(0, 0)[i].0;
        let f32 = |a: u64, b: u64| all(f32::from_bits(a as u32), f32::from_bits(b as u32))[i].1 as u64;
        check("f32", &format!("f32.{name}"), 2, "i32", f32);
        let f64 = |a, b| all(f64::from_bits(a), f64::from_bits(b))[i].1 as u64;
        check("f64", &format!("f64.{name}"), 2, "i32", f64);
    }
}

#[test]
fn conversions_of_floats() {
    check("f32", "f64.promote_f32", 1, "f64", |a, _| double(f32::from_bits(a as u32).into()));
    check("f64", "f32.demote_f64", 1, "f32", |a, _| single(f64::from_bits(a) as f32));
}

#[test]
fn saturating_conversions_to_integers() {
    check("f32", "i32.trunc_sat_f32_s", 1, "i32", |a, _| f32::from_bits(a as u32) as i32 as u32 as u64);
    check("f32", "i32.trunc_sat_f32_u", 1, "i32", |a, _| f32::from_bits(a as u32) as u32 as u64);
    check("f32", "i64.trunc_sat_f32_s", 1, "i64", |a, _| f32::from_bits(a as u32) as i64 as u64);
    check("f32", "i64.trunc_sat_f32_u", 1, "i64", |a, _| f32::from_bits(a as u32) as u64);
    check("f64", "i32.trunc_sat_f64_s", 1, "i32", |a, _| f64::from_bits(a) as i32 as u32 as u64);
    check("f64", "i32.trunc_sat_f64_u", 1, "i32", |a, _| f64::from_bits(a) as u32 as u64);
    check("f64", "i64.trunc_sat_f64_s", 1, "i64", |a, _| f64::from_bits(a) as i64 as u64);
    check("f64", "i64.trunc_sat_f64_u", 1, "i64", |a, _| f64::from_bits(a) as u64);
}

/// A float's integer part is in range if the saturating conversion is exact, which 128 bits show.
#[test]
fn trapping_conversions_to_integers() {
    for float in ["f32", "f64"] {
        for (int, bits) in [("i32", 32), ("i64", 64)] {
            for signed in [true, false] {
                let sign = if signed { "s" } else { "u" };
                let wat = format!(
                    "(module (func (export \"f\") (param {float}) (result {int}) ({int}.trunc_{float}_{sign} (local.get 0))))"
                );
                let range = if signed {
                    -1i128 << (bits - 1)..=(1i128 << (bits - 1)) - 1
                } else {
                    0..=(1i128 << bits) - 1
                };
                with_machine(&wat, |machine| {
                    let (fraction, width) = if float == "f32" { (23, 32) } else { (52, 64) };
                    let edges = edges(fraction, width);
                    let mut random = Rng::with_seed(1);
                    let near = ((1u64 << (width - 2 - fraction)) + bits / 2) << fraction;
                    let random = (0..count()).map(|_| random_float(&mut random, near, fraction, width));
                    for a in edges.iter().copied().chain(random.collect::<Vec<_>>()) {
                        let x =
                            if float == "f32" { f32::from_bits(a as u32) as f64 } else { f64::from_bits(a) };
                        let whole = x as i128;
                        let expected = if x.is_nan() {
                            Err(Failure::Trap(TrapCode::InvalidConversionToInteger))
                        } else if range.contains(&whole) {
                            Ok(vec![whole as u64 & (u64::MAX >> (64 - bits))])
                        } else {
                            Err(Failure::Trap(TrapCode::IntegerOverflow))
                        };
                        assert_eq!(machine.call("f", &[a]), expected, "{wat} {a:#x}");
                    }
                });
            }
        }
    }
}

#[test]
fn conversions_of_integers() {
    let check = |float: &str, int: &str, sign: &str, expected: &dyn Fn(u64) -> u64| {
        let wat = format!(
            "(module (func (export \"f\") (param {int}) (result {float}) ({float}.convert_{int}_{sign} (local.get 0))))"
        );
        with_machine(&wat, |machine| {
            let all = if int == "i32" { u32::MAX as u64 } else { u64::MAX };
            let mut random = Rng::with_seed(2);
            let powers = (0..64).flat_map(|n| {
                (0..64).flat_map(move |m| {
                    let (n, m) = (1u64 << n, 1u64 << m);
                    [
                        n,
                        n.wrapping_sub(1),
                        n + 1,
                        n | m,
                        n.wrapping_add(m / 2),
                        n.wrapping_sub(m),
                        n.wrapping_add(m).wrapping_sub(1),
                    ]
                })
            });
            let random = (0..count()).map(|_| {
                let by = random.usize(..64);
                random.u64(..) >> by
            });
            let numbers: Vec<u64> =
                powers.chain(random).flat_map(|x| [x, x.wrapping_neg()]).map(|x| x & all).collect();
            for x in numbers {
                assert_eq!(machine.call("f", &[x]), Ok(vec![expected(x)]), "{wat} {x:#x}");
            }
        });
    };
    check("f32", "i32", "s", &|x| single(x as i32 as f32));
    check("f32", "i32", "u", &|x| single(x as u32 as f32));
    check("f32", "i64", "s", &|x| single(x as i64 as f32));
    check("f32", "i64", "u", &|x| single(x as f32));
    check("f64", "i32", "s", &|x| double(x as i32 as f64));
    check("f64", "i32", "u", &|x| double(x as u32 as f64));
    check("f64", "i64", "s", &|x| double(x as i64 as f64));
    check("f64", "i64", "u", &|x| double(x as f64));
}
