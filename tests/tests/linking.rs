//! Random programs of several modules, which share memories, tables, globals and functions, against wasmtime.
//!
//! A script of the official suite creates its modules one after the other; here all are created at once, so that segments of
//! later modules are folded into what a program begins with, or copied behind the start functions of earlier ones.
//! `WASM2ONNX_SEEDS` is a number of programs, or a range such as `0..20000`.

use std::fmt::Write;
use std::sync::Mutex;

use fastrand::Rng;
use wasm2onnx_compiler::options::Preload;
use wasm2onnx_compiler::{Options, compile};
use wasm2onnx_runtime::{Instance, TrapCode, Value};
use wasm2onnx_tests::agree::{Effect, guarded};
use wasm2onnx_tests::oracle::{Stop, Wasmtime};
use wasm2onnx_tests::ours::{Way, outcome};
use wasm2onnx_tests::{each_in_parallel, save_failure};

/// Number of bytes that programs use of a memory, and entries of a table.
const BYTES: u32 = 64;
const ENTRIES: u32 = 6;

/// The modules of a program, the main one last. Module i is called `mi`; each exports all that it has.
fn program(random: &mut Rng) -> Vec<String> {
    let count = random.usize(2..=4);
    (0..count).map(|i| module(random, i)).collect()
}

