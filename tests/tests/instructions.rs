//! Each instruction of the compiler's table alone: ours against wasmtime on edge values and random ones.
//!
//! Operations, loads and stores are tested by their entries in the table alone. For the others there are
//! programs below, and a test that every entry is in one of them.
//!
//! Beside the plain instruction, each is tried where the compiler may choose another circuit for it:
//! with one constant operand, as a condition, and on its own result.

#[path = "instructions/bulk.rs"]
mod bulk;
#[path = "instructions/constants.rs"]
mod constants;
#[path = "instructions/names.rs"]
mod names;

use std::collections::BTreeSet;
use std::fmt::Write;

use wasm2onnx_compiler::instructions::{Becomes, INSTRUCTIONS, Instruction};
use wasm2onnx_compiler::{Options, compile};
use wasm2onnx_runtime::{Instance, Value, ValueType};
use wasm2onnx_tests::oracle::{Engine, Limits, Oracle, Wasmtime, first_difference};
use wasm2onnx_tests::ours::Way;
use wasm2onnx_tests::save_failure;
use wasm2onnx_tests::values::{EDGES, random_value};

/// Number of random operands of the plain instruction.
const RANDOM: usize = 3_000;

/// Number of random operands of each variant.
const RANDOM_VARIANT: usize = 300;

/// Limits with enough fuel for all calls of a module.
const LIMITS: Limits = Limits { fuel: Some(1 << 40), pages: Some(MAX_PAGES) };

const MAX_PAGES: u32 = 16;

/// Enough steps for all calls of a module.
const MAX_STEPS: u64 = 1 << 40;

/// Returns all values near which the behaviour changes.
fn all_edges(ty: ValueType) -> Vec<Value> {
    let mut bits = EDGES.to_vec();
    bits.extend(float_edges(ty));
    for k in 0..64 {
        for delta in -1..=1 {
            let power = (1u64 << k).wrapping_add_signed(delta);
            bits.extend([power, power.wrapping_neg()]);
        }
    }
    let mut values: Vec<_> = bits.into_iter().map(|bits| value(ty, bits)).collect();
    values.sort_by_key(|value| value.words());
    values.dedup();
    values
}

/// Returns the most important of these values.
fn core_edges(ty: ValueType) -> Vec<Value> {
    let mut values: Vec<_> = EDGES.iter().map(|bits| value(ty, *bits)).collect();
    values.extend(float_edges(ty).map(|bits| value(ty, bits)));
    // Shift amounts that wrap around.
    values.extend([31, 32, 33, 63, 64, 65].map(|bits| value(ty, bits)));
    values.sort_by_key(|value| value.words());
    values.dedup();
    values
}

/// Returns edge values of a float type: ones and halves, limits of integers and of the format, infinities and
/// NaNs, with both signs.
fn float_edges(ty: ValueType) -> impl Iterator<Item = u64> {
    let (fraction, width) = match ty {
        ValueType::F32 => (23, 32),
        ValueType::F64 => (52, 64),
        _ => (0, 0),
    };
    let exponents: &[u64] = if width == 0 { &[] } else { &[0, 1, 30, 31, 32, 62, 63, 64] };
    let edges = move |n: &u64| {
        let (all, one) = ((1u64 << (width - 1 - fraction)) - 1, 1u64 << fraction);
        let (power, small) = ((all / 2 + n) << fraction, (all / 2 - n) << fraction);
        let infinity = all << fraction;
        [
            power - 1,
            power,
            power + 1,
            power + one / 2,
            small,
            small + 1,
            infinity - n,
            infinity + n,
            infinity + one / 2,
            one - 1,
        ]
    };
    exponents.iter().flat_map(edges).flat_map(move |bits| [bits, bits | 1 << (width - 1)])
}

fn value(ty: ValueType, bits: u64) -> Value {
    Value::from_words(ty, [bits as u32, (bits >> 32) as u32])
}

/// Writes an operand as text, floats by their bits.
fn constant(value: Value) -> String {
    match value {
        Value::I32(x) => format!("(i32.const {x})"),
        Value::I64(x) => format!("(i64.const {x})"),
        Value::F32(bits) => format!("(f32.reinterpret_i32 (i32.const {}))", bits as i32),
        Value::F64(bits) => format!("(f64.reinterpret_i64 (i64.const {}))", bits as i64),
        Value::FuncRef(_) | Value::ExternRef(_) => unreachable!("no row's operand is a reference"),
    }
}

