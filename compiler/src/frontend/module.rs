//! Translates modules from their sections to the IR.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use wasm2onnx_runtime::TrapCode;
use wasmparser::{ExternalKind, FunctionBody, ValType, ValidatorResources};

use super::context::{Context, unsupported};
use super::program::{Callable, Creation, Extern, Program};
use super::sections::{self, Sections};
use super::segments::{fill_memories, fill_segments, fill_tables};
use super::types::{TypeList, boundary_type};
use super::{Stop, body, host, lines, names, proposals, tensors, wasi};
use crate::builder::Builder;
use crate::error::{CompileError, ErrorKind};
use crate::ir::*;
use crate::options::{Options, Unsupported};
use crate::tensors::wrapper::PROGRAM;

/// Validates the modules of a program in the binary format, the main one last, and translates them.
pub fn translate(
    modules: &[(&str, Cow<[u8]>)],
    main: &[u8],
    options: &Options,
) -> Result<Module, CompileError> {
    let mut program = Program::new(options)?;
    for (name, binary) in modules {
        program =
            translate_one(program, binary, Some(name), options).map_err(|error| error.in_module(name))?;
        if options.staged {
            program.export_creation(name);
        }
    }
    program = translate_one(program, main, None, options)?;
    program = tensors::link(program, options)?;
    if !program.missing.is_empty() {
        return Err(ErrorKind::MissingImports(program.missing).into());
    }
    let stand_ins = std::mem::take(&mut program.stand_ins);
    let module = program.finish();
    if stand_ins.is_empty() {
        return Ok(module);
    }
    let reached = module.reached();
    let mut missing: Vec<_> = stand_ins.into_iter().filter(|(func, _)| reached.contains(*func)).collect();
    if missing.is_empty() {
        return Ok(module);
    }
    missing.sort_by_key(|(func, _)| *func);
    let mut missing: Vec<_> = missing.into_iter().map(|(_, missing)| missing).collect();
    // Several modules may import the same.
    let mut seen = BTreeSet::new();
    missing.retain(|missing| seen.insert((missing.module.clone(), missing.name.clone())));
    Err(ErrorKind::MissingImports(missing).into())
}

/// Maximum number of bytes of all modules: an offset among them has 32 bits, some of which are for what is not in them.
const MAX_PROGRAM: u64 = 1 << 31;

/// Translates a module and adds it to the program: the main module, or one from which others import by a name.
pub fn translate_one(
    program: Program,
    binary: &[u8],
    linked: Option<&str>,
    options: &Options,
) -> Result<Program, CompileError> {
    let prefix = linked.map_or(String::new(), |name| format!("{name}."));
    let value = u64::from(program.end) + binary.len() as u64;
    if value > MAX_PROGRAM {
        let what = "the size of all modules in bytes".to_string();
        return Err(ErrorKind::Limit { what, value, limit: MAX_PROGRAM }.into());
    }
    let mut context = Context::new(program, prefix, binary.len() as u32);
    translate_all(&mut context, binary, linked, options)
        .map_err(|error| proposals::explain(binary, options, &context.functions.names, error))
        .map_err(|error| lines::explain(binary, error))?;
    Ok(context.program)
}

/// Returns the exported functions of a module in the binary format. Its declarations are validated; its
/// function bodies are not looked at. An export whose type is not supported is left out.
pub fn exports(binary: &[u8], options: &Options) -> Result<BTreeMap<String, Signature>, CompileError> {
    let lenient = Options { exports: None, unsupported: Unsupported::Trap, ..options.clone() };
    let mut context = Context::new(Program::new(&lenient)?, String::new(), binary.len() as u32);
    let read = sections::read(binary, &lenient, &mut context).and_then(|sections| {
        name_functions(&mut context, &sections);
        export(&mut context, &sections, "", &lenient)
    });
    // `explain` leaves an error as it is unless what is not supported is refused.
    let strict = Options { unsupported: Unsupported::Refuse, ..lenient };
    read.map_err(|error| proposals::explain(binary, &strict, &context.functions.names, error))?;
    let exports = context.program.module.exports.into_iter();
    Ok(exports.map(|(name, _, signature)| (name, signature)).collect())
}

