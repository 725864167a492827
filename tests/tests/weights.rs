//! The program is in the weights: changed weights change the run, for all executors alike.
//!
//! Both tests run every change step by step on the dense executor and the interpreter side by side and
//! compare every number up to the first step that is not exact any more (rule 1 or 7 of the certificate,
//! checked on the numbers of the step). Machine code, made before the first step and made early, goes as far
//! and must then hold the same numbers and the same trace.
//!
//! What the certificate declares does not hold any more once a weight is changed, and nothing here asks
//! for it: machine code relies on no declared interval, only on every step that it does being exact, so
//! it must agree for as long as that lasts.
//!
//! `WASM2ONNX_CHANGES` is the number of changes of each program, 300 without it.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};

use wasm2onnx_compiler::{Options, compile};
use wasm2onnx_runtime::lockstep::{End, Report, compare_step_by_step};
use wasm2onnx_runtime::{ExpertId, Instance, Network, SparseOptions, Stepper, TokenEnds};
use wasm2onnx_tests::damage::{Run, erase, packets};
use wasm2onnx_tests::examples::{self, Example};
use wasm2onnx_tests::oracle::Exports;
use wasm2onnx_tests::smith::random_module;
use wasm2onnx_tests::values::random_value;
use wasm2onnx_tests::{in_parallel, ours, programs};

/// Number of changes of one weight for each program, if the environment variable is not set.
const DEFAULT_CHANGES: u64 = 300;

/// Minimum share of the changes that have an effect.
const LEAST_EFFECT: f64 = 0.3;

/// Minimum number of erased packets that runs reach; with the default seed there are 352.
const LEAST_ERASED: usize = 250;

/// Approximate numbers of instructions of the calls of each example, of which the call that reaches the most
/// packets is taken.
const EXAMPLE_CALLS: [u64; 5] = [0, 500, 1_000, 1_500, 2_000];

/// Number of modules from wasm-smith.
const RANDOM_MODULES: u64 = 40;

/// Maximum number of steps of an unchanged run, since the dense executor is slow.
const MAX_STEPS: u64 = 1_000;

const INTERPRETER: SparseOptions = SparseOptions { assert_declared: false, compile_after: None };

/// Options for machine code of everything that a run can reach, made before its first step.
const AT_ONCE: SparseOptions = SparseOptions { assert_declared: false, compile_after: Some(0) };

/// Options for machine code that is made as soon as a packet was visited twice.
const EARLY: SparseOptions = SparseOptions { assert_declared: false, compile_after: Some(2) };

/// A network and runs of it.
struct Program {
    name: String,
    network: Network,
    runs: Vec<Run>,
    /// Number of steps that machine code has done in comparisons.
    native: AtomicU64,
}

impl Program {
    fn new(name: impl Into<String>, network: Network, runs: Vec<Run>) -> Self {
        Program { name: name.into(), network, runs, native: AtomicU64::new(0) }
    }

    /// Returns the small programs.
    fn small() -> impl Iterator<Item = Program> {
        programs::circuits().map(|program| {
            let network = compiled(program.name, &program.wasm());
            let run =
                Run::follow(&network, "run", &program.calls[0], MAX_STEPS).expect("the programs are short");
            Program::new(program.name, network, vec![run])
        })
    }

    /// Returns the programs of `examples/`, each on a small input.
    fn examples() -> impl Iterator<Item = Program> {
        let mut rng = wasm2onnx_tests::rng(1);
        examples::all().into_iter().filter_map(move |Example { name, wasm, generate, .. }| {
            // Input is part of a network's first rows, so there is a network for each input.
            let network = compiled(name, wasm);
            let programs = EXAMPLE_CALLS.into_iter().filter_map(|instructions| {
                let call = generate(&mut rng, instructions);
                let network = ours::with_stdin(&network, &call.stdin);
                let run = Run::follow(&network, call.entry, &call.args, MAX_STEPS)?;
                Some(Program::new(name, network, vec![run]))
            });
            programs.max_by_key(|program| program.visited().len())
        })
    }

