//! Translates a module from its sections to the IR.

use std::collections::BTreeMap;

use wasm2onnx_runtime::TrapCode;
use wasmparser::{ExternalKind, FunctionBody, ValType, ValidatorResources};

use super::context::{Context, unsupported};
use super::sections::{self, Sections};
use super::segments::{add_reference_table, fill_memory, fill_segments, fill_tables};
use super::types::{TypeList, boundary_type};
use super::{Stop, body, host, names, proposals};
use crate::builder::Builder;
use crate::error::{CompileError, ErrorKind};
use crate::ir::*;
use crate::options::{Options, Unsupported};

/// Validates a module in the binary format and translates it.
pub fn translate(binary: &[u8], options: &Options) -> Result<Module, CompileError> {
    let mut context = Context::new(options)?;
    translate_all(&mut context, binary, options)
        .map_err(|error| proposals::explain(binary, options, &context.functions.names, error))?;
    context.module.function_names = context.functions.names;
    Ok(context.module)
}

/// Returns the exported functions of a module in the binary format. Its declarations are validated; its
/// function bodies are not looked at. An export whose type is not supported is left out.
pub fn exports(binary: &[u8], options: &Options) -> Result<BTreeMap<String, Signature>, CompileError> {
    let lenient = Options { exports: None, unsupported: Unsupported::Trap, ..options.clone() };
    let mut context = Context::new(&lenient)?;
    let read = sections::read(binary, &lenient, &mut context).and_then(|sections| {
        name_functions(&mut context, &sections);
        export(&mut context, &sections, &lenient)
    });
    // `explain` leaves an error as it is unless what is not supported is refused.
    let strict = Options { unsupported: Unsupported::Refuse, ..lenient };
    read.map_err(|error| proposals::explain(binary, &strict, &context.functions.names, error))?;
    Ok(context.module.exports.into_iter().map(|(name, _, signature)| (name, signature)).collect())
}

fn translate_all(context: &mut Context, binary: &[u8], options: &Options) -> Result<(), CompileError> {
    let mut sections = sections::read(binary, options, context)?;
    name_functions(context, &sections);
    export(context, &sections, options)?;
    fill_tables(context, &sections)?;
    fill_memory(context, &sections)?;
    let creation = at_creation(context, &sections)?;
    let bodies = std::mem::take(&mut sections.bodies);
    translate_bodies(context, bodies, options)?;
    fill_segments(context, &sections)?;
    add_wrappers(context);
    context.module.start = in_sequence(&mut context.module, &creation);
    context.module.references = std::mem::take(&mut context.functions.references);
    add_reference_table(&mut context.module);
    if let Some(memory) = context.memory.as_mut().filter(|memory| memory.grows) {
        let cell = memory.size(&mut context.module.cells);
        context.module.memory = MemorySize::Cell { cell, max: memory.max };
    }
    Ok(())
}

