//! Arguments of the command: a value that is written as it is read, or an error that is short.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wasm2onnx_runtime::ValueType;

#[path = "../../onnx/src/arguments.rs"]
mod arguments;

fuzz_target!(|text: &str| {
    for ty in [
        ValueType::I32,
        ValueType::I64,
        ValueType::F32,
        ValueType::F64,
        ValueType::FuncRef,
        ValueType::ExternRef,
    ] {
        match arguments::parse(text, ty) {
            Ok(value) => {
                assert_eq!(value.ty(), ty);
                let again = arguments::parse(&value.to_string(), ty);
                let is_nan = text.to_ascii_lowercase().contains("nan");
                assert!(again == Ok(value) || is_nan, "{text:?} is {value}, and that is {again:?}");
            }
            Err(why) => assert!(why.len() < 200, "{why}"),
        }
    }
});
