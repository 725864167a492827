//! Standard input of examples: machine code made at once against the interpreter, which asserts what is declared.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use wasm2onnx_compiler::{Options, compile};
use wasm2onnx_runtime::{Config, Error, Instance, Network};

/// Steps of a run.
const STEPS: u64 = 200_000;

static NETWORKS: LazyLock<[Network; 3]> = LazyLock::new(|| {
    let modules: [&[u8]; 3] = [
        include_bytes!("../../examples/expressions/expressions.wasm"),
        include_bytes!("../../examples/interpreter/interpreter.wasm"),
        include_bytes!("../../examples/sha256/sha256.wasm"),
    ];
    modules.map(|wasm| compile(wasm, &Options::default()).expect("examples compile"))
});

fuzz_target!(|bytes: &[u8]| {
    let Some((which, stdin)) = bytes.split_first() else { return };
    let network = &NETWORKS[usize::from(*which) % 3];
    let run = |assert_declared, compile_after| {
        let config = Config {
            max_steps: Some(STEPS),
            stdin: stdin.to_vec(),
            assert_declared,
            compile_after,
            ..Config::default()
        };
        let mut instance = Instance::with_config(network, config).expect("instance creation does not fail");
        let outcome = instance.invoke("_start", &[]);
        if let Err(error) = &outcome {
            assert!(matches!(error, Error::Trap(_) | Error::StepLimit(_)), "{error}");
        }
        (outcome, instance.stdout(), instance.steps(), instance.tokens())
    };
    assert_eq!(run(true, None), run(false, Some(0)));
});
