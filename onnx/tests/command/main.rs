//! The command line: what it prints where, and with what exit status.

mod dump;
#[cfg(unix)]
mod files;
mod linking;
mod names;
mod streams;
mod tensors;
mod wasi;
mod wit;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command as Process, Stdio};
use std::time::Duration;

use assert_cmd::Command;
use assert_cmd::cargo::cargo_bin;
use predicates::prelude::PredicateBooleanExt;
use predicates::str::{contains, is_empty, is_match, starts_with};
use tempfile::TempDir;

const ARITHMETIC: &str = r#"
    (module
        (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
        (func (export "div") (param i32 i32) (result i32) (i32.div_s (local.get 0) (local.get 1)))
        (func (export "bits") (param f32 f64) (result i32 i64)
            (i32.reinterpret_f32 (local.get 0)) (i64.reinterpret_f64 (local.get 1)))
        (func (export "same") (param i32 i64 f32 f64) (result i32 i64 f32 f64)
            (local.get 0) (local.get 1) (local.get 2) (local.get 3))
        (func (export "forever") (loop (br 0)))
        (func (export "deep") (param i32) (result i32) (call 5 (i32.add (local.get 0) (i32.const 1)))))
"#;

/// A program that copies its input to its output, upper case, until a `!`, where it traps.
const SHOUT: &str = r#"
    (module
        (import "env" "input_byte" (func $input (result i32)))
        (import "env" "output_byte" (func $output (param i32)))
        (func (export "_start") (local $c i32)
            (block $end
                (loop $next
                    (local.set $c (call $input))
                    (br_if $end (i32.lt_s (local.get $c) (i32.const 0)))
                    (if (i32.eq (local.get $c) (i32.const 33)) (then unreachable))
                    (if (i32.lt_u (i32.sub (local.get $c) (i32.const 97)) (i32.const 26))
                        (then (local.set $c (i32.sub (local.get $c) (i32.const 32)))))
                    (call $output (local.get $c))
                    (br $next))))
        (func (export "other")))
"#;

/// A folder with modules that goes away with the test.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Folder(TempDir::new().expect("temporary folders can be made"))
    }

    /// Writes a file and returns its path.
    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, content).expect("temporary files can be written");
        path
    }
}

fn wasm2onnx() -> Command {
    let mut command = Command::new(cargo_bin!("wasm2onnx"));
    command.timeout(Duration::from_secs(120));
    command
}

/// Runs a module from standard input with `run`.
fn run(wat: &str, options: &[&str], args: &[&str]) -> assert_cmd::assert::Assert {
    wasm2onnx().arg("run").args(options).arg("-").args(args).write_stdin(wat).assert()
}

#[test]
fn results_are_printed_one_a_line() {
    run(ARITHMETIC, &["--invoke", "add"], &["-5", "0x10"]).success().stdout("11\n").stderr(is_empty());
    run(ARITHMETIC, &["--invoke", "add"], &["4294967295", "0"]).success().stdout("-1\n");
    run(ARITHMETIC, &["--invoke", "add"], &["-2147483648", "-0x1"]).success().stdout("2147483647\n");
    run(ARITHMETIC, &["--invoke", "same"], &["-1", "18446744073709551614", "0.1", "-inf"])
        .success()
        .stdout("-1\n-2\n0.1\n-inf\n");
    run(ARITHMETIC, &["--invoke", "bits"], &["-0", "1.5"])
        .success()
        .stdout("-2147483648\n4609434218613702656\n");
}

#[test]
fn binary_and_text_from_files_and_standard_input() {
    let folder = Folder::new();
    let wat = folder.file("add.wat", ARITHMETIC);
    let binary = wat::parse_str(ARITHMETIC).expect("the text is well-formed");
    let wasm = folder.file("add.wasm", &binary);
    for path in [&wat, &wasm] {
        wasm2onnx()
            .args(["run", "--invoke", "add"])
            .arg(path)
            .args(["2", "3"])
            .assert()
            .success()
            .stdout("5\n");
    }
    wasm2onnx()
        .args(["run", "--invoke", "add", "-", "2", "3"])
        .write_stdin(binary)
        .assert()
        .success()
        .stdout("5\n");
}

