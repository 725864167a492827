//! Tensors on the command line: `NAME=VALUE`, where the value is numbers, text or `@FILE`; and as they are printed and written.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, anyhow};
use wasm2onnx_runtime::{Boundary, Dim, Element, ElementType, List, Name, Spec, Tensor};

use crate::command::failure::Failure;
use crate::command::files::open_within_patience;
use crate::command::npy;
use crate::command::output::Output;

/// Maximum number of bytes of a file with a tensor: no tensor has more.
const MAX_FILE: u64 = 1 << 31;

/// Reads the inputs of a function, in any order.
pub fn parse(boundary: &Boundary, texts: &[OsString]) -> Result<Vec<Tensor>, Failure> {
    let all = || {
        let all: Vec<String> =
            boundary.inputs.iter().map(|spec| format!("{}=VALUE ({spec})", spec.name)).collect();
        if all.is_empty() { "it takes none".into() } else { format!("it takes {}", List(&all)) }
    };
    let mut tensors: Vec<Option<Tensor>> = vec![None; boundary.inputs.len()];
    for text in texts {
        let text = text.to_string_lossy();
        let Some((name, value)) = text.split_once('=') else {
            let hint = if text.starts_with('-') { "; options come before the input" } else { "" };
            return Err(Failure::Usage(format!("argument `{text}` is not NAME=VALUE; {}{hint}", all())));
        };
        let Some(input) = boundary.inputs.iter().position(|spec| spec.name == name) else {
            return Err(Failure::Usage(format!("the function has no input `{}`; {}", Name(name), all())));
        };
        if tensors[input].is_some() {
            return Err(Failure::Usage(format!("the input `{}` is given twice", Name(name))));
        }
        let spec = &boundary.inputs[input];
        tensors[input] = Some(match value.strip_prefix('@') {
            Some(path) => file(spec, Path::new(path)).with_context(|| format!("input `{name}`"))?,
            None => literal(spec, value).map_err(|why| Failure::Usage(format!("input `{name}`: {why}")))?,
        });
    }
    let missing: Vec<&Spec> = boundary
        .inputs
        .iter()
        .zip(&tensors)
        .filter(|(_, tensor)| tensor.is_none())
        .map(|(spec, _)| spec)
        .collect();
    if !missing.is_empty() {
        return Err(Failure::Usage(format!("not all inputs are given: {}; {}", List(&missing), all())));
    }
    Ok(tensors.into_iter().flatten().collect())
}

/// Reads a file: an array of NumPy, or the bytes of the elements.
fn file(spec: &Spec, path: &Path) -> anyhow::Result<Tensor> {
    let shown = || Name(&path.display().to_string()).to_string();
    let mut bytes = Vec::new();
    let reading = || format!("{} cannot be read", shown());
    let file = open_within_patience(path, OpenOptions::new().read(true)).with_context(reading)?;
    file.take(MAX_FILE + 1).read_to_end(&mut bytes).with_context(reading)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(anyhow!("{} is larger than {MAX_FILE} bytes, the limit for a tensor", shown()));
    }
    if bytes.starts_with(npy::MAGIC) {
        return npy::read(&bytes).map_err(|why| anyhow!("{}: {why}", shown()));
    }
    let size = spec.element.bytes();
    if !bytes.len().is_multiple_of(size) {
        let count = bytes.len();
        return Err(anyhow!("{}: {count} bytes are not elements of {size} bytes", shown()));
    }
    let count = bytes.len() / size;
    let shape = shape_of(spec, count).ok_or_else(|| {
        anyhow!("{}: its {count} elements do not say what shape {spec} has; give a .npy file", shown())
    })?;
    Tensor::from_bytes(spec.element, shape, bytes)
        .ok_or_else(|| anyhow!("{}: a bool is neither 0 nor 1", shown()))
}

/// Returns the dimensions of a tensor of so many elements, if at most one of them is open.
fn shape_of(spec: &Spec, count: usize) -> Option<Vec<usize>> {
    let fixed = |dim: &Dim| match dim {
        Dim::Fixed(size) => Some(*size as usize),
        _ => None,
    };
    let others: usize = spec.shape.iter().filter_map(fixed).try_fold(1usize, |a, b| a.checked_mul(b))?;
    let open = spec.shape.iter().filter(|dim| fixed(dim).is_none()).count();
    let size = match open {
        0 if others == count => 0,
        1 if others > 0 && count.is_multiple_of(others) => count / others,
        _ => return None,
    };
    Some(spec.shape.iter().map(|dim| fixed(dim).unwrap_or(size)).collect())
}

