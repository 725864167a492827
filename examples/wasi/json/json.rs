//! Checks JSON strictly, as RFC 8259 defines it, and prints it again with indentation.
//!
//! ```text
//! json [--compact] [--sort-keys] < INPUT
//! ```
//!
//! `--compact` leaves out all space; `--sort-keys` puts the members of each object in the order of their
//! names (by UTF-16 code units, as RFC 8785 has it). Numbers and strings stay as they are written. What is
//! wrong is reported on standard error with its line and column, and the exit status is 1.
//!
//! An ordinary WASI command. To build it: rustup target add wasm32-wasip1
//!
//! ```text
//! rustc --edition 2021 --target wasm32-wasip1 -C opt-level=s -C lto -C panic=abort -C strip=debuginfo json.rs
//! ```

use std::io::{self, BufWriter, Read, Write};
use std::process::ExitCode;

/// How deep arrays and objects may be nested: reading and printing them is recursive.
const MAX_DEPTH: usize = 1000;

/// A value, in pieces of the text that it was read from.
enum Value<'a> {
    /// A string, a number or a name (`true`, `false`, `null`), as it is written.
    Scalar(&'a str),
    Array(Vec<Value<'a>>),
    /// The members: their names, as they are written, and values.
    Object(Vec<(&'a str, Value<'a>)>),
}

/// What is wrong with the text, and the offset of the byte where it is.
struct Error {
    problem: &'static str,
    offset: usize,
}

struct Parser<'a> {
    text: &'a str,
    offset: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    /// Reads the one value that the text has to be.
    fn parse(text: &'a str) -> Result<Value<'a>, Error> {
        let mut parser = Parser { text, offset: 0, depth: 0 };
        let value = parser.value()?;
        match parser.peek() {
            None => Ok(value),
            Some(_) => parser.error("nothing may follow the value"),
        }
    }

    fn error<T>(&self, problem: &'static str) -> Result<T, Error> {
        Err(Error { problem, offset: self.offset })
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.offset).copied()
    }

    /// The next byte that is no space.
    fn peek(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.byte() {
            self.offset += 1;
        }
        self.byte()
    }

    /// Passes a byte if it comes next, without space before it.
    fn accept(&mut self, byte: u8) -> bool {
        let found = self.byte() == Some(byte);
        self.offset += usize::from(found);
        found
    }

    /// Passes digits and says whether there are any.
    fn digits(&mut self) -> bool {
        let start = self.offset;
        while self.byte().is_some_and(|byte| byte.is_ascii_digit()) {
            self.offset += 1;
        }
        self.offset > start
    }

    fn value(&mut self) -> Result<Value<'a>, Error> {
        match self.peek() {
            Some(b'[') => self.array(),
            Some(b'{') => self.object(),
            Some(b'"') => self.string().map(Value::Scalar),
            Some(b'-' | b'0'..=b'9') => self.number().map(Value::Scalar),
            Some(_) => self.name().map(Value::Scalar),
            None => self.error("a value is missing"),
        }
    }

    /// Reads what is between brackets: items, with commas between them.
    fn items(
        &mut self,
        close: u8,
        mut item: impl FnMut(&mut Self) -> Result<(), Error>,
    ) -> Result<(), Error> {
        if self.depth == MAX_DEPTH {
            return self.error("arrays and objects are nested too deep");
        }
        self.depth += 1;
        self.offset += 1;
        if self.peek() != Some(close) {
            loop {
                item(self)?;
                match self.peek() {
                    Some(b',') => self.offset += 1,
                    Some(byte) if byte == close => break,
                    _ if close == b']' => return self.error("expected ',' or ']'"),
                    _ => return self.error("expected ',' or '}'"),
                }
            }
        }
        self.offset += 1;
        self.depth -= 1;
        Ok(())
    }

    fn array(&mut self) -> Result<Value<'a>, Error> {
        let mut values = Vec::new();
        self.items(b']', |parser| {
            values.push(parser.value()?);
            Ok(())
        })?;
        Ok(Value::Array(values))
    }

    fn object(&mut self) -> Result<Value<'a>, Error> {
        let mut members = Vec::new();
        self.items(b'}', |parser| {
            if parser.peek() != Some(b'"') {
                return parser.error("expected a member's name, in quotes");
            }
            let name = parser.string()?;
            if parser.peek() != Some(b':') {
                return parser.error("expected ':'");
            }
            parser.offset += 1;
            members.push((name, parser.value()?));
            Ok(())
        })?;
        Ok(Value::Object(members))
    }

    fn string(&mut self) -> Result<&'a str, Error> {
        let start = self.offset;
        self.offset += 1;
        loop {
            match self.byte() {
                Some(b'"') => break,
                Some(b'\\') => self.escape()?,
                Some(0..=0x1f) => return self.error("a control character in a string must be escaped"),
                Some(_) => self.offset += 1,
                None => return self.error("a string does not end"),
            }
        }
        self.offset += 1;
        Ok(&self.text[start..self.offset])
    }

    fn escape(&mut self) -> Result<(), Error> {
        let rest = &self.text.as_bytes()[self.offset + 1..];
        self.offset += match rest {
            [b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => 2,
            [b'u', digits @ ..] if digits.len() >= 4 && digits[..4].iter().all(u8::is_ascii_hexdigit) => 6,
            [b'u', ..] => return self.error("\\u needs four hexadecimal digits"),
            _ => return self.error("there is no such escape"),
        };
        Ok(())
    }

    fn number(&mut self) -> Result<&'a str, Error> {
        let start = self.offset;
        self.accept(b'-');
        if self.accept(b'0') {
            if self.digits() {
                self.offset = start;
                return self.error("a number may not begin with 0");
            }
        } else if !self.digits() {
            return self.error("expected a digit");
        }
        if self.accept(b'.') && !self.digits() {
            return self.error("expected a digit");
        }
        if self.accept(b'e') || self.accept(b'E') {
            let _sign = self.accept(b'+') || self.accept(b'-');
            if !self.digits() {
                return self.error("expected a digit");
            }
        }
        Ok(&self.text[start..self.offset])
    }

    fn name(&mut self) -> Result<&'a str, Error> {
        let rest = &self.text[self.offset..];
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        match &rest[..end] {
            name @ ("true" | "false" | "null") => {
                self.offset += end;
                Ok(name)
            }
            _ => self.error("expected a value"),
        }
    }
}

