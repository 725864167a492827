use super::Known::*;
use super::*;

#[test]
fn classes_keep_their_distances() {
    let shape = Shape::new([(0, 7.0), (3, 100.0), (5, 0.0), (3, 101.0), (0, 0.0)]);
    assert_eq!(
        shape.known(),
        [Constant(7.0), Distance(1, 0.0), Distance(2, 0.0), Distance(1, 1.0), Constant(0.0)]
    );
}

#[test]
fn what_holds_in_both_is_kept() {
    let a = Shape::new([(0, 1.0), (1, 0.0), (1, 1.0), (1, 2.0), (0, 5.0), (0, 6.0)]);
    let b = Shape::new([(0, 1.0), (2, 0.0), (3, 8.0), (3, 9.0), (0, 15.0), (0, 16.0)]);
    let met = a.meet(&b);
    assert_eq!(
        met.known(),
        [
            Constant(1.0),
            Distance(1, 0.0),
            Distance(2, 0.0),
            Distance(2, 1.0),
            Distance(4, 0.0),
            Distance(4, 1.0)
        ]
    );
    assert_eq!(met.meet(&a), met);
    assert_eq!(met.meet(&b), met);
    assert_eq!(a.meet(&a), a);
}

#[test]
fn distances_that_may_be_rounded_are_not_kept() {
    let shape = Shape::new([(1, 0.0), (1, 1e16), (1, 1e16 + 2.0)]);
    assert_eq!(shape.known(), [Distance(0, 0.0), Distance(1, 0.0), Distance(2, 0.0)]);
}
