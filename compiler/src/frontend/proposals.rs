//! Errors for modules that are valid only with a proposal that is not supported: they name the part of the
//! module that belongs to the proposal, and say what the author of the module can do.
//!
//! The validator calls such a module invalid. It is then validated again, with all proposals that wasmparser
//! knows, and with all but one of them at a time, which shows which ones it needs. All of this happens only
//! on the way to an error.

use wasmparser::{Operator, Parser, Payload, Validator, WasmFeatures, for_each_operator};

use wasm2onnx_runtime::Name;

use super::names::operator_name;
use crate::error::{CompileError, ErrorKind};
use crate::options::{Options, Unsupported};

/// A proposal that is not supported.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Proposal {
    /// Its name in the table of all operators.
    key: &'static str,
    /// Its name for the validator. It may be among [`Options::features`] and still be refused, as SIMD is, which is a part of
    /// WebAssembly 2.0.
    feature: WasmFeatures,
    /// Its name for people.
    name: &'static str,
    /// What to do about it.
    advice: &'static str,
}

/// What to do if nothing more specific is known.
const OTHERWISE: &str = "compile for WebAssembly 2.0";
const NO_EXCEPTIONS: &str = "compile with `-fno-exceptions` (Rust: with `-C panic=abort`)";

macro_rules! proposals {
    ($($key:ident $feature:ident $name:literal $advice:expr;)*) => {
        /// A proposal that others build on comes after them.
        const PROPOSALS: &[Proposal] = &[$(Proposal {
            key: stringify!($key),
            feature: WasmFeatures::$feature,
            name: $name,
            advice: $advice,
        },)*];
    };
}

proposals! {
    relaxed_simd RELAXED_SIMD "relaxed SIMD" "compile without `-mrelaxed-simd` and `-msimd128`";
    simd SIMD "SIMD" "compile without `-msimd128` (Rust: without `-C target-feature=+simd128`)";
    shared_everything_threads SHARED_EVERYTHING_THREADS "shared-everything threads" OTHERWISE;
    acquire_release_atomics ACQUIRE_RELEASE_ATOMICS "acquire-release atomics" OTHERWISE;
    threads THREADS "threads" "compile without `-pthread` and `-matomics`";
    stack_switching STACK_SWITCHING "stack switching" OTHERWISE;
    exceptions EXCEPTIONS "exception handling" NO_EXCEPTIONS;
    legacy_exceptions LEGACY_EXCEPTIONS "legacy exception handling" NO_EXCEPTIONS;
    memory64 MEMORY64 "memory64" "compile for wasm32";
    multi_memory MULTI_MEMORY "multi-memory" "`wasm-opt --multi-memory-lowering` makes one memory of them";
    multibyte_array_access MULTIBYTE_ARRAY_ACCESS "multibyte array access" OTHERWISE;
    custom_descriptors CUSTOM_DESCRIPTORS "custom descriptors" OTHERWISE;
    gc GC "garbage collection" "compile for linear memory, without WebAssembly's own objects";
    function_references FUNCTION_REFERENCES "typed function references" OTHERWISE;
    wide_arithmetic WIDE_ARITHMETIC "wide arithmetic" "compile without `-mwide-arithmetic`";
    custom_page_sizes CUSTOM_PAGE_SIZES "custom page sizes" "use pages of 64 KiB";
    memory_control MEMORY_CONTROL "memory control" OTHERWISE;
    compact_imports COMPACT_IMPORTS "compact imports" "write the import section without them";
}

/// Returns a better error for a module that is refused: if an invalid module would be valid with a proposal,
/// it is called unsupported, and whatever is unsupported comes with advice. `names` are the names of its
/// functions, as far as they are known.
pub fn explain(binary: &[u8], options: &Options, names: &[String], error: CompileError) -> CompileError {
    // The runner of a test suite knows which version of WebAssembly it wants.
    if options.unsupported == Unsupported::Trap {
        return error;
    }
    let (offset, known) = match error.kind() {
        ErrorKind::Invalid { offset, .. } => (*offset, None),
        ErrorKind::Unsupported { what, function, offset, advice: None, .. } => {
            (*offset, Some((what.clone(), function.clone())))
        }
        _ => return error,
    };
    let validate = |features| Validator::new_with_features(features).validate_all(binary).map(drop);
    if let Err(invalid) = validate(WasmFeatures::all()) {
        return if known.is_some() { error } else { invalid.into() };
    }
    let site = Site::of(binary, offset);
    let by_operator = match &site {
        Site::Function(_, Some(op)) => of_operator(op),
        _ => None,
    };
    let needed = |proposal: &&Proposal| validate(WasmFeatures::all().difference(proposal.feature)).is_err();
    // Two proposals may both contain a feature: then neither of them is needed, and either of them is enough.
    // If the module is valid without any proposal, it was not refused because of one.
    let is_valid = validate(options.features).is_ok();
    let enough =
        |proposal: &&Proposal| !is_valid && validate(options.features.union(proposal.feature)).is_ok();
    let proposal =
        by_operator.or_else(|| PROPOSALS.iter().find(needed)).or_else(|| PROPOSALS.iter().rev().find(enough));
    let Some(proposal) = proposal else { return error };
    let (what, function) = known.unwrap_or_else(|| match &site {
        Site::Function(index, op) => {
            let name = names.get(*index as usize).cloned().unwrap_or_else(|| format!("func[{index}]"));
            let what = op.as_ref().map_or_else(|| "the type of a local".to_owned(), operator_name);
            (what, Some((name, *index)))
        }
        Site::Section(section, item) => (declaration(proposal, section, item.as_deref()), None),
    });
    let advice = Some(format!("It belongs to the {} proposal: {}", proposal.name, proposal.advice));
    ErrorKind::Unsupported { what, function, offset, line: None, advice }.into()
}

