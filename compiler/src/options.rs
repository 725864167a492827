//! What the compiler accepts, and what the imports of a module are.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use wasm2onnx_runtime::Value;
use wasmparser::WasmFeatures;

use crate::tensors::TensorFunction;

/// Settings of a compilation.
#[derive(Clone, Debug)]
pub struct Options {
    /// Features that the validator accepts. [`Options::unsupported`] says what happens to an accepted instruction that
    /// cannot be compiled.
    pub features: WasmFeatures,
    /// What happens to a function that contains an instruction that cannot be compiled.
    pub unsupported: Unsupported,
    /// Roles of imported functions, by `module.name`. In a name, `*` stands for any text; if several names match, the one with
    /// the most other characters counts.
    pub imports: BTreeMap<String, Role>,
    /// Modules that are linked with the compiled one: what it imports from the name of one of them is what that one exports.
    /// Each can import from those before it. Instance creation creates all of them, in order.
    pub preloads: Vec<Preload>,
    /// Whether the host creates each of these modules when it wants, by calling the exported function `NAME/create`, and can
    /// use what they export, as `NAME/…`. For the runner of a test suite, whose scripts make calls before all modules are
    /// there.
    pub staged: bool,
    /// Exported functions without parameters and results that instance creation calls, after the start function and
    /// `_initialize`, which it calls in any case.
    pub init: Vec<String>,
    /// Imported globals, by `module.name`.
    pub globals: BTreeMap<String, GlobalImport>,
    /// Imported memories, by `module.name`.
    pub memories: BTreeMap<String, MemoryImport>,
    /// Imported tables, by `module.name`.
    pub tables: BTreeMap<String, TableImport>,
    /// Maximum number of pages that the memory may grow to; `None` is the declared maximum, but not more than
    /// [`DEFAULT_MAX_MEMORY_PAGES`] or four times the initial size, whichever is more. For an imported memory, the
    /// [`MemoryImport`] has the declared maximum. A limit below the declared maximum becomes the network's
    /// [`growth_limit`](wasm2onnx_runtime::Network::growth_limit).
    pub max_memory_pages: Option<u32>,
    /// Exported functions to compile; `None` is everything that the module exports. With a list,
    /// everything that neither these functions nor the start function can reach is left out, and no memory or global is
    /// visible from outside.
    pub exports: Option<Vec<String>>,
    /// Exported functions that are to take and give tensors.
    pub tensors: Vec<TensorFunction>,
    /// Whether those exports take and give tensors that wit-bindgen has described in a section of the module, if [`Options::tensors`] is
    /// empty. Only with the feature `wit`.
    pub wit: bool,
    /// Maximum number of bytes of standard input; can be up to 2^30. The arguments, the environment and the tree of files of a
    /// WASI program count, too.
    pub stdin_bytes: u64,
    /// Maximum number of bytes of standard output, and of standard error; can be up to 2^30. The next byte ends the run
    /// with `OutputLimit`.
    pub stdout_bytes: u64,
    /// Minimum number of states on which each packet of the network is compared with the packet of the program that it
    /// was made from; 0 omits the comparison.
    pub validation_states: u32,
    /// Whether the compiler tries to prove of each packet that it does the same in every state, and counts for how many it
    /// succeeds. Packets are compared on states in any case. The proof takes one to five times as long as the rest of the
    /// compilation, and up to twenty times as long if there is much floating point, of which less is proved.
    pub prove: bool,
}

/// Default of [`Options::validation_states`].
pub const DEFAULT_VALIDATION_STATES: u32 = 16;

/// An imported global: what it holds when an instance is created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GlobalImport {
    /// Its value, of the type that the module declares.
    pub value: Value,
    /// Whether it is mutable; the module has to declare the same.
    pub mutable: bool,
}

/// An imported memory: what it is when an instance is created. Each instance has its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryImport {
    /// Its size in pages of 65,536 bytes; not less than the module declares.
    pub pages: u32,
    /// Maximum number of pages; not more than the module declares.
    pub max: Option<u32>,
    /// Its content where it is not 0: addresses and bytes. Later ones overwrite earlier ones.
    pub data: Vec<(u32, Vec<u8>)>,
}

/// An imported table: what it is when an instance is created. All entries are null.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableImport {
    /// Its size in entries; not less than the module declares.
    pub entries: u32,
    /// Maximum number of entries; not more than the module declares.
    pub max: Option<u32>,
    /// Whether it holds `externref`s and not `funcref`s.
    pub external: bool,
}

/// Number of pages that a memory may grow to unless [`Options::max_memory_pages`] says otherwise, the memory declares
/// fewer, or it begins with more than a quarter of this number.
pub const DEFAULT_MAX_MEMORY_PAGES: u32 = 1024;

/// Number of entries that a table may grow to, unless it has more from the start or declares fewer.
pub const DEFAULT_MAX_TABLE_ENTRIES: u32 = 1 << 16;

