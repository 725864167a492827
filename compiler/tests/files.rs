//! Modules in files, run on all executors and shown after phases: see [`file_test`].

#[path = "common/file_test.rs"]
mod file_test;

use std::path::Path;

use file_test::{FileTest, Run};
use wasm2onnx_compiler::dump::dump;
use wasm2onnx_compiler::{Options, compile};
use wasm2onnx_runtime::{Config, Error, Executor, Instance, Network};

fn tests() -> Vec<FileTest> {
    FileTest::all(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/files"))
}

/// The executors, by name.
fn ways() -> [(&'static str, Config); 3] {
    let sparse =
        |assert_declared, compile_after| Config { assert_declared, compile_after, ..Config::default() };
    [
        ("dense", Config { executor: Executor::Dense, ..Config::default() }),
        ("interpreter", sparse(true, None)),
        ("machine code", sparse(false, Some(0))),
    ]
}

fn check(network: &Network, run: &Run) {
    let entry = network.entries.get(&run.name).unwrap_or_else(|| panic!("`{}`: no such export", run.line));
    let args = run.values(&entry.params);
    for (way, config) in ways() {
        let outcome = Instance::with_config(network, config).and_then(|mut i| i.invoke(&run.name, &args));
        match &outcome {
            Ok(results) => run.check(way, Ok(results)),
            Err(Error::Trap(trap)) => run.check(way, Err(trap.code.message())),
            Err(error) => panic!("`{}`, {way}: {error}", run.line),
        }
    }
}

#[test]
fn calls_end_as_they_must() {
    let (mut calls, mut onnx) = (0, 0);
    for test in tests() {
        let network = compile(test.text.as_bytes(), &Options::default())
            .unwrap_or_else(|error| panic!("{}: {error}", test.path.display()));
        test.runs.iter().for_each(|run| check(&network, run));
        calls += test.runs.len();
        onnx += test.runs.iter().filter(|run| run.onnx).count();
    }
    println!("{calls} calls, {onnx} of them in ONNX Runtime, too, by `onnx_files`");
    assert!(calls >= 20);
}

/// Compares what is shown with what is expected, or with `UPDATE=1` writes it into the file.
fn check_dumps(test: &FileTest, shown: &[String]) {
    if std::env::var_os("UPDATE").is_some() {
        let mut all = test.text.trim_end().to_owned() + "\n";
        for (dump, shown) in test.dumps.iter().zip(shown) {
            all += &format!("\n;; expect {}\n", dump.title());
            for line in shown.trim_end().lines() {
                all += if line.is_empty() { ";;" } else { ";; " };
                all += line;
                all.push('\n');
            }
        }
        std::fs::write(&test.path, all).unwrap_or_else(|error| panic!("{}: {error}", test.path.display()));
        return;
    }
    for (dump, shown) in test.dumps.iter().zip(shown) {
        let (shown, expected) = (shown.trim_end(), dump.expected.trim_end());
        let first = shown.lines().zip(expected.lines()).take_while(|(a, b)| a == b).count();
        assert!(
            shown == expected,
            "{}, {}: line {} is\n{}\nand was expected to be\n{}\nUPDATE=1 writes all of it into the file",
            test.path.display(),
            dump.title(),
            first + 1,
            shown.lines().nth(first).unwrap_or("missing"),
            expected.lines().nth(first).unwrap_or("missing"),
        );
    }
}

#[test]
fn phases_look_as_they_must() {
    let mut shown = 0;
    for test in tests() {
        let text = |dumped: &file_test::Dump| {
            let phase =
                dumped.phase.parse().unwrap_or_else(|error| panic!("{}: {error}", test.path.display()));
            dump(test.text.as_bytes(), &Options::default(), phase, dumped.function.as_deref())
                .unwrap_or_else(|error| panic!("{}: {error}", test.path.display()))
        };
        let all: Vec<String> = test.dumps.iter().map(text).collect();
        check_dumps(&test, &all);
        shown += all.len();
    }
    println!("{shown} phases of functions");
    assert!(shown >= 7);
}
