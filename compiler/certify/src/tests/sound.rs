//! Random changes: a network that is accepted after a change keeps all its promises.

use fastrand::Rng;
use wasm2onnx_runtime::*;

use super::evaluate::{breaks, step};
use super::{all, prove};

/// Returns a number of an interval, often near its ends.
fn interval(random: &mut Rng, lo: i64, hi: i64) -> i64 {
    let width = (i128::from(hi) - i128::from(lo)) as u128;
    let offset = match random.usize(..5) {
        0 => 0,
        1 => width,
        2 => u128::from(random.u64(..) % 8).min(width),
        3 => width - u128::from(random.u64(..) % 8).min(width),
        _ => u128::from(random.u64(..)) % (width + 1),
    };
    (i128::from(lo) + offset as i128) as i64
}

/// Returns a number of a domain.
pub(super) fn number_of(random: &mut Rng, network: &Network, of: Domain) -> f64 {
    match of {
        // Only what a float64 can hold.
        Domain::Interval(i) => {
            let x = interval(random, i.lo, i.hi);
            let cut = (64 - x.unsigned_abs().leading_zeros()).saturating_sub(53);
            ((x >> cut) << cut) as f64
        }
        Domain::PowerOfTwo { hi } => match random.usize(..usize::from(hi) + 2) {
            0 => 0.0,
            k => 2f64.powi(k as i32 - 1),
        },
        Domain::Ids(set) => {
            let ids = &network.certificate.id_sets[set as usize].ids;
            let i = random.usize(..ids.len() + 1);
            ids.get(i).map_or(0.0, |id| f64::from(*id))
        }
    }
}

/// Returns a `z` that satisfies all that is declared for an expert, if one is found.
fn sample(network: &Network, e: ExpertId, random: &mut Rng) -> Option<Vec<f64>> {
    let certificate = &network.certificate;
    let mut z: Vec<f64> = (0..network.ports.fields()).map(|_| interval(random, -9, 1 << 40) as f64).collect();
    for (field, domain) in certificate.fields(e) {
        z[usize::from(field)] = number_of(random, network, domain);
    }
    for _ in 0..8 {
        if breaks(network, e, &z).is_none() {
            return Some(z);
        }
        // Repair each ghost by changing one of its variables.
        for ghost in certificate.ghosts(e).filter(|ghost| !ghost.terms.is_empty()) {
            let value = |z: &[f64]| -> i128 {
                ghost.terms.iter().map(|&(f, c)| i128::from(c) * z[usize::from(f)] as i128).sum()
            };
            let (lo, hi) = (i128::from(ghost.range.lo), i128::from(ghost.range.hi));
            let now = value(&z);
            if lo <= now && now <= hi {
                continue;
            }
            let (field, c) = ghost.terms[random.usize(..ghost.terms.len())];
            if c != 0 {
                let rest = now - i128::from(c) * z[usize::from(field)] as i128;
                let (lo, hi) = (lo.max(hi - (1 << 40)), hi.min(lo.saturating_add(1 << 40)));
                let target = interval(random, lo.min(hi) as i64, hi.max(lo) as i64);
                z[usize::from(field)] = (i128::from(target) - rest).div_euclid(c.into()) as f64;
            }
        }
    }
    None
}

/// Takes steps from random states of each expert, and from entries. Returns how many.
fn try_steps(network: &Network, states: usize, random: &mut Rng) -> Result<usize, String> {
    let mut taken = 0;
    for e in network.terminals.len() as ExpertId..network.experts.len() as ExpertId {
        for _ in 0..states {
            if let Some(z) = sample(network, e, random) {
                step(network, e, &z, random)?;
                taken += 1;
            }
        }
    }
    // Also from each entry to the end, or for some steps.
    for entry in network.entries.values() {
        let mut z = vec![0.0; network.ports.fields()];
        for location in &entry.param_locations {
            if let WordLocation::Field(field) = location {
                z[usize::from(*field)] = interval(random, 0, 0xffff_ffff) as f64;
            }
        }
        if let Some(broken) = breaks(network, entry.expert, &z) {
            return Err(broken);
        }
        let mut e = entry.expert;
        for _ in 0..20 {
            if network.is_terminal(e) {
                break;
            }
            (e, z) = step(network, e, &z, random)?;
            taken += 1;
        }
    }
    Ok(taken)
}

