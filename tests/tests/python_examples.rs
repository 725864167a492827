//! The scripts of `examples/python`, run as a user runs them, against our own executors.
//!
//! The Python is the one that `WASM2ONNX_PYTHON` names; it needs what `examples/python/requirements.txt`
//! lists. A test fails without it, and says so.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;
use wasm2onnx::{Attention, Form};
use wasm2onnx_compiler::{Certified, Options, compile};
use wasm2onnx_runtime::lockstep::{End, compare_step_by_step};
use wasm2onnx_runtime::{
    Config, Dense, Error, ExpertId, Field, Instance, Network, Observed, Observer, Ports, Sparse,
    SparseOptions, Step, Stepper, TokenEnds, Value, WordLocation,
};
use wasm2onnx_tests::examples::{self, Call};
use wasm2onnx_tests::onnx_runtime::{model, unproved_model};
use wasm2onnx_tests::ours::{self, Way};

/// Approximate number of instructions of the calls of examples that the vanilla transformer runs.
const INSTRUCTIONS: u64 = 400;

/// Maximum number of steps that it may take: two of the seven examples take more on their smallest inputs.
const MAX_STEPS: u64 = 2_100;

/// The same with softmax attention, which is slower.
const MAX_SOFTMAX_STEPS: u64 = 500;

/// Number of damaged weights tried with each program.
const CHANGES: usize = 5;

/// Minimum share of them that must have an effect.
const LEAST_EFFECT: f64 = 0.3;

/// Small programs that together use memory, calls, tables, library routines and wide integers.
const PROGRAMS: [(&str, &str, &[i64]); 5] = [
    (
        "gcd",
        r#"(func (export "gcd") (param $a i32) (param $b i32) (result i32) (local $t i32)
            (block $end (loop $next
                (br_if $end (i32.eqz (local.get $b)))
                (local.set $t (i32.rem_u (local.get $a) (local.get $b)))
                (local.set $a (local.get $b))
                (local.set $b (local.get $t))
                (br $next)))
            (local.get $a))"#,
        &[1071, 462],
    ),
    (
        "factorial",
        r#"(func $f (export "factorial") (param i64) (result i64)
            (if (result i64) (i64.eqz (local.get 0))
                (then (i64.const 1))
                (else (i64.mul (local.get 0) (call $f (i64.sub (local.get 0) (i64.const 1)))))))"#,
        &[5],
    ),
    (
        "reverse",
        r#"(memory 1) (data (i32.const 8) "\01\02\03\04\05\06\07")
        (func (export "reverse") (param $i i32) (param $j i32) (result i32) (local $x i32)
            (loop $next
                (local.set $x (i32.load8_u (local.get $i)))
                (i32.store8 (local.get $i) (i32.load8_u (local.get $j)))
                (i32.store8 (local.get $j) (local.get $x))
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (local.set $j (i32.sub (local.get $j) (i32.const 1)))
                (br_if $next (i32.lt_u (local.get $i) (local.get $j))))
            (i32.load offset=8 (i32.const 0)))"#,
        &[8, 14],
    ),
    (
        "bits",
        r#"(func (export "bits") (param $x i32) (param $n i32) (result i32)
            (loop $next
                (local.set $x (i32.xor (local.get $x) (i32.shl (local.get $x) (local.get $n))))
                (local.set $x (i32.and (i32.rotl (local.get $x) (i32.popcnt (local.get $x))) (i32.const 0x7ffffff1)))
                (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
            (local.get $x))"#,
        &[0x1234_5678, 4],
    ),
    (
        "dispatch",
        r#"(type $op (func (param i32 i32) (result i32)))
        (table funcref (elem $add $sub $mul))
        (func $add (type $op) (i32.add (local.get 0) (local.get 1)))
        (func $sub (type $op) (i32.sub (local.get 0) (local.get 1)))
        (func $mul (type $op) (i32.mul (local.get 0) (local.get 1)))
        (global $g (mut i32) (i32.const 3))
        (func (export "dispatch") (param $n i32) (result i32)
            (loop $next
                (local.set $n (i32.sub (local.get $n) (i32.const 1)))
                (global.set $g (call_indirect (type $op) (global.get $g) (i32.const 5) (local.get $n)))
                (br_if $next (local.get $n)))
            (global.get $g))"#,
        &[3],
    ),
];