/// The UTF-16 code units that a string stands for, by which names are sorted.
fn code_units(string: &str) -> Vec<u16> {
    let mut units = Vec::new();
    let mut chars = string[1..string.len() - 1].chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            units.extend_from_slice(c.encode_utf16(&mut [0; 2]));
            continue;
        }
        units.push(match chars.next() {
            Some('b') => 8,
            Some('f') => 12,
            Some('n') => 10,
            Some('r') => 13,
            Some('t') => 9,
            Some('u') => (0..4)
                .filter_map(|_| chars.next()?.to_digit(16))
                .fold(0, |unit, digit| (unit << 4) | digit as u16),
            Some(itself) => itself as u16,
            None => unreachable!("the string was checked"),
        });
    }
    units
}

struct Printer<W> {
    compact: bool,
    sort_keys: bool,
    output: W,
    depth: usize,
}

impl<W: Write> Printer<W> {
    fn value(&mut self, value: Value) -> io::Result<()> {
        match value {
            Value::Scalar(text) => self.print(text),
            Value::Array(values) => self.items("[", values, "]", Self::value),
            Value::Object(mut members) => {
                if self.sort_keys {
                    members.sort_by_cached_key(|(name, _)| code_units(name));
                }
                self.items("{", members, "}", |printer, (name, value)| {
                    printer.print(name)?;
                    printer.print(if printer.compact { ":" } else { ": " })?;
                    printer.value(value)
                })
            }
        }
    }

    fn items<T>(
        &mut self,
        open: &str,
        items: Vec<T>,
        close: &str,
        mut print: impl FnMut(&mut Self, T) -> io::Result<()>,
    ) -> io::Result<()> {
        let empty = items.is_empty();
        self.print(open)?;
        self.depth += 1;
        for (i, item) in items.into_iter().enumerate() {
            if i > 0 {
                self.print(",")?;
            }
            self.new_line()?;
            print(self, item)?;
        }
        self.depth -= 1;
        if !empty {
            self.new_line()?;
        }
        self.print(close)
    }

    fn print(&mut self, text: &str) -> io::Result<()> {
        self.output.write_all(text.as_bytes())
    }

    fn new_line(&mut self) -> io::Result<()> {
        if self.compact {
            return Ok(());
        }
        self.print("\n")?;
        (0..self.depth).try_for_each(|_| self.print("  "))
    }
}

/// Says where in a text an offset is: the line and the column, in characters, from 1.
fn place(text: &str, offset: usize) -> String {
    let before = &text[..offset];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.matches('\n').count() + 1;
    let column = before[line_start..].chars().count() + 1;
    format!("line {line}, column {column}")
}

fn run(compact: bool, sort_keys: bool) -> Result<(), String> {
    let mut bytes = Vec::new();
    io::stdin().read_to_end(&mut bytes).map_err(|error| format!("standard input: {error}"))?;
    let text = std::str::from_utf8(&bytes).map_err(|error| {
        let valid = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
        format!("{}: this is not UTF-8", place(&valid, valid.len()))
    })?;
    let value =
        Parser::parse(text).map_err(|error| format!("{}: {}", place(text, error.offset), error.problem))?;

    let output = BufWriter::new(io::stdout().lock());
    let mut printer = Printer { compact, sort_keys, output, depth: 0 };
    let printed =
        printer.value(value).and_then(|()| printer.print("\n")).and_then(|()| printer.output.flush());
    printed.map_err(|error| format!("standard output: {error}"))
}

fn main() -> ExitCode {
    let (mut compact, mut sort_keys) = (false, false);
    for argument in std::env::args_os().skip(1) {
        match argument.to_str() {
            Some("--compact") => compact = true,
            Some("--sort-keys") => sort_keys = true,
            _ => {
                eprintln!("usage: json [--compact] [--sort-keys] < INPUT");
                return ExitCode::from(2);
            }
        }
    }
    match run(compact, sort_keys) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("json: {problem}");
            ExitCode::FAILURE
        }
    }
}
