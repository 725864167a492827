//! Code that the three programs share.

#![deny(missing_docs)]

use std::path::Path;

use anyhow::{Context, bail};
use ort::environment::Environment;
use ort::logging::LogLevel;
use ort::session::Session;
use ort::value::{DynTensor, DynValue, Tensor, TensorElementType};

/// Loads a model into the ONNX Runtime that `ORT_DYLIB_PATH` names.
///
/// # Errors
///
/// If there is no such library, or the file is not a model.
pub fn load(model: impl AsRef<Path>) -> anyhow::Result<Session> {
    let library = std::env::var_os("ORT_DYLIB_PATH").context(
        "set ORT_DYLIB_PATH to ONNX Runtime's library; Python's package has one in onnxruntime/capi",
    )?;
    let environment: Environment = ort::init_from(&library)?.build()?;
    // It warns of inputs with a default, and of the step form's initial values, which no node uses.
    let session = || -> ort::Result<Session> {
        Session::builder(&environment)?.with_log_level(LogLevel::Error)?.commit_from_file(model)
    };
    Ok(session()?)
}

/// Makes a tensor of the type that the model's input has, with one element for each instance.
///
/// # Errors
///
/// If an argument is not of this type.
pub fn argument(session: &Session, name: &str, texts: &[&str]) -> anyhow::Result<DynTensor> {
    fn parse<T: std::str::FromStr>(texts: &[&str]) -> anyhow::Result<([usize; 1], Vec<T>)> {
        let parse = |text: &&str| text.parse().ok().with_context(|| format!("`{text}` is not of its type"));
        Ok(([texts.len()], texts.iter().map(parse).collect::<Result<_, _>>()?))
    }
    let input = session.inputs().iter().find(|input| input.name() == name);
    let ty = input.with_context(|| format!("the model has no `{name}`"))?.dtype().tensor_type();
    Ok(match ty {
        Some(TensorElementType::Int32) => Tensor::from_array(parse::<i32>(texts)?)?.upcast(),
        Some(TensorElementType::Int64) => Tensor::from_array(parse::<i64>(texts)?)?.upcast(),
        Some(TensorElementType::Float32) => Tensor::from_array(parse::<f32>(texts)?)?.upcast(),
        Some(TensorElementType::Float64) => Tensor::from_array(parse::<f64>(texts)?)?.upcast(),
        other => bail!("`{name}` is of type {other:?}"),
    })
}

/// Returns the elements of a tensor as text.
///
/// # Errors
///
/// If a result cannot have the tensor's type.
pub fn elements(tensor: &DynValue) -> anyhow::Result<Vec<String>> {
    fn shown<T: ToString>(elements: &[T]) -> Vec<String> {
        elements.iter().map(T::to_string).collect()
    }
    Ok(match tensor.dtype().tensor_type() {
        Some(TensorElementType::Int32) => shown(tensor.try_extract_tensor::<i32>()?.1),
        Some(TensorElementType::Int64) => shown(tensor.try_extract_tensor::<i64>()?.1),
        Some(TensorElementType::Float32) => shown(tensor.try_extract_tensor::<f32>()?.1),
        Some(TensorElementType::Float64) => shown(tensor.try_extract_tensor::<f64>()?.1),
        other => bail!("a result is of type {other:?}"),
    })
}
