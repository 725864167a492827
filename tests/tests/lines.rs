//! The lines of source text that traps and limits name: ours against wasmtime, which reads the same debug information.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use fastrand::Rng;
use wasm2onnx_compiler::{Options, Preload, compile};
use wasm2onnx_runtime::{Config, Error, Executor, Instance, Network, Place, Value};
use wasm2onnx_tests::in_parallel;
use wasm2onnx_tests::values::random_bits;
use wasmtime::{Val, WasmBacktrace, WasmBacktraceDetails};

/// Number of random modules.
const MODULES: u64 = 200;
/// Fuel of a call for wasmtime, and steps for us: enough for most calls that trap.
const FUEL: u64 = 100_000;

/// Where the innermost function of a trap was: offset, file and line.
type Site = (usize, Option<(String, u32)>);

/// Returns where a call traps in wasmtime; `None` if it does not, or if its stack or fuel is exhausted.
fn expected(module: &wasmtime::Module, name: &str, args: &[Value]) -> Option<Site> {
    let mut store = wasmtime::Store::new(module.engine(), ());
    store.set_fuel(FUEL).expect("fuel is on");
    let instance = wasmtime::Instance::new(&mut store, module, &[]).expect("it imports nothing");
    let function = instance.get_func(&mut store, name).expect("the function is exported");
    let Some(args) = args
        .iter()
        .map(|arg| if let Value::I32(x) = *arg { Some(Val::I32(x)) } else { None })
        .collect::<Option<Vec<_>>>()
    else {
        panic!("the modules have words only")
    };
    let mut results = vec![Val::I32(0); function.ty(&store).results().len()];
    let error = function.call(&mut store, &args, &mut results).err()?;
    match error.downcast_ref::<wasmtime::Trap>() {
        Some(wasmtime::Trap::StackOverflow | wasmtime::Trap::OutOfFuel) | None => return None,
        Some(_) => {}
    }
    let backtrace = error.downcast_ref::<WasmBacktrace>().expect("a trap has a backtrace");
    let frame = &backtrace.frames()[0];
    let line = frame.symbols().first().and_then(|symbol| Some((symbol.file()?.to_owned(), symbol.line()?)));
    Some((frame.module_offset()?, line))
}

/// Returns where a call traps.
fn found(network: &Network, name: &str, args: &[Value]) -> Option<Place> {
    let config = Config { max_steps: Some(FUEL), ..Config::default() };
    match Instance::with_config(network, config).expect("it can be created").invoke(name, args) {
        Err(Error::Trap(trap)) => Some(trap.place),
        _ => None,
    }
}

fn engine() -> wasmtime::Engine {
    let mut config = wasmtime::Config::new();
    config.consume_fuel(true).wasm_backtrace_details(WasmBacktraceDetails::Enable);
    wasmtime::Engine::new(&config).expect("a supported configuration")
}

/// Returns a module with debug information, whose source is its text.
fn with_lines(text: &str) -> Vec<u8> {
    let mut parser = wat::Parser::new();
    parser.generate_dwarf(wat::GenerateDwarf::Lines);
    parser.parse_str(Some(Path::new("module.wat")), text).expect("a valid text")
}

/// Compares the place of a trap, if there is one in both. Returns whether a line was compared.
fn compare(place: &Place, (offset, line): &Site, what: &str) -> bool {
    assert_eq!(place.offset as usize, *offset, "{what}: {place} and {line:?}");
    let Some((file, number)) = line else {
        assert_eq!(place.line, None, "{what}");
        return false;
    };
    let found = place.line.as_ref().unwrap_or_else(|| panic!("{what}: {place}, and not {file}:{number}"));
    assert_eq!(found.line, *number, "{what}: {place} and {file}");
    assert!(file.ends_with(found.file.trim_start_matches("./")), "{what}: {} and {file}", found.file);
    true
}

/// Returns an expression that may trap, each instruction on a line of its own. It may call the first `functions` functions.
fn expression(rng: &mut Rng, depth: u32, functions: usize) -> String {
    if depth == 0 {
        return match rng.u8(..3) {
            0 => format!("\n(i32.const {})", rng.i32(-3..4)),
            _ => format!("\n(local.get {})", rng.u8(..2)),
        };
    }
    let kind = rng.u8(..9);
    let mut operand = || expression(rng, depth - 1, functions);
    let [a, b, c] = [operand(), operand(), operand()];
    match kind {
        0 => format!("\n(i32.add{a}{b})"),
        1 => format!("\n(i32.div_s{a}{b})"),
        2 => format!("\n(i32.rem_u{a}{b})"),
        // Not a load: wasmtime may execute one where its value is used, and names that place.
        3 => format!("\n(block (result i32)\n(i32.store offset={}{a}{b}){c})", rng.u32(..65_600)),
        4 => format!("\n(if (result i32){a}\n(then{b})\n(else{c}))"),
        5 => format!("\n(i32.trunc_f64_u\n(f64.convert_i32_s{a}))"),
        6 => format!("\n(if (result i32){a}\n(then\nunreachable)\n(else{c}))"),
        7 if functions > 0 => format!("\n(call {}{a}{b})", rng.usize(..functions)),
        7 => format!("\n(i32.mul{a}{b})"),
        _ => format!("\n(call_indirect (param i32 i32) (result i32){a}{b}{c})"),
    }
}

