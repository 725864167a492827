//! Networks in build scripts: compiles a module while a crate is built, and wraps it in typed functions.
//!
//! ```no_run
//! // build.rs
//! fn main() -> Result<(), wasm2onnx::build::Error> {
//!     wasm2onnx::build::Builder::new().wasm("src/prog.wasm").compile()
//! }
//! ```
//!
//! The crate itself depends on `wasm2onnx-runtime` alone:
//!
//! ```ignore
//! wasm2onnx_runtime::include_network!("prog");
//!
//! let sum = prog::Prog::new()?.add(2, 3)?;
//! ```
//!
//! The function of an export takes and returns the Rust types of its parameters and results: `i32`, `i64`, `f32`, `f64`; several results are a tuple. A
//! [function of tensors](Builder::signature) takes a slice for each input of one dimension, a `&Tensor` for one of more, and returns a `Vec` or
//! a `Tensor`. All return the runtime's [`Error`](wasm2onnx_runtime::Error), [`Trap`](wasm2onnx_runtime::Trap) among its kinds.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fmt::{self, Debug, Display, Formatter};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use wasm2onnx_compiler::{CompileError, Options, compile};
use wasm2onnx_runtime::{Boundary, Entry, Network, Spec, ValueType};

use crate::export::{ExportError, ExportOptions, export};

/// Why a network could not be made. Both ways of showing it are for people, since a build script's error is shown by `Debug`.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Neither [`Builder::wasm`] nor [`Builder::crate_dir`] says what to compile, or both do.
    #[error("what is to be compiled is not given: call `wasm` or `crate_dir`, and one of them only")]
    Input,
    /// It does not run in a build script.
    #[error("the environment variable {0} is not set: networks are made in build scripts, by Cargo")]
    NotInBuildScript(&'static str),
    /// The name of the network is not that of a module in Rust.
    #[error("`{0}` is no name for a module in Rust; choose one with `name`")]
    Name(String),
    /// A file could not be read or written.
    #[error("{}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// Cargo could not build the crate; what it printed is among what the build script printed.
    #[error("{}: {why}", path.display())]
    Crate {
        /// The directory of the crate.
        path: PathBuf,
        /// What went wrong.
        why: String,
    },
    /// A signature cannot be read.
    #[error("{0}")]
    Signature(String),
    /// The module could not be compiled.
    #[error("{}: {error}", path.display())]
    Compile {
        /// The module.
        path: PathBuf,
        /// Why, and where: function and offset.
        error: CompileError,
    },
    /// The model could not be written.
    #[error(transparent)]
    Export(#[from] ExportError),
}

impl Debug for Error {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        Display::fmt(self, f)
    }
}

/// What to compile, and how.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Builder {
    wasm: Option<PathBuf>,
    crate_dir: Option<PathBuf>,
    name: Option<String>,
    signatures: Vec<String>,
    models: Vec<String>,
    options: Options,
}

impl Builder {
    /// Returns a builder that nothing is known to.
    pub fn new() -> Builder {
        Builder::default()
    }

    /// Compiles a file, `.wasm` (or `.wat`, with the feature `text` of `wasm2onnx-compiler`); a relative path begins where `Cargo.toml` is. The network is called like the file unless
    /// [`Builder::name`] says otherwise.
    pub fn wasm(mut self, path: impl Into<PathBuf>) -> Builder {
        self.wasm = Some(path.into());
        self
    }

    /// Builds the crate in a directory for wasm32-unknown-unknown, with Cargo and its profile `release`, and compiles the module that comes of it. The
    /// crate's `Cargo.toml` says `crate-type = ["cdylib"]`, and has a `[workspace]` of its own or is excluded from others. The target has to be installed: `rustup target add wasm32-unknown-unknown`.
    pub fn crate_dir(mut self, path: impl Into<PathBuf>) -> Builder {
        self.crate_dir = Some(path.into());
        self
    }

    /// Sets the name of the network.
    pub fn name(mut self, name: impl Into<String>) -> Builder {
        self.name = Some(name.into());
        self
    }

