//! Tests of what is refused and with which message, of imports by role, of limits, and of the shape of the
//! SSA form.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::str::FromStr;

use wasm2onnx_runtime::{TrapCode, Value};
use wasmparser::WasmFeatures;

use super::parse;
use crate::evaluate::{Failure, Machine};
use crate::ir::{MemoryId, MemorySize, Module};
use crate::options::{GlobalImport, MemoryImport, Number, Options, Role, TableImport, Unsupported};
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
    const NEITHER: &str = "it is neither a WebAssembly module nor its text format";
    for (input, why) in [
        (&b""[..], "it is empty"),
        (b"\0as", "it ends within the magic number and version"),
        (b"\0asm\x02\0\0\0", "unknown binary version 2, expected 1"),
        (b"\0asm\x01\0\x02\0", "unknown binary version 131073, expected 1"),
        (b"\0elf\x02\0\0\0", "it begins neither with `\\0asm` nor with text"),
        (b"\xff\xfe", "it does not begin with `\\0asm`, and it is not text"),
        (b"hello", "it does not begin with `(module`"),
        (b"(defun f ())", "it does not begin with `(module`"),
    ] {
        assert_eq!(error(input), format!("{NEITHER}: {why}"));
    }
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
        // A module that was cut off somewhere is refused, or what is left has no function to export.
        if let Ok(module) = parse(&binary[..length], &Options::default()) {
            assert!(module.exports.is_empty());
        }
    }
}

#[test]
fn unsupported_instructions_by_name() {
    let wat = "(module (func) (func $four (param i32) (drop (i32x4.splat (local.get 0)))))";
    assert_eq!(
        error(wat),
        "unsupported: i32x4.splat in function `four` (func[1]) (at offset 0x21). It belongs to the SIMD proposal: compile \
         without `-msimd128` (Rust: without `-C target-feature=+simd128`)"
    );
    let message = error("(module (func (drop (v128.const i64x2 0 0))))");
    assert!(message.starts_with("unsupported: v128.const in function func[0] (at offset 0x"), "{message}");
    let message = error("(module (func (param v128)))");
    assert!(message.starts_with("unsupported: type v128 in function func[0]"), "{message}");
    assert!(message.contains("It belongs to the SIMD proposal"), "{message}");
    // Code that cannot be reached may be anything.
    module("(module (func (unreachable) (drop (i32x4.splat (i32.const 1)))))");
}

