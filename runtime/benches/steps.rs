//! Measures the time per step on a hand-made loop that looks like compiled code: a bounds-checked load of a
//! word, a wrapping sum, a store of a byte, a comparison and a branch. An iteration has four steps and two
//! dozen equations, not counting copies.
//!
//! `cargo bench -p wasm2onnx-runtime` prints nanoseconds per step for each executor.

use std::time::Instant;
use wasm2onnx_runtime::*;

const PORTS: Ports = Ports { carried: 8, units: 8, reads: 6, lookups: 2, rows: 4 };
const ONE: Source = Ports::ONE;
const MEMORY: f64 = 1000.0;
const SIZE: f64 = 65_536.0;

fn p2(k: i32) -> f64 {
    2f64.powi(k)
}

/// A field and the terms of its equation.
type Equation<'a> = (Field, &'a [(Source, f64)]);

/// Appends an expert made of equations in any order.
fn expert(experts: &mut Experts, equations: &[Equation<'_>]) -> ExpertId {
    let mut equations = equations.to_vec();
    equations.sort_by_key(|equation| equation.0);
    for (field, terms) in equations {
        let mut terms = terms.to_vec();
        terms.sort_by_key(|term| term.0);
        terms.iter().for_each(|(source, weight)| experts.push_term(*source, *weight));
        experts.end_equation(field);
    }
    experts.end_expert()
}

/// run(n): sums n words of memory, at an address that wraps, and stores a byte of each sum elsewhere.
fn network() -> Network {
    let p = PORTS;
    let (fp, address, left, sum) = (p.ys(0), p.ys(1), p.ys(2), p.ys(3));
    let keep: [Equation<'_>; 2] = [(p.s(0), &[(fp, 1.0)]), (p.s(2), &[(left, 1.0)])];
    let mut experts = Experts::default();
    experts.end_expert();
    experts.end_expert();
    let (head, out) = (6.0, 1.0);
    let query = |i: f64| vec![(address, 1.0), (ONE, MEMORY + i)];

    // 2: the argument is the number of rounds.
    let start = expert(&mut experts, &[(p.s(2), &[(address, 1.0)]), (p.e(), &[(ONE, head)])]);
    // 3: the bounds check and the queries.
    expert(
        &mut experts,
        &[
            &keep[..],
            &[
                (p.s(1), &[(address, 1.0)]),
                (p.s(3), &[(sum, 1.0)]),
                (p.q(0), &query(0.0)),
                (p.q(1), &query(1.0)),
                (p.q(2), &query(2.0)),
                (p.q(3), &query(3.0)),
                (p.n(0), &[(ONE, (SIZE - 4.0) * p2(-33) + 1.0), (address, -p2(-33))]),
                (p.v(0), &[(ONE, 1.0)]),
                (p.e(), &[(ONE, 4.0)]),
            ],
        ]
        .concat(),
    );
    // 4: adds the word, makes the gates that wrap the sum and the next address, keeps the result of the
    // check.
    let word = [(p.yr(0), 1.0), (p.yr(1), p2(8)), (p.yr(2), p2(16)), (p.yr(3), p2(24))];
    let scaled: Vec<_> = word.iter().map(|(s, w)| (*s, w * p2(-32))).chain([(sum, p2(-32))]).collect();
    let total: Vec<_> = word.into_iter().chain([(sum, 1.0)]).collect();
    expert(
        &mut experts,
        &[
            &keep[..],
            &[
                (p.s(3), &total),
                (p.n(0), &scaled),
                (p.v(0), &[(ONE, 1.0)]),
                (p.s(1), &[(address, 1.0)]),
                (p.n(1), &[(address, p2(-16)), (ONE, 5.0 * p2(-16))]),
                (p.v(1), &[(ONE, 1.0)]),
                (p.s(4), &[(p.yu(0), 1.0)]),
                (p.e(), &[(ONE, 5.0)]),
            ],
        ]
        .concat(),
    );
    // 5: wraps the sum and the address, makes the gates for the branch and for the low byte of the sum.
    expert(
        &mut experts,
        &[
            (p.s(0), &[(fp, 1.0)]),
            (p.s(2), &[(left, 1.0), (ONE, -1.0)]),
            (p.s(3), &[(sum, 1.0), (p.yu(0), -p2(32))]),
            (p.s(1), &[(address, 1.0), (ONE, 5.0), (p.yu(1), -p2(16))]),
            (p.s(4), &[(p.ys(4), 1.0)]),
            (p.n(0), &[(sum, p2(-8)), (p.yu(0), -p2(24))]),
            (p.v(0), &[(ONE, 1.0)]),
            (p.n(1), &[(ONE, 2.0), (left, -1.0)]),
            (p.v(1), &[(ONE, 1.0)]),
            (p.e(), &[(ONE, head)]),
        ],
    );
    // 6: the last step of the packet: makes the row that stores the byte, and branches.
    expert(
        &mut experts,
        &[
            &keep[..],
            &[
                (p.s(1), &[(address, 1.0)]),
                (p.s(3), &[(sum, 1.0)]),
                (p.k(0), &[(address, 1.0), (ONE, MEMORY + SIZE)]),
                (p.x(0), &[(sum, 1.0), (p.yu(0), -256.0)]),
                (p.e(), &[(ONE, 3.0), (p.yu(1), out - 3.0)]),
            ],
        ]
        .concat(),
    );
    let entry = Entry {
        expert: start,
        params: vec![ValueType::I32],
        results: vec![ValueType::I32],
        param_locations: vec![WordLocation::Field(p.s(1))],
        result_locations: vec![WordLocation::Field(p.s(3))],
        boundary: None,
    };
    Network {
        ports: p,
        experts,
        terminals: vec![Terminal::Unreachable, Terminal::Halt],
        entries: [("run".to_string(), entry)].into(),
        regions: vec![Region {
            name: "memory".into(),
            first: MEMORY as u64,
            count: 2 * SIZE as u64,
            width: CellWidth::Byte,
            values: Domain::Interval(Interval::new(0, 255)),
        }],
        first_rows: (0..SIZE as u64).map(|i| (1000 + i, (i * 37 % 251) as f64)).collect(),
        ..Network::default()
    }
}

fn main() {
    let network = network();
    let mut results = Vec::new();
    for (name, executor, compile_after, rounds) in [
        ("machine code", Executor::Sparse, Some(100), 20_000_000),
        ("interpreter", Executor::Sparse, None, 2_000_000),
        ("dense", Executor::Dense, None, 500),
    ] {
        let config = || Config { executor, compile_after, assert_declared: false, ..Config::default() };
        let run = |rounds| {
            let mut instance = Instance::with_config(&network, config()).expect("the network is valid");
            let start = Instant::now();
            let result = instance.invoke("run", &[Value::I32(rounds)]).expect("the loop ends");
            (result, start.elapsed(), instance.steps())
        };
        results.push(run(400).0);
        let (_, elapsed, steps) = run(rounds);
        println!("{name:>13}: {:.2} ns per step, {steps} steps", elapsed.as_nanos() as f64 / steps as f64);
    }
    assert!(results.windows(2).all(|pair| pair[0] == pair[1]), "{results:?}");
}
