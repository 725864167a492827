//! Compares the sparse executor with wasmi, and measures whether its time per token and its memory grow with
//! the length of a run.
//!
//! `cargo bench -p wasm2onnx-tests` runs everything; with names of examples, `division` or `slope` as
//! arguments it runs only these. Inputs are fresh unless `WASM2ONNX_SEED` is set;
//! `WASM2ONNX_BENCH_INSTRUCTIONS` sets the approximate number of instructions of each.
//!
//! Times are of the call alone, without compilation and instantiation: processor time of the thread, the
//! minimum of seven runs. The two engines take turns. wasmi runs without fuel and in its default
//! configuration except for a larger stack; instructions are those that wasmtime counts for the same call.

use std::fs;
use std::process::Command;

use rustix::time::{ClockId, clock_gettime};
use wasm2onnx_compiler::{Options, compile};
use wasm2onnx_runtime::{Config, Instance, Value};
use wasm2onnx_tests::examples::{self, Answer, Call};
use wasm2onnx_tests::oracle::{Oracle, Wasmi, Wasmtime};
use wasm2onnx_tests::rng;

/// Number of runs of each engine, of which the fastest counts.
const RUNS: usize = 7;

/// Approximate number of instructions per call, if the environment variable is not set.
const INSTRUCTIONS: u64 = 20_000_000;

/// Numbers of tokens of the runs whose times per token are compared.
const SLOPE: [u64; 3] = [1_000_000, 10_000_000, 100_000_000];

/// Number of runs of each length.
const SLOPE_RUNS: usize = 3;

/// The option of a process that measures one run of the slope. The run's number of tokens follows.
const SLOPE_CHILD: &str = "--slope-of";

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let Some(at) = args.iter().position(|arg| arg == SLOPE_CHILD) {
        return slope_of(args[at + 1].parse().expect("a number of tokens"));
    }
    let names: Vec<&str> = args.iter().filter(|arg| !arg.starts_with('-')).map(String::as_str).collect();
    let wanted = |name: &str| names.is_empty() || names.contains(&name);

    compare(&wanted);
    if wanted("slope") {
        slope();
    }
}

// ---- Examples beside wasmi.

/// What was measured of a call.
struct Row {
    name: &'static str,
    instructions: u64,
    tokens: u64,
    steps: u64,
    ours: f64,
    wasmi: f64,
}

fn compare(wanted: &dyn Fn(&str) -> bool) {
    let mut rng = rng(fastrand::u64(..));
    let instructions = match std::env::var("WASM2ONNX_BENCH_INSTRUCTIONS") {
        Ok(text) => text.parse().expect("WASM2ONNX_BENCH_INSTRUCTIONS is a number"),
        Err(_) => INSTRUCTIONS,
    };

    let mut rows = Vec::new();
    print_heading();
    for example in examples::all() {
        let call = (example.generate)(&mut rng, instructions);
        if wanted(example.name) {
            let row = measure(example.name, example.wasm, &call, |answer| (example.check)(&call, answer));
            row.print();
            rows.push(row);
        }
    }
    if rows.len() > 1 {
        print_means(&rows);
    }

    // About 230 instructions per pair.
    let args = [(instructions / 230) as i32, rng.i32(1..)].map(Value::I32);
    if wanted("division") {
        let wasm = wat::parse_str(include_str!("division.wat")).expect("a valid module");
        let call = Call { entry: "run", args: args.to_vec(), stdin: Vec::new() };
        measure("division", &wasm, &call, |_| true).print();
    }
}

fn measure(name: &'static str, wasm: &[u8], call: &Call, check: impl Fn(&Answer) -> bool) -> Row {
    let network = compile(wasm, &Options::default()).unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut counting = Wasmtime::new(wasm, &call.stdin);
    let expected = call.answer(&mut counting).expect("no trap");
    assert!(check(&expected), "{name}: wrong answer");

    let mut row = Row {
        name,
        instructions: counting.instructions(),
        tokens: 0,
        steps: 0,
        ours: f64::INFINITY,
        wasmi: f64::INFINITY,
    };
    for _ in 0..RUNS {
        let config = Config { stdin: call.stdin.clone(), assert_declared: false, ..Config::default() };
        let mut instance =
            Instance::with_config(&network, config).unwrap_or_else(|error| panic!("{name}: {error}"));
        let (created_steps, created_tokens) = (instance.steps(), instance.tokens());
        let start = processor_time();
        let results =
            instance.invoke(call.entry, &call.args).unwrap_or_else(|error| panic!("{name}: {error}"));
        row.ours = row.ours.min(processor_time() - start);
        assert_eq!(Answer { results, stdout: instance.stdout() }, expected, "{name}");
        row.steps = instance.steps() - created_steps;
        row.tokens = instance.tokens() - created_tokens;

        let mut wasmi = Wasmi::new(wasm, &call.stdin);
        let start = processor_time();
        let answer = call.answer(&mut wasmi);
        row.wasmi = row.wasmi.min(processor_time() - start);
        assert_eq!(answer, Ok(expected.clone()), "{name}");
    }
    row
}

