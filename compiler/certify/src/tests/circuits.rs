//! The circuits, with what a compiler has to declare for each.

use wasm2onnx_runtime::*;

pub(super) const PORTS: Ports = Ports { carried: 6, units: 6, reads: 2, lookups: 4, rows: 4 };

/// Sources.
pub(super) struct Sources {
    pub r0: Source,
    pub r1: Source,
    pub w0: Source,
    pub w1: Source,
    pub u: [Source; 6],
    pub s0: Source,
    pub s1: Source,
    pub s2: Source,
    pub s3: Source,
    pub s4: Source,
}

pub(super) const Y: Sources =
    Sources { r0: 1, r1: 2, w0: 3, w1: 4, u: [7, 8, 9, 10, 11, 12], s0: 13, s1: 14, s2: 15, s3: 16, s4: 17 };
pub(super) const ONE: Source = 0;
pub(super) const U0: Source = Y.u[0];
pub(super) const U1: Source = Y.u[1];
pub(super) const U2: Source = Y.u[2];
pub(super) const S1S: Source = Y.s1;

pub(super) const S0: Field = 0;
pub(super) const S1: Field = 1;
pub(super) const S2: Field = 2;
pub(super) const N0: Field = 6;
pub(super) const N1: Field = 7;
pub(super) const V0: Field = 12;
pub(super) const Q0: Field = 18;
pub(super) const Q1: Field = 19;
pub(super) const T0: Field = 20;
pub(super) const K0: Field = 24;
pub(super) const K1: Field = 25;
pub(super) const K3: Field = 27;
pub(super) const X0: Field = 28;
pub(super) const X1: Field = 29;
pub(super) const E: Field = 32;

const WORD: Domain = Domain::Interval(Interval::WORD);
/// 2^32
const M: f64 = 4294967296.0;

fn to(lo: i64, hi: i64) -> Domain {
    Domain::Interval(Interval::new(lo, hi))
}
fn point(x: i64) -> Domain {
    to(x, x)
}
fn p2(k: i32) -> f64 {
    2f64.powi(k)
}

/// Equations, declared fields and ghosts of an expert.
#[derive(Default)]
struct Expert {
    equations: Vec<(Field, Vec<(Source, f64)>)>,
    fields: Vec<(Field, Domain)>,
    ghosts: Vec<(Vec<(Field, i64)>, Interval)>,
}

impl Expert {
    fn has(mut self, field: Field, domain: Domain) -> Self {
        self.fields.push((field, domain));
        self
    }
    fn ghost(mut self, terms: &[(Field, i64)], lo: i64, hi: i64) -> Self {
        self.ghosts.push((terms.to_vec(), Interval::new(lo, hi)));
        self
    }
    fn equation(mut self, field: Field, terms: &[(Source, f64)]) -> Self {
        self.equations.push((field, terms.iter().copied().filter(|term| term.1 != 0.0).collect()));
        self
    }
    fn constant(self, field: Field, x: f64) -> Self {
        self.equation(field, &[(ONE, x)])
    }
    fn carry(self, field: Field) -> Self {
        self.equation(field, &[(PORTS.ys(field), 1.0)])
    }
}

fn expert() -> Expert {
    Expert::default()
}

/// Returns the network of experts 2, 3, … after `unreachable` and `halt`; `f` enters at 2 with `args` words.
fn network(args: u16, experts: Vec<Expert>) -> Network {
    let mut network = Network {
        ports: PORTS,
        terminals: vec![Terminal::Unreachable, Terminal::Halt],
        ..Network::default()
    };
    let certificate = &mut network.certificate;
    for _ in 0..2 {
        network.experts.end_expert();
        certificate.end_expert();
    }
    for mut e in experts {
        e.equations.sort_by_key(|equation| equation.0);
        for (field, mut terms) in e.equations {
            terms.sort_by_key(|term| term.0);
            for (source, w) in terms {
                network.experts.push_term(source, w);
            }
            network.experts.end_equation(field);
        }
        network.experts.end_expert();
        e.fields.sort_by_key(|d| d.0);
        certificate.fields.extend(e.fields);
        for (terms, range) in e.ghosts {
            certificate.push_ghost(terms, range);
        }
        certificate.end_expert();
    }
    let entry = Entry {
        expert: 2,
        params: vec![ValueType::I32; args.into()],
        results: vec![ValueType::I32],
        param_locations: (1..=args).map(|i| WordLocation::Field(PORTS.s(i))).collect(),
        result_locations: vec![WordLocation::Field(S1)],
        boundary: None,
    };
    network.entries.insert("f".into(), entry);
    network
}