    /// Returns modules from wasm-smith, all of whose exports are called.
    fn random() -> impl Iterator<Item = Program> {
        (0..RANDOM_MODULES).filter_map(|seed| {
            let (name, wasm) = (format!("seed {seed}"), random_module(seed));
            let network = compiled(&name, &wasm);
            if network.start.is_some() || Instance::new(&network).is_err() {
                return None;
            }
            let mut rng = fastrand::Rng::with_seed(seed);
            let calls = Exports::of(&wasm).functions.into_iter().filter_map(|(entry, params)| {
                let args: Vec<_> = params.iter().map(|ty| random_value(&mut rng, *ty)).collect();
                Run::follow(&network, &entry, &args, MAX_STEPS)
            });
            let runs: Vec<_> = calls.collect();
            (!runs.is_empty()).then(|| Program::new(name, network, runs))
        })
    }

    /// Returns the experts that runs reach.
    fn visited(&self) -> BTreeSet<ExpertId> {
        self.runs.iter().flat_map(|run| run.path.iter().copied()).collect()
    }

    /// Makes a run on a changed network on all executors, for at most `max_steps` steps. They must agree.
    fn compare(
        &self,
        network: &Network,
        run: &Run,
        max_steps: u64,
        compiled: &[SparseOptions],
        what: &str,
    ) -> Report {
        let report = self.compare_in_step(network, run, max_steps, what);
        // Machine code runs many steps at once, so its state is compared after the last exact one, or at the
        // end. Machine code leaves the last steps of a budget to the interpreter.
        let ended = matches!(report.end, End::Finished(_));
        let steps = if ended { report.steps + 1_000 } else { report.steps };
        let (interpreted, _) = State::after(network, run, INTERPRETER, steps);
        for options in compiled {
            let (compiled, native) = State::after(network, run, *options, steps);
            let differs =
                || format!("{}, {}, {what}: machine code differs, {options:?}", self.name, run.entry);
            assert!(interpreted == compiled, "{}", differs());
            self.native.fetch_add(native, Ordering::Relaxed);
        }
        report
    }

    /// Makes a run on a changed network without machine code.
    fn compare_in_step(&self, network: &Network, run: &Run, max_steps: u64, what: &str) -> Report {
        compare_step_by_step(network, &run.entry, &run.args, max_steps)
            .unwrap_or_else(|divergence| panic!("{}, {}, {what}: {divergence}", self.name, run.entry))
    }
}

fn compiled(name: &str, wasm: &[u8]) -> Network {
    let network = compile(wasm, &Options::default()).unwrap_or_else(|error| panic!("{name}: {error}"));
    network.into_network()
}

/// The complete state of an executor.
#[derive(PartialEq)]
struct State {
    expert: ExpertId,
    z: Vec<f64>,
    rows: Vec<(u64, f64)>,
}

impl State {
    /// Returns the state after this many steps, and how many of them machine code did.
    fn after(network: &Network, run: &Run, options: SparseOptions, steps: u64) -> (Self, u64) {
        let mut sparse = run.entered(network, options);
        sparse.run(steps, &TokenEnds::new(network));
        let (expert, z) = sparse.z();
        let z = z.to_vec();
        let mut rows = Vec::new();
        sparse.for_each_row(&mut |key, value| rows.push((key, value)));
        (State { expert, z, rows }, sparse.compiled_steps())
    }
}

