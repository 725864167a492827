//! The weight test and the erase test through the file: a model of changed weights runs in ONNX
//! Runtime as the changed network does on our executors, and differently from the unchanged one.

use wasm2onnx::import::import_unproved;
use wasm2onnx::{Attention, Form};
use wasm2onnx_runtime::lockstep::{End, Report, compare_step_by_step};
use wasm2onnx_runtime::{Dense, Network, Sparse, SparseOptions, Stepper};
use wasm2onnx_tests::damage::{Run, erase, packets};
use wasm2onnx_tests::onnx_runtime::{Driver, Followed, Level, StepModel, Steps, follow, unproved_model};
use wasm2onnx_tests::programs;

/// Number of changes of one weight for each program.
const CHANGES: usize = 50;

/// Minimum share of the changes that have an effect.
const LEAST_EFFECT: f64 = 0.3;

/// Maximum number of steps of an unchanged run.
const MAX_STEPS: u64 = 1_000;

/// Minimum number of erased packets that runs reach.
const LEAST_ERASED: usize = 40;

/// Options without assertions, since declarations need not hold for changed weights.
const OPTIONS: SparseOptions = SparseOptions { assert_declared: false, compile_after: None };

/// Makes a run on our executors up to the first step that is not exact, and as many steps in ONNX Runtime, in
/// the step form: with indexed attention side by side with the sparse executor, and with dense attention side
/// by side with the dense one.
fn compare(network: &Network, run: &Run, max_steps: u64, what: &str) -> Report {
    let report = compare_step_by_step(network, &run.entry, &run.args, max_steps)
        .unwrap_or_else(|divergence| panic!("{what}: {divergence}"));
    for attention in [Attention::Indexed, Attention::Dense] {
        let bytes = unproved_model(network, &run.entry, Form::Step, attention);
        let read = import_unproved(&bytes).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert!(read.experts == network.experts && read.lookup == network.lookup, "{what}: other weights");
        let mut model = StepModel::load(&bytes, Level::Basic);
        let followed: Result<Followed, String> = match attention {
            Attention::Indexed => {
                let (mut bound, driver) = model.bound(&[]);
                let mut sparse = Sparse::new(network, OPTIONS).expect("the network is valid");
                beside(network, run, &mut sparse, (&mut bound, driver), report.steps)
            }
            _ => {
                let (mut plain, driver) = model.plain(&[]);
                let mut dense = Dense::new(network).expect("the network is valid");
                beside(network, run, &mut dense, (&mut plain, driver), report.steps)
            }
        };
        let followed = followed.unwrap_or_else(|difference| panic!("{what}, {attention:?}: {difference}"));
        assert_eq!(followed.steps, report.steps, "{what}, {attention:?}");
        assert!(followed.ended || !matches!(report.end, End::Finished(_)), "{what}, {attention:?}");
    }
    report
}

fn beside(
    network: &Network,
    run: &Run,
    executor: &mut dyn Stepper,
    model: (&mut dyn Steps, &Driver),
    steps: u64,
) -> Result<Followed, String> {
    follow(network, (&run.entry, &run.args), executor, model, steps)
}

#[test]
fn changed_weights_change_the_run_in_the_file_alike() {
    let mut rng = wasm2onnx_tests::rng(6);
    let (mut changes, mut effects, mut inexact) = (0, 0, 0);
    for program in programs::circuits() {
        let mut network = program.network().into_network();
        let run = Run::follow(&network, "run", &program.calls[0], MAX_STEPS).expect("it is short");
        let steps = run.path.len() as u64;
        let unchanged = compare(&network, &run, MAX_STEPS, program.name);
        assert_eq!(unchanged.steps, steps);
        let before = effects;
        for _ in 0..CHANGES {
            let (change, factor) = run.random_change(&mut rng, &network.experts);
            let Some(undo) = change.apply(&mut network, factor) else {
                continue;
            };
            let what = format!("{}, {change:?} by {factor}", program.name);
            let report = compare(&network, &run, 2 * steps, &what);
            undo.apply(&mut network);
            // A run that was stopped because it is not exact any more is compared up to that step.
            let expected = match report.end {
                End::Inexact { .. } => {
                    inexact += 1;
                    let unchanged = compare_step_by_step(&network, &run.entry, &run.args, report.steps);
                    unchanged.expect("our executors agree").digest
                }
                _ => unchanged.digest,
            };
            changes += 1;
            effects += usize::from(report.digest != expected);
        }
        println!("{}: {steps} steps, {} of {CHANGES} changes with an effect", program.name, effects - before);
    }
    let share = effects as f64 / changes as f64;
    println!("{effects} of {changes} changes had an effect: {:.1} %; {inexact} ended inexact", share * 100.0);
    assert!(changes >= 250, "only {changes} changes");
    assert!(share >= LEAST_EFFECT);
}

#[test]
fn an_erased_packet_ends_the_run_in_the_file_where_it_begins() {
    let mut erased = 0;
    for program in programs::all() {
        let network = program.network().into_network();
        if network.start.is_some() || network.io.input.is_some() {
            continue;
        }
        let run = Run::follow(&network, "run", &program.calls[0], MAX_STEPS).expect("it is short");
        for experts in packets(&network) {
            let Some(first) = run.path.iter().position(|e| experts.contains(e)) else {
                continue;
            };
            let without = Network { experts: erase(&network.experts, experts.clone()), ..network.clone() };
            let what = format!("{}, experts {experts:?} erased", program.name);
            let report = compare(&without, &run, MAX_STEPS, &what);
            assert_eq!(report.steps, first as u64 + 1, "{what}: goes on");
            let digest = |network: &Network, steps: usize| {
                compare_step_by_step(network, &run.entry, &run.args, steps as u64).expect("they agree").digest
            };
            assert_eq!(digest(&without, first), digest(&network, first), "{what}: differs before");
            assert_ne!(digest(&without, first + 1), digest(&network, first + 1), "{what}: no difference");
            erased += 1;
        }
    }
    println!("{erased} packets erased");
    assert!(erased >= LEAST_ERASED, "only {erased} packets");
}