/// A module under test, and the calls to make.
struct Test {
    /// What it tests, for messages and as a file's name.
    what: String,
    wat: String,
    calls: Vec<(String, Vec<Value>)>,
}

impl Test {
    fn new(what: impl Into<String>, wat: impl Into<String>) -> Self {
        Test { what: what.into(), wat: wat.into(), calls: Vec::new() }
    }

    /// Calls each of these functions on their parameters' edge values and some random ones.
    fn with_calls(mut self, functions: &[(&str, &[ValueType])]) -> Self {
        for (name, params) in functions {
            self.call_on_values(name, params, RANDOM_VARIANT, core_edges);
        }
        self
    }

    /// Returns the module in the binary format.
    fn wasm(&self) -> Vec<u8> {
        wat::parse_str(&self.wat).unwrap_or_else(|error| panic!("{}: {error}\n{}", self.what, self.wat))
    }

    /// Adds an exported function with parameters `$0`, `$1`, ….
    fn function(&mut self, name: &str, params: &[ValueType], results: &str, body: &str) {
        let params: String = params
            .iter()
            .enumerate()
            .fold(String::new(), |text, (i, ty)| text + &format!(" (param ${i} {ty})"));
        writeln!(self.wat, "(func (export \"{name}\"){params} (result {results}) {body})")
            .expect("strings can be written");
    }

    fn call(&mut self, name: &str, args: &[Value]) {
        self.calls.push((name.to_owned(), args.to_vec()));
    }

    /// Calls a function on edge values and this many random ones.
    fn call_on_values(
        &mut self,
        name: &str,
        params: &[ValueType],
        random: usize,
        edges: fn(ValueType) -> Vec<Value>,
    ) {
        let mut rng = fastrand::Rng::with_seed(self.calls.len() as u64);
        match *params {
            [] => self.call(name, &[]),
            [ty] => edges(ty).iter().for_each(|a| self.call(name, &[*a])),
            [first, second, ref rest @ ..] => {
                let rest: Vec<_> = rest.iter().map(|ty| random_value(&mut rng, *ty)).collect();
                let (core, all) = (core_edges(first), edges(first));
                let (core2, all2) = (core_edges(second), edges(second));
                let pairs = core.iter().flat_map(|a| all2.iter().map(move |b| (*a, *b)));
                let more = all.iter().flat_map(|a| core2.iter().map(move |b| (*a, *b)));
                for (a, b) in pairs.chain(more) {
                    self.call(name, &[&[a, b], &rest[..]].concat());
                }
            }
        }
        if !params.is_empty() {
            for _ in 0..random {
                let args: Vec<_> = params.iter().map(|ty| random_value(&mut rng, *ty)).collect();
                self.call(name, &args);
            }
        }
    }

    /// Calls a function on a few values.
    fn call_on_few(&mut self, name: &str, params: &[ValueType]) {
        let mut rng = fastrand::Rng::with_seed(self.calls.len() as u64);
        for _ in 0..6 {
            let args: Vec<_> = params.iter().map(|ty| random_value(&mut rng, *ty)).collect();
            self.call(name, &args);
        }
    }

    /// Makes all calls on our executors and on wasmtime, in order, on one instance of each.
    fn run(&self) {
        self.run_on(&Way::SPARSE);
    }

    /// Makes all calls on these executors of ours and on wasmtime.
    fn run_on(&self, ways: &[Way]) {
        let (what, wasm) = (&self.what, self.wasm());
        if let Err(difference) = self.compare(&wasm, ways) {
            let module = save_failure(&format!("instruction-{what}.wasm"), &wasm);
            panic!("{what}: {difference}; module: {module}");
        }
    }