/// Reads numbers, lists of them in brackets, or, for bytes in one dimension, text.
fn literal(spec: &Spec, text: &str) -> Result<Tensor, String> {
    let trimmed = text.trim_start();
    if spec.element == ElementType::U8 && spec.shape.len() == 1 && !trimmed.starts_with('[') {
        return Ok(Tensor::list(text.as_bytes()));
    }
    let mut numbers = Vec::new();
    let mut shape = vec![None; spec.shape.len()];
    let rest = nested(trimmed, &mut shape, spec.element, &mut numbers).map_err(|why| {
        let text_is =
            if spec.element == ElementType::U8 { ", text that does not begin with `[`" } else { "" };
        format!(
            "{why}; {spec} is numbers{text_is} or @FILE, and with dimensions in brackets, as [[1, 2], [3, 4]]"
        )
    })?;
    if !rest.trim().is_empty() {
        return Err(format!("`{}` follows the last bracket", rest.trim()));
    }
    // Lists that no empty list contains have the size that is asked for, or none.
    let known = |(size, dim): (Option<usize>, &Dim)| match (size, dim) {
        (Some(size), _) => size,
        (None, Dim::Fixed(size)) => *size as usize,
        (None, _) => 0,
    };
    let shape = shape.into_iter().zip(&spec.shape).map(known).collect();
    Tensor::from_bytes(spec.element, shape, numbers).ok_or_else(|| "a bool is neither 0 nor 1".into())
}

/// Reads a number if there are no dimensions, or else a list of what one dimension less has. Returns what follows.
fn nested<'t>(
    text: &'t str,
    shape: &mut [Option<usize>],
    element: ElementType,
    numbers: &mut Vec<u8>,
) -> Result<&'t str, String> {
    let Some((size, inner)) = shape.split_first_mut() else {
        let end = text.find([',', ']']).unwrap_or(text.len());
        number(text[..end].trim(), element, numbers)?;
        return Ok(&text[end..]);
    };
    let mut rest = text.trim_start().strip_prefix('[').ok_or("a `[` is missing")?.trim_start();
    let mut count = 0;
    while !rest.starts_with(']') {
        if count > 0 {
            rest = rest.strip_prefix(',').ok_or("a `,` or `]` is missing")?;
        }
        rest = nested(rest.trim_start(), inner, element, numbers)?.trim_start();
        count += 1;
    }
    match size {
        Some(size) if *size != count => Err(format!("lists side by side have {size} and {count} elements")),
        _ => {
            *size = Some(count);
            Ok(&rest[1..])
        }
    }
}

/// Reads a number of a type.
fn number(text: &str, element: ElementType, bytes: &mut Vec<u8>) -> Result<(), String> {
    fn put<T: Element + std::str::FromStr>(text: &str, bytes: &mut Vec<u8>) -> bool {
        text.parse().map(|number: T| number.write(bytes)).is_ok()
    }
    let read = match element {
        ElementType::Bool => {
            put::<bool>(text, bytes) || (matches!(text, "0" | "1") && put::<u8>(text, bytes))
        }
        ElementType::I8 => put::<i8>(text, bytes),
        ElementType::U8 => put::<u8>(text, bytes),
        ElementType::I16 => put::<i16>(text, bytes),
        ElementType::U16 => put::<u16>(text, bytes),
        ElementType::I32 => put::<i32>(text, bytes),
        ElementType::U32 => put::<u32>(text, bytes),
        ElementType::I64 => put::<i64>(text, bytes),
        ElementType::U64 => put::<u64>(text, bytes),
        ElementType::F32 => put::<f32>(text, bytes),
        ElementType::F64 => put::<f64>(text, bytes),
    };
    if read { Ok(()) } else { Err(format!("`{text}` is no {element}")) }
}

