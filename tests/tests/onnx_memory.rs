//! Memory in ONNX Runtime: what is not touched costs nothing, and what is touched works.

use std::process::Stdio;

use wasm2onnx::{Attention, ExportOptions, Form, least_memory};
use wasm2onnx_compiler::{Certified, Options, compile};
use wasm2onnx_runtime::{Config, Instance, Network, Value};
use wasm2onnx_tests::onnx_runtime::{Level, LoopModel, model, python};
use wasm2onnx_tests::ours::outcome;
use wasm2onnx_tests::rng;

/// Maximum number of megabytes that a run may take in addition to what it takes with one page of memory.
const LEAST_PAGES_AND: f64 = 50.0;

/// A script that loads a model in a fresh process, runs it once, and prints its results and the peak of
/// memory in megabytes. (`ru_maxrss` would include the memory of the parent process.)
const RUN_ONCE: &str = "
import re, sys, numpy, onnxruntime, resource
def peak():
    try:
        return int(re.search(r'VmHWM:\\s*(\\d+) kB', open('/proc/self/status').read())[1]) * 1024
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
options = onnxruntime.SessionOptions()
options.intra_op_num_threads, options.log_severity_level = 1, 4
session = onnxruntime.InferenceSession(sys.argv[1], options)
feeds = {i.name: numpy.array([int(sys.argv[2])], 'int32') if i.name != 'stdin' else
    numpy.frombuffer(sys.argv[3].encode(), 'uint8') for i in session.get_inputs()}
out = dict(zip((o.name for o in session.get_outputs()), session.run(None, feeds)))
print(out['result0'][0], out['trap'][0], len(out.get('stdout', [])), bytes(out.get('stdout', [])).hex())
print(peak() / 1e6)
";

/// Calls `f` in a fresh process. Returns its results and the peak of memory in megabytes.
fn in_a_process(network: &Certified, argument: i32, stdin: &str) -> (String, f64) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("model.onnx");
    std::fs::write(&path, model(network, "f", Form::Loop, Attention::Indexed)).expect("a file");
    let arguments = [path.to_str().expect("letters"), &argument.to_string(), stdin];
    let output = python()
        .args(["-c", RUN_ONCE])
        .args(arguments)
        .stderr(Stdio::piped())
        .output()
        .expect("WASM2ONNX_PYTHON names a Python");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (results, peak) = text.trim_end().split_once('\n').expect("two lines");
    (results.to_owned(), peak.trim().parse().expect("megabytes"))
}

fn network(wat: &str, options: Options) -> Certified {
    let wasm = wat::parse_str(wat).expect("a module");
    compile(&wasm, &Options { exports: Some(vec!["f".to_owned()]), ..options })
        .unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn memory_that_is_not_touched_costs_nothing() {
    let touch = |pages: u32| {
        let wat = format!(
            r#"(memory {pages}) (func (export "f") (param i32) (result i32)
                (i32.store8 (local.get 0) (i32.const 7)) (i32.load8_u (local.get 0)))"#
        );
        network(&wat, Options { max_memory_pages: Some(pages), ..Options::default() })
    };
    let (results, one) = in_a_process(&touch(1), 65_000, "");
    assert_eq!(results, "7 0 0 ");
    for (pages, at) in
        [(256, 65_000), (1_024, 65_000), (1_024, 67_108_863), (4_096, 65_000), (65_536, 65_000), (65_536, -1)]
    {
        let (results, peak) = in_a_process(&touch(pages), at, "");
        println!("{pages} pages, byte {at}: {peak:.0} MB, with one page {one:.0}");
        assert_eq!(results, "7 0 0 ");
        assert!(peak < one + LEAST_PAGES_AND, "{pages} pages, byte {at}: {peak} MB");
    }
}