    fn compare(&self, wasm: &[u8], on: &[Way]) -> Result<(), String> {
        let options = Options { max_memory_pages: Some(MAX_PAGES), ..Options::default() };
        let network = compile(wasm, &options).map_err(|error| error.to_string())?;
        let mut ways = Vec::new();
        for way in on {
            let instance =
                Instance::with_config(&network, way.config(MAX_STEPS)).map_err(|error| error.to_string())?;
            ways.push((way, instance));
        }
        let module = Wasmtime::compile(wasm, LIMITS).expect("wasmtime accepts the module");
        let mut theirs = Wasmtime::instantiate(&module, &[]).expect("there is nothing to refuse");

        for (i, (name, args)) in self.calls.iter().enumerate() {
            let expected = theirs.call(name, args);
            for (way, ours) in &mut ways {
                let found = Engine::call(ours, name, args);
                if found != expected {
                    return Err(format!("{way:?}: {name}{args:?} gave {found:?} instead of {expected:?}"));
                }
                // All of the state is compared now and then, and at the end.
                if i % 256 == 0 || i + 1 == self.calls.len() {
                    let (found, expected) = (ours.globals(), theirs.globals());
                    if found != expected {
                        return Err(format!(
                            "{way:?}: after {name}{args:?} globals are {found:?} instead of {expected:?}"
                        ));
                    }
                    if let Some(difference) = first_difference(&ours.memories(), &theirs.memories()) {
                        return Err(format!("{way:?}: after {name}{args:?} {difference}"));
                    }
                }
            }
        }
        Ok(())
    }
}

/// Tests an operation everywhere it may stand.
fn operation(instruction: &Instruction) {
    let Instruction { name, params, .. } = *instruction;
    let (own, result) = (params[0], instruction.results[0]);
    let operands = if params.len() == 1 { "(local.get $0)" } else { "(local.get $0) (local.get $1)" };
    let plain = format!("({name} {operands})");
    let mut test = Test::new(name, "");

    test.function("plain", params, &result.to_string(), &plain);
    test.call_on_values("plain", params, RANDOM, all_edges);

    if result == ValueType::I32 {
        test.function(
            "if",
            params,
            "i32",
            &format!("(if (result i32) {plain} (then (i32.const 5)) (else (i32.const 7)))"),
        );
        test.function("select", params, "i32", &format!("(select (i32.const 5) (i32.const 7) {plain})"));
        test.function("eqz", params, "i32", &format!("(i32.eqz {plain})"));
        test.function(
            "br_if",
            params,
            "i32",
            &format!("(block (br_if 0 {plain}) (return (i32.const 1))) (i32.const 2)"),
        );
        for variant in ["if", "select", "eqz", "br_if"] {
            test.call_on_values(variant, params, RANDOM_VARIANT, core_edges);
        }
    }
    if let (ValueType::I32 | ValueType::I64, true) = (own, result == own && params.len() == 2) {
        // The operation on its own result, which may not have been wrapped, and on sums.
        test.function("chain", params, &own.to_string(), &format!("({name} {plain} (local.get $0))"));
        test.function("chain2", params, &own.to_string(), &format!("({name} (local.get $1) {plain})"));
        test.function(
            "sums",
            params,
            &own.to_string(),
            &format!(
                "({name} ({own}.add (local.get $0) (local.get $1)) ({own}.sub (local.get $0) (local.get $1)))"
            ),
        );
        test.function("same", params, &own.to_string(), &format!("({name} (local.get $0) (local.get $0))"));
        for variant in ["chain", "chain2", "sums", "same"] {
            test.call_on_values(variant, params, RANDOM_VARIANT, core_edges);
        }
    }
    test.run();

    if params.len() == 2 {
        constant_operand(instruction);
    }
}

/// Tests an operation with one of its operands constant, first or second.
fn constant_operand(instruction: &Instruction) {
    let Instruction { name, params, .. } = *instruction;
    let (ty, result) = (params[0], instruction.results[0]);
    assert_eq!(params[1], ty, "{name} has operands of two types");
    let mut rng = fastrand::Rng::with_seed(7);
    let mut constants = core_edges(ty);
    // Shift amounts, small divisors, powers of two, and other numbers.
    constants.extend([5, 7, 10, 12, 16, 24, 48, 100, 641, 1000, 1 << 20].map(|bits| value(ty, bits)));
    constants.extend([-2i64, -3, -7, -10].map(|x| value(ty, x as u64)));
    constants.extend((0..6).map(|_| random_value(&mut rng, ty)));
    let mut test = Test::new(format!("{name}-constant"), "");
    for (i, x) in constants.iter().enumerate() {
        let constant = constant(*x);
        test.function(
            &format!("right {i}"),
            &[ty],
            &result.to_string(),
            &format!("({name} (local.get $0) {constant})"),
        );
        test.function(
            &format!("left {i}"),
            &[ty],
            &result.to_string(),
            &format!("({name} {constant} (local.get $0))"),
        );
        for side in ["right", "left"] {
            test.call_on_values(&format!("{side} {i}"), &[ty], RANDOM_VARIANT / 4, core_edges);
        }
        // Values next to multiples of the constant, where quotients and remainders turn.
        let (Value::I32(_) | Value::I64(_)) = x else {
            continue;
        };
        let [low, high] = x.words();
        let bits = u64::from(low) | u64::from(high) << 32;
        for factor in [1, 2, 3, 1000, 0x1234_5678] {
            for delta in -1..=1 {
                let near = bits.wrapping_mul(factor).wrapping_add_signed(delta);
                test.call(&format!("right {i}"), &[value(ty, near)]);
            }
        }
    }
    test.run();
}

