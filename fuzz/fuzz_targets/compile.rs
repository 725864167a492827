//! Any bytes, binary or text: a network that runs alike on all executors, or an error.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wasm2onnx_compiler::error::ErrorKind;
use wasm2onnx_compiler::{Options, compile};
use wasm2onnx_fuzz::judge;

fuzz_target!(|bytes: &[u8]| {
    match compile(bytes, &Options { max_memory_pages: Some(16), ..Options::default() }) {
        Ok(network) => judge(&network, [7, 0]),
        Err(error) => {
            assert!(!matches!(error.kind(), ErrorKind::Certificate(_)), "{error}");
            assert!(error.to_string().len() < 10_000, "a long message");
        }
    }
});
