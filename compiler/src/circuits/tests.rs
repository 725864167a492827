//! What linear forms promise: bounds that hold, sums that are exact where that is claimed, and a later map,
//! or none, where they are not.

use super::linear::pow2;
use super::*;
use fastrand::Rng;

/// Returns a circuit with entry fields in these ranges, and the fields.
fn fields(ranges: &[Range]) -> (Circuit, Vec<Linear>) {
    let mut circuit = Circuit::new(false, false);
    let field = |(i, range): (usize, &Range)| circuit.entry(i as u16, EntrySource::Fixed, *range);
    let forms = ranges.iter().enumerate().map(field).collect();
    (circuit, forms)
}

/// Returns a number of either sign near a power of two below 2^`bits`.
fn near_power(random: &mut Rng, bits: usize) -> i64 {
    let near = (1i64 << random.usize(..bits)) + random.usize(..3) as i64 - 1;
    if random.usize(..2) == 0 { near } else { -near }
}

fn range(random: &mut Rng) -> Range {
    let (a, b) = (near_power(random, 40), near_power(random, 40));
    Range::new(a.min(b), a.max(b))
}

fn form(random: &mut Rng, fields: &[Linear]) -> Linear {
    let scale = |random: &mut Rng| pow2(-[0, 0, 0, 1, 8, 31, 32][random.usize(..7)]);
    let mut form = Linear::constant(Exact::from(near_power(random, 58)) * scale(random));
    for field in fields.iter().take(1 + random.usize(..3)) {
        form = form.plus(Exact::from(near_power(random, 30)) * scale(random), field);
    }
    form
}

#[test]
fn exact_sums_are_those_that_every_order_computes() {
    let mut random = Rng::with_seed(3);
    let mut exact = 0;
    for _ in 0..20_000 {
        let ranges = [(); 3].map(|()| range(&mut random));
        let (circuit, fields) = fields(&ranges);
        let form = form(&mut random, &fields);
        let (bounds, quantized) = (circuit.range(&form), circuit.quantized(&form));
        for corner in 0..8 {
            let at_end = [(); 3].map(|()| random.bool());
            // Corners of the box and something between.
            let x = |i: usize| match corner >> i & 1 {
                0 => ranges[i].lo,
                _ if at_end[i] => ranges[i].hi,
                _ => ranges[i].lo + (ranges[i].hi - ranges[i].lo) / 3,
            };
            let values: Vec<i64> = (0..3).map(x).collect();
            let scaled = |c: Exact| c.scaled(40).expect("scales are small");
            let terms = form.terms.iter().map(|(atom, c)| scaled(*c) * i128::from(values[*atom as usize]));
            let sum = terms.sum::<i128>() + scaled(form.constant);
            // The ends of 64 bits mean unbounded.
            assert!(bounds.lo == i64::MIN || i128::from(bounds.lo) << 40 <= sum, "{form:?}");
            assert!(bounds.hi == i64::MAX || sum <= i128::from(bounds.hi) << 40, "{form:?}");
            let floor = sum.max(0) >> 40;
            assert!(i128::from(quantized.lo) <= floor, "{form:?}");
            assert!(quantized.hi == i64::MAX || floor <= quantized.hi.into(), "{form:?}");
            if !circuit.is_exact(&form) {
                continue;
            }
            exact += 1;
            let mut parts: Vec<f64> = vec![form.constant.to_f64().expect("a weight")];
            for (atom, c) in &form.terms {
                parts.push(c.to_f64().expect("a weight") * values[*atom as usize] as f64);
            }
            for first in 0..parts.len() {
                parts.rotate_left(first);
                let float = parts.iter().sum::<f64>();
                // A power of two: exact.
                assert_eq!((float * 2f64.powi(40)) as i128, sum, "{form:?} at {values:?}");
            }
        }
    }
    assert!(exact > 20_000, "{exact}");
}

#[test]
fn bounds_are_rounded_outwards() {
    let (circuit, fields) = fields(&[Range::new(-9, 9)]);
    let eighths = fields[0].times(pow2(-3));
    assert_eq!(circuit.range(&eighths), Range::new(-2, 2));
    assert_eq!(circuit.quantized(&eighths), Range::new(0, 1));
    // ⌊(x + 2^32)/2^32⌋ is 1 from x = 0 on, and 0 for any x below, however close.
    assert_eq!(circuit.quantized(&fields[0].times(pow2(-32)).offset(1)), Range::new(0, 1));
    assert_eq!(circuit.range(&fields[0].times(i64::MAX)), Range::ALL);
    assert_eq!(circuit.range(&fields[0].times(pow2(62) * pow2(1))), Range::ALL);
}

