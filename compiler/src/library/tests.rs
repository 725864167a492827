//! The routines against Rust's own division.

use crate::evaluate::Machine;
use crate::options::Options;
use crate::verify::{Stage, verify};
use crate::{frontend, legalize, optimize};
use fastrand::Rng;

/// Returns numbers with few or many leading zeros, and near powers of two and each other.
fn numbers() -> Vec<u64> {
    let mut numbers: Vec<u64> = (0..64).flat_map(|n| [1u64 << n, (1 << n) - 1, (1 << n) + 1]).collect();
    let mut random = Rng::with_seed(1);
    for shift in (0..62).chain(0..62) {
        let number = random.u64(..) >> shift;
        numbers.extend([number, number.wrapping_neg()]);
    }
    // Digits that make estimates of quotients too large.
    numbers.extend([
        0x7fff_8000_0000_0000,
        0x8000_0000_0000_fffe,
        0x8000_0000_ffff_fffe,
        0xffff_ffff_0000_0000,
    ]);
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

#[test]
fn division_of_64_bits() {
    let wat = r#"(module
        (func (export "u") (param i64 i64) (result i64 i64)
          (i64.div_u (local.get 0) (local.get 1)) (i64.rem_u (local.get 0) (local.get 1)))
        (func (export "s") (param i64 i64) (result i64 i64)
          (i64.div_s (local.get 0) (local.get 1)) (i64.rem_s (local.get 0) (local.get 1))))"#;
    let mut module = frontend::parse(wat.as_bytes(), &Options::default()).unwrap();
    legalize::run(&mut module);
    verify(&module, Stage::Words).unwrap();
    optimize::run(&mut module);
    verify(&module, Stage::Final).unwrap();
    let mut machine = Machine::new(&module).unwrap();
    let numbers = numbers();
    for a in &numbers {
        for b in numbers.iter().filter(|b| **b != 0) {
            assert_eq!(machine.call("u", &[*a, *b]), Ok(vec![a / b, a % b]), "{a} / {b}");
            let (sa, sb) = (*a as i64, *b as i64);
            if let Some(quotient) = sa.checked_div(sb) {
                let expected = vec![quotient as u64, (sa % sb) as u64];
                assert_eq!(machine.call("s", &[*a, *b]), Ok(expected), "{sa} / {sb}");
            }
        }
    }
}