fn region(name: &str, first: u64, count: u64, width: CellWidth, values: Domain) -> Region {
    Region { name: name.into(), first, count, width, values }
}

/// `do s1 = s1 + 1 (mod 2^32) while s1 < s2`
pub(super) fn add_loop() -> Network {
    network(
        2,
        vec![
            expert()
                .has(S1, WORD)
                .has(S2, WORD)
                .equation(S1, &[(ONE, 1.0), (Y.s1, 1.0)])
                .equation(N0, &[(ONE, 1.0 / M), (Y.s1, 1.0 / M)])
                .constant(V0, 1.0)
                .carry(S2)
                .constant(E, 3.0),
            expert()
                .has(S1, to(1, 1 << 32))
                .has(S2, WORD)
                .has(N0, to(0, 1))
                .has(V0, point(1))
                .ghost(&[(S1, 1), (N0, -(1 << 32))], 0, 0xffff_ffff)
                .equation(S1, &[(Y.s1, 1.0), (U0, -M)])
                .equation(N0, &[(ONE, 1.0 - p2(-33)), (Y.s2, p2(-33)), (Y.s1, -p2(-33)), (U0, p2(-1))])
                .constant(V0, 1.0)
                .carry(S2)
                .constant(E, 4.0),
            expert()
                .has(S1, WORD)
                .has(S2, WORD)
                .has(N0, to(0, 1))
                .has(V0, point(1))
                .carry(S1)
                .carry(S2)
                .equation(E, &[(ONE, 1.0), (U0, 1.0)]),
        ],
    )
}

/// Gates that are floors of `s1` divided by a large odd number and of `s2` divided by 2^62: the numbers
/// before the floors are both integers only in units of one over the product of the divisors.
pub(super) fn fine_floors() -> Network {
    let reciprocal = 1.0 / (p2(51) + 1.0);
    network(
        2,
        vec![
            expert()
                .has(S1, WORD)
                .has(S2, WORD)
                .equation(N0, &[(ONE, 0.5 * reciprocal), (Y.s1, reciprocal)])
                .equation(N1, &[(Y.s2, p2(-62))])
                .constant(E, 3.0),
            expert().ghost(&[(N0, 1), (N1, 1)], 0, 0).constant(E, 1.0),
        ],
    )
}

/// A certificate that was made to keep its reader busy: all that it says is true, but follows only from the
/// last of the `facts` facts that are tried, and is said as many times.
pub(super) fn busy(facts: i64) -> Network {
    let word = i64::from(u32::MAX);
    let mut second = expert().has(S1, WORD).has(S2, WORD).ghost(&[(S1, 1), (S2, -1)], 0, 0);
    let mut third = expert().constant(E, 1.0);
    for i in 2..=facts {
        second = second.ghost(&[(S1, i), (S2, -i - 1)], -(i + 1) * word, i * word);
        third = third.ghost(&[(S1, 1), (S2, -1)], 0, 0);
    }
    let first = expert().has(S1, WORD).has(S2, WORD).carry(S1).equation(S2, &[(Y.s1, 1.0)]).constant(E, 3.0);
    network(2, vec![first, second.carry(S1).carry(S2).constant(E, 4.0), third])
}

