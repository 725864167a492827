//! Calls functions of `recursive.wasm`, which the build script has compiled: natively, with a trap, and in ONNX Runtime.

use ort::session::Session;
use ort::value::Tensor;
use wasm2onnx_runtime::{Error, TrapCode};

wasm2onnx_runtime::include_network!("recursive");

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
