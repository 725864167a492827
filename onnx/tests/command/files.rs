//! Files on hostile ground: outputs that are not regular files, signals, full disks, inputs without an end.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::os::unix::process::ExitStatusExt;
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};

use super::*;

const MODULE: &str = r#"(module (func (export "f") (param i32) (result i32) (local.get 0)))"#;

/// Returns the names of the files in a folder.
fn names(folder: &Folder) -> BTreeSet<String> {
    let names = fs::read_dir(folder.0.path()).expect("it is a folder");
    names.map(|entry| entry.expect("it can be read").file_name().to_string_lossy().into_owned()).collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| name.to_string()).collect()
}

/// Returns the model that is written to a regular file.
fn model() -> Vec<u8> {
    let folder = Folder::new();
    fs::read(super::compile(&folder, MODULE, &[])).expect("it was written")
}

fn compile_to(folder: &Folder, output: &Path) -> assert_cmd::assert::Assert {
    let module = folder.file("module.wat", MODULE);
    wasm2onnx().arg("compile").arg(module).arg("-o").arg(output).assert()
}

fn mkfifo(path: &Path) {
    assert!(Process::new("mkfifo").arg(path).status().expect("Unix has it").success());
}

#[test]
fn a_model_goes_to_standard_output() {
    let folder = Folder::new();
    let expected = model();
    for output in ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"] {
        if Path::new(output).exists() || output == "-" {
            let assert = compile_to(&folder, Path::new(output)).success();
            assert!(assert.get_output().stdout == expected, "{output}");
            assert.stderr(contains("f(i32) -> i32"));
        }
    }
    let link = folder.0.path().join("link");
    symlink("/dev/stdout", &link).expect("links can be made");
    assert!(compile_to(&folder, &link).success().get_output().stdout == expected);
    assert!(link.is_symlink());
    // A regular file that standard output leads to is appended to.
    let log = folder.file("log", "before,");
    for output in ["/dev/stdout", "-"] {
        let mut child = Process::new(cargo_bin!("wasm2onnx"))
            .args(["compile", "module.wat", "-o", output])
            .current_dir(folder.0.path())
            .stdout(fs::OpenOptions::new().append(true).open(&log).expect("it is there"))
            .spawn()
            .expect("the command can be started");
        assert!(child.wait().expect("it ends").success());
    }
    assert!(fs::read(&log).expect("it is there") == [b"before,", &expected[..], &expected].concat());
    assert_eq!(names(&folder), set(&["link", "log", "module.wat"]));
}

#[test]
fn devices_and_fifos_are_written_through() {
    let folder = Folder::new();
    let null = folder.0.path().join("null");
    symlink("/dev/null", &null).expect("links can be made");
    compile_to(&folder, &null).success();
    compile_to(&folder, Path::new("/dev/null")).success();
    assert!(fs::metadata("/dev/null").expect("it is there").file_type().is_char_device());
    assert!(null.is_symlink());
    if Path::new("/dev/full").exists() {
        compile_to(&folder, Path::new("/dev/full")).code(1).stderr(contains("No space left"));
        assert!(fs::metadata("/dev/full").expect("it is there").file_type().is_char_device());
    }
    let fifo = folder.0.path().join("fifo");
    mkfifo(&fifo);
    let reader = {
        let fifo = fifo.clone();
        std::thread::spawn(move || fs::read(fifo).expect("it can be read"))
    };
    compile_to(&folder, &fifo).success();
    assert!(reader.join().expect("it has read") == model());
    assert!(fs::metadata(&fifo).expect("it is there").file_type().is_fifo());
    assert_eq!(names(&folder), set(&["fifo", "module.wat", "null"]));
    compile_to(&folder, folder.0.path()).code(1).stderr(contains("is a directory"));
}