/// Every proposal, in an instruction or a declaration, is named together with the offset, whatever the
/// validator says about it.
#[test]
fn unsupported_proposals() {
    // The last column is what the binary has at the offset: the instruction's bytes, or nothing for
    // declarations.
    for (wat, what, proposal, bytes) in [
        (
            "(func $f (drop (i8x16.add (v128.const i64x2 0 0) (v128.const i64x2 0 0))))",
            "v128.const",
            "SIMD",
            &b"\xfd\x0c"[..],
        ),
        (
            "(func $f (drop (i8x16.relaxed_swizzle (unreachable) (unreachable))))",
            "i8x16.relaxed_swizzle",
            "relaxed SIMD",
            b"\xfd\x80\x02",
        ),
        ("(memory 1 1 shared)", "a shared memory", "threads", b""),
        ("(import \"env\" \"memory\" (memory 1 1 shared))", "a shared memory", "threads", b""),
        (
            "(memory 1) (func $f (drop (i32.atomic.load (i32.const 0))))",
            "i32.atomic.load",
            "threads",
            b"\xfe\x10",
        ),
        (
            "(memory 1) (func $f (drop (i64.atomic.rmw8.add_u (i32.const 0) (i64.const 0))))",
            "i64.atomic.rmw8",
            "threads",
            b"\xfe\x22",
        ),
        ("(func $f (atomic.fence))", "atomic.fence", "threads", b"\xfe\x03"),
        ("(tag)", "a tag", "exception handling", b""),
        ("(import \"env\" \"tag\" (tag))", "the type of the import `env.tag`", "exception handling", b""),
        ("(func $f (try_table))", "try_table", "exception handling", b"\x1f"),
        ("(func $f (local exnref))", "the type of a local", "exception handling", b""),
        ("(memory i64 1)", "a 64-bit memory", "memory64", b""),
        ("(table i64 1 funcref)", "a 64-bit table", "memory64", b""),
        ("(memory 1) (memory 1)", "a second memory", "multi-memory", b""),
        ("(memory 1 (pagesize 1))", "a memory with custom page size", "custom page sizes", b""),
        ("(type (struct (field i32)))", "type 0, a struct", "garbage collection", b""),
        ("(type (array i8))", "type 0, an array", "garbage collection", b""),
        ("(func $f (drop (ref.i31 (i32.const 1))))", "ref.i31", "garbage collection", b"\xfb\x1c"),
        ("(func $f (param anyref))", "type 0, a function type", "garbage collection", b""),
        (
            "(type $t (func)) (func $f (param (ref $t)))",
            "type 1, a function type",
            "typed function references",
            b"",
        ),
        (
            "(type $t (func)) (func $f (call_ref $t (unreachable)))",
            "call_ref",
            "typed function references",
            b"\x14",
        ),
        (
            "(func $f (drop (ref.as_non_null (ref.null func))))",
            "ref.as_non_null",
            "typed function references",
            b"\xd4",
        ),
        (
            "(type $t (func)) (func $f (local (ref null $t)))",
            "the type of a local",
            "typed function references",
            b"",
        ),
        (
            "(func $f (i64.const 0) (i64.const 0) (i64.const 0) (i64.const 0) (i64.add128) (drop) (drop))",
            "i64.add128",
            "wide arithmetic",
            b"\xfc\x13",
        ),
        ("(type $t (func)) (type (cont $t))", "type 1, a continuation", "stack switching", b""),
    ] {
        let binary =
            wat::parse_str(format!("(module {wat})")).unwrap_or_else(|error| panic!("{wat}: {error}"));
        let message = error(&binary);
        assert!(message.starts_with(&format!("unsupported: {what}")), "{wat}: {message}");
        assert!(message.contains(&format!(". It belongs to the {proposal} proposal: ")), "{wat}: {message}");
        let (_, offset) = message.split_once("(at offset 0x").unwrap_or_else(|| panic!("{wat}: {message}"));
        let offset = usize::from_str_radix(offset.split_once(')').unwrap().0, 16).unwrap();
        if !bytes.is_empty() {
            assert!(message.contains(" in function `f` (func[0])"), "{wat}: {message}");
            assert!(binary[offset..].starts_with(bytes), "{wat}: {message}");
        }
        // The same error comes if only the exports are asked for.
        let exports = crate::exported_functions(&binary, &Options::default());
        assert!(!exports.is_err_and(|error| error.to_string() != message), "{wat}");
    }
}

#[test]
fn invalid_modules_are_not_unsupported() {
    for wat in [
        "(tag) (func (result i32))",
        "(memory 1 1 shared) (func (drop (i32.load (i64.const 0))))",
        "(func (drop (ref.i31 (i64.const 1))))",
        "(func (drop (i32.atomic.load (i32.const 0))))",
    ] {
        let message = error(format!("(module {wat})"));
        assert!(message.starts_with("invalid module: "), "{wat}: {message}");
        assert!(!message.contains("enabled"), "{wat}: {message}");
    }
}

