use super::*;
use crate::tests::{adder, memory, word};

#[test]
fn agreement_is_reported_with_results() {
    let network = adder();
    let report = compare_step_by_step(&network, "add", &[word(1), word(2)], 10).unwrap();
    assert_eq!((report.steps, report.end), (2, End::Finished(Ok(vec![word(3)]))));
}

#[test]
fn digests_tell_runs_apart() {
    let network = adder();
    let digest = |b| compare_step_by_step(&network, "add", &[word(1), word(b)], 10).unwrap().digest;
    assert_eq!(digest(5), digest(5));
    assert_ne!(digest(5), digest(6));
}

#[test]
fn the_step_limit_is_named() {
    let network = adder();
    let report = compare_step_by_step(&network, "add", &[word(1), word(2)], 1).unwrap();
    assert_eq!((report.steps, report.end), (1, End::StepLimit));
}

#[test]
fn a_key_in_no_region_is_inexact() {
    let network = memory();
    let report = compare_step_by_step(&network, "store_load", &[word(5000), word(1)], 10).unwrap();
    assert!(matches!(report.end, End::Inexact { what: Inexact::Key { row: 0, .. }, .. }), "{report:?}");
}

#[test]
fn a_value_that_its_region_does_not_declare_is_inexact() {
    let network = memory();
    let report = compare_step_by_step(&network, "store_load", &[word(3), word(256)], 10).unwrap();
    assert!(matches!(report.end, End::Inexact { what: Inexact::Value { row: 0, .. }, .. }), "{report:?}");
}

#[test]
fn a_rounded_sum_is_inexact() {
    let mut network = adder();
    network.experts.weights[0] = 2f64.powi(53) + 2.0;
    let report = compare_step_by_step(&network, "add", &[word(5), word(3)], 10).unwrap();
    assert!(matches!(report.end, End::Inexact { what: Inexact::Sum { field: 1 }, .. }), "{report:?}");
}

#[test]
fn what_cannot_begin_is_an_error() {
    let network = adder();
    assert!(matches!(
        compare_step_by_step(&network, "sub", &[], 10),
        Err(Divergence::Invalid(Error::UnknownExport { .. }))
    ));
}