/// Programs that begin or end in other ways.
const SPECIAL: &str = r#"
    (memory 1)
    (global $g (mut i32) (i32.const 0))
    (func $init (global.set $g (i32.const 41)) (i32.store (i32.const 0) (i32.const 1)))
    (start $init)
    (func (export "divide") (param i32 i32) (result i32) (i32.div_s (local.get 0) (local.get 1)))
    (func (export "beyond") (param i32) (result i32) (i32.load (local.get 0)))
    (func (export "started") (result i32) (i32.add (global.get $g) (i32.load (i32.const 0))))
    (func (export "floats") (param f32 f64) (result i64 f32 f64)
        (i64.reinterpret_f64 (local.get 1)) (local.get 0) (local.get 1))
    (func (export "forever") (loop (br 0)))"#;

fn python() -> Command {
    let python = std::env::var_os("WASM2ONNX_PYTHON").unwrap_or_else(|| {
        panic!(
            "these tests run examples/python: install what examples/python/requirements.txt lists with pip \
            and set WASM2ONNX_PYTHON to that Python"
        )
    });
    Command::new(python)
}

/// Runs a script on a model.
fn script(name: &str, model: &Path, args: &[String], stdin: &[u8]) -> Output {
    let model = model.to_str().expect("the path is text").to_owned();
    run_script(name, [&[model][..], args].concat(), stdin)
}

/// Runs a script with all of its arguments.
fn run_script(name: &str, args: Vec<String>, stdin: &[u8]) -> Output {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/python");
    let mut child = python()
        .arg(folder.join(name))
        .args(args)
        // One thread: as many tests run at once as there are cores.
        .env("OMP_NUM_THREADS", "1")
        .env("OPENBLAS_NUM_THREADS", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("WASM2ONNX_PYTHON cannot be started: {error}"));
    // A script that reads nothing may have ended.
    let _ = child.stdin.take().expect("it is piped").write_all(stdin);
    child.wait_with_output().expect("the script ends")
}

/// Returns the standard output of a run that must succeed.
fn printed(output: &Output) -> &str {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::str::from_utf8(&output.stdout).expect("it prints text")
}

/// A folder with models.
struct Models(TempDir);

impl Models {
    fn new() -> Self {
        Models(TempDir::new().expect("temporary folders can be made"))
    }

    /// Writes a model.
    fn write(&self, network: &Certified, entry: &str, form: Form, attention: Attention) -> PathBuf {
        self.store(&model(network, entry, form, attention), entry, form, attention)
    }

    fn store(&self, model: &[u8], entry: &str, form: Form, attention: Attention) -> PathBuf {
        let path = self.0.path().join(format!("{entry}.{form:?}.{attention:?}.onnx"));
        std::fs::write(&path, model).expect("temporary files can be written");
        path
    }
}

/// Compiles a module in text to the network of an export.
fn network(entry: &str, wat: &str) -> Certified {
    let wasm = wat::parse_str(format!("(module {wat})")).unwrap_or_else(|error| panic!("{entry}: {error}"));
    network_of(entry, &wasm)
}

fn network_of(entry: &str, wasm: &[u8]) -> Certified {
    let options = Options { exports: Some(vec![entry.to_owned()]), ..Options::default() };
    compile(wasm, &options).unwrap_or_else(|error| panic!("{entry}: {error}"))
}

/// Returns arguments as values of the entry's types.
fn values(network: &Network, entry: &str, args: &[i64]) -> Vec<Value> {
    let word = |x: i64| [x as u32, (x >> 32) as u32];
    let params = &network.entries[entry].params;
    params.iter().zip(args).map(|(ty, x)| Value::from_words(*ty, word(*x))).collect()
}

fn texts<T: ToString>(args: &[T]) -> Vec<String> {
    args.iter().map(T::to_string).collect()
}

/// What the vanilla transformer prints.
#[derive(Debug, PartialEq)]
struct Vanilla {
    stdout: Vec<u8>,
    code: i64,
    steps: i64,
}

