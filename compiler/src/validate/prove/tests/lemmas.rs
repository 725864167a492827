//! The lemmas: what the rewriting makes of an expression is the same number in every state that is tried.
//!
//! Expressions are drawn, evaluated as polynomials by the rules and as numbers by what they mean, state by
//! state. Every rule is used for many of them: fields are narrow and wide, divisors and factors small and
//! powers of two.

use super::super::atoms::{Bitwise, Count, Facts, Kind, Shift, Span, Stop};
use super::super::memory::Trace;
use super::super::poly::{Atom, Poly};
use super::super::steps::{Number, sum};
use super::super::terms::Terms;
use super::super::words;
use super::super::world::World;
use crate::evaluate;
use crate::ir::{BinaryOp, Type, UnaryOp};
use fastrand::Rng;
use rustc_hash::FxHashMap;
use wasm2onnx_runtime::{CellWidth, Domain, Interval, Network, Region, Table};

/// Where each field lies.
const FIELDS: [(i128, i128); 9] = [
    (0, 1),
    (0, 1),
    (0, 3),
    (-5, 9),
    (0, 255),
    (0, (1 << 32) - 1),
    (0, (1 << 32) - 1),
    (-(1 << 33), 1 << 34),
    (0, 1 << 18),
];
const STATES: usize = 60;
const TWO32: i128 = 1 << 32;
const MEMORY: (i128, i128) = (64, 1 << 20);

type State = [i128; FIELDS.len()];

/// Rows: keys and values in each state.
type Rows = Vec<(Vec<i128>, Vec<i128>)>;

fn states(random: &mut Rng) -> Vec<State> {
    let edges =
        [0, 1, 2, 3, 5, 7, 8, 127, 128, 255, 256, 65535, 65536, (1 << 31) - 1, 1 << 31, TWO32 - 1, TWO32];
    let draw = |random: &mut Rng, (lo, hi): (i128, i128)| loop {
        let x = match random.usize(..3) {
            0 => edges[random.usize(..edges.len())] + random.usize(..3) as i128 - 1,
            1 => lo + (random.u64(..) as i128 & 15),
            _ => lo + (random.u64(..) as i128).rem_euclid(hi - lo + 1),
        };
        if (lo..=hi).contains(&x) {
            return x;
        }
    };
    (0..STATES).map(|_| std::array::from_fn(|i| draw(random, FIELDS[i]))).collect()
}

/// Returns what the trace holds at first under a key.
fn initial(key: i128) -> i128 {
    if (MEMORY.0..MEMORY.1).contains(&key) { (key.wrapping_mul(0x9e37_79b9) >> 7) & 255 } else { 0 }
}

fn network() -> Network {
    let mut network = Network {
        regions: vec![Region {
            name: "memory".into(),
            first: MEMORY.0 as u64,
            count: (MEMORY.1 - MEMORY.0) as u64,
            width: CellWidth::Byte,
            values: Domain::Interval(Interval::new(0, 255)),
        }],
        ..Network::default()
    };
    let mut add = |count: i128, f: &dyn Fn(i128) -> i128| {
        let (first, domain) = (network.lookup.len() as u32, Domain::Interval(Interval::WORD));
        network.tables.push(Table { name: String::new(), first, count: count as u32, domain });
        network.lookup.extend((0..count).map(|i| f(i) as f64));
    };
    for op in [Bitwise::And, Bitwise::Or, Bitwise::Xor] {
        add(65536, &|i| op.of(i >> 8, i & 255));
    }
    for op in [Shift::Shl, Shift::ShrU, Shift::ShrS, Shift::Rotl] {
        (0..4).for_each(|j| add(8192, &|i| op.of(j, i >> 8, i & 255)));
    }
    for op in [Count::Clz, Count::Ctz, Count::Popcnt] {
        add(256, &|i| op.of(i));
    }
    add(100, &|i| i * i % 17);
    network
}

/// Returns the number that a polynomial is in a state.
fn value(terms: &Terms, p: &Poly, state: &State) -> i128 {
    p.terms
        .iter()
        .map(|(mono, c)| mono.atoms().fold(*c, |product, atom| product * atom_value(terms, atom, state)))
        .sum()
}