#[test]
fn both_executors() {
    for executor in ["sparse", "dense"] {
        run(ARITHMETIC, &["--executor", executor, "--invoke", "div"], &["-7", "2"]).success().stdout("-3\n");
    }
}

#[test]
fn the_function_to_run_is_start_or_the_only_one() {
    run(SHOUT, &[], &[]).success().stdout("");
    run(r#"(module (func (export "one") (result i64) (i64.const 7)))"#, &[], &[]).success().stdout("7\n");
    run(ARITHMETIC, &[], &["1", "2"])
        .code(2)
        .stdout(is_empty())
        .stderr(contains("--invoke").and(contains("add(i32, i32) -> i32")).and(contains("forever()")));
    run("(module (func))", &[], &[]).code(2).stderr(contains("exports no function"));
}

#[test]
fn what_follows_the_input_is_an_argument() {
    run(ARITHMETIC, &["--invoke", "add"], &["-5", "--stats"])
        .code(2)
        .stderr(contains("argument 2").and(contains("`--stats` is not an i32")));
    run(ARITHMETIC, &["--invoke", "add", "--"], &["-5", "-6"]).success().stdout("-11\n");
}

#[test]
fn bytes_in_and_out() {
    let folder = Folder::new();
    let shout = folder.file("shout.wat", SHOUT);
    let echo = |input: &str| wasm2onnx().arg("run").arg(&shout).write_stdin(input).assert();
    echo("hello").success().stdout("HELLO").stderr(is_empty());
    echo("").success().stdout("");
    // What was printed before a trap is shown.
    echo("ab!cd").code(134).stdout("AB").stderr(starts_with(
        "error: wasm trap: wasm `unreachable` instruction executed (in function `_start`, at offset 0x",
    ));
    // The same for a run that a limit stops.
    wasm2onnx()
        .args(["run", "--max-steps", "60"])
        .arg(&shout)
        .write_stdin("a".repeat(1000))
        .assert()
        .code(1)
        .stdout(is_match("^A+$").expect("the pattern is well-formed"))
        .stderr(starts_with("error: step limit of 60 reached (in function `_start`, at offset 0x"));
}

#[test]
fn imports_take_the_roles_they_are_given() {
    let wat = r#"
        (module
            (import "host" "get" (func $get (result i32)))
            (import "host" "a.put" (func $put (param i32)))
            (import "host" "log" (func $log (param i64 f32) (result i32)))
            (func (export "run") (result i32 i32)
                (call $put (call $get)) (call $log (i64.const 1) (f32.const 2)) (call $get)))
    "#;
    let folder = Folder::new();
    let module = folder.file("module.wat", wat);
    let roles = ["--import", "host.get=stdin-byte", "--import", "host.a.put=stdout-byte", "--import"];
    let command = |last: &str| {
        let mut command = wasm2onnx();
        command.arg("run").args(roles).arg(last).arg(&module).write_stdin("xy");
        command.assert()
    };
    command("host.log=nop").success().stdout("x0\n121\n");
    command("host.log=trap").code(1).stdout("x").stderr(contains("unsupported host call"));
    command("host.log=stdin-byte").code(1).stderr(contains("host.log").and(contains("stdin-byte")));
    command("host.log=shout").code(2).stderr(contains("unknown role `shout`"));
    command("log").code(2).stderr(contains("MODULE.NAME=ROLE"));
    command("host.else=nop")
        .code(2)
        .stderr(contains("no such import; it imports host.a.put, host.get, host.log"));
    let missing = wasm2onnx().args(["run", "--import", "*.get=stdin-byte"]).arg(&module).assert().code(1);
    missing.stderr(
        contains("2 imports are missing").and(contains("host.log: function of type (i64, f32) -> (i32)")),
    );
    let patterns = ["--import", "*=nop", "--import", "host.*=const:7", "--import", "host.a.*=stdout-byte"];
    wasm2onnx().arg("run").args(patterns).arg(&module).assert().success().stdout("\u{7}7\n7\n");
}

#[test]
fn imported_globals_memories_and_tables_take_values() {
    let wat = r#"
        (module
            (import "env" "base" (global $base i64))
            (import "env" "scale" (global $scale f64))
            (import "env" "none" (global $none externref))
            (import "env" "memory" (memory 1 4))
            (import "env" "table" (table 1 funcref))
            (func (export "run") (result i64 f64 i32 i32 i32)
                (global.get $base) (global.get $scale) (ref.is_null (global.get $none))
                (memory.size) (table.size 0)))
    "#;
    let folder = Folder::new();
    let module = folder.file("module.wat", wat);
    let command = |values: [&str; 5]| {
        let mut command = wasm2onnx();
        command.arg("run");
        for (name, value) in ["base", "scale", "none", "memory", "table"].into_iter().zip(values) {
            command.arg("--import").arg(format!("env.{name}={value}"));
        }
        command.arg(&module).assert()
    };
    command(["-5", "0.5", "null", "2", "0x10"]).success().stdout("-5\n0.5\n1\n2\n16\n");
    command(["1.5", "1", "null", "2", "1"]).code(2).stderr(contains("--import env.base=1.5"));
    command(["1", "1", "2", "2", "1"]).code(2).stderr(contains("only be `null`"));
    command(["1", "1", "null", "5", "1"]).code(1).stderr(contains("memory of 1 to 4 pages"));
    command(["1", "1", "null", "-1", "1"]).code(2).stderr(contains("expected a size"));
    command(["1", "1", "null", "1", "0"]).code(1).stderr(contains("1 entries or more"));
    let missing = wasm2onnx().args(["run", "--import", "env.bse=1"]).arg(&module).assert().code(2);
    missing.stderr(contains("no such import; it imports env.base, env.memory"));
    let missing = wasm2onnx().arg("run").arg(&module).assert().code(1);
    missing.stderr(
        contains("3 imports are missing")
            .and(contains("env.base: global of type i64"))
            .and(contains("NAME=VALUE")),
    );
    // A memory or a table that is not given is as it is declared.
    let values = ["--import", "env.base=1", "--import", "env.scale=2", "--import", "env.none=null"];
    wasm2onnx().arg("run").args(values).arg(&module).assert().success().stdout("1\n2\n1\n1\n1\n");
}

#[test]
fn standard_input_is_read_only_by_programs_that_read_it() {
    let folder = Folder::new();
    let module = folder.file("add.wat", ARITHMETIC);
    // The end of the input never comes while this test holds the pipe.
    let mut child = Process::new(cargo_bin!("wasm2onnx"))
        .args(["run", "--invoke", "add"])
        .arg(module)
        .args(["1", "2"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the command can be started");
    let stdin = child.stdin.take();
    let output = child.wait_with_output().expect("the command ends");
    drop(stdin);
    assert!(output.status.success());
    assert_eq!(output.stdout, b"3\n");
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let folder = Folder::new();
    let module = folder.file("shout.wat", SHOUT);
    for command in ["run", "inspect"] {
        let mut child = Process::new(cargo_bin!("wasm2onnx"))
            .arg(command)
            .arg(&module)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the command can be started");
        drop(child.stdout.take());
        // `inspect` reads none of it, and may have ended.
        let _ = child.stdin.take().expect("it is piped").write_all(&vec![b'a'; 100_000]);
        let output = child.wait_with_output().expect("the command ends");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        assert!(output.status.success(), "{command}");
    }
}

#[test]
fn statistics_go_to_standard_error() {
    let patterns = [
        r"tokens +[1-9][0-9,]* \([0-9,]+/s\)",
        r"steps +[1-9]",
        r"live trace +[0-9,]+ rows in [0-9,]+ bytes",
    ];
    let mut assertion = run(ARITHMETIC, &["--stats", "--invoke", "add"], &["1", "2"]).success().stdout("3\n");
    for pattern in patterns {
        assertion = assertion.stderr(is_match(pattern).expect("the pattern is well-formed"));
    }
    // The statistics also say how far a run came that was stopped.
    run(ARITHMETIC, &["--stats", "--max-steps", "1000", "--invoke", "forever"], &[])
        .code(1)
        .stderr(contains("1,000 (").and(contains("error: step limit of 1000 reached")));
}

#[test]
fn inspect_shows_what_is_there() {
    let mut assertion =
        wasm2onnx().args(["inspect", "-"]).write_stdin(SHOUT).assert().success().stderr(is_empty());
    for text in
        ["_start()", "packets", "experts", "units", "non-zeros", "ports", "regions", "certificate", "2^53"]
    {
        assertion = assertion.stdout(contains(text));
    }
    wasm2onnx().args(["inspect", "-"]).write_stdin("(module (func (f32.ceil))").assert().code(1);
}

#[test]
fn traps_end_with_134_and_their_place() {
    let folder = Folder::new();
    let binary = wat::parse_str(ARITHMETIC).expect("the text is well-formed");
    let at = binary.iter().rposition(|byte| *byte == 0x6d).expect("there is an i32.div_s");
    let module = folder.file("arithmetic.wasm", &binary);
    let trap = |args: &[&str]| {
        wasm2onnx().args(["run", "--invoke"]).arg(args[0]).arg(&module).args(&args[1..]).assert()
    };
    trap(&["div", "1", "0"])
        .code(134)
        .stdout(is_empty())
        .stderr(format!("error: wasm trap: integer divide by zero (in function `div`, at offset {at:#x})\n"));
    trap(&["div", "-2147483648", "-1"])
        .code(134)
        .stderr(starts_with("error: wasm trap: integer overflow (in function `div`"));
    trap(&["deep", "1"])
        .code(134)
        .stderr(starts_with("error: wasm trap: call stack exhausted (in function `deep`"));

    for (body, text) in [
        ("unreachable", "wasm `unreachable` instruction executed"),
        ("(drop (i32.load (i32.const -1)))", "out of bounds memory access"),
        ("(call_indirect (i32.const 1))", "uninitialized element"),
        ("(call_indirect (i32.const 2))", "undefined element: out of bounds table access"),
        ("(drop (call_indirect (result i32) (i32.const 0)))", "indirect call type mismatch"),
    ] {
        let wat = format!(
            r#"(module (memory 1) (table 2 funcref) (elem (i32.const 0) 0) (func $f (export "f") {body}))"#
        );
        run(&wat, &[], &[])
            .code(134)
            .stderr(starts_with(format!("error: wasm trap: {text} (in function `f`, at offset 0x")));
    }
    // At instance creation.
    run("(module (func $main unreachable) (start $main) (func (export \"f\")))", &[], &[])
        .code(134)
        .stderr(contains("in function `main`"));
}

#[test]
fn wrong_arguments_are_wrong_usage() {
    let usage = |options: &[&str], args: &[&str], text: &str| {
        run(ARITHMETIC, options, args)
            .code(2)
            .stdout(is_empty())
            .stderr(starts_with("error: ").and(contains(text)));
    };
    usage(&["--invoke", "sub"], &[], "no exported function is called `sub`");
    usage(&["--invoke", "add"], &["1"], "1 argument given, but the function is add(i32, i32) -> i32");
    usage(&["--invoke", "add"], &["1", "2", "3"], "3 arguments given");
    usage(&["--invoke", "add"], &["1", "two"], "argument 2 of add(i32, i32) -> i32: `two` is not an i32");
    usage(&["--invoke", "add"], &["1", "4294967296"], "it does not fit into 32 bits");
    usage(&["--invoke", "add"], &["1.0", "2"], "argument 1");
    usage(&["--invoke", "bits"], &["x", "2"], "`x` is not an f32");
    usage(&["--executor", "fast", "--invoke", "add"], &["1", "2"], "fast");
    usage(&["--max-steps", "few", "--invoke", "add"], &["1", "2"], "--max-steps");
    usage(&["--max-memory-pages", "65537", "--invoke", "add"], &["1", "2"], "65537");
    usage(&["--no-such-option"], &[], "--no-such-option");
    wasm2onnx().assert().code(2);
    wasm2onnx().arg("run").assert().code(2).stderr(contains("INPUT"));
    wasm2onnx().args(["walk", "x.wasm"]).assert().code(2).stderr(contains("walk"));
}

#[test]
fn limits_are_named() {
    run(ARITHMETIC, &["--max-steps", "5000", "--invoke", "forever"], &[])
        .code(1)
        .stdout(is_empty())
        .stderr(starts_with("error: step limit of 5000 reached (in function `forever`, at offset 0x"));

    let grow =
        r#"(module (memory 1) (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))"#;
    run(grow, &["--max-memory-pages", "3"], &["2"]).success().stdout("1\n");
    run(grow, &["--max-memory-pages", "3"], &["3"]).success().stdout("-1\n");
    run(&grow.replace("memory 1", "memory 1 5"), &[], &["5"]).success().stdout("-1\n");
    // A memory that is larger from the start does not fit.
    run(&grow.replace("memory 1", "memory 4"), &["--max-memory-pages", "3"], &["0"])
        .code(1)
        .stderr(contains("4").and(contains("limit of 3")));
}

/// Checks that a file that is not, or not quite, WebAssembly is refused: a message, status 1, no panic.
fn is_refused(module: &[u8], text: &str) {
    for command in ["run", "inspect"] {
        wasm2onnx()
            .args([command, "-"])
            .write_stdin(module)
            .assert()
            .code(1)
            .stdout(is_empty())
            .stderr(starts_with("error: ").and(contains(text)).and(contains("panicked").not()));
    }
}

#[test]
fn what_is_not_webassembly_is_refused() {
    const NEITHER: &str = "is neither a WebAssembly module nor its text format";
    is_refused(b"", NEITHER);
    is_refused(b"\x7fELF\x02\x01\x01\x00\xff\xfe", NEITHER);
    is_refused(b"hello", NEITHER);
    is_refused(b"(defun f () 1)", NEITHER);
    is_refused(b"PK\x03\x04", NEITHER);
    is_refused(&[0; 5000], NEITHER);
    is_refused(b"\0asm\x02\0\0\0", "version");
    is_refused(b"\0asm\x0d\0\x01\0", "");
    is_refused(b"(module (func", "");
    is_refused(br#"(module (func (export "f") (result i32) (i64.const 1)))"#, "type mismatch");
    let binary = wat::parse_str(ARITHMETIC).expect("the text is well-formed");
    for len in [4, 8, 9, 20, binary.len() / 2, binary.len() - 1] {
        // An empty module is a module.
        if len != 8 {
            is_refused(&binary[..len], "");
        }
    }
    wasm2onnx().args(["run", "no-such-file.wasm"]).assert().code(1).stderr(contains("no-such-file.wasm"));
}

#[test]
fn what_is_not_supported_is_named_with_its_place() {
    let wat = r#"(module (func $four (export "four") (param i32) (drop (i32x4.splat (local.get 0)))))"#;
    let binary = wat::parse_str(wat).expect("the text is well-formed");
    let at = binary.iter().rposition(|byte| *byte == 0xfd).expect("there is an i32x4.splat");
    is_refused(
        &binary,
        &format!("unsupported: i32x4.splat in function `four` (func[0]) (at offset {at:#x})"),
    );
    is_refused(
        br#"(module (import "env" "what" (func $f (param i32))) (func (export "f") (call $f (i32.const 1))))"#,
        "env.what: function of type (i32) -> ()",
    );
    // What nothing reaches is not needed.
    let wat = r#"(module (import "env" "what" (func $f)) (func (call $f)) (func (export "f")))"#;
    run(wat, &[], &[]).success();
}

// ---- Models.

/// Compiles a module to a model beside it.
fn compile(folder: &Folder, module: &str, options: &[&str]) -> PathBuf {
    let module = folder.file("module.wat", module);
    let model = folder.0.path().join("model.onnx");
    wasm2onnx().args(["compile"]).args(options).arg(&module).arg("-o").arg(&model).assert().success();
    model
}

#[test]
fn a_model_runs_like_its_module() {
    let folder = Folder::new();
    for form in ["loop", "step"] {
        for attention in ["indexed", "dense", "softmax"] {
            let model =
                compile(&folder, ARITHMETIC, &["--invoke", "div", "--form", form, "--attention", attention]);
            let run = |args: &[&str]| wasm2onnx().arg("run").arg(&model).args(args).assert();
            run(&["-7", "2"]).success().stdout("-3\n");
            run(&["1", "0"]).code(134).stderr(contains("integer divide by zero"));
        }
    }
}

#[test]
fn a_model_of_a_byte_program_reads_and_prints() {
    let folder = Folder::new();
    let model = compile(&folder, SHOUT, &[]);
    wasm2onnx().arg("run").arg(&model).write_stdin("loud").assert().success().stdout("LOUD");
    wasm2onnx().arg("run").arg(&model).write_stdin("a!b").assert().code(134).stdout("A");
}

#[test]
fn options_of_compile_stand_before_or_behind_the_input() {
    let folder = Folder::new();
    let module = folder.file("module.wat", ARITHMETIC);
    let model = folder.0.path().join("model.onnx");
    wasm2onnx()
        .args(["compile", "--invoke", "add", "-o"])
        .arg(&model)
        .arg(&module)
        .assert()
        .success()
        .stdout(is_empty())
        .stderr(contains("add(i32, i32) -> i32").and(contains("bytes")));
    wasm2onnx().arg("inspect").arg(&model).assert().success().stdout(
        contains("add(i32, i32) -> i32").and(contains("form         loop")).and(contains("certificate")),
    );
}

#[test]
fn compile_says_what_it_needs() {
    let folder = Folder::new();
    let module = folder.file("module.wat", ARITHMETIC);
    let out = folder.0.path().join("model.onnx");
    let compile =
        |options: &[&str]| wasm2onnx().arg("compile").args(options).arg(&module).arg("-o").arg(&out).assert();
    compile(&[]).code(2).stderr(contains("--invoke").and(contains("add(i32, i32) -> i32")));
    compile(&["--invoke", "sub"]).code(2).stderr(contains("`sub`"));
    compile(&["--invoke", "add", "--opset", "9"]).code(1).stderr(contains("opset 9"));
    compile(&["--invoke", "add", "--opset", "21"]).success();
    compile(&["--invoke", "bits", "--opset", "21"]).code(1).stderr(contains("from 26"));
    wasm2onnx().arg("compile").arg(&module).assert().code(2).stderr(contains("--output"));
    wasm2onnx().arg("compile").arg(&out).arg("-o").arg(&out).assert().code(2).stderr(contains("already"));
}

#[test]
fn what_was_there_stays_when_compiling_fails() {
    let folder = Folder::new();
    let module =
        folder.file("module.wat", "(module (func (export \"f\") (drop (i32x4.splat (i32.const 2)))))");
    let out = folder.file("model.onnx", "precious");
    wasm2onnx().arg("compile").arg(&module).arg("-o").arg(&out).assert().code(1);
    assert_eq!(std::fs::read(&out).expect("it is there"), b"precious");
    let nowhere = folder.0.path().join("no/such/folder.onnx");
    let good = folder.file("good.wat", SHOUT);
    let failed = wasm2onnx().arg("compile").arg(&good).arg("-o").arg(&nowhere).assert();
    failed.code(1).stderr(contains("cannot be written"));
}

#[test]
fn damaged_models_are_refused() {
    let folder = Folder::new();
    let model = compile(&folder, ARITHMETIC, &["--invoke", "add"]);
    let bytes = std::fs::read(&model).expect("it was written");
    let refused = |name: &str, bytes: &[u8], why: &str| {
        let file = folder.file(name, bytes);
        for subcommand in ["run", "inspect"] {
            wasm2onnx().arg(subcommand).arg(&file).assert().code(1).stderr(contains(why));
        }
    };
    refused("empty.onnx", b"", "not an ONNX model");
    refused("text.onnx", b"(module)", "not an ONNX model");
    refused("short.onnx", &bytes[..bytes.len() / 2], "not an ONNX model");
    // A change of any byte of a tensor, of the graph or of the metadata is noticed.
    for (name, at) in [("weights/values", 30), ("decode/step/unit", 3), ("wasm2onnx.regions", 25)] {
        let mut damaged = bytes.clone();
        let last = bytes.windows(name.len()).rposition(|w| w == name.as_bytes()).expect("it is there");
        damaged[last + at] ^= 1;
        refused("damaged.onnx", &damaged, "damaged");
    }
    let options = ["--max-memory-pages", "3"];
    wasm2onnx().arg("run").args(options).arg(&model).assert().code(2).stderr(contains("for modules"));
}
