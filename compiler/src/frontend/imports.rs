//! What serves the imports of a module: another module of the program, a role, the library, or what [`Options`] give;
//! checked against what the module declares.

use std::borrow::Cow;
use std::collections::BTreeMap;

use wasm2onnx_runtime::{PAGE_BYTES, TrapCode, Value, ValueType};
use wasmparser::{
    DataKind, ElementKind, FuncType, GlobalType, Import, MemoryType, Parser, Payload, RefType, TableType,
    TypeRef, ValType,
};

use super::context::{Context, unsupported};
use super::module::INITIALIZE;
use super::program::{Callable, Creation, Extern, HostCall, MAX_CONSTANTS, Program};
use super::sections::{self, Sections};
use super::spaces::table_size;
use super::types::{TypeList, boundary_type};
use super::{host, names, wasi};
use crate::error::{CompileError, ErrorKind, MissingImport};
use crate::ir::*;
use crate::options::{MemoryImport, Options, Role, TableImport};

/// Adds an import to the index spaces of a module.
///
/// # Errors
///
/// If what serves it does not fit its declaration. If nothing serves it, that is noted in [`Program::missing`] or
/// [`Program::stand_ins`].
pub fn add(
    context: &mut Context,
    sections: &mut Sections,
    import: Import,
    offset: u64,
    options: &Options,
) -> Result<(), CompileError> {
    let (module, name) = (import.module.to_string(), import.name.to_string());
    let served = context.program.exports.get(&(module.clone(), name.clone())).cloned();
    match import.ty {
        TypeRef::Func(index) | TypeRef::FuncExact(index) => {
            let ty = context.functions.types[index as usize].clone();
            let full_name = format!("{module}.{name}");
            let (served, library) = match served {
                Some(Extern::Library(name, given)) if Some(&given) == ty.as_ref() => (None, Some(name)),
                None if module == wasi::MODULE => (None, Some(name.clone())),
                served => (served, None),
            };
            // What the library has is replaced only by an option that names the library.
            let role = options.role(&full_name).filter(|(pattern, _)| {
                library.is_none() || module == wasi::MODULE && pattern.starts_with(wasi::MODULE)
            });
            let callable = match (served, role.map(|(_, role)| role)) {
                (Some(served), _) => served_function(served, module, name, ty.as_ref())?,
                // Its own function, so that a trap names it.
                (None, Some(Role::Trap)) => Callable::Func(trapping(context, &full_name, index)),
                (None, Some(role)) => Callable::Host(with_role(role, module, name, ty.as_ref())?),
                (None, None) => {
                    if let Some(name) = library {
                        sections.from_library.push((context.functions.count() as u32, name));
                    }
                    // If the library has the function, it replaces the one that stands in for it.
                    let stand_in = trapping(context, &full_name, index);
                    let ty = ty.as_ref().map_or("unknown".into(), names::type_name);
                    let importer = context.linked_name();
                    let missing = MissingImport { importer, module, name, kind: "function", ty };
                    context.program.stand_ins.insert(stand_in, missing);
                    Callable::Func(stand_in)
                }
            };
            context.functions.add_import(callable, full_name, index);
        }
        TypeRef::Table(ty) => {
            sections.imported_tables += 1;
            // A module that exports it again exports what it is, not what this one asks for.
            sections.table_types.push(match served {
                Some(Extern::Table(_, given)) => given,
                _ => ty,
            });
            let table = match served {
                Some(served) => served_table(&mut context.program, served, module, name, ty)?,
                None => {
                    let given = table(options, module, name, ty)?;
                    let max = given.max.map(u64::from);
                    sections::new_table(&mut context.program, given.entries as u64, max)?
                }
            };
            context.tables.add(table);
        }
        TypeRef::Memory(ty) => {
            sections.imported_memories += 1;
            sections.memory_types.push(match served {
                Some(Extern::Memory(_, given)) => given,
                _ => ty,
            });
            let space = match served {
                Some(served) => served_memory(&mut context.program, served, module, name, ty)?,
                None => {
                    let given = memory(options, module, name, ty)?;
                    let ty =
                        MemoryType { initial: given.pages as u64, maximum: given.max.map(u64::from), ..ty };
                    let memory = sections::new_memory(&mut context.program, ty, offset, options)?;
                    for (address, bytes) in &given.data {
                        context.program.contents[memory].write(*address as usize, bytes);
                    }
                    Space::Memory(memory)
                }
            };
            context.memories.add(space);
        }
        TypeRef::Global(ty) => {
            sections.global_types.push(ty);
            match served {
                Some(served) => context.globals.add(served_global(served, module, name, ty)?),
                None => {
                    let init = match global(options, &module, &name, ty)? {
                        Some(value) => {
                            let [low, high] = value.words();
                            low as u64 | (high as u64) << 32
                        }
                        None => {
                            let ty = shown_global(ty.mutable, &ty.content_type.to_string());
                            let importer = context.linked_name();
                            let missing = MissingImport { importer, module, name, kind: "", ty };
                            context.program.missing.push(missing);
                            0
                        }
                    };
                    context.globals.add_new(ty, init, &context.prefix, &mut context.program);
                }
            }
        }
        TypeRef::Tag(_) => return Err(unsupported(&format!("imported tag `{module}.{name}`"), offset)),
    }
    Ok(())
}

