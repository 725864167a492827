//! Runs the three programs as a user runs them.
//!
//! ONNX Runtime is the library that `ORT_DYLIB_PATH` names. A test fails if there is none, and says so.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;
use wasm2onnx::{ExportOptions, Form, export};
use wasm2onnx_compiler::{Options, compile};

const DIVIDE: &str = r#"(module (func (export "divide") (param i32 i32) (result i32) (i32.div_s (local.get 0) (local.get 1))))"#;

/// A program with a start function, and with one argument more than there are fields, which is a row.
const SUM: &str = r#"(module
    (memory 1) (global $g (mut i32) (i32.const 0))
    (func $init (global.set $g (i32.const 1000)))
    (start $init)
    (func (export "sum") (param i64 i64 i64 i64 i64 i64 i32) (result i64)
        (i64.store (i32.const 8) (i64.add (local.get 0) (local.get 5)))
        (i64.add (i64.load (i32.const 8))
            (i64.extend_i32_s (i32.add (global.get $g) (local.get 6))))))"#;

fn write(folder: &TempDir, wat: &str, entry: &str, form: Form) -> PathBuf {
    let options = Options { exports: Some(vec![entry.to_owned()]), ..Options::default() };
    let network = compile(wat.as_bytes(), &options).expect("it compiles");
    let options = ExportOptions { entry: entry.to_owned(), form, ..ExportOptions::default() };
    let path = folder.path().join(format!("{entry}.onnx"));
    std::fs::write(&path, export(&network, &options).expect("it can be written")).expect("it is written");
    path
}

fn run(program: &str, model: &Path, args: &[&str]) -> Output {
    assert!(
        std::env::var_os("ORT_DYLIB_PATH").is_some(),
        "these tests need ONNX Runtime: install what examples/python/requirements.txt lists with pip and set \
         ORT_DYLIB_PATH to onnxruntime/capi/libonnxruntime.so.* of that Python"
    );
    Command::new(program).arg(model).args(args).output().expect("it can be started")
}

fn printed(output: &Output) -> &str {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::str::from_utf8(&output.stdout).expect("it prints text")
}

#[test]
fn call() {
    let folder = TempDir::new().expect("temporary folders can be made");
    let model = write(&folder, DIVIDE, "divide", Form::Loop);
    let program = env!("CARGO_BIN_EXE_call");
    assert_eq!(printed(&run(program, &model, &["-7", "2"])), "-3\n");
    let trapped = run(program, &model, &["7", "0"]);
    assert_eq!(trapped.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&trapped.stderr).starts_with("Error: trap 2 after "), "{trapped:?}");
}

#[test]
fn batch() {
    let folder = TempDir::new().expect("temporary folders can be made");
    let model = write(&folder, DIVIDE, "divide", Form::Loop);
    let output = run(env!("CARGO_BIN_EXE_batch"), &model, &["-7,7,9", "2,0,3"]);
    let answers: Vec<_> = printed(&output).lines().map(|line| line.split(" in ").next()).collect();
    assert_eq!(answers, [Some("-7, 2 -> -3"), Some("7, 0 -> trap 2"), Some("9, 3 -> 3")]);
}

#[test]
fn steps() {
    let folder = TempDir::new().expect("temporary folders can be made");
    let program = env!("CARGO_BIN_EXE_steps");
    let model = write(&folder, DIVIDE, "divide", Form::Step);
    let output = run(program, &model, &["-7", "2"]);
    let lines: Vec<_> = printed(&output).lines().collect();
    assert_eq!(lines.last(), Some(&"-3"));
    assert!(lines[0].starts_with("    0  expert "), "{lines:?}");
    assert!(lines[lines.len() - 2].contains("expert 1 "), "{lines:?}");
    assert!(lines.iter().any(|line| line.contains("  [") && line.contains("] := ")), "{lines:?}");

    let model = write(&folder, SUM, "sum", Form::Step);
    let output = run(program, &model, &["-5000000000", "2", "3", "4", "5", "6", "7"]);
    let text = printed(&output);
    assert_eq!(text.lines().last(), Some("-4999998987"));
    let ends = text.lines().filter(|line| line.contains("expert 1 ")).count();
    assert_eq!(ends, 2, "instance creation and the call end at expert 1: {text}");
}
