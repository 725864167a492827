//! WASI programs: what the command line gives them, and what it does with what they print and how they end.

use super::streams::{Printed, send, spawn};
use super::*;

/// A program that prints its arguments and its environment, each of them as the bytes that WASI has for them.
const SHOW: &str = r#"
    (module
        (import "wasi_snapshot_preview1" "args_sizes_get" (func $args_sizes_get (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "args_get" (func $args_get (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "environ_sizes_get" (func $environ_sizes_get (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "environ_get" (func $environ_get (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (func $print (param $fd i32)
            (i32.store (i32.const 0) (i32.const 8192))
            (drop (call $fd_write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8))))
        (func (export "_start")
            (drop (call $args_sizes_get (i32.const 8) (i32.const 4)))
            (drop (call $args_get (i32.const 4096) (i32.const 8192)))
            (call $print (i32.const 1))
            (drop (call $environ_sizes_get (i32.const 8) (i32.const 4)))
            (drop (call $environ_get (i32.const 4096) (i32.const 8192)))
            (call $print (i32.const 2))))
"#;

/// A program that copies its input to its output, with `> ` before each piece that it reads.
const COPY: &str = r#"
    (module
        (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 2)
        (data (i32.const 16) "> ")
        (func $print (param $at i32) (param $length i32)
            (i32.store (i32.const 0) (local.get $at))
            (i32.store (i32.const 4) (local.get $length))
            (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))
        (func (export "_start")
            (loop $next
                (call $print (i32.const 16) (i32.const 2))
                (i32.store (i32.const 0) (i32.const 65536))
                (i32.store (i32.const 4) (i32.const 65536))
                (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
                (if (i32.load (i32.const 8))
                    (then (call $print (i32.const 65536) (i32.load (i32.const 8))) (br $next))))))
"#;

/// Returns a program that ends itself with a status.
fn exit(status: i32) -> String {
    format!(
        r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
            (memory (export "memory") 0) (func (export "_start") (call $exit (i32.const {status})) unreachable))"#
    )
}

/// The example that runs a program in a file.
const BRAINFUCK: &[u8] = include_bytes!("../../../examples/wasi/brainfuck/brainfuck.wasm");

/// A program for it that prints `A`.
const PRINTS_A: &str = "+++[>+++++[>++++<-]<-]>>+++++.";

#[test]
fn arguments_and_environment_are_handed_on() {
    let folder = Folder::new();
    let module = folder.file("show.wat", SHOW);
    let model = compile(&folder, SHOW, &[]);
    for file in [&module, &model] {
        let name = file.file_name().expect("a file").to_str().expect("its name is text");
        let mut command = wasm2onnx();
        command.args(["run", "--env", "A=1", "--env", "B=", "--env", "HERE"]).env("HERE", "x y").arg(file);
        let ended = command.args(["--", "-5", "", "two words", "--help", "ü"]).assert().success();
        ended.stdout(format!("{name}\0-5\0\0two words\0--help\0ü\0")).stderr("A=1\0B=\0HERE=x y\0");
        // Without any, there are none.
        wasm2onnx().arg("run").arg(file).env("HERE", "x").assert().stdout(format!("{name}\0")).stderr("");
    }
    let run = |option: &str| wasm2onnx().args(["run", "--env", option]).arg(&module).assert();
    run("=1").code(2).stderr(contains("NAME=VALUE"));
    run("NOT_THERE").code(2).stderr(contains("--env NOT_THERE"));
}

#[test]
fn the_exit_status_is_handed_on() {
    let folder = Folder::new();
    for status in [0, 1, 3, 125] {
        run(&exit(status), &[], &[]).code(status).stdout("").stderr("");
        let model = compile(&folder, &exit(status), &[]);
        wasm2onnx().arg("run").arg(model).assert().code(status).stdout("").stderr("");
    }
    // As in wasmtime.
    for status in [126, 255, 256, -1] {
        run(&exit(status), &[], &[]).code(1).stderr(contains(format!("exit status {status},")));
    }
    // A function that does not exist is an error only if the program can call it.
    let unknown = r#"(module (import "wasi_snapshot_preview1" "fd_frob" (func $f)) (memory (export "memory") 0)
        (func (export "_start") (call $f)))"#;
    run(unknown, &[], &[])
        .code(1)
        .stderr(contains("wasi_snapshot_preview1.fd_frob: function of type () -> ()"));
    let other = unknown.replace("fd_frob\" (func $f)", "fd_close\" (func $f)");
    run(&other, &[], &[]).code(1).stderr(contains("(i32) -> (i32) in WASI preview 1"));
}

/// Emscripten renames what its programs import, so that another module has to hand the functions on.
#[test]
fn functions_of_wasi_are_handed_on() {
    let folder = Folder::new();
    let hands_on = r#"(module (func (export "a") (import "wasi_snapshot_preview1" "fd_write")
        (param i32 i32 i32 i32) (result i32)))"#;
    let main = r#"
        (module
            (import "a" "a" (func $write (param i32 i32 i32 i32) (result i32))) (import "env" "other" (func $other))
            (memory (export "memory") 1) (data (i32.const 0) "\08\00\00\00\03\00\00\00hi\0a")
            (func (export "_start") (call $other)
                (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 100)))))
    "#;
    let preload = format!("a={}", folder.file("a.wat", hands_on).display());
    let main = folder.file("main.wat", main);
    // A pattern for everything does not replace WASI.
    let ended = wasm2onnx().args(["run", "--preload", &preload, "--import", "*=nop"]).arg(&main).assert();
    ended.success().stdout("hi\n").stderr("");
    let ended = wasm2onnx().args(["run", "--preload", &preload, "--import", "env.*=trap"]).arg(main).assert();
    ended.code(1).stderr(contains("unsupported host call (in function `env.other`"));
}

#[test]
fn a_prompt_comes_before_what_is_read_and_a_line_is_answered_at_once() {
    let folder = Folder::new();
    let module = folder.file("copy.wat", COPY);
    let model = compile(&folder, COPY, &[]);
    for file in [&module, &model] {
        let mut child = spawn(&["run"], file);
        let mut stdin = child.stdin.take().expect("it is piped");
        let printed = Printed::of(child.stdout.take().expect("it is piped"));
        printed.expect("> ");
        send(&mut stdin, "one\n");
        printed.expect("one\n> ");
        send(&mut stdin, "two");
        printed.expect("two> ");
        drop(stdin);
        assert!(child.wait().expect("the command ends").success());
    }
}

#[cfg(unix)]
#[test]
fn standard_input_may_be_closed() {
    let folder = Folder::new();
    let module = folder.file("copy.wat", COPY);
    let run = |redirected: &str| {
        let command = format!("{} run {} {redirected}", cargo_bin!("wasm2onnx").display(), module.display());
        Command::new("sh").args(["-c", &command]).assert()
    };
    run("< /dev/null").success().stdout("> ");
    run("<&-").stdout("> ");
}

#[test]
fn a_directory_can_be_read() {
    let folder = Folder::new();
    let module = folder.file("brainfuck.wasm", BRAINFUCK);
    let tree = folder.0.path().join("tree");
    std::fs::create_dir_all(tree.join("deep/er")).expect("a folder can be made");
    std::fs::write(tree.join("deep/er/a.b"), PRINTS_A).expect("a file can be written");
    let long = tree.join("deep").join("n".repeat(200));
    std::fs::write(&long, PRINTS_A).expect("a file can be written");
    let directory = |guest: &str| format!("{}::{guest}", tree.display());
    let run = |guest: &str, file: &str| {
        wasm2onnx().args(["run", "--dir", &directory(guest)]).arg(&module).arg(file).assert()
    };
    run("/", "/deep/er/a.b").success().stdout("A");
    run("/data", "/data/deep/er/../er/a.b").success().stdout("A");
    run(".", "deep/er/a.b").success().stdout("A");
    run("/", &format!("/deep/{}", "n".repeat(200))).success().stdout("A");
    run("/", "/deep/er/b").code(1).stderr(contains("can't be opened"));
    run("/data", "/deep/er/a.b").code(1).stderr(contains("can't be opened"));
    run("/data", "/data/../tree/deep/er/a.b").code(1).stderr(contains("can't be opened"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::symlink;
        symlink("er/a.b", tree.join("deep/link")).expect("a link can be made");
        symlink(folder.file("outside.b", PRINTS_A), tree.join("absolute")).expect("a link can be made");
        symlink("../outside.b", tree.join("outside")).expect("a link can be made");
        run("/", "/deep/link").success().stdout("A");
        run("/", "/absolute").code(1);
        run("/", "/outside").code(1);
        // Nobody waits for a pipe.
        Process::new("mkfifo").arg(tree.join("pipe")).status().expect("it runs");
        run("/", "/deep/link").success().stdout("A");
        run("/", "/pipe").code(1);
    }
}

#[test]
fn what_is_no_directory_is_refused() {
    let folder = Folder::new();
    let module = folder.file("brainfuck.wasm", BRAINFUCK);
    let run = |directory: &str| {
        wasm2onnx().args(["run", "--dir", directory]).arg(&module).args(["-e", "."]).assert()
    };
    run("no-such-directory").code(2).stderr(contains("--dir no-such-directory"));
    run(&module.display().to_string()).code(2).stderr(contains("not a directory"));
    run("::/").code(2).stderr(contains("HOST or HOST::GUEST"));
    // A file of a gigabyte, of which the file system stores nothing.
    let tree = folder.0.path().join("tree");
    std::fs::create_dir(&tree).expect("a folder can be made");
    let large = std::fs::File::create(tree.join("large")).expect("a file can be made");
    large.set_len(1 << 30).expect("it can be as large");
    run(&tree.display().to_string()).code(1).stderr(contains("larger than 1,073,741,824 bytes"));
}

#[test]
fn a_tree_of_many_files_works() {
    let folder = Folder::new();
    let module = folder.file("brainfuck.wasm", BRAINFUCK);
    for i in 0..40 {
        let part = folder.0.path().join(format!("tree/part {i}"));
        std::fs::create_dir_all(&part).expect("a folder can be made");
        for j in 0..50 {
            std::fs::write(part.join(format!("file {j}.b")), PRINTS_A).expect("a file can be written");
        }
    }
    let directory = format!("{}::/", folder.0.path().join("tree").display());
    let run = |file: &str| wasm2onnx().args(["run", "--dir", &directory]).arg(&module).arg(file).assert();
    run("/part 39/file 49.b").success().stdout("A");
    run("/part 0/file 7.b").success().stdout("A");
    run("/part 40/file 0.b").code(1);
}
