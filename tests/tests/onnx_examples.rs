//! The programs of `examples/` in ONNX Runtime, on fresh random inputs: results, printed bytes, traps
//! and steps of the loop form, and every number of every step of the step form, are those of the
//! sparse executor, at all levels of graph optimization.

use wasm2onnx::{Attention, Form};
use wasm2onnx_compiler::{Certified, Options, compile};
use wasm2onnx_runtime::{Network, Sparse, SparseOptions};
use wasm2onnx_tests::examples::{self, Call, Example};
use wasm2onnx_tests::onnx_runtime::{Driver, Level, LoopModel, StepModel, Steps, follow, model};
use wasm2onnx_tests::oracle::{Oracle, Wasmtime};
use wasm2onnx_tests::ours::{self, Run, Way};
use wasm2onnx_tests::rng;

/// Approximate number of instructions of the calls that the loop form runs at each level, besides the sample.
const EACH_LEVEL: u64 = 20_000;

/// Approximate numbers of instructions of the calls that it runs at the default level.
const DEFAULT_LEVEL: [u64; 3] = [50_000, 100_000, 200_000];

/// Approximate number of instructions of the calls that the step form runs.
const STEP_BY_STEP: u64 = 2_000;

/// Maximum number of steps of the step form.
const MAX_STEPS: u64 = 3_000;

/// Maximum number of cells that all steps of a run may copy: without bound buffers each step copies the
/// trace.
const MAX_COPIED: u64 = 1 << 30;

/// Maximum number of steps with bound buffers.
const MAX_BOUND_STEPS: u64 = 20_000;

/// Maximum number of pages of memory in the step form: as many as the largest example begins with.
const MEMORY_PAGES: u32 = 16;

/// Number of bytes of standard input and of standard output for which there are cells.
const STREAM_BYTES: u64 = 1 << 16;

/// Minimum number of wasm instructions per token and per step.
const LEAST_PER_TOKEN: f64 = 4.0;
const LEAST_PER_STEP: f64 = 1.2;

/// Examples to which these bounds do not apply: a float operation is a call of a routine of 20 to 50 steps,
/// and `expressions` does little but call small functions through a table (1.16 instructions per step).
const UNBOUNDED: [&str; 3] = ["expressions", "mandelbrot", "nbody"];

macro_rules! examples {
    ($($name:ident)*) => {$(
        mod $name {
            use super::*;

            #[test]
            fn loop_form() {
                in_loop_form(&example(stringify!($name)));
            }

            #[test]
            fn step_form() {
                in_step_form(&example(stringify!($name)));
            }

            #[test]
            fn bound_buffers() {
                with_bound_buffers(&example(stringify!($name)));
            }
        }
    )*};
}

examples!(expressions hungarian interpreter mandelbrot modpow nbody quicksort recursive sha256 sieve sudoku);

fn example(name: &str) -> Example {
    examples::all().into_iter().find(|example| example.name == name).expect("an example of that name")
}

/// Compiles the network for one call. Its streams are smaller than those of `wasm2onnx compile`, and in the
/// step form, which has a cell for each byte, also its memory.
fn network(example: &Example, call: &Call, form: Form) -> Certified {
    let options = Options {
        exports: Some(vec![call.entry.to_owned()]),
        stdin_bytes: STREAM_BYTES,
        stdout_bytes: STREAM_BYTES,
        max_memory_pages: (form == Form::Step).then_some(MEMORY_PAGES),
        ..Options::default()
    };
    compile(example.wasm, &options).unwrap_or_else(|error| panic!("{}: {error}", example.name))
}

fn in_loop_form(example: &Example) {
    let mut rng = rng(2);
    // Examples that take many steps per instruction get less to do.
    let share = if UNBOUNDED.contains(&example.name) { 20 } else { 1 };
    let sample = example.sample.clone().filter(|_| share == 1);
    let calls = sample.into_iter().chain([(example.generate)(&mut rng, EACH_LEVEL / share)]);
    for call in calls {
        let model = model(&network(example, &call, Form::Loop), call.entry, Form::Loop, Attention::Indexed);
        for level in Level::EACH {
            compare(example, &call, &mut LoopModel::load(&model, level));
        }
    }
    let (mut instructions, mut steps, mut tokens) = (0, 0, 0);
    for size in DEFAULT_LEVEL {
        let call = (example.generate)(&mut rng, size / share);
        let model = model(&network(example, &call, Form::Loop), call.entry, Form::Loop, Attention::Indexed);
        let run = compare(example, &call, &mut LoopModel::load(&model, Level::All));
        let mut wasmtime = Wasmtime::new(example.wasm, &call.stdin);
        call.answer(&mut wasmtime).expect("no example traps");
        instructions += wasmtime.instructions();
        steps += run.0;
        tokens += run.1;
    }
    let (a_token, a_step) = (instructions as f64 / tokens as f64, instructions as f64 / steps as f64);
    println!(
        "{}: {instructions} instructions in {steps} steps; {a_token:.2} a token, {a_step:.2} a step",
        example.name
    );
    let enough = a_token >= LEAST_PER_TOKEN && a_step >= LEAST_PER_STEP;
    assert!(enough || UNBOUNDED.contains(&example.name), "{}: too few", example.name);
}

