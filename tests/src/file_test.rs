//! Tests in files. A file is a module in text; comments above it say what to do with the module, one thing to
//! a line:
//!
//! - `;; run: f(1, -2) == 3` calls an export of a fresh instance. Several results are in parentheses, and
//!   `()` is no result. Integers are decimal, or hexadecimal behind `0x`; floats are decimal, or their bits
//!   behind `0x`; a reference is `null`.
//! - `;; run: f(0) traps: integer_divide_by_zero` says that the call traps. Traps have the names that they
//!   have in dumps.
//! - `;; run onnx: …` is the same, and the call is made in ONNX Runtime, too.
//! - `;; then: g(2) == 4` makes one more call in the instance of the call before it. It may trap, too.
//! - `;; prints: "AB\n"` follows a call. It says what the instance has printed by then, in all. Strings are
//!   written as in WebAssembly text, where `\ff` is a byte.
//! - `;; input: "AB\n"` is the standard input of every instance.
//! - `;; creation traps: unreachable` says that no instance can be made. (A call of such a module traps
//!   likewise.)
//! - `;; compare: 16` calls every export 16 times, all in one instance, with arguments that are likely to be
//!   edge cases. Wasmtime says what the results must be. The calls end at the first one that exhausts its fuel or
//!   stack, which must not be among the first half: no export should recurse or loop as often as its argument says.
//! - `;; dump: PHASE` or `;; dump: PHASE FUNCTION` shows what `wasm2onnx dump` prints. The expected text is
//!   at the end of the file, behind a line `;; expect PHASE FUNCTION` and with `;;` before each of its lines.
//!   `UPDATE=1` writes it anew.
//!
//! Every call of `run:` and `then:` is made on all executors, in the IR after each phase, and in wasmtime; the dense executor,
//! which is slow, only finishes short ones. After each call, the exported memories and globals and
//! what was printed must be the same everywhere. All other comments are for the reader.

use std::fmt::{self, Display, Formatter};
use std::io;
use std::path::{Path, PathBuf};

use wasm2onnx_runtime::{TrapCode, Value, ValueType};

/// A file.
#[derive(Debug)]
pub struct FileTest {
    /// Where it is.
    pub path: PathBuf,
    /// The module, with comments: all of the file that is not expected text.
    pub text: String,
    /// Standard input of every instance.
    pub input: Vec<u8>,
    /// Calls, those of one instance after another.
    pub instances: Vec<Vec<Call>>,
    /// How instance creation ends, if it must fail, and where that stands.
    pub creation: Option<(Line, TrapCode)>,
    /// Number of calls of every export, if the file asks for them.
    pub compare: Option<usize>,
    /// What is shown, and the expected text of each.
    pub dumps: Vec<Dump>,
}

/// A call and how it must end.
#[derive(Clone, Debug)]
pub struct Call {
    at: Line,
    /// Whether it is made in ONNX Runtime, too.
    pub onnx: bool,
    /// Name of the export.
    pub name: String,
    args: Vec<String>,
    expected: Result<Vec<String>, TrapCode>,
    /// What its instance must have printed after the call.
    pub prints: Option<Vec<u8>>,
}

/// A module or function after a phase.
#[derive(Clone, Debug)]
pub struct Dump {
    /// The phase.
    pub phase: String,
    /// The function.
    pub function: Option<String>,
    /// What it must look like.
    pub expected: String,
    /// The line of the file that is followed by the expected text.
    pub line: usize,
}

/// A line of a file.
#[derive(Clone, Debug)]
pub struct Line {
    path: PathBuf,
    line: usize,
    text: String,
}

impl Display for Line {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: `{}`", self.path.display(), self.line, self.text)
    }
}

/// Why a file is no test.
#[derive(Debug)]
pub enum FileError {
    /// It cannot be read.
    Unreadable(PathBuf, io::Error),
    /// It has no line that tests anything.
    TestsNothing(PathBuf),
    /// A line is wrong.
    Line(Box<BadLine>),
}

/// A wrong line, and why it is wrong.
#[derive(Debug)]
pub struct BadLine {
    at: Line,
    why: Why,
}

/// What is wrong with a line.
#[derive(Debug)]
enum Why {
    UnknownWord(String),
    NotACall,
    NoCallBefore,
    BelowHead,
    UnknownTrap(String),
    NotAString,
    NotANumber,
    NoDump,
    Arguments(usize),
    Value(String, ValueType),
}