/// `s1 & s2`: bytes of both, four table reads.
pub(super) fn and() -> Network {
    let mut split = expert().has(S1, WORD).has(S2, WORD).carry(S1).carry(S2).constant(E, 3.0);
    let mut queries = expert().has(S1, WORD).has(S2, WORD).constant(E, 4.0);
    let mut sum = expert().constant(E, 5.0);
    for (a, source) in [(0, Y.s1), (3, Y.s2)] {
        for i in 0..3 {
            let (n, v) = (PORTS.n(a + i), PORTS.v(a + i));
            split = split.equation(n, &[(source, p2(-8 * (i as i32 + 1)))]).constant(v, 1.0);
            queries = queries.has(n, to(0, (1 << (24 - 8 * i)) - 1)).has(v, point(1));
            let below = if i == 0 { if a == 0 { S1 } else { S2 } } else { PORTS.n(a + i - 1) };
            queries = queries.ghost(&[(below, 1), (n, -256)], 0, 255);
        }
    }
    for j in 0..4 {
        let mut terms = Vec::new();
        for (a, source, factor) in [(0, Y.s1, 256.0), (3, Y.s2, 1.0)] {
            terms.push((if j == 0 { source } else { Y.u[a + j - 1] }, factor));
            if j < 3 {
                terms.push((Y.u[a + j], -256.0 * factor));
            }
        }
        queries = queries.equation(PORTS.t(j as u16), &terms);
        sum = sum.has(PORTS.t(j as u16), to(0, 65535));
    }
    sum = sum.equation(S1, &[(Y.w0, 1.0), (Y.w1, 256.0), (5, 65536.0), (6, 16777216.0)]);
    let mut network =
        network(2, vec![split, queries, sum, expert().has(S1, WORD).carry(S1).constant(E, 1.0)]);
    network.lookup = (0..65536).map(|i| f64::from((i / 256) & (i % 256))).collect();
    network.tables = vec![Table { name: "and".into(), first: 0, count: 65536, domain: to(0, 255) }];
    network
}

/// `if s1 >= s2 { s3 } else { s4 }` with one unit.
pub(super) fn select() -> Network {
    network(
        4,
        vec![
            (1..=4)
                .fold(expert(), |e, s| e.has(s, WORD))
                .equation(N0, &[(ONE, 1.0), (Y.s1, p2(-33)), (Y.s2, -p2(-33))])
                .equation(V0, &[(Y.s3, 1.0), (Y.s4, -1.0)])
                .equation(S1, &[(Y.s4, 1.0)])
                .constant(E, 3.0),
            expert()
                .has(S1, WORD)
                .has(N0, to(0, 1))
                .has(V0, to(-0xffff_ffff, 0xffff_ffff))
                .ghost(&[(V0, 1), (S1, 1)], 0, 0xffff_ffff)
                .equation(S1, &[(Y.s1, 1.0), (U0, 1.0)])
                .constant(E, 4.0),
            expert().has(S1, WORD).carry(S1).constant(E, 1.0),
        ],
    )
}

/// First key of the memory, and its number of keys.
const MEMORY: i64 = 1000;
const BYTES: i64 = 65536;

