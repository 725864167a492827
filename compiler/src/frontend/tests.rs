//! What is refused and how that reads, imports by role, limits, the shape of the SSA form.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::str::FromStr;

use wasm2onnx_runtime::{TrapCode, Value};
use wasmparser::WasmFeatures;

use super::parse;
use crate::evaluate::{Failure, Machine};
use crate::ir::{MemorySize, Module};
use crate::options::{GlobalImport, MemoryImport, Options, Role, TableImport, Unsupported};
use crate::verify::{Stage, verify};

fn module(wat: &str) -> Module {
    with(wat, &Options::default())
}

fn with(wat: &str, options: &Options) -> Module {
    let module = parse(wat.as_bytes(), options).unwrap_or_else(|error| panic!("{error}"));
    verify(&module, Stage::Typed).unwrap();
    module
}

fn error(input: impl AsRef<[u8]>) -> String {
    error_with(input, &Options::default())
}

fn error_with(input: impl AsRef<[u8]>, options: &Options) -> String {
    parse(input.as_ref(), options).expect_err("refused").to_string()
}

#[test]
fn input_that_is_not_wasm() {
    assert_eq!(error(""), "not a WebAssembly module: the input is empty");
    assert_eq!(error("\0as"), "not a WebAssembly module: the input ends within the magic number and version");
    assert_eq!(error("\0asm\x02\0\0\0"), "not a WebAssembly module: unknown binary version 2, expected 1");
    assert_eq!(error("\0asm\x0d\0\x01\0"), "not a WebAssembly module: it is a component, not a core module");
    assert!(error("\0elf\x02\0\0\0").contains("neither with the magic number"));
    assert!(error(b"\xff\xfe").contains("not text either"));
    let message = error("(module\n  (func (i32.cosnt 1)))");
    assert!(message.contains("i32.cosnt") && message.contains(":2:"), "{message}");
}

#[test]
fn invalid_modules() {
    let message = error("(module (func (result i32)))");
    assert!(
        message.starts_with("invalid module: type mismatch") && message.contains("(at offset 0x"),
        "{message}"
    );
    // An unsupported instruction does not hide that the module is invalid.
    let message = error("(module (func (result i32) (drop (i32x4.splat (i32.const 1)))))");
    assert!(message.starts_with("invalid module"), "{message}");
    let binary = wat::parse_str("(module (func (export \"f\")))").unwrap();
    for length in 8..binary.len() {
        // Whatever is left of a module that was cut off, it is refused or has no function to export.
        if let Ok(module) = parse(&binary[..length], &Options::default()) {
            assert!(module.exports.is_empty());
        }
    }
}

#[test]
fn unsupported_instructions_by_name() {
    let wat = "(module (func) (func $four (param i32) (drop (i32x4.splat (local.get 0)))))";
    assert_eq!(error(wat), "unsupported: i32x4.splat in function `four` (func[1]) (at offset 0x21)");
    let message = error("(module (func (drop (v128.const i64x2 0 0))))");
    assert!(message.starts_with("unsupported: v128.const in function func[0] (at offset 0x"), "{message}");
    assert!(error("(module (func (param v128)))").starts_with("unsupported: type v128 in function func[0]"));
    // Code that cannot be reached may be anything.
    module("(module (func (unreachable) (drop (i32x4.splat (i32.const 1)))))");
}

#[test]
fn unsupported_declarations() {
    let wasm3 = Options { features: WasmFeatures::WASM3, ..Options::default() };
    assert!(error_with("(module (memory i64 1))", &wasm3).contains("a 64-bit memory"));
    assert!(error_with("(module (memory 1) (memory 1))", &wasm3).contains("a second memory"));
}

