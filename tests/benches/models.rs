//! Measures how fast models run in ONNX Runtime with one thread, and whether the time per step grows with the
//! length of a run.
//!
//! `cargo bench -p wasm2onnx-tests --bench models` runs everything; with names of examples, `slope` or `batch`
//! as arguments it runs only these. It needs `ORT_DYLIB_PATH` (see `tests/run`). Inputs are fresh
//! unless `WASM2ONNX_SEED` is set; `WASM2ONNX_BENCH_INSTRUCTIONS` sets the approximate number of instructions
//! of each example. Instructions are those that wasmtime counts for the same call. Times are wall-clock
//! times, the minimum of [`RUNS`] runs, of whole calls including prologue and epilogue of the graph.

use std::time::Instant;

use wasm2onnx::{Attention, Form};
use wasm2onnx_compiler::{Certified, Options, compile};
use wasm2onnx_runtime::Value;
use wasm2onnx_tests::examples::{self, Call};
use wasm2onnx_tests::onnx_runtime::{Ended, Level, LoopModel, model};
use wasm2onnx_tests::oracle::{Oracle, Wasmtime};
use wasm2onnx_tests::rng;

/// Number of runs, of which the fastest counts.
const RUNS: usize = 3;

/// Approximate number of instructions per call of an example, if the environment variable is not set.
const INSTRUCTIONS: u64 = 300_000;

/// Numbers of steps of the runs whose times per step are compared.
const SLOPE: [u64; 3] = [10_000, 100_000, 1_000_000];

/// Numbers of instances that run side by side.
const BATCHES: [usize; 4] = [1, 16, 256, 1024];

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let wanted = |name: &str| args.is_empty() || args.iter().any(|arg| arg == name);
    examples(&wanted);
    if wanted("slope") {
        slope("64 KiB of memory", 1);
        slope("16 MiB of memory", 256);
    }
    if wanted("batch") {
        batch();
    }
}

/// Compiles a module to a network for one of its functions.
fn network(wasm: &[u8], entry: &str) -> Certified {
    let options =
        Options { exports: Some(vec![entry.to_owned()]), stdout_bytes: 1 << 20, ..Options::default() };
    compile(wasm, &options).unwrap_or_else(|error| panic!("{error}"))
}

/// Returns the shortest time of several runs, in seconds, and the result of the last one.
fn time<T>(mut run: impl FnMut() -> T) -> (f64, T) {
    let mut best = f64::INFINITY;
    let mut last = None;
    for _ in 0..RUNS {
        let start = Instant::now();
        last = Some(run());
        best = best.min(start.elapsed().as_secs_f64());
    }
    (best, last.expect("there is a run"))
}

// ---- Examples.

fn examples(wanted: &dyn Fn(&str) -> bool) {
    let mut rng = rng(fastrand::u64(..));
    let instructions = match std::env::var("WASM2ONNX_BENCH_INSTRUCTIONS") {
        Ok(text) => text.parse().expect("WASM2ONNX_BENCH_INSTRUCTIONS is a number"),
        Err(_) => INSTRUCTIONS,
    };
    println!(
        "{:12} {:>10} {:>9} {:>8} {:>8} {:>12} {:>10} {:>9}",
        "", "instr", "steps", "s", "µs/step", "instr/s", "bytes", "load ms"
    );
    let (mut logarithms, mut count) = (0.0, 0);
    for example in examples::all() {
        let call: Call = (example.generate)(&mut rng, instructions);
        if !wanted(example.name) {
            continue;
        }
        let mut counting = Wasmtime::new(example.wasm, &call.stdin);
        let expected = call.answer(&mut counting).expect("no trap");
        let executed = counting.instructions() as f64;
        let bytes = model(&network(example.wasm, call.entry), call.entry, Form::Loop, Attention::Indexed);
        let (load, mut loaded) = time(|| LoopModel::load(&bytes, Level::All));
        let (seconds, (Ended { results, trap, steps }, stdout)) =
            time(|| loaded.run(&call.args, &call.stdin, None));
        assert_eq!((trap, results, stdout), (0, expected.results, expected.stdout), "{}", example.name);
        let rate = executed / seconds;
        println!(
            "{:12} {:>10} {steps:>9} {seconds:>8.3} {:>8.2} {rate:>12.0} {:>10} {:>9.1}",
            example.name,
            executed as u64,
            seconds * 1e6 / steps as f64,
            bytes.len(),
            load * 1e3,
        );
        logarithms += rate.ln();
        count += 1;
    }
    if count > 1 {
        println!("geometric mean: {:.0} instructions a second", (logarithms / f64::from(count)).exp());
    }
}

// ---- The slope.

/// Prints the time per step of runs of different lengths: of a loop that stays in a few pages of its memory,
/// and of one that accesses all of 64 KiB, so that pages are missing all the time.
fn slope(what: &str, pages: u32) {
    // If pages are missing all the time, a step takes so long that shorter runs are enough.
    for (access, spread, lengths) in
        [("a few pages", "0xffc", &SLOPE[..]), ("all of 64 KiB", "0xfffc", &SLOPE[..2])]
    {
        let wat = include_str!("slope.wat")
            .replace("(memory 1)", &format!("(memory {pages})"))
            .replace("0xfffc", spread);
        let wasm = wat::parse_str(wat).expect("a valid module");
        let bytes = model(&network(&wasm, "run"), "run", Form::Loop, Attention::Indexed);
        let mut loaded = LoopModel::load(&bytes, Level::All);
        let mut run = |rounds: u64| loaded.run(&[Value::I32(rounds as i32)], &[], None).0.steps;
        let each = run(100) / 100;
        let mut first = None;
        for &steps in lengths {
            let (seconds, steps) = time(|| run(steps / each));
            let each = seconds * 1e6 / steps as f64;
            let first = *first.get_or_insert(each);
            println!(
                "{what}, {access}: {steps:>8} steps, {each:.2} µs a step, {:.2} of the first",
                each / first
            );
        }
    }
}

// ---- Batches.

fn batch() {
    let wat = r#"(module (func (export "gcd") (param i32 i32) (result i32) (local i32)
        (block (loop
            (br_if 1 (i32.eqz (local.get 1)))
            (local.set 2 (local.get 1))
            (local.set 1 (i32.rem_u (local.get 0) (local.get 1)))
            (local.set 0 (local.get 2))
            (br 0)))
        (local.get 0)))"#;
    let wasm = wat::parse_str(wat).expect("a valid module");
    let bytes = model(&network(&wasm, "gcd"), "gcd", Form::Loop, Attention::Indexed);
    let mut loaded = LoopModel::load(&bytes, Level::All);
    let mut rng = rng(fastrand::u64(..));
    let mut single = None;
    for size in BATCHES {
        let rows: Vec<Vec<Value>> =
            (0..size).map(|_| (0..2).map(|_| Value::I32(rng.i32(1..))).collect()).collect();
        let (seconds, ended) = time(|| loaded.run_batch(&rows, &[], None).expect("the batch runs").rows);
        let steps: u64 = ended.iter().map(|ended| ended.steps).sum();
        let rate = steps as f64 / seconds;
        let single = *single.get_or_insert(rate);
        println!(
            "batch of {size:>4}: {:.2} µs a step of an instance, {:.0} calls a second, {:.1} times the steps of one",
            1e6 / rate,
            size as f64 / seconds,
            rate / single
        );
    }
}