fn translate_all(
    context: &mut Context,
    binary: &[u8],
    linked: Option<&str>,
    options: &Options,
) -> Result<(), CompileError> {
    let mut sections = sections::read(binary, options, context)?;
    if let Some(offset) = sections.dylink
        && !context.program.missing.is_empty()
    {
        let what = "a shared library (of Emscripten, a side module), which another module has to load".into();
        let advice =
            "Link all into one module, without `-sSIDE_MODULE` and `-shared`, or give modules that export \
                      its memory, table and base addresses with --preload env=FILE"
                .to_owned();
        return Err(ErrorKind::Unsupported {
            what,
            function: None,
            offset,
            line: None,
            advice: Some(advice),
        }
        .into());
    }
    name_functions(context, &sections);
    wasi::link(context, &sections, options)?;
    match linked {
        None => {
            export(context, &sections, "", options)?;
            if !options.tensors.is_empty() {
                export_to_others(context, &sections, PROGRAM);
                wasi::export_memory(context, &sections);
            }
        }
        Some(name) => {
            export_to_others(context, &sections, name);
            if options.staged {
                export(context, &sections, &format!("{name}/"), options)?;
            }
        }
    }
    fill_tables(context, &sections)?;
    fill_memories(context, &sections)?;
    at_creation(context, &sections, linked.is_none(), options)?;
    let bodies = std::mem::take(&mut sections.bodies);
    add_lines(context, binary);
    translate_bodies(context, bodies, options)?;
    fill_segments(context, &sections)?;
    add_wrappers(context);
    Ok(())
}

/// Names functions after the import, the name section or an export, or `func[i]`.
fn name_functions(context: &mut Context, sections: &Sections) {
    let mut names: Vec<Option<String>> = vec![None; context.functions.count()];
    for (export, _) in &sections.exports {
        if export.kind == ExternalKind::Func {
            names[export.index as usize].get_or_insert_with(|| export.name.to_string());
        }
    }
    for (index, name) in &sections.names {
        if let Some(slot) = names.get_mut(*index as usize) {
            *slot = Some(name.clone());
        }
    }
    let named = |(index, name): (usize, Option<String>)| match context.functions.import_names.get(index) {
        Some(import) => import.clone(),
        None => format!("{}{}", context.prefix, name.unwrap_or_else(|| format!("func[{index}]"))),
    };
    context.functions.names = names.into_iter().enumerate().map(named).collect();
    context.program.module.function_names.extend_from_slice(&context.functions.names);
}

/// Lets later modules import what the module exports.
fn export_to_others(context: &mut Context, sections: &Sections, module: &str) {
    for (export, _) in &sections.exports {
        let item = match export.kind {
            ExternalKind::Func | ExternalKind::FuncExact => {
                let Some(ty) = context.functions.type_of(export.index).cloned() else { continue };
                let from_library = sections.from_library.iter().find(|(index, _)| *index == export.index);
                match from_library.filter(|_| context.memories.count() == 0) {
                    // It works on the memory of whoever imports it in the end.
                    Some((_, name)) => Extern::Library(name.clone(), ty),
                    None => Extern::Func(context.functions.callable(export.index), ty),
                }
            }
            ExternalKind::Table => {
                let (table, ty) =
                    (context.tables.get(export.index), sections.table_types[export.index as usize]);
                Extern::Table(table, ty)
            }
            ExternalKind::Memory => Extern::Memory(
                context.memories.get(export.index),
                sections.memory_types[export.index as usize],
            ),
            ExternalKind::Global => Extern::Global(
                context.globals.number(export.index),
                sections.global_types[export.index as usize],
            ),
            ExternalKind::Tag => continue,
        };
        context.program.exports.insert((module.to_string(), export.name.to_string()), item);
    }
}