/// Runs the vanilla transformer. The last line on its standard error is the trap and the steps.
fn vanilla(model: &Path, softmax: bool, options: &[&str], args: &[String], stdin: &[u8]) -> Vanilla {
    let mut all = texts(options);
    all.extend(["--stdin".to_owned(), "-".to_owned()]);
    all.extend(softmax.then(|| "--softmax".to_owned()));
    // What follows the model is an argument even if it begins with a minus.
    all.push(model.to_str().expect("the path is text").to_owned());
    all.extend_from_slice(args);
    let output = run_script("vanilla_transformer.py", all, stdin);
    let errors = String::from_utf8_lossy(&output.stderr);
    let last: serde_json::Value = errors
        .lines()
        .last()
        .and_then(|line| serde_json::from_str(line).ok())
        .unwrap_or_else(|| panic!("{errors}"));
    let number = |name: &str| last[name].as_i64().unwrap_or_else(|| panic!("{errors}"));
    let status = match number("code") {
        0 => 0,
        11 => 1,
        _ => 134,
    };
    assert_eq!(output.status.code(), Some(status), "{errors}");
    Vanilla { stdout: output.stdout, code: number("code"), steps: number("steps") }
}

/// Returns what it should print, according to the sparse executor.
fn expected(network: &Network, call: &Call, max_steps: u64) -> Vanilla {
    let config = Config { stdin: call.stdin.clone(), ..Way::Checked.config(max_steps) };
    let mut instance = Instance::with_config(network, config).expect("instance creation succeeds");
    let result = instance.invoke(call.entry, &call.args);
    let mut stdout = instance.stdout();
    let code = match result {
        Ok(results) => {
            results.iter().for_each(|x| stdout.extend_from_slice(format!("{x}\n").as_bytes()));
            0
        }
        Err(Error::Trap(trap)) => trap.code as i64,
        Err(Error::StepLimit { .. }) => 11,
        Err(error) => panic!("{error}"),
    };
    Vanilla { stdout, code, steps: instance.steps() as i64 }
}

fn call(entry: &'static str, args: Vec<Value>) -> Call {
    Call { entry, args, stdin: Vec::new() }
}

#[test]
fn a_call() {
    let models = Models::new();
    for (entry, wat, args) in PROGRAMS {
        let network = network(entry, wat);
        let model = models.write(&network, entry, Form::Loop, Attention::Indexed);
        let expected = expected(&network, &call(entry, values(&network, entry, args)), MAX_STEPS);
        let output = script("call.py", &model, &texts(args), b"");
        assert_eq!(printed(&output).as_bytes(), expected.stdout, "{entry}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), format!("{} steps\n", expected.steps), "{entry}");
    }
    let divide = network("divide", SPECIAL);
    let model = models.write(&divide, "divide", Form::Loop, Attention::Indexed);
    let output = script("call.py", &model, &texts(&[-7, 2]), b"");
    assert_eq!(printed(&output), "-3\n");
    let output = script("call.py", &model, &texts(&[7, 0]), b"");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("trap 2 after "), "{output:?}");
}

#[test]
fn a_call_of_a_program_that_reads_and_prints() {
    let example = examples::all().into_iter().find(|example| example.name == "sieve").expect("it is there");
    let sample = example.sample.expect("it has one");
    let options =
        Options { exports: Some(vec!["_start".into()]), stdout_bytes: 1 << 16, ..Options::default() };
    let network = compile(example.wasm, &options).expect("it compiles");
    let models = Models::new();
    let model = models.write(&network, "_start", Form::Loop, Attention::Indexed);
    let output = script("call.py", &model, &[], &sample.stdin);
    assert_eq!(printed(&output), example.expected);
}

#[test]
fn a_batch() {
    let models = Models::new();
    let (entry, wat, _) = PROGRAMS[0];
    let lists = [[1071, 462], [5, 0], [-6, 4], [270, 192]];
    let network = network(entry, wat);
    check_batch(&models, &network, entry, &lists);
    // A module without a start function: this one runs many instances.
    let wat =
        r#"(func (export "divide") (param i32 i32) (result i32) (i32.div_s (local.get 0) (local.get 1)))"#;
    check_batch(
        &models,
        &self::network("divide", wat),
        "divide",
        &[[7, 2], [7, 0], [i32::MIN.into(), -1], [0, 3]],
    );
}

