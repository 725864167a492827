//! Shows names, lists and numbers that come from files to people.
//!
//! Names in a module or model may be anything, of any length. Messages show a name in one line, with all
//! characters that a terminal would act upon escaped, and cut it if it is long.

use std::fmt::{self, Display, Formatter, Write};

use crate::certificate::{Domain, Interval};
use crate::network::{Field, FieldKind, Ports, Source, SourceKind, ValueType};

/// Maximum number of characters of a name that are shown, escapes included.
const MAX_NAME: usize = 200;

/// Maximum number of entries of a list that are shown before the rest is only counted.
const MAX_LIST: usize = 20;

/// A name from a module or model.
#[derive(Clone, Copy, Debug)]
pub struct Name<'a>(pub &'a str);

impl Display for Name<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        // The iterator is lazy, so a long name is not looked at beyond the part that is shown.
        let mut chars = self.0.escape_debug().peekable();
        let mut shown = 0;
        while let Some(c) = chars.next() {
            // Quotes need no escape here.
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

/// A list, its entries separated by commas. Of a long list, only the beginning and the number of further
/// entries are shown.
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

/// A field of `z` as people write it: `s3`, `n7`, `e`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FieldName(pub FieldKind, pub u16);

impl FieldName {
    /// Returns the name of a field.
    pub fn new(ports: &Ports, field: Field) -> Self {
        let (kind, index) = ports.kind(field);
        FieldName(kind, index)
    }
}

impl Display for FieldName {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let kind = match self.0 {
            FieldKind::S => "s",
            FieldKind::N => "n",
            FieldKind::V => "v",
            FieldKind::Q => "q",
            FieldKind::T => "t",
            FieldKind::K => "k",
            FieldKind::X => "x",
            FieldKind::E => return f.write_str("e"),
        };
        write!(f, "{kind}{}", self.1)
    }
}

/// An element of `y` as people write it: `1`, `r0`, `s3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SourceName(pub SourceKind, pub u16);

impl SourceName {
    /// Returns the name of an element of `y`.
    pub fn new(ports: &Ports, source: Source) -> Self {
        let (kind, index) = ports.source_kind(source);
        SourceName(kind, index)
    }
}

impl Display for SourceName {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let kind = match self.0 {
            SourceKind::One => return f.write_str("1"),
            SourceKind::R => "r",
            SourceKind::W => "w",
            SourceKind::U => "u",
            SourceKind::S => "s",
        };
        write!(f, "{kind}{}", self.1)
    }
}

/// A weight. A power of two with many digits is written as a power.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weight(pub f64);

impl Display for Weight {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let exponent = self.0.abs().log2();
        let is_power = self.0 != 0.0 && exponent.fract() == 0.0 && exponent.exp2() == self.0.abs();
        match is_power && !(-1.0..=10.0).contains(&exponent) {
            true => write!(f, "{}2^{exponent}", if self.0 < 0.0 { "-" } else { "" }),
            false => self.0.fmt(f),
        }
    }
}

/// Writes a linear form as people write it, `2^-32·s3 - r0 + 7`. Each term is a number and what it is
/// multiplied by, if anything.
pub fn linear<N: Display, T: Display>(terms: impl IntoIterator<Item = (N, Option<T>)>) -> String {
    let mut text = String::new();
    for (number, factor) in terms {
        let number = number.to_string();
        let (negative, number) = match number.strip_prefix('-') {
            Some(positive) => (true, positive),
            None => (false, number.as_str()),
        };
        text += match (text.is_empty(), negative) {
            (true, true) => "-",
            (true, false) => "",
            (false, true) => " - ",
            (false, false) => " + ",
        };
        match factor {
            None => text += number,
            Some(factor) if number == "1" => text += &factor.to_string(),
            Some(factor) => text += &format!("{number}·{factor}"),
        }
    }
    if text.is_empty() { "0".to_owned() } else { text }
}

impl Display for Interval {
    /// Writes the interval without ends that do not bound it.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match (self.lo, self.hi) {
            (i64::MIN, i64::MAX) => f.write_str("anywhere"),
            (i64::MIN, hi) => write!(f, "… {hi}"),
            (lo, i64::MAX) => write!(f, "{lo} …"),
            (lo, hi) if lo == hi => lo.fmt(f),
            (lo, hi) => write!(f, "{lo} … {hi}"),
        }
    }
}

impl Display for Domain {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Domain::Interval(interval) => interval.fmt(f),
            Domain::PowerOfTwo { hi } => write!(f, "powers of two up to 2^{hi}"),
            Domain::Ids(set) => write!(f, "ids of set {set}"),
        }
    }
}

impl Display for ValueType {
    /// Writes the type as WebAssembly text does.
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
    fn powers_of_two_are_short() {
        let shown = |x: f64| Weight(x).to_string();
        for (x, text) in [
            (0.0, "0"),
            (-0.5, "-0.5"),
            (0.25, "2^-2"),
            (-0.25, "-2^-2"),
            (1024.0, "1024"),
            (4294967296.0, "2^32"),
            (4294967295.0, "4294967295"),
            (3.0, "3"),
        ] {
            assert_eq!(shown(x), text);
        }
        assert_eq!(shown(2f64.powi(-1074)), "2^-1074");
    }

    #[test]
    fn linear_forms_are_sums() {
        let text = |terms: &[(f64, Option<&str>)]| linear(terms.iter().map(|(c, t)| (Weight(*c), *t)));
        assert_eq!(text(&[]), "0");
        assert_eq!(text(&[(-1.0, Some("s3")), (-0.125, Some("u0")), (7.0, None)]), "-s3 - 2^-3·u0 + 7");
        assert_eq!(text(&[(1.0, None), (1.0, Some("r0")), (2.0, Some("w1"))]), "1 + r0 + 2·w1");
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
