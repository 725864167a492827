//! Soundness: thousands of networks with a fault. What states refute must not be proved.

use super::{EXAMPLES, example};
use crate::blueprint::{Blueprint, Lowered};
use crate::ir::{Func, Module};
use crate::validate::boundary;
use crate::validate::check::{Check, Of};
use crate::validate::prove::{Prover, World};
use crate::validate::state::First;
use fastrand::Rng;
use rustc_hash::FxHashMap;
use wasm2onnx_runtime::{ExpertId, FieldKind, Network, SourceKind};

/// Number of states on which a packet that is still proved is run. What library routines do is seen in few
/// states only.
const STATES: u32 = 512;

/// A fault: what was changed, in words, and in which expert, if in one.
struct Fault {
    what: &'static str,
    expert: Option<ExpertId>,
    field: Option<FieldKind>,
}

/// Changes a network. Returns `None` if the change would leave the network as it is.
fn change(network: &mut Network, random: &mut Rng) -> Option<Fault> {
    let ports = network.ports;
    let experts = &mut network.experts;
    let equation = random.usize(..experts.fields.len());
    let terms = experts.term_range(equation);
    let term = terms.start + random.usize(..terms.len());
    let expert = experts.expert_end.partition_point(|end| *end as usize <= equation);
    let sign = if random.usize(..2) == 0 { 1.0 } else { -1.0 };
    let weight = &mut experts.weights[term];
    let before = weight.to_bits();
    let mut kind = ports.kind(experts.fields[equation]).0;
    let what = match random.usize(..12) {
        0 => {
            *weight *= 2.0;
            "a weight twice as large"
        }
        1 => {
            *weight = -*weight;
            "a weight negated"
        }
        2 | 3 => {
            *weight += sign;
            "a weight changed by 1"
        }
        4 | 5 => {
            *weight += sign * f64::from(2f32.powi(random.usize(..68) as i32 - 34));
            "a weight changed by a power of two"
        }
        6 => {
            *weight = 0.0;
            "a term left out"
        }
        7 => {
            let other = terms.start + random.usize(..terms.len());
            if experts.weights[term] == experts.weights[other] {
                return None;
            }
            experts.weights.swap(term, other);
            "two weights of a row exchanged"
        }
        8 => {
            let range = experts.equation_range(expert as ExpertId);
            let other = range.start + random.usize(..range.len());
            let (a, b) = (experts.fields[equation], experts.fields[other]);
            if a == b || ports.kind(b).0 != kind {
                return None;
            }
            experts.fields.swap(equation, other);
            "two rows of one kind exchanged"
        }
        9 => {
            // Another source that the expert reads anyway, in order with its neighbours or not.
            let range = experts.equation_range(expert as ExpertId);
            let all = experts.term_range(range.start).start..experts.term_range(range.end - 1).end;
            let other = experts.sources[all.start + random.usize(..all.len())];
            if experts.sources[terms.clone()].contains(&other) {
                return None;
            }
            experts.sources[term] = other;
            "another source"
        }
        10 => {
            let source =
                terms.clone().find(|i| ports.source_kind(experts.sources[*i]).0 == SourceKind::One)?;
            experts.weights[source] += sign;
            "a bias changed by 1"
        }
        _ => {
            if network.lookup.is_empty() {
                return None;
            }
            let i = random.usize(..network.lookup.len());
            network.lookup[i] += sign * [1.0, 8.0, 256.0][random.usize(..3)];
            kind = FieldKind::T;
            return Some(Fault { what: "an entry of a table changed", expert: None, field: Some(kind) });
        }
    };
    if before == experts.weights[term].to_bits() && what.contains("weight changed") {
        return None;
    }
    Some(Fault { what, expert: Some(expert as ExpertId), field: Some(kind) })
}

/// Returns a function and those of its packets in which a fault may be seen: the packet of the expert, the
/// packets that go to the resolver, or packets that use the tables.
fn affected(
    network: &Network,
    functions: &[Lowered],
    owners: &FxHashMap<usize, Vec<usize>>,
    fault: &Fault,
    random: &mut Rng,
) -> (usize, Vec<usize>) {
    let Some(expert) = fault.expert else {
        // Some packets that look something up.
        let function = random.usize(..functions.len());
        let first = functions[function].first as usize;
        let looks_up = |index: &usize| {
            network.experts_of(first + index).any(|expert| {
                network
                    .experts
                    .equations(expert)
                    .any(|equation| network.ports.kind(equation.field).0 == FieldKind::T)
            })
        };
        let mut all: Vec<usize> = (0..functions[function].packets.packets.len()).filter(looks_up).collect();
        while all.len() > 4 {
            all.swap_remove(random.usize(..all.len()));
        }
        return (function, all);
    };
    let number = network.packet_of(expert).expect("it is in a packet");
    let function = functions.iter().rposition(|f| f.first as usize <= number).expect("it is of one");
    let index = number - functions[function].first as usize;
    let own = index < functions[function].packets.packets.len();
    (function, if own { vec![index] } else { owners.get(&number).cloned().unwrap_or_default() })
}

