//! Functions of tensors by WIT: guests of wit-bindgen and random worlds against wasmtime, which runs the components that their modules
//! become; and what the command makes of modules with a world.

use std::path::Path;
use std::process::Command as Process;

use assert_cmd::cargo::cargo_bin;
use predicates::str::{contains, is_empty};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use super::{Folder, wasm2onnx};

const GUESTS: [&str; 3] = ["c", "cpp", "rust"];

/// Returns the module of a guest.
fn guest(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/wit").join(name).join("guest.wasm")
}

/// Writes a module and the component that it becomes, for `tests/tensors/wit.py`.
fn write(folder: &Path, module: &[u8]) {
    let mut encoder = ComponentEncoder::default();
    let encoder = encoder.validate(true).module(module).expect("it has a world");
    let component = encoder.encode().expect("it is a component");
    std::fs::write(folder.join("module.wasm"), module).expect("it can be written");
    std::fs::write(folder.join("component.wasm"), component).expect("it can be written");
}

/// Runs `tests/tensors/wit.py`, and returns what it prints.
fn script(arguments: &[&std::ffi::OsStr]) -> String {
    let python = std::env::var_os("WASM2ONNX_PYTHON")
        .expect("Python with the packages of tests/requirements.txt is not there: run tests/run");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/tensors/wit.py");
    let output = Process::new(python).arg(script).args(arguments).output().expect("Python starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    assert_eq!(errors, "");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What wasmtime makes of random calls of the examples, made with wit-bindgen in three languages.
#[test]
fn guests_give_what_their_components_give() {
    let folder = Folder::new();
    let calls = std::env::var("WASM2ONNX_CALLS").unwrap_or_else(|_| "16".into());
    for name in GUESTS {
        let own = folder.0.path().join(name);
        std::fs::create_dir(&own).expect("it can be made");
        write(&own, &std::fs::read(guest(name)).expect("it is there"));
    }
    let command = cargo_bin("wasm2onnx");
    let mut arguments =
        vec!["guests".as_ref(), command.as_ref(), calls.as_ref(), folder.0.path().as_os_str()];
    arguments.extend(GUESTS.map(std::ffi::OsStr::new));
    println!("{}", script(&arguments));
}

/// What wasmtime makes of random worlds: see `tests/tensors/wit.py`.
#[test]
fn random_worlds_give_what_their_components_give() {
    let (first, end) =
        match std::env::var("WASM2ONNX_SEEDS").ok().as_deref().and_then(|text| text.split_once("..")) {
            Some((first, end)) => (first.to_owned(), end.to_owned()),
            None => ("0".into(), "16".into()),
        };
    let folder = Folder::new();
    let path = folder.0.path();
    script(&["draw".as_ref(), first.as_ref(), end.as_ref(), path.as_os_str()]);
    for seed in first.parse::<u32>().expect("a seed")..end.parse().expect("a seed") {
        let own = path.join(seed.to_string());
        let text = |name: &str| std::fs::read_to_string(own.join(name)).expect("it was drawn");
        let mut module = wat::parse_str(text("guest.wat")).expect("it is text");
        let mut resolve = Resolve::default();
        let package = resolve.push_source("world.wit", &text("world.wit")).expect("it is WIT");
        let world = resolve.select_world(&[package], None).expect("it has one");
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false).expect("it fits");
        write(&own, &module);
    }
    let command = cargo_bin("wasm2onnx");
    let arguments = ["worlds".as_ref(), command.as_os_str(), first.as_ref(), end.as_ref(), path.as_os_str()];
    println!("{}", script(&arguments));
}

/// The examples do what their comments say, in all languages alike.
#[test]
fn guests_are_run_by_names_and_texts() {
    const ADD: &str = "example:guest/dates@1.0.0#add";
    for name in GUESTS {
        let run = |function: &str, arguments: &[&str]| {
            let mut command = wasm2onnx();
            command.args(["run", "--invoke", function]).arg(guest(name)).args(arguments);
            command.assert()
        };
        run(
            "format",
            &["text=  to be ", "style.trim=1", "style.upper=1", "style.quote=1", "fill=8230", "width=9"],
        )
        .success()
        .stdout("result: u8[15] = \"»TO BE«……\"\n")
        .stderr(is_empty());
        run(ADD, &["date.year=2024", "date.month=2", "date.day=28", "days=2"]).success().stdout(
            "result.is-ok: bool = true\nresult.ok.year: i16 = 2024\nresult.ok.month: u8 = 3\nresult.ok.day: u8 = 1\n\
             result.err: u8[0] = []\n",
        );
        run(ADD, &["date.year=2024", "date.month=2", "date.day=30", "days=2"])
            .success()
            .stdout(contains("result.is-ok: bool = false"))
            .stdout(contains("= \"there is no day 30 in month 2\""));
    }
}

/// A world with one function needs no name; `--no-wit` leaves it out; and there is no saying twice what takes tensors.
#[test]
fn worlds_are_left_out_on_demand() {
    let folder = Folder::new();
    let module = guest("c");
    wasm2onnx().arg("run").arg(&module).assert().failure().stderr(contains(
        "choose one of the exported functions with --invoke:\n  best(scores: f32[scores], at-least.is-some",
    ));
    let next = ["run", "--no-wit", "--invoke", "next"];
    wasm2onnx().args(next).arg(&module).arg("1").assert().success().stdout("7806831264735756412\n");
    let run = ["run", "--invoke", "next"];
    wasm2onnx()
        .args(run)
        .arg(&module)
        .arg("start=1")
        .assert()
        .success()
        .stdout("result: u64 = 7806831264735756412\n");
    wasm2onnx()
        .args(run)
        .arg(&module)
        .arg("1")
        .assert()
        .failure()
        .stderr(contains("argument `1` is not NAME=VALUE"));
    let signature = ["run", "--signature", "next(x: i64) -> i64"];
    wasm2onnx()
        .args(signature)
        .arg(&module)
        .arg("x=1")
        .assert()
        .success()
        .stdout("result0: i64 = 7806831264735756412\n");
    wasm2onnx()
        .args(signature)
        .arg("--no-wit")
        .arg(&module)
        .assert()
        .failure()
        .stderr(contains("cannot be used with"));
    let model = folder.0.path().join("day.onnx");
    let mut compile = wasm2onnx();
    compile.args(["compile", "--invoke", "example:guest/dates@1.0.0#day"]).arg(&module).arg("-o").arg(&model);
    compile.assert().success();
    let arguments = ["date.day=28", "date.month=11", "date.year=2026"];
    let printed = "result.is-some: bool = true\nresult.some: u8 = 5\n";
    wasm2onnx().arg("run").arg(&model).args(arguments).assert().success().stdout(printed);
    wasm2onnx()
        .args(["run", "--no-wit"])
        .arg(&model)
        .assert()
        .failure()
        .stderr(contains("--no-wit is for modules"));
    let wrong = ["text=\u{fffd}", "style.trim=1", "style.upper=1", "style.quote=1", "fill=55296", "width=9"];
    wasm2onnx()
        .args(["run", "--invoke", "format"])
        .arg(&module)
        .args(wrong)
        .assert()
        .failure()
        .stdout(is_empty())
        .stderr(contains("function `format`: its type in WIT does not allow what the input `fill` is"));
}

/// What no tensors are made of is refused by name, and a damaged world is, too.
#[test]
fn worlds_that_do_not_fit_are_refused() {
    let folder = Folder::new();
    let mut resolve = Resolve::default();
    let wit = "package a:b; world w { export f: func(names: list<string>); }";
    let package = resolve.push_source("world.wit", wit).expect("it is WIT");
    let world = resolve.select_world(&[package], None).expect("it has one");
    let mut module = wat::parse_str(r#"(module (func (export "f") (param i32 i32)))"#).expect("it is text");
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false).expect("it fits");
    let refused = folder.file("refused.wasm", &module);
    let message = "function of tensors `f`: `names` is a list of strings, of which no tensors are made; without WIT (`--no-wit`";
    wasm2onnx().args(["run", "--invoke", "f"]).arg(&refused).assert().failure().stderr(contains(message));
    wasm2onnx().args(["run", "--no-wit", "--invoke", "f"]).arg(&refused).args(["1", "2"]).assert().success();
    let at = module.windows(4).rposition(|part| part == b"\0asm").expect("there is a world");
    module[at + 4] = 1;
    let damaged = folder.file("damaged.wasm", &module);
    for command in ["run", "inspect"] {
        wasm2onnx().arg(command).arg(&damaged).assert().failure().stderr(contains("section `component-type"));
    }
    wasm2onnx().args(["run", "--no-wit"]).arg(&damaged).args(["1", "2"]).assert().success();
}