/// Makes a function that traps, in place of the next import, which has this type. The trap is at a place of its own among those
/// of the program, so that it is the import's.
fn trapping(context: &mut Context, name: &str, ty: u32) -> Func {
    let number = context.functions.first_number + context.functions.count() as u32;
    let types = context.functions.signature(ty).ok();
    let (params, results) =
        types.map_or((TypeList::new(), TypeList::new()), |types| (types.params, types.results));
    let canonical = context.functions.canonical(ty);
    let program = &mut context.program;
    let place = program.end;
    program.end += 1;
    program.module.modules.push(place);
    program.module.function_offsets.push((place, number));
    // AssemblyScript's programs end with a call of it where others are `unreachable`.
    let aborts = name == "env.abort";
    let code = if aborts { TrapCode::Unreachable } else { TrapCode::UnsupportedHostCall };
    let mut function = Function::trapping(name.to_owned(), number, &params, results.to_vec(), code);
    let entry = function.entry;
    function.blocks[entry].term_offset = place;
    let func = program.declare(canonical);
    program.define(func, function);
    func
}

/// Returns what a function with a role is replaced by that is not to trap.
fn with_role(
    role: Role,
    module: String,
    name: String,
    ty: Option<&FuncType>,
) -> Result<HostCall, CompileError> {
    let shown = ty.map_or("unknown".into(), names::type_name);
    let error = |expected: &'static str| {
        let (module, name, ty) = (module.clone(), name.clone(), shown.clone());
        CompileError::from(ErrorKind::ImportType { module, name, ty, role, expected })
    };
    if let Some(expected) = host::expected_type(role)
        && expected != shown
    {
        return Err(error(expected));
    }
    let number = match role {
        Role::StdoutByte => return Ok(HostCall::StdoutByte),
        Role::StdinByte => return Ok(HostCall::StdinByte),
        Role::Nop => return Ok(HostCall::Nop),
        Role::Trap => unreachable!("it is a function of its own"),
        Role::Constant(number) => number,
    };
    let results = ty.map_or(&[][..], FuncType::results);
    // A pattern may be for functions with and without results.
    let mut bits = [0; MAX_CONSTANTS];
    if results.len() > MAX_CONSTANTS {
        return Err(error("(…) -> (result), with up to four results"));
    }
    for (bits, ty) in bits.iter_mut().zip(results) {
        let found = match ty {
            ValType::I32 => number.i32().map(|value| value as u32 as u64),
            ValType::I64 => number.i64().map(|value| value as u64),
            ValType::F32 => Some((number.f64() as f32).to_bits().into()),
            ValType::F64 => Some(number.f64().to_bits()),
            _ => None,
        };
        *bits = found.ok_or_else(|| error("(…) -> (result), a number type that has this value"))?;
    }
    Ok(HostCall::Results(bits))
}

