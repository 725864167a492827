//! Compiles `recursive.wasm`, which clang made of `recursive.c` beside it, to a network and to a model of one of its functions.

fn main() -> Result<(), wasm2onnx::build::Error> {
    wasm2onnx::build::Builder::new().wasm("../recursive/recursive.wasm").onnx("takeuchi").compile()
}