#[test]
fn links_are_followed() {
    let folder = Folder::new();
    let path = |name: &str| folder.0.path().join(name);
    fs::create_dir(path("sub")).expect("folders can be made");
    fs::write(path("sub/old.onnx"), "old").expect("files can be written");
    symlink("sub/old.onnx", path("first")).expect("links can be made");
    symlink("first", path("second")).expect("links can be made");
    symlink("sub/new.onnx", path("dangling")).expect("links can be made");
    symlink("loop", path("loop")).expect("links can be made");
    compile_to(&folder, &path("second")).success();
    compile_to(&folder, &path("dangling")).success();
    for (link, target) in [("first", "sub/old.onnx"), ("second", "first"), ("dangling", "sub/new.onnx")] {
        assert_eq!(fs::read_link(path(link)).expect("it is a link"), Path::new(target));
    }
    assert!(fs::read(path("sub/old.onnx")).expect("it is there") == model());
    assert!(fs::read(path("sub/new.onnx")).expect("it is there") == model());
    compile_to(&folder, &path("loop")).code(1).stderr(contains("symbolic links"));
    assert_eq!(names(&folder), set(&["dangling", "first", "loop", "module.wat", "second", "sub"]));
}

#[test]
fn the_input_is_never_replaced() {
    let folder = Folder::new();
    let module = folder.file("module.wat", MODULE);
    let (link, hard) = (folder.0.path().join("link"), folder.0.path().join("hard"));
    symlink("module.wat", &link).expect("links can be made");
    fs::hard_link(&module, &hard).expect("links can be made");
    for output in [&module, &link, &hard] {
        compile_to(&folder, output).code(2).stderr(contains("is the input"));
        let input = fs::File::open(&module).expect("it is there");
        let compiled = Process::new(cargo_bin!("wasm2onnx"))
            .args(["compile", "-", "-o"])
            .arg(output)
            .stdin(input)
            .output()
            .expect("the command can be started");
        assert_eq!(compiled.status.code(), Some(2));
    }
    // The module is also standard output, opened to be overwritten or to be appended to.
    for (output, appends) in [("-", true), ("-", false), ("/dev/stdout", false)] {
        let stdout = fs::OpenOptions::new().write(true).append(appends).open(&module).expect("it is there");
        let compiled = Process::new(cargo_bin!("wasm2onnx"))
            .args([Path::new("compile"), &module, Path::new("-o"), Path::new(output)])
            .stdout(stdout)
            .output()
            .expect("the command can be started");
        assert_eq!(compiled.status.code(), Some(2));
    }
    assert_eq!(fs::read_to_string(&module).expect("it is there"), MODULE);
    // Another file may have the same name.
    fs::create_dir(folder.0.path().join("sub")).expect("folders can be made");
    compile_to(&folder, &folder.0.path().join("sub/module.wat")).success();
}

#[test]
fn permissions_stay_and_are_those_of_any_new_file() {
    let folder = Folder::new();
    let old = folder.file("old.onnx", "old");
    fs::set_permissions(&old, fs::Permissions::from_mode(0o640)).expect("they can be set");
    compile_to(&folder, &old).success();
    assert_eq!(fs::metadata(&old).expect("it is there").mode() & 0o777, 0o640);
    let output = Process::new("sh")
        .args([
            "-c",
            r#"umask 027; exec "$0" compile module.wat -o new.onnx"#,
            cargo_bin!("wasm2onnx").to_str().expect("it is text"),
        ])
        .current_dir(folder.0.path())
        .output()
        .expect("the shell can be started");
    assert!(output.status.success());
    assert_eq!(fs::metadata(folder.0.path().join("new.onnx")).expect("it is there").mode() & 0o777, 0o640);
}

#[test]
fn a_file_that_would_be_too_large_leaves_the_old_one() {
    let folder = Folder::new();
    folder.file("module.wat", MODULE);
    let old = folder.file("old.onnx", "old");
    for signal in ["", "trap '' XFSZ; "] {
        let script = format!(r#"{signal}ulimit -f 1; exec "$0" compile module.wat -o old.onnx"#);
        let output = Process::new("sh")
            .args(["-c", &script, cargo_bin!("wasm2onnx").to_str().expect("it is text")])
            .current_dir(folder.0.path())
            .output()
            .expect("the shell can be started");
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{message}");
        assert!(message.contains("old.onnx cannot be written: File too large"), "{message}");
        assert_eq!(fs::read(&old).expect("it is there"), b"old");
        assert_eq!(names(&folder), set(&["module.wat", "old.onnx"]));
    }
}

/// Makes a module whose model is large, so that writing it takes a while.
fn large() -> String {
    let byte = |i: u32| format!("\\{:02x}", i.wrapping_mul(2_654_435_761) >> 24);
    let data: String = (0..3_000_000).map(byte).collect();
    format!(
        r#"(module (memory 64) (data (i32.const 0) "{data}")
            (func (export "f") (param i32) (result i32) (i32.load8_u (local.get 0))))"#
    )
}