/// Returns a module whose functions trap.
fn module(rng: &mut Rng) -> String {
    let mut text = "(module (memory 1) (table 4 funcref) (elem (i32.const 1) 0 1)".to_owned();
    for index in 0..5 {
        let [depth, other] = [rng.u32(1..5), rng.u32(1..3)];
        let (first, second) = (expression(rng, depth, index), expression(rng, other, index));
        text += &format!("\n(func (export \"f{index}\") (param i32 i32) (result i32)");
        text += &format!("\n(i32.store{first}{second})\n(local.get 0))");
    }
    text + ")"
}

#[test]
fn lines_of_random_traps_are_those_of_wasmtime() {
    let engine = engine();
    let [traps, lines] = [AtomicUsize::new(0), AtomicUsize::new(0)];
    in_parallel(MODULES, |seed| {
        let mut rng = Rng::with_seed(seed);
        let text = module(&mut rng);
        let wasm = with_lines(&text);
        let module = wasmtime::Module::new(&engine, &wasm).expect("a valid module");
        let network = compile(&wasm, &Options::default()).expect("a supported module");
        for name in network.entries.keys() {
            for _ in 0..8 {
                let args = [(); 2].map(|()| Value::I32(random_bits(&mut rng) as i32));
                let expected = expected(&module, name, &args);
                let found = found(&network, name, &args);
                if let (Some(expected), Some(found)) = (expected, found) {
                    traps.fetch_add(1, Ordering::Relaxed);
                    let line = compare(&found, &expected, &format!("seed {seed}, {name}{args:?}\n{text}"));
                    lines.fetch_add(line.into(), Ordering::Relaxed);
                }
            }
        }
    });
    println!("{traps:?} traps, {lines:?} with a line");
    assert!(lines.into_inner() >= 2_000, "too few traps");
}

fn read(file: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("lines").join(file);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The modules of [`trap.c`](../lines/trap.c).
const MODULES_OF_C: [&str; 2] = ["dwarf4.wasm", "dwarf5.wasm"];

#[test]
fn lines_of_a_module_in_c() {
    let engine = engine();
    for file in MODULES_OF_C {
        let wasm = read(file);
        let module = wasmtime::Module::new(&engine, &wasm).unwrap();
        let network = compile(&wasm, &Options::default()).unwrap();
        for (name, args, shown) in [
            ("divide", vec![Value::I32(3), Value::I32(0)], "./inner.h:4"),
            ("far", vec![Value::I32(3)], "trap.c:25"),
        ] {
            let expected = expected(&module, name, &args).expect("a trap");
            for executor in [Executor::Sparse, Executor::Dense] {
                let config = Config { executor, ..Config::default() };
                let error = Instance::with_config(&network, config).unwrap().invoke(name, &args).unwrap_err();
                let Error::Trap(trap) = &error else { panic!("{error}") };
                assert!(compare(&trap.place, &expected, file), "{file}");
                assert!(error.to_string().ends_with(&format!(", {shown})")), "{file}: {error}");
            }
        }
    }
}

#[test]
fn a_step_limit_names_the_line() {
    for file in MODULES_OF_C {
        let network = compile(&read(file), &Options::default()).unwrap();
        for max_steps in 2_000..2_020 {
            let config = Config { max_steps: Some(max_steps), ..Config::default() };
            let error = Instance::with_config(&network, config).unwrap().invoke("spin", &[Value::I32(4)]);
            let error = error.unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("step limit of {max_steps} reached (in function `spin`, at "))
            );
            let line = error.rsplit_once(':').unwrap().1;
            assert!(["19)", "20)"].contains(&line) && error.contains(", trap.c:"), "{file}: {error}");
        }
    }
}

