//! Programs for instructions on references, tables and segments, and those that move many bytes.

use super::Test;
use wasm2onnx_runtime::{Value, ValueType};

/// Where copies and fills begin, or how long they are, at edges of what one instruction or one token moves.
const LENGTHS: [u32; 16] = [0, 1, 2, 3, 4, 5, 7, 15, 16, 17, 31, 33, 48, 64, 65, 100];

/// Numbers of which sums overflow words or memory.
const FAR: [u32; 8] = [65_535, 65_536, 65_537, 131_072, 0x7fff_ffff, 0x8000_0000, 0xffff_fff0, u32::MAX];

/// Returns all tests of this file.
pub fn written() -> Vec<Test> {
    let mut tests = vec![references(), tables(), table_growth()];
    tests.extend(["1", "1 2"].map(memory));
    tests
}

/// Calls a function of three numbers: with each of the positions and each of the lengths, then with sums that
/// overflow.
fn call_on_positions(test: &mut Test, name: &str, positions: &[u32], lengths: &[u32]) {
    let mut rng = fastrand::Rng::with_seed(positions.len() as u64);
    let mut call = |a: u32, b: u32, c: u32| test.call(name, &[a.into(), b.into(), c.into()]);
    for &length in lengths {
        for &position in positions {
            let other = positions[rng.usize(..positions.len())];
            call(position, other, length);
            call(other, position, length);
            // Ranges that overlap, in either direction.
            call(position, position.wrapping_add(rng.u32(0..20)), length);
            call(position.wrapping_add(rng.u32(0..20)), position, length);
        }
    }
    for far in FAR {
        for near in [0, 1, 5, far, far.wrapping_neg()] {
            call(far, near, 1);
            call(near, far, 1);
            call(near, near, far);
            call(far, far, near);
            call(near, far, far);
            call(far, near, 0);
        }
    }
}

/// Tests memory.fill, memory.copy, memory.init and data.drop, in a memory that can grow and in one that
/// cannot.
fn memory(declaration: &str) -> Test {
    let grow = if declaration.contains(' ') { "(drop (memory.grow (i32.const 1)))" } else { "" };
    let constant: String = LENGTHS
        .iter()
        .map(|n| {
            format!(
                r#"(func (export "fill {n}") (param i32 i32)
                     (memory.fill (local.get 0) (local.get 1) (i32.const {n})))
                   (func (export "copy {n}") (param i32 i32)
                     (memory.copy (local.get 0) (local.get 1) (i32.const {n})))
                   (func (export "init {n}") (param i32 i32)
                     (memory.init $long (local.get 0) (local.get 1) (i32.const {n})))"#
            )
        })
        .collect();
    let wat = format!(
        r#"
        (memory (export "memory") {declaration})
        (data (i32.const 40) "some bytes that are there from the start, so that copies have something to copy")
        (data $short "abc")
        (data $long "the bytes of a passive segment, which are long enough for several turns of a loop, and \00\ff then some")
        (data $active (i32.const 200) "active")
        (data $never "never used")
        (func (export "fill") (param i32 i32 i32)
          (memory.fill (local.get 0) (local.get 1) (local.get 2)))
        (func (export "copy") (param i32 i32 i32)
          (memory.copy (local.get 0) (local.get 1) (local.get 2)))
        (func (export "init") (param i32 i32 i32)
          (memory.init $long (local.get 0) (local.get 1) (local.get 2)))
        (func (export "init short") (param i32 i32 i32)
          (memory.init $short (local.get 0) (local.get 1) (local.get 2)))
        (func (export "init active") (param i32 i32 i32)
          (memory.init $active (local.get 0) (local.get 1) (local.get 2)))
        (func (export "store, copy, load") (param i32 i32 i32) (result i32)
          (i32.store (local.get 0) (local.get 2))
          (memory.copy (local.get 1) (local.get 0) (i32.const 7))
          (i32.load (local.get 1)))
        (func (export "grow") {grow})
        (func (export "drop short") (data.drop $short))
        (func (export "drop active") (data.drop $active))
        (func (export "drop long") (data.drop $long))
        {constant}
        "#
    );
    let mut test = Test::new(format!("bulk-memory-{}", declaration.replace(' ', "-")), wat);
    let positions = [0, 1, 17, 40, 100, 220, 65_500, 65_519, 65_520, 65_530, 65_536];
    let in_segment = [0, 1, 2, 3, 4, 20, 90, 97, 98, 99, 100];
    for _ in 0..2 {
        for name in ["fill", "copy", "store, copy, load"] {
            call_on_positions(&mut test, name, &positions, &LENGTHS);
        }
        for name in ["init", "init short", "init active"] {
            call_on_positions(&mut test, name, &in_segment, &LENGTHS);
            for position in positions {
                test.call(name, &[position.into(), 1u32.into(), 2u32.into()]);
            }
        }
        for n in LENGTHS {
            for position in positions {
                test.call(&format!("copy {n}"), &[position.into(), (position / 2).into()]);
                test.call(&format!("copy {n}"), &[(position / 2).into(), position.into()]);
                test.call(&format!("copy {n}"), &[position.into(), (position + 3).into()]);
                test.call(&format!("fill {n}"), &[position.into(), (n + position).into()]);
                test.call(&format!("init {n}"), &[position.into(), (position % 120).into()]);
            }
        }
        for name in ["drop short", "drop active", "grow", "drop long", "drop long"] {
            test.call(name, &[]);
        }
    }
    test
}

