use super::*;
use crate::decoded::RegisterMap;
use crate::network::Network;
use crate::tests::{PORTS, Writer, adder, memory};

const ONE: u16 = Ports::ONE;

/// Follows experts from a `z` whose carried fields may be anything and whose other fields are 0.
fn follow_from_carried(network: &Network, experts: &[ExpertId]) -> Trail {
    let shape = Shape::new((0..PORTS.fields() as u32).map(|field| {
        let carried = field < PORTS.carried.into();
        (if carried { 1 + field } else { CONSTANT }, 0.0)
    }));
    let map = RegisterMap::new(network.ports);
    let decode = |e| {
        let mut decoded = Decoded::new(network, &map, e);
        // As if all reads had accessed the region of bytes.
        decoded.reads.iter_mut().for_each(|read| read.hint = Some(1));
        Some(Box::new(decoded))
    };
    let decoded: Vec<_> = (0..network.experts.len() as ExpertId).map(decode).collect();
    follow(network, &decoded, &shape, experts, &|hint| hint == Some(1))
}

/// Follows two experts made of these equations.
fn follow_two(first: &[(Field, &[(u16, f64)])], second: &[(Field, &[(u16, f64)])]) -> Trail {
    let mut writer = Writer::new(2);
    let experts = [writer.expert(first), writer.expert(second)];
    let network = Network { ports: PORTS, experts: writer.finish(), ..memory() };
    follow_from_carried(&network, &experts)
}

/// Follows three experts made of these equations.
fn follow_three(
    first: &[(Field, &[(u16, f64)])],
    second: &[(Field, &[(u16, f64)])],
    third: &[(Field, &[(u16, f64)])],
) -> Trail {
    let mut writer = Writer::new(2);
    let experts = [writer.expert(first), writer.expert(second), writer.expert(third)];
    let network = Network { ports: PORTS, experts: writer.finish(), ..memory() };
    follow_from_carried(&network, &experts)
}

fn out(trail: &Trail, field: Field) -> Sym {
    trail.out[usize::from(field)]
}

/// Returns the operation that makes a symbol's value.
fn op(trail: &Trail, sym: Sym) -> &Op {
    &trail.ops[sym.base.expect("it is not constant") as usize]
}

#[test]
fn constants_are_folded() {
    let p = PORTS;
    let trail = follow_two(
        &[
            (p.n(0), &[(ONE, 2.5)]),
            (p.v(0), &[(ONE, 21.0)]),
            (p.n(1), &[(ONE, -1.0)]),
            (p.v(1), &[(p.ys(1), 1.0)]),
            (p.n(2), &[(ONE, 1.0)]),
            (p.v(2), &[(p.ys(1), 1.0), (ONE, 5.0)]),
        ],
        &[(p.s(0), &[(p.yu(0), 2.0)]), (p.s(1), &[(p.yu(1), 1.0), (ONE, 3.0)]), (p.s(2), &[(p.yu(2), 1.0)])],
    );
    assert_eq!(out(&trail, p.s(0)), Sym::constant(84.0));
    assert_eq!(out(&trail, p.s(1)), Sym::constant(3.0));
    // A gate of 1 makes the unit a copy, which keeps its distance.
    assert_eq!(out(&trail, p.s(2)).offset, 5.0);
    assert_eq!(op(&trail, out(&trail, p.s(2))), &Op::Field(p.s(1)));
    assert_eq!(out(&trail, p.s(3)), Sym::ZERO);
}

#[test]
fn adjacent_bytes_are_a_word() {
    let network = memory();
    let trail = follow_from_carried(&network, &[2, 3]);
    let effects = &trail.effects[1];
    let offsets: Vec<_> = effects.reads.iter().map(|read| read.query.offset).collect();
    assert_eq!(offsets, [101.0, 102.0, 103.0, 104.0]);
    assert_eq!(effects.appends.len(), 1);
    let word = out(&trail, PORTS.s(1));
    let Op::Word(1, index) = *op(&trail, word) else { panic!("{:?}", op(&trail, word)) };
    assert_eq!(effects.words[index].reads, [0, 1, 2, 3]);
}

