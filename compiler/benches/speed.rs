//! How fast modules compile, and in how much memory.
//!
//! `cargo bench -p wasm2onnx-compiler --bench speed [-- NAME]`. Each module is compiled in a process
//! of its own, so that its peak memory can be told. KB/s are by the clock; the processor time of all
//! threads is beside it, for machines that do other things too.
//!
//! `-- growth [FAMILY]` compiles modules of each family of `tests/grow.rs` in two sizes, and prints by
//! how many times the time and the memory grow when the size is doubled.

#[path = "../tests/grow.rs"]
mod grow;

use fastrand::Rng;
use std::fmt::Write;
use std::process::Command;
use std::time::Instant;

use arbitrary::Unstructured;
use wasm2onnx_compiler::{Options, compile, frontend, legalize, optimize};

/// Makes modules in the binary format.
type Make = fn() -> Vec<Vec<u8>>;

const MODULES: [(&str, Make); 7] = [
    ("expressions", expressions),
    ("comparisons", comparisons),
    ("small functions", small_functions),
    ("memory loops", memory_loops),
    ("examples", examples),
    ("wasm-smith", wasm_smith),
    ("locals and loops", locals_and_loops),
];

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    if let [flag, name] = &args[..]
        && flag == "--measure"
    {
        return measure(name);
    }
    if let [flag, path] = &args[..]
        && flag == "--compile"
    {
        return measure_file(path);
    }
    if let [growth, names @ ..] = &args[..]
        && growth == "growth"
    {
        return families(names);
    }
    println!(
        "{:18} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}",
        "module", "KB", "middle ms", "ms", "cpu ms", "KB/s", "MiB", "experts"
    );
    for (name, _) in MODULES.iter().filter(|(name, _)| args.is_empty() || args.iter().any(|arg| arg == name))
    {
        let this = std::env::current_exe().expect("the benchmark's own path");
        let status = Command::new(this).args(["--measure", name]).status().expect("processes can be started");
        assert!(status.success(), "{name}: {status}");
    }
}

/// Prints how time and memory of each family grow.
fn families(names: &[String]) {
    println!(
        "{:16} {:>7} {:>7} {:>8} {:>6} {:>7} {:>6} {:>7}",
        "family", "size", "KB", "cpu s", "times", "MiB", "times", "bytes/B"
    );
    let this = std::env::current_exe().expect("the benchmark's own path");
    let path = std::env::temp_dir().join(format!("wasm2onnx-growth-{}.wasm", std::process::id()));
    for family in
        grow::FAMILIES.iter().filter(|f| names.is_empty() || names.iter().any(|name| name == f.name))
    {
        let mut before: Option<[f64; 2]> = None;
        for size in [family.large, 2 * family.large] {
            let module = family.module(size);
            std::fs::write(&path, &module).expect("a temporary file");
            let output = Command::new(&this).arg("--compile").arg(&path).output();
            let output = output.expect("processes can be started");
            let text = String::from_utf8_lossy(&output.stdout);
            let row: Vec<f64> = text.split_whitespace().map(|word| word.parse().expect("a number")).collect();
            let [seconds, memory] = row[..] else {
                println!("{:16} {size:7} {}", family.name, String::from_utf8_lossy(&output.stderr).trim());
                continue;
            };
            let times =
                |i: usize, now: f64| before.map_or("".into(), |before| format!("{:.2}", now / before[i]));
            println!(
                "{:16} {size:7} {:7.0} {seconds:8.2} {:>6} {memory:7.0} {:>6} {:7.0}",
                family.name,
                module.len() as f64 / 1e3,
                times(0, seconds),
                times(1, memory),
                memory * 1048576.0 / module.len() as f64,
            );
            before = Some([seconds, memory]);
        }
    }
    let _ = std::fs::remove_file(&path);
}

/// Compiles a module in a file, and prints seconds of processor time and MiB.
fn measure_file(path: &str) {
    let module = std::fs::read(path).expect("made by the process before");
    let start = processor_time();
    match compile(&module, &Options::default()) {
        Ok(_) => println!("{} {}", processor_time() - start, peak_memory()),
        Err(error) => eprintln!("{error}"),
    }
}

