//! The programs of `examples/`: their modules, fresh random inputs of any size, and checks of the answers
//! that know nothing of WebAssembly.

mod expressions;
mod hungarian;
mod interpreter;
mod mandelbrot;
mod modpow;
mod nbody;
mod quicksort;
mod recursive;
mod sha256;
mod sieve;
mod sudoku;

use fastrand::Rng;
use wasm2onnx_runtime::Value;

use crate::oracle::{Oracle, Stop};

/// A program of `examples/`.
pub struct Example {
    /// Name of its folder.
    pub name: &'static str,
    /// Its module.
    pub wasm: &'static [u8],
    /// A call with the input that is in its folder.
    pub sample: Option<Call>,
    /// What it prints for this call.
    pub expected: &'static str,
    /// Makes a random call that takes about this many instructions, within a factor of about two, except for
    /// the smallest numbers.
    pub generate: fn(&mut Rng, instructions: u64) -> Call,
    /// Returns whether an answer is the right one for a call.
    pub check: fn(&Call, &Answer) -> bool,
}

/// A call of an exported function on a fresh instance.
#[derive(Clone, Debug)]
pub struct Call {
    /// The function.
    pub entry: &'static str,
    /// Its arguments.
    pub args: Vec<Value>,
    /// Standard input.
    pub stdin: Vec<u8>,
}

/// The answer to a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The results.
    pub results: Vec<Value>,
    /// What the program printed.
    pub stdout: Vec<u8>,
}

impl Call {
    /// Makes a call that runs a program with this input.
    fn start(stdin: impl Into<Vec<u8>>) -> Self {
        Call { entry: "_start", args: Vec::new(), stdin: stdin.into() }
    }

    /// Returns what another engine answers, given an instance with this call's standard input.
    ///
    /// # Errors
    ///
    /// If the program traps, which no example does.
    pub fn answer(&self, oracle: &mut impl Oracle) -> Result<Answer, Stop> {
        let results = oracle.call(self.entry, &self.args)?;
        Ok(Answer { results, stdout: oracle.stdout() })
    }

    /// Returns standard input as text.
    fn text(&self) -> &str {
        std::str::from_utf8(&self.stdin).expect("the generators write text")
    }

    /// Returns all numbers in standard input.
    fn numbers(&self) -> Vec<i32> {
        self.text().split_ascii_whitespace().map(|word| word.parse().expect("a number")).collect()
    }
}

/// Returns all examples, in alphabetical order.
pub fn all() -> Vec<Example> {
    macro_rules! examples {
        ($($name:ident)*) => {
            vec![$(Example {
                name: stringify!($name),
                wasm: include_bytes!(concat!("../../examples/", stringify!($name), "/", stringify!($name), ".wasm")),
                sample: Some(Call::start(include_str!(concat!("../../examples/", stringify!($name), "/input.txt")))),
                expected: include_str!(concat!("../../examples/", stringify!($name), "/expected.txt")),
                generate: $name::generate,
                check: $name::check,
            }),*]
        };
    }
    let mut all =
        examples!(expressions hungarian interpreter mandelbrot modpow nbody quicksort sha256 sieve sudoku);
    all.push(Example {
        name: "recursive",
        wasm: include_bytes!("../../examples/recursive/recursive.wasm"),
        sample: None,
        expected: "",
        generate: recursive::generate,
        check: recursive::check,
    });
    all.sort_by_key(|example| example.name);
    all
}