fn atom_value(terms: &Terms, atom: Atom, state: &State) -> i128 {
    let of = |id| value(terms, terms.poly(id), state);
    match terms.kind(atom) {
        Kind::Field(field) => state[usize::from(*field)],
        Kind::Word(field) => state[usize::from(*field)].rem_euclid(TWO32),
        Kind::High(field) => state[usize::from(*field)].div_euclid(TWO32),
        Kind::Read { key, after } => {
            let key = of(*key);
            let row = after.iter().rev().find(|row| of(row.0) == key);
            row.map_or_else(|| initial(key), |row| of(row.1))
        }
        Kind::Lookup(key) => {
            let entry = usize::try_from(of(*key)).ok().and_then(|key| terms.world.network.lookup.get(key));
            entry.copied().unwrap_or(0.0) as i128
        }
        Kind::Floor(p, d) => of(*p).div_euclid(*d),
        Kind::AtLeast(p, t) => (of(*p) >= *t).into(),
        Kind::Bitwise(op, a, b) => op.of(of(*a), of(*b)),
        Kind::Shift(op, j, n, byte) => op.of(*j, of(*n), of(*byte)),
        Kind::Count(op, byte) => op.of(of(*byte)),
    }
}

/// An expression: as a polynomial, and its value in each state.
#[derive(Clone)]
struct Expression {
    p: Poly,
    values: Vec<i128>,
    how: String,
}

/// Makes an expression, which says how it was made.
fn made(p: Poly, values: Vec<i128>, how: String) -> Expression {
    Expression { p, values, how }
}

fn draw<'e>(random: &mut Rng, list: &'e [Expression]) -> &'e Expression {
    // Later expressions are deeper.
    let i = random.usize(..list.len()).max(random.usize(..list.len()));
    &list[i]
}