/// Stores `s2` at address `s1`, if that is in bounds.
pub(super) fn masked_store() -> Network {
    let mask = [(ONE, 1.0 - p2(-32)), (Y.r0, p2(-34)), (Y.s1, -p2(-34))];
    let mut load =
        expert().has(S1, WORD).has(S2, WORD).carry(S1).carry(S2).constant(Q0, 1.0).constant(E, 3.0);
    let mut masks = expert().has(S1, WORD).has(S2, WORD).has(Q0, point(1)).constant(E, 4.0);
    let mut store = expert()
        .has(N0, to(0, 1))
        .has(V0, to(MEMORY, MEMORY + 0xffff_ffff))
        .has(N1, to(0, 1))
        .has(PORTS.v(1), point(1))
        .ghost(&[(V0, 1), (N0, 1 << 34)], i64::MIN, MEMORY + BYTES - 4 + (1 << 34))
        .ghost(&[(N0, 1), (N1, -1)], 0, 0)
        .equation(E, &[(U1, 1.0)]);
    masks = masks.equation(N0, &mask).equation(V0, &[(ONE, MEMORY as f64), (Y.s1, 1.0)]);
    masks = masks.equation(N1, &mask).constant(PORTS.v(1), 1.0);
    for i in 0..3 {
        let (n, v) = (PORTS.n(3 + i), PORTS.v(3 + i));
        load = load.equation(n, &[(Y.s2, p2(-8 * (i as i32 + 1)))]).constant(v, 1.0);
        masks = masks.has(n, to(0, (1 << (24 - 8 * i)) - 1)).has(v, point(1));
        let below = if i == 0 { S2 } else { PORTS.n(2 + i) };
        masks = masks.ghost(&[(below, 1), (n, -256)], 0, 255);
    }
    for j in 0..4u16 {
        let byte = PORTS.s(1 + j);
        let mut terms = vec![(if j == 0 { Y.s2 } else { Y.u[2 + j as usize] }, 1.0)];
        if j < 3 {
            terms.push((Y.u[3 + j as usize], -256.0));
        }
        masks = masks.equation(byte, &terms);
        let mut key = vec![(U0, 1.0)];
        if j > 0 {
            key.push((U1, j.into()));
        }
        store = store
            .has(byte, to(0, 255))
            .equation(PORTS.k(j), &key)
            .equation(PORTS.x(j), &[(PORTS.ys(byte), 1.0)]);
    }
    let mut network = network(2, vec![load, masks, store]);
    network.regions = vec![
        region("global", 1, 1, CellWidth::Number, to(0, BYTES)),
        region("memory", MEMORY as u64, BYTES as u64, CellWidth::Byte, to(0, 255)),
    ];
    network.first_rows = vec![(1, BYTES as f64)];
    network
}

/// `s1 << s2`, by a product with a power of two.
pub(super) fn shl() -> Network {
    let mut network = network(
        2,
        vec![
            expert()
                .has(S1, WORD)
                .has(S2, WORD)
                .equation(N0, &[(Y.s2, p2(-5))])
                .constant(V0, 1.0)
                .carry(S1)
                .carry(S2)
                .constant(E, 3.0),
            expert()
                .has(S1, WORD)
                .has(S2, WORD)
                .has(N0, to(0, (1 << 27) - 1))
                .has(V0, point(1))
                .ghost(&[(S2, 1), (N0, -32)], 0, 31)
                .equation(T0, &[(Y.s2, 1.0), (U0, -32.0)])
                .carry(S1)
                .constant(E, 4.0),
            expert()
                .has(S1, WORD)
                .has(T0, to(0, 31))
                .equation(N0, &[(Y.s1, 1.0)])
                .equation(V0, &[(Y.w0, 1.0)])
                .constant(E, 5.0),
            expert()
                .has(N0, WORD)
                .has(V0, Domain::PowerOfTwo { hi: 31 })
                .equation(S1, &[(U0, 1.0)])
                .equation(N0, &[(U0, p2(-32))])
                .constant(V0, 1.0)
                .constant(E, 6.0),
            expert()
                .has(S1, to(0, 0xffff_ffff << 31))
                .has(N0, to(0, 0x7fff_ffff))
                .has(V0, point(1))
                .ghost(&[(S1, 1), (N0, -(1 << 32))], 0, 0xffff_ffff)
                .equation(S1, &[(Y.s1, 1.0), (U0, -M)])
                .constant(E, 7.0),
            expert().has(S1, WORD).carry(S1).constant(E, 1.0),
        ],
    );
    network.lookup = (0..32).map(p2).collect();
    network.tables =
        vec![Table { name: "powers".into(), first: 0, count: 32, domain: Domain::PowerOfTwo { hi: 31 } }];
    network
}

/// Number of cells of the stack.
const STACK: i64 = 1000;
/// Size of the caller's frame.
const FRAME: i64 = 8;
const FP_KEYS: i64 = 1;
const RETURN_KEYS: i64 = 2001;