/// Tests references that are made, kept in globals and tables, and asked for.
fn references() -> Test {
    use ValueType::I32;
    let wat = r#"
        (type $f (func (param i32) (result i32)))
        (table $t (export "table") 3 3 funcref)
        (elem declare func $double $next)
        (global $current (mut funcref) (ref.null func))
        (global $first funcref (ref.func $next))
        (global $none externref (ref.null extern))
        (func $double (type $f) (i32.mul (local.get 0) (i32.const 2)))
        (func $next (type $f) (i32.add (local.get 0) (i32.const 1)))
        (func $choose (param i32) (result funcref)
            (select (result funcref) (ref.func $double) (ref.null func) (local.get 0)))
        (func (export "is_null") (param i32) (result i32 i32 i32 i32)
            (ref.is_null (ref.null extern))
            (ref.is_null (global.get $none))
            (ref.is_null (ref.func $double))
            (ref.is_null (call $choose (local.get 0))))
        (func (export "keep") (param i32) (result i32)
            (global.set $current (call $choose (local.get 0)))
            (ref.is_null (global.get $current)))
        (func (export "kept") (param i32) (result i32)
            (table.set $t (i32.const 1) (global.get $current))
            (call_indirect $t (type $f) (local.get 0) (i32.const 1)))
        (func (export "first") (param i32) (result i32)
            (table.set $t (i32.const 2) (global.get $first))
            (call_indirect $t (type $f) (local.get 0) (i32.const 2)))
    "#;
    Test::new("references", wat).with_calls(&[
        ("is_null", &[I32]),
        ("kept", &[I32]),
        ("keep", &[I32]),
        ("kept", &[I32]),
        ("first", &[I32]),
    ])
}

