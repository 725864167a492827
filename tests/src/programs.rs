//! Small programs for tests of executors and models. Each exports a function `run`.

use wasm2onnx_compiler::{Certified, Options, compile};
use wasm2onnx_runtime::Value::{self, F32, F64, I32, I64};

/// A program and calls of it.
pub struct Program {
    /// Its name.
    pub name: &'static str,
    /// Its text.
    pub wat: &'static str,
    /// Arguments to call `run` with.
    pub calls: &'static [&'static [Value]],
    /// Standard input.
    pub stdin: &'static [u8],
}

/// Number of bytes of standard input and of standard output for which a small program has cells.
const STREAM_BYTES: u64 = 1 << 8;

impl Program {
    /// Returns the module in the binary format.
    ///
    /// # Panics
    ///
    /// If the text is not a module.
    pub fn wasm(&self) -> Vec<u8> {
        wat::parse_str(self.wat).unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }

    /// Returns the network, which exports only `run`.
    ///
    /// # Panics
    ///
    /// If the program does not compile.
    pub fn network(&self) -> Certified {
        let options = Options {
            exports: Some(vec!["run".to_owned()]),
            stdin_bytes: STREAM_BYTES,
            stdout_bytes: STREAM_BYTES,
            ..Options::default()
        };
        compile(&self.wasm(), &options).unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }
}

