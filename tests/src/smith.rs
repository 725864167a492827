//! Random modules from wasm-smith, with [pieces] between their instructions.

mod pieces;

pub use pieces::FUEL;

use arbitrary::Unstructured;
use wasm_smith::MemoryOffsetChoices;

/// The fuel that a module begins with, see [`FUEL`].
pub const TERMINATION_FUEL: i32 = 150;

/// A module without imports that exports everything. Each call ends, since it burns fuel.
pub fn random_module(seed: u64) -> Vec<u8> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut bytes = vec![0; rng.usize(1_000..6_000)];
    rng.fill(&mut bytes);
    let config = wasm_smith::Config {
        canonicalize_nans: true,
        compact_imports_enabled: false,
        exceptions_enabled: false,
        gc_enabled: false,
        memory64_enabled: false,
        relaxed_simd_enabled: false,
        simd_enabled: false,
        threads_enabled: false,
        wide_arithmetic_enabled: false,
        // One in four traps wherever it happens to; the others get to the end more often.
        disallow_traps: !seed.is_multiple_of(4),
        export_everything: true,
        max_imports: 0,
        min_types: 2,
        max_types: 8,
        min_funcs: 2,
        max_funcs: 6,
        max_instructions: 120,
        min_globals: 1,
        max_globals: 8,
        min_memories: 1,
        max_memory32_bytes: 2 * 65_536,
        memory_max_size_required: true,
        memory_offset_choices: MemoryOffsetChoices(90, 9, 1),
        max_data_segments: 4,
        min_tables: 1,
        max_tables: 4,
        table_max_size_required: true,
        max_table_elements: 20,
        min_element_segments: 1,
        max_element_segments: 4,
        ..wasm_smith::Config::default()
    };
    let module =
        wasm_smith::Module::new(config, &mut Unstructured::new(&bytes)).expect("there are bytes enough");
    pieces::insert(&module.to_bytes(), seed, TERMINATION_FUEL)
}
