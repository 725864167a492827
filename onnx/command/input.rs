//! The module or model on the command line, and the network that it is or becomes.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::fs::OpenOptions;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::{Description, Form, describe, is_model};
use anyhow::{Context, anyhow};
use wasm2onnx_compiler::dump::{Phase, dump};
use wasm2onnx_compiler::{
    Certified, GlobalImport, ImportType, MemoryImport, Options, Preload, Role, TableImport, TensorFunction,
    options,
};
use wasm2onnx_runtime::{Boundary, List, Name, Value, ValueType};

use crate::command::arguments;
use crate::command::display::{Count, Signature};
use crate::command::entry::choose_entry;
use crate::command::failure::Failure;
use crate::command::files::{Identity, open_within_patience};

/// Options of all subcommands that compile a module.
#[derive(Debug, clap::Args)]
pub struct ModuleOptions {
    /// What an import is. For a function, its role: `stdout-byte` (param i32), `stdin-byte` (result i32, -1
    /// at the end), `nop` (results 0), `const:V` (results V) or `trap`; by default `env.output_byte` is a `stdout-byte`,
    /// `env.input_byte` a `stdin-byte`, and `env.abort` traps. For a global, its value; for a memory or table, its size in
    /// pages or entries [default: as declared]. `*` in the name stands for any text
    #[arg(long = "import", value_name = "MODULE.NAME=ROLE")]
    pub imports: Vec<Import>,

    /// A module that is linked with the program: imports from NAME are what it exports. Each may import from those before it
    #[arg(long = "preload", value_name = "NAME=FILE")]
    pub preloads: Vec<PreloadFile>,

    /// An exported function without parameters and results to call when an instance is created, after the start function and
    /// `_initialize`, which is called in any case
    #[arg(long, value_name = "NAME")]
    pub init: Vec<String>,

    /// An exported function that takes and gives tensors, as in 'tokenize(text: u8[], ids: out i64[512]) -> len(ids)': its parameters
    /// in their order, with types bool, i8 to u64, f32, f64. An array is an address and the number of elements, or with names
    /// for dimensions, as u8[h, w, 3], the sizes of these; an output is an address and, if it has one dimension or is counted, the number of
    /// elements that there is room for
    #[arg(long = "signature", value_name = "SIGNATURE")]
    pub tensors: Vec<TensorFunction>,

    /// Leave out what wit-bindgen says of the exports: those with strings, lists or records take numbers and addresses then, not tensors
    #[cfg(feature = "command")]
    #[arg(long, conflicts_with = "tensors")]
    pub no_wit: bool,

    /// Maximum size of the memory in pages of 64 KiB; growing it further returns -1 to the program [default:
    /// the declared maximum, but not more than 1024 or four times the initial size, whichever is more]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=65536))]
    pub max_memory_pages: Option<u32>,

    /// Minimum number of states on which each packet of the network is compared with the program that it was
    /// made from; 0 omits the comparison
    #[arg(long, value_name = "N", default_value_t = wasm2onnx_compiler::options::DEFAULT_VALIDATION_STATES)]
    pub validation_states: u32,

    /// Try to prove of each packet that it does the same as the program in every state, which takes longer;
    /// `inspect` says for how many packets that succeeded
    #[arg(long)]
    pub prove: bool,

    /// Maximum number of bytes that the program may print; the next one ends the run with an error [default:
    /// 268435456; for models of a single step 1048576, since these have a cell for each byte from the start]
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u64).range(0..=1 << 30))]
    pub max_output: Option<u64>,
}

/// A module to link with the program.
#[derive(Clone, Debug)]
pub struct PreloadFile {
    /// The name that others import from.
    name: String,
    path: PathBuf,
}

impl FromStr for PreloadFile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((name, path)) if !name.is_empty() && !path.is_empty() => {
                Ok(PreloadFile { name: name.to_owned(), path: path.into() })
            }
            _ => Err("expected NAME=FILE".to_owned()),
        }
    }
}

/// What an import is.
#[derive(Clone, Debug)]
pub struct Import {
    /// `module.name`, in which `*` stands for any text.
    name: String,
    given: Given,
}

#[derive(Clone, Debug)]
enum Given {
    /// The role of a function.
    Role(Role),
    /// A number or `null`, to be read as the module declares the import.
    Value(String),
}