/// Calls a function that returns, with the saved frame pointer and the return expert in `control`.
pub(super) fn call() -> Network {
    let (last, check) = (STACK - 4, p2(-17));
    let fp = to(0, last);
    // fp + FRAME ≤ last
    let mask = [(ONE, 1.0 + (last - FRAME) as f64 * check), (Y.s0, -check)];
    let mut enter = expert().has(S0, fp).has(S1, WORD).carry(S0).carry(S1).constant(E, 3.0);
    let mut push = expert().has(S0, fp).has(S1, WORD).carry(S1);
    for (i, base) in [(0, Some(0)), (1, None), (2, Some(RETURN_KEYS)), (3, Some(FP_KEYS))] {
        let (n, v) = (PORTS.n(i), PORTS.v(i));
        enter = enter.equation(n, &mask);
        push = push.has(n, to(0, 1));
        let Some(base) = base else {
            enter = enter.constant(v, 1.0);
            push = push.has(v, point(1));
            continue;
        };
        enter = enter.equation(v, &[(ONE, (base + FRAME) as f64), (Y.s0, 1.0)]);
        push = push.has(v, to(base + FRAME, base + FRAME + last)).ghost(
            &[(v, 1), (n, 1 << 17)],
            i64::MIN,
            base + last + (1 << 17),
        );
    }
    push = push
        .equation(S0, &[(U0, 1.0)])
        .equation(K0, &[(U2, 1.0)])
        .constant(X0, 6.0)
        .equation(K1, &[(Y.u[3], 1.0)])
        .equation(X1, &[(Y.s0, 1.0)])
        .equation(E, &[(U1, 4.0)]);
    let callee = expert()
        .has(S0, fp)
        .has(S1, WORD)
        .equation(Q0, &[(ONE, RETURN_KEYS as f64), (Y.s0, 1.0)])
        .equation(Q1, &[(ONE, FP_KEYS as f64), (Y.s0, 1.0)])
        .carry(S1)
        .constant(E, 5.0);
    let back = expert()
        .has(S1, WORD)
        .has(Q0, to(RETURN_KEYS, RETURN_KEYS + last))
        .has(Q1, to(FP_KEYS, FP_KEYS + last))
        .equation(S0, &[(Y.r1, 1.0)])
        .carry(S1)
        .equation(E, &[(Y.r0, 1.0)]);
    let after = expert().has(S0, fp).has(S1, WORD).carry(S0).carry(S1).constant(E, 1.0);
    let mut network = network(1, vec![enter, push, callee, back, after]);
    network.regions = vec![
        region("control.fp", FP_KEYS as u64, STACK as u64, CellWidth::Number, fp),
        region("control.return", RETURN_KEYS as u64, STACK as u64, CellWidth::Number, Domain::Ids(0)),
    ];
    network.certificate.id_sets =
        vec![IdSet { name: "returns".into(), ids: vec![6], interface: vec![(S0, fp), (S1, WORD)] }];
    network
}

/// A jump to one of four packets: the last one for all indices from 3 on.
pub(super) fn jump_table() -> Network {
    let mut experts = vec![
        expert()
            .has(S1, WORD)
            .equation(N0, &[(ONE, -3.0), (Y.s1, 1.0)])
            .constant(V0, 1.0)
            .carry(S1)
            .constant(E, 3.0),
        expert()
            .has(S1, WORD)
            .has(N0, WORD)
            .has(V0, point(1))
            .ghost(&[(S1, 1), (N0, -1)], 0, 3)
            .equation(T0, &[(Y.s1, 1.0), (U0, -1.0)])
            .carry(S1)
            .constant(E, 4.0),
        expert().has(S1, WORD).has(T0, to(0, 3)).carry(S1).equation(E, &[(Y.w0, 1.0)]),
    ];
    experts.extend((0..4).map(|i| expert().has(S1, WORD).constant(S1, f64::from(10 * i)).constant(E, 1.0)));
    let mut network = network(1, experts);
    network.lookup = vec![5.0, 6.0, 7.0, 8.0, 100.0];
    network.tables = vec![Table { name: "jump".into(), first: 0, count: 4, domain: Domain::Ids(0) }];
    network.certificate.id_sets =
        vec![IdSet { name: "cases".into(), ids: vec![5, 6, 7, 8], interface: vec![(S1, WORD)] }];
    network
}

