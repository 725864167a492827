//! Why a module could not be compiled.

use wasm2onnx_runtime::{List, Name, SourceLine};

/// Why a module could not be compiled. The type is small; [`CompileError::kind`] has the details.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct CompileError(Box<ErrorKind>);

impl CompileError {
    /// The kind of error, with its details.
    pub fn kind(&self) -> &ErrorKind {
        &self.0
    }

    /// Returns the kind of error by itself.
    pub fn into_kind(self) -> ErrorKind {
        *self.0
    }
}

impl CompileError {
    /// Says that the error is in a module that others import from.
    pub(crate) fn in_module(self, module: &str) -> CompileError {
        ErrorKind::InModule { module: module.to_string(), error: self }.into()
    }
}

/// An import that nothing serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingImport {
    /// The linked module that imports it ([`Preload::name`](crate::Preload)); `None` for the program itself.
    pub importer: Option<String>,
    /// First part of its name.
    pub module: String,
    /// Second part.
    pub name: String,
    /// `function`, or nothing if `ty` says it.
    pub kind: &'static str,
    /// Its type, such as `(i32) -> (i64)` or `mutable global of type i32`.
    pub ty: String,
}

impl From<ErrorKind> for CompileError {
    fn from(kind: ErrorKind) -> Self {
        CompileError(Box::new(kind))
    }
}

impl From<wasmparser::Error> for CompileError {
    fn from(error: wasmparser::Error) -> Self {
        ErrorKind::Invalid { message: error.message().to_string(), offset: error.offset() }.into()
    }
}

/// The kinds of [`CompileError`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The input is neither a WebAssembly binary nor text.
    #[error("it is neither a WebAssembly module nor its text format: {0}")]
    NotWasm(String),
    /// The text format could not be parsed; the message says where.
    #[error("{0}")]
    Text(String),
    /// The validator refuses the module.
    #[error("invalid module: {} (at offset 0x{offset:x})", Name(message))]
    Invalid {
        /// The validator's message.
        message: String,
        /// Offset in the module, in bytes.
        offset: u64,
    },
    /// The module uses something valid that this compiler does not support.
    #[error(
        "unsupported: {}{} (at offset 0x{offset:x}{}){}",
        Name(what),
        in_function(.function),
        line.as_ref().map_or_else(String::new, |line| format!(", {line}")),
        sentence(.advice)
    )]
    Unsupported {
        /// An instruction by its name in the text format, or a declaration.
        what: String,
        /// Name and index of the function that it occurs in.
        function: Option<(String, u32)>,
        /// Offset in the module, in bytes.
        offset: u64,
        /// The line of source text, if the module has debug information that says so.
        line: Option<SourceLine>,
        /// A sentence that says what to do about it.
        advice: Option<String>,
    },
    /// Imports that nothing serves, of those that the program can reach.
    #[error("{}", missing_imports(.0))]
    MissingImports(Vec<MissingImport>),
    /// The type of an imported function does not fit its role.
    #[error(
        "import `{}.{}` has type {}, but a function with role {role} has type {expected}",
        Name(module),
        Name(name),
        Name(ty)
    )]
    ImportType {
        /// First part of its name.
        module: String,
        /// Second part.
        name: String,
        /// Its type.
        ty: String,
        /// The role given to it.
        role: crate::options::Role,
        /// The type of functions with this role.
        expected: &'static str,
    },
    /// Something is imported that is not what the module declares.
    #[error("import `{}.{}` is declared as {declared}, but given as {given}", Name(module), Name(name))]
    ImportMismatch {
        /// First part of its name.
        module: String,
        /// Second part.
        name: String,
        /// What it is declared as.
        declared: String,
        /// What it is given as.
        given: String,
    },
    /// A module that others import from cannot be compiled.
    #[error("in the module `{}`, which is linked with it: {error}", Name(module))]
    InModule {
        /// Its name for the others.
        module: String,
        /// Why.
        error: CompileError,
    },
    /// [`dump`](crate::dump::dump) was asked for a function that does not exist after that phase.
    #[error(
        "there is no function `{}` after {phase}: it may not exist, or was removed or inlined; there are: {}",
        Name(name),
        List(&.names.iter().map(|name| Name(name)).collect::<Vec<_>>())
    )]
    NoSuchFunction {
        /// What was asked for.
        name: String,
        /// The phase.
        phase: &'static str,
        /// The functions that exist.
        names: Vec<String>,
    },
    /// No function of tensors can be made of an export ([`Options::tensors`](crate::Options::tensors)).
    #[error("function of tensors `{}`: {message}", Name(name))]
    Tensors {
        /// The export.
        name: String,
        /// Why.
        message: String,
    },
    /// A custom section that should have a world of WIT in it has none, or is damaged.
    #[error(
        "section `{}`: {} (at offset 0x{offset:x}); `--no-wit` (`Options::wit`) compiles the module without it",
        Name(section),
        Name(message)
    )]
    World {
        /// The name of the section.
        section: String,
        /// What is wrong.
        message: String,
        /// Offset in the module of what is in the section, in bytes.
        offset: u64,
    },
    /// [`Options::exports`](crate::Options::exports) names something that is not an exported function.
    #[error("there is no exported function `{}`; {}", Name(name), list_exports(.exports))]
    NoSuchExport {
        /// What was asked for.
        name: String,
        /// The exported functions with their types, as `` `f` (i32) -> (i64) ``.
        exports: Vec<String>,
    },
    /// Something is larger than an implementation limit.
    #[error("{} is {value}, more than the limit of {limit}", Name(what))]
    Limit {
        /// What is too large.
        what: String,
        /// How large it is.
        value: u64,
        /// How large it may be.
        limit: u64,
    },
    /// A number of the program's code cannot be computed exactly, however many steps it is given. This is a defect of the
    /// compiler, never of the module.
    #[error(
        "no exact sum for an instruction in function `{function}` (in the packet at offset 0x{offset:x})"
    )]
    Inexact {
        /// The function's name.
        function: String,
        /// Offset in bytes of the first instruction of its packet.
        offset: u64,
    },
    /// The network could not be certified. This is a defect of the compiler, never of the module.
    #[error("the network could not be certified: {0}")]
    Certificate(String),
    /// The network does not do what the program does. This is a defect of the compiler, never of the module.
    #[error("the network differs from the program{}: {message}", at_packet(.function, .offset))]
    Mismatch {
        /// Name of the function.
        function: Option<String>,
        /// Offset in bytes of the first instruction of the packet.
        offset: u32,
        /// The first value that differs.
        message: String,
    },
}