impl Display for FileError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let BadLine { at, why } = match self {
            FileError::Unreadable(path, error) => return write!(f, "{}: {error}", path.display()),
            FileError::TestsNothing(path) => return write!(f, "{} tests nothing", path.display()),
            FileError::Line(line) => &**line,
        };
        write!(f, "{at} ")?;
        match why {
            Why::UnknownWord(word) => write!(f, "begins with the unknown word `{word}`"),
            Why::NotACall => f.write_str("is neither `f(1) == 2` nor `f(1) traps: name`"),
            Why::BelowHead => f.write_str("must stand above the module, among the first lines"),
            Why::NoCallBefore => f.write_str("does not follow a call"),
            Why::UnknownTrap(name) => {
                let names = TrapCode::ALL.map(name_of).join(", ");
                write!(f, "names a trap `{name}`, which is none of {names}")
            }
            Why::NotAString => f.write_str("needs a string as in WebAssembly text"),
            Why::NotANumber => f.write_str("needs a number"),
            Why::NoDump => f.write_str("belongs to a dump that no line asks for"),
            Why::Arguments(count) => write!(f, "does not have {count} values, as the function's type does"),
            Why::Value(text, ty) => write!(f, "has a value `{text}`, which is not of type {ty}"),
        }
    }
}

impl FileTest {
    /// Reads all files in a folder and its subfolders, by name.
    ///
    /// # Errors
    ///
    /// The first file that is wrong.
    pub fn all(folder: &Path) -> Result<Vec<FileTest>, FileError> {
        let unreadable = |error| FileError::Unreadable(folder.to_owned(), error);
        let entries = std::fs::read_dir(folder).map_err(unreadable)?;
        let paths: Result<Vec<PathBuf>, _> = entries.map(|entry| Ok(entry?.path())).collect();
        let mut paths = paths.map_err(unreadable)?;
        paths.sort();
        let mut tests = Vec::new();
        for path in paths {
            if path.is_dir() {
                tests.extend(FileTest::all(&path)?);
            } else {
                tests.push(FileTest::read(path)?);
            }
        }
        Ok(tests)
    }

    /// Reads the files of a folder that the environment variable `WASM2ONNX_FILES` chooses by a part of their path in the folder,
    /// or all of them if it is not set. Also returns whether these are all.
    ///
    /// # Errors
    ///
    /// The first file that is not as it must be.
    ///
    /// # Panics
    ///
    /// If no file has that part in its path.
    pub fn chosen(folder: &Path) -> Result<(Vec<FileTest>, bool), FileError> {
        let mut tests = FileTest::all(folder)?;
        let Ok(part) = std::env::var("WASM2ONNX_FILES") else { return Ok((tests, true)) };
        tests.retain(|test| {
            let path = test.path.strip_prefix(folder).unwrap_or(&test.path);
            path.to_string_lossy().contains(&part)
        });
        assert!(!tests.is_empty(), "no file in {} has `{part}` in its path", folder.display());
        Ok((tests, false))
    }

    /// Reads a file.
    ///
    /// # Errors
    ///
    /// If it cannot be read or is wrong.
    pub fn read(path: PathBuf) -> Result<FileTest, FileError> {
        let all =
            std::fs::read_to_string(&path).map_err(|error| FileError::Unreadable(path.clone(), error))?;
        let (text, expected) = match all.find("\n;; expect ") {
            Some(end) => (&all[..=end], &all[end + 1..]),
            None => (&*all, ""),
        };
        let mut test = FileTest {
            path,
            text: text.to_owned(),
            input: Vec::new(),
            instances: Vec::new(),
            creation: None,
            compare: None,
            dumps: Vec::new(),
        };
        let mut is_head = true;
        for (i, line) in text.lines().enumerate() {
            is_head &= line.starts_with(";;");
            let text = line.trim_start_matches(";;").trim().to_owned();
            let at = Line { path: test.path.clone(), line: i + 1, text };
            if is_head {
                test.line(&at)?;
            } else if line.starts_with(";;") && at.word().is_some() {
                return Err(at.bad(Why::BelowHead));
            }
        }
        test.expect(text.lines().count(), expected)?;
        let calls = !test.instances.is_empty() || test.creation.is_some() || test.compare.is_some();
        if !calls && test.dumps.is_empty() {
            return Err(FileError::TestsNothing(test.path));
        }
        Ok(test)
    }