/// Compiles modules twice, one after the other, and prints a row of the table.
fn measure(name: &str) {
    let make = MODULES.iter().find(|module| module.0 == name).expect("one of the modules").1;
    let modules = make();
    let options = Options::default();
    let start = Instant::now();
    for bytes in &modules {
        let mut module = frontend::parse(bytes, &options).expect("it is valid");
        legalize::run(&mut module);
        optimize::run(&mut module);
    }
    let middle = start.elapsed().as_secs_f64();
    let (start, first) = (Instant::now(), processor_time());
    let mut experts = 0;
    for bytes in &modules {
        experts += compile(bytes, &options).unwrap_or_else(|error| panic!("{error}")).experts.len();
    }
    let (all, processor) = (start.elapsed().as_secs_f64(), processor_time() - first);
    let kilobytes = modules.iter().map(Vec::len).sum::<usize>() as f64 / 1e3;
    println!(
        "{name:18} {:9.0} {:9.0} {:9.0} {:9.0} {:9.0} {:9.0} {:9}",
        kilobytes,
        middle * 1e3,
        all * 1e3,
        processor * 1e3,
        kilobytes / all,
        peak_memory(),
        experts
    );
}

/// Returns the seconds of processor time of this process, to a hundredth.
fn processor_time() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("a Linux kernel");
    let (_, fields) = stat.rsplit_once(')').expect("the name is in parentheses");
    // utime and stime are fields 14 and 15 of all; the two before `fields` are gone.
    let ticks =
        fields.split_whitespace().skip(11).take(2).map(|field| field.parse::<f64>().expect("a number"));
    ticks.sum::<f64>() / 100.0
}

/// Returns the peak memory of this process, in MiB.
fn peak_memory() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("a Linux kernel");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    line.trim().trim_end_matches(" kB").parse::<f64>().expect("a number") / 1024.0
}

/// Draws an item of a list.
fn one_of<'a>(random: &mut Rng, list: &[&'a str]) -> &'a str {
    list[random.usize(..list.len())]
}

fn binary(wat: &str) -> Vec<Vec<u8>> {
    vec![wat::parse_str(wat).expect("it is valid text")]
}

const PARAMS: u64 = 4;

/// Appends a random expression of about `size` instructions.
fn expression(out: &mut String, random: &mut Rng, ty: &str, ops: &[&str], size: u64) {
    if size <= 1 {
        let bits = random.u64(..31);
        let _ = match random.u64(..4) {
            0 => write!(out, "({ty}.const {}) ", random.u64(..1 << bits)),
            _ => write!(out, "(local.get {}) ", random.u64(..PARAMS)),
        };
        return;
    }
    let op = one_of(random, ops);
    let left = 1 + random.u64(..size - 1);
    let extends = ty == "i64" && (op.starts_with("lt_") || op.starts_with("ge_") || op == "eq");
    let _ = if extends { write!(out, "(i64.extend_i32_u ({ty}.{op} ") } else { write!(out, "({ty}.{op} ") };
    expression(out, random, ty, ops, left);
    expression(out, random, ty, ops, size - left);
    out.push_str(if extends { ")) " } else { ") " });
}

fn functions(ops: &[&str], size: u64, count: u64) -> Vec<Vec<u8>> {
    let mut random = Rng::with_seed(1);
    let mut wat = String::from("(module ");
    for i in 0..count {
        let ty = if i % 4 == 3 { "i64" } else { "i32" };
        let params = vec![ty; PARAMS as usize].join(" ");
        let _ = write!(wat, "(func (export \"f{i}\") (param {params}) (result {ty}) ");
        expression(&mut wat, &mut random, ty, ops, size);
        wat.push_str(")\n");
    }
    binary(&(wat + ")"))
}

/// Returns a module of long expressions of all kinds.
fn expressions() -> Vec<Vec<u8>> {
    let ops =
        ["add", "sub", "add", "sub", "mul", "and", "or", "xor", "shl", "shr_u", "shr_s", "lt_u", "lt_s"];
    functions(&ops, 400, 900)
}

/// Returns a module of sums and differences that are compared: hard for the checker.
fn comparisons() -> Vec<Vec<u8>> {
    functions(&["add", "sub", "add", "sub", "lt_u", "ge_s", "eq", "and"], 60, 5000)
}

/// Returns a module of many small functions that call each other.
fn small_functions() -> Vec<Vec<u8>> {
    let mut random = Rng::with_seed(2);
    let mut wat = String::from("(module (memory 1) ");
    for i in 0..20_000u64 {
        let _ = write!(wat, "(func $f{i} (param i32 i32) (result i32) (local $i i32) ");
        if i >= 10 {
            let _ = write!(
                wat,
                "(loop $l (local.set $i (i32.add (local.get $i) (i32.const 1))) \
                 (i32.store (local.get $i) (call $f{} (local.get 0) (i32.xor (local.get $i) (local.get 1)))) \
                 (br_if $l (i32.lt_u (local.get $i) (local.get 0))))",
                i - 1 - random.u64(..10)
            );
        }
        let _ = writeln!(wat, "(i32.add (local.get $i) (i32.const {i})))");
    }
    wat.push_str(
        "(export \"f\" (func $f19999)) (export \"g\" (func $f19998)) (export \"h\" (func $f19997)))",
    );
    binary(&wat)
}

