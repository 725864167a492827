//! Functions of tensors: `--signature`, inputs and outputs on the command line, prefixes of names.

use std::process::Command as Process;

use assert_cmd::cargo::cargo_bin;
use predicates::prelude::PredicateBooleanExt;
use predicates::str::{contains, is_empty};

use super::{Folder, wasm2onnx};

/// Gives the upper-case letters of a text, and a function that has no memory to put arrays in.
const UPPER: &str = r#"(module (memory (export "memory") 1)
    (func (export "upper") (param $at i32) (param $n i32) (param $to i32) (param $most i32) (result i32) (local $i i32)
        (if (i32.gt_u (local.get $n) (local.get $most)) (then (return (i32.const -1))))
        (loop $next (if (i32.lt_u (local.get $i) (local.get $n)) (then
            (i32.store8 (i32.add (local.get $to) (local.get $i))
                (i32.and (i32.load8_u (i32.add (local.get $at) (local.get $i))) (i32.const 0xdf)))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br $next))))
        (local.get $n))
    (func (export "half") (param f64) (result f64) (f64.mul (local.get 0) (f64.const 0.5))))"#;

const SIGNATURE: &str = "upper(text: u8[], shout: out u8[8]) -> len(shout)";

/// What wasmtime makes of random functions, on every path that the command has: see `tests/tensors/random_functions.py`.
#[test]
fn random_functions_give_what_the_export_gives() {
    let python = std::env::var_os("WASM2ONNX_PYTHON")
        .expect("Python with the packages of tests/requirements.txt is not there: run tests/run");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/tensors/random_functions.py");
    let (first, end) =
        match std::env::var("WASM2ONNX_SEEDS").ok().as_deref().and_then(|text| text.split_once("..")) {
            Some((first, end)) => (first.to_owned(), end.to_owned()),
            None => ("0".into(), "30".into()),
        };
    let output = Process::new(python).arg(script).arg(cargo_bin("wasm2onnx")).args([first, end]).output();
    let output = output.expect("Python starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    // ONNX Runtime has nothing to warn of.
    assert_eq!(errors, "");
    println!("{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn tensors_are_literals_or_files_and_are_printed() {
    let folder = Folder::new();
    let module = folder.file("upper.wat", UPPER);
    let text = folder.file("text.txt", "to be");
    let run = |arguments: &[&str]| {
        let mut command = wasm2onnx();
        command.arg("run").arg("--signature").arg(SIGNATURE).arg(&module).args(arguments);
        command.assert()
    };
    run(&["text=or not"]).success().stdout("shout: u8[6] = [79, 82, 0, 78, 79, 84]\n").stderr(is_empty());
    run(&[&format!("text=@{}", text.display())]).success().stdout("shout: u8[5] = [84, 79, 0, 66, 69]\n");
    run(&["text=[97, 98]"]).success().stdout("shout: u8[2] = \"AB\"\n");
    run(&["text="]).success().stdout("shout: u8[0] = []\n");
    run(&["text=too long for it"]).failure().stderr(contains("the function reported an error: -1"));
    for (arguments, message) in [
        (&["to be"][..], "argument `to be` is not NAME=VALUE; it takes text=VALUE (text: u8[text])"),
        (
            &["text=x", "-o", "out"],
            "argument `-o` is not NAME=VALUE; it takes text=VALUE (text: u8[text]); options come before the input",
        ),
        (&["words=x"], "the function has no input `words`; it takes text=VALUE"),
        (&["text=x", "text=y"], "the input `text` is given twice"),
        (&[], "not all inputs are given: text: u8[text]"),
        (
            &["text=[1, 2"],
            "a `,` or `]` is missing; text: u8[text] is numbers, text that does not begin with `[` or @FILE",
        ),
        (&["text=[256]"], "`256` is no u8"),
        (&["text=@nowhere.npy"], "nowhere.npy cannot be read"),
    ] {
        run(arguments).failure().stdout(is_empty()).stderr(contains(message));
    }
}

#[test]
fn signatures_that_do_not_fit_are_refused() {
    let folder = Folder::new();
    let module = folder.file("upper.wat", UPPER);
    let scalar = folder.file("scalar.wat", r#"(module (func (export "f") (param i32 i32)))"#);
    let model = folder.0.path().join("out.onnx");
    let compile = |signature: &str, module: &std::path::Path| {
        let mut command = wasm2onnx();
        command.args(["compile", "--signature", signature]).arg(module).arg("-o").arg(&model);
        command.assert()
    };
    for (signature, message) in [
        (
            "upper(text: u8[], shout: out u8[8])",
            "its type would be (i32, i32, i32, i32) -> (), but it is (i32, i32, i32, i32) -> (i32)",
        ),
        ("lower(text: u8[])", "no exported function is called `lower`"),
        ("upper", "expected NAME(PARAMETERS) -> RESULT"),
        ("upper(text: u9[])", "`u9` is no type of elements; these are bool, i8, u8"),
        ("upper(text: u8[]", "expected `,` at the end"),
        ("upper(text: u8[n) -> i32", "expected `,` at `) -> i32`"),
        ("upper(a: u8[], a: out u8[8]) -> len(a)", "two tensors are called `a`"),
        ("upper(trap: u8[], b: out u8[8]) -> len(b)", "no tensor can be called `trap`"),
        ("upper(a: u8[], b: out u8[]) -> len(b)", "the output `b` needs a size"),
        (
            "upper(a: u8[], b: out u8[n]) -> len(b)",
            "no input has a dimension `n`, which is the size of an output",
        ),
        ("upper(a: u8[], b: out u8[8]) -> len(c)", "there is no output `c`"),
        ("upper(a: u8[], b: out u8[8]) -> len(b) and", "expected the end at `and`"),
        ("upper(a: u8[], b: out f64[65536, 65536]) -> i32", "and no tensor has more than"),
        ("upper(a: u8[99999999999])", "the size 99999999999 is too large"),
    ] {
        compile(signature, &module).failure().stdout(is_empty()).stderr(contains(message));
        assert!(!model.exists());
    }
    let message = "the program has no memory, in which arrays could be";
    compile("f(a: u8[])", &scalar).failure().stderr(contains(message));
    compile(SIGNATURE, &module).success();
    let mut command = wasm2onnx();
    command.args(["run", "--signature", SIGNATURE]).arg(&model).arg("text=x");
    command.assert().failure().stderr(contains("--signature is for modules"));
    let mut command = wasm2onnx();
    command.args(["compile", "--form", "step", "--signature", SIGNATURE]).arg(&module).arg("-o").arg(&model);
    command.assert().failure().stderr(contains("`upper` takes tensors, which only the loop form has"));
    let mut command = wasm2onnx();
    command
        .args(["compile", "--invoke", "half", "--signature", SIGNATURE])
        .arg(&module)
        .arg("-o")
        .arg(&model);
    command
        .assert()
        .failure()
        .stderr(contains("--signature is for `upper`, but the function to be called is `half`"));
    let mut command = wasm2onnx();
    command.args(["run", "-o", "out", "--invoke", "half"]).arg(&module).arg("1");
    command.assert().failure().stderr(contains("--output is for the tensors of a function with a signature"));
}

/// Tensors may be called what values of the graph are called.
#[test]
fn names_of_tensors_and_of_values_do_not_meet() {
    let folder = Folder::new();
    let module = folder.file("upper.wat", UPPER);
    for name in ["missing", "padding", "zeros", "count", "bytes", "batch", "numbers", "result0", "weights"] {
        for signature in [
            format!("upper(text: u8[], {name}: out u8[1, 8]) -> len({name})"),
            format!("upper({name}: u8[], shout: out u8[1, 8]) -> len(shout)"),
        ] {
            let mut command = wasm2onnx();
            command.args(["compile", "--signature", &signature]).arg(&module).args(["-o", "-"]);
            command.assert().success();
        }
    }
}

/// A model with a prefix is read back, and what it runs is the same.
#[test]
fn names_begin_with_a_prefix() {
    let folder = Folder::new();
    let module = folder.file("upper.wat", UPPER);
    let model = folder.0.path().join("out.onnx");
    let compile = |prefix: &str| {
        let mut command = wasm2onnx();
        command
            .args(["compile", "--prefix", prefix, "--signature", SIGNATURE])
            .arg(&module)
            .arg("-o")
            .arg(&model);
        command.assert()
    };
    compile("up/").success();
    let bytes = std::fs::read(&model).expect("it was written");
    // Strings in a model come after their length.
    let has = |name: &str| {
        let string = [&[name.len() as u8], name.as_bytes()].concat();
        bytes.windows(string.len()).any(|part| part == string)
    };
    assert!(["up/trap", "up/weights/next", "text", "shout"].into_iter().all(has));
    assert!(!["trap", "weights/next", "up/text", "up/shout"].into_iter().any(has));
    let mut command = wasm2onnx();
    command.arg("run").arg(&model).arg("text=abc");
    command.assert().success().stdout("shout: u8[3] = \"ABC\"\n");
    for prefix in ["sh", "1", "a b", ""] {
        compile(prefix).failure().stderr(contains("names cannot begin with"));
    }
}

/// Two programs in one graph: `examples/python/compose.py` gives what the first makes to the second.
#[test]
fn programs_are_merged() {
    let python = std::env::var_os("WASM2ONNX_PYTHON")
        .expect("Python with the packages of tests/requirements.txt is not there: run tests/run");
    let folder = Folder::new();
    let module = folder.file("upper.wat", UPPER);
    let file = |name: &str| folder.0.path().join(name);
    for (prefix, signature, model) in [
        ("a/", SIGNATURE, "first.onnx"),
        ("b/", "upper(shout: u8[], again: out u8[1, 8]) -> len(again)", "second.onnx"),
    ] {
        let mut command = wasm2onnx();
        command.args(["compile", "--prefix", prefix, "--signature", signature]).arg(&module);
        command.arg("-o").arg(file(model)).assert().success();
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/python/compose.py");
    let merged = Process::new(&python)
        .arg(script)
        .args([file("first.onnx"), file("second.onnx"), "-o".into(), file("both.onnx")])
        .output()
        .expect("Python starts");
    assert!(merged.status.success(), "{}", String::from_utf8_lossy(&merged.stderr));
    let call = "import sys, numpy, onnxruntime
session = onnxruntime.InferenceSession(sys.argv[1])
print([i.name for i in session.get_inputs()], sorted(o.name for o in session.get_outputs()))
for text in (b'to be', b'', b'too long for it'):
    names = ['again', 'a/trap', 'b/trap', 'a/error']
    again, *ends = session.run(names, {'text': numpy.frombuffer(text, numpy.uint8)})
    print(again.shape, again.tobytes(), *(int(end[0]) for end in ends))";
    let run =
        Process::new(&python).args(["-c", call]).arg(file("both.onnx")).output().expect("Python starts");
    assert_eq!(String::from_utf8_lossy(&run.stderr), "");
    assert_eq!(
        String::from_utf8_lossy(&run.stdout),
        "['text'] ['a/error', 'a/steps', 'a/trap', 'again', 'b/error', 'b/steps', 'b/trap']
(1, 5) b'TO\\x00BE' 0 0 0
(1, 0) b'' 0 0 0
(1, 0) b'' 13 0 -1\n"
    );
}

/// Models for many calls are written where the calls can be put side by side, and refused with a reason where not.
#[test]
fn batches_are_of_calls_that_fit_together() {
    let folder = Folder::new();
    let module = folder.file("upper.wat", UPPER);
    let compile = |signature: &str, more: &[&str]| {
        let mut command = wasm2onnx();
        command.args(["compile", "--batch", "--signature", signature]).args(more).arg(&module);
        command.arg("-o").arg(folder.0.path().join("model.onnx")).assert()
    };
    compile(SIGNATURE, &[]).success();
    // Natively, the model makes one call.
    let mut run = wasm2onnx();
    run.arg("run")
        .arg(folder.0.path().join("model.onnx"))
        .arg("text=to")
        .assert()
        .success()
        .stdout(contains("\"TO\""));
    compile("half(x: f64) -> f64", &[]).success();
    for (signature, more, message) in [
        ("upper(text: u8[2, n], shout: out u8[4, 2]) -> len(shout)", &[][..], "no size but the first varies"),
        (SIGNATURE, &["--attention", "dense"], "only with indexed attention"),
        (SIGNATURE, &["--form", "step"], "only in loop form"),
    ] {
        let refusal = compile(signature, more).failure();
        refusal.stderr(contains("a batch of calls of `upper` cannot be made").and(contains(message)));
    }
    let echo = folder.file(
        "echo.wat",
        r#"(module (import "env" "input_byte" (func $in (result i32))) (func (export "f") (result i32) (call $in)))"#,
    );
    let far = folder.file(
        "far.wat",
        r#"(module (memory 5000) (data (i32.const 300000000) "x") (func (export "f") (param i32) (result i32) (i32.load8_u (local.get 0))))"#,
    );
    let mut command = wasm2onnx();
    command.args(["compile", "--batch"]).arg(far).arg("-o").arg(folder.0.path().join("far.onnx"));
    command.assert().failure().stderr(contains("nothing but zeros beyond the first 256 MB"));
    let mut command = wasm2onnx();
    command.args(["compile", "--batch"]).arg(echo).arg("-o").arg(folder.0.path().join("echo.onnx"));
    command.assert().failure().stderr(contains("functions that use no standard input"));
}