    /// Does what a comment above the module says.
    fn line(&mut self, at: &Line) -> Result<(), FileError> {
        let Some(word) = at.word() else { return Ok(()) };
        let rest = at.text[word.len() + 1..].trim_start();
        match word {
            "run" | "run onnx" => self.instances.push(vec![Call::read(at, rest, word == "run onnx")?]),
            "then" => self.last_instance(at)?.push(Call::read(at, rest, false)?),
            "prints" => {
                let call = self.last_instance(at)?.last_mut().expect("an instance has a call");
                call.prints = Some(string(rest).ok_or_else(|| at.bad(Why::NotAString))?);
            }
            "input" => self.input = string(rest).ok_or_else(|| at.bad(Why::NotAString))?,
            "creation traps" => self.creation = Some((at.clone(), at.trap(rest)?)),
            "compare" => self.compare = Some(rest.parse().map_err(|_| at.bad(Why::NotANumber))?),
            "dump" => {
                let (phase, function) = match rest.split_once(' ') {
                    Some((phase, function)) => (phase, Some(function.to_owned())),
                    None => (rest, None),
                };
                let (phase, line) = (phase.to_owned(), at.line);
                self.dumps.push(Dump { phase, function, expected: String::new(), line });
            }
            _ => return Err(at.bad(Why::UnknownWord(word.to_owned()))),
        }
        Ok(())
    }

    fn last_instance(&mut self, at: &Line) -> Result<&mut Vec<Call>, FileError> {
        self.instances.last_mut().ok_or_else(|| at.bad(Why::NoCallBefore))
    }

    /// Reads what is expected of the dumps. `before` is the number of lines before that text.
    fn expect(&mut self, before: usize, text: &str) -> Result<(), FileError> {
        let mut at = None;
        for (i, line) in text.lines().enumerate() {
            if let Some(title) = line.strip_prefix(";; expect ") {
                let line_number = before + i + 1;
                at = self.dumps.iter().position(|dump| dump.title() == title);
                match at {
                    Some(at) => self.dumps[at].line = line_number,
                    None if updates() => {}
                    None => {
                        let (path, text) = (self.path.clone(), line.to_owned());
                        return Err(Line { path, line: line_number, text }.bad(Why::NoDump));
                    }
                }
            } else if let Some(at) = at {
                let line =
                    line.strip_prefix(";;").map_or(line, |line| line.strip_prefix(' ').unwrap_or(line));
                self.dumps[at].expected += line;
                self.dumps[at].expected.push('\n');
            }
        }
        Ok(())
    }
}

/// Returns whether expected text is written anew.
pub fn updates() -> bool {
    std::env::var_os("UPDATE").is_some_and(|value| value == "1")
}

impl Line {
    /// Returns what stands before the first colon, if that says what to do with the module: one or two words in lower
    /// case. A sentence of the reader's may contain a colon, too.
    fn word(&self) -> Option<&str> {
        let (word, _) = self.text.split_once(':')?;
        (!word.contains(char::is_uppercase) && word.split(' ').count() <= 2).then_some(word)
    }

    fn bad(&self, why: Why) -> FileError {
        FileError::Line(Box::new(BadLine { at: self.clone(), why }))
    }

    fn trap(&self, name: &str) -> Result<TrapCode, FileError> {
        let found = TrapCode::ALL.into_iter().find(|code| name_of(*code) == name);
        found.ok_or_else(|| self.bad(Why::UnknownTrap(name.to_owned())))
    }

    fn values(&self, texts: &[String], types: &[ValueType]) -> Result<Vec<Value>, FileError> {
        if texts.len() != types.len() {
            return Err(self.bad(Why::Arguments(types.len())));
        }
        let value = |(text, ty): (&String, &ValueType)| {
            value(text, *ty).ok_or_else(|| self.bad(Why::Value(text.clone(), *ty)))
        };
        texts.iter().zip(types).map(value).collect()
    }
}

impl Dump {
    /// Returns what follows `;; expect` in the line above the expected text.
    pub fn title(&self) -> String {
        match &self.function {
            Some(function) => format!("{} {function}", self.phase),
            None => self.phase.clone(),
        }
    }
}

