//! Arrays of NumPy in files: <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>.

use wasm2onnx_runtime::{ElementType, Tensor};

/// What a file begins with.
pub const MAGIC: &[u8] = b"\x93NUMPY";

/// Types as NumPy writes them, and ours.
const TYPES: [(&str, ElementType); 11] = [
    ("|b1", ElementType::Bool),
    ("|i1", ElementType::I8),
    ("|u1", ElementType::U8),
    ("<i2", ElementType::I16),
    ("<u2", ElementType::U16),
    ("<i4", ElementType::I32),
    ("<u4", ElementType::U32),
    ("<i8", ElementType::I64),
    ("<u8", ElementType::U64),
    ("<f4", ElementType::F32),
    ("<f8", ElementType::F64),
];

/// Returns a tensor as a file, in version 1.0 of the format.
pub fn write(tensor: &Tensor) -> Vec<u8> {
    let descr = TYPES.iter().find(|ty| ty.1 == tensor.element()).expect("all types are listed").0;
    let sizes: String = tensor.shape().iter().map(|size| format!("{size},")).collect();
    let mut header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({sizes}), }}");
    // The data begins at a multiple of 64.
    let length = MAGIC.len() + 4 + header.len() + 1;
    header.extend(std::iter::repeat_n(' ', length.next_multiple_of(64) - length));
    header.push('\n');
    let length = u16::try_from(header.len()).expect("tensors have few dimensions");
    [MAGIC, &[1, 0], &length.to_le_bytes(), header.as_bytes(), tensor.bytes()].concat()
}

/// Reads a file.
///
/// # Errors
///
/// What is wrong with it, or not supported.
pub fn read(bytes: &[u8]) -> Result<Tensor, String> {
    let truncated = || String::from("it ends within its header");
    let rest = bytes.strip_prefix(MAGIC).ok_or("it is no .npy file")?;
    let (version, rest) = rest.split_first_chunk::<2>().ok_or_else(truncated)?;
    let (length, rest) = match version[0] {
        1 => rest.split_first_chunk().map(|(length, rest)| (u16::from_le_bytes(*length).into(), rest)),
        2 | 3 => rest.split_first_chunk().map(|(length, rest)| (u32::from_le_bytes(*length) as usize, rest)),
        other => return Err(format!("version {other} of the format is not known")),
    }
    .ok_or_else(truncated)?;
    let header =
        rest.get(..length).and_then(|header| std::str::from_utf8(header).ok()).ok_or_else(truncated)?;
    let data = &rest[length..];
    let descr = value(header, "descr").and_then(|text| text.strip_prefix('\'')?.split('\'').next());
    let descr = descr.ok_or("its elements are of no simple type")?;
    let element = TYPES.iter().find(|ty| ty.0 == descr).map(|ty| ty.1);
    let element =
        element.ok_or_else(|| format!("its elements are of type `{descr}`, which no tensor has"))?;
    match value(header, "fortran_order") {
        Some(text) if text.starts_with("False") => {}
        _ => return Err("it is not in C order; numpy.ascontiguousarray makes it so".into()),
    }
    let shape = value(header, "shape").and_then(|text| text.strip_prefix('(')?.split(')').next());
    let shape = shape.ok_or("it has no shape")?.split(',').map(str::trim).filter(|size| !size.is_empty());
    let shape: Result<Vec<usize>, _> = shape.map(str::parse).collect();
    let shape = shape.map_err(|_| "a size of its shape is no number")?;
    let tensor = Tensor::from_bytes(element, shape.clone(), data.to_vec());
    tensor.ok_or_else(|| format!("its {} bytes are not those of {element}{shape:?}", data.len()))
}

/// Returns the text behind a key of a dictionary of Python.
fn value<'h>(header: &'h str, key: &str) -> Option<&'h str> {
    let (_, rest) = header.split_once(&format!("'{key}'"))?;
    Some(rest.trim_start().strip_prefix(':')?.trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for tensor in [
            Tensor::scalar(1.5f32),
            Tensor::list(&[1u8, 2, 3]),
            Tensor::list::<i64>(&[]).reshaped(&[3, 0, 2]).unwrap(),
            Tensor::list(&[true, false]).reshaped(&[2, 1]).unwrap(),
        ] {
            let file = write(&tensor);
            assert_eq!(read(&file), Ok(tensor));
            for length in 0..file.len() {
                assert!(read(&file[..length]).is_err() || length >= 128);
            }
        }
    }
}
