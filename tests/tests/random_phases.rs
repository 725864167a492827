//! Random modules made by wasm-smith: the IR after each phase against wasmtime. `WASM2ONNX_SEEDS` is a number of
//! seeds, or a range such as `0..6000`.

use std::sync::Mutex;

use arbitrary::Unstructured;
use fastrand::Rng;
use wasm2onnx_compiler::frontend;
use wasm2onnx_compiler::options::{Options, Unsupported};
use wasm2onnx_tests::agree::guarded;
use wasm2onnx_tests::phases::{calls_of_all, compare, phases};
use wasm2onnx_tests::{each_in_parallel, save_failure};

fn config(seed: u64) -> wasm_smith::Config {
    wasm_smith::Config {
        canonicalize_nans: true,
        compact_imports_enabled: false,
        exceptions_enabled: false,
        export_everything: true,
        gc_enabled: false,
        max_data_segments: 4,
        max_types: 20,
        max_imports: 0,
        max_instructions: [100, 300, 1000, 3000][(seed % 4) as usize],
        max_funcs: 12,
        min_funcs: 4,
        disallow_traps: !seed.is_multiple_of(3),
        max_memory32_bytes: 1 << 20,
        max_table_elements: 60,
        max_tables: 1 + (seed % 3) as usize,
        table_max_size_required: true,
        memory64_enabled: false,
        memory_max_size_required: true,
        max_memories: 1,
        min_memories: (seed % 2) as u32,
        multi_value_enabled: true,
        relaxed_simd_enabled: false,
        simd_enabled: false,
        tail_call_enabled: true,
        threads_enabled: false,
        wide_arithmetic_enabled: false,
        memory_offset_choices: wasm_smith::MemoryOffsetChoices(90, 9, 1),
        ..wasm_smith::Config::default()
    }
}

/// A random module, if the seed gives a valid one.
fn module(seed: u64) -> Option<Vec<u8>> {
    let mut random = Rng::with_seed(seed);
    let length = [2000, 8000, 30000, 60000][(seed / 4 % 4) as usize];
    let bytes: Vec<u8> = (0..length / 8).flat_map(|_| random.u64(..).to_le_bytes()).collect();
    let mut module = wasm_smith::Module::new(config(seed), &mut Unstructured::new(&bytes)).ok()?;
    module.ensure_termination(2000).ok()?;
    Some(module.to_bytes())
}

/// Compares the calls of a module. Returns how many there are, and how many were compared.
fn check(seed: u64, bytes: &[u8]) -> (usize, usize) {
    let [(_, typed), ..] = phases(bytes, &Options::default());
    let calls = calls_of_all(&typed, &mut Rng::with_seed(seed), 3);
    (calls.len(), compare(bytes, b"input", &calls, 1_000_000).compared)
}

#[test]
fn random_modules() {
    let seeds = wasm2onnx_tests::seeds(200);
    let count = seeds.end - seeds.start;
    // Modules, calls, those that were compared, and failures.
    let sums = Mutex::new((0, 0, 0, 0));
    each_in_parallel(seeds, |seed| {
        let Some(bytes) = module(seed) else { return };
        let checked = guarded(|| Ok(check(seed, &bytes)));
        let mut sums = sums.lock().expect("no test panics holding it");
        sums.0 += 1;
        match checked {
            Ok((calls, compared)) => (sums.1, sums.2) = (sums.1 + calls, sums.2 + compared),
            Err(what) => {
                println!(
                    "FAILED seed {seed}: {what}; module: {}",
                    save_failure(&format!("phases-{seed}.wasm"), &bytes)
                );
                sums.3 += 1;
            }
        }
    });
    let (modules, calls, compared, failed) = sums.into_inner().expect("no test panicked holding it");
    println!(
        "{modules} modules of {count} seeds; {compared} of {calls} calls were compared after each phase"
    );
    assert_eq!(failed, 0, "modules fail");
    assert!(2 * modules >= count, "too few seeds make a module");
    assert!(4 * compared >= 3 * calls, "too few calls were compared");
}

/// Modules with changed bytes are refused, or go through all phases: nothing panics.
#[test]
fn damaged_modules() {
    let trap = Options { unsupported: Unsupported::Trap, ..Options::default() };
    let (mut random, mut accepted) = (Rng::with_seed(7), 0);
    for seed in 0..60 {
        let Some(bytes) = module(seed) else { continue };
        for _ in 0..60 {
            let mut damaged = bytes.clone();
            for _ in 0..=random.u64(..) % 3 {
                let index = (random.u64(..) % damaged.len() as u64) as usize;
                match random.u64(..) % 4 {
                    0 => drop(damaged.remove(index)),
                    1 => damaged.insert(index, random.u64(..) as u8),
                    2 => damaged[index] ^= 1 << (random.u64(..) % 8),
                    _ => damaged[index] = random.u64(..) as u8,
                }
            }
            if frontend::parse(&damaged, &trap).is_ok() {
                phases(&damaged, &trap);
                accepted += 1;
            }
        }
    }
    assert!(accepted > 100, "{accepted}");
}