/// Makes another expression of those in a list.
fn expression(
    terms: &mut Terms,
    random: &mut Rng,
    list: &[Expression],
    trace: &(Trace, Rows),
) -> Result<Expression, Stop> {
    let (a, b) = (draw(random, list).clone(), draw(random, list).clone());
    let of = |f: &dyn Fn(i128) -> i128| a.values.iter().map(|x| f(*x)).collect::<Vec<_>>();
    let both = |f: &dyn Fn(i128, i128) -> i128| {
        a.values.iter().zip(&b.values).map(|(x, y)| f(*x, *y)).collect::<Vec<_>>()
    };
    let power = |random: &mut Rng| 1i128 << [1, 2, 3, 8, 16, 24, 31, 32][random.usize(..8)];
    let small = |x: i128| x.abs() < 1 << 60;
    let choice = random.usize(..16);
    let how = format!("{choice}({}, {})", a.how, b.how);
    let (p, values) = match choice {
        0 | 1 => {
            let scale = [1, 1, -1, 2, 3, -256][random.usize(..6)];
            let scale = if random.usize(..6) == 0 { -power(random) } else { scale };
            (a.p.plus(scale, &b.p)?, both(&|x, y| x + scale * y))
        }
        2 => {
            let c = [1, -1, 5, 128, 1 << 31, 255, -(1i128 << 32)][random.usize(..7)];
            (a.p.offset(c)?, of(&|x| x + c))
        }
        3 if both(&|x, y| if small(x) && small(y) && (x * y).abs() < 1 << 70 { 0 } else { 1 })
            .iter()
            .all(|x| *x == 0) =>
        {
            (terms.product(&a.p, &b.p)?, both(&|x, y| x * y))
        }
        4 | 5 => {
            let d = if random.usize(..3) == 0 { 1 + random.usize(..11) as i128 } else { power(random) };
            (terms.floor(&a.p, d)?, of(&|x| x.div_euclid(d)))
        }
        6 => (terms.not_negative(&a.p)?, of(&|x| i128::from(x >= 0))),
        7 => {
            let p = a.p.plus(-1, &b.p)?;
            (terms.not_negative(&p)?, both(&|x, y| i128::from(x >= y)))
        }
        8 => {
            // A gate with a fraction, as the network's equations have.
            let k = [0, 1, 8, 32, 34][random.usize(..5)];
            let one = Number::new(terms, Poly::constant(1))?;
            let (x, y) = (Number::new(terms, a.p.clone())?, Number::new(terms, b.p.clone())?);
            let weight = 1.0 / f64::from(2f32.powi(k));
            let list = [(&one, 1.0), (&x, weight), (&y, -weight)];
            let (gate, scale) = sum(list.into_iter())?;
            let p = terms.gate(&gate.p, 1 << scale, gate.span)?;
            (p, both(&|x, y| ((x - y + (1 << k)).max(0)) >> k))
        }
        9 => {
            let (from, len) = (random.usize(..28) as u32, 1 + random.usize(..12) as u32);
            (terms.slice(&a.p, from, len)?, of(&|x| (x >> from) & ((1 << len) - 1)))
        }
        10 => {
            let op = [Bitwise::And, Bitwise::Or, Bitwise::Xor][random.usize(..3)];
            let (x, y) = (terms.slice(&a.p, 0, 8)?, terms.slice(&b.p, 8, 8)?);
            let y = if random.usize(..3) == 0 { Poly::constant(random.usize(..256) as i128) } else { y };
            let values = a.values.iter().zip(&b.values);
            let values = values
                .map(|(x, b)| op.of(x & 255, y.as_constant().unwrap_or((b >> 8) & 255)))
                .collect::<Vec<_>>();
            (terms.bitwise(op, &x, &y)?, values)
        }
        11 => {
            // Any table, at a key that is certainly or perhaps in it.
            let table = &terms.world.network.tables[random.usize(..terms.world.network.tables.len())];
            let first = i128::from(table.first);
            let (x, y) = (terms.slice(&a.p, 0, 5)?, terms.slice(&b.p, 3, 8)?);
            let key =
                if random.usize(..3) == 0 { y.offset(first)? } else { y.plus(256, &x)?.offset(first)? };
            let with_x = key.plus(-1, &y)?.as_constant().is_none();
            let values = a.values.iter().zip(&b.values);
            let values = values.map(|(x, y)| {
                let key = first + ((y >> 3) & 255) + if with_x { 256 * (x & 31) } else { 0 };
                terms.world.network.lookup.get(key as usize).copied().unwrap_or(0.0) as i128
            });
            let values = values.collect::<Vec<_>>();
            // Where `x` is a constant 0 both keys are the same.
            if !with_x && !x.is_zero() && x.as_constant().is_some() {
                return Err(Stop::Unknown("a constant"));
            }
            (terms.lookup(&key)?, values)
        }
        12 | 13 => {
            use BinaryOp::*;
            let ops = [
                Add, Sub, Mul, MulHi, Carry, And, Or, Xor, Shl, ShrU, ShrS, Rotl, Rotr, Eq, Ne, LtU, LtS,
                GeU, GeS, DivU, RemU,
            ];
            let op = ops[random.usize(..ops.len())];
            let constant = [0, 1, 2, 3, 7, 31, 255, 1 << 31, TWO32 - 1][random.usize(..9)];
            let (q, values) = match random.usize(..2) {
                0 => (Poly::constant(constant), vec![constant; a.values.len()]),
                _ => (b.p.clone(), b.values.clone()),
            };
            let p = words::binary(terms, op, &a.p, &q)?;
            let word = |x: i128| x.rem_euclid(TWO32) as u64;
            let values = a.values.iter().zip(&values);
            let values = values.map(|(x, y)| evaluate::binary(op, Type::I32, word(*x), word(*y)).into());
            return canonical(terms, p, values.collect(), format!("{op:?}:{how}"));
        }
        14 => {
            use UnaryOp::*;
            let op = [Eqz, Clz, Ctz, Popcnt, Extend8S, Extend16S][random.usize(..6)];
            let p = words::unary(terms, op, &a.p)?;
            let values = of(&|x| evaluate::unary(op, Type::I32, x.rem_euclid(TWO32) as u64).into());
            return canonical(terms, p, values, format!("{op:?}:{how}"));
        }
        _ if random.usize(..2) == 0 => {
            let c = draw(random, list).clone();
            let p = words::select(terms, &c.p, &a.p, &b.p)?;
            let word = |x: i128| x.rem_euclid(TWO32);
            let values = (0..a.values.len())
                .map(|i| word(if word(c.values[i]) != 0 { a.values[i] } else { b.values[i] }))
                .collect();
            return canonical(terms, p, values, format!("select:{how}"));
        }
        _ => {
            let key = terms.slice(&a.p, 0, 16)?.offset(MEMORY.0)?;
            let p = trace.0.read(terms, &key)?;
            let values = a.values.iter().enumerate().map(|(i, x)| {
                let key = (x & 0xffff) + MEMORY.0;
                let row = trace.1.iter().rev().find(|row| row.0[i] == key);
                row.map_or_else(|| initial(key), |row| row.1[i])
            });
            let values = values.collect();
            (p, values)
        }
    };
    Ok(made(p, values, how))
}