impl FromStr for Import {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, given) = text.rsplit_once('=').ok_or("expected MODULE.NAME=ROLE")?;
        if !name.contains(['.', '*']) {
            return Err("expected MODULE.NAME=ROLE".to_owned());
        }
        let is_value =
            given == "null" || given.starts_with(['+', '-', '.']) || given.starts_with(char::is_numeric);
        let given = if is_value { Given::Value(given.to_owned()) } else { Given::Role(given.parse()?) };
        Ok(Import { name: name.to_owned(), given })
    }
}

impl ModuleOptions {
    /// Returns the name of the function that is meant: the one that is named, or else the only one with a signature.
    pub fn entry<'a>(&'a self, named: Option<&'a str>) -> Option<&'a str> {
        let only = || match &self.tensors[..] {
            [function] => Some(&function.name[..]),
            _ => None,
        };
        named.or_else(only)
    }

    /// Returns whether what wit-bindgen says of the exports is to be left out.
    fn no_wit(&self) -> bool {
        #[cfg(feature = "command")]
        return self.no_wit;
        #[cfg(not(feature = "command"))]
        false
    }

    /// Returns the options that the compiler takes for a module of which a model of this form is made. Reads the modules to link.
    fn compiler(&self, module: &[u8], form: Form) -> Result<Options, Failure> {
        let mut options = Options {
            max_memory_pages: self.max_memory_pages,
            validation_states: self.validation_states,
            prove: self.prove,
            ..Options::default()
        };
        if form == Form::Step {
            (options.stdin_bytes, options.stdout_bytes) = (STEP_STREAM_BYTES, STEP_STREAM_BYTES);
        }
        options.stdout_bytes = self.max_output.unwrap_or(options.stdout_bytes);
        options.init.clone_from(&self.init);
        options.tensors.clone_from(&self.tensors);
        options.wit = !self.no_wit();
        for PreloadFile { name, path } in &self.preloads {
            let source = Source::read(path)?;
            if source.is_model() {
                let message =
                    format!("--preload {name}={}: a model cannot be linked, only a module", source.shown());
                return Err(Failure::Usage(message));
            }
            options.preloads.push(Preload { name: name.clone(), module: source.bytes });
        }
        let modules = options.preloads.iter().map(|preload| &preload.module[..]).chain([module]);
        // A module that cannot be read is refused when it is compiled, with a better message.
        let declared: Option<Vec<_>> =
            modules.map(|module| wasm2onnx_compiler::imports(module).ok()).collect();
        if let Some(declared) = declared {
            self.check_preloads(&declared, &options)?;
            self.add_imports(declared.into_iter().flatten().collect(), &mut options)?;
        }
        Ok(options)
    }

    /// Refuses modules to link that can have no effect on the program, and roles for what they export. `declared` are the
    /// imports of these modules and of the program.
    fn check_preloads(
        &self,
        declared: &[BTreeMap<String, ImportType>],
        options: &Options,
    ) -> Result<(), Failure> {
        let from = |import: &str, module: &str| {
            import.strip_prefix(module).is_some_and(|rest| rest.starts_with('.'))
        };
        for (i, (PreloadFile { name, path }, preload)) in
            self.preloads.iter().zip(&options.preloads).enumerate()
        {
            let given = format!("--preload {}={}", Name(name), Name(&path.display().to_string()));
            let mut later = declared[i + 1..].iter().flat_map(BTreeMap::keys);
            // It may be there for what it does when it is created.
            let acts = wasm2onnx_compiler::acts_at_creation(&preload.module).unwrap_or(true);
            if !acts && !later.any(|import| from(import, name)) {
                let all: Vec<_> =
                    declared[i + 1..].iter().flat_map(BTreeMap::keys).map(|name| Name(name)).collect();
                let all = if all.is_empty() { "nothing".into() } else { List(&all).to_string() };
                return Err(Failure::Usage(format!(
                    "{given}: nothing is imported from `{}`; imported after it are {all}",
                    Name(name)
                )));
            }
            let Ok(exports) = wasm2onnx_compiler::exported_functions(&preload.module, options) else {
                continue;
            };
            let exact = |import: &&Import| {
                // What comes before it cannot be served by it, and may need the role.
                let needed = declared[..=i].iter().any(|imports| imports.contains_key(&import.name));
                from(&import.name, name) && exports.contains_key(&import.name[name.len() + 1..]) && !needed
            };
            if let Some(import) = self.imports.iter().find(exact) {
                return Err(Failure::Usage(format!(
                    "--import {}={}: {given} serves it; leave out one of the two",
                    Name(&import.name),
                    import.given
                )));
            }
        }
        Ok(())
    }