#[test]
fn changed_weights_change_the_run_of_all_executors_alike() {
    let each: u64 = match std::env::var("WASM2ONNX_CHANGES") {
        Ok(text) => text.parse().expect("WASM2ONNX_CHANGES is a number"),
        Err(_) => DEFAULT_CHANGES,
    };
    let mut rng = wasm2onnx_tests::rng(1);
    let (mut changes, mut effects, mut inexact, mut native) = (0, 0, 0, 0);
    for program in Program::small() {
        let run = &program.runs[0];
        let steps = run.path.len() as u64;
        let unchanged = program.compare(&program.network, run, MAX_STEPS, &[AT_ONCE, EARLY], "unchanged");
        assert!(matches!(unchanged.end, End::Finished(Ok(_))), "{}: {:?}", program.name, unchanged.end);
        assert_eq!(unchanged.steps, steps);

        let seed = rng.u64(..);
        let [with_effect, broken_off] = [const { AtomicU64::new(0) }; 2];
        in_parallel(each, |i| {
            let mut rng = fastrand::Rng::with_seed(seed.wrapping_add(i));
            let mut network = program.network.clone();
            // A change that would take its term away is drawn again.
            let mut changes =
                std::iter::repeat_with(|| run.random_change(&mut rng, &program.network.experts));
            let (change, factor) = changes
                .find(|(change, factor)| change.apply(&mut network, *factor).is_some())
                .expect("there is no end of them");
            let compiled = if i % 4 == 0 { &[AT_ONCE, EARLY][..] } else { &[AT_ONCE] };
            let what = format!("{change:?} by {factor}");
            let report = program.compare(&network, run, 2 * steps, compiled, &what);
            // A run that was stopped because it is not exact any more is compared up to that step.
            let expected = match report.end {
                End::Inexact { .. } => {
                    broken_off.fetch_add(1, Ordering::Relaxed);
                    program.compare_in_step(&program.network, run, report.steps, "unchanged").digest
                }
                _ => unchanged.digest,
            };
            with_effect.fetch_add(u64::from(report.digest != expected), Ordering::Relaxed);
        });
        let [with_effect, broken_off] = [with_effect, broken_off].map(AtomicU64::into_inner);
        println!(
            "{}: {steps} steps, {with_effect} of {each} changes with an effect, {broken_off} inexact after",
            program.name
        );
        changes += each;
        effects += with_effect;
        inexact += broken_off;
        native += program.native.into_inner();
    }
    let share = effects as f64 / changes as f64;
    println!("{effects} of {changes} changes had an effect: {:.1} %; {inexact} ended inexact", share * 100.0);
    println!("machine code did {native} steps");
    assert!(changes >= 9 * each, "only {changes} changes");
    assert!(share >= LEAST_EFFECT);
}

#[test]
fn an_erased_packet_ends_the_run_where_it_begins() {
    let (mut erased, mut unvisited) = (0, 0);
    for program in Program::small().chain(Program::examples()).chain(Program::random()) {
        let Program { name, network, runs, .. } = &program;
        let unchanged: Vec<_> = runs
            .iter()
            .map(|run| program.compare(network, run, MAX_STEPS, &[AT_ONCE], "unchanged"))
            .collect();
        for (run, report) in runs.iter().zip(&unchanged) {
            assert!(matches!(report.end, End::Finished(_)), "{name}, {}: {:?}", run.entry, report.end);
        }
        let erased_before = erased;
        for experts in packets(network) {
            let without = Network { experts: erase(&network.experts, experts.clone()), ..network.clone() };
            let what = format!("experts {experts:?} erased");
            // The run that reaches the packet, and the step at which it does: the earliest one, since all
            // serve equally well and an early step is soon compared.
            let first = |run: &Run| run.path.iter().position(|e| experts.contains(e));
            let visit = runs.iter().filter_map(|run| Some((first(run)? as u64, run))).min_by_key(|(i, _)| *i);
            let Some((first, run)) = visit else {
                let report = program.compare_in_step(&without, &runs[0], MAX_STEPS, &what);
                assert_eq!(report, unchanged[0], "{name}, {what}");
                unvisited += 1;
                continue;
            };
            let digest = |network, steps| program.compare_in_step(network, run, steps, &what).digest;
            assert_eq!(digest(&without, first), digest(network, first), "{name}, {what}: differs before");
            let report = program.compare(&without, run, MAX_STEPS, &[EARLY], &what);
            assert_eq!(report.steps, first + 1, "{name}, {what}: goes on");
            assert_ne!(report.digest, digest(network, first + 1), "{name}, {what}: no difference");
            erased += 1;
        }
        let packets = network.packets.len();
        println!(
            "{name}: {} of {packets} packets are visited by {} runs",
            erased - erased_before,
            runs.len()
        );
    }
    println!("{erased} packets erased that runs come to, {unvisited} that they do not");
    assert!(erased >= LEAST_ERASED, "only {erased} packets were visited");
}
