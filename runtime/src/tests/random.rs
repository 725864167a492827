//! Random networks with small weights: all executors agree on every number of every step as long as
//! values stay exact. Damaged networks never panic.

use fastrand::Rng;

use super::*;

/// Draws `true` once in `n` times.
fn one_in(random: &mut Rng, n: u64) -> bool {
    random.u64(..n) == 0
}

/// Draws an item of a list.
pub(crate) fn pick<T: Copy>(random: &mut Rng, items: &[T]) -> T {
    items[random.usize(..items.len())]
}

const VOCABULARY: u64 = 12;

/// Returns the terms of an equation: up to three and a constant.
fn equation(random: &mut Rng, ports: &Ports, kind: FieldKind) -> Vec<(Source, f64)> {
    let mut terms = std::collections::BTreeMap::new();
    for _ in 0..random.u64(..4) {
        let source = 1 + random.u64(..ports.sources() as u64 - 1) as Source;
        let weight = match kind {
            FieldKind::N => pick(random, &[1.0, -1.0, 0.5, 2f64.powi(-8), 2f64.powi(-32)]),
            _ => pick(random, &[1.0, 1.0, -1.0, 2.0, 256.0]),
        };
        terms.insert(source, weight);
    }
    let constant = match kind {
        FieldKind::E => 2.0 + random.u64(..VOCABULARY - 2) as f64,
        FieldKind::Q | FieldKind::K => pick(random, &[1.0, 7.0, 101.0, 110.0, 100_000.0]),
        FieldKind::T => random.u64(..8) as f64,
        _ => pick(random, &[0.0, 1.0, -1.0, 3.0, 255.0]),
    };
    if constant != 0.0 && !one_in(random, 4) {
        terms.insert(ONE, constant);
    }
    terms.into_iter().collect()
}

/// Returns the terms of an equation whose value stays small if the values in the trace do, for long exact
/// runs.
fn tame_equation(random: &mut Rng, ports: &Ports, kind: FieldKind, index: u16) -> Vec<(Source, f64)> {
    let small = |random: &mut Rng| match random.u64(..3) {
        0 => ports.yr(random.u16(..ports.reads)),
        1 => ports.yw(random.u16(..ports.lookups)),
        _ => ports.yu(random.u16(..ports.units)),
    };
    let carried = |random: &mut Rng| ports.ys(random.u16(..ports.carried));
    let constant = random.u64(..9) as f64;
    match kind {
        FieldKind::S => match random.u64(..8) {
            0..=1 => vec![(carried(random), 1.0)],
            2..=3 => vec![(ports.ys(index), 1.0), (ONE, constant - 4.0)],
            4 => {
                vec![(ports.yr(0), 1.0), (ports.yr(1), 256.0), (ports.yr(2), 65_536.0), (ports.yr(3), p2(24))]
            }
            5 => vec![(ports.yr(1), 1.0), (ports.yr(2), 256.0), (carried(random), 1.0)],
            6 => vec![(small(random), 1.0), (ONE, 1.0)],
            _ => vec![(small(random), -1.0), (carried(random), 1.0)],
        },
        FieldKind::N => match random.u64(..3) {
            0 => vec![(carried(random), p2(-10)), (ONE, constant)],
            1 => vec![(small(random), 1.0), (ONE, constant - 4.0)],
            _ => vec![(carried(random), -p2(-30)), (ONE, 1.0)],
        },
        FieldKind::V => match random.u64(..3) {
            0 => vec![(ONE, constant)],
            1 => vec![(small(random), 1.0), (ONE, constant - 4.0)],
            _ => vec![(ONE, 1.0)],
        },
        // Mostly four adjacent bytes.
        FieldKind::Q | FieldKind::K => match random.u64(..9) {
            0 => vec![(ONE, pick(random, &[1.0, 9.0, 101.0, 103.0, 100_000.0]))],
            1 => vec![(ports.ys(1), 1.0)],
            2 => vec![(small(random), 1.0), (ONE, 101.0)],
            _ => vec![(ports.ys(2), 1.0), (ONE, pick(random, &[101.0, 101.0, 1.0]) + f64::from(index))],
        },
        FieldKind::T => vec![(small(random), 1.0), (ONE, constant)],
        FieldKind::X => match random.u64(..3) {
            0 => vec![(ONE, constant)],
            _ => vec![(ports.yw(random.u16(..ports.lookups)), 1.0)],
        },
        FieldKind::E => {
            let next = 2.0 + random.u64(..VOCABULARY - 2) as f64;
            match random.u64(..3) {
                0 => vec![(ONE, next)],
                1 => vec![(ONE, next), (ports.yu(random.u16(..ports.units)), 1.0)],
                _ => vec![(ONE, next), (ports.yw(0), 1.0), (ports.yw(1), -1.0)],
            }
        }
    }
}