/// Runs a call in ONNX Runtime and on the sparse executor, and compares. Returns the numbers of steps and
/// tokens.
fn compare(example: &Example, call: &Call, model: &mut LoopModel) -> (u64, u64) {
    let network = network(example, call, Form::Loop);
    let Run { answer, steps, tokens } = ours::run(&network, call, Way::Checked, u64::MAX)
        .unwrap_or_else(|error| panic!("{}: {error}", example.name));
    assert!((example.check)(call, &answer), "{}: wrong answer {answer:?}", example.name);
    let (ended, stdout) = model.run(&call.args, &call.stdin, None);
    let what = format!("{}, {}{:?} on {} bytes", example.name, call.entry, call.args, call.stdin.len());
    assert_eq!(ended.outcome(), Ok(answer.results), "{what}");
    assert_eq!(String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&answer.stdout), "{what}");
    assert_eq!(ended.steps, steps, "{what}: steps");
    (ended.steps, tokens)
}

fn in_step_form(example: &Example) {
    let call = (example.generate)(&mut rng(3), STEP_BY_STEP);
    let network = network(example, &call, Form::Step);
    let model = model(&network, call.entry, Form::Step, Attention::Indexed);
    for level in Level::EACH {
        let mut model = StepModel::load(&model, level);
        let (mut run, driver) = model.plain(&call.stdin);
        let steps = beside_sparse(example, &network, &call, (&mut run, driver), plain_steps(&network));
        println!("{}, {level:?}: {steps} steps alike", example.name);
    }
}

/// Returns the maximum number of steps without bound buffers.
fn plain_steps(network: &Network) -> u64 {
    let cells: u64 = network.regions.iter().map(|region| region.count).sum();
    (MAX_COPIED / cells).min(MAX_STEPS)
}

fn with_bound_buffers(example: &Example) {
    // Every number is compared with the sparse executor, in a longer run.
    let call = (example.generate)(&mut rng(4), 10 * STEP_BY_STEP);
    let network = network(example, &call, Form::Step);
    let model = model(&network, call.entry, Form::Step, Attention::Indexed);
    for level in [Level::Disabled, Level::All] {
        let mut model = StepModel::load(&model, level);
        let (mut run, driver) = model.bound(&call.stdin);
        let steps = beside_sparse(example, &network, &call, (&mut run, driver), MAX_BOUND_STEPS);
        println!("{}, {level:?}: {steps} steps alike", example.name);
    }
    // The same as without binding, bit for bit.
    for level in Level::EACH {
        let (mut one, mut other) = (StepModel::load(&model, level), StepModel::load(&model, level));
        let (mut plain, driver) = one.plain(&call.stdin);
        let (mut bound, _) = other.bound(&call.stdin);
        assert!(!driver.has_creation(), "no example has a start function");
        let (expert, numbers, rows) = driver.call(&call.args);
        let runs: [&mut dyn Steps; 2] = [&mut plain, &mut bound];
        for run in runs {
            run.set(expert, &numbers);
            run.append(&rows);
        }
        let mut steps = 0;
        while steps < plain_steps(&network) / 4 && !driver.is_terminal(plain.expert()) {
            plain.step();
            bound.step();
            steps += 1;
            assert_eq!(plain.expert(), bound.expert(), "{}, {level:?}: step {steps}", example.name);
            let bits = |run: &dyn Steps| run.numbers().iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&plain), bits(&bound), "{}, {level:?}: step {steps}", example.name);
        }
        let bits = |run: &dyn Steps| run.trace().iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        assert!(bits(&plain) == bits(&bound), "{}, {level:?}: the traces differ", example.name);
    }
}

/// Steps a model side by side with the sparse executor, which asserts everything that is declared.
fn beside_sparse(
    example: &Example,
    network: &Network,
    call: &Call,
    run: (&mut dyn Steps, &Driver),
    max_steps: u64,
) -> u64 {
    let network = ours::with_stdin(network, &call.stdin);
    let options = SparseOptions { assert_declared: true, compile_after: None };
    let mut sparse = Sparse::new(&network, options).expect("the network is valid");
    let followed = follow(&network, (call.entry, &call.args), &mut sparse, run, max_steps)
        .unwrap_or_else(|difference| panic!("{}, {}{:?}: {difference}", example.name, call.entry, call.args));
    assert!(followed.steps > 0, "nothing was compared");
    followed.steps
}
