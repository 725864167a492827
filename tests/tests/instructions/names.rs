//! Functions, memories and globals that have the names of what the compiler itself makes: names are for
//! people.

use wasm2onnx_runtime::ValueType::{F32, F64, I32, I64};

use super::Test;

/// Names of library routines, regions of the trace, tables and sets of ids.
const NAMES: [&str; 34] = [
    "__udivrem32",
    "__udivrem64_32",
    "__udivrem64",
    "__sdivrem64",
    "__f32.add",
    "__f64.div",
    "__f64.promote_f32",
    "__f32.convert_i64_s",
    "__i64.trunc_sat_f64_u",
    "__copy memory, memory",
    "__fill memory",
    "memory",
    "stdout",
    "stdin",
    "data",
    "elements",
    "frame",
    "control.return",
    "control.fp",
    "global",
    "global.global[0]",
    "table0.function",
    "table0.type",
    "table0.reference",
    "reference.function",
    "and",
    "xor",
    "shl of byte 0",
    "rotl of byte 3",
    "popcnt",
    "jump 0",
    "returns",
    "functions",
    "func[0]",
];

/// Returns programs that use division, float arithmetic, copies, tables and the stack beside functions called
/// `name`, of two types, and a memory and a global with other such names.
fn programs(name: &str, memory: &str, global: &str) -> [Test; 2] {
    let rest = format!(
        r#"
        (memory (export "{memory}") 1)
        (global $g (export "{global}") (mut i32) (i32.const 7))
        (table 4 funcref) (elem (i32.const 1) $fac $fac)
        (func $fac (param i32) (result i32)
            (if (result i32) (i32.le_u (local.get 0) (i32.const 1)) (then (i32.const 1))
                (else (i32.mul (local.get 0) (call $fac (i32.sub (local.get 0) (i32.const 1)))))))
        (func (export "indirect") (param i32 i32) (result i32)
            (call_indirect (param i32) (result i32) (i32.and (local.get 0) (i32.const 15)) (local.get 1)))
        (func (export "divided") (param i32 i32) (result i32)
            (i32.sub (i32.div_u (local.get 0) (local.get 1)) (i32.rem_s (local.get 0) (local.get 1))))
        (func (export "divided wide") (param i64 i64) (result i64)
            (i64.sub (i64.div_u (local.get 0) (local.get 1)) (i64.rem_s (local.get 0) (local.get 1))))
        (func (export "floats") (param f32 f64) (result f64)
            (f64.div (f64.promote_f32 (f32.add (local.get 0) (f32.const 1.5))) (local.get 1)))
        (func (export "converted") (param f64) (result f32)
            (f32.convert_i64_s (i64.trunc_sat_f64_u (local.get 0))))
        (func (export "copied") (param i32 i32) (result i32)
            (i32.store (i32.const 8) (local.get 0))
            (memory.fill (i32.const 16) (local.get 1) (i32.and (local.get 1) (i32.const 63)))
            (memory.copy (i32.const 20) (i32.const 6) (i32.and (local.get 0) (i32.const 63)))
            (global.set $g (i32.xor (global.get $g) (local.get 0)))
            (i32.load (i32.const 21)))
        (func (export "bits") (param i32 i32) (result i32)
            (i32.add (i32.popcnt (i32.xor (local.get 0) (local.get 1)))
                (i32.rotl (i32.and (local.get 0) (local.get 1)) (i32.shl (local.get 0) (local.get 1)))))
        (func (export "switched") (param i32) (result i32)
            (block (block (block (br_table 0 1 2 1 (local.get 0))) (return (i32.const 5)))
                (return (i32.const 6))) (i32.const 7))"#
    );
    let two = format!(
        r#"(func $"{name}" (param i32 i32) (result i32 i32)
            (i32.add (local.get 0) (local.get 1)) (i32.sub (local.get 0) (local.get 1)))
        (func (export "{name}") (param i32 i32) (result i32 i32)
            (call $"{name}" (call $"{name}" (local.get 0) (i32.const 5))) (drop) (local.get 1)){rest}"#
    );
    let one = format!(
        r#"(func $"{name}" (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))
        (func (export "{name}") (param i32) (result i32)
            (call $"{name}" (call $"{name}" (local.get 0)))){rest}"#
    );
    let calls = [
        ("indirect", &[I32, I32][..]),
        ("divided", &[I32, I32]),
        ("divided wide", &[I64, I64]),
        ("floats", &[F32, F64]),
        ("converted", &[F64]),
        ("copied", &[I32, I32]),
        ("bits", &[I32, I32]),
        ("switched", &[I32]),
    ];
    [(two, "of-two", &[I32, I32][..]), (one, "of-one", &[I32])].map(|(wat, what, params)| {
        let what = format!("names-{}-{what}", name.replace([' ', '.', ',', '[', ']'], "-"));
        let mut test = Test::new(what, wat);
        for (function, params) in [(name, params)].into_iter().chain(calls) {
            test.call_on_few(function, params);
        }
        test
    })
}

#[test]
fn functions_may_have_the_names_of_what_the_compiler_makes() {
    for (i, name) in NAMES.iter().enumerate() {
        let other = |by: usize| NAMES[(i + by) % NAMES.len()];
        let [two, one] = programs(name, other(1), other(2));
        // Names of routines, which are called, are tried with functions of both types; other names take
        // turns.
        let is_routine = name.starts_with("__");
        if is_routine || i % 2 == 0 {
            two.run();
        }
        if is_routine || i % 2 == 1 {
            one.run();
        }
    }
}
