//! Families of modules of any size, each of which makes one thing in the compiler large.

use std::fmt::{self, Write};

/// A family: its name, what makes the text of a module of size `n`, and sizes for a test and for a benchmark.
#[allow(dead_code, reason = "tests use one size, the benchmark the other")]
pub struct Family {
    pub name: &'static str,
    pub text: fn(usize) -> String,
    /// Size for the test, which also compiles a module of twice this size.
    pub small: usize,
    /// The same for the benchmark.
    pub large: usize,
}

impl Family {
    /// Returns a module of size `n` in the binary format.
    pub fn module(&self, n: usize) -> Vec<u8> {
        wat::parse_str((self.text)(n)).expect("it is valid text")
    }
}

macro_rules! families {
    ($($name:ident $small:literal $large:literal,)*) => {
        /// All families.
        pub const FAMILIES: &[Family] =
            &[$(Family { name: stringify!($name), text: $name, small: $small, large: $large }),*];
    };
}

families! {
    table 2_000 4_000,
    ifs 4_000 20_000,
    loops 10_000 50_000,
    chain 4_000 40_000,
    tables 3_000 20_000,
    calls_twice 1_500 50_000,
    cycle 2_000 50_000,
    live 1_500 8_000,
    live_over_loops 300 5_000,
    carried 700 5_000,
    returns 1_000 10_000,
    straight 8_000 100_000,
    memory 800 50_000,
    calls 2_000 50_000,
    divisions 1_000 20_000,
    switches 700 20_000,
    constants 20_000 100_000,
    through_tables 500 4_000,
}

fn each(n: usize, mut f: impl FnMut(usize, &mut String) -> fmt::Result) -> String {
    let mut text = String::new();
    (0..n).for_each(|i| f(i, &mut text).expect("strings take all"));
    text
}

/// Makes a loop with a `br_table` of `n` targets.
fn table(n: usize) -> String {
    let arms = each(n, |i, out| {
        let sum = format!("(i32.add (i32.mul (local.get $s) (i32.const 3)) (i32.const {i}))");
        writeln!(out, "(local.set $s {sum}) (br $l))")
    });
    let labels = each(n, |i, out| write!(out, "{i} "));
    let blocks = "(block ".repeat(n);
    format!(
        "(module (func (export \"f\") (param $n i32) (result i32) (local $s i32)
           (loop $l (if (i32.eqz (local.get $n)) (then (return (local.get $s))))
             (local.set $n (i32.sub (local.get $n) (i32.const 1)))
             {blocks} (br_table {labels} (i32.rem_u (local.get $s) (i32.const {n}))) {arms}) (local.get $s)))"
    )
}

/// Makes `n` short ifs in a row.
fn ifs(n: usize) -> String {
    let ifs = each(n, |i, out| {
        let (bit, sum) = (1 << (i % 31), format!("(i32.add (local.get 1) (i32.const {i}))"));
        writeln!(out, "(if (i32.and (local.get 0) (i32.const {bit})) (then (local.set 1 {sum})))")
    });
    format!("(module (func (export \"f\") (param i32) (result i32) (local i32) {ifs} (local.get 1)))")
}

/// Makes `n` nested loops.
fn loops(n: usize) -> String {
    let (open, close) = ("(loop ".repeat(n), ")".repeat(n));
    let body = "(local.set 0 (i32.add (local.get 0) (i32.const 1)))";
    format!("(module (func (export \"f\") (param i32) (result i32) {open} {body} {close} (local.get 0)))")
}

/// Makes `n` functions, each of which calls the next.
fn chain(n: usize) -> String {
    let functions = each(n, |i, out| {
        let call = format!("(call $f{} (i32.add (local.get 0) (i32.const {i})))", i + 1);
        writeln!(out, "(func $f{i} (param i32) (result i32) {call})")
    });
    format!(
        "(module {functions} (func $f{n} (param i32) (result i32) (local.get 0)) (export \"f\" (func $f0)))"
    )
}

/// Makes a table of `n` functions.
fn tables(n: usize) -> String {
    let names = each(n, |i, out| write!(out, "$f{i} "));
    let functions = each(n, |i, out| {
        writeln!(out, "(func $f{i} (param i32) (result i32) (i32.add (local.get 0) (i32.const {i})))")
    });
    format!(
        "(module (type $t (func (param i32) (result i32))) (table funcref (elem {names})) {functions}
           (func (export \"f\") (param i32 i32) (result i32)
             (call_indirect (type $t) (local.get 0) (local.get 1))))"
    )
}

