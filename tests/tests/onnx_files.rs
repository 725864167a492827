//! Calls of `compiler/tests/files` that are marked `run onnx`, in ONNX Runtime.

#[path = "../../compiler/tests/common/file_test.rs"]
mod file_test;

use std::path::Path;

use file_test::FileTest;
use wasm2onnx::{Attention, Form};
use wasm2onnx_compiler::{Options, compile};
use wasm2onnx_tests::onnx_runtime::{Level, LoopModel, model};
use wasm2onnx_tests::oracle::Stop;

#[test]
fn calls_end_as_they_must() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../compiler/tests/files");
    let mut calls = 0;
    for test in FileTest::all(&folder) {
        for run in test.runs.iter().filter(|run| run.onnx) {
            let options = Options { exports: Some(vec![run.name.clone()]), ..Options::default() };
            let network = compile(test.text.as_bytes(), &options)
                .unwrap_or_else(|error| panic!("{}: {error}", test.path.display()));
            let args = run.values(&network.entries[&run.name].params);
            let bytes = model(&network, &run.name, Form::Loop, Attention::Indexed);
            let (ended, _) = LoopModel::load(&bytes, Level::All).run(&args, b"", None);
            match ended.outcome() {
                Ok(results) => run.check("ONNX Runtime", Ok(&results)),
                Err(Stop::Trap(code)) => run.check("ONNX Runtime", Err(code.message())),
                Err(stop) => panic!("`{}`: {stop:?}", run.line),
            }
            calls += 1;
        }
    }
    println!("{calls} calls");
    assert!(calls >= 10);
}