/// Returns the proposal that an instruction belongs to, if that proposal is not supported.
fn of_operator(op: &Operator) -> Option<&'static Proposal> {
    macro_rules! proposal {
        ($(@$proposal:ident $op:ident $({ $($arg:ident: $argty:ty),* })? => $visit:ident ($($ann:tt)*))*) => {
            match op {
                $(Operator::$op { .. } => stringify!($proposal),)*
                _ => "unknown",
            }
        };
    }
    let key = for_each_operator!(proposal);
    PROPOSALS.iter().find(|proposal| proposal.key == key)
}

/// Says in words what belongs to a proposal in a section. `item` is the item of the section, if it is known.
fn declaration(proposal: &Proposal, section: &str, item: Option<&str>) -> String {
    match (proposal.key, section) {
        ("memory64", "table") => "a 64-bit table".into(),
        ("memory64", _) => "a 64-bit memory".into(),
        ("threads", _) => "a shared memory".into(),
        ("multi_memory", _) => "a second memory".into(),
        ("custom_page_sizes", _) => "a memory with custom page size".into(),
        ("exceptions", "tag") => "a tag".into(),
        _ => item.map_or_else(|| format!("the {section} section"), str::to_owned),
    }
}

/// What lies at an offset in a module.
enum Site<'a> {
    /// In a function, given by its index: an instruction, or what comes before the first instruction.
    Function(u32, Option<Operator<'a>>),
    /// In a section, given by its name: the item in words, or `None` between items.
    Section(&'static str, Option<String>),
}

impl<'a> Site<'a> {
    fn of(binary: &'a [u8], offset: u64) -> Site<'a> {
        let mut function = 0;
        let (mut section, mut item) = ("first", None);
        for payload in Parser::new(0).parse_all(binary).map_while(Result::ok) {
            match &payload {
                Payload::ImportSection(imports) => {
                    let imports = imports.clone().into_imports().map_while(Result::ok);
                    let is_function = |import: &wasmparser::Import| {
                        matches!(import.ty, wasmparser::TypeRef::Func(_) | wasmparser::TypeRef::FuncExact(_))
                    };
                    function = imports.filter(is_function).count() as u32;
                }
                Payload::CodeSectionEntry(body) if body.range().contains(&offset) => {
                    let reader = body.get_operators_reader().into_iter();
                    let operators = reader.flat_map(|reader| reader.into_iter_with_offsets());
                    let operators = operators.map_while(Result::ok).take_while(|(_, at)| *at <= offset);
                    return Site::Function(function, operators.last().map(|(op, _)| op));
                }
                Payload::CodeSectionEntry(_) => function += 1,
                _ => {}
            }
            if let Some((id, range)) = payload.as_section()
                && range.start <= offset
            {
                section = section_name(id);
                item = item_at(&payload, offset);
            }
        }
        Site::Section(section, item)
    }
}

/// Returns the item of a section that contains an offset, in words.
fn item_at(section: &Payload, offset: u64) -> Option<String> {
    /// Returns the last item that begins before an offset, and how many items come before it.
    fn last<'a, T: wasmparser::FromReader<'a>>(
        section: &wasmparser::SectionLimited<'a, T>,
        offset: u64,
    ) -> Option<(usize, T)> {
        let items = section.clone().into_iter_with_offsets().map_while(Result::ok);
        items.take_while(|(at, _)| *at <= offset).map(|(_, item)| item).enumerate().last()
    }
    match section {
        Payload::TypeSection(section) => {
            let (before, group) = last(section, offset)?;
            let groups = section.clone().into_iter().map_while(Result::ok).take(before);
            let first: usize = groups.map(|group| group.types().len()).sum();
            let types = group.into_types_and_offsets();
            let (index, (_, ty)) = types.enumerate().take_while(|(_, (at, _))| *at <= offset).last()?;
            Some(format!("type {}, {}", first + index, kind_of(&ty)))
        }
        Payload::ImportSection(section) => {
            let imports = section.clone().into_imports_with_offsets().map_while(Result::ok);
            let (_, import) = imports.take_while(|(at, _)| *at <= offset).last()?;
            Some(format!("the type of the import `{}.{}`", Name(import.module), Name(import.name)))
        }
        Payload::TableSection(section) => Some(format!("the type of table {}", last(section, offset)?.0)),
        Payload::GlobalSection(section) => Some(format!("global {}", last(section, offset)?.0)),
        Payload::ElementSection(section) => Some(format!("element segment {}", last(section, offset)?.0)),
        Payload::DataSection(section) => Some(format!("data segment {}", last(section, offset)?.0)),
        _ => None,
    }
}

/// Says in words what kind of type it is.
fn kind_of(ty: &wasmparser::SubType) -> &'static str {
    use wasmparser::CompositeInnerType;
    match ty.composite_type.inner {
        CompositeInnerType::Func(_) => "a function type",
        CompositeInnerType::Array(_) => "an array",
        CompositeInnerType::Struct(_) => "a struct",
        CompositeInnerType::Cont(_) => "a continuation",
    }
}

/// Returns the name of a section with this number in the binary format.
fn section_name(id: u8) -> &'static str {
    const NAMES: [&str; 14] = [
        "custom",
        "type",
        "import",
        "function",
        "table",
        "memory",
        "global",
        "export",
        "start",
        "element",
        "code",
        "data",
        "data count",
        "tag",
    ];
    NAMES.get(usize::from(id)).copied().unwrap_or("unknown")
}