/// Checks that every name that is asked for is that of an exported function.
fn check_wanted(context: &Context, sections: &Sections, wanted: &[String]) -> Result<(), CompileError> {
    let functions = sections.exports.iter().map(|(export, _)| export);
    let functions: Vec<_> = functions
        .filter(|export| matches!(export.kind, ExternalKind::Func | ExternalKind::FuncExact))
        .collect();
    let Some(name) = wanted.iter().find(|name| functions.iter().all(|export| export.name != name.as_str()))
    else {
        return Ok(());
    };
    let shown = |export: &&wasmparser::Export| {
        let ty = context.functions.type_of(export.index);
        format!("`{}` {}", export.name, ty.map_or("unknown".into(), names::type_name))
    };
    let exports = functions.iter().map(shown).collect();
    Err(ErrorKind::NoSuchExport { name: name.clone(), exports }.into())
}

/// Exports what a module exports from the program, with names that begin with `prefix`.
fn export(
    context: &mut Context,
    sections: &Sections,
    prefix: &str,
    options: &Options,
) -> Result<(), CompileError> {
    if let Some(wanted) = &options.exports {
        check_wanted(context, sections, wanted)?;
    }
    for (export, offset) in &sections.exports {
        let name = format!("{prefix}{}", export.name);
        if options.exports.as_ref().is_some_and(|wanted| !wanted.contains(&name)) {
            continue;
        }
        match export.kind {
            ExternalKind::Func | ExternalKind::FuncExact => {
                let ty = context.functions.type_of(export.index);
                let list =
                    |types: &[ValType]| types.iter().map(|ty| boundary_type(*ty)).collect::<Option<_>>();
                let signature = ty.and_then(|ty| {
                    Some(Signature { params: list(ty.params())?, results: list(ty.results())? })
                });
                match signature {
                    Some(signature) => {
                        let func = context.functions.func(export.index, &mut context.program);
                        context.program.module.exports.push((name, func, signature));
                    }
                    None if options.unsupported == Unsupported::Trap => {}
                    None => {
                        let what =
                            format!("exported function `{name}` with a vector or an unusual reference");
                        return Err(unsupported(&what, *offset));
                    }
                }
            }
            ExternalKind::Global => {
                let program = &mut context.program;
                let global = &mut program.globals[context.globals.number(export.index)];
                global.add_cells(&mut program.module.cells);
                match global.types {
                    Some((_, ty)) => {
                        let exported = (name, ty, global.mutable, global.cells.to_vec());
                        program.module.exported_globals.push(exported);
                    }
                    None if options.unsupported == Unsupported::Trap => {}
                    None => {
                        let what = format!("exported global `{name}` with a vector or an unusual reference");
                        return Err(unsupported(&what, *offset));
                    }
                }
            }
            ExternalKind::Memory => {
                let memory = context.memories.linear(export.index);
                context.program.module.exported_memories.push((name, memory));
            }
            // Nothing outside can use a table: references to functions do not leave a network.
            ExternalKind::Table | ExternalKind::Tag => {}
        }
    }
    Ok(())
}

/// Adds the lines of source text that the module's instructions come from.
fn add_lines(context: &mut Context, binary: &[u8]) {
    let Context { functions, program, .. } = context;
    let first = functions.first_number + functions.import_count() as u32;
    program.module.lines.rows.extend(lines::read(binary, first, &mut program.files));
}

