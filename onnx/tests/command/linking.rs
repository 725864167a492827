//! Modules that are linked with `--preload`: what is said of options that cannot be meant.

use super::*;

const STACK: &str = r#"(module (import "zed" "f" (func $f (param i32) (result i32)))
    (func (export "push") (param i32) (result i32) (call $f (local.get 0))))"#;

const MAIN: &str = r#"(module (import "stack" "push" (func $p (param i32) (result i32)))
    (func (export "__private")) (func (export "depth") (result i32) (call $p (i32.const 3)))
    (func (export "gcd_f4f0")))"#;

/// Runs `MAIN` with a module that is linked by this name, and other options.
fn linked(name: &str, module: &str, options: &[&str]) -> assert_cmd::assert::Assert {
    let folder = Folder::new();
    let preload = format!("{name}={}", folder.file("stack.wat", module).display());
    let main = folder.file("main.wat", MAIN);
    wasm2onnx().args(["run", "--preload", &preload]).args(options).arg(main).assert()
}

#[test]
fn errors_name_the_module() {
    let invoke = ["--invoke", "depth"];
    linked("stack", STACK, &invoke).code(1).stderr(contains(
        "an import is missing:\n  zed.f: function of type (i32) -> (i32), imported by the module `stack`",
    ));
    linked("stack", "(module (func", &invoke)
        .code(1)
        .stderr(contains("main.wat: in the module `stack`, which is linked with it: expected `)`"));
}

#[test]
fn options_without_effect_are_refused() {
    let invoke = ["--invoke", "depth"];
    linked("stk", STACK, &invoke)
        .code(2)
        .stderr(contains("nothing is imported from `stk`; imported after it are stack.push"));
    // One that is there for what it does is not.
    linked("stk", "(module (func $f) (start $f))", &["--import", "*=const:7", "--invoke", "depth"])
        .success()
        .stdout("7\n");
    let roles = ["--import", "zed.f=nop", "--import", "stack.push=trap", "--invoke", "depth"];
    linked("stack", STACK, &roles).code(2).stderr(
        contains("--import stack.push=trap: --preload stack=")
            .and(contains("serves it; leave out one of the two")),
    );
    // So is one that writes to what another one exports.
    let folder = Folder::new();
    let file =
        |name: &str, text: &str| format!("{name}={}", folder.file(&format!("{name}.wat"), text).display());
    let memory = file("lib", r#"(module (memory (export "m") 1))"#);
    let patch = file("patch", r#"(module (import "lib" "m" (memory 1)) (data (i32.const 0) "x"))"#);
    let main =
        r#"(module (import "lib" "m" (memory 1)) (func (export "f") (result i32) (i32.load (i32.const 0))))"#;
    let main = folder.file("main.wat", main);
    wasm2onnx()
        .args(["run", "--preload", &memory, "--preload", &patch])
        .arg(main)
        .assert()
        .success()
        .stdout("120\n");
    // A role is for a module that wraps what it imports.
    let wrap = r#"(module (import "env" "f" (func $f (result i32)))
        (func (export "f") (result i32) (i32.add (call $f) (i32.const 1))))"#;
    let wrap = file("env", wrap);
    let main =
        r#"(module (import "env" "f" (func $f (result i32))) (func (export "g") (result i32) (call $f)))"#;
    let main = folder.file("wrapped.wat", main);
    wasm2onnx()
        .args(["run", "--preload", &wrap, "--import", "env.f=const:41"])
        .arg(main)
        .assert()
        .success()
        .stdout("42\n");
    // A pattern is for what nothing else serves.
    linked("stack", STACK, &["--import", "*=const:5", "--invoke", "depth"]).success().stdout("5\n");
}

#[test]
fn what_is_likely_meant_is_listed_first() {
    let other = r#"(module (func (export "push") (param i32) (result i32) (i32.const 1)))"#;
    linked("stack", other, &["--invoke", "gcd"])
        .code(2)
        .stderr(contains("the module exports:\n  gcd_f4f0()\n  depth() -> i32\n  __private()\n"));
    let folder = Folder::new();
    let main = folder.file("main.wat", MAIN);
    wasm2onnx().arg("run").arg(main).args(["--invoke", "depth"]).assert().code(2).stderr(
        contains("what follows ").and(contains("main.wat is for the program; options come before it")),
    );
}
