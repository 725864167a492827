//! Calls of `compiler/tests/files` that are marked `run onnx`, in ONNX Runtime: in as many steps as on our
//! own executor.

use std::path::Path;

use wasm2onnx::{Attention, Form};
use wasm2onnx_compiler::{Options, compile};
use wasm2onnx_runtime::Executor;
use wasm2onnx_tests::file_test::FileTest;
use wasm2onnx_tests::onnx_runtime::{Level, LoopModel, model};
use wasm2onnx_tests::oracle::Stop;
use wasm2onnx_tests::ours::ended;

#[test]
fn calls_end_as_they_must() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../compiler/tests/files");
    let (tests, all) = FileTest::chosen(&folder).unwrap_or_else(|error| panic!("{error}"));
    let mut calls = 0;
    for test in tests {
        for call in test.instances.iter().map(|instance| &instance[0]).filter(|call| call.onnx) {
            let name = &call.name;
            let options = Options { exports: Some(vec![name.clone()]), ..Options::default() };
            let network =
                compile(test.text.as_bytes(), &options).unwrap_or_else(|error| panic!("{call}: {error}"));
            let entry = &network.entries[name];
            let args = call.args(&entry.params).unwrap_or_else(|error| panic!("{error}"));
            let expected = call.expected(&entry.results).unwrap_or_else(|error| panic!("{error}"));
            let bytes = model(&network, name, Form::Loop, Attention::Indexed);
            let (found, printed) = LoopModel::load(&bytes, Level::All).run(&args, &test.input, None);
            let (outcome, steps, stdout) = ended(&network, name, Executor::Sparse, &args, &test.input, None);
            assert_eq!(outcome, expected.map_err(Stop::Trap), "{call}");
            assert_eq!(found.outcome(), outcome, "{call}, ONNX Runtime");
            assert_eq!(found.steps, steps, "{call}, ONNX Runtime: other steps");
            assert_eq!(printed, stdout, "{call}, ONNX Runtime: other bytes are printed");
            calls += 1;
        }
    }
    println!("{calls} calls");
    assert!(calls >= 60 || !all);
}