/// Offsets in the instructions of loads and stores.
const OFFSETS: [u64; 9] = [0, 1, 2, 3, 4, 255, 65_535, 65_536, 0xffff_ffff];

/// Returns addresses around the ends of one and of two pages.
fn addresses() -> Vec<Value> {
    let mut addresses: Vec<u32> =
        (0..12).chain(65_536 - 12..65_536 + 4).chain(131_072 - 12..131_072 + 4).collect();
    addresses.extend([255, 256, 257, 1000, 0x7fff_ffff, 0x8000_0000]);
    addresses.extend(u32::MAX - 12..=u32::MAX);
    addresses.into_iter().map(Value::from).collect()
}

/// Declares a memory with random contents.
fn memory(declaration: &str) -> String {
    let mut rng = fastrand::Rng::with_seed(3);
    let mut bytes = || (0..64).fold(String::new(), |text, _| text + &format!("\\{:02x}", rng.u8(..)));
    format!(
        "(memory (export \"memory\") {declaration})\n(data (i32.const 0) \"{}\")\n(data (i32.const 65472) \"{}\")\n",
        bytes(),
        bytes(),
    )
}

/// Tests a load or store at all offsets, on memories of fixed and of changing size.
fn access(instruction: &Instruction) {
    let Instruction { name, params, .. } = *instruction;
    let is_store = matches!(instruction.becomes, Becomes::Store { .. });
    let ty = if is_store { params[1] } else { instruction.results[0] };
    for declaration in ["1 1", "1 2", "2 3"] {
        let mut test = Test::new(format!("{name}-{}", declaration.replace(' ', "-")), memory(declaration));
        test.function("grow", &[], "i32", "(memory.grow (i32.const 1))");
        let varying = OFFSETS.map(|offset| (format!("at {offset}"), offset, "(local.get $0)".to_owned()));
        let fixed = [0u32, 5, 65_529, 65_532, 65_533, 65_535, 65_536, u32::MAX];
        let fixed = fixed.map(|at| (format!("fixed {at}"), 1, format!("(i32.const {})", at as i32)));
        for (export, offset, address) in varying.iter().chain(&fixed) {
            let body = if is_store {
                format!("({name} offset={offset} {address} (local.get $1)) (i32.const 1)")
            } else {
                format!("({name} offset={offset} {address})")
            };
            let result = if is_store { ValueType::I32 } else { ty };
            test.function(export, params, &result.to_string(), &body);
        }
        // A load of the same call finds what a store leaves, whole or in part.
        if is_store {
            let body = format!(
                "({name} (local.get $0) (local.get $2)) ({name} (local.get $1) ({ty}.const 1)) (i64.load (local.get $0))"
            );
            test.function("overlap", &[ValueType::I32, ValueType::I32, ty], "i64", &body);
        }
        let mut rng = fastrand::Rng::with_seed(11);
        for round in 0..2 {
            for (export, ..) in varying.iter().chain(&fixed) {
                let random = (0..40).map(|_| Value::from(rng.u32(..140_000)));
                let addresses: Vec<_> = addresses().into_iter().chain(random).collect();
                for address in if export.starts_with("fixed") { &addresses[..4] } else { &addresses } {
                    let args = [*address, random_value(&mut rng, ty)];
                    test.call(export, if is_store { &args } else { &args[..1] });
                }
            }
            if is_store {
                for _ in 0..300 {
                    let at = rng.u32(..65_600);
                    let near = at.wrapping_add_signed(rng.i32(-9..=9));
                    test.call("overlap", &[at.into(), near.into(), random_value(&mut rng, ty)]);
                }
            }
            if round == 0 {
                test.call("grow", &[]);
            }
        }
        test.run();
    }
}