/// `s2 = s1 / 7`, `s1 = s1 % 7`
pub(super) fn divide() -> Network {
    let w = 1.0 / 7.0;
    network(
        1,
        vec![
            expert()
                .has(S1, WORD)
                .equation(N0, &[(ONE, 0.5 * w), (Y.s1, w)])
                .constant(V0, 1.0)
                .carry(S1)
                .constant(E, 3.0),
            expert()
                .has(S1, WORD)
                .has(N0, to(0, 613_566_756))
                .has(V0, point(1))
                .ghost(&[(S1, 1), (N0, -7)], 0, 6)
                .equation(S1, &[(Y.s1, 1.0), (U0, -7.0)])
                .equation(S2, &[(U0, 1.0)])
                .constant(E, 4.0),
            expert().has(S1, to(0, 6)).has(S2, to(0, 613_566_756)).carry(S1).carry(S2).constant(E, 1.0),
        ],
    )
}

/// A call through a table of functions: the expert that was read if `s1 ≥ s2`, else a trap.
pub(super) fn indirect() -> Network {
    let mut network = network(
        2,
        vec![
            expert()
                .has(S1, WORD)
                .has(S2, WORD)
                .has(Q0, point(0))
                .equation(N0, &[(ONE, 1.0), (Y.s1, p2(-33)), (Y.s2, -p2(-33))])
                .equation(V0, &[(Y.r0, 1.0)])
                .equation(N1, &[(ONE, 1.0 - p2(-33)), (Y.s1, -p2(-33)), (Y.s2, p2(-33))])
                .constant(PORTS.v(1), 1.0)
                .carry(S1)
                .constant(E, 3.0),
            expert()
                .has(S1, WORD)
                .has(N0, to(0, 1))
                .has(N1, to(0, 1))
                .has(V0, Domain::Ids(0))
                .has(PORTS.v(1), point(1))
                .ghost(&[(N0, 1), (N1, 1)], 1, 1)
                .carry(S1)
                .equation(E, &[(U0, 1.0), (U1, 1.0)]),
            expert().has(S1, WORD).carry(S1).constant(E, 1.0),
            expert().has(S1, WORD).constant(S1, 3.0).constant(E, 1.0),
        ],
    );
    // The query is 0 at the start only; what is read at a key of the region is also an id.
    network.regions = vec![region("table", 1, 10, CellWidth::Number, Domain::Ids(0))];
    network.first_rows = vec![(1, 4.0), (2, 5.0)];
    network.certificate.id_sets =
        vec![IdSet { name: "functions".into(), ids: vec![4, 5], interface: vec![(S1, WORD)] }];
    network
}

/// `s1 * s2`: a product of a word and a half, and one of two halves.
pub(super) fn mul() -> Network {
    let half = to(0, 65535);
    let most = 0xffff_ffff * 65535 + 65536 * 65535 * 65535;
    let product = [(U0, 1.0), (U1, 65536.0)];
    network(
        2,
        vec![
            expert()
                .has(S1, WORD)
                .has(S2, WORD)
                .equation(N0, &[(Y.s1, p2(-16))])
                .equation(N1, &[(Y.s2, p2(-16))])
                .constant(V0, 1.0)
                .constant(PORTS.v(1), 1.0)
                .carry(S1)
                .carry(S2)
                .constant(E, 3.0),
            expert()
                .has(S1, WORD)
                .has(S2, WORD)
                .has(N0, half)
                .has(N1, half)
                .has(V0, point(1))
                .has(PORTS.v(1), point(1))
                .ghost(&[(S1, 1), (N0, -65536)], 0, 65535)
                .ghost(&[(S2, 1), (N1, -65536)], 0, 65535)
                .equation(N0, &[(Y.s2, 1.0)])
                .equation(V0, &[(Y.s1, 1.0), (U0, -65536.0)])
                .equation(N1, &[(Y.s2, 1.0), (U1, -65536.0)])
                .equation(PORTS.v(1), &[(U0, 1.0)])
                .constant(E, 4.0),
            expert()
                .has(N0, WORD)
                .has(V0, half)
                .has(N1, half)
                .has(PORTS.v(1), half)
                .equation(S1, &product)
                .equation(N0, &product.map(|(u, w)| (u, w / M)))
                .constant(V0, 1.0)
                .constant(E, 5.0),
            expert()
                .has(S1, to(0, most))
                .has(N0, to(0, most >> 32))
                .has(V0, point(1))
                .ghost(&[(S1, 1), (N0, -(1 << 32))], 0, 0xffff_ffff)
                .equation(S1, &[(Y.s1, 1.0), (U0, -M)])
                .constant(E, 6.0),
            expert().has(S1, WORD).carry(S1).constant(E, 1.0),
        ],
    )
}