#[test]
fn bytes_with_other_weights_are_no_word() {
    for (term, weight) in [(1, 255.0), (2, 65_537.0), (3, 2.0)] {
        let mut network = memory();
        let word = network.experts.equation_range(3).start;
        let terms = network.experts.term_range(word);
        network.experts.weights[terms][term] = weight;
        let trail = follow_from_carried(&network, &[2, 3]);
        let Op::Sum(terms, _) = op(&trail, out(&trail, PORTS.s(1))) else { panic!("it is a sum") };
        assert!(terms.iter().any(|(_, w)| *w == weight), "{terms:?}");
    }
}

#[test]
fn constant_keys_in_no_region_read_0_and_are_no_rows() {
    let p = PORTS;
    let trail = follow_two(
        &[
            (p.q(0), &[(ONE, 60.0)]),
            (p.q(1), &[(ONE, 7.0)]),
            (p.k(0), &[(ONE, 60.0)]),
            (p.x(0), &[(ONE, 1.0)]),
            (p.k(1), &[(ONE, 8.0)]),
        ],
        &[(p.s(0), &[(p.yr(0), 1.0)]), (p.s(1), &[(p.yr(1), 1.0)])],
    );
    assert_eq!(out(&trail, p.s(0)), Sym::ZERO);
    assert_eq!(trail.effects[1].reads.len(), 1);
    assert_eq!(trail.effects[1].reads[0].query, Sym::constant(7.0));
    assert_eq!(trail.effects[1].appends.len(), 1);
    assert_eq!(trail.effects[1].appends[0].key, Sym::constant(8.0));
}

#[test]
fn gates_do_what_their_weights_need() {
    let p = PORTS;
    let gate = |terms: &[(u16, f64)]| {
        let trail = follow_two(
            &[(p.n(0), terms), (p.v(0), &[(ONE, 1.0)])],
            &[(p.n(1), &[(p.yu(0), 1.0)]), (p.n(2), &[(p.yu(0), 0.5)])],
        );
        [p.n(1), p.n(2)].map(|field| op(&trail, out(&trail, field)).clone())
    };
    // A gate is an integer and not negative, so a gate of a gate does nothing.
    let [again, half] = gate(&[(p.ys(1), 0.25)]);
    assert!(matches!(again, Op::Gate { floor: true, relu: true, .. }), "{again:?}");
    assert!(matches!(half, Op::Gate { floor: true, relu: false, .. }), "{half:?}");
    let [integer, _] = gate(&[(p.ys(1), 1.0)]);
    assert!(matches!(integer, Op::Gate { floor: false, relu: true, .. }), "{integer:?}");
}

#[test]
fn equal_values_are_one() {
    let p = PORTS;
    let trail = follow_two(
        &[
            (p.s(1), &[(p.ys(1), 1.0), (p.ys(2), 3.0)]),
            (p.q(0), &[(p.ys(1), 1.0), (p.ys(2), 3.0), (ONE, 101.0)]),
            (p.q(1), &[(p.ys(1), 1.0), (p.ys(2), 3.0), (ONE, 101.0)]),
        ],
        &[(p.s(1), &[(p.ys(1), 1.0)]), (p.s(2), &[(p.yr(0), 1.0)]), (p.s(3), &[(p.yr(1), 1.0)])],
    );
    assert_eq!(trail.effects[1].reads.len(), 1);
    assert_eq!(out(&trail, p.s(2)), out(&trail, p.s(3)));
    let read = trail.effects[1].reads[0];
    assert_eq!(read.query, Sym { offset: 101.0, ..out(&trail, p.s(1)) });
}

