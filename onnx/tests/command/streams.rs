//! What a program reads and prints while it runs, and what is called when an instance is created.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdin, ChildStdout};
use std::sync::mpsc;
use std::thread;

use super::*;

/// A program that prints `y` lines forever.
const ENDLESS: &str = r#"
    (module (import "env" "output_byte" (func $o (param i32)))
        (func (export "f") (loop $l (call $o (i32.const 121)) (call $o (i32.const 10)) (br $l))))
"#;

pub fn spawn(arguments: &[&str], module: &Path) -> Child {
    Process::new(cargo_bin!("wasm2onnx"))
        .args(arguments)
        .arg(module)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command can be started")
}

/// What a command prints, with a limit on the time to wait for it.
pub struct Printed(mpsc::Receiver<u8>);

impl Printed {
    pub fn of(stdout: ChildStdout) -> Self {
        let (send, receive) = mpsc::channel();
        thread::spawn(move || {
            for byte in BufReader::new(stdout).bytes().map_while(Result::ok) {
                if send.send(byte).is_err() {
                    break;
                }
            }
        });
        Printed(receive)
    }

    pub fn expect(&self, text: &str) {
        let next = || self.0.recv_timeout(Duration::from_secs(60)).expect("it is printed");
        let found: Vec<u8> = text.bytes().map(|_| next()).collect();
        assert_eq!(String::from_utf8_lossy(&found), text);
    }
}

pub fn send(stdin: &mut ChildStdin, text: &str) {
    stdin.write_all(text.as_bytes()).and_then(|()| stdin.flush()).expect("the command reads it");
}

#[test]
fn what_is_printed_is_shown_at_once() {
    let folder = Folder::new();
    let module = folder.file("endless.wat", ENDLESS);
    let model = compile(&folder, ENDLESS, &[]);
    for (options, file) in
        [(&["run"][..], &module), (&["run", "--executor", "dense"], &module), (&["run"], &model)]
    {
        let mut child = spawn(options, file);
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        stdout.read_line(&mut line).expect("it can be read");
        assert_eq!(line, "y\n");
        // The reader has seen enough: the run ends, and says nothing.
        drop(stdout);
        let output = child.wait_with_output().expect("the command ends");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        assert!(output.status.success());
    }
}

#[test]
fn a_filter_answers_line_by_line() {
    let folder = Folder::new();
    let module = folder.file("shout.wat", SHOUT);
    let model = compile(&folder, SHOUT, &[]);
    for (options, file) in
        [(&["run"][..], &module), (&["run", "--executor", "dense"], &module), (&["run"], &model)]
    {
        let mut child = spawn(options, file);
        let mut stdin = child.stdin.take().expect("it is piped");
        let printed = Printed::of(child.stdout.take().expect("it is piped"));
        for (line, answer) in [("first\n", "FIRST\n"), ("and", "AND"), (" second\n\n", " SECOND\n\n")] {
            send(&mut stdin, line);
            printed.expect(answer);
        }
        drop(stdin);
        assert!(child.wait().expect("the command ends").success());
    }
}

#[test]
fn a_prompt_comes_before_its_answer() {
    let wat = r#"
        (module
            (import "env" "input_byte" (func $in (result i32)))
            (import "env" "output_byte" (func $out (param i32)))
            (func (export "_start")
                (call $out (i32.const 63)) (call $out (i32.add (call $in) (i32.const 1)))
                (call $out (i32.const 63)) (call $out (i32.add (call $in) (i32.const 1)))))
    "#;
    let folder = Folder::new();
    let module = folder.file("prompt.wat", wat);
    let mut child = spawn(&["run"], &module);
    let mut stdin = child.stdin.take().expect("it is piped");
    let printed = Printed::of(child.stdout.take().expect("it is piped"));
    printed.expect("?");
    send(&mut stdin, "a");
    printed.expect("b?");
    send(&mut stdin, "x");
    printed.expect("y");
    // The program has read all that it will read, so it does not wait for the end of the input.
    assert!(child.wait().expect("the command ends").success());
    drop(stdin);
}