#[test]
fn imports_are_given_as_declared() {
    let global = |value, mutable| GlobalImport { value, mutable };
    let options = Options {
        globals: BTreeMap::from([
            ("m.g".to_string(), global(Value::I64(-2), false)),
            ("m.mutable".to_string(), global(Value::F32(0x3f80_0000), true)),
            ("m.external".to_string(), global(Value::ExternRef(NonZeroU32::new(7)), false)),
            ("m.function".to_string(), global(Value::FuncRef(NonZeroU32::new(7)), false)),
        ]),
        memories: BTreeMap::from([
            (
                "m.memory".to_string(),
                MemoryImport { pages: 2, max: Some(3), data: vec![(70_000, vec![5, 6])] },
            ),
            ("m.outside".to_string(), MemoryImport { pages: 1, max: None, data: vec![(65_535, vec![5, 6])] }),
        ]),
        tables: BTreeMap::from([(
            "m.table".to_string(),
            TableImport { entries: 10, max: Some(20), external: false },
        )]),
        ..Options::default()
    };
    let refused = [
        (
            "global $x i64",
            "m.other",
            "unknown import: global of type i64 `m.other`; give it a value with --import m.other=N",
        ),
        (
            "global i32",
            "m.g",
            "import `m.g` is declared as global of type i32, but given as global of type i64",
        ),
        (
            "global (mut i64)",
            "m.g",
            "declared as mutable global of type i64, but given as global of type i64",
        ),
        (
            "global f32",
            "m.mutable",
            "declared as global of type f32, but given as mutable global of type f32",
        ),
        ("global funcref", "m.function", "given as global of type funcref that is not null"),
        (
            "memory 3",
            "m.memory",
            "declared as memory of 3 pages or more, but given as memory of 2 to 3 pages",
        ),
        ("memory 1 2", "m.memory", "declared as memory of 1 to 2 pages"),
        ("memory 1", "m.outside", "with data outside"),
        (
            "memory 1",
            "m.other",
            "unknown import: memory of 1 pages or more `m.other`; give it a size in pages",
        ),
        ("table 11 funcref", "m.table", "but given as table of type funcref of 10 to 20 entries"),
        ("table 1 19 funcref", "m.table", "declared as table of type funcref of 1 to 19 entries"),
        ("table 1 externref", "m.table", "declared as table of type externref"),
        ("table 1 externref", "m.other", "unknown import: table of type externref"),
    ];
    for (declaration, name, expected) in refused {
        let (module, name) = name.split_once('.').unwrap();
        let wat = format!("(module (import \"{module}\" \"{name}\" ({declaration})))");
        let message = error_with(&wat, &options);
        assert!(message.contains(expected), "{wat}: {message}");
    }
    let wat = r#"(module
        (import "m" "g" (global $g i64))
        (import "m" "mutable" (global $mutable (mut f32)))
        (import "m" "external" (global $external externref))
        (import "m" "memory" (memory 2 5))
        (import "m" "table" (table 10 funcref))
        (global $copy i64 (global.get $g))
        (data (i32.const 70001) "\09")
        (func (export "f") (result i64 f32 externref i32 i32 i32)
            (global.get $copy) (global.get $mutable) (global.get $external)
            (i32.load16_u (i32.const 70000)) (memory.size) (table.size 0))
        (func (export "grow") (result i32 i32)
            (memory.grow (i32.const 2)) (table.grow (ref.null func) (i32.const 11))))"#;
    let module = with(wat, &options);
    let mut machine = Machine::new(&module).unwrap();
    let expected = vec![-2i64 as u64, 0x3f80_0000, 7, 0x0905, 2, 10];
    assert_eq!(machine.call("f", &[]), Ok(expected));
    assert_eq!(machine.call("grow", &[]), Ok(vec![u32::MAX as u64, u32::MAX as u64]));
}

#[test]
fn unsupported_functions_can_trap_instead() {
    let wat = r#"(module
        (func (export "f") (param i32) (drop (i32x4.splat (local.get 0))))
        (func (export "v") (param v128))
        (func (export "g") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1))))"#;
    let module = with(wat, &Options { unsupported: Unsupported::Trap, ..Options::default() });
    let mut machine = Machine::new(&module).unwrap();
    assert_eq!(machine.call("f", &[0]), Err(Failure::Trap(TrapCode::UnsupportedHostCall)));
    assert_eq!(machine.call("g", &[4]), Ok(vec![5]));
    assert_eq!(machine.call("v", &[]), Err(Failure::NoSuchExport));
}

