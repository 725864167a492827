//! Fuzzes standard input of examples and small programs. Machine code is compared with the interpreter, which
//! asserts what is declared; and with a run whose input comes in pieces when the program asks for it.

#![no_main]

use std::io::{Read, Write};
use std::sync::{Arc, LazyLock, Mutex};

use libfuzzer_sys::fuzz_target;
use wasm2onnx_compiler::{Certified, Options, compile};
use wasm2onnx_fuzz::alike;
use wasm2onnx_fuzz::gates::Gates;
use wasm2onnx_fuzz::programs;
use wasm2onnx_runtime::{Config, Error, Instance, Value};

/// Maximum number of steps of a run.
const STEPS: u64 = 20_000;

/// A network, the function to call with its argument, and after how many visits a packet is compiled.
struct Program {
    network: Certified,
    entry: &'static str,
    arg: Option<Value>,
    compile_after: u32,
}

static PROGRAMS: LazyLock<[Program; 5]> = LazyLock::new(|| {
    // Making machine code of a whole example takes seconds; making it only of the loops takes less.
    let example = |wasm: &[u8]| Program {
        network: compile(wasm, &Options::default()).expect("examples compile"),
        entry: "_start",
        arg: None,
        compile_after: 100,
    };
    let small = |name: &str, arg| Program {
        network: programs::all().find(|program| program.name == name).expect("one of them").network(),
        entry: "run",
        arg,
        compile_after: 0,
    };
    [
        example(include_bytes!("../../examples/expressions/expressions.wasm")),
        example(include_bytes!("../../examples/interpreter/interpreter.wasm")),
        example(include_bytes!("../../examples/sha256/sha256.wasm")),
        small("echo", None),
        small("echo_traps", Some(Value::I32(7))),
    ]
});

static GATES: Gates<4> = Gates::new(["inputs", "returned", "trapped", "stopped at the limit of steps"]);

fuzz_target!(|bytes: &[u8]| {
    GATES.pass(0);
    let Some((which, stdin)) = bytes.split_first() else { return };
    let Program { network, entry, arg, compile_after } = &PROGRAMS[usize::from(*which) % PROGRAMS.len()];
    let args: Vec<_> = arg.iter().copied().collect();
    let outcome = alike(network, entry, &args, stdin, STEPS, *compile_after);
    match &outcome {
        Ok(_) => GATES.pass(1),
        Err(Error::Trap(_)) => GATES.pass(2),
        Err(Error::StepLimit { .. }) => GATES.pass(3),
        // The small programs have cells for only a few bytes.
        Err(Error::InputTooLong { .. } | Error::OutputLimit(_)) => return,
        Err(error) => panic!("{error}"),
    }

    let shown = Shown::default();
    let config = Config {
        max_steps: Some(STEPS),
        stdin_source: Some(Box::new(Pieces {
            bytes: stdin.to_vec(),
            at: 0,
            size: 1 + usize::from(*which) / PROGRAMS.len(),
        })),
        stdout_sink: Some(Box::new(shown.clone())),
        keep_streams: which % 2 == 0,
        assert_declared: false,
        compile_after: Some(compile_after + 1),
        ..Config::default()
    };
    let mut instance = Instance::with_config(network, config).expect("instance creation does not fail");
    assert_eq!(instance.invoke(entry, &args), outcome, "in pieces");
    assert_eq!(*shown.0.lock().expect("no one panics with it"), instance.stdout(), "what was shown");
});

/// Input that comes a few bytes at a time.
struct Pieces {
    bytes: Vec<u8>,
    at: usize,
    size: usize,
}

impl Read for Pieces {
    fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
        let rest = &self.bytes[self.at..];
        let count = rest.len().min(self.size).min(to.len());
        to[..count].copy_from_slice(&rest[..count]);
        self.at += count;
        Ok(count)
    }
}

/// The bytes that have been written so far.
#[derive(Clone, Default)]
struct Shown(Arc<Mutex<Vec<u8>>>);

impl Write for Shown {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no one panics with it").extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