/// Makes an expression of the word that a number is congruent to.
fn canonical(terms: &mut Terms, p: Poly, values: Vec<i128>, how: String) -> Result<Expression, Stop> {
    Ok(made(words::canonical(terms, &p)?, values, how))
}

/// All rules together. A state that is ruled out by a fact does not count.
#[test]
fn what_is_rewritten_is_the_same_number() {
    let network = network();
    let world = World::new(&network, None);
    let mut random = Rng::with_seed(11);
    let (mut checked, mut stopped, mut dropped) = (0, 0, 0);
    let rounds = std::env::var("WASM2ONNX_ROUNDS").map_or(250, |text| text.parse().expect("a number"));
    for round in 0..rounds {
        let mut terms = Terms::new(&world);
        let spans = FIELDS.iter().map(|(lo, hi)| Span::new(*lo, *hi));
        let fields: FxHashMap<_, _> = (0..).zip(spans).collect();
        terms.packet(fields);
        let mut states = states(&mut random);
        let mut facts = Facts::default();
        // The first attempt has no fact; each attempt after it has one more, from a comparison as in a case
        // of a packet.
        'attempts: for attempt in 0..3 {
            terms.case(&facts);
            let mut list: Vec<Expression> = Vec::new();
            for i in 0..FIELDS.len() {
                // All attempts of a round share the limit on rewriting.
                let Ok(p) = terms.field(i as u16) else { break 'attempts };
                list.push(made(p, states.iter().map(|state| state[i]).collect(), format!("f{i}")));
            }
            let mut trace = (Trace::default(), Vec::new());
            let mut split = None;
            for _ in 0..24 {
                let outcome = expression(&mut terms, &mut random, &list, &trace);
                let made = match outcome {
                    Ok(made) => made,
                    Err(Stop::Impossible) => panic!("round {round}: {} states are possible", states.len()),
                    Err(_) => {
                        stopped += 1;
                        continue;
                    }
                };
                let span = match terms.range(&made.p) {
                    Ok(span) => span,
                    Err(Stop::Impossible) => panic!("round {round}: {} states are possible", states.len()),
                    Err(_) => continue,
                };
                for (state, expected) in states.iter().zip(&made.values) {
                    let found = value(&terms, &made.p, state);
                    assert_eq!(found, *expected, "round {round}: {}\n{:?}\n{state:?}", made.how, made.p);
                    assert!(
                        span.within(i128::MIN, i128::MAX) && (span.lo..=span.hi).contains(&found),
                        "{}",
                        made.how
                    );
                }
                if let Some(bits) = terms.possible_bits(&made.p).ok().flatten() {
                    assert!(
                        made.values.iter().all(|x| *x as u128 & !bits == 0),
                        "round {round}: {}",
                        made.how
                    );
                }
                checked += 1;
                if split.is_none()
                    && let Ok(Some(Stop::Split(p, t))) = terms.split_on(&made.p)
                {
                    split = Some((p, t));
                }
                if random.usize(..8) == 0 {
                    let key = draw(&mut random, &list).clone();
                    if let Ok(p) = terms.slice(&key.p, 0, 3).and_then(|p| Ok(p.offset(MEMORY.0)?)) {
                        let keys = key.values.iter().map(|x| (x & 7) + MEMORY.0).collect();
                        trace.0.write(p, made.p.clone());
                        trace.1.push((keys, made.values.clone()));
                    }
                }
                list.push(made);
            }
            let Some((p, t)) = split.filter(|_| attempt < 2) else { break };
            let Ok(cases) = terms.cases(p, t) else { break };
            let case = cases[random.usize(..2)];
            let left: Vec<State> = states
                .iter()
                .filter(|state| {
                    let x = value(&terms, terms.poly(p), state);
                    case.lo <= x && x <= case.hi
                })
                .copied()
                .collect();
            dropped += states.len() - left.len();
            if left.is_empty() {
                break;
            }
            facts.insert(p, case);
            states = left;
        }
    }
    println!("{checked} expressions checked, {stopped} not made, {dropped} states ruled out by facts");
    assert!(checked > 20 * stopped && checked as u64 >= rounds as u64 * 10, "{checked} {stopped}");
}
