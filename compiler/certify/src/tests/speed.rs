//! How long the proof of a large network takes: `cargo test --release certify -- --ignored --nocapture`.

use std::time::Instant;

use wasm2onnx_runtime::*;

use super::prove;

const PORTS: Ports = Ports { carried: 9, units: 6, reads: 1, lookups: 4, rows: 4 };
const WORD: Domain = Domain::Interval(Interval::WORD);

fn p2(k: i32) -> f64 {
    2f64.powi(k)
}
fn to(lo: i64, hi: i64) -> Domain {
    Domain::Interval(Interval::new(lo, hi))
}

/// Returns a chain of experts, each of which adds and wraps, takes bytes apart, looks four of them up and
/// stores two with masks.
fn chain(count: u32) -> Network {
    let p = PORTS;
    let (s, n, v, u, w) = (|i| p.s(i), |i| p.n(i), |i| p.v(i), |i| p.yu(i), |i| p.yw(i));
    let mask = [(Ports::ONE, 1.0 - p2(-33)), (p.yr(0), p2(-34)), (p.ys(3), -p2(-34))];
    let word = |k: i32| (0..4).map(move |j| (w(j), p2(8 * j as i32 - k))).collect::<Vec<_>>();
    let mut equations: Vec<(Field, Vec<(Source, f64)>)> = vec![
        (s(0), vec![(p.ys(8), 1.0), (u(0), -p2(32))]),
        (s(6), vec![(p.yr(0), 1.0)]),
        (s(7), word(0)),
        (s(8), vec![(p.ys(1), 1.0), (p.ys(2), 1.0)]),
        (n(0), vec![(p.ys(1), p2(-32)), (p.ys(2), p2(-32))]),
        (n(4), mask.to_vec()),
        (n(5), mask.to_vec()),
        (v(4), vec![(Ports::ONE, 1000.0), (p.ys(3), 1.0)]),
        (p.q(0), vec![(Ports::ONE, 1.0)]),
        (p.t(0), vec![(p.ys(7), 1.0), (u(1), -256.0)]),
        (p.t(1), vec![(u(1), 1.0), (u(2), -256.0)]),
        (p.t(2), vec![(u(2), 1.0), (u(3), -256.0)]),
        (p.t(3), vec![(u(3), 1.0)]),
        (p.k(0), vec![(u(4), 1.0)]),
        (p.k(1), vec![(u(4), 1.0), (u(5), 1.0)]),
        (p.x(0), vec![(w(0), 1.0)]),
        (p.x(1), vec![(w(1), 1.0)]),
    ];
    equations.extend((1..6).map(|i| (s(i), vec![(p.ys(i), 1.0)])));
    equations.extend([1, 2, 3].map(|i| (n(i), word(8 * i32::from(i)))));
    equations.extend([0, 1, 2, 3, 5].map(|i| (v(i), vec![(Ports::ONE, 1.0)])));
    equations.sort_by_key(|equation| equation.0);
    for equation in &mut equations {
        equation.1.sort_by_key(|term| term.0);
    }
    let mut fields = vec![(s(8), to(0, (1 << 33) - 2)), (n(0), to(0, 1)), (p.q(0), to(1, 1))];
    fields.extend((0..8).map(|i| (s(i), WORD)));
    fields.extend([1, 2, 3].map(|i| (n(i), to(0, (1 << (32 - 8 * i)) - 1))));
    fields.extend([4, 5].map(|i| (n(i), to(0, 1))));
    fields.extend([0, 1, 2, 3, 5].map(|i| (v(i), to(1, 1))));
    fields.push((v(4), to(1000, 1000 + 0xffff_ffff)));
    fields.extend((0..4).map(|i| (p.t(i), to(0, 255))));
    fields.sort_by_key(|d| d.0);
    let ghosts = [
        (vec![(s(8), 1), (n(0), -(1 << 32))], 0, 0xffff_ffff),
        (vec![(s(7), 1), (n(1), -256)], 0, 255),
        (vec![(n(1), 1), (n(2), -256)], 0, 255),
        (vec![(n(2), 1), (n(3), -256)], 0, 255),
        (vec![(v(4), 1), (n(4), 1 << 34)], i64::MIN, 1000 + 65534 + (1 << 34)),
        (vec![(n(4), 1), (n(5), -1)], 0, 0),
    ];
    let mut network =
        Network { ports: p, terminals: vec![Terminal::Unreachable, Terminal::Halt], ..Network::default() };
    for e in 0..count + 2 {
        if e >= 2 {
            for (field, terms) in &equations {
                terms.iter().for_each(|&(source, w)| network.experts.push_term(source, w));
                network.experts.end_equation(*field);
            }
            network.experts.push_term(Ports::ONE, f64::from(if e == count + 1 { 1 } else { e + 1 }));
            network.experts.end_equation(p.e());
            network.certificate.fields.extend(fields.iter().copied());
            for (terms, lo, hi) in &ghosts {
                network.certificate.push_ghost(terms.iter().copied(), Interval::new(*lo, *hi));
            }
        }
        network.experts.end_expert();
        network.certificate.end_expert();
    }
    let region =
        |name: &str, first, count, width, values| Region { name: name.into(), first, count, width, values };
    network.regions = vec![
        region("global", 1, 1, CellWidth::Number, to(0, 65536)),
        region("memory", 1000, 65536, CellWidth::Byte, to(0, 255)),
    ];
    network.lookup = (0..256).map(f64::from).collect();
    network
}

#[test]
#[ignore = "only for its time"]
fn speed() {
    let network = chain(150_000);
    let start = Instant::now();
    let validated = validate(&network);
    let structure = start.elapsed();
    assert!(validated.is_ok());
    let start = Instant::now();
    let checked = prove(&network);
    let time = start.elapsed();
    let equations = network.experts.fields.len();
    println!(
        "{} experts, {equations} equations, {} ghosts: {time:?}, of which structure {structure:?}; \
         {:.0} ns per equation",
        network.experts.len(),
        network.certificate.ghost_range.len(),
        time.as_nanos() as f64 / equations as f64
    );
    assert!(checked.is_ok(), "{checked:?}");
}