/// Finds the packets that go to each resolver: those whose proof is lost without it.
fn owners(
    module: &Module,
    original: &Network,
    blueprint: &Blueprint,
    before: &[Vec<bool>],
) -> FxHashMap<usize, Vec<usize>> {
    let functions = &blueprint.functions;
    let mut owners = FxHashMap::default();
    for function in 0..functions.len() {
        let first = functions[function].first as usize;
        let end = functions.get(function + 1).map_or(original.packets.len(), |f| f.first as usize);
        for number in first + functions[function].packets.packets.len()..end {
            let mut network = original.clone();
            let experts = &mut network.experts;
            for expert in original.experts_of(number) {
                for equation in experts.equation_range(expert) {
                    let terms = experts.term_range(equation);
                    experts.weights[terms].fill(0.0);
                }
            }
            let after = proved(module, &network, blueprint);
            let lost = |index: &usize| before[function][*index] && !after[function][*index];
            owners.insert(number, (0..before[function].len()).filter(lost).collect());
        }
    }
    owners
}

/// Finds which packets of the functions are proved.
fn proved(module: &Module, network: &Network, blueprint: &Blueprint) -> Vec<Vec<bool>> {
    let mut proved: Vec<Vec<bool>> = vec![Vec::new(); blueprint.functions.len()];
    super::prove(module, network, blueprint, |func, _, outcome, _| {
        proved[func.as_u32() as usize].push(outcome.is_ok());
    });
    proved
}

/// Puts faults into packets that were proved: none that many states refute may be proved any more. Packets
/// that are still proved and that nothing refutes are counted: their faults change nothing that can be seen.
#[test]
fn what_states_refute_is_not_proved() {
    let faults: usize = std::env::var("WASM2ONNX_FAULTS").map_or(100, |text| text.parse().expect("a number"));
    let states = std::env::var("WASM2ONNX_STATES").map_or(STATES, |text| text.parse().expect("a number"));
    let mut random =
        Rng::with_seed(std::env::var("WASM2ONNX_SEED").map_or(5, |text| text.parse().expect("a number")));
    let (mut all, mut lost, mut neutral, mut uncertified) = (0, 0, 0, 0);
    let mut kinds: FxHashMap<String, [usize; 2]> = FxHashMap::default();
    for name in EXAMPLES {
        let (module, original, blueprint) = example(name);
        let Blueprint { layout, functions } = &blueprint;
        let before = proved(&module, &original, &blueprint);
        let owners = owners(&module, &original, &blueprint, &before);
        for _ in 0..faults {
            let network = &mut original.clone();
            let Some(fault) = change(network, &mut random) else { continue };
            let (function, packets) = affected(network, functions, &owners, &fault, &mut random);
            let entries: Vec<ExpertId> =
                functions.iter().map(|f| network.packets[f.first as usize].expert).collect();
            let mut first = First::new(network);
            boundary::freeze(&module, layout, &entries, &mut first);
            let world = World::new(network, Some(&first));
            let mut prover = Prover::new(&world, layout, &entries);
            let lowered = &functions[function];
            let Ok(of) = Of::new(network, lowered) else { continue };
            for index in packets {
                if !before[function][index] {
                    continue;
                }
                all += 1;
                let entry = kinds.entry(format!("{}, {:?}", fault.what, fault.field)).or_default();
                entry[0] += 1;
                if prover.packet(&of, index).is_err() {
                    lost += 1;
                    continue;
                }
                let mut check = Check::new(layout, network, &entries, &first);
                check.enter(&of);
                match check.packet(&of, index, states) {
                    Ok(_) => {
                        neutral += 1;
                        entry[1] += 1;
                    }
                    // The prover takes the certificate for granted.
                    Err(_) if wasm2onnx_certify::prove(network).is_err() => uncertified += 1,
                    Err(message) => {
                        let function = &module.functions[Func::from_u32(function as u32)].name;
                        panic!(
                            "{name}, {function} {index}, {} in expert {:?}: proved, but {message}",
                            fault.what, fault.expert
                        );
                    }
                }
            }
        }
    }
    println!(
        "of {all} proved packets with a fault {lost} are not proved any more, {neutral} are and nothing refutes them, \
         {uncertified} are, but have no certificate"
    );
    let mut kinds: Vec<_> = kinds.into_iter().collect();
    kinds.sort();
    for (kind, [all, still]) in kinds {
        println!("{still:5} of {all:5} still proved: {kind}");
    }
    assert!(all >= 5 * faults && lost * 10 >= all * 7, "{lost} of {all}");
}