impl Default for Options {
    fn default() -> Self {
        Options {
            features: WasmFeatures::WASM2.union(WasmFeatures::EXTENDED_CONST).union(WasmFeatures::TAIL_CALL),
            unsupported: Unsupported::Refuse,
            imports: BTreeMap::from([
                ("env.output_byte".to_string(), Role::StdoutByte),
                ("env.input_byte".to_string(), Role::StdinByte),
                // AssemblyScript's.
                ("env.abort".to_string(), Role::Trap),
            ]),
            preloads: Vec::new(),
            staged: false,
            init: Vec::new(),
            globals: BTreeMap::new(),
            memories: BTreeMap::new(),
            tables: BTreeMap::new(),
            max_memory_pages: None,
            exports: None,
            tensors: Vec::new(),
            wit: true,
            stdin_bytes: 1 << 30,
            stdout_bytes: 1 << 28,
            validation_states: DEFAULT_VALIDATION_STATES,
            prove: false,
        }
    }
}

impl Options {
    /// Returns the role of the imported function `module.name`, if it has one, and the name in [`Options::imports`] that says
    /// so.
    pub fn role(&self, full_name: &str) -> Option<(&str, Role)> {
        let exact = self.imports.get_key_value(full_name);
        let matching = || {
            let patterns = self.imports.iter().filter(|(pattern, _)| matches(pattern, full_name));
            patterns.max_by_key(|(pattern, _)| pattern.len() - pattern.matches('*').count())
        };
        exact.or_else(matching).map(|(pattern, role)| (pattern.as_str(), *role))
    }
}

/// Returns whether a name is the pattern, with any text in place of each `*`.
pub fn matches(pattern: &str, name: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut name) = name.strip_prefix(first) else { return false };
    let (middle, last) = rest.rsplit_once('*').map_or(("", rest), |(middle, last)| (middle, last));
    // Each part is found as early as possible, which leaves the most room for the others.
    for part in middle.split('*') {
        let Some(at) = name.find(part) else { return false };
        name = &name[at + part.len()..];
    }
    name.ends_with(last)
}

/// A module that is linked with the compiled one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preload {
    /// The name that others import its exports by.
    pub name: String,
    /// The module, in the binary or the text format.
    pub module: Vec<u8>,
}

/// What happens to a function that contains an instruction that cannot be compiled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unsupported {
    /// The module is refused.
    #[default]
    Refuse,
    /// The function traps with `UnsupportedHostCall` when it is called. For the runner of a test suite.
    Trap,
}

/// What an imported function does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Role {
    /// Appends the lowest byte of its i32 parameter to standard output.
    StdoutByte,
    /// Returns the next byte of standard input as an i32, −1 at the end.
    StdinByte,
    /// Does nothing; results are 0.
    Nop,
    /// Does nothing; results are this number.
    Constant(Number),
    /// Traps with `UnsupportedHostCall`.
    Trap,
}

/// A number as the command line has it: which value it is depends on the type that is asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// An integer.
    Int(i128),
    /// A number with a point or an exponent, an infinity or a NaN.
    Float(f64),
}

impl Number {
    /// Returns it as an i32, signed or unsigned, if it is one.
    pub fn i32(self) -> Option<i32> {
        let Number::Int(value) = self else { return None };
        i32::try_from(value).ok().or_else(|| u32::try_from(value).ok().map(|value| value as i32))
    }

    /// Returns it as an i64, signed or unsigned, if it is one.
    pub fn i64(self) -> Option<i64> {
        let Number::Int(value) = self else { return None };
        i64::try_from(value).ok().or_else(|| u64::try_from(value).ok().map(|value| value as i64))
    }

    /// Returns the nearest f64.
    pub fn f64(self) -> f64 {
        match self {
            Number::Int(value) => value as f64,
            Number::Float(value) => value,
        }
    }
}

impl FromStr for Number {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
        let integer = match digits.strip_prefix("0x") {
            Some(digits) => {
                i128::from_str_radix(digits, 16).ok().map(|n| if text.starts_with('-') { -n } else { n })
            }
            None => text.parse().ok(),
        };
        match integer {
            Some(integer) => Ok(Number::Int(integer)),
            None => text.parse().map(Number::Float).map_err(|_| format!("`{text}` is not a number")),
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Number::Int(value) => value.fmt(f),
            Number::Float(value) => value.fmt(f),
        }
    }
}

impl fmt::Display for Role {
    /// Writes its name on the command line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Role::StdoutByte => f.write_str("stdout-byte"),
            Role::StdinByte => f.write_str("stdin-byte"),
            Role::Nop => f.write_str("nop"),
            Role::Constant(number) => write!(f, "const:{number}"),
            Role::Trap => f.write_str("trap"),
        }
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        match s {
            "stdout-byte" => Ok(Role::StdoutByte),
            "stdin-byte" => Ok(Role::StdinByte),
            "nop" => Ok(Role::Nop),
            "trap" => Ok(Role::Trap),
            _ => match s.strip_prefix("const:") {
                Some(number) => Ok(Role::Constant(number.parse()?)),
                None => Err(format!(
                    "unknown role `{s}`, expected one of stdout-byte, stdin-byte, nop, const:V, trap"
                )),
            },
        }
    }
}