/// Changes an integer a little or a lot.
fn change(x: i64, random: &mut Rng) -> i64 {
    match random.usize(..10) {
        8 => i64::MAX,
        9 => i64::MIN + 1,
        0 => x.saturating_add(1),
        1 => x.saturating_sub(1),
        2 => x.saturating_mul(2),
        3 => x / 2,
        4 => x.saturating_neg(),
        5 => 0,
        6 => x.saturating_add(1 << random.usize(..40)),
        _ => x.saturating_sub(1 << random.usize(..40)),
    }
}

fn change_domain(domain: &mut Domain, random: &mut Rng) {
    match domain {
        Domain::Interval(i) => match random.usize(..4) {
            0 | 1 => i.lo = change(i.lo, random),
            2 => i.hi = change(i.hi, random),
            _ => *domain = Domain::PowerOfTwo { hi: random.usize(..40) as u8 },
        },
        Domain::PowerOfTwo { hi } => *hi = change((*hi).into(), random) as u8,
        Domain::Ids(_) => *domain = Domain::Interval(Interval::new(0, interval(random, 0, 10))),
    }
}

/// Makes one random change to a network or its certificate.
fn mutate(network: &mut Network, random: &mut Rng) {
    match random.usize(..12) {
        0..=4 => {
            let i = random.usize(..network.experts.weights.len());
            let w = &mut network.experts.weights[i];
            let (_, exponent) = super::super::linear::dyadic(*w);
            let finest = if random.usize(..2) == 0 { 2f64.powi(exponent) } else { 1.0 };
            *w = match random.usize(..6) {
                0 => *w + finest,
                1 => *w - finest,
                2 => *w * 2.0,
                3 => *w * 0.5,
                4 => -*w,
                _ => *w + (interval(random, -9, 9) as f64) * finest,
            };
            if *w == 0.0 {
                *w = 1.0;
            }
        }
        5..=6 => {
            let fields = &mut network.certificate.fields;
            let i = random.usize(..fields.len());
            let (field, mut domain) = fields.iter().nth(i).expect("there are more");
            change_domain(&mut domain, random);
            fields.set(i, field, domain);
        }
        7..=8 => {
            let ghosts = network.certificate.ghost_range.len();
            if ghosts > 0 {
                let range = &mut network.certificate.ghost_range[random.usize(..ghosts)];
                let bound = if random.usize(..2) == 0 { &mut range.lo } else { &mut range.hi };
                *bound = change(*bound, random);
            }
        }
        9 => {
            let terms = network.certificate.ghost_terms.len();
            if terms > 0 {
                let term = &mut network.certificate.ghost_terms[random.usize(..terms)];
                match random.usize(..3) {
                    0 => term.0 = random.usize(..network.ports.fields()) as Field,
                    _ => term.1 = change(term.1, random),
                }
            }
        }
        10 => {
            // Another source in an equation. Another order of equations and terms is refused.
            let i = random.usize(..network.experts.sources.len());
            network.experts.sources[i] = random.usize(..network.ports.sources()) as Source;
        }
        _ => {
            let (regions, lookup) = (network.regions.len(), network.lookup.len());
            match random.usize(..4) {
                0 if regions > 0 => {
                    change_domain(&mut network.regions[random.usize(..regions)].values, random)
                }
                1 if regions > 0 => {
                    let region = &mut network.regions[random.usize(..regions)];
                    region.count = change(region.count as i64, random).unsigned_abs();
                }
                2 if lookup > 0 => {
                    let x = &mut network.lookup[random.usize(..lookup)];
                    *x = change(*x as i64, random) as f64;
                }
                _ => {
                    if let Some(table) = network.tables.first_mut() {
                        change_domain(&mut table.domain, random);
                    }
                }
            }
        }
    }
}

#[test]
fn certified_circuits_keep_their_promises() {
    for (name, network) in all() {
        let mut random = Rng::with_seed(1);
        let steps = try_steps(&network, 300, &mut random).unwrap_or_else(|broken| panic!("{name}: {broken}"));
        assert!(steps >= 300, "{name}: only {steps} states found");
    }
}

