//! The `wasm2onnx` command as a program.

use std::process::ExitCode;

fn main() -> ExitCode {
    wasm2onnx::command::main(std::env::args_os()).into()
}