fn served_function(
    served: Extern,
    module: String,
    name: String,
    ty: Option<&FuncType>,
) -> Result<Callable, CompileError> {
    let shown =
        |ty: Option<&FuncType>| format!("function of type {}", ty.map_or("unknown".into(), names::type_name));
    match served {
        Extern::Func(callable, given) if Some(&given) == ty => Ok(callable),
        Extern::Func(_, given) => Err(mismatch(module, name, shown(ty), shown(Some(&given)))),
        other => Err(mismatch(module, name, shown(ty), other.shown())),
    }
}

fn served_table(
    program: &mut Program,
    served: Extern,
    module: String,
    name: String,
    ty: TableType,
) -> Result<TableId, CompileError> {
    let declared = Extern::Table(TableId::from_u32(0), ty).shown();
    match served {
        Extern::Table(table, given)
            if given.element_type == ty.element_type
                && given.table64 == ty.table64
                && fits(given.initial.max(ty.initial), given.maximum, ty.initial, ty.maximum)
                && (given.initial >= ty.initial || program.module.tables[table].size_cell.is_some()) =>
        {
            if given.initial < ty.initial {
                let (size, least) = (table_size(table, program), ty.initial as u32);
                let code = TrapCode::TableOutOfBounds;
                program.creation.push(Creation::AtLeast { size, least, code });
            }
            Ok(table)
        }
        other => Err(mismatch(module, name, declared, other.shown())),
    }
}

fn served_memory(
    program: &mut Program,
    served: Extern,
    module: String,
    name: String,
    ty: MemoryType,
) -> Result<Space, CompileError> {
    let declared = Extern::Memory(Space::Data, ty).shown();
    let grows = |space: Space| matches!(space, Space::Memory(memory) if program.memories[memory].grows);
    match served {
        Extern::Memory(space, given)
            if given.memory64 == ty.memory64
                && given.shared == ty.shared
                && given.page_size_log2 == ty.page_size_log2
                && fits(given.initial.max(ty.initial), given.maximum, ty.initial, ty.maximum)
                && (given.initial >= ty.initial || grows(space)) =>
        {
            if let Space::Memory(memory) = space
                && given.initial < ty.initial
            {
                let size = program.memories[memory].size(memory, &mut program.module.cells);
                let (least, code) = (ty.initial as u32, TrapCode::MemoryOutOfBounds);
                program.creation.push(Creation::AtLeast { size, least, code });
            }
            Ok(space)
        }
        other => Err(mismatch(module, name, declared, other.shown())),
    }
}

fn served_global(
    served: Extern,
    module: String,
    name: String,
    ty: GlobalType,
) -> Result<usize, CompileError> {
    let declared = shown_global(ty.mutable, &ty.content_type.to_string());
    match served {
        Extern::Global(global, given) if given == ty => Ok(global),
        other => Err(mismatch(module, name, declared, other.shown())),
    }
}

impl Extern {
    /// Writes what it is, for messages.
    fn shown(&self) -> String {
        match self {
            Extern::Func(_, ty) | Extern::Library(_, ty) => {
                format!("function of type {}", names::type_name(ty))
            }
            Extern::Table(_, ty) => {
                limits(&format!("table of type {}", ty.element_type), "entries", ty.initial, ty.maximum)
            }
            Extern::Memory(_, ty) => limits("memory", "pages", ty.initial, ty.maximum),
            Extern::Global(_, ty) => shown_global(ty.mutable, &ty.content_type.to_string()),
        }
    }
}

fn shown_global(mutable: bool, ty: &str) -> String {
    format!("{}global of type {ty}", if mutable { "mutable " } else { "" })
}

