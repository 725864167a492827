//! Fuzzes the compiler with any bytes, binary or text, as a module; and with the same bytes as choices from
//! which a valid module is made, since hardly any bytes are a module. The outcome is either a network that is
//! proved, runs alike on all executors and does the same as the evaluator of the IR does with the module as
//! it was read; or an error that has a short message and is not the compiler's own fault.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wasm2onnx_compiler::error::ErrorKind;
use wasm2onnx_compiler::evaluate::{Failure, Machine};
use wasm2onnx_compiler::ir::{MemorySize, Module, Output};
use wasm2onnx_compiler::{Options, compile, frontend, wit_functions};
use wasm2onnx_fuzz::gates::Gates;
use wasm2onnx_fuzz::{judge, smith};
use wasm2onnx_runtime::{Config, Error, Instance, Network, Trap, TrapCode, Value};

/// Maximum number of steps of all calls of a module together.
const STEPS: u64 = 20_000;

/// Maximum number of instructions that the evaluator looks at for the same calls.
const FUEL: u64 = 2_000_000;

/// Maximum number of pages of a memory whose contents are compared.
const PAGES: u32 = 16;

/// Maximum number of bytes that are compiled as they are: even a short text may be a large module.
const MOST_BYTES: usize = 20_000;

static GATES: Gates<8> = Gates::new([
    "inputs",
    "bytes that begin as a module does, or are text",
    "bytes that are a module and are compiled",
    "made a module",
    "made a module that is compiled",
    "compared step by step",
    "machine code runs",
    "compared with the evaluator to the end of a call",
]);

fuzz_target!(|bytes: &[u8]| {
    GATES.pass(0);
    let starts = |what: &[u8]| bytes.trim_ascii_start().starts_with(what);
    if bytes.starts_with(b"\0asm") || starts(b"(") || starts(b";;") {
        GATES.pass(1);
        if bytes.len() <= MOST_BYTES && look(bytes, [7, 0]) {
            GATES.pass(2);
        }
        return;
    }
    let _ = look(bytes, [7, 0]);
    let Some((choices, [size, seed, low, high])) = bytes.split_last_chunk() else { return };
    let sizes = [2 + usize::from(size & 3), 4 + usize::from(size >> 2)];
    let Some(module) = smith::module(choices, u64::from(*seed), sizes) else { return };
    GATES.pass(3);
    if look(&module, [u32::from(*low), u32::from(*high) << 24]) {
        GATES.pass(4);
    }
});

/// Compiles a module and compares what its network does. Returns whether there was a network.
fn look(wasm: &[u8], words: [u32; 2]) -> bool {
    let options = Options {
        max_memory_pages: Some(PAGES),
        stdin_bytes: 1 << 16,
        stdout_bytes: 1 << 16,
        ..Options::default()
    };
    // What a section says of the exports is looked at by itself: functions of tensors are not called with words.
    if let Err(error) = wit_functions(wasm, &options) {
        assert!(error.to_string().len() < 10_000, "a long message");
    }
    let options = Options { wit: false, ..options };
    match compile(wasm, &options) {
        Ok(network) => {
            let judged = judge(&network, words, true);
            if judged.steps > 0 {
                GATES.pass(5);
            }
            if judged.native > 0 {
                GATES.pass(6);
            }
            let module = frontend::parse(wasm, &options).expect("it was compiled");
            if compare(&network, &module, words) {
                GATES.pass(7);
            }
            true
        }
        Err(error) => {
            use ErrorKind::{Certificate, Inexact, Mismatch};
            assert!(!matches!(error.kind(), Certificate(_) | Mismatch { .. } | Inexact { .. }), "{error}");
            assert!(error.to_string().len() < 10_000, "a long message");
            false
        }
    }
}

/// Calls all exports, one after the other in one instance, and compares each call with the evaluator. Returns
/// whether any call ended in both.
fn compare(network: &Network, module: &Module, words: [u32; 2]) -> bool {
    if module.memories.values().any(|memory| matches!(memory.size, MemorySize::Constant(pages) if pages > PAGES)) {
        return false;
    }
    let stdin = words.map(u32::to_le_bytes).concat();
    let config = Config { max_steps: Some(STEPS), stdin: stdin.clone(), ..Config::default() };
    let mut instance = Instance::prepared(network, config).expect("a small network");
    let created = instance.create();
    let machine = Machine::with_fuel(module, FUEL);
    let mut machine = match (created, machine) {
        (Ok(()), Ok(machine)) => machine,
        (created, machine) => {
            let _ = ended("creation", created.map(|()| Vec::new()), machine.map(|_| Vec::new()));
            return false;
        }
    };
    machine.set_input([&[], &[], &[], &stdin]);
    let mut compared = false;
    for (name, _, signature) in &module.exports {
        let args: Vec<_> = signature.params.iter().map(|ty| Value::from_words(*ty, words)).collect();
        let bits = |value: &Value| {
            let [low, high] = value.words();
            u64::from(high) << 32 | u64::from(low)
        };
        let found = instance.invoke(name, &args).map(|results| results.iter().map(bits).collect());
        let expected = machine.call(name, &args.iter().map(bits).collect::<Vec<_>>());
        if !ended(name, found, expected) {
            break;
        }
        compared = true;
        assert_eq!(instance.stdout(), machine.output(Output::Stdout), "output of {name}");
        for (name, id) in &module.exported_memories {
            let mut memory = vec![0; machine.memories[*id].len()];
            instance
                .memory(name)
                .and_then(|memory_| memory_.read(0, &mut memory))
                .expect("as large a memory");
            assert!(memory == machine.memories[*id], "memory after {name}");
        }
        for (name, ty, _, cells) in &module.exported_globals {
            let mut words = [0; 2];
            words.iter_mut().zip(cells).for_each(|(word, cell)| *word = machine.cells[*cell]);
            assert_eq!(instance.global(name), Ok(Value::from_words(*ty, words)), "global {name}");
        }
    }
    compared
}

/// Returns whether a call ended in both. If so, both must have ended in the same way.
fn ended(name: &str, found: Result<Vec<u64>, Error>, expected: Result<Vec<u64>, Failure>) -> bool {
    // The limits on steps, on the depth of calls and on the output differ.
    let stack = |code| code == TrapCode::CallStackExhausted;
    match (&found, &expected) {
        (Err(Error::StepLimit { .. } | Error::OutputLimit(_)), _) | (_, Err(Failure::Fuel)) => return false,
        (Err(Error::Trap(Trap { code, .. })), _) | (_, Err(Failure::Trap(code))) if stack(*code) => {
            return false;
        }
        _ => {}
    }
    let outcome = match found {
        Ok(results) => Ok(results),
        Err(Error::Trap(Trap { code, .. })) => Err(Failure::Trap(code)),
        Err(error) => panic!("{name}: {error}"),
    };
    assert_eq!(outcome, expected, "{name}: found, expected");
    true
}