/// Calls `test` with those instructions of the table for which `is_for` holds.
fn for_instructions(is_for: impl Fn(&Instruction) -> bool, test: impl Fn(&Instruction)) {
    INSTRUCTIONS.iter().filter(|instruction| is_for(instruction)).for_each(test);
}

/// Tells whether an instruction is an operation whose first operand has this type.
fn operation_on(ty: ValueType) -> impl Fn(&Instruction) -> bool {
    move |instruction| is_operation(instruction) && instruction.params[0] == ty
}

fn is_operation(instruction: &Instruction) -> bool {
    match instruction.becomes {
        Becomes::Unary(_)
        | Becomes::Binary(_)
        | Becomes::Swapped(_)
        | Becomes::Division(_)
        | Becomes::Reinterpret
        | Becomes::Sign(_)
        | Becomes::Float(_)
        | Becomes::FloatDifference
        | Becomes::FloatCompare(_)
        | Becomes::FloatExtremum { .. }
        | Becomes::Truncation { .. } => true,
        Becomes::Own | Becomes::Const | Becomes::Load { .. } | Becomes::Store { .. } => false,
    }
}

#[test]
fn operations_on_i32() {
    for_instructions(operation_on(ValueType::I32), operation);
}

#[test]
fn operations_on_i64() {
    for_instructions(operation_on(ValueType::I64), operation);
}

#[test]
fn operations_on_floats() {
    for_instructions(operation_on(ValueType::F32), operation);
    for_instructions(operation_on(ValueType::F64), operation);
}

#[test]
fn loads() {
    for_instructions(|instruction| matches!(instruction.becomes, Becomes::Load { .. }), access);
}

#[test]
fn stores() {
    for_instructions(|instruction| matches!(instruction.becomes, Becomes::Store { .. }), access);
}

#[test]
fn constant_instructions() {
    for_instructions(|instruction| matches!(instruction.becomes, Becomes::Const), constants_of);
}

/// Tests an instruction that is a constant.
fn constants_of(instruction: &Instruction) {
    let (name, ty) = (instruction.name, instruction.results[0]);
    let mut test = Test::new(name, "");
    for (i, x) in all_edges(ty).into_iter().enumerate() {
        let text = match x {
            Value::I32(x) => x.to_string(),
            Value::I64(x) => x.to_string(),
            // A float is given by its bits, in the text format's own way.
            Value::F32(bits) => float_text(bits.into(), 8, 23),
            Value::F64(bits) => float_text(bits, 11, 52),
            Value::FuncRef(_) | Value::ExternRef(_) => unreachable!("no row's constant is a reference"),
        };
        test.function(&i.to_string(), &[], &ty.to_string(), &format!("({name} {text})"));
        test.call(&i.to_string(), &[]);
    }
    test.run();
}

#[test]
fn variables() {
    written_variables().iter().for_each(Test::run);
}

#[test]
fn memory_size_and_grow() {
    written_growth().iter().for_each(Test::run);
}

#[test]
fn control() {
    written_control().iter().for_each(Test::run);
}

#[test]
fn calls() {
    written_calls().run();
}

#[test]
fn bulk_memory_tables_and_references() {
    bulk::written().iter().for_each(Test::run);
}

#[test]
fn programs_are_written_for_all_other_instructions() {
    let written = written_variables().into_iter().chain(written_growth()).chain(written_control());
    let mut names = BTreeSet::new();
    for test in written.chain([written_calls()]).chain(bulk::written()) {
        let wasm = test.wasm();
        for payload in wasmparser::Parser::new(0).parse_all(&wasm) {
            if let wasmparser::Payload::CodeSectionEntry(body) = payload.expect("wat writes modules") {
                let ops = body.get_operators_reader().expect("a body").into_iter();
                names.extend(ops.filter_map(|op| Some(Instruction::of(&op.expect("an operator"))?.name)));
            }
        }
    }
    for instruction in INSTRUCTIONS.iter().filter(|instruction| matches!(instruction.becomes, Becomes::Own)) {
        assert!(names.contains(instruction.name), "no program is written for {}", instruction.name);
    }
}