/// Returns networks that the compiler makes of programs with features that no circuit has.
fn compiled() -> Vec<(&'static str, Network)> {
    let programs = [
        (
            "bulk memory",
            r#"(module (memory 1 2) (data $text "bytes of a passive segment")
                (func (export "run") (param i32 i32 i32)
                    (memory.copy (local.get 0) (local.get 1) (local.get 2))
                    (memory.init $text (local.get 0) (i32.const 2) (i32.const 9))
                    (memory.fill (local.get 0) (local.get 1) (memory.grow (local.get 2)))
                    (data.drop $text)))"#,
        ),
        (
            "tables",
            r#"(module (table $t 5 30 funcref) (table $other 5 externref) (elem $e func $f $g $f)
                (func $f (param i32) (result i32) (local.get 0))
                (func $g (param i32) (result i32) (i32.const 1))
                (func (export "run") (param i32 i32 i32) (result i32)
                    (drop (table.grow $t (ref.func $f) (local.get 2)))
                    (table.init $t $e (local.get 0) (i32.const 1) (i32.const 2))
                    (table.copy $t $t (local.get 0) (local.get 1) (local.get 2))
                    (table.set $other (local.get 1) (table.get $other (local.get 2)))
                    (call_indirect $t (param i32) (result i32) (local.get 0) (local.get 1))))"#,
        ),
        (
            "tail calls",
            r#"(module (table funcref (elem $odd $even))
                (func $even (export "run") (param i32 i64) (result i64)
                    (if (i32.eqz (local.get 0)) (then (return (local.get 1))))
                    (return_call_indirect (param i32 i64) (result i64)
                        (i32.sub (local.get 0) (i32.const 1)) (local.get 1) (i32.and (local.get 0) (i32.const 3))))
                (func $odd (param i32 i64) (result i64)
                    (if (i32.eqz (local.get 0)) (then (return (i64.const -1))))
                    (return_call $even (i32.sub (local.get 0) (i32.const 1)) (local.get 1))))"#,
        ),
        (
            "floats",
            r#"(module (func (export "run") (param f32 f32) (result f32)
                (f32.sqrt (f32.div (f32.add (local.get 0) (local.get 1)) (f32.mul (local.get 0) (local.get 1))))))"#,
        ),
    ];
    let compile = |(name, wat): (&'static str, &str)| {
        let network = wasm2onnx_compiler::compile(wat.as_bytes(), &Default::default());
        (name, network.unwrap_or_else(|error| panic!("{name}: {error}")).into_network())
    };
    programs.map(compile).into()
}

#[test]
fn certified_programs_keep_their_promises() {
    for (name, network) in compiled() {
        let mut random = Rng::with_seed(1);
        let steps = try_steps(&network, 20, &mut random).unwrap_or_else(|broken| panic!("{name}: {broken}"));
        println!("{name}: {steps} steps from states of {} experts", network.experts.len());
        assert!(steps >= 4 * network.experts.len(), "{name}: only {steps} states found");
    }
}

/// Changes one to three things at random. Prints the seed of a counterexample.
#[test]
fn accepted_changes_keep_all_promises() {
    let rounds = std::env::var("WASM2ONNX_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(400u64);
    keep_all_promises(all(), rounds, 40);
}

/// Does the same on programs, whose many experts take longer.
#[test]
fn accepted_changes_of_programs_keep_all_promises() {
    let rounds = std::env::var("WASM2ONNX_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(100u64);
    keep_all_promises(compiled(), rounds, 2);
}

fn keep_all_promises(networks: Vec<(&str, Network)>, rounds: u64, states: usize) {
    let (mut accepted, mut changed, mut steps) = (0, 0, 0);
    for (name, original) in networks {
        for seed in 0..rounds {
            let mut random = Rng::with_seed(seed);
            let mut network = original.clone();
            for _ in 0..=random.usize(..3) {
                mutate(&mut network, &mut random);
            }
            changed += u64::from(network != original);
            if network == original || prove(&network).is_err() {
                continue;
            }
            accepted += 1;
            match try_steps(&network, states, &mut random) {
                Ok(taken) => steps += taken,
                Err(broken) => panic!("{name}, seed {seed}: {broken}"),
            }
        }
    }
    println!("{accepted} of {changed} changed networks accepted, {steps} steps");
    assert!(accepted >= changed / 40, "only {accepted} of {changed} changes were accepted");
}
