//! Streams in ONNX Runtime: a model has those that its function uses, and they cost what is read and printed.

use wasm2onnx::{Attention, Form};
use wasm2onnx_compiler::{Options, compile};
use wasm2onnx_runtime::{Config, Instance, Value};
use wasm2onnx_tests::onnx_file::File;
use wasm2onnx_tests::onnx_runtime::{Level, LoopModel, model};
use wasm2onnx_tests::ours::outcome;

/// A module some of whose functions read and print bytes, directly or by a call, and some do not.
const STREAMS: &str = r#"(import "env" "input_byte" (func $in (result i32)))
    (import "env" "output_byte" (func $out (param i32)))
    (table 1 funcref) (elem (i32.const 0) $echo)
    (func $echo (export "echo") (param i32) (result i32) (call $out (call $in)) (local.get 0))
    (func (export "reads") (param i32) (result i32) (call $read))
    (func $read (result i32) (i32.add (call $in) (i32.const 1)))
    (func (export "prints") (param i32) (result i32) (call $out (local.get 0)) (local.get 0))
    (func (export "neither") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 3)))
    (func (export "by_table") (param i32) (result i32) (call_indirect (param i32) (result i32) (local.get 0) (i32.const 0)))"#;

/// A model has only those streams that its function can use.
#[test]
fn streams_are_those_that_the_function_uses() {
    let wasm = wat::parse_str(STREAMS).expect("a module");
    let with_start =
        wat::parse_str(format!("{STREAMS} (func $s (drop (call $in))) (start $s)")).expect("a module");
    let cases = [
        ("echo", true, true),
        ("reads", true, false),
        ("prints", false, true),
        ("neither", false, false),
        ("by_table", true, true),
    ];
    for (name, stdin, stdout) in cases {
        for (wasm, start) in [(&wasm, false), (&with_start, true)] {
            let options = Options { exports: Some(vec![name.to_owned()]), ..Options::default() };
            let network = compile(wasm, &options).unwrap_or_else(|error| panic!("{error}"));
            let stdin = stdin || start;
            assert_eq!(
                (network.io.stdin_end.is_some(), network.io.stdout.is_some()),
                (stdin, stdout),
                "{name}"
            );
            let bytes = model(&network, name, Form::Loop, Attention::Indexed);
            let file = File::read(&bytes);
            let has = |list: &[wasm2onnx::proto::ValueInfoProto], name| list.iter().any(|v| v.name == name);
            assert_eq!(has(&file.graph().input, "stdin"), stdin, "{name}");
            assert_eq!(has(&file.graph().output, "stdout"), stdout, "{name}");
            let mut model = LoopModel::load(&bytes, Level::All);
            let calls = vec![vec![Value::I32(65)], vec![Value::I32(66)], vec![Value::I32(67)]];
            let batch = model.run_batch(&calls, b"", None);
            assert_eq!(batch.is_ok(), !stdin && !stdout, "{name}: as many instances as there are arguments");
            for args in calls {
                let (ended, printed) = model.run(&args, b"xyz", None);
                let config = Config { stdin: b"xyz".to_vec(), ..Config::default() };
                let mut instance = Instance::with_config(&network, config).expect("it is created");
                assert_eq!(ended.outcome(), outcome(instance.invoke(name, &args)), "{name}");
                assert_eq!(printed, instance.stdout(), "{name}");
            }
        }
    }
}