/// Writes a float, given by its bits, in the text format: `-0x1.8p+3`, `nan:0x200`, `inf`.
fn float_text(bits: u64, exponent_bits: u32, fraction_bits: u32) -> String {
    let sign = if bits >> (exponent_bits + fraction_bits) & 1 == 1 { "-" } else { "" };
    let fraction = bits & ((1 << fraction_bits) - 1);
    let largest = (1u64 << exponent_bits) - 1;
    let exponent = bits >> fraction_bits & largest;
    let bias = (largest >> 1) as i64;
    match (exponent, fraction) {
        (e, 0) if e == largest => format!("{sign}inf"),
        (e, _) if e == largest => format!("{sign}nan:{fraction:#x}"),
        (0, _) => format!("{sign}{fraction:#x}p{}", 1 - bias - i64::from(fraction_bits)),
        (e, _) => format!(
            "{sign}{:#x}p{}",
            fraction | 1 << fraction_bits,
            e as i64 - bias - i64::from(fraction_bits)
        ),
    }
}

fn written_growth() -> Vec<Test> {
    let mut tests = Vec::new();
    for declaration in ["0", "0 0", "1 1", "1 5", "0 3", "2", "1 65536"] {
        let what = format!("memory-{}", declaration.replace(' ', "-"));
        let mut test = Test::new(what, format!("(memory (export \"memory\") {declaration})\n"));
        test.function("size", &[], "i32", "memory.size");
        test.function("grow", &[ValueType::I32], "i32", "(memory.grow (local.get $0))");
        test.function("grow by 1", &[], "i32", "(memory.grow (i32.const 1))");
        test.function("grow by 0", &[], "i32", "(memory.grow (i32.const 0))");
        test.function(
            "grow and see",
            &[ValueType::I32],
            "i32",
            "(i32.add (i32.shl (memory.grow (local.get $0)) (i32.const 8)) (memory.size))",
        );
        test.function(
            "last",
            &[],
            "i32",
            "(i32.load8_u (i32.sub (i32.shl (memory.size) (i32.const 16)) (i32.const 1)))",
        );
        let pages = [0, 1, 0, 2, u32::MAX, 65_535, 65_536, 65_537, 0x8000_0000, 1, 3, 1, 20, 1, 1, 8, 1, 100];
        for pages in pages {
            for (name, args) in [
                ("size", &[][..]),
                ("grow by 0", &[]),
                ("grow", &[Value::from(pages)]),
                ("last", &[]),
                ("grow and see", &[Value::from(pages)]),
                ("grow by 1", &[]),
            ] {
                test.call(name, args);
            }
        }
        tests.push(test);
    }
    tests
}

fn written_variables() -> Vec<Test> {
    let mut tests = Vec::new();
    for own in [ValueType::I32, ValueType::I64, ValueType::F32, ValueType::F64] {
        let ty = own.to_string();
        let wat = format!(
            r#"
            (global $g (export "mutable") (mut {ty}) ({ty}.const 1))
            (global $c (export "constant") {ty} ({ty}.const 2))
            (func (export "local.set") (param {ty} {ty}) (result {ty}) (local {ty})
                (local.set 2 (local.get 0)) (local.set 0 (local.get 1)) (local.set 1 (local.get 2)) (local.get 0))
            (func (export "local.tee") (param {ty} {ty}) (result {ty} {ty})
                (local.tee 1 (local.get 0)) (local.get 1))
            (func (export "zero") (result {ty}) (local {ty}) (local.get 0))
            (func (export "global.get") (result {ty} {ty}) (global.get $g) (global.get $c))
            (func (export "global.set") (param {ty}) (result {ty})
                (global.get $g) (global.set $g (local.get 0)))
            (func (export "drop") (param {ty} {ty}) (result {ty}) (local.get 0) (drop (local.get 1)))
            (func (export "select") (param {ty} i32) (result {ty})
                (select (local.get 0) (global.get $g) (local.get 1)))
            (func (export "select with type") (param {ty} i32) (result {ty})
                (select (result {ty}) (global.get $g) (local.get 0) (local.get 1)))
            (func (export "swap") (param {ty} {ty}) (result {ty} {ty})
                (local.get 0) (local.get 1)
                (block (param {ty} {ty}) (result {ty} {ty})
                    (local.set 0) (local.set 1) (br 0 (local.get 0) (local.get 1))))
            "#
        );
        let (both, none): (&[_], &[_]) = (&[own, own], &[]);
        tests.push(Test::new(format!("variables-{ty}"), wat).with_calls(&[
            ("global.get", none),
            ("local.set", both),
            ("local.tee", both),
            ("zero", none),
            ("global.set", &[own]),
            ("global.get", none),
            ("drop", both),
            ("select", &[own, ValueType::I32]),
            ("select with type", &[own, ValueType::I32]),
            ("swap", both),
        ]));
    }
    tests
}