    /// Makes an export a function of tensors, see [`TensorFunction`](wasm2onnx_compiler::TensorFunction). A module that wit-bindgen made
    /// needs no signature.
    pub fn signature(mut self, signature: impl Into<String>) -> Builder {
        self.signatures.push(signature.into());
        self
    }

    /// Also writes an ONNX model that runs this export, to `NAME-EXPORT.onnx` in `OUT_DIR`. In the name of the file, `_` stands for what is
    /// neither a letter nor a digit of ASCII, `_`, `-` nor `.`.
    pub fn onnx(mut self, export: impl Into<String>) -> Builder {
        self.models.push(export.into());
        self
    }

    /// Sets how the compiler works. Signatures in the options count, too.
    pub fn options(mut self, options: Options) -> Builder {
        self.options = options;
        self
    }

    /// Compiles, and writes the network, the wrapper and the models to `OUT_DIR`. Tells Cargo which files to watch.
    ///
    /// # Errors
    ///
    /// As [`Error`] lists them.
    pub fn compile(self) -> Result<(), Error> {
        let out = PathBuf::from(env::var_os("OUT_DIR").ok_or(Error::NotInBuildScript("OUT_DIR"))?);
        let home = env::var_os("CARGO_MANIFEST_DIR").ok_or(Error::NotInBuildScript("CARGO_MANIFEST_DIR"))?;
        let home = PathBuf::from(home);
        let path = match (&self.wasm, &self.crate_dir) {
            (Some(wasm), None) => {
                let path = home.join(wasm);
                println!("cargo::rerun-if-changed={}", path.display());
                path
            }
            (None, Some(directory)) => build(&home.join(directory), &out)?,
            _ => return Err(Error::Input),
        };
        let stem = path.file_stem().and_then(OsStr::to_str).unwrap_or_default();
        let name = self.name.clone().unwrap_or_else(|| stem.replace('-', "_"));
        if identifier(&name) != name {
            return Err(Error::Name(name));
        }
        let module = fs::read(&path).map_err(|error| Error::File { path: path.clone(), error })?;
        let mut options = self.options;
        for signature in &self.signatures {
            options.tensors.push(signature.parse().map_err(Error::Signature)?);
        }
        let network =
            compile(&module, &options).map_err(|error| Error::Compile { path: path.clone(), error })?;
        let write = |file: String, bytes: &[u8]| {
            let path = out.join(file);
            fs::write(&path, bytes).map_err(|error| Error::File { path, error })
        };
        for entry in &self.models {
            let options = ExportOptions { entry: entry.clone(), ..ExportOptions::default() };
            // By WIT, exports have names such as `wasi:cli/run@0.2.0#run`.
            let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
            let file: String = entry.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
            write(format!("{name}-{file}.onnx"), &export(&network, &options)?)?;
        }
        write(format!("{name}.network"), &network.to_bytes())?;
        write(format!("{name}.rs"), wrapper(&network, &name).as_bytes())
    }
}

/// Builds a crate, and returns its module.
fn build(directory: &Path, out: &Path) -> Result<PathBuf, Error> {
    const TARGET: &str = "wasm32-unknown-unknown";
    let error = |why: String| Error::Crate { path: directory.to_owned(), why };
    for part in ["Cargo.toml", "Cargo.lock", "build.rs", "src"] {
        let part = directory.join(part);
        if part.exists() {
            println!("cargo::rerun-if-changed={}", part.display());
        }
    }
    let target = out.join("program");
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args(["build", "--release", "--target", TARGET])
        .arg("--target-dir")
        .arg(&target)
        .current_dir(directory);
    // These are for the crate whose build script this is.
    for variable in [
        "CARGO_ENCODED_RUSTFLAGS",
        "RUSTFLAGS",
        "RUSTC_WRAPPER",
        "RUSTC_WORKSPACE_WRAPPER",
        "CARGO_BUILD_TARGET",
    ] {
        cargo.env_remove(variable);
    }
    let output = cargo.output().map_err(|why| error(format!("Cargo cannot be started: {why}")))?;
    if !output.status.success() {
        return Err(error(format!("Cargo has failed:\n{}", String::from_utf8_lossy(&output.stderr))));
    }
    let made = target.join(TARGET).join("release");
    let files = fs::read_dir(&made).map_err(|error| Error::File { path: made.clone(), error })?;
    let modules =
        files.flatten().map(|file| file.path()).filter(|path| path.extension() == Some(OsStr::new("wasm")));
    match &modules.collect::<Vec<_>>()[..] {
        [module] => Ok(module.clone()),
        [] => Err(error(
            "it makes no module: its Cargo.toml has to say `crate-type = [\"cdylib\"]` under `[lib]`".into(),
        )),
        _ => Err(error("it makes several modules, and which one is meant is not known".into())),
    }
}