    /// Adds what `--import` says.
    fn add_imports(
        &self,
        declared: BTreeMap<String, ImportType>,
        options: &mut Options,
    ) -> Result<(), Failure> {
        for Import { name, given } in &self.imports {
            let matching: Vec<_> =
                declared.iter().filter(|(import, _)| options::matches(name, import)).collect();
            let bad = |message: String| Failure::Usage(format!("--import {name}={given}: {message}"));
            if matching.is_empty() {
                let names: Vec<_> = declared.keys().map(|name| Name(name)).collect();
                let all = if names.is_empty() { "nothing".into() } else { List(&names).to_string() };
                return Err(bad(format!("the module has no such import; it imports {all}")));
            }
            let text = match given {
                Given::Role(role) => {
                    if matching.iter().all(|(_, ty)| **ty != ImportType::Function) {
                        return Err(bad("it is not a function; give it a value or a size".to_owned()));
                    }
                    options.imports.insert(name.clone(), *role);
                    continue;
                }
                Given::Value(text) => text,
            };
            let number = || match arguments::parse(text, ValueType::I32).map_err(bad)? {
                Value::I32(number) if !text.starts_with('-') => Ok(number as u32),
                _ => Err(bad("expected a size".to_owned())),
            };
            for (import, ty) in matching {
                let import = import.clone();
                match *ty {
                    ImportType::Global { ty, mutable } => {
                        let value = arguments::parse(text, ty).map_err(bad)?;
                        options.globals.insert(import, GlobalImport { value, mutable });
                    }
                    ImportType::Memory { max } => {
                        let memory = MemoryImport { pages: number()?, max, data: Vec::new() };
                        options.memories.insert(import, memory);
                    }
                    ImportType::Table { max, external } => {
                        let table = TableImport { entries: number()?, max, external };
                        options.tables.insert(import, table);
                    }
                    ImportType::Function => {
                        return Err(bad(format!(
                            "`{}` is a function; give it a role, such as const:{text}",
                            Name(&import)
                        )));
                    }
                }
            }
        }
        Ok(())
    }
}

impl Display for Given {
    /// Writes it as the command line has it.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Given::Role(role) => role.fmt(f),
            Given::Value(text) => f.write_str(text),
        }
    }
}

/// Maximum size of a module in bytes.
const MAX_MODULE: u64 = 1 << 28;

/// Maximum size of a model in bytes: protocol buffers can be no larger.
const MAX_MODEL: u64 = 1 << 31;

/// Number of bytes at its beginning that tell what a file is.
const HEAD: u64 = 1 << 12;

/// What a command was given: the bytes of a module or of a model.
pub struct Source {
    path: PathBuf,
    bytes: Vec<u8>,
    identity: Option<Identity>,
}

/// The exported functions of a module, by name.
pub struct Functions {
    types: BTreeMap<String, wasm2onnx_compiler::Signature>,
    /// The tensors of those that are functions of tensors by WIT.
    tensors: BTreeMap<String, Boundary>,
}

impl Functions {
    /// Returns how each is called.
    pub fn signatures(&self) -> Vec<Signature<'_>> {
        self.types
            .iter()
            .map(|(name, types)| Signature::of_types(name, types, self.tensors.get(name)))
            .collect()
    }
}