/// Tests all instructions on tables, and calls through several of them: written ones, growing ones and
/// constant ones.
fn tables() -> Test {
    let functions: String =
        (0..12).map(|i| format!("(func $f{i} (type $f) (i32.const {}))\n", 100 + i)).collect();
    let wat = format!(
        r#"
        (type $f (func (result i32)))
        (type $other (func (param i64) (result i64)))
        (table $a 30 40 funcref)
        (table $b 25 25 funcref)
        (table $constant 4 funcref)
        (table $external 20 20 externref)
        (elem (table $a) (i32.const 2) func $f0 $f1 $f2 $other $f3)
        (elem (table $constant) (i32.const 1) func $f4 $other)
        (elem $long func $f0 $f1 $f2 $f3 $f4 $f5 $f6 $f7 $f8 $f9 $f10 $f11 $f0 $f1 $other $f3 $f4 $f5 $f6 $f7)
        (elem $nulls funcref (ref.func $f5) (ref.null func) (item ref.func $f6))
        (elem $declared declare func $f7)
        {functions}
        (func $other (type $other) (local.get 0))
        (func (export "call a") (param i32) (result i32) (call_indirect $a (type $f) (local.get 0)))
        (func (export "call b") (param i32) (result i32) (call_indirect $b (type $f) (local.get 0)))
        (func (export "call constant") (param i32) (result i32)
            (call_indirect $constant (type $f) (local.get 0)))
        (func (export "call other") (param i32) (result i64)
            (call_indirect $a (type $other) (i64.const 77) (local.get 0)))
        (func (export "is null") (param i32) (result i32) (ref.is_null (table.get $b (local.get 0))))
        (func (export "external is null") (param i32) (result i32)
            (ref.is_null (table.get $external (local.get 0))))
        (func (export "get, set") (param i32 i32) (table.set $b (local.get 0) (table.get $a (local.get 1))))
        (func (export "get constant") (param i32 i32)
            (table.set $b (local.get 0) (table.get $constant (local.get 1))))
        (func (export "sizes") (result i32 i32 i32) (table.size $a) (table.size $b) (table.size $external))
        (func (export "fill") (param i32 i32 i32)
            (table.fill $b (local.get 0) (ref.func $f7) (local.get 2)))
        (func (export "fill with null") (param i32 i32 i32)
            (table.fill $a (local.get 0) (ref.null func) (local.get 2)))
        (func (export "fill external") (param i32 i32 i32)
            (table.fill $external (local.get 0) (ref.null extern) (local.get 2)))
        (func (export "copy a b") (param i32 i32 i32)
            (table.copy $a $b (local.get 0) (local.get 1) (local.get 2)))
        (func (export "copy b a") (param i32 i32 i32)
            (table.copy $b $a (local.get 0) (local.get 1) (local.get 2)))
        (func (export "copy a a") (param i32 i32 i32)
            (table.copy $a $a (local.get 0) (local.get 1) (local.get 2)))
        (func (export "copy b constant") (param i32 i32 i32)
            (table.copy $b $constant (local.get 0) (local.get 1) (local.get 2)))
        (func (export "init a") (param i32 i32 i32)
            (table.init $a $long (local.get 0) (local.get 1) (local.get 2)))
        (func (export "init b") (param i32 i32 i32)
            (table.init $b $nulls (local.get 0) (local.get 1) (local.get 2)))
        (func (export "init declared") (param i32 i32 i32)
            (table.init $b $declared (local.get 0) (local.get 1) (local.get 2)))
        (func (export "drop") (elem.drop $long) (elem.drop $declared))
        (func (export "grow") (param i32) (result i32) (table.grow $a (ref.func $f11) (local.get 0)))
        "#
    );
    let mut test = Test::new("tables", wat);
    let look = |test: &mut Test| {
        for index in (0..42u32).chain([u32::MAX, 1 << 31]) {
            let callers = ["call a", "call b", "call other", "is null", "external is null"];
            callers.iter().for_each(|name| test.call(name, &[index.into()]));
        }
        (0..6u32).for_each(|index| test.call("call constant", &[index.into()]));
        test.call("sizes", &[]);
    };
    look(&mut test);
    let positions = [0, 1, 2, 3, 5, 9, 14, 20, 24, 25, 26, 29, 30, 31];
    let lengths = [0, 1, 2, 3, 4, 5, 16, 17, 20, 25, 30];
    for round in 0..2 {
        for name in [
            "init b",
            "copy a b",
            "fill",
            "init a",
            "copy b a",
            "copy a a",
            "fill with null",
            "fill external",
            "copy b constant",
            "init declared",
            "init a",
            "copy b a",
        ] {
            call_on_positions(&mut test, name, &positions, &lengths);
            look(&mut test);
        }
        for (a, b) in positions.iter().flat_map(|a| positions.iter().map(move |b| (*a, *b))) {
            test.call("get, set", &[a.into(), b.into()]);
            test.call("get constant", &[a.into(), (b % 7).into()]);
        }
        for delta in [0u32, 3, 100, u32::MAX, 7, 1] {
            test.call("grow", &[delta.into()]);
        }
        look(&mut test);
        if round == 1 {
            test.call("drop", &[]);
            look(&mut test);
            call_on_positions(&mut test, "init a", &positions, &lengths);
        }
    }
    test
}

/// Tests tables that grow from nothing, to their limit or as far as asked.
fn table_growth() -> Test {
    let wat = r#"
        (type $f (func (result i32)))
        (table $limited 0 37 funcref)
        (table $free 1 funcref)
        (elem declare func $one $two)
        (func $one (type $f) (i32.const 1))
        (func $two (type $f) (i32.const 2))
        (func (export "limited") (param i32) (result i32 i32)
            (table.grow $limited (ref.func $one) (local.get 0)) (table.size $limited))
        (func (export "free") (param i32) (result i32 i32)
            (table.grow $free (ref.func $two) (local.get 0)) (table.size $free))
        (func (export "call limited") (param i32) (result i32)
            (call_indirect $limited (type $f) (local.get 0)))
        (func (export "call free") (param i32) (result i32) (call_indirect $free (type $f) (local.get 0)))
        (func (export "set") (param i32) (table.set $limited (local.get 0) (ref.null func)))
    "#;
    let mut test = Test::new("table-growth", wat);
    for delta in [0u32, 1, 2, 0, 16, u32::MAX, 0x8000_0000, 17, 1, 38, 1, 1] {
        test.call("limited", &[delta.into()]);
        test.call("free", &[(delta % 1000).into()]);
        for index in (0..40u32).chain([u32::MAX, 500]) {
            test.call("call limited", &[index.into()]);
            test.call("call free", &[index.into()]);
        }
        test.call("set", &[Value::from(delta)]);
    }
    test
}