/// Returns the text of the module that wraps a network.
fn wrapper(network: &Network, name: &str) -> String {
    let ty: String = name.split('_').map(capitalized).collect();
    let mut text = format!(
        "/// The network `{name}`.
#[allow(unused, clippy::all, clippy::pedantic)]
pub mod {name} {{
    use wasm2onnx_runtime::{{Config, Error, Instance, Network, Tensor, Value}};

    /// An instance of the network `{name}`, with its state between calls.
    pub struct {ty}(Instance<'static>);

    impl {ty} {{
        /// Creates an instance, and runs what the program runs at its creation.
        pub fn new() -> Result<Self, Error> {{
            Self::with_config(Config::default())
        }}

        /// Creates an instance with settings: limits, streams, what a WASI program is given.
        pub fn with_config(config: Config) -> Result<Self, Error> {{
            Instance::with_config(Self::network(), config).map(Self)
        }}

        /// Returns the network.
        pub fn network() -> &'static Network {{
            static NETWORK: std::sync::OnceLock<Network> = std::sync::OnceLock::new();
            NETWORK.get_or_init(|| {{
                let bytes = include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{name}.network\"));
                Network::from_bytes(bytes).expect(\"the build script made it\")
            }})
        }}

        /// Returns the instance, for access to its memories, globals and streams.
        pub fn instance(&mut self) -> &mut Instance<'static> {{
            &mut self.0
        }}
"
    );
    let mut taken: BTreeSet<String> = ["new", "with_config", "network", "instance"].map(String::from).into();
    for (export, entry) in &network.entries {
        // References mean nothing outside.
        if entry.params.iter().chain(&entry.results).any(|ty| ty.is_reference()) {
            continue;
        }
        let mut method = identifier(export);
        while !taken.insert(method.clone()) {
            method.push('_');
        }
        text += &match &entry.boundary {
            None => of_values(export, &method, entry),
            Some(boundary) => of_tensors(export, &method, boundary),
        };
    }
    text + "    }\n}\n"
}

/// Returns a method: its name and what its documentation says that it calls, its parameters, the call that it makes, and the types
/// and values of its results, which are called `r0`, `r1`, … and match these patterns.
fn method(
    (name, what): (&str, &str),
    params: &[(String, String)],
    call: &str,
    (types, patterns, values): (&[String], &[String], &[String]),
) -> String {
    let params: String = params.iter().map(|(name, ty)| format!(", {name}: {ty}")).collect();
    let (types, patterns, values) = (tuple(types), patterns.join(", "), tuple(values));
    format!(
        "
        /// Calls {what}.
        pub fn {name}(&mut self{params}) -> Result<{types}, Error> {{
            let results = self.0.{call}?;
            let [{patterns}] = &results[..] else {{ unreachable!(\"these are its results\") }};
            Ok({values})
        }}
"
    )
}

/// Returns the method of a function of numbers.
fn of_values(export: &str, name: &str, entry: &Entry) -> String {
    let is_float = |ty: &ValueType| matches!(ty, ValueType::F32 | ValueType::F64);
    let variant = |ty: &ValueType| format!("Value::{}", ty.to_string().to_uppercase());
    let params: Vec<_> = (0..).zip(&entry.params).map(|(i, ty)| (format!("p{i}"), ty.to_string())).collect();
    let args = (0..).zip(&entry.params).map(|(i, ty)| match is_float(ty) {
        true => format!("{}(p{i}.to_bits())", variant(ty)),
        false => format!("{}(p{i})", variant(ty)),
    });
    let call = format!("invoke({export:?}, &[{}])", args.collect::<Vec<_>>().join(", "));
    let types: Vec<_> = entry.results.iter().map(ToString::to_string).collect();
    let patterns: Vec<_> =
        (0..).zip(&entry.results).map(|(i, ty)| format!("{}(r{i})", variant(ty))).collect();
    let values = (0..).zip(&entry.results).map(|(i, ty)| match is_float(ty) {
        true => format!("{ty}::from_bits(*r{i})"),
        false => format!("*r{i}"),
    });
    let what = format!("the export `{}`", export.escape_default());
    method((name, &what), &params, &call, (&types, &patterns, &values.collect::<Vec<_>>()))
}

/// Returns the method of a function of tensors. Tensors of no and of one dimension have Rust's own types.
fn of_tensors(export: &str, name: &str, Boundary { inputs, outputs }: &Boundary) -> String {
    let params = (0..).zip(inputs).map(|(i, spec)| {
        let ty = match spec.shape.len() {
            0 => spec.element.to_string(),
            1 => format!("&[{}]", spec.element),
            _ => "&Tensor".to_owned(),
        };
        (format!("{}_{i}", identifier(&spec.name)), ty)
    });
    let params: Vec<_> = params.collect();
    let args = inputs.iter().zip(&params).map(|(spec, (name, _))| match spec.shape.len() {
        0 => format!("Tensor::scalar({name})"),
        1 => format!("Tensor::list({name})"),
        _ => format!("{name}.clone()"),
    });
    let call = format!("call({export:?}, &[{}])", args.collect::<Vec<_>>().join(", "));
    let patterns: Vec<_> = (0..outputs.len()).map(|i| format!("r{i}")).collect();
    let results = outputs.iter().zip(&patterns).map(|(spec, name)| {
        let elements = format!("{name}.elements::<{}>().expect(\"it is of this type\")", spec.element);
        match spec.shape.len() {
            0 => (spec.element.to_string(), elements + "[0]"),
            1 => (format!("Vec<{}>", spec.element), elements),
            _ => ("Tensor".to_owned(), format!("{name}.clone()")),
        }
    });
    let (types, values): (Vec<_>, Vec<_>) = results.unzip();
    let shown = |specs: &[Spec]| specs.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let (export, inputs, outputs) = (export.escape_default(), shown(inputs), shown(outputs));
    let what = format!("the function of tensors `{export}({inputs}) -> ({outputs})`");
    method((name, &what), &params, &call, (&types, &patterns, &values))
}

fn tuple(items: &[String]) -> String {
    match items {
        [item] => item.clone(),
        items => format!("({})", items.join(", ")),
    }
}

fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_ascii_uppercase().to_string() + letters.as_str()).unwrap_or_default()
}

/// Returns a name for a function or module in Rust: letters, digits and `_`, and no word that means something else.
fn identifier(text: &str) -> String {
    const KEYWORDS: [&str; 51] = [
        "as", "async", "await", "become", "box", "break", "const", "continue", "crate", "do", "dyn", "else",
        "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "macro",
        "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return", "self", "Self", "static",
        "struct", "super", "trait", "true", "try", "type", "typeof", "unsafe", "unsized", "use", "virtual",
        "where", "while", "yield",
    ];
    let mut name: String = text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if !name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') || name.chars().all(|c| c == '_') {
        name.insert_str(0, "f_");
    }
    if KEYWORDS.contains(&&name[..]) {
        name.push('_');
    }
    name
}