fn module(random: &mut Rng, index: usize) -> String {
    let mut text = String::from("(module\n");
    let mut line = |what: String| writeln!(text, "  {what}").expect("strings can be written");
    let earlier = |random: &mut Rng| random.usize(..index.max(1));
    let imports = |random: &mut Rng| index > 0 && random.u8(..3) > 0;
    line("(type $t (func (param i32) (result i32)))".into());
    // Every call costs some of what the first module has, so that none is endless.
    let (memory, table) = (imports(random), imports(random));
    let mut callable = Vec::new();
    if index > 0 {
        line(r#"(import "m0" "fuel" (global $fuel (mut i32)))"#.into());
        for name in ["f0", "f1"] {
            if random.bool() {
                line(format!(r#"(import "m{}" "{name}" (func ${name}.of (type $t)))"#, earlier(random)));
                callable.push(format!("${name}.of"));
            }
        }
        line(format!(r#"(import "m{}" "c" (global $base i32))"#, earlier(random)));
    }
    if memory {
        line(format!(r#"(import "m{}" "mem" (memory {}))"#, earlier(random), random.u8(..=1)));
    }
    if table {
        line(format!(r#"(import "m{}" "tab" (table {} funcref))"#, earlier(random), random.u32(..=ENTRIES)));
    }
    let global = imports(random);
    if global {
        line(format!(r#"(import "m{}" "g" (global $g (mut i32)))"#, earlier(random)));
    }
    if !memory {
        line(format!("(memory 1 {})", random.u8(1..4)));
    }
    if !table {
        line(format!("(table {ENTRIES} {} funcref)", ENTRIES + random.u32(..4)));
    }
    if index == 0 {
        line(r#"(global $fuel (export "fuel") (mut i32) (i32.const 300))"#.into());
        line(format!("(global $base i32 (i32.const {}))", random.u32(..4)));
    }
    if !global {
        line(format!("(global $g (mut i32) (i32.const {}))", random.u8(..)));
    }
    line(format!(r#"(global (export "c") i32 (i32.const {}))"#, random.u32(..8)));
    line(r#"(export "mem" (memory 0)) (export "tab" (table 0)) (export "g" (global $g))"#.into());
    // Now and then, a segment does not fit.
    let offset = |random: &mut Rng, end: u32| match random.u8(..40) {
        0 => format!("(i32.const {})", end + 1),
        1..10 if index > 0 => "(global.get $base)".to_owned(),
        _ => format!("(i32.const {})", random.u32(..end)),
    };
    for _ in 0..random.u8(..3) {
        let bytes: String = (0..random.u8(..9)).map(|_| format!("\\{:02x}", random.u8(..))).collect();
        let end = if random.u8(..30) == 0 { 3 * 65_536 } else { BYTES };
        line(format!("(data {} \"{bytes}\")", offset(random, end)));
    }
    line("(data $passive \"\\01\\02\\03\\04\\05\\06\\07\")".into());
    for _ in 0..random.u8(..3) {
        let end = ENTRIES - 1;
        let functions = (0..=random.u8(..2)).map(|_| ["$f0 ", "$f1 "][random.usize(..2)]).collect::<String>();
        line(format!("(elem {} {functions})", offset(random, end)));
    }
    line("(elem $passive_elements func $f1 $f0 $f1)".into());
    for (i, name) in ["f0", "f1"].into_iter().enumerate() {
        if i == 1 {
            callable.push("$f0".into());
        }
        let statements: String = (0..random.u8(1..7)).map(|_| statement(random, &callable)).collect();
        line(format!(
            "(func ${name} (export \"{name}\") (type $t)
    (global.set $fuel (i32.sub (global.get $fuel) (i32.const 1)))
    (if (i32.lt_s (global.get $fuel) (i32.const 0)) (then unreachable))
{statements}    (i32.add (local.get 0) (global.get $g)))"
        ));
    }
    if random.bool() {
        let body = statement(random, &callable);
        line(format!("(func $start (local i32)\n{body})\n  (start $start)"));
    }
    text + ")\n"
}

/// A statement that may use the local variable 0.
fn statement(random: &mut Rng, callable: &[String]) -> String {
    let address = |random: &mut Rng| match random.u8(..30) {
        0 => "(i32.const 65530)".to_owned(),
        1..12 => format!("(i32.and (local.get 0) (i32.const {}))", BYTES - 1),
        _ => format!("(i32.const {})", random.u32(..BYTES)),
    };
    let entry = |random: &mut Rng| match random.u8(..3) {
        0 => "(i32.and (local.get 0) (i32.const 7))".to_owned(),
        _ => format!("(i32.const {})", random.u32(..ENTRIES)),
    };
    let (at, other) = (address(random), address(random));
    let call = match callable.len() {
        0 => "(local.get 0)".to_owned(),
        count => format!("(call {} (i32.load8_u {at}))", callable[random.usize(..count)]),
    };
    let statement = match random.u8(..14) {
        0 => format!("(i32.store {at} (i32.add (i32.load {other}) (local.get 0)))"),
        1 => format!("(i64.store {at} (i64.const {}))", random.i64(..)),
        2 => format!("(local.set 0 (i32.xor (local.get 0) (i32.load16_s {at})))"),
        3 => "(global.set $g (i32.add (global.get $g) (local.get 0)))".into(),
        4 | 5 => format!("(local.set 0 {call})"),
        6 | 7 => {
            format!("(local.set 0 (call_indirect (type $t) (i32.const {}) {}))", random.u8(..), entry(random))
        }
        8 => format!("(memory.init $passive {at} (i32.const {}) (i32.const 3))", random.u8(..6)),
        9 => format!(
            "(table.init $passive_elements {} (i32.const {}) (i32.const 2))",
            entry(random),
            random.u8(..3)
        ),
        10 => format!("(table.set {} (ref.func ${}))", entry(random), ["f0", "f1"][random.usize(..2)]),
        11 => "(local.set 0 (i32.add (memory.grow (i32.const 1)) (memory.size)))".into(),
        12 => format!("(memory.copy {at} {other} (i32.const {}))", random.u8(..20)),
        _ => match random.u8(..3) {
            0 => "(data.drop $passive)".into(),
            1 => "(elem.drop $passive_elements)".into(),
            _ => "(local.set 0 (table.size))".into(),
        },
    };
    format!("    {statement}\n")
}

/// wasmtime has one code for two traps, and does not tell here which instruction trapped.
fn code(stop: Stop) -> Stop {
    match stop {
        Stop::Trap(TrapCode::UndefinedElement) => Stop::Trap(TrapCode::TableOutOfBounds),
        stop => stop,
    }
}

fn one_code(effect: Effect) -> Effect {
    Effect { outcome: effect.outcome.clone().map_err(code), ..effect }
}

/// Compares instance creation and calls of the main module. Returns the number of calls that returned, and whether creation
/// succeeded.
fn check(seed: u64) -> Result<(u32, bool), String> {
    let mut random = Rng::with_seed(seed);
    let modules = program(&mut random);
    let binaries: Vec<Vec<u8>> = modules
        .iter()
        .map(|text| wat::parse_str(text).unwrap_or_else(|error| panic!("{error}\n{text}")))
        .collect();
    let names: Vec<String> = (0..modules.len()).map(|i| format!("m{i}")).collect();
    let (main, preloads) = binaries.split_last().expect("there are some");
    let failed = |what: String| {
        let all = modules.join("\n");
        format!("{what}; modules: {}", save_failure(&format!("linking-{seed}.wat"), all.as_bytes()))
    };
    let options = Options {
        preloads: names
            .iter()
            .zip(preloads)
            .map(|(name, module)| Preload { name: name.clone(), module: module.clone() })
            .collect(),
        ..Options::default()
    };
    let mut theirs = Wasmtime::linked(&names, &binaries);
    // What cannot be linked, cannot be linked here either; but how large a memory has become is known only at run time.
    let network = match (compile(main, &options), &theirs) {
        (Ok(network), _) => network,
        (Err(_), Err(None)) => return Ok((0, false)),
        (Err(error), _) => return Err(failed(error.to_string())),
    };
    let mut returned = 0;
    for way in Way::SPARSE {
        let mut instance = Instance::prepared(&network, way.config(1 << 24)).expect("there is room");
        let created = instance.create();
        let theirs = match (&mut theirs, created) {
            (Ok(theirs), Ok(())) => theirs,
            (Err(Some(stop)), Err(error))
                if Err(code(*stop)) == outcome(Err(error.clone())).map_err(code) =>
            {
                continue;
            }
            // Not linked there, as a memory or a table is too small; here, creation traps.
            (Err(None), Err(_)) => continue,
            (theirs, created) => {
                let theirs = theirs.as_ref().err();
                return Err(failed(format!("creation ends with {created:?}, and should with {theirs:?}")));
            }
        };
        if way != Way::SPARSE[0] {
            // The instance of wasmtime has already made its calls.
            *theirs = Wasmtime::linked(&names, &binaries).expect("it could be made before");
        }
        Effect::of_creation(&mut instance).compare(&Effect::of_creation(theirs)).map_err(failed)?;
        for call in 0..6 {
            let (name, argument) = (["f0", "f1"][call % 2], Value::I32(random.i32(-3..200)));
            let expected = one_code(Effect::of(theirs, name, &[argument]));
            let found = one_code(Effect::of(&mut instance, name, &[argument]));
            found.compare(&expected).map_err(|what| failed(format!("{name}({argument:?}): {what}")))?;
            returned += u32::from(expected.outcome.is_ok());
        }
    }
    Ok((returned, returned > 0))
}

#[test]
fn linked_modules_do_what_they_do_in_wasmtime() {
    let seeds = wasm2onnx_tests::seeds(300);
    let count = seeds.end - seeds.start;
    let sums = Mutex::new((0, 0, Vec::new()));
    each_in_parallel(seeds, |seed| {
        let checked = guarded(|| check(seed));
        let mut sums = sums.lock().expect("no test panics holding it");
        match checked {
            Ok((returned, ran)) => (sums.0, sums.1) = (sums.0 + returned, sums.1 + u64::from(ran)),
            Err(what) => sums.2.push(format!("seed {seed}: {what}")),
        }
    });
    let (returned, ran, failures) = sums.into_inner().expect("no test panicked holding it");
    println!("{count} programs, of which {ran} run; {returned} calls returned");
    assert!(failures.is_empty(), "{} failures, the first: {}", failures.len(), failures[0]);
    assert!(3 * ran > count, "too few programs run");
}
