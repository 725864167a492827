//! Small programs in ONNX Runtime: attention over all rows against the dense executor, limits of
//! steps, batches, random modules.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use wasm2onnx::{Attention, ExportOptions, Form};
use wasm2onnx_compiler::{Certified, Options, Signature, compile, exported_functions};
use wasm2onnx_runtime::{Dense, Executor, Network, Value};
use wasm2onnx_tests::onnx_file::File;
use wasm2onnx_tests::onnx_runtime::{ATTENTIONS, Ended, Level, LoopModel, StepModel, follow, model};
use wasm2onnx_tests::oracle::{Engine, Limits, NoInstance, Oracle, Outcome, Stop, Wasmtime};
use wasm2onnx_tests::ours::{self, ended};
use wasm2onnx_tests::programs;
use wasm2onnx_tests::smith::random_module;
use wasm2onnx_tests::values::random_value;
use wasm2onnx_tests::{in_parallel, rng, save_failure};

/// Maximum number of steps of a small program.
const MAX_STEPS: u64 = 2_000;

/// Calls `run` on a fresh instance on one of our executors. Returns how the call ends, the number of steps
/// and what is printed.
fn expected(
    network: &Network,
    executor: Executor,
    args: &[Value],
    stdin: &[u8],
    max_steps: Option<u64>,
) -> (Outcome, u64, Vec<u8>) {
    ended(network, "run", executor, args, stdin, max_steps)
}

fn ending(ended: Ended, stdout: Vec<u8>) -> (Outcome, u64, Vec<u8>) {
    (ended.outcome(), ended.steps, stdout)
}

/// Number of table entries from which attention over all of them takes long: seconds per run.
const LARGE_TABLES: usize = 10_000;

/// Checks that the loop form with this attention gives what the executors give.
fn whole_runs(attention: Attention) {
    let mut traps = 0;
    for program in programs::all() {
        let network = program.network();
        let slow = attention == Attention::Softmax && network.lookup.len() > LARGE_TABLES;
        let levels = if slow { &Level::EACH[3..] } else { &Level::EACH[..] };
        let bytes = model(&network, "run", Form::Loop, attention);
        for level in levels {
            let mut model = LoopModel::load(&bytes, *level);
            for args in &program.calls {
                let (ended, stdout) = model.run(args, &program.stdin, None);
                let expected = expected(&network, Executor::Dense, args, &program.stdin, None);
                traps += u64::from(expected.0.is_err());
                assert_eq!(
                    ending(ended, stdout),
                    expected,
                    "{}{args:?}, {attention:?}, {level:?}",
                    program.name
                );
            }
        }
    }
    println!("{traps} of the calls trap");
    assert!(traps >= 20);
}

#[test]
fn whole_runs_indexed() {
    whole_runs(Attention::Indexed);
}

#[test]
fn whole_runs_dense() {
    whole_runs(Attention::Dense);
}

#[test]
fn whole_runs_softmax() {
    whole_runs(Attention::Softmax);
}

/// The step form with any attention gives what the dense executor has after each step.
#[test]
fn step_by_step_beside_the_dense_executor() {
    for attention in ATTENTIONS {
        let (mut compared, mut programs_compared) = (0, 0);
        for program in programs::all() {
            let network = ours::with_stdin(&program.network(), &program.stdin);
            let bytes = model(&program.network(), "run", Form::Step, attention);
            let mut model = StepModel::load(&bytes, Level::All);
            for args in &program.calls {
                let mut dense = Dense::new(&network).expect("the network is valid");
                let (mut run, driver) = model.plain(&program.stdin);
                let followed = follow(&network, ("run", args), &mut dense, (&mut run, driver), MAX_STEPS)
                    .unwrap_or_else(|what| panic!("{}{args:?}, {attention:?}: {what}", program.name));
                assert!(followed.ended, "{}{args:?} is too long", program.name);
                let (expected, steps, _) =
                    expected(&program.network(), Executor::Dense, args, &program.stdin, None);
                assert_eq!(followed.steps, steps);
                if let Ok(results) = expected {
                    assert_eq!(driver.results(&run), results, "{}{args:?}, {attention:?}", program.name);
                }
                compared += followed.steps;
            }
            programs_compared += 1;
        }
        println!("{attention:?}: {programs_compared} programs, {compared} steps alike");
        assert!(programs_compared >= 10);
    }
}