fn at_packet(function: &Option<String>, offset: &u32) -> String {
    function
        .as_ref()
        .map_or_else(String::new, |name| format!(" in function `{name}` (at offset 0x{offset:x})"))
}

fn in_function(function: &Option<(String, u32)>) -> String {
    match function {
        Some((name, index)) if *name == format!("func[{index}]") => format!(" in function {name}"),
        Some((name, index)) => format!(" in function `{}` (func[{index}])", Name(name)),
        None => String::new(),
    }
}

/// `module.name`
fn full_name(module: &str, name: &str) -> String {
    format!("{}.{}", Name(module), Name(name))
}

fn missing_imports(missing: &[MissingImport]) -> String {
    let mut text = match missing {
        [_] => "an import is missing:".to_string(),
        _ => format!("{} imports are missing:", missing.len()),
    };
    for MissingImport { importer, module, name, kind, ty } in missing {
        let kind = if kind.is_empty() { String::new() } else { format!("{kind} of type ") };
        let importer = importer.as_ref();
        let importer =
            importer.map_or_else(String::new, |name| format!(", imported by the module `{}`", Name(name)));
        text += &format!("\n  {}: {kind}{}{importer}", full_name(module, name), Name(ty));
    }
    if missing.iter().any(|missing| !missing.kind.is_empty()) {
        text += "\ngive a function a role with --import MODULE.NAME=ROLE (stdout-byte, stdin-byte, nop, const:V or trap; \
                 `*` in a name stands for anything, as in --import 'env.*=trap'), or a module that exports it with \
                 --preload MODULE=FILE";
    }
    if missing.iter().any(|missing| missing.kind.is_empty()) {
        text += "\ngive a global a value with --import MODULE.NAME=VALUE, or a module that exports it with --preload \
                 MODULE=FILE";
    }
    text
}

fn sentence(advice: &Option<String>) -> String {
    advice.as_ref().map_or(String::new(), |advice| format!(". {advice}"))
}

fn list_exports(exports: &[String]) -> String {
    match exports {
        [] => "the module exports none".into(),
        _ => format!("the module exports {}", List(&exports.iter().map(|e| Name(e)).collect::<Vec<_>>())),
    }
}
