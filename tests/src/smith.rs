//! Random modules from wasm-smith, with [pieces] between their instructions.

// The fuzz targets include this file by its path, and need the path of the module.
#[path = "smith/pieces.rs"]
mod pieces;

pub use pieces::FUEL;

use std::collections::BTreeSet;

use arbitrary::Unstructured;
use wasm_smith::MemoryOffsetChoices;
use wasmparser::{Operator, Parser, Payload};

/// The fuel that a module begins with: see [`FUEL`].
pub const TERMINATION_FUEL: i32 = 150;

/// Makes a module that imports nothing and exports everything. Each call ends, since it burns fuel.
///
/// # Panics
///
/// Never, since there are enough bytes.
pub fn random_module(seed: u64) -> Vec<u8> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut bytes = vec![0; rng.usize(1_000..6_000)];
    rng.fill(&mut bytes);
    module(&bytes, seed, [6, 120]).expect("there are bytes enough")
}

/// Makes such a module with choices that are taken from bytes: at most `functions` functions of about
/// `instructions` instructions each. Returns `None` if there are too few bytes.
pub fn module(bytes: &[u8], seed: u64, [functions, instructions]: [usize; 2]) -> Option<Vec<u8>> {
    let config = wasm_smith::Config {
        // wasmtime itself gives canonical NaNs, as our executors do, so payloads can be compared where
        // programs look at them.
        canonicalize_nans: false,
        compact_imports_enabled: false,
        exceptions_enabled: false,
        gc_enabled: false,
        memory64_enabled: false,
        relaxed_simd_enabled: false,
        simd_enabled: false,
        threads_enabled: false,
        wide_arithmetic_enabled: false,
        // One in four modules traps wherever it happens to; the calls of the others more often reach their
        // end.
        disallow_traps: !seed.is_multiple_of(4),
        export_everything: true,
        max_imports: 0,
        min_types: 2,
        max_types: 8,
        min_funcs: 2,
        max_funcs: functions,
        max_instructions: instructions,
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
    let module = wasm_smith::Module::new(config, &mut Unstructured::new(bytes)).ok()?;
    Some(pieces::insert(&module.to_bytes(), seed, TERMINATION_FUEL))
}

/// Features of which a test of random modules should have all.
pub const KINDS: [&str; 6] =
    ["floats", "bulk memory", "table instructions", "references", "several tables", "tail calls"];

/// Returns which of [`KINDS`] a valid module has.
///
/// # Panics
///
/// If it is malformed.
pub fn kinds(wasm: &[u8]) -> BTreeSet<&'static str> {
    let mut kinds = BTreeSet::new();
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.expect("a module") {
            Payload::TableSection(section) if section.count() > 1 => {
                kinds.insert("several tables");
            }
            Payload::CodeSectionEntry(body) => {
                let operators = body.get_operators_reader().expect("a body");
                kinds.extend(operators.into_iter().filter_map(|operator| kind(&operator.expect("valid"))));
            }
            _ => {}
        }
    }
    kinds
}

fn kind(operator: &Operator<'_>) -> Option<&'static str> {
    use Operator as O;
    Some(match operator {
        O::F32Add | O::F32Mul | O::F32Div | O::F32Sqrt | O::F64Add | O::F64Mul | O::F64Div | O::F64Sqrt => {
            "floats"
        }
        O::MemoryFill { .. } | O::MemoryCopy { .. } | O::MemoryInit { .. } | O::DataDrop { .. } => {
            "bulk memory"
        }
        O::TableGet { .. }
        | O::TableSet { .. }
        | O::TableGrow { .. }
        | O::TableSize { .. }
        | O::TableFill { .. }
        | O::TableCopy { .. }
        | O::TableInit { .. }
        | O::ElemDrop { .. } => "table instructions",
        O::RefNull { .. } | O::RefIsNull | O::RefFunc { .. } => "references",
        O::ReturnCall { .. } | O::ReturnCallIndirect { .. } => "tail calls",
        _ => return None,
    })
}