/// Returns a module of loops over memory with a few nested branches, as programs in C have them.
fn memory_loops() -> Vec<Vec<u8>> {
    let mut random = Rng::with_seed(3);
    let mut wat = String::from("(module (memory 16) ");
    for i in 0..4000 {
        let _ = write!(
            wat,
            "(func (export \"f{i}\") (param i32 i32) (result i32) (local $i i32) (local $s i32) "
        );
        for _ in 0..1 + random.u64(..3) {
            let (a, b, c) = (random.u64(..1000), 4 * random.u64(..1000), random.u64(..255));
            let load = one_of(&mut random, &["load", "load8_u", "load16_s"]);
            let store = one_of(&mut random, &["store", "store8", "store16"]);
            let _ = write!(
                wat,
                "(block $end (loop $l (br_if $end (i32.ge_s (local.get $i) (local.get 1))) \
                 (local.set $s (i32.add (local.get $s) (i32.{load} offset={b} \
                   (i32.add (local.get 0) (i32.shl (local.get $i) (i32.const 2)))))) \
                 (if (i32.lt_u (local.get $s) (i32.const {a})) \
                   (then (i32.{store} offset={b} (i32.add (local.get 0) (local.get $i)) (local.get $s))) \
                   (else (local.set $s (i32.xor (local.get $s) (i32.const {c}))))) \
                 (local.set $i (i32.add (local.get $i) (i32.const 1))) (br $l)))"
            );
        }
        wat.push_str("(local.get $s))\n");
    }
    binary(&(wat + ")"))
}

/// Returns the programs of `examples/`, which are small, each by itself.
fn examples() -> Vec<Vec<u8>> {
    macro_rules! examples {
        ($($name:literal)*) => {
            vec![$(include_bytes!(concat!("../../examples/", $name, "/", $name, ".wasm")).to_vec()),*]
        };
    }
    examples!("hungarian" "interpreter" "quicksort" "recursive" "sha256" "sieve" "sudoku")
}

/// Returns random modules.
fn wasm_smith() -> Vec<Vec<u8>> {
    let mut random = Rng::with_seed(4);
    let module = |seed: u64| {
        let config = wasm_smith::Config {
            allow_floats: false,
            bulk_memory_enabled: false,
            compact_imports_enabled: false,
            exceptions_enabled: false,
            export_everything: true,
            gc_enabled: false,
            max_data_segments: 4,
            max_imports: 0,
            max_instructions: 3000,
            max_funcs: 12,
            min_funcs: 4,
            max_memory32_bytes: 1 << 20,
            max_table_elements: 60,
            memory64_enabled: false,
            memory_max_size_required: true,
            max_memories: 1,
            min_memories: (seed % 2) as u32,
            reference_types_enabled: false,
            relaxed_simd_enabled: false,
            saturating_float_to_int_enabled: false,
            simd_enabled: false,
            tail_call_enabled: false,
            threads_enabled: false,
            wide_arithmetic_enabled: false,
            ..wasm_smith::Config::default()
        };
        let bytes: Vec<u8> = (0..60_000).map(|_| random.u64(..256) as u8).collect();
        let module = wasm_smith::Module::new(config, &mut Unstructured::new(&bytes)).ok()?.to_bytes();
        // Some modules use what is not supported.
        compile(&module, &Options::default()).is_ok().then_some(module)
    };
    (0..150).filter_map(module).collect()
}

/// Returns a module of one function: 2,000 locals that live over 3,000 loops.
fn locals_and_loops() -> Vec<Vec<u8>> {
    let mut wat = String::from("(module (func (export \"f\") (param i32) (result i32) (local ");
    wat.push_str(&"i32 ".repeat(2000));
    wat.push_str(") ");
    for i in 0..3000 {
        let (a, b) = (1 + i % 2000, 1 + (i * 7 + 3) % 2000);
        let _ = write!(
            wat,
            "(loop $l (local.set {a} (i32.add (local.get {a}) (local.get {b}))) \
             (br_if $l (i32.lt_u (local.get {a}) (local.get 0))))"
        );
    }
    for i in 0..2000 {
        let _ = write!(wat, "(local.get {}) ", i + 1);
    }
    wat.push_str(&"i32.add ".repeat(1999));
    binary(&(wat + "))"))
}
