//! Calls a program: a model in loop form, which runs to the end in one call.
//!
//! `call MODEL.onnx [ARGS...] < INPUT`

use std::io::{Read, Write};

use anyhow::{Context, bail};
use ort::session::SessionInputValue;
use ort::value::Tensor;
use wasm2onnx_examples::{argument, elements, load};

fn main() -> anyhow::Result<()> {
    let mut args = std::env::args().skip(1);
    let mut session = load(args.next().context("call MODEL.onnx [ARGS...]")?)?;

    // An argument is a tensor with one element for each instance; here there is one.
    let mut inputs: Vec<(String, SessionInputValue)> = Vec::new();
    for (i, text) in args.enumerate() {
        let name = format!("arg{i}");
        let tensor = argument(&session, &name, &[&text])?;
        inputs.push((name, tensor.into()));
    }
    // Only programs that read bytes have this input.
    if session.inputs().iter().any(|input| input.name() == "stdin") {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes)?;
        inputs.push(("stdin".into(), Tensor::from_array(([bytes.len()], bytes))?.into()));
    }

    let outputs = session.run(inputs)?;

    // Only programs that print have this output.
    if let Some(bytes) = outputs.get("stdout") {
        std::io::stdout().write_all(bytes.try_extract_tensor::<u8>()?.1)?;
    }
    let number = |name: &str| anyhow::Ok(outputs[name].try_extract_tensor::<i64>()?.1[0]);
    let (trap, steps) = (number("trap")?, number("steps")?);
    if trap != 0 {
        bail!("trap {trap} after {steps} steps");
    }
    for (name, result) in &outputs {
        if name.starts_with("result") {
            println!("{}", elements(&result)?.concat());
        }
    }
    eprintln!("{steps} steps");
    Ok(())
}