/// `s1 < s2`, signed.
pub(super) fn signed_less() -> Network {
    let signs = [(N0, Y.s1), (N1, Y.s2)];
    let mut split = expert().has(S1, WORD).has(S2, WORD).carry(S1).carry(S2).constant(E, 3.0);
    let mut compare = expert().has(S1, WORD).has(S2, WORD).constant(V0, 1.0).constant(E, 4.0);
    for (i, (n, source)) in signs.into_iter().enumerate() {
        let v = PORTS.v(i as u16);
        split = split.equation(n, &[(source, p2(-31))]).constant(v, 1.0);
        compare = compare.has(n, to(0, 1)).has(v, point(1));
        compare = compare.ghost(&[(source - Y.s0, 1), (n, -(1 << 32))], -(1 << 31), (1 << 31) - 1);
    }
    let less = [(ONE, 1.0 - p2(-33)), (Y.s2, p2(-33)), (U1, -0.5), (Y.s1, -p2(-33)), (U0, 0.5)];
    network(
        2,
        vec![
            split,
            compare.equation(N0, &less),
            expert().has(N0, to(0, 1)).has(V0, point(1)).equation(S1, &[(U0, 1.0)]).constant(E, 5.0),
            // A branch on a carried value: where it goes to, the value is known.
            expert().has(S1, to(0, 1)).carry(S1).equation(E, &[(ONE, 6.0), (Y.s1, -5.0)]),
            expert().has(S1, point(0)).carry(S1).constant(E, 1.0),
        ],
    )
}

/// A loop whose counter stays below 1000 because of its branch.
pub(super) fn counted() -> Network {
    network(
        1,
        vec![
            expert().constant(E, 3.0),
            expert()
                .has(S1, to(0, 999))
                .equation(S1, &[(ONE, 1.0), (Y.s1, 1.0)])
                .equation(N0, &[(ONE, 1.0 + 998.0 / 1024.0), (Y.s1, -1.0 / 1024.0)])
                .constant(V0, 1.0)
                .constant(E, 4.0),
            expert()
                .has(S1, to(1, 1000))
                .has(N0, to(0, 1))
                .has(V0, point(1))
                .ghost(&[(S1, 1), (N0, 1024)], i64::MIN, 999 + 1024)
                .carry(S1)
                .equation(E, &[(ONE, 1.0), (U0, 2.0)]),
        ],
    )
}