#[test]
fn signals_leave_no_temporary_file() {
    let folder = Folder::new();
    let module = folder.file("module.wasm", wat::parse_str(large()).expect("it is well-formed"));
    let out = folder.file("out.onnx", "old");
    let own = set(&["module.wasm", "out.onnx"]);
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        // Until the signal came while there was a temporary file.
        let mut caught = false;
        for _ in 0..30 {
            fs::write(&out, "old").expect("it can be written");
            let mut child = Process::new(cargo_bin!("wasm2onnx"))
                .arg("compile")
                .arg(&module)
                .arg("-o")
                .arg(&out)
                .stderr(Stdio::null())
                .spawn()
                .expect("the command can be started");
            let pid = Pid::from_child(&child);
            while names(&folder) == own && child.try_wait().expect("it runs").is_none() {}
            // The process may have ended.
            let _ = kill_process(pid, signal);
            let status = child.wait().expect("it ends");
            assert_eq!(names(&folder), own, "{signal:?}");
            let left = fs::read(&out).expect("it is there");
            if left == b"old" {
                assert_eq!(status.signal(), Some(signal.as_raw()));
                caught = true;
                break;
            }
            // The signal came too late: the model is there, even if the process had not quite ended.
            assert!(left.len() > 1_000_000, "{signal:?}");
        }
        assert!(caught, "{signal:?}");
    }
}

#[test]
fn inputs_without_an_end_are_refused() {
    let folder = Folder::new();
    let out = folder.0.path().join("out.onnx");
    let named = folder.0.path().join("zero.onnx");
    symlink("/dev/zero", &named).expect("links can be made");
    let start = Instant::now();
    for command in ["run", "inspect", "compile"] {
        let options: &[&str] =
            if command == "compile" { &["-o", out.to_str().expect("it is text")] } else { &[] };
        let refused = |input: &Path, text: &str| {
            wasm2onnx()
                .arg(command)
                .args(options)
                .arg(input)
                .assert()
                .code(1)
                .stderr(starts_with("error: ").and(contains(text)));
        };
        refused(Path::new("/dev/zero"), "is neither a WebAssembly module nor its text format");
        refused(&named, "is not an ONNX model");
        refused(folder.0.path(), "directory");
    }
    assert!(start.elapsed() < Duration::from_secs(30));
    // Text without an end is refused.
    let mut yes = Process::new("yes").arg("(module)").stdout(Stdio::piped()).spawn().expect("Unix has it");
    let output = Process::new(cargo_bin!("wasm2onnx"))
        .args(["run", "-"])
        .stdin(yes.stdout.take().expect("it is piped"))
        .output()
        .expect("the command can be started");
    yes.kill().expect("it runs");
    yes.wait().expect("it ends");
    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(message.contains("it is larger than 268,435,456 bytes, the limit for a module"), "{message}");
    // A file whose size is known to be too large is not read at all.
    let large = folder.0.path().join("large.wasm");
    fs::File::create(&large).and_then(|file| file.set_len(1 << 40)).expect("files can be sparse");
    wasm2onnx().arg("run").arg(&large).assert().code(1).stderr(contains("is neither"));
    assert!(!out.exists());
}

#[test]
fn a_fifo_is_a_file_like_others() {
    let folder = Folder::new();
    let fifo = folder.0.path().join("fifo");
    mkfifo(&fifo);
    let writer = {
        let fifo = fifo.clone();
        std::thread::spawn(move || fs::write(fifo, MODULE).expect("it can be written"))
    };
    wasm2onnx().arg("run").arg(&fifo).arg("7").assert().success().stdout("7\n");
    writer.join().expect("it has written");
    // The command does not wait forever for the other end.
    wasm2onnx()
        .arg("run")
        .arg(&fifo)
        .arg("7")
        .assert()
        .code(1)
        .stderr(contains("nobody has opened its other end"));
}