/// Names functions after the name section, an export or the import, or `func[i]`.
fn name_functions(context: &mut Context, sections: &Sections) {
    let mut names: Vec<Option<String>> = vec![None; context.functions.count()];
    for (name, import) in names.iter_mut().zip(context.functions.import_names()) {
        *name = Some(import.into());
    }
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
    let unnamed = |(index, name): (usize, Option<String>)| name.unwrap_or_else(|| format!("func[{index}]"));
    context.functions.names = names.into_iter().enumerate().map(unnamed).collect();
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

fn export(context: &mut Context, sections: &Sections, options: &Options) -> Result<(), CompileError> {
    if let Some(wanted) = &options.exports {
        check_wanted(context, sections, wanted)?;
    }
    for (export, offset) in &sections.exports {
        let name = export.name.to_string();
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
                        let func = context.functions.func(export.index);
                        context.module.exports.push((name, func, signature));
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
                context.globals.add_cells(export.index as usize, &mut context.module.cells);
                let global = context.globals.get(export.index);
                match global.types {
                    Some((_, ty)) => {
                        let exported = (name, ty, global.mutable, global.cells.to_vec());
                        context.module.exported_globals.push(exported);
                    }
                    None if options.unsupported == Unsupported::Trap => {}
                    None => {
                        let what = format!("exported global `{name}` with a vector or an unusual reference");
                        return Err(unsupported(&what, *offset));
                    }
                }
            }
            ExternalKind::Memory => context.module.exported_memories.push(name),
            // Nothing outside can use a table: references to functions do not leave a network.
            ExternalKind::Table | ExternalKind::Tag => {}
        }
    }
    Ok(())
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
        context.module.function_offsets.push((body.range().start as u32, index));
        let func = match body::translate(context, &mut allocations, index, to_validate, body) {
            Ok(func) => func,
            Err(Stop::Invalid(error)) => return Err(error.into()),
            Err(Stop::Unsupported { what, offset }) => {
                let name = context.functions.names[index as usize].clone();
                if options.unsupported == Unsupported::Refuse {
                    let function = Some((name, index));
                    return Err(ErrorKind::Unsupported { what, function, offset, advice: None }.into());
                }
                trapping(context, name, index)
            }
        };
        context.module.functions.push(func);
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
    Function::trapping(name, index, &params, results.to_vec(), TrapCode::UnsupportedHostCall)
}

/// Returns what an instance runs when it is created: the start function, then the function that initializes a
/// WASI reactor.
fn at_creation(context: &mut Context, sections: &Sections) -> Result<Vec<Func>, CompileError> {
    const INITIALIZE: &str = "_initialize";
    let mut creation: Vec<Func> = sections.start.iter().map(|index| context.functions.func(*index)).collect();
    let is_it = |export: &wasmparser::Export| export.kind == ExternalKind::Func && export.name == INITIALIZE;
    if let Some((export, offset)) = sections.exports.iter().find(|(export, _)| is_it(export)) {
        match context.functions.type_of(export.index) {
            Some(ty) if ty.params().is_empty() && ty.results().is_empty() => {
                creation.push(context.functions.func(export.index));
            }
            ty => {
                let ty = ty.map_or("unknown".into(), names::type_name);
                let what = format!("`{INITIALIZE}`, which is called at instance creation, of type {ty}");
                return Err(unsupported(&what, *offset));
            }
        }
    }
    Ok(creation)
}

/// Returns a function that calls these functions, which have no parameters and results, one after the other.
/// Returns `None` if there are none.
fn in_sequence(module: &mut Module, functions: &[Func]) -> Option<Func> {
    let [first, .., _] = functions else { return functions.first().copied() };
    let ty = module.function_types[*first];
    let origin = module.functions[*first].origin;
    let mut sequence = Function::new("instance creation".into(), origin, Vec::new());
    let mut block = sequence.entry;
    for func in functions {
        let next = sequence.add_block();
        let callee = Callee::Direct(*func);
        sequence.blocks[block].term = Terminator::Call { callee, args: Values::new(), next };
        block = next;
    }
    sequence.blocks[block].term = Terminator::Return(Values::new());
    module.function_types.push(ty);
    Some(module.functions.push(sequence))
}

/// Adds functions for imports that are exported, in a table, or the start function.
fn add_wrappers(context: &mut Context) {
    for index in context.functions.wrapped().to_vec() {
        let role = context.functions.role(index);
        let name = context.functions.names[index as usize].clone();
        let mut func = trapping(context, name, index);
        let args = func.blocks[func.entry].params.clone();
        let results = func.results.clone();
        let block = func.entry;
        let mut b = Builder { func: &mut func, block, offset: 0 };
        if let Some(results) = host::emit(context, &mut b, role, &args, &results) {
            b.terminate(Terminator::Return(results));
        }
        context.module.functions.push(func);
        let canonical = context.functions.canonical(context.functions.type_index(index));
        context.module.function_types.push(canonical);
    }
}