fn check_batch(models: &Models, network: &Certified, entry: &'static str, lists: &[[i64; 2]]) {
    let model = models.write(network, entry, Form::Loop, Attention::Indexed);
    let columns: Vec<String> =
        (0..2).map(|i| texts(&lists.iter().map(|args| args[i]).collect::<Vec<_>>()).join(",")).collect();
    let mut lines = String::new();
    for args in lists {
        let Vanilla { stdout, code, steps } =
            expected(network, &call(entry, values(network, entry, args)), MAX_STEPS);
        let answer = match code {
            0 => String::from_utf8(stdout).expect("a number").trim().to_owned(),
            code => format!("trap {code}"),
        };
        lines += &format!("{}, {} -> {answer} in {steps} steps\n", args[0], args[1]);
    }
    assert_eq!(printed(&script("batch.py", &model, &columns, b"")), lines);
}

#[test]
fn every_step() {
    let models = Models::new();
    for (entry, wat, args) in PROGRAMS {
        let network = network(entry, wat);
        let model = models.write(&network, entry, Form::Step, Attention::Indexed);
        let output = script("steps.py", &model, &texts(args), b"");
        let (mut lines, results) = trace(&network, entry, args);
        lines.extend(results);
        let found: Vec<&str> = printed(&output).lines().collect();
        assert_eq!(found.len(), lines.len(), "{entry}");
        for (found, line) in found.into_iter().zip(lines) {
            // The function that the step belongs to is not compared.
            let (number, rest) = found.split_at(found.find("expert").map_or(0, |i| i + 12).min(found.len()));
            let rest = rest.find("  [").map_or("", |i| &rest[i..]);
            let found =
                if number.is_empty() { found.to_owned() } else { format!("{}{rest}", number.trim_end()) };
            assert_eq!(found, line, "{entry}");
        }
    }
    let output = script(
        "steps.py",
        &models.write(&network("gcd", PROGRAMS[0].1), "gcd", Form::Step, Attention::Indexed),
        &texts(&[12, 18]),
        b"",
    );
    let text = printed(&output);
    // The module has no names, so functions have numbers.
    assert!(
        text.lines()
            .next()
            .is_some_and(|line| line.contains(" gcd at 0x") || line.contains("function 0 at 0x")),
        "{text}"
    );
    assert!(text.contains(" library "), "{text}");
    assert!(
        text.trim_end().lines().rev().nth(1).is_some_and(|line| line.trim_end().ends_with("end")),
        "{text}"
    );
}

#[test]
fn steps_after_instance_creation_and_with_arguments_that_are_rows() {
    const SUM: &str = r#"(global $g (mut i32) (i32.const 0))
        (func $init (global.set $g (i32.const 1000)))
        (start $init)
        (func (export "sum") (param i64 i64 i64 i64 i64 i64 i32) (result i64)
            (i64.add (i64.add (local.get 0) (local.get 5))
                (i64.extend_i32_s (i32.add (global.get $g) (local.get 6)))))"#;
    let models = Models::new();
    let network = network("sum", SUM);
    assert!(network.start.is_some());
    assert!(
        network.entries["sum"]
            .param_locations
            .iter()
            .any(|location| matches!(location, WordLocation::Row(_)))
    );
    let model = models.write(&network, "sum", Form::Step, Attention::Indexed);
    let args = [-5_000_000_000i64, 2, 3, 4, 5, 6, 7];
    let output = script("steps.py", &model, &texts(&args), b"");
    let text = printed(&output);
    assert_eq!(text.lines().last(), Some("-4999998987"));
    let ends = text.lines().filter(|line| line.trim_end().ends_with("end")).count();
    assert_eq!(ends, 2, "instance creation and the call end at expert 1: {text}");
}

/// A line for each step, with the expert, rows and reads.
#[derive(Default)]
struct Lines(Vec<String>);

impl Observer for Lines {
    fn step(&mut self, step: &Step<'_>) {
        let mut line = format!("{:5}  expert {}", step.number, step.expert);
        for (key, value) in step.rows() {
            line += &format!("  [{key}] := {value}");
        }
        let going = !step.network.is_terminal(step.expert);
        for (query, value) in step.reads().filter(|(query, _)| going && *query != 0.0) {
            line += &format!("  [{query}] = {value}");
        }
        self.0.push(line);
    }
}

/// Makes a run on the sparse executor. Returns a line for each step, with the expert, rows and reads; and the
/// results.
fn trace(network: &Network, entry: &str, args: &[i64]) -> (Vec<String>, Vec<String>) {
    let mut sparse = Sparse::new(network, INTERPRETER).expect("the network is valid");
    let values = values(network, entry, args);
    enter(network, entry, &values, &mut sparse);
    let (ends, mut lines) = (TokenEnds::new(network), Lines::default());
    let mut observed = Observed::new(network, &ends, &mut sparse, &mut lines, (0, 0));
    while observed.step() {}
    let results = Instance::new(network).expect("it can be made").invoke(entry, &values).expect("it returns");
    (lines.0, texts(&results))
}

