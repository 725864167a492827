//! Small programs for tests of executors and models: the files in `compiler/tests/files/programs`. Each
//! exports a function `run`.

use std::path::Path;

use wasm2onnx_compiler::{Certified, Options, compile, exported_functions};
use wasm2onnx_runtime::Value;

use crate::file_test::{Call, FileTest};

/// A program and calls of it.
#[derive(Clone, Debug)]
pub struct Program {
    /// Its name.
    pub name: &'static str,
    /// Its text.
    pub wat: String,
    /// Arguments to call `run` with.
    pub calls: Vec<Vec<Value>>,
    /// Standard input.
    pub stdin: Vec<u8>,
}

/// Number of bytes of standard input and of standard output for which a small program has cells.
const STREAM_BYTES: u64 = 1 << 8;

/// Programs that together use most circuits. Each has one call, which returns.
const CIRCUITS: [&str; 9] =
    ["recursion", "sorting", "bits", "division", "wide", "interpreter", "floats", "bulk_memory", "tables"];

/// Programs for rare features: traps of all kinds, instance creation, signatures, bytes.
const CORNERS: [&str; 14] = [
    "division_traps",
    "memory_traps",
    "indirect_traps",
    "branch_table",
    "start",
    "start_traps",
    "many_values",
    "tail_calls",
    "nan_bits",
    "no_arguments",
    "no_results",
    "nothing",
    "echo",
    "echo_traps",
];

impl Program {
    /// Reads the program in the file of that name.
    ///
    /// # Panics
    ///
    /// If the file is not as it must be.
    pub fn read(name: &'static str) -> Program {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../compiler/tests/files/programs");
        let test = FileTest::read(folder.join(name).with_extension("wat")).unwrap_or_else(|e| panic!("{e}"));
        let exports = exported_functions(test.text.as_bytes(), &Options::default());
        let exports = exports.unwrap_or_else(|error| panic!("{name}: {error}"));
        let args = |instance: &Vec<Call>| {
            let [call] = &instance[..] else { panic!("{name}: an instance is called twice") };
            call.args(&exports["run"].params).unwrap_or_else(|error| panic!("{error}"))
        };
        let calls = test.instances.iter().map(args).collect();
        Program { name, calls, wat: test.text, stdin: test.input }
    }

    /// Returns the module in the binary format.
    ///
    /// # Panics
    ///
    /// If the text is not a module.
    pub fn wasm(&self) -> Vec<u8> {
        wat::parse_str(&self.wat).unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }

    /// Returns the network, which exports only `run`.
    ///
    /// # Panics
    ///
    /// If the program does not compile.
    pub fn network(&self) -> Certified {
        let options = Options {
            exports: Some(vec!["run".to_owned()]),
            stdin_bytes: STREAM_BYTES,
            stdout_bytes: STREAM_BYTES,
            ..Options::default()
        };
        compile(&self.wasm(), &options).unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }
}

/// Returns programs that together use most circuits. Each has one call, which returns.
pub fn circuits() -> impl Iterator<Item = Program> {
    CIRCUITS.into_iter().map(Program::read)
}

/// Returns all programs.
pub fn all() -> impl Iterator<Item = Program> {
    circuits().chain(CORNERS.into_iter().map(Program::read))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_a_program() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../compiler/tests/files/programs");
        let files = std::fs::read_dir(&folder).expect("it is in the repository").count();
        assert_eq!(all().map(|program| program.calls.len().min(1)).sum::<usize>(), files);
        assert!(circuits().all(|program| program.calls.len() == 1));
    }
}