/// A run that appends more rows than softmax attention can tell apart is refused, however many steps are
/// allowed, and a run that just fits is right.
#[test]
fn softmax_refuses_what_is_too_long() {
    // The program begins with nearly as many rows as there may be: one for each byte that is not 0.
    let bytes = "\\01".repeat(32_000);
    let wasm = wat::parse_str(format!(
        r#"(memory 1) (data (i32.const 1024) "{bytes}") (func (export "run") (param $n i32) (result i64)
            (loop $next
                (i64.store (i32.const 16) (i64.add (i64.load (i32.const 16)) (i64.const 0x0101010203)))
                (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
            (i64.load (i32.const 16)))"#,
    ))
    .expect("a module");
    let network = compile(&wasm, &Options::default()).expect("it compiles");
    let bytes = model(&network, "run", Form::Loop, Attention::Softmax);
    for form in [Form::Loop, Form::Step] {
        let file = File::read(&model(&network, "run", form, Attention::Softmax));
        assert_eq!(file.metadata("max_rows"), Some("32768"), "{form:?}");
        assert_eq!(File::read(&model(&network, "run", form, Attention::Dense)).metadata("max_rows"), None);
    }
    // A step appends a row for each port. In each of two phases (instance creation, the call), so do the turn
    // that finds the phase's end and the last rows behind it.
    let rows = 32_768 - network.first_rows.len() as u64;
    let limit = rows / u64::from(network.ports.rows) - 4;
    let steps = |n: i32| expected(&network, Executor::Sparse, &[Value::I32(n)], &[], None).1;
    let most = (1..).take_while(|n| steps(*n) <= limit).last().expect("a few fit");
    let mut model = LoopModel::load(&bytes, Level::All);
    let (ended, _) = model.run(&[Value::I32(most)], &[], None);
    let expected = expected(&network, Executor::Sparse, &[Value::I32(most)], &[], None);
    assert_eq!((ended.outcome(), ended.steps), (expected.0, expected.1));
    for max_steps in [None, Some(i64::MAX)] {
        let (ended, _) = model.run(&[Value::I32(most + 1)], &[], max_steps);
        assert_eq!((ended.outcome(), ended.steps), (Err(Stop::Limit), limit), "{max_steps:?}");
    }
    println!("{most} rounds, {} steps; refused after {limit}", ended.steps);
}

/// Every limit of steps stops a run as it stops the sparse executor, during instance creation too.
#[test]
fn step_limits() {
    // Resident traces, instance creation, paged traces with streams, runs that end in a trap.
    for name in ["recursion", "start", "start_traps", "echo", "echo_traps", "division_traps"] {
        let program = programs::all().find(|program| program.name == name).expect("one of them");
        let network = program.network();
        for attention in ATTENTIONS {
            if attention != Attention::Indexed && network.lookup.len() > LARGE_TABLES {
                continue;
            }
            let mut model = LoopModel::load(&model(&network, "run", Form::Loop, attention), Level::All);
            for args in program.calls.iter().take(2) {
                let run = |max_steps| expected(&network, Executor::Sparse, args, &program.stdin, max_steps);
                let steps = run(None).1;
                // What was printed before a limit differs from step to step.
                let some = if network.io.stdout.is_some() { 1 } else { 23 };
                let all = (0..=steps + 1).filter(|max| *max < 6 || steps < *max + 3 || max % some == 0);
                for max_steps in all {
                    let (ended, stdout) = model.run(args, &program.stdin, Some(max_steps as i64));
                    let what = format!("{name}{args:?}, {attention:?}, {max_steps} steps");
                    assert_eq!(ending(ended, stdout), run(Some(max_steps)), "{what}");
                }
                for max_steps in [-1, -2, i64::MIN] {
                    let (ended, _) = model.run(args, &program.stdin, Some(max_steps));
                    let what = format!("{name}{args:?}, {attention:?}, {max_steps} steps");
                    assert_eq!((ended.trap, ended.steps), (11, 0), "{what}");
                }
                let (ended, _) = model.run(args, &program.stdin, Some(i64::MAX));
                let (outcome, steps, _) = run(None);
                assert_eq!((ended.outcome(), ended.steps), (outcome, steps), "{name}, {attention:?}");
            }
        }
    }
}

/// Maximum number of steps of an instance in a batch.
const MAX_BATCH_STEPS: u64 = 200;

/// Each instance of a batch of a program with memory gives what a run of its own gives.
fn side_by_side(name: &str, network: &Certified, calls: &[Vec<Value>]) {
    let options = ExportOptions { entry: "run".to_owned(), batch: true, ..ExportOptions::default() };
    let model = wasm2onnx::export(network, &options).unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut model = LoopModel::load(&model, Level::All);
    for calls in [calls, &calls[..1], &[calls, calls, calls].concat()] {
        let batch = model.run_batch(calls, &[], None).unwrap_or_else(|error| panic!("{name}: {error}"));
        for (args, ended) in calls.iter().zip(batch.rows) {
            let expected = expected(network, Executor::Sparse, args, &[], None);
            assert_eq!(
                (ended.outcome(), ended.steps),
                (expected.0, expected.1),
                "{name}{args:?}, in a batch"
            );
        }
    }
    println!("{name}: {} instances with memory side by side", calls.len());
}

/// Each instance of a batch gives what a run of its own gives, whenever it ends and whether or not it traps.
#[test]
fn batches() {
    let mut rng = rng(5);
    let (mut rows_compared, mut traps) = (0, 0);
    for program in programs::all() {
        let network = program.network();
        let params = network.entries["run"].params.clone();
        if network.io.input.is_some() || network.io.stdout.is_some() || params.is_empty() {
            continue;
        }
        let random = (0..24).map(|_| params.iter().map(|ty| random_value(&mut rng, *ty)).collect());
        let calls = program.calls.iter().map(|args| args.to_vec());
        // A random argument may make a run very long, and attention over all rows takes its time.
        let short = |args: &Vec<Value>| {
            expected(&network, Executor::Sparse, args, &[], Some(MAX_BATCH_STEPS)).0 != Err(Stop::Limit)
        };
        let all: Vec<Vec<Value>> = calls.chain(random).filter(short).collect();
        for attention in ATTENTIONS {
            if attention != Attention::Indexed && network.lookup.len() > LARGE_TABLES {
                continue;
            }
            let count = if attention == Attention::Indexed { all.len() } else { all.len().min(5) };
            let calls = &all[..count];
            // No call is short enough.
            if calls.is_empty() {
                continue;
            }
            let mut model = LoopModel::load(&model(&network, "run", Form::Loop, attention), Level::All);
            if calls.len() > 1 && is_paged(&network, attention) {
                let refused = model.run_batch(&calls[..2], &[], None).expect_err("a paged trace is one");
                assert!(refused.to_string().contains("arg0"), "{}: {refused}", program.name);
                side_by_side(program.name, &network, &all);
                continue;
            }
            let longest =
                calls.iter().map(|args| expected(&network, Executor::Sparse, args, &[], None).1).max();
            for max_steps in [None, longest.map(|steps| steps as i64 / 2)] {
                let batch = model.run_batch(calls, &[], max_steps).unwrap_or_else(|error| panic!("{error}"));
                let mut steps = Vec::new();
                for (args, ended) in calls.iter().zip(batch.rows) {
                    let what = format!("{}{args:?}, {attention:?}, {max_steps:?}", program.name);
                    let (single, _) = model.run(args, &[], max_steps);
                    assert_eq!(ended, single, "{what}: in the batch and by itself");
                    let expected =
                        expected(&network, Executor::Sparse, args, &[], max_steps.map(|max| max as u64));
                    assert_eq!((ended.outcome(), ended.steps), (expected.0, expected.1), "{what}");
                    traps += u64::from(ended.trap != 0);
                    rows_compared += 1;
                    steps.push(ended.steps);
                }
                println!(
                    "{}, {attention:?}: steps {:?} to {:?}",
                    program.name,
                    steps.iter().min(),
                    steps.iter().max()
                );
            }
        }
    }
    println!("{rows_compared} rows, {traps} of them trap");
    assert!(rows_compared > 300 && traps > 50);
}

/// Returns whether the model of a network is of the paged variant, which takes one instance at a time.
fn is_paged(network: &Certified, attention: Attention) -> bool {
    attention == Attention::Indexed
        && File::read(&model(network, "run", Form::Loop, attention)).takes_one_instance()
}

/// Number of modules from wasm-smith.
const RANDOM_MODULES: u64 = 500;

/// Number of calls of one export of each module.
const CALLS: usize = 3;

/// More fuel than any generated module burns.
const FUEL: u64 = 1 << 24;

/// Maximum number of steps of a random call in ONNX Runtime.
const LONG: u64 = 10_000;

/// Random modules give the results of wasmtime, and take as many steps as on the sparse executor.
#[test]
fn random_modules() {
    let total = Mutex::new((0, 0, 0, 0));
    let cut_off = AtomicU64::new(0);
    in_parallel(RANDOM_MODULES, |seed| {
        let wasm = random_module(seed);
        match compare_random(&wasm, seed) {
            Ok((calls, traps, steps, cut)) => {
                cut_off.fetch_add(cut, Ordering::Relaxed);
                let mut total = total.lock().expect("no test panics holding it");
                *total = (total.0 + calls, total.1 + traps, total.2 + steps, total.3);
            }
            Err(what) => {
                let path = save_failure(&format!("onnx-{seed}.wasm"), &wasm);
                println!("FAILED seed {seed}: {what}; module: {path}");
                total.lock().expect("no test panics holding it").3 += 1;
            }
        }
    });
    let (calls, traps, steps, failed) = total.into_inner().expect("no test panicked holding it");
    println!(
        "{RANDOM_MODULES} modules: {calls} calls, {traps} of them trapped, {steps} steps, {failed} failed"
    );
    let cut_off = cut_off.into_inner();
    println!("{cut_off} calls were compared for {LONG} steps only");
    assert_eq!(failed, 0, "modules fail");
    assert!(calls >= 2 * RANDOM_MODULES, "too few functions have no references");
    assert!(cut_off * 20 <= calls, "too many calls are too long");
}

/// Compares some calls. Returns how many were compared, how many of them trapped, the sum of their steps, and
/// how many were too long.
fn compare_random(wasm: &[u8], seed: u64) -> Result<(u64, u64, u64, u64), String> {
    let mut rng = fastrand::Rng::with_seed(seed);
    // No model takes or returns a reference.
    let all = exported_functions(wasm, &Options::default()).map_err(|error| format!("refused: {error}"))?;
    let plain = |signature: &Signature| {
        !signature.params.iter().chain(&signature.results).any(|ty| ty.is_reference())
    };
    let mut exports: Vec<_> = all.into_iter().filter(|(_, signature)| plain(signature)).collect();
    rng.shuffle(&mut exports);
    let mut sum = (0, 0, 0);
    let mut cut = 0;
    if let Some((name, Signature { params, .. })) = exports.pop() {
        let options =
            Options { max_memory_pages: Some(16), exports: Some(vec![name.clone()]), ..Options::default() };
        let network = compile(wasm, &options).map_err(|error| format!("refused: {error}"))?;
        let level = Level::EACH[seed as usize % Level::EACH.len()];
        let mut model = LoopModel::load(&model(&network, &name, Form::Loop, Attention::Indexed), level);
        for _ in 0..CALLS {
            let args: Vec<_> = params.iter().map(|ty| random_value(&mut rng, *ty)).collect();
            // A call that takes too long in ONNX Runtime is compared as far as the limit goes, with our
            // executor only.
            let (outcome, steps, _) = ended(&network, &name, Executor::Sparse, &args, &[], Some(LONG));
            let limit = (outcome == Err(Stop::Limit)).then_some(LONG as i64);
            let (ended, _) = model.run(&args, &[], limit);
            let found = ended.outcome();
            if limit.is_none() {
                let expected = answer(wasm, &name, &args);
                if expected != found {
                    return Err(format!("{name}{args:?} gave {found:?} instead of {expected:?}"));
                }
            }
            if (&outcome, steps) != (&found, ended.steps) {
                return Err(format!(
                    "{name}{args:?} gave {found:?} in {} steps, not {outcome:?} in {steps}",
                    ended.steps
                ));
            }
            cut += u64::from(limit.is_some());
            sum = (sum.0 + 1, sum.1 + u64::from(found.is_err()), sum.2 + steps);
        }
    }
    Ok((sum.0, sum.1, sum.2, cut))
}

/// Returns the outcome of a call in wasmtime on a fresh instance.
fn answer(wasm: &[u8], name: &str, args: &[Value]) -> Outcome {
    let limits = Limits { fuel: Some(FUEL), pages: Some(16) };
    let module = Wasmtime::compile(wasm, limits).expect("wasmtime accepts the module");
    match Wasmtime::instantiate(&module, &[]) {
        Ok(mut instance) => instance.call(name, args),
        Err(NoInstance::Ended(stop)) => Err(stop),
        Err(NoInstance::Refused) => panic!("wasmtime refuses the module"),
    }
}
