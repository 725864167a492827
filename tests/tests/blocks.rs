//! Random modules with large hot blocks: ours against wasmtime.
//!
//! `WASM2ONNX_SEEDS` is the number of seeds, or a range of them such as `2000..4000`; without it there are
//! 2,000. A failure prints its seed and leaves the module in `target/failures`, as text with its calls; the
//! first few failures are made small. For many seeds:
//!
//! ```text
//! WASM2ONNX_SEEDS=200000 cargo test --release -p wasm2onnx-tests --test blocks -- --nocapture
//! ```

use std::sync::Mutex;
use std::time::Instant;

use wasm2onnx_tests::agree::guarded;
use wasm2onnx_tests::blocks::Program;
use wasm2onnx_tests::{each_in_parallel, save_failure, seeds};

/// Number of seeds if the environment variable is not set.
const DEFAULT_SEEDS: u64 = 2_000;

/// Number of failures that are made small, unless `WASM2ONNX_SHRINK` sets it.
const SHRUNK: usize = 3;

/// Maximum number of programs tried to make one failure small.
const TRIES: usize = 2_000;

#[derive(Default)]
struct Total {
    failed: Vec<u64>,
    calls: u64,
    traps: u64,
    instructions: u64,
    dense: u64,
}

#[test]
fn large_hot_blocks_agree_with_wasmtime() {
    let seeds = seeds(DEFAULT_SEEDS);
    let shrunk = match std::env::var("WASM2ONNX_SHRINK") {
        Ok(text) => text.parse().expect("WASM2ONNX_SHRINK is a number"),
        Err(_) => SHRUNK,
    };
    let total = Mutex::new(Total::default());
    let begin = Instant::now();
    each_in_parallel(seeds.clone(), |seed| {
        let program = Program::random(seed);
        let done = guarded(|| program.compare());
        let mut total = total.lock().expect("no test panics holding it");
        total.calls += program.calls.len() as u64;
        match done {
            Ok(done) => {
                total.traps += done.traps;
                total.instructions += done.instructions;
                total.dense += done.dense;
            }
            Err(what) => {
                total.failed.push(seed);
                let shrink = total.failed.len() <= shrunk;
                drop(total);
                report(seed, &program, &what, shrink);
            }
        }
    });
    let total = total.into_inner().expect("no test panicked holding it");
    let count = seeds.end - seeds.start;
    println!(
        "{count} modules in {:.1} s: {} failed; {} calls, {} of them trapped, {} on the dense executor too; {} instructions",
        begin.elapsed().as_secs_f64(),
        total.failed.len(),
        total.calls,
        total.traps,
        total.dense,
        total.instructions,
    );
    assert!(total.failed.is_empty(), "modules fail: {:?}", total.failed);
    assert!(total.traps * 4 <= total.calls, "too many calls trap");
}

fn report(seed: u64, program: &Program, what: &str, shrink: bool) {
    let path = save_failure(&format!("blocks-{seed}.wat"), program.to_string().as_bytes());
    println!("FAILED seed {seed}: {what}; module: {path}; alone: WASM2ONNX_SEEDS={seed}..{}", seed + 1);
    if shrink {
        let small = program.shrunk(TRIES, |program| guarded(|| program.compare()).is_err());
        let what = guarded(|| small.compare()).err().unwrap_or_default();
        let path = save_failure(&format!("blocks-{seed}-small.wat"), small.to_string().as_bytes());
        println!("  made small: {what}; module: {path}");
    }
}