impl Source {
    /// Reads a file; `-` is standard input. A file that has no end, or is too large, is read only until that
    /// is known.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let mut source = Source { path: path.to_owned(), bytes: Vec::new(), identity: None };
        let shown = source.shown();
        let reading = || format!("{shown} cannot be read");
        if path == Path::new("-") {
            source.identity = standard_input();
            let stdin = std::io::stdin().lock();
            source.bytes = read_file(stdin, path).with_context(reading)?;
        } else {
            let file = open_within_patience(path, OpenOptions::new().read(true)).with_context(reading)?;
            let metadata = file.metadata().with_context(reading)?;
            source.identity = Identity::of(&metadata, path);
            source.bytes = read_file(file, path).with_context(reading)?;
        }
        Ok(source)
    }

    /// Takes the bytes of a file that is called so, or would be.
    ///
    /// # Errors
    ///
    /// If they cannot be a module or a model.
    pub fn from_bytes(path: &Path, bytes: &[u8]) -> anyhow::Result<Self> {
        let source = Source { path: path.to_owned(), bytes: Vec::new(), identity: None };
        let bytes = read_file(bytes, path).with_context(|| source.shown())?;
        Ok(Source { bytes, ..source })
    }

    /// Returns the identity of the file, if it is a regular one.
    pub fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }

    /// Returns its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns its network: that of a model, or the one that a module becomes.
    pub fn network(&self, options: &ModuleOptions) -> Result<Certified, Failure> {
        if !self.is_model() {
            let network =
                wasm2onnx_compiler::compile(&self.bytes, &options.compiler(&self.bytes, Form::Loop)?);
            return Ok(network.with_context(|| self.shown())?);
        }
        let linked = !options.imports.is_empty() || !options.preloads.is_empty() || !options.init.is_empty();
        let tensors = [(!options.tensors.is_empty(), "--signature"), (options.no_wit(), "--no-wit")];
        if let Some((_, option)) = tensors.iter().find(|(is_given, _)| *is_given) {
            return Err(Failure::Usage(format!(
                "{}: {option} is for modules; which tensors a model takes was decided when it was compiled",
                self.shown()
            )));
        }
        if linked || options.max_memory_pages.is_some() || options.max_output.is_some() {
            return Err(Failure::Usage(format!(
                "{}: --import, --preload, --init, --max-memory-pages and --max-output are for modules; what a model \
                 imports and runs first, how far its memory can grow and how much it can print was decided when it was \
                 compiled",
                self.shown(),
            )));
        }
        Ok(crate::import(&self.bytes).with_context(|| self.shown())?)
    }

    /// Returns what a model says about itself, or `None` for a module.
    pub fn description(&self) -> Result<Option<Description>, Failure> {
        match self.is_model() {
            true => Ok(Some(describe(&self.bytes).with_context(|| self.shown())?)),
            false => Ok(None),
        }
    }

    /// Returns the options that the compiler takes for a module of which a model of this form is made.
    pub fn options(&self, given: &ModuleOptions, form: Form) -> Result<Options, Failure> {
        given.compiler(self.module()?, form)
    }

    /// Returns the bytes of a module, and refuses a model.
    pub fn module(&self) -> Result<&[u8], Failure> {
        match self.is_model() {
            true => {
                Err(Failure::Usage(format!("{} is already a model; give a .wasm or .wat file", self.shown())))
            }
            false => Ok(&self.bytes),
        }
    }

    /// Returns the exported functions of a module.
    pub fn exports(&self, options: &Options) -> Result<Functions, Failure> {
        let types = wasm2onnx_compiler::exported_functions(&self.bytes, options);
        let types = types.with_context(|| self.shown())?;
        #[cfg(feature = "command")]
        let tensors = {
            let functions = wasm2onnx_compiler::wit_functions(&self.bytes, options);
            let functions = functions.with_context(|| self.shown())?.into_iter();
            functions.filter_map(|(name, function)| Some((name, function.ok()?.boundary))).collect()
        };
        #[cfg(not(feature = "command"))]
        let tensors = BTreeMap::new();
        Ok(Functions { types, tensors })
    }

    /// Returns the network that a module becomes of which only one exported function is needed.
    ///
    /// # Errors
    ///
    /// If there is no such function, if the options do not fit the module, or if it cannot be compiled.
    pub fn network_for(&self, options: &ModuleOptions, name: &str) -> Result<Certified, Failure> {
        let options = self.options(options, Form::Loop)?;
        let exports = self.exports(&options)?;
        choose_entry(&exports.signatures(), Some(name))?;
        self.compile(options, name)
    }

    /// Compiles a module for only one of its exported functions.
    pub fn compile(&self, options: Options, name: &str) -> Result<Certified, Failure> {
        if let Some(other) = options.tensors.iter().find(|function| function.name != name) {
            return Err(Failure::Usage(format!(
                "--signature is for `{}`, but the function to be called is `{}`",
                Name(&other.name),
                Name(name)
            )));
        }
        let options = Options { exports: Some(vec![name.to_owned()]), ..options };
        let network = wasm2onnx_compiler::compile(&self.bytes, &options);
        Ok(network.with_context(|| self.shown())?)
    }

    /// Returns the text of a module, or of one of its functions, after a phase of the compiler. For a model
    /// there is only its network to show.
    pub fn dump(
        &self,
        options: &ModuleOptions,
        after: Phase,
        function: Option<&str>,
    ) -> Result<String, Failure> {
        if !self.is_model() {
            let text = dump(&self.bytes, &options.compiler(&self.bytes, Form::Loop)?, after, function);
            return Ok(text.with_context(|| self.shown())?);
        }
        match (after, function) {
            (Phase::Network, None) => Ok(self.network(options)?.to_string()),
            _ => Err(Failure::Usage(format!(
                "{} is a model, which holds only a network: it can be shown with --after network, and only as a whole",
                self.shown()
            ))),
        }
    }

    /// Returns whether it is a model rather than a module: by its name or, if that does not tell, by its
    /// content.
    pub fn is_model(&self) -> bool {
        match named_model(&self.path) {
            Some(is_model) => is_model,
            None => !self.bytes.starts_with(b"\0asm") && is_model(&self.bytes),
        }
    }

    /// Returns its name for messages.
    fn shown(&self) -> String {
        if self.path == Path::new("-") {
            "standard input".to_owned()
        } else {
            Name(&self.path.display().to_string()).to_string()
        }
    }
}

