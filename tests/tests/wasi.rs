//! WASI calls, natively and in ONNX Runtime, against wasmtime. `tests/wasi` has the programs, which print all that the calls
//! give. `WASM2ONNX_SEEDS` is a number of random programs, or a range such as `0..5000`.

use std::path::Path;
use std::sync::Mutex;

use wasm2onnx::{Attention, Form};
use wasm2onnx_compiler::{Certified, Options, compile};
use wasm2onnx_runtime::Wasi;
use wasm2onnx_tests::onnx_runtime::model;
use wasm2onnx_tests::wasi::{Outcome, Program, programs, run, run_model};
use wasm2onnx_tests::{each_in_parallel, save_failure};

/// Maximum number of tokens of a program that is run in ONNX Runtime, too.
const MODEL_TOKENS: u64 = 20_000;

fn network(program: &Program) -> Certified {
    let options = Options { exports: Some(vec!["_start".into()]), ..Options::default() };
    compile(program.text.as_bytes(), &options).unwrap_or_else(|error| panic!("{}: {error}", program.name))
}

/// Each theme has a program.
#[test]
fn calls_do_what_they_do_in_wasmtime() {
    let programs = programs(&["themes"]);
    assert!(programs.len() >= 27);
    let counts = Mutex::new((0, 0));
    each_in_parallel(0..programs.len() as u64, |i| {
        let program = &programs[i as usize];
        let network = network(program);
        let (found, tokens) = run(&network, &program.wasi, &program.stdin);
        match &program.expected {
            Some(expected) => check(&program.name, &found, expected),
            None => check_text(&program.name, &found),
        }
        let mut in_models = 0;
        if tokens <= MODEL_TOKENS {
            let model = model(&network, "_start", Form::Loop, Attention::Indexed);
            check(&program.name, &run_model(&model, &program.wasi, &program.stdin), &found);
            in_models = 1;
        }
        let mut counts = counts.lock().expect("no test panics holding it");
        *counts = (counts.0 + tokens, counts.1 + in_models);
    });
    let (tokens, in_models) = counts.into_inner().expect("no test panicked holding it");
    println!("{} programs, {tokens} tokens; {in_models} in ONNX Runtime, too", programs.len());
    assert!(in_models >= 10);
}

/// Compares line by line, since what is printed is long.
fn check(name: &str, found: &Outcome, expected: &Outcome) {
    let lines = |bytes: &[u8]| String::from_utf8_lossy(bytes).lines().map(str::to_owned).collect::<Vec<_>>();
    for (stream, found, expected) in
        [("stdout", &found.stdout, &expected.stdout), ("stderr", &found.stderr, &expected.stderr)]
    {
        for (i, (found, expected)) in lines(found).iter().zip(lines(expected)).enumerate() {
            assert_eq!(*found, expected, "{name}, line {i} of {stream}");
        }
        assert!(found == expected, "{name}: {stream} has {} bytes, not {}", found.len(), expected.len());
    }
    assert_eq!(found.status, expected.status, "{name}");
}

/// Compares with the text of `tests/wasi/expected`, for what wasmtime cannot tell.
fn check_text(name: &str, found: &Outcome) {
    let status = found.status.map_or("trap".to_owned(), |status| status.to_string());
    let text = [
        &found.stdout[..],
        b"--- standard error\n",
        &found.stderr,
        format!("--- exit status {status}\n").as_bytes(),
    ]
    .concat();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("wasi/expected/{name}.out"));
    if std::env::var_os("UPDATE").is_some_and(|update| update == "1") {
        std::fs::write(&path, &text).expect("it can be written");
    }
    let expected = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    for (i, (found, expected)) in
        text.split(|byte| *byte == b'\n').zip(expected.split(|byte| *byte == b'\n')).enumerate()
    {
        let shown = |line| String::from_utf8_lossy(line).into_owned();
        assert_eq!(shown(found), shown(expected), "{name}, line {i}");
    }
    assert_eq!(text.len(), expected.len(), "{name}");
}

/// The WASI commands of `examples/wasi`, with the input, arguments and output in their folders, which are wasmtime's.
#[test]
fn examples_print_what_they_must() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/wasi");
    let names = ["brainfuck", "deflate", "json", "lisp", "perft"];
    each_in_parallel(0..names.len() as u64, |i| {
        let name = names[i as usize];
        let read = |file: &str| std::fs::read(folder.join(name).join(file));
        let wasm = read(&format!("{name}.wasm")).expect("it is there");
        let args = read("args.txt").unwrap_or_default();
        let args = args.split(|byte| *byte == b'\n').filter(|arg| !arg.is_empty());
        let mut argv = Vec::new();
        for arg in std::iter::once(format!("{name}.wasm").as_bytes()).chain(args) {
            argv.extend_from_slice(arg);
            argv.push(0);
        }
        let wasi = Wasi { argv, ..Wasi::default() };
        let status = String::from_utf8(read("status.txt").expect("it is there")).expect("it is text");
        let expected = Outcome {
            stdout: read("expected.txt").expect("it is there"),
            stderr: Vec::new(),
            status: Some(status.trim().parse().expect("it is a number")),
        };
        let stdin = read("input.txt").expect("it is there");
        let options = Options { exports: Some(vec!["_start".into()]), ..Options::default() };
        let network = compile(&wasm, &options).unwrap_or_else(|error| panic!("{name}: {error}"));
        let (found, tokens) = run(&network, &wasi, &stdin);
        check(name, &found, &expected);
        let model = model(&network, "_start", Form::Loop, Attention::Indexed);
        check(name, &run_model(&model, &wasi, &stdin), &expected);
        println!("{name}: {tokens} tokens, a model of {} bytes", model.len());
    });
}

/// Where wasmtime ends a program because of an argument that no program should give, calls give an error here. Then what was
/// printed before is compared, but for bytes that such a call was about to print.
#[test]
fn random_calls_do_what_they_do_in_wasmtime() {
    let seeds = wasm2onnx_tests::seeds(60);
    let programs = programs(&["random", &seeds.start.to_string(), &(seeds.end - seeds.start).to_string()]);
    let counts = Mutex::new((0, 0, Vec::new()));
    each_in_parallel(0..programs.len() as u64, |i| {
        let program = &programs[i as usize];
        let (found, tokens) = run(&network(program), &program.wasi, &program.stdin);
        let expected = program.expected.as_ref().expect("wasmtime runs it");
        let same = match expected.status {
            Some(_) => found == *expected,
            None => {
                let end = expected.stdout.iter().rposition(|byte| *byte != 0xaa).map_or(0, |last| last + 1);
                found.stdout.starts_with(&expected.stdout[..end])
            }
        };
        let mut counts = counts.lock().expect("no test panics holding it");
        counts.0 += tokens;
        counts.1 += u32::from(expected.status.is_none());
        if !same {
            let at = save_failure(&format!("wasi-{}.wat", program.name), program.text.as_bytes());
            counts.2.push(format!("seed {}: {at}", program.name));
        }
    });
    let (tokens, ended, failed) = counts.into_inner().expect("no test panicked holding it");
    println!("{} programs, {tokens} tokens; wasmtime ended {ended} of them", programs.len());
    assert_eq!(failed, Vec::<String>::new());
    assert!(2 * ended < programs.len() as u32, "most must run to their end");
}
