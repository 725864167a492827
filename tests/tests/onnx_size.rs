//! How large models are, beyond the tables that programs share.

use std::fmt::Write;

use wasm2onnx::{Attention, Form, describe};
use wasm2onnx_compiler::{Options, compile};
use wasm2onnx_tests::onnx_runtime::model;
use wasmparser::{Parser, Payload};

/// Maximum number of bytes per instruction.
const MOST: usize = 64;

/// Makes functions of ordinary code, each with constants of its own: loops over memory, branches, calls, a
/// hash, a search; and one function that calls them by number.
fn program(functions: u32) -> Vec<u8> {
    let mut wat = String::from("(module (memory 2)\n");
    for f in 0..functions {
        let (a, b, c) = (1 + f * 7919 % 1000, 64 * f + 16, f % 13 + 3);
        let callee = f.saturating_sub(1);
        writeln!(
            wat,
            "(func $f{f} (param $n i32) (param $x i32) (result i32) (local $i i32) (local $h i32) (local $p i32)
                (local.set $h (i32.xor (local.get $x) (i32.const {a})))
                (local.set $p (i32.add (i32.shl (i32.and (local.get $x) (i32.const 63)) (i32.const 2)) (i32.const {b})))
                (if (i32.lt_s (local.get $n) (i32.const {c})) (then
                    (return (i32.sub (local.get $h) (i32.load offset={b} (i32.and (local.get $p) (i32.const 0xffc)))))))
                (loop $next
                    (local.set $h (i32.mul (i32.xor (local.get $h) (i32.load8_u (i32.add (local.get $p) (local.get $i))))
                        (i32.const 16777619)))
                    (if (i32.gt_u (local.get $h) (i32.load offset=4 (local.get $p))) (then
                        (i32.store offset=4 (local.get $p) (i32.rotl (local.get $h) (i32.const {c})))
                        (local.set $x (i32.add (local.get $x) (i32.const {a}))))
                    (else
                        (i32.store16 offset={c} (local.get $p) (i32.sub (local.get $x) (local.get $i)))))
                    (br_if $next (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))
                (i32.add (select (local.get $h) (local.get $x) (i32.eqz (i32.and (local.get $i) (i32.const 1))))
                    (call $f{callee} (i32.div_s (local.get $n) (i32.const 2)) (local.get $h))))"
        )
        .expect("strings can be written");
    }
    let labels: String = (0..functions).map(|f| format!(" {f}")).collect();
    let open: String = (0..functions).map(|_| "(block ").collect();
    let arms: String =
        (0..functions).map(|f| format!(") (return (call $f{f} (i32.const 9) (local.get 0)))\n")).collect();
    writeln!(
        wat,
        "(func (export \"run\") (param i32) (result i32) {open} (br_table{labels} (local.get 0)) {arms}
            unreachable))"
    )
    .expect("strings can be written");
    wat::parse_str(&wat).unwrap_or_else(|error| panic!("{error}"))
}

fn instructions(wasm: &[u8]) -> usize {
    let bodies = Parser::new(0).parse_all(wasm).filter_map(|payload| match payload.expect("it is valid") {
        Payload::CodeSectionEntry(body) => Some(body),
        _ => None,
    });
    bodies.map(|body| body.get_operators_reader().expect("it is valid").into_iter().count()).sum()
}

#[test]
fn models_of_large_programs_are_small() {
    let wasm = program(75);
    let count = instructions(&wasm);
    assert!(count > 5_000, "{count} instructions are too few");
    let options = Options { exports: Some(vec!["run".into()]), ..Options::default() };
    let network = compile(&wasm, &options).unwrap_or_else(|error| panic!("{error}"));
    let model = model(&network, "run", Form::Loop, Attention::Indexed);
    let (tables, _) = describe(&model).expect("it is a model").tensors;
    let bytes = model.len() - tables;
    println!("{count} instructions, {bytes} bytes: {:.1} for each", bytes as f64 / count as f64);
    assert!(bytes <= MOST * count, "{bytes} bytes for {count} instructions");
}
