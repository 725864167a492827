//! Fuzzes arguments of the command. Each is either a value that is written as it was read and that a program
//! gets unchanged, or gives an error with a short message.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use wasm2onnx_compiler::{Certified, Options, compile};
use wasm2onnx_fuzz::gates::Gates;
use wasm2onnx_runtime::{Config, Error, Executor, Instance, Value, ValueType};

#[path = "../../onnx/command/arguments.rs"]
mod arguments;

const TYPES: [ValueType; 6] = [
    ValueType::I32,
    ValueType::I64,
    ValueType::F32,
    ValueType::F64,
    ValueType::FuncRef,
    ValueType::ExternRef,
];

/// A function that returns its arguments in reverse order.
static TURN: LazyLock<Certified> = LazyLock::new(|| {
    let text = r#"(module (func (export "turn") (param i32 i64 f32 f64 funcref externref)
        (result externref funcref f64 f32 i64 i32) (local.get 5) (local.get 4) (local.get 3) (local.get 2)
        (local.get 1) (local.get 0)))"#;
    compile(text.as_bytes(), &Options::default()).expect("a valid module")
});

static GATES: Gates<5> = Gates::new([
    "inputs",
    "a value of at least one type",
    "a value of an integer",
    "a value of a float that is no integer",
    "a program got it",
]);

fuzz_target!(|text: &str| {
    GATES.pass(0);
    let mut args = TYPES.map(|ty| Value::from_words(ty, [0, 0]));
    let mut read = [false; 6];
    for (i, ty) in TYPES.into_iter().enumerate() {
        match arguments::parse(text, ty) {
            Ok(value) => {
                assert_eq!(value.ty(), ty);
                // The payload of a NaN is not written.
                let is_nan = text.to_ascii_lowercase().contains("nan");
                let again = arguments::parse(&value.to_string(), ty);
                assert!(again == Ok(value) || is_nan, "{text:?} is {value}, and that is {again:?}");
                (args[i], read[i]) = (value, true);
            }
            Err(why) => assert!(why.len() < 200, "{why}"),
        }
    }
    if !read.contains(&true) {
        return;
    }
    GATES.pass(1);
    if read[0] || read[1] {
        GATES.pass(2);
    } else if read[2] || read[3] {
        GATES.pass(3);
    }
    for executor in [Executor::Sparse, Executor::Dense] {
        let config = Config { executor, compile_after: Some(0), assert_declared: false, ..Config::default() };
        let mut instance = Instance::with_config(&TURN, config).expect("a small network");
        let turned: Vec<_> = args.iter().rev().copied().collect();
        assert_eq!(instance.invoke("turn", &args), Ok(turned.clone()));
        // Arguments of other types, or fewer ones, are errors.
        for wrong in [&turned[..], &args[..5], &[]] {
            assert!(matches!(instance.invoke("turn", wrong), Err(Error::Arguments { .. })));
        }
    }
    GATES.pass(4);
});
