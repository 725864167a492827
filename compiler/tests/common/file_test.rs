//! Tests in files: a module in text with what is to be run and shown of it.
//!
//! Comments at the top of the file say what is done, one to a line:
//!
//! - `;; run: f(1, -2) == 3` calls an export in a fresh instance, on all executors. Several results stand in parentheses,
//!   none is `()`; references are written `null`.
//! - `;; run: f(0) traps: integer divide by zero`
//! - `;; run onnx: …` is the same, and in ONNX Runtime, too.
//! - `;; dump: PHASE` or `;; dump: PHASE FUNCTION` shows what `wasm2onnx dump` does. What is expected stands at the end of the
//!   file behind a line `;; expect PHASE FUNCTION`, each line behind `;;`. `UPDATE=1` writes it anew.

use std::path::{Path, PathBuf};

use wasm2onnx_runtime::{Value, ValueType};

/// A file.
pub struct FileTest {
    /// Where it is.
    pub path: PathBuf,
    /// The module, with comments: all of the file that is not expected text.
    pub text: String,
    /// Calls.
    pub runs: Vec<Run>,
    /// What is shown, and what is expected of it.
    pub dumps: Vec<Dump>,
}

/// A call and how it must end.
#[derive(Clone, Debug)]
pub struct Run {
    /// The line that says so.
    pub line: String,
    /// Whether it is made in ONNX Runtime, too.
    pub onnx: bool,
    /// The export.
    pub name: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// Its results, or the message of a trap.
    pub expected: Result<Vec<String>, String>,
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
}

impl FileTest {
    /// All files in a folder, by name.
    ///
    /// # Panics
    ///
    /// If one of them is not as it must be.
    pub fn all(folder: &Path) -> Vec<FileTest> {
        let entries =
            std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("it can be read").path()).collect();
        paths.sort();
        paths.into_iter().map(FileTest::read).collect()
    }

    fn read(path: PathBuf) -> FileTest {
        let all =
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let (text, expected) = match all.find("\n;; expect ") {
            Some(end) => (all[..=end].to_owned(), &all[end + 1..]),
            None => (all.clone(), ""),
        };
        let mut test = FileTest { path, text, runs: Vec::new(), dumps: Vec::new() };
        for line in test.text.clone().lines().filter_map(|line| line.strip_prefix(";; ")) {
            if let Some(run) = line.strip_prefix("run: ") {
                test.runs.push(test.run(run, false));
            } else if let Some(run) = line.strip_prefix("run onnx: ") {
                test.runs.push(test.run(run, true));
            } else if let Some(dump) = line.strip_prefix("dump: ") {
                let (phase, function) = match dump.split_once(' ') {
                    Some((phase, function)) => (phase, Some(function.to_owned())),
                    None => (dump, None),
                };
                let dump = Dump { phase: phase.to_owned(), function, expected: String::new() };
                test.dumps.push(dump);
            }
        }
        let mut at = None;
        for line in expected.lines() {
            if let Some(title) = line.strip_prefix(";; expect ") {
                at = test.dumps.iter().position(|dump| dump.title() == title);
            } else if let Some(at) = at {
                let line =
                    line.strip_prefix(";;").map_or(line, |line| line.strip_prefix(' ').unwrap_or(line));
                test.dumps[at].expected += line;
                test.dumps[at].expected.push('\n');
            }
        }
        assert!(!test.runs.is_empty() || !test.dumps.is_empty(), "{} tests nothing", test.path.display());
        test
    }

    fn run(&self, line: &str, onnx: bool) -> Run {
        let bad = || -> String {
            format!("{}: `{line}` is neither `f(1) == 2` nor `f(1) traps: message`", self.path.display())
        };
        let list = |text: &str| -> Vec<String> {
            text.split(',').map(|word| word.trim().to_owned()).filter(|word| !word.is_empty()).collect()
        };
        let (call, expected) = if let Some((call, results)) = line.split_once(" == ") {
            let results =
                results.strip_prefix('(').and_then(|text| text.strip_suffix(')')).unwrap_or(results);
            (call, Ok(list(results)))
        } else if let Some((call, message)) = line.split_once(" traps: ") {
            (call, Err(message.to_owned()))
        } else {
            panic!("{}", bad())
        };
        let call = call.strip_suffix(')').and_then(|call| call.split_once('('));
        let (name, args) = call.unwrap_or_else(|| panic!("{}", bad()));
        Run { line: line.to_owned(), onnx, name: name.to_owned(), args: list(args), expected }
    }
}

impl Dump {
    /// How the part of the file begins that is expected.
    pub fn title(&self) -> String {
        match &self.function {
            Some(function) => format!("{} {function}", self.phase),
            None => self.phase.clone(),
        }
    }
}

impl Run {
    /// Its arguments, of such types.
    ///
    /// # Panics
    ///
    /// If they are not of these types.
    pub fn values(&self, types: &[ValueType]) -> Vec<Value> {
        assert_eq!(self.args.len(), types.len(), "`{}`: {types:?}", self.line);
        self.args.iter().zip(types).map(|(text, ty)| self.value(text, *ty)).collect()
    }

    fn value(&self, text: &str, ty: ValueType) -> Value {
        let parsed = match ty {
            ValueType::I32 => integer(text).map(|x| Value::I32(x as i32)),
            ValueType::I64 => integer(text).map(|x| Value::I64(x as i64)),
            ValueType::F32 => text.parse().ok().map(|x: f32| Value::F32(x.to_bits())),
            ValueType::F64 => text.parse().ok().map(|x: f64| Value::F64(x.to_bits())),
            ValueType::FuncRef | ValueType::ExternRef => {
                (text == "null").then(|| Value::from_words(ty, [0, 0]))
            }
        };
        parsed.unwrap_or_else(|| panic!("`{}`: {text} is not of type {ty}", self.line))
    }

    /// Asserts how it ended: with results, or with the message of a trap.
    ///
    /// # Panics
    ///
    /// If it was to end otherwise.
    pub fn check(&self, way: &str, outcome: Result<&[Value], &str>) {
        let outcome = outcome
            .map(|results| results.iter().map(ToString::to_string).collect::<Vec<_>>())
            .map_err(ToOwned::to_owned);
        assert_eq!(outcome, self.expected, "`{}`, {way}", self.line);
    }
}

/// A number, signed or not, decimal or behind `0x`.
fn integer(text: &str) -> Option<i128> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
    let number = match digits.strip_prefix("0x") {
        Some(digits) => i128::from_str_radix(digits, 16),
        None => digits.parse(),
    };
    number.ok().map(|number| if negative { -number } else { number })
}