/// Two rows of a frame, and a query of a table that may miss.
pub(super) fn frame() -> Network {
    let fp = to(0, 98);
    let mut network = network(
        1,
        vec![
            expert()
                .has(S0, fp)
                .has(S1, WORD)
                .equation(K0, &[(ONE, 10.0), (Y.s0, 1.0)])
                .equation(X0, &[(Y.s1, 1.0)])
                .equation(K1, &[(ONE, 11.0), (Y.s0, 1.0)])
                .constant(X1, 7.0)
                .equation(N0, &[(Y.s1, p2(-24))])
                .constant(V0, 1.0)
                .equation(Q0, &[(ONE, 10.0), (Y.s0, 1.0)])
                .constant(E, 3.0),
            expert()
                .has(Q0, to(10, 108))
                .has(N0, to(0, 255))
                .has(V0, point(1))
                .equation(T0, &[(U0, 1.0)])
                .equation(S2, &[(Y.r0, 1.0)])
                .constant(E, 4.0),
            expert()
                .has(S2, WORD)
                .has(T0, to(0, 255))
                .equation(S1, &[(Y.w0, 1.0)])
                .carry(S2)
                .constant(E, 5.0),
            expert().has(S1, to(0, 99)).has(S2, WORD).carry(S1).constant(E, 1.0),
        ],
    );
    network.regions = vec![region("frame", 10, 100, CellWidth::Number, WORD)];
    network.lookup = (0..200).map(|i| f64::from(10 + i % 90)).collect();
    network.tables = vec![Table { name: "small".into(), first: 0, count: 200, domain: to(10, 99) }];
    network
}

// ---- Corruptions.

/// Sets a weight; 0 removes it. An equation that does not exist is made.
pub(super) fn weight(network: &mut Network, e: ExpertId, field: Field, source: Source, w: f64) {
    rebuild(network, e, |equations| {
        if !equations.iter().any(|equation| equation.0 == field) {
            equations.push((field, Vec::new()));
            equations.sort_by_key(|equation| equation.0);
        }
        for equation in equations.iter_mut().filter(|equation| equation.0 == field) {
            equation.1.retain(|term| term.0 != source);
            if w != 0.0 {
                equation.1.push((source, w));
            }
            equation.1.sort_by_key(|term| term.0);
        }
    });
}

pub(super) fn drop_equation(network: &mut Network, e: ExpertId, field: Field) {
    rebuild(network, e, |equations| equations.retain(|equation| equation.0 != field));
}

type Equations = Vec<(Field, Vec<(Source, f64)>)>;

fn rebuild(network: &mut Network, e: ExpertId, change: impl FnOnce(&mut Equations)) {
    let old = std::mem::take(&mut network.experts);
    let mut change = Some(change);
    for i in 0..old.len() as ExpertId {
        let mut equations: Equations = old
            .equations(i)
            .map(|equation| {
                (
                    equation.field,
                    equation.sources.iter().copied().zip(equation.weights.iter().copied()).collect(),
                )
            })
            .collect();
        if i == e
            && let Some(change) = change.take()
        {
            change(&mut equations);
        }
        for (field, terms) in equations {
            for (source, w) in terms {
                network.experts.push_term(source, w);
            }
            network.experts.end_equation(field);
        }
        network.experts.end_expert();
    }
}

pub(super) fn declare(network: &mut Network, e: ExpertId, field: Field, lo: i64, hi: i64) {
    domain(network, e, field, to(lo, hi));
}

pub(super) fn domain(network: &mut Network, e: ExpertId, field: Field, domain: Domain) {
    let certificate = &mut network.certificate;
    let Some(at) = certificate.fields(e).position(|declared| declared.0 == field) else { return };
    certificate.fields.set(certificate.field_range(e).start + at, field, domain);
}

pub(super) fn undeclare(network: &mut Network, e: ExpertId, field: Field) {
    let certificate = &mut network.certificate;
    let Some(at) = certificate.fields(e).position(|declared| declared.0 == field) else { return };
    certificate.fields.remove(certificate.field_range(e).start + at);
    for end in &mut certificate.field_end[e as usize..] {
        *end -= 1;
    }
}

/// Sets the interval of a ghost of an expert.
pub(super) fn ghost(network: &mut Network, e: ExpertId, i: usize, range: Interval) {
    let first = network.certificate.ghost_end[e as usize - 1] as usize;
    network.certificate.ghost_range[first + i] = range;
}

/// Makes the ghosts of an expert say nothing.
pub(super) fn drop_ghosts(network: &mut Network, e: ExpertId) {
    let ghosts = network.certificate.ghosts(e).len();
    for i in 0..ghosts {
        ghost(network, e, i, Interval::new(i64::MIN, i64::MAX));
    }
}
