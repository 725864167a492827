//! Calls functions of modules that the build script has compiled: natively, with a trap, with tensors, and in ONNX Runtime.

use ort::session::Session;
use ort::value::Tensor;
use wasm2onnx_runtime::{Error, TrapCode};

wasm2onnx_runtime::include_network!("recursive");
wasm2onnx_runtime::include_network!("detections");

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut program = recursive::Recursive::new()?;
    let native = program.takeuchi(8, 4, 0)?;
    println!("takeuchi(8, 4, 0) = {native}");

    // This needs a deeper stack than a network has.
    match program.fibonacci(1_000_000) {
        Err(Error::Trap(trap)) if trap.code == TrapCode::CallStackExhausted => println!("fibonacci(1000000): {trap}"),
        other => return Err(format!("a trap was expected, not {other:?}").into()),
    }
    println!("ackermann(2, 3) = {}", program.ackermann(2, 3)?);

    // Three boxes, of which the second overlaps the first too much, and an infinite score, which the function reports as an error.
    let mut program = detections::Detections::new()?;
    let corners = [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 0.9, 2.0, 2.0, 3.0, 3.0f32];
    let boxes = wasm2onnx_runtime::Tensor::list(&corners).reshaped(&[3, 4]).expect("three rows of four");
    println!("selected are the boxes {:?}", program.nms(&boxes, &[0.9, 0.8, 0.7], 10, 0.5, 0.1)?);
    match program.nms(&boxes, &[0.9, f32::INFINITY, 0.7], 10, 0.5, 0.1) {
        Err(error @ Error::Reported(-1)) => println!("an infinite score: {error}"),
        other => return Err(format!("an error was expected, not {other:?}").into()),
    }

    let Some(library) = std::env::var_os("ORT_DYLIB_PATH") else {
        println!("ORT_DYLIB_PATH does not say where ONNX Runtime is");
        return Ok(());
    };
    let environment = ort::init_from(library)?.build()?;
    let model = include_bytes!(concat!(env!("OUT_DIR"), "/recursive-takeuchi.onnx"));
    let mut session = Session::builder(&environment)?.commit_from_memory(model)?;
    let number = |x: i32| Tensor::from_array(([1], vec![x]));
    let inputs = ort::inputs!["arg0" => number(8)?, "arg1" => number(4)?, "arg2" => number(0)?];
    let outputs = session.run(inputs)?;
    let result = outputs["result0"].try_extract_tensor::<i32>()?.1[0];
    println!("in ONNX Runtime it is {result}");
    assert_eq!(result, native);
    Ok(())
}
