//! What the compiler accepts, and what the imports of a module are.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use wasm2onnx_runtime::Value;
use wasmparser::WasmFeatures;

/// Settings of a compilation.
#[derive(Clone, Debug)]
pub struct Options {
    /// Features that the validator accepts. [`Options::unsupported`] says what happens to an accepted instruction that
    /// cannot be compiled.
    pub features: WasmFeatures,
    /// What happens to a function that contains an instruction that cannot be compiled.
    pub unsupported: Unsupported,
    /// Roles of imported functions, by `module.name`.
    pub imports: BTreeMap<String, Role>,
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
    /// Maximum number of bytes of standard input; can be up to 2^30.
    pub stdin_bytes: u64,
    /// Maximum number of bytes of standard output; can be up to 2^30. The next byte ends the run with `OutputLimit`.
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
            ]),
            globals: BTreeMap::new(),
            memories: BTreeMap::new(),
            tables: BTreeMap::new(),
            max_memory_pages: None,
            exports: None,
            stdin_bytes: 1 << 30,
            stdout_bytes: 1 << 28,
            validation_states: DEFAULT_VALIDATION_STATES,
            prove: false,
        }
    }
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Appends the lowest byte of its i32 parameter to standard output.
    StdoutByte,
    /// Returns the next byte of standard input as an i32, −1 at the end.
    StdinByte,
    /// Does nothing; results are 0.
    Nop,
    /// Traps with `UnsupportedHostCall`.
    Trap,
}

impl Role {
    /// All roles.
    pub const ALL: [Role; 4] = [Role::StdoutByte, Role::StdinByte, Role::Nop, Role::Trap];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Role::StdoutByte => "stdout-byte",
            Role::StdinByte => "stdin-byte",
            Role::Nop => "nop",
            Role::Trap => "trap",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        Role::ALL.into_iter().find(|role| role.name() == s).ok_or_else(|| {
            format!("unknown role `{s}`, expected one of {}", Role::ALL.map(Role::name).join(", "))
        })
    }
}