/// Returns whether a file is a model, if its name tells.
fn named_model(path: &Path) -> Option<bool> {
    let extension = path.extension().map(|extension| extension.to_ascii_lowercase());
    match extension.as_ref().and_then(|extension| extension.to_str()) {
        Some("onnx") => Some(true),
        Some("wasm" | "wat") => Some(false),
        _ => None,
    }
}

/// Reads all of a file, if it can be a module or a model and is not too large for one.
fn read_file(mut file: impl Read, path: &Path) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.by_ref().take(HEAD).read_to_end(&mut bytes)?;
    // Models begin with the version of the format, in protocol buffers; text has no such byte.
    let is_model = named_model(path).unwrap_or_else(|| bytes.first() == Some(&8));
    let can_be = match (is_model, bytes.first()) {
        (_, None) => true,
        // No field of a protocol buffers message has the number 0.
        (true, first) => first != Some(&0),
        (false, Some(0)) => bytes.starts_with(&b"\0asm"[..bytes.len().min(4)]),
        // A character that is cut off at the end does not count.
        (false, _) => std::str::from_utf8(&bytes).err().is_none_or(|error| error.error_len().is_none()),
    };
    match (can_be, is_model) {
        (true, _) => {}
        (false, true) => return Err(anyhow!("it is not an ONNX model")),
        (false, false) => return Err(anyhow!("it is neither a WebAssembly module nor its text format")),
    }
    let (limit, what) = if is_model { (MAX_MODEL, "model") } else { (MAX_MODULE, "module") };
    file.take(limit + 1 - bytes.len() as u64).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > limit {
        true => Err(anyhow!("it is larger than {} bytes, the limit for a {what}", Count(limit))),
        false => Ok(bytes),
    }
}

/// Returns the identity of standard input, if it is a regular file.
fn standard_input() -> Option<Identity> {
    #[cfg(unix)]
    {
        use std::os::fd::AsFd;
        let file = std::fs::File::from(std::io::stdin().as_fd().try_clone_to_owned().ok()?);
        Identity::of(&file.metadata().ok()?, Path::new("-"))
    }
    #[cfg(not(unix))]
    None
}

/// Maximum number of bytes that a model of a single step can read, and that it can print: it has a cell for
/// each from the start.
const STEP_STREAM_BYTES: u64 = 1 << 20;

/// The positional arguments of a subcommand that takes nothing but a module.
#[derive(Debug, clap::Args)]
pub struct Input {
    /// The module (.wasm or .wat) or the compiled model (.onnx); `-` is standard input
    #[arg(value_name = "INPUT")]
    pub path: PathBuf,
}
