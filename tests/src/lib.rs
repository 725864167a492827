//! Shared helpers of the cross-package tests.

#![deny(missing_docs)]

pub mod agree;
pub mod blocks;
pub mod damage;
pub mod examples;
pub mod file_test;
pub mod onnx_file;
pub mod onnx_runtime;
pub mod oracle;
pub mod ours;
pub mod phases;
pub mod programs;
pub mod python;
pub mod smith;
pub mod suite;
pub mod values;
pub mod wasi;

use std::ops::Range;
use std::path::Path;

/// Returns the random numbers of a test or a benchmark. The seed is the environment variable
/// `WASM2ONNX_SEED`, or `default` if it is not set. Prints the seed, so that a run can be repeated.
///
/// # Panics
///
/// If the variable is not a number.
pub fn rng(default: u64) -> fastrand::Rng {
    let seed = match std::env::var("WASM2ONNX_SEED") {
        Ok(text) => text.parse().expect("WASM2ONNX_SEED is an integer of 64 bits"),
        Err(_) => default,
    };
    println!("WASM2ONNX_SEED={seed}");
    fastrand::Rng::with_seed(seed)
}

/// Returns the seeds of random modules. The environment variable `WASM2ONNX_SEEDS` is their number, or the
/// first one and the one after the last, as in `2000..4000`. If it is not set, there are `default` seeds.
///
/// # Panics
///
/// If the variable is neither a number nor a range.
pub fn seeds(default: u64) -> Range<u64> {
    let Ok(text) = std::env::var("WASM2ONNX_SEEDS") else {
        return 0..default;
    };
    let number = |text: &str| text.parse().expect("WASM2ONNX_SEEDS is a number or a range of numbers");
    match text.split_once("..") {
        Some((first, end)) => number(first)..number(end),
        None => 0..number(&text),
    }
}

/// Writes a module that failed to `target/failures` and says where.
pub fn save_failure(name: &str, wasm: &[u8]) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/failures");
    let path = folder.join(name);
    match std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&path, wasm)) {
        Ok(()) => path.display().to_string(),
        Err(error) => format!("(could not write {}: {error})", path.display()),
    }
}

/// Calls `f` with all numbers below `count`, on all cores.
pub fn in_parallel(count: u64, f: impl Fn(u64) + Sync) {
    each_in_parallel(0..count, f);
}

/// Calls `f` with all these numbers, on all cores.
pub fn each_in_parallel(numbers: Range<u64>, f: impl Fn(u64) + Sync) {
    let next = std::sync::atomic::AtomicU64::new(numbers.start);
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let i = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    if i >= numbers.end {
                        return;
                    }
                    f(i);
                }
            });
        }
    });
}