/// Makes `n` functions, each of which calls the next twice, so that none is put in place of a call.
fn calls_twice(n: usize) -> String {
    let functions = each(n, |i, out| {
        let call = |op: &str| format!("(call $f{} (i32.{op} (local.get 0) (i32.const {i})))", i + 1);
        writeln!(out, "(func $f{i} (param i32) (result i32) (i32.add {} {}))", call("add"), call("xor"))
    });
    let last = "(i32.div_u (i32.const 1000) (local.get 0))";
    format!("(module {functions} (func $f{n} (param i32) (result i32) {last}) (export \"f\" (func $f0)))")
}

/// Makes `n` functions, each of which calls the next; the last calls the first.
fn cycle(n: usize) -> String {
    let functions = each(n, |i, out| {
        let call = format!("(call $f{} (i32.add (local.get 0) (i32.const {i})))", (i + 1) % n);
        writeln!(out, "(func $f{i} (param i32) (result i32) {call})")
    });
    format!("(module {functions} (export \"f\" (func $f0)))")
}

/// Makes the exclusive or of locals 1 to `n`.
fn all_locals(n: usize) -> String {
    let rest = each(n - 1, |i, out| write!(out, "(i32.xor (local.get {}))", i + 2));
    format!("(local.get 1) {rest}")
}

/// Makes a loop, and then `n` locals in use at once.
fn live(n: usize) -> String {
    let sets = each(n, |i, out| write!(out, "(local.set {} (i32.mul (local.get 0) (i32.const {i})))", i + 1));
    let counted = "(local.tee 0 (i32.sub (local.get 0) (i32.const 1)))";
    format!(
        "(module (func (export \"f\") (param i32) (result i32) (local {}) {sets}
           (loop $l (br_if $l {counted})) {}))",
        "i32 ".repeat(n),
        all_locals(n)
    )
}

/// Makes `n` locals that live over 1.5 · `n` loops.
fn live_over_loops(n: usize) -> String {
    let loops = each(n + n / 2, |i, out| {
        let (a, b) = (1 + i % n, 1 + (i * 7 + 3) % n);
        write!(
            out,
            "(loop $l (local.set {a} (i32.add (local.get {a}) (local.get {b})))
               (br_if $l (i32.lt_u (local.get {a}) (local.get 0))))"
        )
    });
    format!(
        "(module (func (export \"f\") (param i32) (result i32) (local {}) {loops} {}))",
        "i32 ".repeat(n),
        all_locals(n)
    )
}

/// Makes a loop that changes `n` locals.
fn carried(n: usize) -> String {
    let sets = each(n, |i, out| {
        let (local, i) = (i + 1, i + 1);
        write!(out, "(local.set {local} (i32.add (local.get {local}) (i32.const {i})))")
    });
    let counted = "(local.tee 0 (i32.sub (local.get 0) (i32.const 1)))";
    format!(
        "(module (func (export \"f\") (param i32) (result i32) (local {})
           (loop $l {sets} (br_if $l {counted})) {}))",
        "i32 ".repeat(n),
        all_locals(n)
    )
}

/// Makes `n` early returns, and for every ten of them a value that lives over all of them.
fn returns(n: usize) -> String {
    let locals = n / 10;
    let sets =
        each(locals, |i, out| write!(out, "(local.set {} (i32.mul (local.get 0) (i32.const {i})))", i + 1));
    let returns = each(n, |i, out| {
        write!(
            out,
            "(if (i32.eq (i32.load offset={} (local.get 0)) (i32.const {i}))
               (then (i32.store (local.get 0) (local.get 0)) (return (local.get {}))))",
            4 * i % 60_000,
            1 + i % locals
        )
    });
    format!(
        "(module (memory 2) (func (export \"f\") (param i32) (result i32) (local {}) {sets} {returns} {}))",
        "i32 ".repeat(locals),
        all_locals(locals)
    )
}

