//! How things are shown to people.

use std::fmt::{self, Display, Formatter};

use wasm2onnx_runtime::{Entry, Network, ValueType};

/// An exported function as `name(i32, i64) -> i32`.
pub struct Signature<'a>(pub &'a str, pub &'a Entry);

impl Display for Signature<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Signature(name, entry) = self;
        write!(f, "{name}({})", Types(&entry.params))?;
        match &entry.results[..] {
            [] => Ok(()),
            [result] => write!(f, " -> {result}"),
            results => write!(f, " -> ({})", Types(results)),
        }
    }
}

/// Types, separated by commas.
struct Types<'a>(&'a [ValueType]);

impl Display for Types<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (i, ty) in self.0.iter().enumerate() {
            write!(f, "{}{ty}", if i == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

/// The exported functions, one a line.
pub struct Exports<'a>(pub &'a Network);

impl Display for Exports<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (name, entry) in &self.0.entries {
            write!(f, "\n  {}", Signature(name, entry))?;
        }
        Ok(())
    }
}

/// A count with its thousands apart: `12,345`.
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
