//! What files say is shown escaped, and cut where it is long.

use super::*;

const EVIL: &str = r"\1b[2Jevil\0a";
const SHOWN: &str = r"\u{1b}[2Jevil\n";

/// Checks that nothing is printed that a terminal would act upon.
fn is_harmless(assert: &assert_cmd::assert::Assert) {
    let output = assert.get_output();
    for stream in [&output.stdout, &output.stderr] {
        let text = String::from_utf8_lossy(stream);
        assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{text:?}");
        assert!(text.len() < 10_000, "{} bytes", text.len());
    }
}

#[test]
fn names_are_escaped_wherever_they_are_printed() {
    let folder = Folder::new();
    let trap = format!(r#"(module (func $"{EVIL}" (export "f") (unreachable)))"#);
    let exports = format!(
        r#"(module
            (func (export "{EVIL}") (param i32) (result i32) (local.get 0)) (func (export "f"))
            (global (export "global {EVIL}") i32 (i32.const 0)) (memory (export "memory {EVIL}") 1))"#
    );
    let import = format!(r#"(module (import "{EVIL}" "{EVIL}" (func $f)) (export "f" (func $f)))"#);
    let global = format!(r#"(module (import "{EVIL}" "{EVIL}" (global i32)))"#);
    let mismatch = format!(r#"(module (import "env" "{EVIL}" (global i64)))"#);
    let simd = format!(r#"(module (func $"{EVIL}" (drop (i32x4.splat (i32.const 1)))))"#);
    let twice = format!(r#"(module (func (export "{EVIL}")) (func (export "{EVIL}")))"#);
    let text = format!("(module (func $f call $\"{EVIL}\"))");
    let raw = "(module (func \u{1b}[2J))";
    let cases: [(&str, &[&str], &str); 11] = [
        (&trap, &["run"], SHOWN),
        (&trap, &["inspect"], ""),
        (&exports, &["run"], SHOWN),
        (&exports, &["run", "--invoke", "g"], SHOWN),
        (&exports, &["inspect"], SHOWN),
        (&import, &["inspect"], SHOWN),
        (&global, &["inspect"], SHOWN),
        (&mismatch, &["run", "--import", "env.\u{1b}[2Jevil\n=1.5"], ""),
        (&simd, &["inspect"], SHOWN),
        (&twice, &["run"], SHOWN),
        (raw, &["run"], ""),
    ];
    for (wat, arguments, shown) in cases {
        let (command, options) = arguments.split_first().expect("there is a command");
        let assert = wasm2onnx().arg(command).args(options).arg("-").write_stdin(wat).assert();
        is_harmless(&assert);
        let output = assert.get_output();
        let printed = [&output.stdout[..], &output.stderr].concat();
        assert!(String::from_utf8_lossy(&printed).contains(shown), "{wat}: {output:?}");
    }
    is_harmless(&run(&text, &[], &[]).code(1));
    // The same for a model's metadata, and for what `compile` says.
    let name = "\u{1b}[2Jevil\n";
    let module = folder.file("module.wat", &exports);
    let model = folder.0.path().join("model.onnx");
    let compiled =
        wasm2onnx().args(["compile", "--invoke", name]).arg(&module).arg("-o").arg(&model).assert().success();
    is_harmless(&compiled.stderr(contains(SHOWN)));
    is_harmless(&wasm2onnx().arg("inspect").arg(&model).assert().success().stdout(contains(SHOWN)));
    is_harmless(&wasm2onnx().arg("run").arg(&model).assert().code(2).stderr(contains(SHOWN)));
}

#[test]
fn messages_are_short_whatever_the_file_is() {
    let name = "n".repeat(90_000);
    let many: String = (0..5000).map(|i| format!("(func (export \"function number {i}\"))")).collect();
    let parameters = "i32 ".repeat(900);
    for (wat, code) in [
        (format!(r#"(module (func ${name} (export "f") unreachable))"#), 134),
        (format!(r#"(module (func ${name} (export "f") (drop (i32x4.splat (i32.const 1)))))"#), 1),
        (format!(r#"(module (import "{name}" "{name}" (func $f)) (export "f" (func $f)))"#), 1),
        (format!("(module {many})"), 2),
        (format!(r#"(module (func (export "f") (param {parameters})))"#), 2),
        (format!("(module {})", "x".repeat(10 << 20)), 1),
        ("x".repeat(10 << 20), 1),
        (format!("(module\n (func i32.cosnt) ;; {}\n)", "x".repeat(10 << 20)), 1),
    ] {
        is_harmless(&run(&wat, &[], &[]).code(code).stderr(starts_with("error: ")));
    }
    run(&format!("(module {many})"), &[], &[]).code(2).stderr(contains("… 4,970 more"));
}