/// Columns of the table whose means are printed too.
const COLUMNS: [&str; 8] = [
    "ratio",
    "ns/token",
    "ns/step",
    "instr/token",
    "instr/step",
    "steps/token",
    "ns/instr",
    "wasmi ns/instr",
];

fn print_heading() {
    print!("{:12} {:>10} {:>10} {:>10} {:>8} {:>8}", "", "instr", "tokens", "steps", "ms", "wasmi ms");
    for column in COLUMNS {
        print!(" {column:>11}");
    }
    println!();
}

impl Row {
    fn columns(&self) -> [f64; 8] {
        let (tokens, steps, instructions) = (self.tokens as f64, self.steps as f64, self.instructions as f64);
        [
            self.ours / self.wasmi,
            self.ours * 1e9 / tokens,
            self.ours * 1e9 / steps,
            instructions / tokens,
            instructions / steps,
            steps / tokens,
            self.ours * 1e9 / instructions,
            self.wasmi * 1e9 / instructions,
        ]
    }

    fn print(&self) {
        let Row { name, instructions, tokens, steps, .. } = self;
        print!("{name:12} {instructions:10} {tokens:10} {steps:10}");
        print!(" {:8.1} {:8.1}", self.ours * 1e3, self.wasmi * 1e3);
        print_columns(self.columns());
    }
}

fn print_means(rows: &[Row]) {
    let mut means = [0.0; COLUMNS.len()];
    for row in rows {
        for (mean, value) in means.iter_mut().zip(row.columns()) {
            *mean += value.ln() / rows.len() as f64;
        }
    }
    print!("{:62}", "geometric mean");
    print_columns(means.map(f64::exp));
}

fn print_columns(values: [f64; COLUMNS.len()]) {
    for value in values {
        print!(" {value:11.2}");
    }
    println!();
}

// ---- One program, longer and longer.

/// Makes each run in a process of its own, so that each has its own peak of memory.
fn slope() {
    println!(
        "\nslope: one program, longer and longer; resident memory before the call, after it, at its peak"
    );
    let heading = ["tokens", "steps", "s", "ns/token", "ns/step", "before MB", "after MB", "peak MB"];
    println!("{}", heading.map(|column| format!("{column:>11}")).join(" "));
    let this = std::env::current_exe().expect("the path of this program");
    let mut fastest = Vec::new();
    for tokens in SLOPE {
        let mut times = Vec::new();
        for _ in 0..SLOPE_RUNS {
            let output = Command::new(&this)
                .args([SLOPE_CHILD, &tokens.to_string()])
                .output()
                .expect("this program starts");
            let line = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(output.status.success(), "{line}{}", String::from_utf8_lossy(&output.stderr));
            print!("{line}");
            times.push(
                line.split_ascii_whitespace().nth(3).and_then(|time| time.parse().ok()).unwrap_or(f64::NAN),
            );
        }
        fastest.push(times.into_iter().fold(f64::INFINITY, f64::min));
    }
    let growth = fastest.last().zip(fastest.first()).map_or(f64::NAN, |(last, first)| last / first);
    println!("ns/token, longest by shortest: {growth:.3}");
}

/// Measures a run of about this many tokens and prints it as a line of the table.
fn slope_of(tokens: u64) {
    let wasm = wat::parse_str(include_str!("slope.wat")).expect("a valid module");
    let network = compile(&wasm, &Options::default()).expect("a supported module");

    let run = |rounds| {
        let config = Config { assert_declared: false, ..Config::default() };
        let mut instance = Instance::with_config(&network, config).expect("an instance");
        let start = processor_time();
        instance.invoke("run", &[Value::I32(rounds)]).expect("no trap");
        (instance, processor_time() - start)
    };
    const TRIAL: i32 = 10_000;
    let trial = run(TRIAL).0.tokens();
    let rounds = tokens * TRIAL as u64 / trial;

    let before = memory("VmRSS");
    let (instance, seconds) = run(rounds as i32);
    let (tokens, steps) = (instance.tokens(), instance.steps());
    println!(
        "{tokens:11} {steps:11} {seconds:11.3} {:11.2} {:11.2} {before:11.1} {:11.1} {:11.1}",
        seconds * 1e9 / tokens as f64,
        seconds * 1e9 / steps as f64,
        memory("VmRSS"),
        memory("VmHWM"),
    );
}

/// Returns the processor time of this thread in seconds.
fn processor_time() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

/// Returns a value of Linux's `/proc/self/status` in megabytes, or NaN on other systems.
fn memory(field: &str) -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    let kilobytes = line.and_then(|line| line.split_ascii_whitespace().next()?.parse::<f64>().ok());
    kilobytes.map_or(f64::NAN, |kilobytes| kilobytes / 1024.0)
}