#[test]
fn a_sum_includes_only_the_constant_of_its_equation() {
    let p = PORTS;
    let (a, q) = ((p.ys(1), 1.0), (p.ys(2), -4_294_967_296.0));
    let gate: &[(u16, f64)] = &[(p.ys(3), 1.0)];
    // Finds the factor of the unit that is such a sum.
    let factor = |trail: &Trail| {
        let Op::Product(a, b) = *op(trail, out(trail, p.s(2))) else { panic!("it is a product") };
        let sums = [a, b].map(|id| trail.ops[id as usize].clone());
        sums.into_iter().find(|op| matches!(op, Op::Sum(..))).expect("a factor is a sum")
    };
    let unit: &[(Field, &[(u16, f64)])] = &[(p.s(2), &[(p.yu(0), 1.0)])];
    let trail = follow_two(&[(p.v(0), &[a, q, (ONE, 3.0)]), (p.n(0), gate)], unit);
    let Op::Sum(terms, 3.0) = factor(&trail) else { panic!("{:?}", trail.ops) };
    assert_eq!(terms.len(), 2);
    // A constant of the next equation must not be added before the two terms have cancelled.
    let trail = follow_three(
        &[(p.s(1), &[a, q]), (p.s(3), gate)],
        &[(p.v(0), &[(p.ys(1), 1.0), (ONE, 3.0)]), (p.n(0), gate)],
        unit,
    );
    let Op::Sum(terms, 3.0) = factor(&trail) else { panic!("{:?}", trail.ops) };
    let [(sum, 1.0)] = terms[..] else { panic!("{terms:?}") };
    assert!(matches!(&trail.ops[sum as usize], Op::Sum(terms, 0.0) if terms.len() == 2));
}

#[test]
fn constants_that_would_be_rounded_are_not_folded() {
    let p = PORTS;
    let large = (1u64 << 53) as f64;
    // Two steps add constants to a copy. Their sum would need 54 bits.
    let trail = follow_three(
        &[(p.s(1), &[(p.ys(1), 1.0), (ONE, large)])],
        &[(p.s(1), &[(p.ys(1), 1.0), (ONE, 1.0)])],
        &[(p.s(1), &[(p.ys(1), 1.0)])],
    );
    assert!(out(&trail, p.s(1)).offset.abs() <= large, "{:?}", out(&trail, p.s(1)));
    assert_ne!(op(&trail, out(&trail, p.s(1))), &Op::Field(p.s(1)));
    // An equation adds a known value to a constant, with or without another value.
    let equations: [&[(u16, f64)]; 2] =
        [&[(ONE, 1.0), (p.ys(0), 1.0), (p.ys(1), 1.0)], &[(ONE, 1.0), (p.ys(0), 1.0)]];
    let trail = follow_three(
        &[(p.s(0), &[(ONE, large)]), (p.s(1), &[(p.ys(1), 1.0)])],
        &[(p.s(1), equations[0]), (p.s(2), equations[1])],
        &[(p.s(1), &[(p.ys(1), 1.0)]), (p.s(2), &[(p.ys(2), 1.0)])],
    );
    let Op::Equation(terms) = op(&trail, out(&trail, p.s(1))) else { panic!("{:?}", trail.ops) };
    assert_eq!(terms.len(), 3);
    // If all of it is known, the result is that of the interpreter.
    assert_eq!(out(&trail, p.s(2)), Sym::constant(1.0 + large));
}

#[test]
fn only_what_is_wanted_is_used() {
    let network = adder();
    let mut trail = follow_from_carried(&network, &[2, 3]);
    trail.mark([]);
    assert!(trail.used.iter().all(|used| !used));
    let sum = out(&trail, PORTS.s(1));
    trail.mark([sum]);
    let unused: Vec<_> =
        trail.ops.iter().zip(&trail.used).filter(|(_, used)| !**used).map(|(op, _)| op).collect();
    let other = |op: &&Op| matches!(op, Op::Field(field) if *field == PORTS.s(0) || *field == PORTS.s(3));
    assert!(unused.iter().all(other), "{unused:?}");
}

#[test]
fn networks_of_integers_are_integral() {
    assert!(is_integral(&memory()));
    assert!(is_integral(&adder()));
    let with = |change: fn(&mut Network)| {
        let mut network = memory();
        change(&mut network);
        is_integral(&network)
    };
    assert!(!with(|network| network.lookup.push(0.5)));
    assert!(!with(|network| network.first_rows.push((1, 1.5))));
    assert!(!with(|network| network.experts.weights[0] = 0.5));
}