fn written_control() -> Vec<Test> {
    use ValueType::{I32, I64};
    let wat = r#"
        (func (export "nop") (param i32) (result i32) nop (local.get 0) nop)
        (func (export "unreachable") (param i32) (result i32)
            (if (i32.gt_s (local.get 0) (i32.const 0)) (then unreachable)) (i32.const 1))
        (func (export "block") (param i32) (result i32)
            (block (result i32) (drop (br_if 0 (i32.const 3) (local.get 0))) (i32.const 4)))
        (func (export "br") (param i32) (result i32)
            (block (result i32) (block (br_if 0 (local.get 0)) (br 1 (i32.const 5))) (i32.const 6)))
        (func (export "if") (param i32) (result i32) (local i32)
            (if (local.get 0) (then (local.set 1 (i32.const 9)))) (local.get 1))
        (func (export "if else") (param i32 i64) (result i64)
            (if (result i64) (local.get 0) (then (local.get 1)) (else (i64.const -1))))
        (func (export "loop") (param i32) (result i32) (local i32)
            (local.set 0 (i32.and (local.get 0) (i32.const 63)))
            (loop (result i32)
                (local.set 1 (i32.add (local.get 1) (local.get 0)))
                (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.and (i32.const 1) (i32.ne (local.get 0) (i32.const 0))))))
                (local.get 1)))
        (func (export "br_table") (param i32) (result i32)
            (block (block (block (block (br_table 0 1 2 1 3 (local.get 0))) (return (i32.const 10)))
                (return (i32.const 11))) (return (i32.const 12))) (i32.const 13))
        (func (export "br_table with value") (param i32 i32) (result i32)
            (block (result i32)
                (i32.add (i32.const 1) (block (result i32)
                    (i32.add (i32.const 2) (block (result i32) (br_table 0 1 2 (local.get 1) (local.get 0))))))))
        (func (export "br_table of one") (param i32) (result i32)
            (block (br_table 0 (local.get 0))) (i32.const 8))
        (func (export "br_table in a loop") (param i32) (result i32) (local i32)
            (loop $again
                (local.set 1 (i32.add (i32.mul (local.get 1) (i32.const 3)) (i32.and (local.get 0) (i32.const 3))))
                (local.set 0 (i32.shr_u (local.get 0) (i32.const 2)))
                (block $out (br_table $again $again $again $again $out (i32.sub (local.get 0) (i32.const 1)))))
            (local.get 1))
        (func (export "return") (param i32) (result i32)
            (loop (if (local.get 0) (then (return (i32.const 1))))) (i32.const 2))
        (func (export "select") (param i64 i32) (result i64)
            (select (local.get 0) (i64.const 77) (local.get 1)))
    "#;
    let control = Test::new("control", wat).with_calls(&[
        ("nop", &[I32]),
        ("unreachable", &[I32]),
        ("block", &[I32]),
        ("br", &[I32]),
        ("if", &[I32]),
        ("if else", &[I32, I64]),
        ("loop", &[I32]),
        ("br_table", &[I32]),
        ("br_table with value", &[I32, I32]),
        ("br_table of one", &[I32]),
        ("br_table in a loop", &[I32]),
        ("return", &[I32]),
        ("select", &[I64, I32]),
    ]);
    // A table with more entries than fit any chain of comparisons.
    let targets = (0..300).map(|i| (i * 7 % 4).to_string()).collect::<Vec<_>>().join(" ");
    let wat = format!(
        r#"(func (export "large") (param i32) (result i32)
            (block (block (block (block (br_table {targets} (local.get 0))) (return (i32.const 0)))
                (return (i32.const 1))) (return (i32.const 2))) (i32.const 3))"#
    );
    let mut large = Test::new("br_table-large", wat);
    (0..310u32).chain([u32::MAX, 1 << 31]).for_each(|i| large.call("large", &[i.into()]));
    vec![control, large]
}