const INTERPRETER: SparseOptions = SparseOptions { assert_declared: false, compile_after: None };

/// Begins a call as a model does: arguments that are rows are appended by the first step.
fn enter(network: &Network, entry: &str, args: &[Value], stepper: &mut dyn Stepper) {
    network.first_rows.iter().for_each(|(key, value)| stepper.append(*key, *value));
    let entry = &network.entries[entry];
    let words = args.iter().flat_map(|arg| arg.words().into_iter().take(arg.ty().words()));
    let (mut fields, mut rows) = (Vec::new(), 0..network.ports.rows);
    for (location, word) in entry.param_locations.iter().zip(words) {
        match location {
            WordLocation::Field(field) => fields.push((*field, f64::from(word))),
            WordLocation::Row(key) => {
                let row = rows.next().expect("there are enough ports");
                fields.push((network.ports.k(row), *key as f64));
                fields.push((network.ports.x(row), word.into()));
            }
        }
    }
    stepper.enter(entry.expert, &fields);
}

#[test]
fn the_vanilla_transformer_is_short_and_uses_nothing_of_ours() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/python/vanilla_transformer.py");
    let text = std::fs::read_to_string(path).expect("it is there");
    // The part for arguments that are rows took five more lines than 150, and the one for tables as factors four more.
    assert!(text.lines().count() <= 159);
    let imports = text.lines().filter(|line| line.starts_with("import ") || line.starts_with("from "));
    let imports: Vec<_> = imports.collect();
    assert_eq!(
        imports,
        ["import argparse", "import json", "import sys", "import numpy as np", "import onnx"]
    );
}

#[test]
fn the_vanilla_transformer_reads_every_form() {
    let models = Models::new();
    for (entry, wat, args) in [PROGRAMS[2], PROGRAMS[4]] {
        let network = network(entry, wat);
        let expected = expected(&network, &call(entry, values(&network, entry, args)), MAX_STEPS);
        for form in [Form::Loop, Form::Step] {
            for attention in [Attention::Indexed, Attention::Dense, Attention::Softmax] {
                let model = models.write(&network, entry, form, attention);
                for softmax in [false, true] {
                    let found = vanilla(&model, softmax, &[], &texts(args), b"");
                    assert_eq!(found, expected, "{entry}, {form:?}, {attention:?}, softmax: {softmax}");
                }
            }
        }
    }
}

#[test]
fn the_vanilla_transformer_ends_as_our_executor_does() {
    let models = Models::new();
    let float = |x: f32, y: f64| vec![Value::from(x), Value::from(y)];
    // Twelve words are fields; the thirteenth is a row.
    let many: String = (0..13).map(|_| " i32").collect();
    let sum: String = (0..13)
        .map(|i| format!("(local.set $s (i32.add (i32.mul (local.get $s) (i32.const 3)) (local.get {i})))"))
        .collect();
    let many =
        format!(r#"(func (export "many") (param{many}) (result i32) (local $s i32) {sum} (local.get $s))"#);
    let numbers: Vec<i32> = (0..13).map(|i| i * i * 7 - 1000).collect();
    let calls: Vec<(&str, &str, Vec<Value>, Vec<String>)> = vec![
        ("divide", SPECIAL, vec![Value::I32(-7), Value::I32(2)], texts(&[-7, 2])),
        ("divide", SPECIAL, vec![Value::I32(7), Value::I32(0)], texts(&[7, 0])),
        ("divide", SPECIAL, vec![Value::I32(i32::MIN), Value::I32(-1)], texts(&["0x80000000", "4294967295"])),
        ("beyond", SPECIAL, vec![Value::I32(65_533)], texts(&[65_533])),
        ("started", SPECIAL, vec![], vec![]),
        ("floats", SPECIAL, float(0.1, -1e300), texts(&["0.1", "-1e300"])),
        ("forever", SPECIAL, vec![], vec![]),
        ("many", &many, numbers.iter().map(|x| Value::I32(*x)).collect(), texts(&numbers)),
    ];
    let mut codes = std::collections::BTreeSet::new();
    let mut creations = 0;
    for (entry, wat, args, shown) in calls {
        let network = network(entry, wat);
        creations += usize::from(network.start.is_some());
        let max_steps = 500;
        let mut expected =
            expected(&network, &Call { entry: leak(entry), args, stdin: Vec::new() }, max_steps);
        if entry == "floats" {
            // Rust and numpy write floats differently: bits are compared.
            expected.stdout = format!("{}\n0.1\n-1e+300\n", (-1e300f64).to_bits() as i64).into_bytes();
        }
        codes.insert(expected.code);
        let model = models.write(&network, entry, Form::Loop, Attention::Indexed);
        for softmax in [false, true] {
            let limit = max_steps.to_string();
            let found = vanilla(&model, softmax, &["--max-steps", &limit], &shown, b"");
            assert_eq!(found, expected, "{entry}{shown:?}, softmax: {softmax}");
        }
    }
    assert!(creations > 0, "no program has anything to do at its creation");
    assert_eq!(codes.into_iter().collect::<Vec<_>>(), [0, 2, 3, 5, 11]);
}

/// Makes a name static, since calls have static names.
fn leak(name: &str) -> &'static str {
    name.to_owned().leak()
}

