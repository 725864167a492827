//! Compiles two modules to networks: `recursive.wasm`, which clang made of `recursive.c` beside it, and also to a model of one of its functions;
//! and `detections.wasm`, of which one export becomes a function of tensors.

use wasm2onnx::build::{Builder, Error};

fn main() -> Result<(), Error> {
    Builder::new().wasm("../recursive/recursive.wasm").onnx("takeuchi").compile()?;
    let nms = "nms(boxes: f32[n, 4], scores: f32[n], most: i32, part: f32, threshold: f32, selected: out i64[n]) -> len(selected)";
    Builder::new().wasm("../tensors/detections/detections.wasm").signature(nms).compile()
}