/// Returns the outputs as text, one per line: `ids: i64[1, 3] = [[101, 7592, 102]]`. Bytes in one dimension that are text are shown as text.
pub fn lines(boundary: &Boundary, outputs: &[Tensor]) -> String {
    let mut text = String::new();
    for (spec, tensor) in boundary.outputs.iter().zip(outputs) {
        write!(text, "{}: {tensor} = ", Name(&spec.name)).expect("strings can be written");
        let is_text =
            tensor.element() == ElementType::U8 && tensor.shape().len() == 1 && !tensor.bytes().is_empty();
        match std::str::from_utf8(tensor.bytes()) {
            Ok(shown) if is_text && shown.chars().all(|c| !c.is_control() || c == '\n' || c == '\t') => {
                write!(text, "{shown:?}").expect("strings can be written");
            }
            _ => {
                let numbers: Vec<String> = tensor
                    .bytes()
                    .chunks_exact(tensor.element().bytes())
                    .map(|b| shown(tensor.element(), b))
                    .collect();
                bracketed(tensor.shape(), &mut numbers.into_iter(), &mut text);
            }
        }
        text.push('\n');
    }
    text
}

/// Writes numbers in brackets, one pair for each dimension.
fn bracketed(shape: &[usize], numbers: &mut dyn Iterator<Item = String>, text: &mut String) {
    let Some((size, inner)) = shape.split_first() else {
        text.push_str(&numbers.next().unwrap_or_default());
        return;
    };
    text.push('[');
    for i in 0..*size {
        text.push_str(if i > 0 { ", " } else { "" });
        bracketed(inner, numbers, text);
    }
    text.push(']');
}

/// Returns a number as text.
fn shown(element: ElementType, bytes: &[u8]) -> String {
    match element {
        ElementType::Bool => bool::read(bytes).to_string(),
        ElementType::I8 => i8::read(bytes).to_string(),
        ElementType::U8 => u8::read(bytes).to_string(),
        ElementType::I16 => i16::read(bytes).to_string(),
        ElementType::U16 => u16::read(bytes).to_string(),
        ElementType::I32 => i32::read(bytes).to_string(),
        ElementType::U32 => u32::read(bytes).to_string(),
        ElementType::I64 => i64::read(bytes).to_string(),
        ElementType::U64 => u64::read(bytes).to_string(),
        ElementType::F32 => f32::read(bytes).to_string(),
        ElementType::F64 => f64::read(bytes).to_string(),
    }
}

/// Writes each output to a file `NAME.npy` in a directory, which is made if it does not exist.
pub fn write(boundary: &Boundary, outputs: &[Tensor], directory: &Path) -> Result<(), Failure> {
    let shown = || Name(&directory.display().to_string()).to_string();
    std::fs::create_dir_all(directory).with_context(|| format!("{} cannot be made", shown()))?;
    for (spec, tensor) in boundary.outputs.iter().zip(outputs) {
        let path = directory.join(format!("{}.npy", spec.name));
        Output::new(&path, None)?.write(&npy::write(tensor))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(element: ElementType, shape: &[Dim]) -> Spec {
        Spec { name: "x".into(), element, shape: shape.to_vec() }
    }

    #[test]
    fn literals_have_the_dimensions_of_their_brackets() {
        let n = Dim::Named("n".into());
        let read = |element, shape: &[Dim], text| literal(&spec(element, shape), text);
        assert_eq!(read(ElementType::I32, &[], "-7"), Ok(Tensor::scalar(-7i32)));
        assert_eq!(read(ElementType::U8, std::slice::from_ref(&n), "to be"), Ok(Tensor::list(b"to be")));
        assert_eq!(read(ElementType::U8, std::slice::from_ref(&n), "[1, 2]"), Ok(Tensor::list(&[1u8, 2])));
        assert_eq!(read(ElementType::F32, std::slice::from_ref(&n), "[]"), Ok(Tensor::list::<f32>(&[])));
        let empty = Tensor::list::<f32>(&[]).reshaped(&[0, 4]);
        assert_eq!(read(ElementType::F32, &[n.clone(), Dim::Fixed(4)], "[]").ok(), empty);
        let matrix = Tensor::list(&[1i64, 2, 3, 4, 5, 6]).reshaped(&[2, 3]);
        assert_eq!(read(ElementType::I64, &[n.clone(), Dim::Fixed(3)], "[[1,2,3], [4,5,6]]").ok(), matrix);
        for text in ["[1, 2", "1, 2", "[[1], [2, 3]]", "[1] 2", "[300]", "[1,,2]", "[x]"] {
            assert!(read(ElementType::I8, std::slice::from_ref(&n), text).is_err(), "{text}");
        }
    }
}
