//! How what comes from files is shown to people.
//!
//! Names in a module or model may be anything, of any length. Messages show them in one line, with
//! whatever a terminal would act upon escaped, and cut where they get long.

use std::fmt::{self, Display, Formatter, Write};

use crate::network::ValueType;

/// Most characters of a name that are shown, escapes included.
const MAX_NAME: usize = 200;

/// Most entries of a list that are shown.
const MAX_LIST: usize = 20;

/// A name from a module or model.
#[derive(Clone, Copy, Debug)]
pub struct Name<'a>(pub &'a str);

impl Display for Name<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        // A name is longer than it is shown long before all of it is looked at.
        let mut chars = self.0.escape_debug().peekable();
        let mut shown = 0;
        while let Some(c) = chars.next() {
            // Quotes mean nothing here.
            if c == '\\' && matches!(chars.peek(), Some('"' | '\'')) {
                continue;
            }
            if shown == MAX_NAME {
                return f.write_char('…');
            }
            f.write_char(c)?;
            shown += 1;
        }
        Ok(())
    }
}

/// A list, its entries separated by commas; of a long one the beginning and how many more there are.
#[derive(Clone, Copy, Debug)]
pub struct List<'a, T>(pub &'a [T]);

impl<T: Display> Display for List<'_, T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let shown = if self.0.len() > MAX_LIST + 1 { MAX_LIST } else { self.0.len() };
        for (i, entry) in self.0[..shown].iter().enumerate() {
            write!(f, "{}{entry}", if i == 0 { "" } else { ", " })?;
        }
        match self.0.len() - shown {
            0 => Ok(()),
            more => write!(f, ", … {more} more"),
        }
    }
}

impl Display for ValueType {
    /// As WebAssembly text writes it.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ValueType::I32 => "i32",
            ValueType::I64 => "i64",
            ValueType::F32 => "f32",
            ValueType::F64 => "f64",
            ValueType::FuncRef => "funcref",
            ValueType::ExternRef => "externref",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped_and_cut() {
        for (name, shown) in [
            ("main", "main"),
            ("it's \"quoted\"", "it's \"quoted\""),
            ("\x1b[2Jevil\n", r"\u{1b}[2Jevil\n"),
            ("a\\b\\'", r"a\\b\\'"),
            ("\u{202e}gnp", r"\u{202e}gnp"),
            ("\u{9b}2J\0\x7f", r"\u{9b}2J\0\u{7f}"),
            ("größe_日本", "größe_日本"),
        ] {
            assert_eq!(Name(name).to_string(), shown);
        }
        let long = Name(&"x".repeat(1 << 20)).to_string();
        assert_eq!(long, "x".repeat(MAX_NAME) + "…");
        assert_eq!(Name(&"x".repeat(MAX_NAME)).to_string(), "x".repeat(MAX_NAME));
    }

    #[test]
    fn lists_are_cut() {
        let list = |n: usize| List(&(0..n).collect::<Vec<_>>()).to_string();
        assert_eq!(list(0), "");
        assert_eq!(list(3), "0, 1, 2");
        assert!(list(MAX_LIST + 1).ends_with(", 19, 20"));
        assert!(list(MAX_LIST + 2).ends_with(", 19, … 2 more"));
    }
}