#[test]
fn a_function_that_does_not_read_does_not_wait() {
    let folder = Folder::new();
    let module = folder.file("shout.wat", SHOUT);
    let model = compile(&folder, SHOUT, &["--invoke", "other"]);
    for (options, file) in [(&["run", "--invoke", "other"][..], &module), (&["run"], &model)] {
        let mut child = spawn(options, file);
        let stdin = child.stdin.take();
        let output = child.wait_with_output().expect("the command ends");
        drop(stdin);
        assert!(output.status.success());
    }
    // The program's model has neither an input nor an output for bytes.
    let network = wasm2onnx::import(&std::fs::read(&model).expect("it was written")).expect("it is sound");
    assert_eq!(network.io, Default::default());
}

/// A filter of WASI calls, from standard input to standard output.
const CAT: &str = r#"
    (module
        (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 2)
        (data (i32.const 0) "\00\00\01\00\00\80\00\00\00\00\01\00")
        (func (export "_start")
            (loop $next
                (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 12)))
                (i32.store (i32.const 8) (i32.const 65536))
                (loop $rest
                    (if (i32.load (i32.const 12)) (then
                        (drop (call $write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 20)))
                        (i32.store (i32.const 8) (i32.add (i32.load (i32.const 8)) (i32.load (i32.const 20))))
                        (i32.store (i32.const 12) (i32.sub (i32.load (i32.const 12)) (i32.load (i32.const 20))))
                        (br $rest))))
                (br_if $next (i32.ne (i32.load (i32.const 8)) (i32.const 65536))))))
"#;

/// The memory of a filter does not grow with what flows through it. `WASM2ONNX_STREAM` is the number of megabytes.
#[test]
fn a_filter_takes_no_memory() {
    let megabytes = std::env::var("WASM2ONNX_STREAM").map_or(4, |text| text.parse().expect("a number"));
    let folder = Folder::new();
    let module = folder.file("cat.wat", CAT);
    let input: Vec<u8> = (0..megabytes * 1_000_000u32).map(|i| (i.wrapping_mul(i) >> 7) as u8 | 1).collect();
    let assert =
        wasm2onnx().args(["run", "--stats"]).arg(&module).write_stdin(input.clone()).assert().success();
    let output = assert.get_output();
    assert!(output.stdout == input, "{} bytes", output.stdout.len());
    let stats = String::from_utf8_lossy(&output.stderr);
    let bytes = stats.split(" rows in ").nth(1).and_then(|rest| rest.split(' ').next());
    let bytes: u64 = bytes.expect("the trace has a size").replace(',', "").parse().expect("a number");
    assert!(bytes < 2_000_000, "{stats}");
}

#[test]
fn what_instance_creation_printed_is_shown() {
    let wat = |then: &str| {
        format!(
            r#"(module
                (import "env" "output_byte" (func $o (param i32)))
                (func $s (call $o (i32.const 88)) (call $o (i32.const 10)) {then})
                (start $s) (func (export "f") (call $o (i32.const 89))))"#
        )
    };
    let trapping = wat("(unreachable)");
    let folder = Folder::new();
    for executor in ["sparse", "dense"] {
        run(&trapping, &["--executor", executor], &[])
            .code(134)
            .stdout("X\n")
            .stderr(contains("unreachable").and(contains("in function `s`")));
        run(&wat("(loop $l (br $l))"), &["--executor", executor, "--max-steps", "2000", "--stats"], &[])
            .code(1)
            .stdout("X\n")
            .stderr(contains("steps       2,000").and(contains("error: step limit of 2000 reached")));
        run(&wat(""), &["--executor", executor, "--max-output", "1"], &[])
            .code(1)
            .stdout("X")
            .stderr("error: output limit of 1 bytes reached\n");
        run(&wat(""), &["--executor", executor], &[]).success().stdout("X\nY");
    }
    let model = compile(&folder, &trapping, &[]);
    wasm2onnx().arg("run").arg(&model).assert().code(134).stdout("X\n");
}

