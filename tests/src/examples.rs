//! The programs of `examples/`: their modules, fresh random inputs of any size, and a check of the
//! answers that knows nothing of WebAssembly.

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
    /// Its folder.
    pub name: &'static str,
    /// Its module.
    pub wasm: &'static [u8],
    /// The input that stands beside it.
    pub sample: Option<Call>,
    /// What it prints for that.
    pub expected: &'static str,
    /// A random call that takes about so many instructions, within a factor of two or so, but for
    /// the smallest.
    pub generate: fn(&mut Rng, instructions: u64) -> Call,
    /// Whether that is the answer to the call.
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

/// What came of a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The results.
    pub results: Vec<Value>,
    /// What the program printed.
    pub stdout: Vec<u8>,
}

impl Call {
    /// A run of a program that reads that input.
    fn start(stdin: impl Into<Vec<u8>>) -> Self {
        Call { entry: "_start", args: Vec::new(), stdin: stdin.into() }
    }

    /// What another engine answers, given an instance with this call's standard input.
    ///
    /// # Errors
    ///
    /// If the program traps, which no example does.
    pub fn answer(&self, oracle: &mut impl Oracle) -> Result<Answer, Stop> {
        let results = oracle.call(self.entry, &self.args)?;
        Ok(Answer { results, stdout: oracle.stdout().to_vec() })
    }

    /// Standard input as text.
    fn text(&self) -> &str {
        std::str::from_utf8(&self.stdin).expect("the generators write text")
    }

    /// All numbers of the standard input.
    fn numbers(&self) -> Vec<i32> {
        self.text().split_ascii_whitespace().map(|word| word.parse().expect("a number")).collect()
    }
}

/// All examples, in alphabetic order.
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