#[test]
fn what_is_no_core_module_of_its_own() {
    let component = "unsupported: a component, not a core module (at offset 0x4). Compile to a core module";
    assert!(error("(component)").starts_with(component));
    for version in ["\x0a", "\x0d", "\x0e"] {
        assert!(error(format!("\0asm{version}\0\x01\0")).starts_with(component));
    }
    for name in ["dylink.0", "dylink"] {
        let wat = format!(
            "(module (@custom \"{name}\" (before first) \"\\01\\04\\00\\00\\00\\00\")
                (import \"env\" \"memory\" (memory 1)) (import \"env\" \"__memory_base\" (global i32)))"
        );
        let message = error(wat);
        assert!(
            message.starts_with("unsupported: a shared library") && message.contains("-sSIDE_MODULE"),
            "{message}"
        );
    }
}

#[test]
fn unsupported_declarations() {
    let wasm3 = Options { features: WasmFeatures::WASM3, ..Options::default() };
    assert!(error_with("(module (memory i64 1))", &wasm3).contains("a 64-bit memory"));
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
            "an import is missing:\n  m.other: global of type i64\ngive a global a value with --import MODULE.NAME=VALUE",
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
        ("table 11 funcref", "m.table", "but given as table of type funcref of 10 to 20 entries"),
        ("table 1 19 funcref", "m.table", "declared as table of type funcref of 1 to 19 entries"),
        ("table 1 externref", "m.table", "declared as table of type externref"),
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
    let expected = "an import is missing:\n  host.f: function of type (i32) -> (i64)\ngive a function a role with --import";
    assert!(message.starts_with(expected), "{message}");
    let role = |role| {
        let mut options = Options::default();
        options.imports.insert("host.f".into(), role);
        options
    };
    let message = error_with(wat, &role(Role::StdoutByte));
    assert_eq!(
        message,
        "import `host.f` has type (i32) -> (i64), but a function with role stdout-byte has type (i32) -> ()"
    );
    for (role_, expected) in
        [(Role::Nop, Ok(vec![0])), (Role::Trap, Err(Failure::Trap(TrapCode::UnsupportedHostCall)))]
    {
        let module = with(wat, &role(role_));
        let mut machine = Machine::new(&module).unwrap();
        assert_eq!(machine.call("g", &[]), expected);
        assert_eq!(machine.call("again", &[7]), expected);
    }
    let constant = |number| Role::Constant(number);
    for role in [
        Role::StdoutByte,
        Role::StdinByte,
        Role::Nop,
        constant(Number::Int(-7)),
        constant(Number::Float(0.5)),
        Role::Trap,
    ] {
        assert_eq!(Role::from_str(&role.to_string()), Ok(role));
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
        parse(wat.as_bytes(), &options)
            .map(|module| module.memories[MemoryId::from_u32(0)].size)
            .map_err(|error| error.to_string())
    };
    let max = |limits: &str, pages| match grow(limits, pages) {
        Ok(MemorySize::Cell { max, .. }) => max,
        other => panic!("{other:?}"),
    };
    assert_eq!(max("1", None), 1024);
    assert_eq!(max("1 10", None), 10);
    assert_eq!(max("1 1000", None), 1000);
    assert_eq!(max("1 2000", None), 1024);
    assert_eq!(max("256", None), 1024);
    assert_eq!(max("257", None), 1028);
    assert_eq!(max("300 1000", None), 1000);
    assert_eq!(max("300 1201", None), 1200);
    assert_eq!(max("20000", None), 65536);
    assert_eq!(max("1", Some(1000)), 1000);
    assert_eq!(max("1 10", Some(1000)), 10);
    let message = grow("3", Some(2)).unwrap_err();
    assert_eq!(message, "the initial size of the memory in pages is 3, more than the limit of 2");
    let constant = module("(module (memory 3 7) (func (export \"f\") (result i32) (memory.size)))");
    assert_eq!(constant.memories[MemoryId::from_u32(0)].size, MemorySize::Constant(3));
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

/// The error about a module that needs no proposal does not mention proposals.
#[test]
fn what_is_of_no_proposal_gets_no_advice() {
    let message = error("(module (func (export \"_initialize\") (param i32)))");
    assert!(message.contains("`_initialize`") && !message.contains("proposal"), "{message}");
}