fn translate_bodies(
    context: &mut Context,
    bodies: Vec<(wasmparser::FuncToValidate<ValidatorResources>, FunctionBody)>,
    options: &Options,
) -> Result<(), CompileError> {
    let mut allocations = body::Allocations::default();
    let imports = context.functions.import_count() as u32;
    for (i, (to_validate, body)) in bodies.into_iter().enumerate() {
        let index = imports + i as u32;
        let Context { functions, program, position, .. } = &mut *context;
        let Callable::Func(id) = functions.callable(index) else { unreachable!("it has a body") };
        let start = *position + body.range().start as u32;
        program.module.function_offsets.push((start, functions.first_number + index));
        let func = match body::translate(context, &mut allocations, index, to_validate, body) {
            Ok(func) => func,
            Err(Stop::Invalid(error)) => return Err(error.into()),
            Err(Stop::Unsupported { what, offset }) => {
                let name = context.functions.names[index as usize].clone();
                if options.unsupported == Unsupported::Refuse {
                    let function = Some((name, index));
                    return Err(
                        ErrorKind::Unsupported { what, function, offset, line: None, advice: None }.into()
                    );
                }
                trapping(context, name, index)
            }
        };
        context.program.define(id, func);
    }
    Ok(())
}

/// Returns a function that can be called in place of the one with this index, but only traps. If that one has
/// types that the IR does not have, only functions that trap themselves can call it.
fn trapping(context: &Context, name: String, index: u32) -> Function {
    let (params, results) = match context.functions.signature(context.functions.type_index(index)) {
        Ok(types) => (types.params, types.results),
        Err(_) => (TypeList::new(), TypeList::new()),
    };
    let number = context.functions.first_number + index;
    Function::trapping(name, number, &params, results.to_vec(), TrapCode::UnsupportedHostCall)
}

/// Adds what an instance runs when the module is created: the start function, the function that initializes a WASI
/// reactor, and of the main module the functions that the options name.
fn at_creation(
    context: &mut Context,
    sections: &Sections,
    is_main: bool,
    options: &Options,
) -> Result<(), CompileError> {
    if context.program.traps_at_creation() {
        return Ok(());
    }
    let mut indices: Vec<u32> = sections.start.into_iter().collect();
    let named = if is_main { &options.init[..] } else { &[] };
    // An instance is initialized once, also if the option says it again.
    let initialize = [INITIALIZE.to_string()];
    for name in initialize.iter().chain(named.iter().filter(|name| *name != INITIALIZE)) {
        let is_it = |export: &wasmparser::Export| export.kind == ExternalKind::Func && export.name == name;
        let Some((export, offset)) = sections.exports.iter().find(|(export, _)| is_it(export)) else {
            if name != INITIALIZE {
                check_wanted(context, sections, std::slice::from_ref(name))?;
            }
            continue;
        };
        match context.functions.type_of(export.index) {
            Some(ty) if ty.params().is_empty() && ty.results().is_empty() => indices.push(export.index),
            ty => {
                let ty = ty.map_or("unknown".into(), names::type_name);
                let what = format!("`{name}`, which is called at instance creation, of type {ty}");
                return Err(unsupported(&what, *offset));
            }
        }
    }
    for index in indices {
        let func = context.functions.func(index, &mut context.program);
        context.program.creation.push(Creation::Call(func));
    }
    Ok(())
}

/// The function that initializes a WASI reactor.
pub const INITIALIZE: &str = "_initialize";

/// Defines the functions that stand for functions of the host that are exported, in a table, or called at instance
/// creation.
fn add_wrappers(context: &mut Context) {
    for (index, call, wrapper) in context.functions.wrapped() {
        let name = context.functions.names[index as usize].clone();
        let mut func = trapping(context, name, index);
        let args = func.blocks[func.entry].params.clone();
        let results = func.results.clone();
        let block = func.entry;
        let mut b = Builder { func: &mut func, block, offset: context.position };
        let end = match host::emit(&mut context.program, &mut b, call, &args, &results) {
            Ok(results) => Terminator::Return(results),
            Err(code) => Terminator::Trap(code),
        };
        b.terminate(end);
        context.program.define(wrapper, func);
    }
}