fn written_calls() -> Test {
    use ValueType::{I32, I64};
    let wat = r#"
        (type $binary (func (param i32 i32) (result i32)))
        (type $unary (func (param i64) (result i64)))
        (type $same (func (param i32 i32) (result i32)))
        (table 8 8 funcref)
        (elem (i32.const 1) $add $sub $neg $fac)
        (elem (i32.const 6) $add)
        (global $count (export "count") (mut i32) (i32.const 0))
        (func $add (type $binary)
            (global.set $count (i32.add (global.get $count) (i32.const 1)))
            (i32.add (local.get 0) (local.get 1)))
        (func $sub (type $same) (i32.sub (local.get 0) (local.get 1)))
        (func $neg (type $unary) (i64.sub (i64.const 0) (local.get 0)))
        (func $fac (type $unary)
            (if (result i64) (i64.le_s (local.get 0) (i64.const 1)) (then (i64.const 1))
                (else (i64.mul (local.get 0) (call $fac (i64.sub (local.get 0) (i64.const 1)))))))
        (func $two (param i32 i64) (result i64 i32) (local.get 1) (local.get 0))
        (func (export "call") (param i32 i32) (result i32)
            (i32.mul (call $add (local.get 0) (local.get 1)) (call $sub (local.get 0) (local.get 1))))
        (func (export "multi-value") (param i32 i64) (result i64 i32)
            (call $two (local.get 0) (local.get 1)))
        (func (export "call_indirect") (param i32 i32 i32) (result i32)
            (call_indirect (type $binary) (local.get 1) (local.get 2) (local.get 0)))
        (func (export "call_indirect unary") (param i32 i64) (result i64)
            (call_indirect (type $unary) (i64.and (local.get 1) (i64.const 31)) (local.get 0)))
        (func (export "fac") (param i64) (result i64) (call $fac (i64.and (local.get 0) (i64.const 63))))
        (func $even (param i32) (result i32)
            (if (result i32) (local.get 0) (then (call $odd (i32.sub (local.get 0) (i32.const 1)))) (else (i32.const 1))))
        (func $odd (param i32) (result i32)
            (if (result i32) (local.get 0) (then (call $even (i32.sub (local.get 0) (i32.const 1)))) (else (i32.const 0))))
        (func (export "even") (param i32) (result i32) (call $even (i32.and (local.get 0) (i32.const 127))))
        (func $steps (param i32 i64) (result i64)
            (if (i32.eqz (local.get 0)) (then (return (local.get 1))))
            (return_call $others (i32.sub (local.get 0) (i32.const 1)) (i64.mul (local.get 1) (i64.const 3))))
        (func $others (param i32 i64) (result i64)
            (if (i32.eqz (local.get 0)) (then (return (i64.const -1))))
            (return_call $steps (i32.sub (local.get 0) (i32.const 1)) (i64.xor (local.get 1) (i64.const 0x55555555f))))
        (func (export "return_call") (param i32 i64) (result i64)
            (return_call $steps (i32.and (local.get 0) (i32.const 127)) (local.get 1)))
        (func (export "return_call_indirect") (param i32 i32 i32) (result i32)
            (return_call_indirect (type $binary) (local.get 1) (local.get 2) (local.get 0)))
    "#;
    let mut test = Test::new("calls", wat);
    for index in (0..10u32).chain([u32::MAX, 1 << 31]) {
        test.call("call_indirect", &[index.into(), 100u32.into(), 7u32.into()]);
        test.call("call_indirect unary", &[index.into(), 9u64.into()]);
        test.call("return_call_indirect", &[index.into(), 100u32.into(), 7u32.into()]);
    }
    test.with_calls(&[
        ("call", &[I32, I32]),
        ("multi-value", &[I32, I64]),
        ("fac", &[I64]),
        ("even", &[I32]),
        ("return_call", &[I32, I64]),
    ])
}