impl Call {
    fn read(at: &Line, text: &str, onnx: bool) -> Result<Call, FileError> {
        let list = |text: &str| -> Vec<String> {
            text.split(',').map(|word| word.trim().to_owned()).filter(|word| !word.is_empty()).collect()
        };
        let (call, expected) = if let Some((call, results)) = text.split_once(" == ") {
            let inner = results.strip_prefix('(').and_then(|text| text.strip_suffix(')'));
            (call, Ok(list(inner.unwrap_or(results))))
        } else if let Some((call, name)) = text.split_once(" traps: ") {
            (call, Err(at.trap(name)?))
        } else {
            return Err(at.bad(Why::NotACall));
        };
        let call = call.strip_suffix(')').and_then(|call| call.split_once('('));
        let (name, args) = call.ok_or_else(|| at.bad(Why::NotACall))?;
        let (name, args) = (name.to_owned(), list(args));
        Ok(Call { at: at.clone(), onnx, name, args, expected, prints: None })
    }

    /// Returns its arguments as values of these types.
    ///
    /// # Errors
    ///
    /// If they are not of these types.
    pub fn args(&self, types: &[ValueType]) -> Result<Vec<Value>, FileError> {
        self.at.values(&self.args, types)
    }

    /// Returns how it must end: with results of these types or in a trap.
    ///
    /// # Errors
    ///
    /// If the results are not of these types.
    pub fn expected(&self, types: &[ValueType]) -> Result<Result<Vec<Value>, TrapCode>, FileError> {
        match &self.expected {
            Ok(results) => Ok(Ok(self.at.values(results, types)?)),
            Err(code) => Ok(Err(*code)),
        }
    }
}

/// Shows where the call stands, and what it says.
impl Display for Call {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.at.fmt(f)
    }
}

/// Returns the name of a trap, as in dumps.
fn name_of(code: TrapCode) -> String {
    let mut name = String::new();
    for c in format!("{code:?}").chars() {
        if c.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(c.to_ascii_lowercase());
    }
    name
}

/// Reads a value of a type.
fn value(text: &str, ty: ValueType) -> Option<Value> {
    let is_bits = text.starts_with("0x");
    Some(match ty {
        ValueType::I32 => Value::I32(word(text)? as i32),
        ValueType::F32 if is_bits => Value::F32(word(text)?),
        ValueType::F32 => Value::F32(text.parse::<f32>().ok()?.to_bits()),
        ValueType::I64 => Value::I64(integer(text)? as i64),
        ValueType::F64 if is_bits => Value::F64(integer(text)?),
        ValueType::F64 => Value::F64(text.parse::<f64>().ok()?.to_bits()),
        ValueType::FuncRef | ValueType::ExternRef if text == "null" => Value::from_words(ty, [0, 0]),
        ValueType::FuncRef | ValueType::ExternRef => return None,
    })
}

/// Reads a number of 32 bits, signed or not.
fn word(text: &str) -> Option<u32> {
    let number = number(text)?;
    (-1 << 31..1 << 32).contains(&number).then_some(number as u32)
}

/// Reads a number of 64 bits, signed or not.
fn integer(text: &str) -> Option<u64> {
    let number = number(text)?;
    (-1 << 63..1 << 64).contains(&number).then_some(number as u64)
}

/// Reads a number, decimal or, behind `0x`, hexadecimal.
fn number(text: &str) -> Option<i128> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
    let number = match digits.strip_prefix("0x") {
        Some(digits) => i128::from_str_radix(digits, 16),
        None => digits.parse(),
    };
    number.ok().map(|number| if negative { -number } else { number })
}

/// Reads a string as in WebAssembly text, in quotes.
fn string(text: &str) -> Option<Vec<u8>> {
    let text = text.strip_prefix('"')?.strip_suffix('"')?;
    let (mut bytes, mut rest) = (Vec::new(), text.bytes());
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'"' => return None,
            b'\\' => match rest.next()? {
                b'n' => b'\n',
                b't' => b'\t',
                b'r' => b'\r',
                c @ (b'"' | b'\'' | b'\\') => c,
                high => u8::from_str_radix(str::from_utf8(&[high, rest.next()?]).ok()?, 16).ok()?,
            },
            byte => byte,
        });
    }
    Some(bytes)
}