/// Tests every example on small fresh input, with both kinds of attention.
macro_rules! vanilla_runs {
    ($($name:ident)*) => {$(
        #[test]
        fn $name() {
            run_vanilla_on(stringify!($name));
        }
    )*};
}

mod the_vanilla_transformer_runs {
    use super::run_vanilla_on;
    vanilla_runs!(hungarian interpreter quicksort recursive sha256 sieve sudoku);
}

fn run_vanilla_on(name: &str) {
    let models = Models::new();
    let example = examples::all().into_iter().find(|example| example.name == name).expect("it is there");
    let call = (example.generate)(&mut wasm2onnx_tests::rng(1), INSTRUCTIONS);
    let network = network_of(call.entry, example.wasm);
    let args = texts(&call.args);
    let model = models.write(&network, call.entry, Form::Loop, Attention::Indexed);
    for (softmax, max_steps) in [(false, MAX_STEPS), (true, MAX_SOFTMAX_STEPS)] {
        // Both stop a run that takes longer.
        let expected = expected(&network, &call, max_steps);
        let dump = models.0.path().join("dump.jsonl");
        let limit = max_steps.to_string();
        let options = ["--max-steps", &limit, "--dump", dump.to_str().expect("the path is text")];
        let found = vanilla(&model, softmax, &options, &args, &call.stdin);
        assert_eq!(found, expected, "{name}, softmax: {softmax}");
        let with_stdin = ours::with_stdin(&network, &call.stdin);
        let numbers = numbers(&with_stdin, call.entry, &call.args, max_steps);
        let dumped = read_dump(&dump);
        assert!(dumped.len() as i64 >= expected.steps);
        for (step, (found, z)) in dumped.iter().zip(&numbers).enumerate() {
            assert_eq!(found, z, "{name}, step {step}, softmax: {softmax}");
        }
        let Vanilla { stdout, code, steps } = expected;
        println!("{name}: {steps} steps, {} bytes printed, code {code}, softmax: {softmax}", stdout.len());
    }
}

