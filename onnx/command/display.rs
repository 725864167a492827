//! How things are shown to people.

use std::fmt::{self, Display, Formatter};

use wasm2onnx_compiler::Signature as Types;
use wasm2onnx_runtime::{Boundary, Entry, List, Name, ValueType};

/// An exported function as `name(i32, i64) -> i32`.
#[derive(Clone, Copy)]
pub struct Signature<'a> {
    /// Its name.
    pub name: &'a str,
    /// Types of its parameters.
    pub params: &'a [ValueType],
    /// Types of its results.
    pub results: &'a [ValueType],
    /// Its tensors, if it is a function of tensors.
    pub boundary: Option<&'a Boundary>,
}

impl<'a> Signature<'a> {
    /// Returns the signature of an entry of a network.
    pub fn of(name: &'a str, entry: &'a Entry) -> Self {
        Signature { name, params: &entry.params, results: &entry.results, boundary: entry.boundary.as_ref() }
    }

    /// Returns the signature of an exported function of a module, which may be one of tensors.
    pub fn of_types(name: &'a str, types: &'a Types, boundary: Option<&'a Boundary>) -> Self {
        Signature { name, params: &types.params, results: &types.results, boundary }
    }
}

impl Display for Signature<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if let Some(Boundary { inputs, outputs }) = self.boundary {
            return write!(f, "{}({}) -> ({})", Name(self.name), List(inputs), List(outputs));
        }
        write!(f, "{}({})", Name(self.name), List(self.params))?;
        match self.results {
            [] => Ok(()),
            [result] => write!(f, " -> {result}"),
            results => write!(f, " -> ({})", List(results)),
        }
    }
}

/// Functions, one per line.
pub struct Signatures<'a>(pub &'a [Signature<'a>]);

impl Display for Signatures<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|signature| write!(f, "\n  {signature}"))
    }
}

/// The first of many functions, one per line.
pub struct SomeSignatures<'a>(pub &'a [Signature<'a>]);

impl Display for SomeSignatures<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        const MAX: usize = 30;
        let shown = if self.0.len() > MAX + 1 { MAX } else { self.0.len() };
        Signatures(&self.0[..shown]).fmt(f)?;
        match self.0.len() - shown {
            0 => Ok(()),
            more => write!(f, "\n  … {} more", Count(more as u64)),
        }
    }
}

/// A count with commas between its thousands: `12,345`.
pub struct Count(pub u64);

impl Display for Count {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        let mut grouped = String::new();
        for (i, digit) in digits.chars().enumerate() {
            if i > 0 && (digits.len() - i).is_multiple_of(3) {
                grouped.push(',');
            }
            grouped.push(digit);
        }
        f.pad(&grouped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_grouped() {
        for (count, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (12_345_678, "12,345,678")] {
            assert_eq!(Count(count).to_string(), text);
        }
        assert_eq!(format!("{:>7}", Count(1000)), "  1,000");
    }
}