/// The memory that is predicted before a model is made is between two bounds, in megabytes.
#[test]
fn the_least_memory_of_a_run_is_known_beforehand() {
    let f = r#"(func (export "f") (param i32) (result i32) (i32.store8 (local.get 0) (i32.const 7)) (i32.load8_u (local.get 0)))"#;
    let with_rows = (0..64).map(|i| format!(r#"(data (i32.const {}) "x")"#, i << 20)).collect::<String>();
    let cases = [
        (1, "", Form::Loop, Attention::Indexed, 0, 2),
        (1_024, "", Form::Loop, Attention::Indexed, 0, 4),
        (65_536, "", Form::Loop, Attention::Indexed, 1, 10),
        // What memory begins with counts by its bytes, wherever they are.
        (1_024, with_rows.as_str(), Form::Loop, Attention::Indexed, 0, 4),
        (1_024, "", Form::Loop, Attention::Dense, 0, 2),
        // A cell of eight bytes for each byte.
        (1, "", Form::Step, Attention::Indexed, 0, 2),
        (1_024, "", Form::Step, Attention::Indexed, 536, 540),
        (65_536, "", Form::Step, Attention::Indexed, 34_359, 34_400),
    ];
    for (pages, data, form, attention, least, most) in cases {
        let network = network(&format!("(memory {pages}) {data} {f}"), Options::default());
        let options = ExportOptions { entry: "f".to_owned(), form, attention, ..ExportOptions::default() };
        let megabytes = least_memory(&network, &options).expect("it can be written") / 1_000_000;
        assert!(
            (least..=most).contains(&megabytes),
            "{pages} pages, {form:?}, {attention:?}: {megabytes} MB"
        );
    }
}

/// A data segment costs twice its size when the model is loaded.
#[test]
fn what_is_said_of_data_is_what_it_takes() {
    // So many bytes that it does not matter how much the allocator keeps, which varies by some 20 MB from run
    // to run.
    const BYTES: usize = 16 << 20;
    let f = r#"(func (export "f") (param i32) (result i32) (i32.load8_u (local.get 0)))"#;
    let with = |data: &str| {
        network(&format!(r#"(memory 257) (data (i32.const 0) "{data}") {f}"#), Options::default())
    };
    let options = ExportOptions { entry: "f".to_owned(), ..ExportOptions::default() };
    let [(said, found), (said_without, found_without)] = [BYTES, 0].map(|bytes| {
        let network = with(&"\\07".repeat(bytes));
        let (results, peak) = in_a_process(&network, 77, "");
        assert_eq!(results, format!("{} 0 0 ", if bytes > 0 { 7 } else { 0 }));
        let said = least_memory(&network, &options).expect("it can be written");
        (said as f64 / 1e6, peak)
    });
    let (said, found) = (said - said_without, found - found_without);
    println!("said {said:.0} MB, found {found:.0}");
    assert!(said > 30.0 && (0.7..2.0).contains(&(found / said)), "{said} MB, and {found}");
}

/// Streams cost only what is read and printed, even if they may hold as many bytes as in the command.
#[test]
fn streams_cost_what_is_read_and_printed() {
    let echo = |bytes: u64| {
        let wat = r#"(import "env" "input_byte" (func $in (result i32))) (import "env" "output_byte" (func $out (param i32)))
            (func (export "f") (param $n i32) (result i32) (local $byte i32)
                (loop $next
                    (local.set $byte (call $in))
                    (if (i32.ge_s (local.get $byte) (i32.const 0)) (then (call $out (local.get $byte)) (br $next))))
                (local.get $byte))"#;
        network(wat, Options { stdin_bytes: 4 * bytes, stdout_bytes: bytes, ..Options::default() })
    };
    let (results, small) = in_a_process(&echo(1 << 10), 0, "abc");
    assert_eq!(results, "-1 0 3 616263");
    let (results, large) = in_a_process(&echo(1 << 28), 0, "abc");
    println!("room for 2^28 bytes: {large:.0} MB, for 2^10 {small:.0}");
    assert_eq!(results, "-1 0 3 616263");
    assert!(large < small + LEAST_PAGES_AND);
}

/// Checks that a call in ONNX Runtime gives what the sparse executor gives, in as many steps.
fn compare(network: &Network, model: &mut LoopModel, args: &[Value], stdin: &[u8], what: &str) {
    let config = Config { stdin: stdin.to_vec(), ..Config::default() };
    let mut instance = Instance::with_config(network, config).expect("it is created");
    let expected = outcome(instance.invoke("f", args));
    let (ended, stdout) = model.run(args, stdin, None);
    assert_eq!((ended.outcome(), ended.steps), (expected, instance.steps()), "{what}{args:?}");
    assert!(stdout == instance.stdout(), "{what}{args:?}: other bytes are printed");
}

/// Compares calls of `f`.
fn compare_all(what: &str, wat: &str, options: Options, calls: &[Vec<Value>]) {
    let network = network(wat, options);
    let mut model = LoopModel::load(&model(&network, "f", Form::Loop, Attention::Indexed), Level::All);
    for args in calls {
        compare(&network, &mut model, args, b"", what);
    }
}

#[test]
fn memory_that_is_touched_works() {
    use Value::I32;
    // Writes at addresses a constant step apart, then reads them again, in the same order.
    let stride = r#"(func (export "f") (param $step i32) (param $count i32) (result i32) (local $i i32) (local $at i32) (local $sum i32)
        (loop $write
            (i32.store (local.get $at) (i32.add (local.get $i) (i32.const 3)))
            (local.set $at (i32.add (local.get $at) (local.get $step)))
            (br_if $write (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $count))))
        (local.set $at (i32.const 0))
        (loop $read
            (local.set $sum (i32.add (i32.mul (local.get $sum) (i32.const 31)) (i32.load (local.get $at))))
            (local.set $at (i32.add (local.get $at) (local.get $step)))
            (br_if $read (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
        (local.get $sum))"#;
    let call = |step: i64, count: i32| vec![I32(step as i32), I32(count)];
    for pages in [64, 1_024, 65_536] {
        // Each of 64 pages; four bytes that lie in two pages or two chunks of the window; far apart.
        let mut calls =
            vec![call(65_536, 64), call(16_384, 256), call(127, 300), call(1_021, 200), call(8_191, 100)];
        if pages == 65_536 {
            calls.extend([call(1 << 26, 64), call((1 << 20) - 2, 300), call(-4, 2)]);
        }
        let wat = format!("(memory {pages}) {stride}");
        compare_all(&format!("{pages} pages"), &wat, Options::default(), &calls);
    }
}

#[test]
fn ends_of_memory_segments_and_growth() {
    use Value::I32;
    let at = |addresses: &[i64]| addresses.iter().map(|at| vec![I32(*at as i32)]).collect::<Vec<_>>();
    // Reads before it writes: first rows, zeros, and beyond the end.
    let poke = r#"(func (export "f") (param i32) (result i32)
        (i32.load (local.get 0)) (i32.store16 (local.get 0) (i32.const 0x1234)) (i32.add (i32.load (local.get 0))))"#;
    for pages in [2i64, 64, 1_024, 65_536] {
        let end = pages << 16;
        let calls = at(&[0, end - 1, end - 2, end - 4, end - 3, end - 65_537, end / 2, end / 2 - 2, -1, -4]);
        compare_all(
            &format!("{pages} pages"),
            &format!("(memory {pages}) {poke}"),
            Options::default(),
            &calls,
        );
    }
    let segments = format!(
        r#"(memory 65536) (data (i32.const 0) "first") (data (i32.const 0x00ffffff) "two chunks?")
        (data (i32.const 0x7ffffffe) "middle") (data (i32.const 0xfffffffb) "\01\02\03\04\05") {poke}"#
    );
    let calls = at(&[
        0,
        2,
        0x00ff_fffe,
        0x0100_0000,
        0x7fff_fffc,
        0x8000_0000,
        0x8000_0002,
        -5,
        -4,
        -6,
        -8,
        0x1234_5678,
    ]);
    compare_all("segments", &segments, Options::default(), &calls);
    let grow = r#"(memory 1 60000) (func (export "f") (param i32) (result i32)
        (drop (memory.grow (local.get 0)))
        (i32.store (i32.sub (i32.shl (memory.size) (i32.const 16)) (i32.const 4)) (i32.const 0x01020304))
        (i32.add (i32.load8_u (i32.sub (i32.shl (memory.size) (i32.const 16)) (i32.const 2))) (memory.size)))"#;
    let options = Options { max_memory_pages: Some(60_000), ..Options::default() };
    compare_all("grow", grow, options, &at(&[0, 1, 15, 1_000, 59_998, 59_999, 60_000, -1]));
}

#[test]
fn standard_input_comes_as_it_is_touched() {
    let wat = r#"(import "env" "input_byte" (func $in (result i32))) (import "env" "output_byte" (func $out (param i32)))
        (memory 3)
        (func (export "f") (param $from i32) (result i32) (local $byte i32) (local $n i32)
            (loop $next
                (local.set $byte (call $in))
                (if (i32.ge_s (local.get $byte) (i32.const 0)) (then
                    (local.set $n (i32.add (local.get $n) (i32.const 1)))
                    (i32.store8 (i32.add (local.get $from) (local.get $n)) (local.get $byte))
                    (call $out (i32.sub (i32.const 255) (local.get $byte)))
                    (br $next))))
            (i32.add (local.get $n) (i32.load8_u (i32.add (local.get $from) (i32.shr_u (local.get $n) (i32.const 1))))))"#;
    for (stdin_bytes, stdout_bytes) in [(1 << 30, 1 << 28), (5_000, 3_000)] {
        let network = network(wat, Options { stdin_bytes, stdout_bytes, ..Options::default() });
        let mut model = LoopModel::load(&model(&network, "f", Form::Loop, Attention::Indexed), Level::All);
        let mut rng = rng(11);
        // A chunk has at least 1,024 cells; whatever the key of the first byte is, these lengths end all over
        // a chunk.
        for length in [0, 1, 2, 127, 128, 129, 500, 1_000, 1_023, 1_024, 1_025, 1_500, 2_047, 3_000, 4_999] {
            let stdin: Vec<u8> = (0..length).map(|_| rng.u8(..)).collect();
            compare(&network, &mut model, &[Value::I32(70_000)], &stdin, &format!("{length} bytes"));
        }
    }
}

/// A page of a chunk holds what it begins with, whatever else is in the same chunk: numbers beyond the last
/// page of bytes, given numbers behind it, and the input directly behind bytes.
#[test]
fn chunks_begin_with_all_that_is_in_them() {
    use Value::I32;
    let read = r#"(import "env" "input_byte" (func $in (result i32)))"#;
    // The last byte of memory and the first of the input are neighbours, at another place for each number of
    // globals.
    let add = r#"(func $add (param i32) (result i32) (i32.add (i32.mul (local.get 0) (i32.const 257)) (call $in)))"#;
    for globals in [0, 1, 31, 62, 63, 64, 65] {
        let globals: String =
            (0..globals).map(|i| format!(r#"(global (export "g{i}") (mut i32) (i32.const {i}))"#)).collect();
        let wat = format!(
            r#"{read} (memory 1 1) {globals} (data (i32.const 65500) "the end of memory, or nearly so.....") {add}
            (func (export "f") (param i32) (result i32) (i32.add
                (call $add (call $add (call $in)))
                (i32.load (local.get 0))))"#
        );
        let options = Options { stdin_bytes: 1 << 12, ..Options::default() };
        let network = network(&wat, options);
        let mut model = LoopModel::load(&model(&network, "f", Form::Loop, Attention::Indexed), Level::All);
        for at in [65_532, 65_500, 0] {
            compare(&network, &mut model, &[I32(at)], b"next", "input behind memory");
        }
    }
    // So many globals that they fill some chunks; what is given is behind them.
    let each = |text: &dyn Fn(i32) -> String| (0..9_000).map(text).collect::<String>();
    let globals = each(&|i| format!("(global (mut i32) (i32.const {}))", i % 1_000));
    let set = each(&|i| format!("(global.set {i} (local.get 0))"));
    let sum = each(&|i| format!("(i32.add (global.get {i}))"));
    let wat = format!(
        r#"{read} {globals} (func (export "f") (param i32) (result i32)
            (if (local.get 0) (then {set})) (call $in) {sum})"#
    );
    let network = network(&wat, Options { stdin_bytes: 1 << 12, ..Options::default() });
    let mut model = LoopModel::load(&model(&network, "f", Form::Loop, Attention::Indexed), Level::All);
    for argument in [0, 7] {
        compare(&network, &mut model, &[I32(argument)], b"x", "many globals");
    }
    // Numbers far behind the last byte.
    let table = r#"(table 30000 funcref) (type $t (func (result i32))) (elem (i32.const 29998) $one $two)
        (func $one (result i32) (i32.const 1)) (func $two (result i32) (i32.const 2))
        (func (export "f") (param i32) (result i32) (call_indirect (type $t) (local.get 0)))"#;
    let calls: Vec<_> = [29_998, 29_999, 0, 29_997, 30_000].map(|i| vec![I32(i)]).into();
    compare_all("a table", table, Options::default(), &calls);
}
