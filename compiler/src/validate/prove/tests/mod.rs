//! Tests how much is proved, and that nothing wrong is proved.

mod lemmas;
mod mutations;

use super::{Prover, World};
use crate::backend;
use crate::blueprint::Blueprint;
use crate::ir::{Func, Module};
use crate::options::Options;
use crate::validate::boundary;
use crate::validate::check::Of;
use crate::validate::state::First;
use crate::{frontend, legalize, optimize};
use rustc_hash::FxHashMap;
use std::time::{Duration, Instant};
use wasm2onnx_runtime::{ExpertId, Network};

/// The programs in `examples`.
const EXAMPLES: [&str; 11] = [
    "expressions",
    "hungarian",
    "interpreter",
    "mandelbrot",
    "modpow",
    "nbody",
    "quicksort",
    "recursive",
    "sha256",
    "sieve",
    "sudoku",
];

fn example(name: &str) -> (Module, Network, Blueprint) {
    let path = format!("{}/../examples/{name}/{name}.wasm", env!("CARGO_MANIFEST_DIR"));
    let bytes = std::fs::read(path).expect("examples are in the repository");
    let mut module = frontend::parse(&bytes, &Options::default()).expect("it is valid");
    legalize::run(&mut module);
    optimize::run(&mut module);
    let (network, blueprint) = backend::certified(&module, &mut ()).expect("it has a network");
    (module, network.into_network(), blueprint)
}

/// Proves all packets. Calls `seen` with each packet's function, its index in that function, the outcome, and
/// how long it took.
fn prove(
    module: &Module,
    network: &Network,
    blueprint: &Blueprint,
    mut seen: impl FnMut(Func, usize, Result<(), &'static str>, Duration),
) {
    let Blueprint { layout, functions } = blueprint;
    let entries: Vec<ExpertId> = functions.iter().map(|f| network.packets[f.first as usize].expert).collect();
    let mut first = First::new(network);
    boundary::freeze(module, layout, &entries, &mut first);
    let world = World::new(network, Some(&first));
    let mut prover = Prover::new(&world, layout, &entries);
    for (func, lowered) in module.functions.keys().zip(functions) {
        let of = Of::new(network, lowered).expect("they begin");
        for index in 0..of.begins.len() {
            let start = Instant::now();
            let outcome = prover.packet(&of, index);
            seen(func, index, outcome, start.elapsed());
        }
    }
}

/// What is proved of the examples, and why the rest is not.
#[test]
fn shares_of_the_examples() {
    let mut all: FxHashMap<&str, usize> = FxHashMap::default();
    let mut total = (0, 0);
    for name in EXAMPLES {
        let start = Instant::now();
        let (module, network, blueprint) = example(name);
        let compiled = start.elapsed();
        let (mut packets, mut proved, mut time, mut in_vain) = (0, 0, Duration::ZERO, Duration::ZERO);
        let mut slowest = (Duration::ZERO, 0, 0);
        prove(&module, &network, &blueprint, |func, index, outcome, took| {
            packets += 1;
            proved += usize::from(outcome.is_ok());
            time += took;
            slowest = slowest.max((took, func.as_u32(), index));
            if let Err(reason) = outcome {
                in_vain += took;
                *all.entry(reason).or_default() += 1;
            }
        });
        total = (total.0 + packets, total.1 + proved);
        println!(
            "{name}: {proved} of {packets} proved in {time:?} ({in_vain:?} in vain), compiled in {compiled:?}; slowest {slowest:?}"
        );
    }
    let mut all: Vec<_> = all.into_iter().collect();
    all.sort_unstable_by_key(|entry| std::cmp::Reverse(entry.1));
    for (reason, count) in all {
        println!("{count:6} {reason}");
    }
    // It was 774 of 821 when this was written.
    println!("{} of {} packets are proved", total.1, total.0);
    assert!(total.0 > 0 && total.1 * 100 >= total.0 * 94, "{total:?}");
}

/// What is proved also passes the comparison, on more states than usual. With a deliberate fault in the
/// compiler (`tests/faults`) some packets do not pass: none of these may be proved. So this is checked for
/// each packet, not for the network.
#[test]
fn what_is_proved_stands_the_test() {
    use crate::validate::check::Check;
    const STATES: u32 = 64;
    let (mut packets, mut proofs, mut refuted, mut wrong) = (0, 0, 0, Vec::new());
    for name in EXAMPLES {
        // A fault may be one that the certificate finds: then there is no network to look at.
        let Ok((module, network, blueprint)) = std::panic::catch_unwind(|| example(name)) else {
            println!("{name} has no network");
            continue;
        };
        let Blueprint { layout, functions } = &blueprint;
        let entries: Vec<ExpertId> =
            functions.iter().map(|f| network.packets[f.first as usize].expert).collect();
        let mut first = First::new(&network);
        boundary::freeze(&module, layout, &entries, &mut first);
        prove(&module, &network, &blueprint, |func, index, outcome, _| {
            let lowered = &functions[func.as_u32() as usize];
            let of = Of::new(&network, lowered).expect("they begin");
            let mut check = Check::new(layout, &network, &entries, &first);
            check.enter(&of);
            let tested = check.packet(&of, index, STATES);
            packets += 1;
            proofs += usize::from(outcome.is_ok());
            refuted += usize::from(tested.is_err());
            if let (Ok(()), Err(message)) = (outcome, tested) {
                wrong.push(format!("{name}, {} {index}: {message}", module.functions[func].name));
            }
        });
    }
    println!("{packets} packets, {proofs} proved, {refuted} refuted, {} both", wrong.len());
    assert!(packets > 0, "no example has a network");
    assert!(wrong.is_empty(), "{wrong:#?}");
}