/// Programs that together use most circuits. Each has one call, which returns.
pub const CIRCUITS: [Program; 9] = [
    Program {
        name: "recursion",
        wat: r#"(func $fib (export "run") (param i32) (result i32)
            (if (result i32) (i32.lt_u (local.get 0) (i32.const 2))
                (then (local.get 0))
                (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1)))
                               (call $fib (i32.sub (local.get 0) (i32.const 2)))))))"#,
        calls: &[&[I32(6)]],
        stdin: b"",
    },
    Program {
        name: "sorting",
        wat: r#"(memory 1) (data (i32.const 100) "\07\03\ff\00\2a\13")
        (func (export "run") (param $n i32) (result i32) (local $i i32) (local $j i32) (local $x i32) (local $y i32)
            (loop $outer
                (local.set $j (i32.const 100))
                (loop $inner
                    (local.set $x (i32.load8_u (local.get $j)))
                    (local.set $y (i32.load8_u offset=1 (local.get $j)))
                    (if (i32.gt_u (local.get $x) (local.get $y)) (then
                        (i32.store8 (local.get $j) (local.get $y))
                        (i32.store8 offset=1 (local.get $j) (local.get $x))))
                    (local.set $j (i32.add (local.get $j) (i32.const 1)))
                    (br_if $inner (i32.lt_u (local.get $j) (i32.add (i32.const 99) (local.get $n)))))
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (br_if $outer (i32.lt_u (local.get $i) (local.get $n))))
            (i32.load offset=100 (i32.const 0)))"#,
        calls: &[&[I32(6)]],
        stdin: b"",
    },
    Program {
        name: "bits",
        wat: r#"(func (export "run") (param $x i32) (param $n i32) (result i32)
            (loop $next
                (local.set $x (i32.xor (local.get $x) (i32.shl (local.get $x) (i32.const 13))))
                (local.set $x (i32.xor (local.get $x) (i32.shr_u (local.get $x) (local.get $n))))
                (local.set $x (i32.rotl (i32.and (local.get $x) (i32.const 0x7ffffff1)) (i32.popcnt (local.get $x))))
                (local.set $x (i32.or (local.get $x) (i32.clz (local.get $x))))
                (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
            (local.get $x))"#,
        calls: &[&[I32(0x1234_5678), I32(7)]],
        stdin: b"",
    },
    Program {
        name: "division",
        wat: r#"(func (export "run") (param $a i32) (param $b i32) (result i32) (local $t i32)
            (loop $next
                (local.set $t (i32.rem_u (local.get $a) (local.get $b)))
                (local.set $a (i32.add (i32.div_s (local.get $b) (i32.const 3)) (i32.mul (local.get $b) (i32.const 5))))
                (local.set $b (local.get $t))
                (br_if $next (i32.gt_s (local.get $b) (i32.const 1))))
            (local.get $a))"#,
        calls: &[&[I32(123_456_789), I32(98_765)]],
        stdin: b"",
    },
    Program {
        name: "wide",
        wat: r#"(func (export "run") (param $n i32) (result i64) (local $h i64)
            (local.set $h (i64.const 0xcbf29ce484222325))
            (loop $next
                (local.set $h (i64.mul (i64.xor (local.get $h) (i64.extend_i32_u (local.get $n))) (i64.const 0x100000001b3)))
                (local.set $h (i64.sub (i64.rotr (local.get $h) (i64.const 11)) (i64.extend_i32_s (local.get $n))))
                (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
            (select (local.get $h) (i64.const -1) (i64.lt_s (local.get $h) (i64.const 0))))"#,
        calls: &[&[I32(5)]],
        stdin: b"",
    },
    Program {
        name: "interpreter",
        wat: r#"(memory 1) (data (i32.const 0) "\01\03\01\04\02\01\05\03\00")
        (type $op (func (param i32 i32) (result i32)))
        (table funcref (elem $add $mul))
        (func $add (type $op) (i32.add (local.get 0) (local.get 1)))
        (func $mul (type $op) (i32.mul (local.get 0) (local.get 1)))
        (global $sp (mut i32) (i32.const 1024))
        (func $push (param i32)
            (i32.store (global.get $sp) (local.get 0))
            (global.set $sp (i32.add (global.get $sp) (i32.const 4))))
        (func $pop (result i32)
            (global.set $sp (i32.sub (global.get $sp) (i32.const 4)))
            (i32.load (global.get $sp)))
        (func (export "run") (param $pc i32) (result i32) (local $op i32)
            (loop $next
                (local.set $op (i32.load8_u (local.get $pc)))
                (local.set $pc (i32.add (local.get $pc) (i32.const 1)))
                (block $halt (block $constant (block $binary
                    (br_table $halt $constant $binary $binary (local.get $op)))
                    (call $push (call_indirect (type $op) (call $pop) (call $pop) (i32.sub (local.get $op) (i32.const 2))))
                    (br $next))
                    (call $push (i32.load8_u (local.get $pc)))
                    (local.set $pc (i32.add (local.get $pc) (i32.const 1)))
                    (br $next)))
            (call $pop))"#,
        calls: &[&[I32(0)]],
        stdin: b"",
    },
    Program {
        name: "floats",
        wat: r#"(func (export "run") (param $x f32) (param $n i32) (result f32 i32) (local $sum f32)
            (loop $next
                (local.set $sum (f32.add (local.get $sum) (f32.mul (local.get $x) (f32.const 0.3))))
                (if (f32.lt (local.get $sum) (f32.const 2)) (then (local.set $x (f32.neg (local.get $sum)))))
                (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
            (local.get $sum) (i32.trunc_f32_s (local.get $sum)))"#,
        calls: &[&[F32(0x402d_f854), I32(3)]],
        stdin: b"",
    },
    Program {
        name: "bulk memory",
        wat: r#"(memory 1 2) (data $text "bytes of a passive segment")
        (func (export "run") (param $n i32) (result i64)
            (memory.init $text (i32.const 8) (i32.const 2) (local.get $n))
            (memory.copy (i32.const 10) (i32.const 8) (local.get $n))
            (memory.copy (i32.const 3) (i32.const 9) (i32.const 11))
            (memory.fill (i32.add (local.get $n) (i32.const 65530)) (local.get $n) (memory.grow (i32.const 1)))
            (data.drop $text)
            (memory.init $text (i32.const 0) (i32.const 0) (i32.const 0))
            (i64.add (i64.load (i32.const 5)) (i64.load (i32.add (local.get $n) (i32.const 65525)))))"#,
        calls: &[&[I32(21)]],
        stdin: b"",
    },
    Program {
        name: "tables",
        wat: r#"(type $f (func (param i32) (result i32)))
        (table $grows 2 20 funcref) (table $constant 2 funcref) (table $external 3 3 externref)
        (elem (table $constant) (i32.const 0) func $double $next)
        (elem $passive func $next $double $next $square $next)
        (func $double (type $f) (i32.mul (local.get 0) (i32.const 2)))
        (func $next (type $f) (i32.add (local.get 0) (i32.const 1)))
        (func $square (type $f) (i32.mul (local.get 0) (local.get 0)))
        (func (export "run") (param $n i32) (result i32) (local $x i32)
            (drop (table.grow $grows (ref.func $square) (local.get $n)))
            (table.init $grows $passive (i32.const 0) (i32.const 1) (i32.const 4))
            (elem.drop $passive)
            (table.copy $grows $grows (i32.const 2) (i32.const 1) (local.get $n))
            (table.fill $grows (i32.const 4) (ref.null func) (i32.const 1))
            (table.set $grows (i32.const 4) (table.get $constant (i32.const 1)))
            (table.set $external (i32.const 1) (table.get $external (i32.const 2)))
            (local.set $x (ref.is_null (table.get $external (i32.const 1))))
            (loop $next
                (local.set $n (i32.sub (local.get $n) (i32.const 1)))
                (local.set $x (call_indirect $grows (type $f) (local.get $x) (local.get $n)))
                (local.set $x (call_indirect $constant (type $f) (local.get $x) (i32.and (local.get $n) (i32.const 1))))
                (br_if $next (local.get $n)))
            (i32.add (local.get $x) (table.size $grows)))"#,
        calls: &[&[I32(5)]],
        stdin: b"",
    },
];

/// Programs for rare features: traps of all kinds, instance creation, signatures, bytes.
pub const CORNERS: [Program; 14] = [
    Program {
        name: "division_traps",
        wat: r#"(func (export "run") (param $a i32) (param $b i64) (result i64)
            (i64.add
                (i64.extend_i32_s (i32.div_s (local.get $a) (i32.wrap_i64 (local.get $b))))
                (i64.div_s (i64.extend_i32_s (local.get $a)) (i64.sub (local.get $b) (i64.const 7)))))"#,
        calls: &[&[I32(-91), I64(5)], &[I32(1), I64(0)], &[I32(i32::MIN), I64(-1)], &[I32(3), I64(7)]],
        stdin: b"",
    },
    Program {
        name: "memory_traps",
        wat: r#"(memory 1 1) (data (i32.const 65532) "\01\02\03\04")
            (func (export "run") (param $at i32) (param $size i32) (result i32) (local $old i32)
                (local.set $old (i32.load (i32.and (local.get $at) (i32.const 65535))))
                (i32.store offset=4 (local.get $at) (i32.const -1))
                (i64.store (local.get $at) (i64.const 0x0102030405060708))
                (i32.store16 offset=3 (local.get $at) (local.get $old))
                (i32.store8 offset=3 (local.get $at) (local.get $size))
                (i32.add (memory.grow (local.get $size)) (i32.load offset=2 (local.get $at))))"#,
        calls: &[
            &[I32(0), I32(0)],
            &[I32(65528), I32(0)],
            &[I32(65528), I32(77)],
            &[I32(65529), I32(1)],
            &[I32(65533), I32(1)],
            &[I32(-1), I32(1)],
        ],
        stdin: b"",
    },
    Program {
        name: "indirect_traps",
        wat: r#"(type $unary (func (param i32) (result i32))) (type $none (func))
            (table 6 funcref) (elem (i32.const 1) $double $nothing $negate)
            (func $double (type $unary) (i32.mul (local.get 0) (i32.const 2)))
            (func $negate (type $unary) (i32.sub (i32.const 0) (local.get 0)))
            (func $nothing (type $none))
            (func (export "run") (param i32) (result i32)
                (call_indirect (type $unary) (i32.const 21) (local.get 0)))"#,
        calls: &[&[I32(1)], &[I32(3)], &[I32(2)], &[I32(0)], &[I32(6)], &[I32(-1)]],
        stdin: b"",
    },
    Program {
        name: "branch_table",
        wat: r#"(func (export "run") (param $n i32) (result i32) (local $sum i32)
            (loop $next
                (block $default (block $two (block $one (block $zero
                    (br_table $zero $one $two $one $default (i32.rem_u (local.get $n) (i32.const 7))))
                    (local.set $sum (i32.add (local.get $sum) (i32.const 1))) (br $default))
                    (local.set $sum (i32.xor (local.get $sum) (i32.const 0x5555))) (br $default))
                    (if (i32.eq (local.get $n) (i32.const 2)) (then unreachable))
                    (local.set $sum (i32.mul (local.get $sum) (i32.const 3))))
                (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 3)))))
            (local.get $sum))"#,
        calls: &[&[I32(30)], &[I32(3)], &[I32(32)]],
        stdin: b"",
    },
    Program {
        name: "start",
        wat: r#"(memory 1) (data (i32.const 8) "\05\00\00\00") (global $g (mut i64) (i64.const -2))
            (func $init (local $i i32)
                (loop $next
                    (i32.store (i32.mul (local.get $i) (i32.const 4))
                        (i32.add (i32.load (i32.const 8)) (local.get $i)))
                    (global.set $g (i64.mul (global.get $g) (i64.const 3)))
                    (br_if $next (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 9)))))
            (start $init)
            (func (export "run") (param i32) (result i64)
                (i64.add (global.get $g) (i64.load32_s (local.get 0))))"#,
        calls: &[&[I32(0)], &[I32(12)], &[I32(65533)]],
        stdin: b"",
    },
    Program {
        name: "start_traps",
        wat: r#"(memory 1 1) (func $init (local $i i32)
                (loop $next
                    (i32.store (local.get $i) (local.get $i))
                    (local.set $i (i32.add (local.get $i) (i32.const 13107)))
                    (br $next)))
            (start $init)
            (func (export "run") (result i32) (i32.const 1))"#,
        calls: &[&[]],
        stdin: b"",
    },
    Program {
        name: "many_values",
        wat: r#"(func $turn (param i64 i32 i64 i32 i64 i64 i64 i64 i64 i64) (result i64 i64 i64 i64 i64 i32 i64 i32 i64 i64)
                (i64.sub (local.get 9) (local.get 0)) (local.get 8) (local.get 7) (local.get 6) (local.get 5)
                (local.get 3) (local.get 4) (local.get 1) (local.get 2) (local.get 0))
            (func (export "run") (param i64 i32 i64 i32 i64 i64 i64 i64 i64 i64)
                (result i64 i64 i64 i64 i64 i32 i64 i32 i64 i64)
                (call $turn (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4)
                    (local.get 5) (local.get 6) (local.get 7) (local.get 8) (local.get 9)))"#,
        calls: &[&[
            I64(-1),
            I32(2),
            I64(i64::MIN),
            I32(-4),
            I64(5),
            I64(0x0123_4567_89ab_cdef),
            I64(0),
            I64(-8),
            I64(1 << 40),
            I64(10),
        ]],
        stdin: b"",
    },
    Program {
        name: "tail_calls",
        wat: r#"(type $turn (func (param i64 i64 i64 i64 i64 i64 i64 i32) (result i64 i64 i64 i64 i64 i64 i64)))
            (table 3 funcref) (elem (i32.const 0) $turn $back)
            (func $turn (type $turn)
                (if (i32.eqz (local.get 7)) (then (return (local.get 0) (local.get 1) (local.get 2) (local.get 3)
                    (local.get 4) (local.get 5) (local.get 6))))
                (return_call $back (local.get 6) (local.get 0) (local.get 1) (local.get 2) (local.get 3)
                    (local.get 4) (local.get 5) (i32.sub (local.get 7) (i32.const 1))))
            (func $back (type $turn)
                (return_call_indirect (type $turn) (local.get 6) (local.get 5) (local.get 4) (local.get 3)
                    (local.get 2) (local.get 1) (local.get 0) (local.get 7)
                    (i32.and (local.get 7) (i32.const 2))))
            (func (export "run") (param i32) (result i64 i64 i64 i64 i64 i64 i64)
                (return_call $turn (i64.const -1) (i64.const 2) (i64.const 3) (i64.const 4) (i64.const 5) (i64.const 6)
                    (i64.extend_i32_s (local.get 0)) (local.get 0)))"#,
        calls: &[&[I32(0)], &[I32(2)], &[I32(3)]],
        stdin: b"",
    },
    Program {
        name: "floats",
        wat: r#"(func (export "run") (param $a f32) (param $b f64) (param $swap i32) (result f64 f32)
            (select (local.get $b) (f64.reinterpret_i64 (i64.const 0x7ff8000000000001)) (local.get $swap))
            (f32.reinterpret_i32 (i32.xor (i32.reinterpret_f32 (local.get $a)) (i32.const 0x80000000)))
            (if (i32.eq (local.get $swap) (i32.const 2)) (then unreachable)))"#,
        calls: &[
            &[F32(0x3fc0_0000), F64(0xc000_0000_0000_0001), I32(1)],
            &[F32(0xffc0_0001), F64(1), I32(0)],
            &[F32(0x8000_0000), F64(0x7ff0_0000_0000_0000), I32(1)],
            &[F32(1), F64(1), I32(2)],
        ],
        stdin: b"",
    },
    Program {
        name: "no_arguments",
        wat: r#"(global $n (mut i32) (i32.const 12))
            (func (export "run") (result i32 i64) (local $sum i64)
                (loop $next
                    (local.set $sum (i64.add (i64.rotl (local.get $sum) (i64.const 9)) (i64.extend_i32_u (global.get $n))))
                    (global.set $n (i32.sub (global.get $n) (i32.const 1)))
                    (br_if $next (global.get $n)))
                (global.get $n) (local.get $sum))"#,
        calls: &[&[]],
        stdin: b"",
    },
    Program {
        name: "no_results",
        wat: r#"(func (export "run") (param i32) (if (local.get 0) (then unreachable)))"#,
        calls: &[&[I32(0)], &[I32(1)]],
        stdin: b"",
    },
    Program {
        // No expert has any term but that of the next id.
        name: "nothing",
        wat: r#"(func (export "run"))"#,
        calls: &[&[]],
        stdin: b"",
    },
    Program {
        name: "echo",
        wat: r#"(import "env" "input_byte" (func $in (result i32))) (import "env" "output_byte" (func $out (param i32)))
            (func (export "run") (result i32) (local $byte i32) (local $count i32)
                (loop $next
                    (if (i32.ge_s (local.tee $byte (call $in)) (i32.const 0)) (then
                        (call $out (i32.xor (local.get $byte) (i32.const 32)))
                        (local.set $count (i32.add (local.get $count) (i32.const 1)))
                        (br_if $next (i32.ne (local.get $byte) (i32.const 33)))
                        unreachable)))
                (local.get $count))"#,
        calls: &[&[]],
        stdin: b"Hello, \x00\xff World",
    },
    Program {
        name: "echo_traps",
        wat: r#"(import "env" "input_byte" (func $in (result i32))) (import "env" "output_byte" (func $out (param i32)))
            (func (export "run") (param $divisor i32) (local $byte i32)
                (loop $next
                    (call $out (i32.rem_u (local.tee $byte (call $in)) (local.get $divisor)))
                    (br_if $next (i32.ge_s (local.get $byte) (i32.const 0)))
                    (call $out (i32.div_u (i32.const 1) (i32.add (local.get $byte) (i32.const 1))))))"#,
        calls: &[&[I32(7)], &[I32(0)]],
        stdin: b"abc",
    },
];

/// Returns all programs.
pub fn all() -> impl Iterator<Item = Program> {
    CIRCUITS.into_iter().chain(CORNERS)
}