/// Returns a network of random experts whose runs are long and exact.
pub(crate) fn tame_network(random: &mut Rng) -> Network {
    let p = PORTS;
    let mut w = Writer::new(2);
    for _ in 2..VOCABULARY {
        let mut equations = Vec::new();
        for field in 0..=p.e() {
            let (kind, index) = p.kind(field);
            let terms = match kind {
                FieldKind::S if !one_in(random, 3) => vec![(p.ys(index), 1.0)],
                FieldKind::K | FieldKind::X if one_in(random, 2) => continue,
                FieldKind::E => tame_equation(random, &p, kind, index),
                _ if one_in(random, 6) => continue,
                _ => tame_equation(random, &p, kind, index),
            };
            // Terms with the same source are added.
            let mut sums = std::collections::BTreeMap::new();
            terms.into_iter().for_each(|(source, weight)| *sums.entry(source).or_insert(0.0) += weight);
            equations.push((field, sums.into_iter().filter(|term| term.1 != 0.0).collect::<Vec<_>>()));
        }
        let equations: Vec<_> = equations.iter().map(|(field, terms)| (*field, &terms[..])).collect();
        w.expert(&equations);
    }
    let first = 2 + random.u64(..VOCABULARY - 2) as ExpertId;
    let mut network = network(w.finish(), &[("f", entry(first, 3, 1))]);
    network.regions = regions();
    network.lookup = (0..16).map(|_| random.u64(..6) as f64).collect();
    network.first_rows = (0..40).map(|_| (101 + random.u64(..300), random.u64(..256) as f64)).collect();
    network
}

/// Returns a network of random experts. Most queries and keys are in regions, and most values are small.
pub(crate) fn random_network(random: &mut Rng) -> Network {
    let p = PORTS;
    let mut w = Writer::new(2);
    for _ in 2..VOCABULARY {
        let mut equations = Vec::new();
        for field in 0..=p.e() {
            let (kind, index) = p.kind(field);
            let terms = match kind {
                FieldKind::S if one_in(random, 2) => vec![(p.ys(index), 1.0)],
                FieldKind::S if one_in(random, 3) => continue,
                FieldKind::E if one_in(random, 2) => {
                    vec![(ONE, 2.0 + random.u64(..VOCABULARY - 2) as f64)]
                }
                FieldKind::E if one_in(random, 20) => vec![(ONE, 1.0)],
                _ if one_in(random, 3) => continue,
                _ => equation(random, &p, kind),
            };
            equations.push((field, terms));
        }
        let equations: Vec<_> = equations.iter().map(|(field, terms)| (*field, &terms[..])).collect();
        w.expert(&equations);
    }
    let first = 2 + random.u64(..VOCABULARY - 2) as ExpertId;
    let mut network = network(w.finish(), &[("f", entry(first, 3, 1))]);
    network.regions = regions();
    for region in &mut network.regions {
        if region.width == CellWidth::Number {
            region.values = Domain::Interval(Interval::new(-(1 << 53), 1 << 53));
        }
    }
    network.lookup = (0..8).map(|_| random.u64(..20) as f64).collect();
    network
}

pub(crate) fn args(random: &mut Rng) -> [Value; 3] {
    std::array::from_fn(|_| word(random.u64(..300) as u32))
}

#[test]
fn executors_agree_on_random_networks() {
    let mut steps = 0;
    for seed in 0..3000 {
        let mut random = Rng::with_seed(seed);
        let network = random_network(&mut random);
        let args = args(&mut random);
        match compare_step_by_step(&network, "f", &args, 200) {
            Ok(report) => steps += report.steps,
            Err(divergence) => panic!("seed {seed}: {divergence}"),
        }
    }
    assert!(steps > 10_000, "only {steps} steps were compared");
}

#[test]
fn executors_agree_on_long_runs() {
    let mut steps = 0;
    for seed in 0..100 {
        let mut random = Rng::with_seed(seed);
        let network = tame_network(&mut random);
        match compare_step_by_step(&network, "f", &args(&mut random), 300) {
            Ok(report) => steps += report.steps,
            Err(divergence) => panic!("seed {seed}: {divergence}"),
        }
    }
    assert!(steps > 10_000, "only {steps} steps were compared");
}

#[test]
fn damaged_networks_never_panic() {
    for seed in 0..1000 {
        let mut random = Rng::with_seed(seed);
        let mut network = random_network(&mut random);
        for _ in 0..20 {
            let term = random.u64(..network.experts.weights.len() as u64) as usize;
            network.experts.weights[term] =
                pick(&mut random, &[1e300, -1e300, 0.3, 1e18, -7.5, 2f64.powi(-1074)]);
        }
        for executor in [Executor::Sparse, Executor::Dense] {
            let config = Config { executor, max_steps: Some(100), ..Config::default() };
            let mut instance = Instance::with_config(&network, config).unwrap();
            let _ = instance.invoke("f", &args(&mut random));
        }
    }
}

#[test]
fn malformed_networks_are_refused() {
    let mut refused = 0;
    for seed in 0..2000 {
        let mut random = Rng::with_seed(seed);
        let mut network = random_network(&mut random);
        let experts = &mut network.experts;
        let any = random.u64(..u64::MAX) as usize;
        let small = random.u64(..40);
        match random.u64(..12) {
            0 => experts.expert_end[any % 12] = small as u32,
            1 => experts.equation_end[any % 40] = small as u32,
            2 => experts.fields[any % 40] = small as Field,
            3 => experts.sources[any % 60] = small as Source,
            4 => experts.weights[any % 60] = f64::NAN,
            5 => network.regions[any % 3].first = small,
            6 => network.regions[any % 3].count = any as u64,
            7 => network.first_rows.push((small * 10, 1.0)),
            8 => network.start = Some(small as ExpertId),
            9 => network.ports.units = small as u16,
            10 => network.terminals.truncate(any % 3),
            _ => network.io.stdout = Some((any % 5, small * 3)),
        }
        let config = Config { max_steps: Some(50), ..Config::default() };
        match Instance::with_config(&network, config) {
            Err(Error::Malformed(_)) => refused += 1,
            Err(_) => {}
            Ok(mut instance) => drop(instance.invoke("f", &args(&mut random))),
        }
    }
    assert!(refused > 500, "only {refused} were refused");
}
