//! The programs of `examples/` on fresh random inputs: wasmi, wasmtime, the sparse and the dense
//! executor answer alike, and rightly.

use fastrand::Rng;
use wasm2onnx_compiler::{Certified, Options, compile};
use wasm2onnx_runtime::Network;
use wasm2onnx_runtime::lockstep::End;
use wasm2onnx_tests::examples::{self, Answer, Call, Example};
use wasm2onnx_tests::oracle::{Oracle, Wasmi, Wasmtime};
use wasm2onnx_tests::ours::{self, Run, Way};
use wasm2onnx_tests::rng;

/// Approximate numbers of instructions of the calls that the sparse executor runs.
const SPARSE: [u64; 4] = [5_000, 30_000, 100_000, 300_000];

/// Approximate numbers of instructions of the calls that both executors run in lockstep, besides the sample.
const DENSE: [u64; 3] = [1_000, 5_000, 5_000];

/// Number of steps that are compared in lockstep, enough for the calls above to end.
const DENSE_STEPS: u64 = 20_000;

/// Far more steps than an instruction takes, so that a run that goes astray ends.
const STEPS_PER_INSTRUCTION: u64 = 100;

macro_rules! agree {
    ($($name:ident)*) => {$(
        mod $name {
            use super::*;

            #[test]
            fn oracles() {
                with_oracles_only(&example(stringify!($name)));
            }

            #[test]
            fn sparse() {
                on_sparse(&example(stringify!($name)));
            }

            #[test]
            fn dense() {
                on_dense(&example(stringify!($name)));
            }
        }
    )*};
}

agree!(expressions hungarian interpreter mandelbrot modpow nbody quicksort recursive sha256 sieve sudoku);

fn example(name: &str) -> Example {
    examples::all().into_iter().find(|example| example.name == name).expect("an example of that name")
}

/// Runs the sample, whose output is known, and larger inputs than our executors have time for.
fn with_oracles_only(example: &Example) {
    if let Some(sample) = &example.sample {
        let (answer, _) = agreed(example, sample);
        assert_eq!(String::from_utf8_lossy(&answer.stdout), example.expected);
    }
    let mut rng = rng(1);
    for instructions in [1_000, 10_000, 100_000, 1_000_000, 10_000_000] {
        agreed(example, &(example.generate)(&mut rng, instructions));
    }
}

fn on_sparse(example: &Example) {
    let network = network(example);
    for call in calls(example, &SPARSE) {
        let (answer, instructions) = agreed(example, &call);
        let max_steps = STEPS_PER_INSTRUCTION * (instructions + 1_000);
        let sparse = run(&network, &call, Way::Checked, max_steps);
        let compiled = run(&network, &call, Way::Compiled, max_steps);
        assert_eq!(sparse.answer, answer, "{}", Shown(&call));
        assert_eq!(compiled, sparse, "{}", Shown(&call));
        let by_machine_code = ours::compare_machine_code(&network, &call, sparse.steps)
            .unwrap_or_else(|divergence| panic!("{}: {divergence}", Shown(&call)));
        println!(
            "{}: {instructions} instructions, {} tokens, {} steps, {by_machine_code} by machine code",
            example.name, sparse.tokens, sparse.steps
        );
    }
}

fn on_dense(example: &Example) {
    let network = network(example);
    let mut finished = 0;
    for call in calls(example, &DENSE) {
        let (answer, _) = agreed(example, &call);
        let end = ours::compare(&network, &call, DENSE_STEPS)
            .unwrap_or_else(|divergence| panic!("{}: {divergence}", Shown(&call)));
        match end {
            End::Finished(results) => {
                assert_eq!(results.as_ref(), Ok(&answer.results), "{}", Shown(&call));
                let dense = run(&network, &call, Way::Dense, DENSE_STEPS);
                let sparse = run(&network, &call, Way::Checked, DENSE_STEPS);
                assert_eq!(dense.answer, answer, "{}", Shown(&call));
                assert_eq!(sparse, dense, "{}", Shown(&call));
                println!("{}: {} steps in lockstep", example.name, dense.steps);
                finished += 1;
            }
            End::StepLimit => {}
            End::Inexact { expert, what } => panic!("{}: expert {expert}: {what:?}", Shown(&call)),
        }
    }
    assert!(finished > 0, "no call was small enough to end on the dense executor");
}

fn run(network: &Network, call: &Call, way: Way, max_steps: u64) -> Run {
    ours::run(network, call, way, max_steps)
        .unwrap_or_else(|error| panic!("{way:?}, {}: {error}", Shown(call)))
}

fn network(example: &Example) -> Certified {
    compile(example.wasm, &Options::default()).unwrap_or_else(|error| panic!("{}: {error}", example.name))
}

/// Returns the sample, and a fresh call of each size.
fn calls<'e>(example: &'e Example, sizes: &'e [u64]) -> impl Iterator<Item = Call> + 'e {
    let mut rng: Rng = rng(1);
    let fresh = sizes.iter().map(move |instructions| (example.generate)(&mut rng, *instructions));
    example.sample.clone().into_iter().chain(fresh)
}

/// Returns the answer on which wasmi and wasmtime agree, after a check of our own, and the number of
/// instructions.
fn agreed(example: &Example, call: &Call) -> (Answer, u64) {
    let mut wasmtime = Wasmtime::new(example.wasm, &call.stdin);
    let mut wasmi = Wasmi::new(example.wasm, &call.stdin);
    let answer = call.answer(&mut wasmtime);
    assert_eq!(call.answer(&mut wasmi), answer, "{}", Shown(call));
    let answer = answer.unwrap_or_else(|stop| panic!("{}: {stop:?}", Shown(call)));
    assert!((example.check)(call, &answer), "{}: wrong answer {answer:?}", Shown(call));
    (answer, wasmtime.instructions())
}

/// A call in a failure's message, with long inputs cut off.
struct Shown<'c>(&'c Call);

impl std::fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Call { entry, args, stdin } = self.0;
        let shown = String::from_utf8_lossy(&stdin[..stdin.len().min(2_000)]);
        write!(f, "{entry}{args:?} on {} bytes {shown:?}", stdin.len())
    }
}
