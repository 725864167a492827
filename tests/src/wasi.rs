//! WASI programs: what they are given and print, in wasmtime (`tests/wasi/oracle.py`), natively and in ONNX Runtime.

use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ort::session::SessionInputValue;
use serde_json::Value as Json;
use wasm2onnx_compiler::Certified;
use wasm2onnx_runtime::{Config, Error, Instance, Wasi};

use crate::onnx_runtime::{Level, python, session, tensor};

/// What came of a program.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// What it printed.
    pub stdout: Vec<u8>,
    /// What it printed to standard error.
    pub stderr: Vec<u8>,
    /// Its exit status, 0 if it has returned; `None` after a trap.
    pub status: Option<i32>,
}

/// A program, and what it is given.
pub struct Program {
    /// Its name, or its seed.
    pub name: String,
    /// Its text.
    pub text: String,
    /// What it is given besides standard input.
    pub wasi: Wasi,
    /// Standard input.
    pub stdin: Vec<u8>,
    /// What came of it in wasmtime; `None` if only we can run it.
    pub expected: Option<Outcome>,
}

/// Time of the clock and seed of random numbers in tests.
const CLOCK_AND_SEED: (u64, u64) = (1_700_000_000_000_000_000, 1);

/// Returns the programs that `tests/wasi/oracle.py` makes if it is called with these arguments.
///
/// # Panics
///
/// If the script fails.
pub fn programs(arguments: &[&str]) -> Vec<Program> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("wasi/oracle.py");
    let output = python().arg(script).args(arguments).output().expect("Python starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("it prints JSON");
    text.lines().map(|line| program(&serde_json::from_str(line).expect("it prints JSON"))).collect()
}

fn program(told: &Json) -> Program {
    let bytes = |name: &str| {
        let text = told[name].as_str().unwrap_or_else(|| panic!("it tells {name}"));
        BASE64_STANDARD.decode(text).expect("it is in base 64")
    };
    let expected = told.get("stdout").map(|_| Outcome {
        stdout: bytes("stdout"),
        stderr: bytes("stderr"),
        status: told["status"].as_i64().map(|status| status as i32),
    });
    let (clock, seed) = CLOCK_AND_SEED;
    let text = |name: &str| told[name].as_str().expect("it is text").to_owned();
    Program {
        name: text("name"),
        text: text("text"),
        wasi: Wasi {
            argv: bytes("argv"),
            environ: bytes("environ"),
            files: bytes("files"),
            clock,
            seed,
            terminals: 0,
        },
        stdin: bytes("stdin"),
        expected,
    }
}

/// Runs a program natively. Also returns the number of tokens.
///
/// # Panics
///
/// If it ends in any other way than by returning, by exiting or by a trap.
pub fn run(network: &Certified, wasi: &Wasi, stdin: &[u8]) -> (Outcome, u64) {
    let config = Config { wasi: wasi.clone(), stdin: stdin.to_vec(), ..Config::default() };
    let mut instance = Instance::prepared(network, config).expect("there is room for what it is given");
    let status = match instance.invoke("_start", &[]) {
        Ok(_) => Some(0),
        Err(Error::Exit(status)) => Some(status),
        Err(Error::Trap(_)) => None,
        Err(error) => panic!("{error}"),
    };
    (Outcome { stdout: instance.stdout(), stderr: instance.stderr(), status }, instance.tokens())
}

/// Runs a model of a program in ONNX Runtime.
///
/// # Panics
///
/// If ONNX Runtime fails.
pub fn run_model(model: &[u8], wasi: &Wasi, stdin: &[u8]) -> Outcome {
    let mut session = session(model, Level::All).unwrap_or_else(|error| panic!("{error}"));
    let bytes = |bytes: &[u8]| tensor(&[bytes.len() as i64], bytes.to_vec()).expect("a tensor");
    let number = |number: u64| tensor(&[], vec![number as i64]).expect("a tensor");
    let given = [
        ("argv", bytes(&wasi.argv)),
        ("environ", bytes(&wasi.environ)),
        ("files", bytes(&wasi.files)),
        ("stdin", bytes(stdin)),
        ("clock", number(wasi.clock)),
        ("seed", number(wasi.seed)),
    ];
    // ONNX Runtime does not list inputs that have a default, so what the model takes is read from the model.
    let file = crate::onnx_file::File::read(model);
    let takes = |name: &str| file.graph().input.iter().any(|input| input.name == name);
    let inputs: Vec<(String, SessionInputValue)> = given
        .into_iter()
        .filter(|(name, _)| takes(name))
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect();
    let outputs = session.run(inputs).unwrap_or_else(|error| panic!("{error}"));
    let printed = |name: &str| match outputs.get(name) {
        Some(bytes) => bytes.try_extract_tensor::<u8>().expect("bytes").1.to_vec(),
        None => Vec::new(),
    };
    let trap = outputs["trap"].try_extract_tensor::<i64>().expect("a number").1[0];
    let status = match outputs.get("exit_code") {
        Some(code) => code.try_extract_tensor::<i32>().expect("a number").1[0],
        None => 0,
    };
    Outcome { stdout: printed("stdout"), stderr: printed("stderr"), status: (trap == 0).then_some(status) }
}