#[test]
fn a_sum_is_exact_up_to_2_to_the_53() {
    let (circuit, fields) = fields(&[Range::new(0, 1 << 21), Range::BIT]);
    let largest = fields[0].times(pow2(32));
    assert!(circuit.is_exact(&largest));
    assert!(circuit.is_exact(&largest.clone().offset(pow2(32))), "in units of 2^32");
    assert!(!circuit.is_exact(&largest.clone().offset(1)));
    assert!(!circuit.is_exact(&largest.plus(1, &fields[1])));
    assert!(!circuit.is_exact(&largest.times(pow2(-1)).offset(pow2(-1))));
    assert!(
        !circuit.is_exact(&Linear::constant(pow2(62))) && !circuit.is_exact(&Linear::constant(Exact::LOST))
    );
    // A weight must be a float64, whatever it multiplies.
    assert!(!circuit.is_exact(&fields[1].times((1i64 << 54) + 1)));
    assert!(!circuit.is_exact(&fields[1].times(pow2(-63))) && circuit.is_exact(&fields[1].times(pow2(-62))));
}

/// Returns `((a − b) << 24) + c` without `c`: the lowest byte of the difference, shifted.
fn shifted_difference(circuit: &mut Circuit, a: &Linear, b: &Linear) -> Linear {
    let difference = a.plus(-1, b).offset(pow2(32));
    let above = circuit.unit(&difference.times(pow2(-8)), &Linear::constant(1));
    let byte = circuit.linear(difference.plus(-256, &above), Some(Range::BYTE));
    byte.times(pow2(24))
}

#[test]
fn a_sum_that_would_round_waits_for_a_field() {
    for k in 0..24 {
        for near in [-1, 0, 1] {
            let (mut circuit, fields) = fields(&[Range::WORD, Range::WORD]);
            let moved = shifted_difference(&mut circuit, &fields[0], &fields[1]);
            let sum = moved.clone().offset((1i64 << k) + near);
            let ready = circuit.ready(&moved);
            let exact = moved.clone().offset(pow2(24));
            assert_eq!((circuit.place(&moved, 0), circuit.place(&exact, 0)), (Some(ready), Some(ready)));
            // 2^56 + c has more than 53 bits unless c is a multiple of 2^4: the byte then becomes a field
            // first.
            let fits = (circuit.expand(&sum, ready)).constant.to_f64().is_some();
            assert_eq!(fits, ((1i64 << k) + near) % 16 == 0);
            let place = circuit.place(&sum, 0).expect("the byte and a constant are small");
            assert!(place == ready || place == ready + 1);
            assert!(place == ready + 1 || fits);
            assert!(circuit.is_exact(&circuit.expand(&sum, place)));
        }
    }
}

#[test]
fn what_no_map_can_add_up_is_noted() {
    let huge = Range::new(0, 1 << 60);
    for form in [
        |x: &Linear| x.clone().offset(1),
        |x: &Linear| x.times(pow2(40)).times(pow2(40)),
        |x: &Linear| x.times(pow2(-63)),
        |x: &Linear| x.times(Exact::reciprocal(3)).offset(1),
        |x: &Linear| x.times(Exact::reciprocal(3)).offset(Exact::reciprocal(3)),
    ] {
        let (mut circuit, fields) = fields(&[huge]);
        let form = form(&fields[0]);
        assert_eq!(circuit.place(&form, 0), None, "{form:?}");
        assert!(!circuit.inexact);
        circuit.linear(form.plus(1, &form), Some(Range::WORD));
        assert!(circuit.inexact, "{form:?}");
    }
    // The gate of a division has a rule of its own.
    let (mut circuit, fields) = fields(&[Range::WORD]);
    for s in [3, 5, 7, 10, 641, u32::MAX] {
        let w = Exact::reciprocal(s);
        let gate = fields[0].times(w).offset(w * pow2(-1));
        assert_eq!(circuit.place(&gate, 0), Some(0));
        circuit.unit(&gate, &Linear::constant(1));
    }
    assert!(!circuit.inexact);
}

#[test]
fn forms_much_smaller_than_their_parts_are_named() {
    let far = Range::new(1 << 31, (1 << 31) + 14);
    let (mut circuit, fields) = fields(&[far, Range::WORD, Range::new(-5, 7)]);
    let near = circuit.linear(fields[0].clone().offset(-(1i64 << 31)), None);
    assert!(near.as_atom().is_some(), "{near:?}");
    assert_eq!(circuit.range(&near), Range::new(0, 14));
    // 2^31 times that linear form, plus 3, is then a sum of small numbers.
    let sum = near.times(pow2(31)).offset(3);
    assert!(circuit.is_exact(&sum) && !circuit.is_exact(&circuit.expand(&sum, 0)));
    assert_eq!(circuit.place(&sum, 0), Some(1));
    for form in [fields[1].clone().offset(-(1i64 << 31)), fields[2].times(-9).offset(63)] {
        assert_eq!(circuit.linear(form.clone(), None), form);
    }
}
