use super::*;
use crate::dense::quantized_gate;

#[test]
fn gates_are_quantized_as_defined() {
    let edge = (1u64 << 52) as f64;
    let numbers =
        [0.0, 0.5, 0.99999999, 1.0, 1.5, 12345.75, edge - 0.5, edge, edge + 1.0, 1e300, f64::INFINITY];
    for g in numbers.into_iter().flat_map(|g| [g, -g]).chain([f64::NAN]) {
        assert_eq!(gate(g), quantized_gate(g), "{g}");
    }
}

#[test]
fn runs_are_maximal() {
    let runs = |holds: &[u8]| runs(holds.iter().map(|holds| *holds == 1)).to_vec();
    assert_eq!(runs(&[1, 1, 0, 1, 0, 0, 1]), [(0, 2), (3, 4), (6, 7)]);
    assert_eq!(runs(&[0, 0]), []);
}
