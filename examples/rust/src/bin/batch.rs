//! Calls a function with many arguments at once: instances of a model in loop form, side by side.
//!
//! `batch MODEL.onnx A,B,... [A,B,...]`, with one list for each parameter

use anyhow::{Context, ensure};
use ort::session::SessionInputValue;
use wasm2onnx_examples::{argument, elements, load};

fn main() -> anyhow::Result<()> {
    let mut args = std::env::args().skip(1);
    let mut session = load(args.next().context("batch MODEL.onnx A,B,... [A,B,...]")?)?;

    // Programs with a large trace, and those that read or print bytes, take one instance at a time.
    let first = session.inputs().iter().find(|input| input.name() == "arg0");
    let shape = first.and_then(|input| input.dtype().tensor_shape());
    ensure!(shape.is_some_and(|shape| shape[..] == [-1]), "this model runs one instance at a time");

    let lists: Vec<String> = args.collect();
    let columns: Vec<Vec<&str>> = lists.iter().map(|list| list.split(',').collect()).collect();
    let mut inputs: Vec<(String, SessionInputValue)> = Vec::new();
    for (i, column) in columns.iter().enumerate() {
        let name = format!("arg{i}");
        let tensor = argument(&session, &name, column)?;
        inputs.push((name, tensor.into()));
    }

    // Every instance is a fresh one, and each ends on its own: it has its own trap and its own number of
    // steps, and its results are 0 if it trapped.
    let outputs = session.run(inputs)?;
    let mut results = Vec::new();
    for (name, result) in &outputs {
        if name.starts_with("result") {
            results.push(elements(&result)?);
        }
    }
    let (_, traps) = outputs["trap"].try_extract_tensor::<i64>()?;
    let (_, steps) = outputs["steps"].try_extract_tensor::<i64>()?;
    for (i, (trap, steps)) in traps.iter().zip(steps).enumerate() {
        let args: Vec<&str> = columns.iter().map(|column| column[i]).collect();
        let values: Vec<&str> = results.iter().map(|result| result[i].as_str()).collect();
        let answer = if *trap == 0 { values.join(", ") } else { format!("trap {trap}") };
        println!("{} -> {answer} in {steps} steps", args.join(", "));
    }
    Ok(())
}