/// What is not known is not shown: neither the last line before it nor that of another module.
#[test]
fn each_module_has_its_own_lines() {
    let lib = "(module\n(func (export \"f\") (param i32)\n(if (local.get 0)\n(then\nunreachable))))";
    let main = "(module (import \"lib\" \"f\" (func $f (param i32)))\n\n\n\
        (func (export \"lib\") (param i32)\n\n(call $f (local.get 0)))\n\
        (func (export \"own\")\nunreachable))";
    let (with, without) = (with_lines as fn(&str) -> _, |text: &str| wat::parse_str(text).unwrap());
    for [lib_has, main_has] in [[true, true], [true, false], [false, true]] {
        let make = |has, text| if has { with(text) } else { without(text) };
        let preload = Preload { name: "lib".into(), module: make(lib_has, lib) };
        let options = Options { preloads: vec![preload], ..Options::default() };
        let network = compile(&make(main_has, main), &options).unwrap();
        for (name, args, has, line) in
            [("lib", vec![Value::I32(1)], lib_has, 5), ("own", Vec::new(), main_has, 8)]
        {
            let place = found(&network, name, &args).expect("a trap");
            assert_eq!(place.line.map(|line| line.line), has.then_some(line), "{name}");
        }
    }
}

/// Many files can have the same long name, and many instructions a file each: that takes no time for each byte of the name.
#[test]
fn long_names_of_many_files_take_no_time() {
    const FILES: u32 = 200_000;
    let leb = |mut number: u32| {
        let mut bytes = Vec::new();
        while number >= 0x80 {
            bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        bytes.push(number as u8);
        bytes
    };
    // Version 5: one instruction length, lines from 0 on, nine standard opcodes and their numbers of operands.
    let mut header = vec![1, 1, 1, 0, 1, 10, 0, 1, 1, 1, 1, 0, 0, 0, 1];
    // One directory and many files, each with a name at offset 0 of `.debug_line_str`.
    header.extend([1, 1, 0x1f, 1, 0, 0, 0, 0, 1, 1, 0x1f]);
    header.extend(leb(FILES));
    header.extend(std::iter::repeat_n(0, 4 * FILES as usize));
    // The address 3 is in the first function; then a row for each file.
    let mut program = vec![0, 5, 2, 3, 0, 0, 0];
    for file in 0..FILES {
        program.push(4);
        program.extend(leb(file));
        program.push(1);
    }
    program.extend([0, 1, 1]);
    let mut unit = vec![5, 0, 4, 0];
    unit.extend((header.len() as u32).to_le_bytes());
    unit.extend(header);
    unit.extend(program);
    let mut lines = (unit.len() as u32).to_le_bytes().to_vec();
    lines.extend(unit);
    let wasm = wat::parse_str("(module (func (export \"f\") unreachable))").unwrap();
    for (length, name) in [(8 << 20, None), (10, Some("aaaaaaaaaa"))] {
        let mut wasm = wasm.clone();
        for (section, data) in [(".debug_line", lines.clone()), (".debug_line_str", vec![b'a'; length])] {
            let custom = wasm_encoder::CustomSection { name: section.into(), data: data.into() };
            wasm_encoder::Section::append_to(&custom, &mut wasm);
        }
        let network = compile(&wasm, &Options::default()).unwrap();
        let place = found(&network, "f", &[]).expect("a trap");
        assert_eq!(place.line.map(|line| line.to_string()), name.map(|name| format!("{name}:1")));
    }
}

/// Debug information that is damaged costs lines and nothing else.
#[test]
fn damaged_debug_information_is_no_reason_to_refuse_a_module() {
    let mut rng = wasm2onnx_tests::rng(3);
    for file in MODULES_OF_C {
        let wasm = read(file);
        let mut network = compile(&wasm, &Options::default()).unwrap().into_network();
        network.lines = Default::default();
        let sections: Vec<_> = wasmparser::Parser::new(0)
            .parse_all(&wasm)
            .filter_map(|payload| match payload.unwrap() {
                wasmparser::Payload::CustomSection(section) if section.name().starts_with(".debug_") => {
                    Some(section.data_offset() as usize..section.range().end as usize)
                }
                _ => None,
            })
            .collect();
        assert!(sections.len() >= 4);
        let mut different = 0;
        for _ in 0..500 {
            let mut damaged = wasm.clone();
            for _ in 0..rng.usize(1..4) {
                let section = sections[rng.usize(..sections.len())].clone();
                let at = rng.usize(section);
                damaged[at] = if rng.bool() { rng.u8(..) } else { damaged[at] ^ (1 << rng.u8(..8)) };
            }
            let mut found = compile(&damaged, &Options::default()).unwrap().into_network();
            wasm2onnx_runtime::validate(&found).unwrap();
            let lines = std::mem::take(&mut found.lines);
            different += usize::from(lines != network.lines);
            assert_eq!(found, network);
        }
        println!("{file}: {different} of 500 have lines");
    }
}