/// Returns the value of an imported global, or `None` if none is given.
///
/// # Errors
///
/// If the value is of another type.
fn global(
    options: &Options,
    module: &str,
    name: &str,
    ty: GlobalType,
) -> Result<Option<Value>, CompileError> {
    let Some(given) = options.globals.get(&format!("{module}.{name}")) else { return Ok(None) };
    // A reference to a function of another instance cannot be called here.
    let foreign = matches!(given.value, Value::FuncRef(Some(_)));
    if boundary_type(ty.content_type) != Some(given.value.ty()) || ty.mutable != given.mutable || foreign {
        let declared = shown_global(ty.mutable, &ty.content_type.to_string());
        let mut given_as = shown_global(given.mutable, &given.value.ty().to_string());
        if foreign {
            given_as += " that is not null";
        }
        return Err(mismatch(module.into(), name.into(), declared, given_as));
    }
    Ok(Some(given.value))
}

/// Returns an imported memory: the given one, or one as the module declares it.
///
/// # Errors
///
/// If its size does not fit the declaration.
fn memory(
    options: &Options,
    module: String,
    name: String,
    ty: MemoryType,
) -> Result<Cow<'_, MemoryImport>, CompileError> {
    let declared = limits("memory", "pages", ty.initial, ty.maximum);
    let Some(given) = options.memories.get(&format!("{module}.{name}")) else {
        let max = ty.maximum.map(|max| max.min(u32::MAX.into()) as u32);
        // More than there can be is refused where the memory is made.
        let pages = ty.initial.min(u32::MAX.into()) as u32;
        return Ok(Cow::Owned(MemoryImport { pages, max, data: Vec::new() }));
    };
    let (pages, max) = (given.pages as u64, given.max.map(u64::from));
    let size = pages * PAGE_BYTES;
    let outside = given.data.iter().any(|(first, bytes)| *first as u64 + bytes.len() as u64 > size);
    if outside || max.is_some_and(|max| max < pages) || !fits(pages, max, ty.initial, ty.maximum) {
        let mut given = limits("memory", "pages", pages, max);
        if outside {
            given += " with data outside";
        }
        return Err(mismatch(module, name, declared, given));
    }
    Ok(Cow::Borrowed(given))
}

/// Returns an imported table: the given one, or one as the module declares it.
///
/// # Errors
///
/// If its type or its size does not fit the declaration.
fn table(
    options: &Options,
    module: String,
    name: String,
    ty: TableType,
) -> Result<TableImport, CompileError> {
    let kind = |ty: ValueType| format!("table of type {ty}");
    let given_type = |external| if external { ValueType::ExternRef } else { ValueType::FuncRef };
    let declared_type = match ty.element_type {
        RefType::FUNCREF => Some(ValueType::FuncRef),
        RefType::EXTERNREF => Some(ValueType::ExternRef),
        _ => None,
    };
    let declared = match declared_type {
        Some(element) => limits(&kind(element), "entries", ty.initial, ty.maximum),
        None => format!("table of type {}", ty.element_type),
    };
    let Some(given) = options.tables.get(&format!("{module}.{name}")) else {
        let Some(element) = declared_type.filter(|_| !ty.table64) else {
            return Err(mismatch(
                module,
                name,
                declared,
                "a table of references to functions or of the host".into(),
            ));
        };
        let entries = ty.initial.min(u32::MAX.into()) as u32;
        let max = ty.maximum.map(|max| max.min(u32::MAX.into()) as u32);
        return Ok(TableImport { entries, max, external: element == ValueType::ExternRef });
    };
    let (entries, max) = (given.entries as u64, given.max.map(u64::from));
    let element = given_type(given.external);
    let bad = max.is_some_and(|max| max < entries) || !fits(entries, max, ty.initial, ty.maximum);
    if declared_type != Some(element) || ty.table64 || bad {
        let given = limits(&kind(element), "entries", entries, max);
        return Err(mismatch(module, name, declared, given));
    }
    Ok(*given)
}

