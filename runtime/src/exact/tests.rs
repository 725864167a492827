use super::*;

fn equation<'a>(sources: &'a [u16], weights: &'a [f64]) -> Equation<'a> {
    Equation { field: 0, sources, weights }
}

#[test]
fn last_bits() {
    for (x, bit) in [(1.0, 1.0), (1.5, 0.5), (-12.0, 4.0), (1024.0, 1024.0), (0.75, 0.25)] {
        assert_eq!(last_bit(x), bit, "{x}");
    }
}

#[test]
fn sums_within_2_to_the_53_units_are_exact() {
    let y = [1.0, 4294967295.0, 9007199254740991.0];
    assert!(is_exact(&equation(&[0, 1], &[1.0, 1.0]), &y));
    assert!(is_exact(&equation(&[1], &[2f64.powi(-33)]), &y));
    assert!(is_exact(&equation(&[2], &[2f64.powi(40)]), &y));
    // 2^53 + 1 needs 54 bits with three terms, whatever the sum is.
    assert!(!is_exact(&equation(&[0, 1, 2], &[1.0, 2.0, 3.0]), &y));
    // A product that needs more than 53 bits.
    assert!(!is_exact(&equation(&[2], &[3.0]), &y));
}

#[test]
fn two_terms_may_cancel() {
    // P − 2^32·q for P = 2^63 + 2^31.
    let p = 2f64.powi(63) + 2f64.powi(31);
    let y = [1.0, p, 2f64.powi(31)];
    assert!(is_exact(&equation(&[1, 2], &[1.0, -(2f64.powi(32))]), &y));
    assert!(!is_exact(&equation(&[0, 1], &[1.0, 1.0]), &y));
}

#[test]
fn gates_of_rounded_reciprocals_have_stable_floors() {
    let inverse = 1.0 / 7.0;
    for x in [0.0, 6.0, 7.0, 4294967295.0, 7.0 * 600_000_000.0] {
        assert!(has_stable_gate(&equation(&[0, 1], &[0.5 * inverse, inverse]), &[1.0, x]));
    }
    // Without adding one half, the quotients of multiples of 7 are at an integer.
    assert!(!has_stable_gate(&equation(&[1], &[inverse]), &[1.0, 7.0]));
    // Negative gates are 0, however they are rounded.
    assert!(has_stable_gate(&equation(&[0, 1], &[-(2f64.powi(60)), inverse]), &[1.0, 7.0]));
}

/// Products with a power of two have few significant bits, however large they are. If a sum of such products
/// is rounded, the check of the map says so.
#[test]
fn fields_may_pass_2_to_the_53_if_they_are_integers() {
    let network = crate::tests::adder();
    let z = |value: f64| {
        let mut z = vec![0.0; network.ports.fields()];
        z[1] = value;
        check_z(&network, &z)
    };
    for value in [0.0, 2f64.powi(53), 2f64.powi(60), -(2f64.powi(63) + 2f64.powi(31))] {
        assert_eq!(z(value), Ok(()), "{value}");
    }
    for value in [0.5, 2f64.powi(64), f64::INFINITY, f64::NAN] {
        assert!(matches!(z(value), Err(Inexact::Field { field: 1, .. })), "{value}");
    }
}