#[test]
fn damaged_weights_change_the_vanilla_transformer_alike() {
    let mut rng = wasm2onnx_tests::rng(1);
    let models = Models::new();
    let (mut changes, mut effects, mut inexact) = (0, 0, 0);
    for (entry, wat, args) in PROGRAMS {
        let mut network = network(entry, wat).into_network();
        let args = values(&network, entry, args);
        let path = path_of(&network, entry, &args);
        let unchanged = compare_step_by_step(&network, entry, &args, MAX_STEPS).expect("executors agree");
        let equations = path.iter().flat_map(|e| network.experts.equation_range(*e));
        let terms: Vec<_> = equations
            .flat_map(|equation| network.experts.term_range(equation).map(move |term| (equation, term)))
            .collect();
        for _ in 0..CHANGES {
            let (equation, term) = terms[rng.usize(..terms.len())];
            let weights = &network.experts.weights;
            let finest = weights[network.experts.term_range(equation)]
                .iter()
                .fold(f64::INFINITY, |a, w| a.min(w.abs()));
            let old = weights[term];
            let new = old + finest * [-2.0, -1.0, 1.0, 2.0][rng.usize(..4)];
            if new == 0.0 {
                continue;
            }
            network.experts.weights[term] = new;
            let report = compare_step_by_step(&network, entry, &args, 2 * unchanged.steps)
                .unwrap_or_else(|divergence| panic!("{entry}, weight {term}: {divergence}"));
            // The comparison goes up to the first step that is not exact; the numbers that this step begins
            // with are still exact.
            let zs = numbers(&network, entry, &args, report.steps);
            let (form, attention) = (Form::Step, Attention::Dense);
            let model = unproved_model(&network, entry, form, attention);
            let model = models.store(&model, entry, form, attention);
            for softmax in [false, true] {
                let found = dumped(&models, &model, softmax, &args, report.steps);
                for (step, (found, z)) in found.iter().zip(&zs).enumerate() {
                    assert_eq!(
                        found, z,
                        "{entry}, weight {term} from {old} to {new}, step {step}, softmax: {softmax}"
                    );
                }
                assert!(found.len() >= zs.len(), "{entry}: {} steps, not {}", found.len(), zs.len());
            }
            network.experts.weights[term] = old;
            changes += 1;
            let as_far = compare_step_by_step(&network, entry, &args, report.steps).expect("executors agree");
            effects += usize::from(match report.end {
                End::Inexact { .. } => as_far.digest != report.digest,
                _ => unchanged.digest != report.digest,
            });
            inexact += usize::from(matches!(report.end, End::Inexact { .. }));
        }
    }
    println!("{effects} of {changes} changes had an effect, {inexact} ended inexact");
    assert!(changes >= 20, "only {changes} changes");
    assert!(effects as f64 / changes as f64 >= LEAST_EFFECT);
}

/// Returns the experts of a run.
fn path_of(network: &Network, entry: &str, args: &[Value]) -> Vec<ExpertId> {
    let mut sparse = Sparse::new(network, INTERPRETER).expect("the network is valid");
    enter(network, entry, args, &mut sparse);
    let mut path = std::collections::BTreeSet::new();
    while !network.is_terminal(sparse.z().0) {
        path.insert(sparse.z().0);
        sparse.step();
    }
    path.into_iter().collect()
}

/// Returns expert and numbers before each of this many steps and after the last, from the dense executor, in
/// the order of a model.
fn numbers(network: &Network, entry: &str, args: &[Value], steps: u64) -> Vec<Vec<f64>> {
    let mut dense = Dense::new(network).expect("the network is valid");
    enter(network, entry, args, &mut dense);
    let order = order(&network.ports);
    let mut all = Vec::new();
    for _ in 0..=steps {
        let (expert, z) = dense.z();
        all.push(
            std::iter::once(f64::from(expert)).chain(order.iter().map(|f| z[usize::from(*f)])).collect(),
        );
        if !dense.step() {
            break;
        }
    }
    all
}

/// Returns the fields in the order of a model: `s`, `n`, `v`, `x`, `q`, `k`, `t`.
fn order(ports: &Ports) -> Vec<Field> {
    let part = |count: u16, field: fn(&Ports, u16) -> Field| (0..count).map(move |i| field(ports, i));
    let parts = part(ports.carried, Ports::s)
        .chain(part(ports.units, Ports::n))
        .chain(part(ports.units, Ports::v))
        .chain(part(ports.rows, Ports::x))
        .chain(part(ports.reads, Ports::q))
        .chain(part(ports.rows, Ports::k))
        .chain(part(ports.lookups, Ports::t));
    parts.collect()
}

/// Returns expert and numbers of each step, from the vanilla transformer.
fn dumped(models: &Models, model: &Path, softmax: bool, args: &[Value], steps: u64) -> Vec<Vec<f64>> {
    let dump = models.0.path().join("dump.jsonl");
    let limit = (steps + 1).to_string();
    let options = ["--max-steps", &limit, "--dump", dump.to_str().expect("the path is text")];
    vanilla(model, softmax, &options, &texts(args), b"");
    read_dump(&dump)
}

fn read_dump(path: &Path) -> Vec<Vec<f64>> {
    let text = std::fs::read_to_string(path).expect("it was written");
    let number = |text: &str| text.trim().parse::<f64>().unwrap_or_else(|error| panic!("{text}: {error}"));
    let line = |line: &str| line.trim_matches(['[', ']']).split(',').map(number).collect();
    text.lines().map(line).collect()
}