#[test]
fn output_has_a_limit_of_its_own() {
    let folder = Folder::new();
    for executor in ["sparse", "dense"] {
        run(ENDLESS, &["--executor", executor, "--max-output", "5"], &[])
            .code(1)
            .stdout("y\ny\ny")
            .stderr("error: output limit of 5 bytes reached\n");
    }
    let module = folder.file("shout.wat", SHOUT);
    let shout = |options: &[&str], input: &str| {
        wasm2onnx().arg("run").args(options).arg(&module).write_stdin(input).assert()
    };
    shout(&["--max-output", "3"], "abc").success().stdout("ABC");
    shout(&["--max-output", "3"], "abcd").code(1).stdout("ABC");
    shout(&["--max-output", "0"], "").success();
    shout(&["--max-output", "0"], "a").code(1).stdout("").stderr("error: output limit of 0 bytes reached\n");
    shout(&["--max-output", "1073741825"], "").code(2).stderr(contains("1073741825"));
    let model = compile(&folder, SHOUT, &["--max-output", "3"]);
    let shout = |input: &str| wasm2onnx().arg("run").arg(&model).write_stdin(input).assert();
    shout("abc").success().stdout("ABC");
    shout("abcd").code(1).stdout("ABC").stderr("error: output limit of 3 bytes reached\n");
    let options = ["--max-output", "3"];
    wasm2onnx().arg("run").args(options).arg(&model).assert().code(2).stderr(contains("for modules"));
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_an_error() {
    let folder = Folder::new();
    let module = folder.file("endless.wat", ENDLESS);
    let full = || std::fs::OpenOptions::new().write(true).open("/dev/full").expect("Linux has it");
    let output = Process::new(cargo_bin!("wasm2onnx")).arg("run").arg(module).stdout(full()).output();
    let output = output.expect("the command can be started");
    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(message.starts_with("error: standard output cannot be written: No space left"), "{message}");
}

#[test]
fn a_memory_grows_as_far_as_it_says_or_the_default() {
    let wat = |memory: &str| {
        format!(
            r#"(module (memory {memory})
                (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
                (func (export "size") (param i32) (result i32)
                    (drop (memory.grow (local.get 0))) (memory.size))
                (func (export "twice") (param i32 i32) (result i32 i32)
                    (memory.grow (local.get 0)) (memory.grow (local.get 1)))
                (func (export "trap") (param i32)
                    (if (i32.lt_s (memory.grow (local.get 0)) (i32.const 0)) (then unreachable))))"#
        )
    };
    let grow = |memory: &str, by: &str, options: &[&str]| {
        run(&wat(memory), &[&["--invoke", "grow"][..], options].concat(), &[by]).success()
    };
    let note = |pages: &str, limit: &str| {
        format!(
            "note: the program asked for a memory of {pages} pages, but the limit is {limit}; --max-memory-pages N sets \
             another limit\n"
        )
    };
    grow("257", "1", &[]).stdout("257\n").stderr(is_empty());
    run(&wat("257"), &["--invoke", "size"], &["1"]).success().stdout("258\n").stderr(is_empty());
    // The limit is 1,024 pages or four times the initial size, whichever is more.
    grow("1", "1023", &[]).stdout("1\n").stderr(is_empty());
    grow("1", "1024", &[]).stdout("-1\n").stderr(note("1,025", "1,024"));
    grow("0", "1024", &[]).stdout("0\n").stderr(is_empty());
    grow("256", "768", &[]).stdout("256\n").stderr(is_empty());
    grow("300", "900", &[]).stdout("300\n").stderr(is_empty());
    grow("300", "901", &[]).stdout("-1\n").stderr(note("1,201", "1,200"));
    // There is no note about a limit that the module declares, nor about the limit of 65,536 pages that all
    // modules have.
    grow("1 5", "4", &[]).stdout("1\n").stderr(is_empty());
    grow("1 5", "5", &[]).stdout("-1\n").stderr(is_empty());
    grow("1 2000", "1500", &[]).stdout("-1\n").stderr(note("1,501", "1,024"));
    grow("1 2000", "2000", &[]).stdout("-1\n").stderr(is_empty());
    grow("1", "65535", &[]).stdout("-1\n").stderr(note("65,536", "1,024"));
    grow("1", "65536", &[]).stdout("-1\n").stderr(is_empty());
    grow("1", "-1", &[]).stdout("-1\n").stderr(is_empty());
    // The option sets another limit.
    grow("1", "3", &["--max-memory-pages", "3"]).stdout("-1\n").stderr(note("4", "3"));
    grow("1 3", "3", &["--max-memory-pages", "3"]).stdout("-1\n").stderr(is_empty());
    grow("1", "2", &["--max-memory-pages", "3"]).stdout("1\n").stderr(is_empty());
    grow("1", "1500", &["--max-memory-pages", "2000"]).stdout("1\n").stderr(is_empty());
    grow("1", "3", &["--max-memory-pages", "3", "--executor", "dense"]).stdout("-1\n").stderr(note("4", "3"));
    // The attempt that was refused need not be the last one, and a trap may follow.
    run(&wat("1"), &["--invoke", "twice"], &["2000", "2"])
        .success()
        .stdout("-1\n1\n")
        .stderr(note("2,001", "1,024"));
    run(&wat("1"), &["--invoke", "trap"], &["1024"])
        .code(134)
        .stderr(starts_with(note("1,025", "1,024")).and(contains("error: wasm trap")));
    let folder = Folder::new();
    let model = compile(&folder, &wat("1"), &["--invoke", "grow", "--max-memory-pages", "3"]);
    wasm2onnx().arg("run").arg(&model).arg("3").assert().success().stdout("-1\n").stderr(note("4", "3"));
    wasm2onnx().arg("run").arg(&model).arg("2").assert().success().stdout("1\n").stderr(is_empty());
}

#[test]
fn a_reactor_is_initialized_before_the_first_call() {
    let wat = r#"
        (module
            (global $x (mut i32) (i32.const 1))
            (func (export "_initialize") (global.set $x (i32.mul (global.get $x) (i32.const 7))))
            (func (export "f") (result i32) (global.get $x)))
    "#;
    for executor in ["sparse", "dense"] {
        run(wat, &["--executor", executor, "--invoke", "f"], &[]).success().stdout("7\n");
    }
    // It is not run unless it is named.
    run(wat, &[], &[]).success().stdout("7\n");
    let folder = Folder::new();
    for form in ["loop", "step"] {
        let model = compile(&folder, wat, &["--invoke", "f", "--form", form]);
        wasm2onnx().arg("run").arg(&model).assert().success().stdout("7\n");
    }
    // It is called after the start function.
    let start = "(func $start (global.set $x (i32.add (global.get $x) (i32.const 10)))) (start $start)";
    let both = wat.replace("(func (export \"f\")", &format!("{start} (func (export \"f\")"));
    run(&both, &["--invoke", "f"], &[]).success().stdout("77\n");
    // If it is the only function, it is run, after it was called once at instance creation.
    run(r#"(module (func (export "_initialize")))"#, &[], &[]).success().stdout("");
    // A trap in it ends instance creation.
    let traps = wat.replace("(global.set $x (i32.mul (global.get $x) (i32.const 7)))", "unreachable");
    run(&traps, &["--invoke", "f"], &[]).code(134).stderr(contains("in function `_initialize`"));
    // The function may be an import. One whose type cannot be called is refused.
    let import = r#"
        (module
            (import "env" "output_byte" (func $o (param i32)))
            (import "env" "nothing" (func $n))
            (export "_initialize" (func $n))
            (func $start (call $o (i32.const 65))) (start $start)
            (func (export "f")))
    "#;
    run(import, &["--import", "env.nothing=nop", "--invoke", "f"], &[]).success().stdout("A");
    run(import, &["--import", "env.nothing=trap", "--invoke", "f"], &[]).code(1).stdout("A");
    run(r#"(module (func (export "_initialize") (param i32)))"#, &[], &["1"])
        .code(1)
        .stderr(contains("unsupported: `_initialize`").and(contains("(i32) -> ()")));
}

#[test]
fn an_argument_may_begin_with_a_dash() {
    let folder = Folder::new();
    let module = folder.file("arithmetic.wat", ARITHMETIC);
    let add = |args: &[&str]| wasm2onnx().args(["run", "--invoke", "add"]).arg(&module).args(args).assert();
    add(&["-5", "-6"]).success().stdout("-11\n");
    // A `--` directly behind the input is dropped; others are arguments.
    add(&["--", "-5", "-6"]).success().stdout("-11\n");
    add(&["--", "5", "6"]).success().stdout("11\n");
    add(&["5", "--", "6"]).code(2).stderr(contains("3 arguments given"));
    add(&["--", "--", "6"]).code(2).stderr(contains("`--` is not an i32"));
    add(&["--"]).code(2).stderr(contains("0 arguments given"));
    add(&["--invoke", "div"]).code(2).stderr(contains("`--invoke` is not an i32"));
    wasm2onnx()
        .args(["run", "--invoke", "add", "--"])
        .arg(&module)
        .args(["--", "-1", "-2"])
        .assert()
        .success()
        .stdout("-3\n");
}