#[test]
fn imports_by_role() {
    let wat = r#"(module
        (import "host" "f" (func $f (param i32) (result i64)))
        (export "again" (func $f))
        (func (export "g") (result i64) (call $f (i32.const 1))))"#;
    let message = error(wat);
    assert!(message.starts_with("unknown import: `host.f` of type (i32) -> (i64)"), "{message}");
    let role = |role| {
        let mut options = Options::default();
        options.imports.insert("host.f".into(), role);
        options
    };
    let message = error_with(wat, &role(Role::StdoutByte));
    assert_eq!(message, "import `host.f` has type (i32) -> (i64), but role stdout-byte is (i32) -> ()");
    for (role_, expected) in
        [(Role::Nop, Ok(vec![0])), (Role::Trap, Err(Failure::Trap(TrapCode::UnsupportedHostCall)))]
    {
        let module = with(wat, &role(role_));
        let mut machine = Machine::new(&module).unwrap();
        assert_eq!(machine.call("g", &[]), expected);
        assert_eq!(machine.call("again", &[7]), expected);
    }
    for role in Role::ALL {
        assert_eq!(Role::from_str(role.name()), Ok(role));
    }
    assert!(Role::from_str("stdin").unwrap_err().contains("stdin-byte"));
}

#[test]
fn memory_limits() {
    let grow = |limits: &str, max_memory_pages| {
        let wat = format!(
            "(module (memory {limits}) (func (export \"f\") (result i32) (memory.grow (i32.const 1))))"
        );
        let options = Options { max_memory_pages, ..Options::default() };
        parse(wat.as_bytes(), &options).map(|module| module.memory).map_err(|error| error.to_string())
    };
    let max = |limits: &str, pages| match grow(limits, pages) {
        Ok(MemorySize::Cell { max, .. }) => max,
        other => panic!("{other:?}"),
    };
    assert_eq!(max("1", None), 256);
    assert_eq!(max("1 10", None), 10);
    assert_eq!(max("1 1000", None), 256);
    assert_eq!(max("300 1000", None), 300);
    assert_eq!(max("1", Some(1000)), 1000);
    assert_eq!(max("1 10", Some(1000)), 10);
    let message = grow("3", Some(2)).unwrap_err();
    assert_eq!(message, "the initial size of the memory in pages is 3, more than the limit of 2");
    let constant = module("(module (memory 3 7) (func (export \"f\") (result i32) (memory.size)))");
    assert_eq!(constant.memory, MemorySize::Constant(3));
}

#[test]
fn names() {
    let module = module(
        r#"(module
        (import "env" "output_byte" (func (param i32)))
        (func $named) (func (export "exported")) (func) (func $both (export "other")))"#,
    );
    assert_eq!(module.function_names, ["env.output_byte", "named", "exported", "func[3]", "both"]);
    let (first, index) = module.function_offsets[1];
    assert_eq!(index, 2);
    assert_eq!(module.function_at(first), Some(2));
    assert_eq!(module.function_at(first - 1), Some(1));
    assert_eq!(module.function_at(0), None);
}

#[test]
fn parameters_only_where_values_meet() {
    let module = module(
        r#"(module (func $f (param i32 i32) (result i32)
          (local i32)
          (loop
            (if (local.get 1) (then (local.set 2 (i32.add (local.get 2) (local.get 0)))))
            (br_if 0 (i32.lt_u (local.get 2) (i32.const 100))))
          (i32.add (local.get 0) (local.get 2))))"#,
    );
    // The sum alone, at the header and behind the `if`; what does not change has none.
    let func = module.functions.values().next().unwrap();
    let params: usize =
        func.blocks.iter().filter(|(b, _)| *b != func.entry).map(|(_, b)| b.params.len()).sum();
    assert_eq!(params, 2, "{func}");
}

#[test]
fn text() {
    let module = module(
        r#"(module (memory 1)
        (func $f (param $p i32) (result i64)
          (block (br_if 0 (local.get $p)) (i32.store offset=4 (local.get $p) (i32.const 5000)))
          (i64.load8_s (local.get $p))))"#,
    );
    let func = module.functions.values().next().unwrap();
    let expected = "\
function \"f\"(v0: i32) -> (i64) {
block0:
    branch v0, block1, block2
block2:
    v1 = const.i32 0x1388
    bounds4 [v0 + 4]
    store4.i32 memory[v0 + 4], v1
    jump block1
block1:
    bounds1 [v0 + 0]
    v2 = load1_s.i64 memory[v0 + 0]
    return v2
}
";
    assert_eq!(func.to_string(), expected);
}