/// Makes straight-line code of `n` assignments.
fn straight(n: usize) -> String {
    const OPS: [&str; 9] = ["add", "sub", "mul", "and", "or", "xor", "shl", "shr_u", "lt_u"];
    let mut random: u64 = 1;
    let mut below = |n: usize| {
        random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (random >> 33) as usize % n
    };
    let code = each(n, |_, out| {
        let (to, a, b, op, inner) = (below(8), below(8), below(8), OPS[below(9)], OPS[below(9)]);
        let bits = below(31);
        let constant = below(1 << bits);
        write!(
            out,
            "(local.set {to} (i32.{op} (local.get {a}) (i32.{inner} (local.get {b}) (i32.const {constant}))))"
        )
    });
    let rest = each(7, |i, out| write!(out, "(i32.xor (local.get {}))", i + 1));
    format!(
        "(module (func (export \"f\") (param {}) (result i32) {code} (local.get 0) {rest}))",
        "i32 ".repeat(8)
    )
}

/// Makes `n` loads and stores in a row.
fn memory(n: usize) -> String {
    let code = each(n, |i, out| {
        let (a, b) = (4 * i % 60_000, 7 * i % 60_000);
        write!(
            out,
            "(i32.store offset={a} (i32.and (local.get 0) (i32.const 4095))
               (i32.add (local.get 1) (i32.load8_u offset={b} (local.get 1))))"
        )
    });
    format!("(module (memory 2) (func (export \"f\") (param i32 i32) (result i32) {code} (local.get 0)))")
}

/// Makes `n` calls in a row.
fn calls(n: usize) -> String {
    let code = each(n, |i, out| write!(out, "(local.set 0 (call $g (local.get 0) (i32.const {i})))"));
    let again = "(call $g (local.get 0) (i32.sub (local.get 1) (i32.const 1)))";
    format!(
        "(module (func $g (param i32 i32) (result i32)
           (if (result i32) (local.get 1) (then (i32.add (local.get 1) {again})) (else (local.get 0))))
         (func (export \"f\") (param i32) (result i32) {code} (local.get 0)))"
    )
}

/// Makes `n` divisions in a row.
fn divisions(n: usize) -> String {
    let code = each(n, |i, out| {
        write!(out, "(local.set 1 (i32.add (local.get 1) (i32.div_u (local.get 0) (i32.const {}))))", i + 3)
    });
    format!("(module (func (export \"f\") (param i32) (result i32) (local i32) {code} (local.get 1)))")
}

/// Makes `n` small switches in a row.
fn switches(n: usize) -> String {
    let code = each(n, |i, out| {
        write!(
            out,
            "(block (block (block (br_table 0 1 2 (i32.and (local.get 0) (i32.const 3))))
               (local.set 0 (i32.add (local.get 0) (i32.const {i}))) (br 1))
               (local.set 0 (i32.xor (local.get 0) (i32.const 7))))"
        )
    });
    format!("(module (func (export \"f\") (param i32) (result i32) {code} (local.get 0)))")
}

/// Makes a loop whose `n` parameters turn out to be constants, and a join of as many.
fn constants(n: usize) -> String {
    let sets = |from: usize| each(n, |i, out| write!(out, "(local.set {} (i32.const {}))", i + 1, from + i));
    let (a, b) = (sets(3), sets(3));
    let counted = "(local.tee 0 (i32.sub (local.get 0) (i32.const 1)))";
    format!(
        "(module (memory 1) (func (export \"f\") (param i32) (result i32) (local {})
           (if (local.get 0) (then (i32.store (local.get 0) (local.get 0)) {a}) (else {b}))
           (loop $l {a} (br_if $l {counted})) {}))",
        "i32 ".repeat(n),
        all_locals(n)
    )
}

/// Makes `n` functions in a table, each of which calls through it.
fn through_tables(n: usize) -> String {
    let names = each(n, |i, out| write!(out, "$f{i} "));
    let functions = each(n, |i, out| {
        let call = "(call_indirect (type $t) (i32.sub (local.get 0) (i32.const 1)) (local.get 0))";
        writeln!(
            out,
            "(func $f{i} (param i32) (result i32)
               (if (result i32) (local.get 0) (then (i32.add {call} (i32.const {i}))) (else (i32.const {i}))))"
        )
    });
    format!(
        "(module (type $t (func (param i32) (result i32))) (table funcref (elem {names})) {functions}
           (export \"f\" (func $f0)))"
    )
}