/// Returns whether limits match (specification, "Import Matching"): the import is at least as large as
/// declared, and has no more room to grow.
fn fits(size: u64, max: Option<u64>, declared: u64, declared_max: Option<u64>) -> bool {
    let room = declared_max.is_none_or(|declared| max.is_some_and(|max| max <= declared));
    size >= declared && room
}

fn limits(what: &str, unit: &str, size: u64, max: Option<u64>) -> String {
    match max {
        Some(max) => format!("{what} of {size} to {max} {unit}"),
        None => format!("{what} of {size} {unit} or more"),
    }
}

fn mismatch(module: String, name: String, declared: String, given: String) -> CompileError {
    ErrorKind::ImportMismatch { module, name, declared, given }.into()
}

/// What a module declares about an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportType {
    /// A function, which is given a role.
    Function,
    /// A global.
    Global {
        /// Type of its value.
        ty: ValueType,
        /// Whether the program may change it.
        mutable: bool,
    },
    /// A memory.
    Memory {
        /// Maximum number of pages, if the module declares one.
        max: Option<u32>,
    },
    /// A table.
    Table {
        /// Maximum number of entries, if the module declares one.
        max: Option<u32>,
        /// Whether it holds `externref`s rather than `funcref`s.
        external: bool,
    },
}

/// Returns whether creating a module does anything besides making what it exports: it has a start function, exports
/// `_initialize`, or has active segments while it imports memories or tables.
///
/// # Errors
///
/// If the module cannot be read that far.
pub fn acts_at_creation(binary: &[u8]) -> Result<bool, CompileError> {
    let mut writes = false;
    for payload in Parser::new(0).parse_all(binary) {
        match payload? {
            Payload::ImportSection(reader) => {
                for import in reader.into_imports() {
                    writes |= matches!(import?.ty, TypeRef::Memory(_) | TypeRef::Table(_));
                }
            }
            Payload::ExportSection(reader) => {
                for export in reader {
                    if export?.name == INITIALIZE {
                        return Ok(true);
                    }
                }
            }
            Payload::StartSection { .. } => return Ok(true),
            Payload::ElementSection(reader) if writes => {
                for segment in reader {
                    if matches!(segment?.kind, ElementKind::Active { .. }) {
                        return Ok(true);
                    }
                }
            }
            Payload::DataSection(reader) if writes => {
                for segment in reader {
                    if matches!(segment?.kind, DataKind::Active { .. }) {
                        return Ok(true);
                    }
                }
            }
            _ => {}
        }
    }
    Ok(false)
}

/// Returns the imports of a module in the binary format by `module.name`, but for those of unsupported types.
///
/// # Errors
///
/// If the sections up to the imports cannot be read. Nothing is validated.
pub fn declared(binary: &[u8]) -> Result<BTreeMap<String, ImportType>, CompileError> {
    let mut declared = BTreeMap::new();
    for payload in Parser::new(0).parse_all(binary) {
        let Payload::ImportSection(reader) = payload? else { continue };
        for import in reader.into_imports() {
            let import = import?;
            let max = |max: Option<u64>| max.map(|max| max.min(u32::MAX as u64) as u32);
            let ty = match import.ty {
                TypeRef::Global(GlobalType { content_type, mutable, .. }) => {
                    boundary_type(content_type).map(|ty| ImportType::Global { ty, mutable })
                }
                TypeRef::Memory(MemoryType { maximum, .. }) => Some(ImportType::Memory { max: max(maximum) }),
                TypeRef::Table(TableType { maximum, element_type, .. }) => Some(ImportType::Table {
                    max: max(maximum),
                    external: element_type == RefType::EXTERNREF,
                }),
                TypeRef::Func(_) | TypeRef::FuncExact(_) => Some(ImportType::Function),
                TypeRef::Tag(_) => None,
            };
            if let Some(ty) = ty {
                declared.insert(format!("{}.{}", import.module, import.name), ty);
            }
        }
        break;
    }
    Ok(declared)
}
