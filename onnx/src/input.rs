//! The module on the command line and how it is compiled: what `run` and `inspect` have in common.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, bail};
use wasm2onnx_compiler::{Options, Role};
use wasm2onnx_runtime::Network;

use crate::failure::Failure;

/// Options of all subcommands that compile a module.
#[derive(Debug, clap::Args)]
pub struct ModuleOptions {
    /// What an imported function does: `stdout-byte` (param i32), `stdin-byte` (result i32, -1 at
    /// the end), `nop` or `trap`. Of its own accord `env.output_byte` is a `stdout-byte` and
    /// `env.input_byte` a `stdin-byte`
    #[arg(long = "import", value_name = "MODULE.NAME=ROLE")]
    pub imports: Vec<Import>,

    /// Largest size of the memory in pages of 64 KiB, beyond which growing it gives -1 [default:
    /// the declared maximum, at most 256 unless the initial size is larger]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=65536))]
    pub max_memory_pages: Option<u32>,
}

/// The role of an imported function.
#[derive(Clone, Debug)]
pub struct Import {
    /// `module.name`.
    function: String,
    role: Role,
}

impl FromStr for Import {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (function, role) = text.rsplit_once('=').ok_or("expected MODULE.NAME=ROLE")?;
        if !function.contains('.') {
            return Err("expected MODULE.NAME=ROLE".to_owned());
        }
        Ok(Import { function: function.to_owned(), role: role.parse()? })
    }
}

impl ModuleOptions {
    /// As the compiler takes them.
    fn compiler(&self) -> Options {
        let mut options = Options { max_memory_pages: self.max_memory_pages, ..Options::default() };
        options.imports.extend(self.imports.iter().map(|import| (import.function.clone(), import.role)));
        options
    }
}

/// Reads and compiles a module; `-` is standard input.
pub fn compile(path: &Path, options: &ModuleOptions) -> Result<Network, Failure> {
    let bytes = read(path)?;
    let network = wasm2onnx_compiler::compile(&bytes, &options.compiler()).with_context(|| shown(path))?;
    Ok(network)
}

/// The exported functions of a module.
pub fn exports(path: &Path, bytes: &[u8], options: &ModuleOptions) -> Result<Functions, Failure> {
    let exports = wasm2onnx_compiler::exported_functions(bytes, &options.compiler());
    Ok(exports.with_context(|| shown(path))?)
}

/// Functions by name.
pub type Functions = BTreeMap<String, wasm2onnx_compiler::Signature>;

/// Compiles a module for one of its exported functions alone.
pub fn compile_export(
    path: &Path,
    bytes: &[u8],
    options: &ModuleOptions,
    name: &str,
) -> Result<Network, Failure> {
    let options = Options {
        exports: Some(vec![name.to_owned()]),
        stdout_bytes: MODEL_STDOUT_BYTES,
        ..options.compiler()
    };
    let network = wasm2onnx_compiler::compile(bytes, &options).with_context(|| shown(path))?;
    Ok(network)
}

/// Bytes that a model can print: it has cells for all of them from the start.
const MODEL_STDOUT_BYTES: u64 = 1 << 20;

/// The bytes of a module.
pub fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("onnx")) {
        bail!("{}: reading ONNX models is not there yet; give the .wasm or .wat file", path.display());
    }
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        std::io::stdin().lock().read_to_end(&mut bytes).context("standard input cannot be read")?;
    } else {
        bytes = std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
    }
    Ok(bytes)
}

/// The input's name for messages.
fn shown(path: &Path) -> String {
    if path == Path::new("-") { "standard input".to_owned() } else { path.display().to_string() }
}

/// The positional arguments of a subcommand that takes nothing but a module.
#[derive(Debug, clap::Args)]
pub struct Input {
    /// The module, .wasm or .wat; `-` is standard input
    #[arg(value_name = "INPUT")]
    pub path: PathBuf,
}
