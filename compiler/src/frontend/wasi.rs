//! WASI preview 1: links the library's module with a module that imports WASI functions.

use std::collections::BTreeMap;

use smallvec::SmallVec;
use wasm2onnx_runtime::ValueType;
use wasmparser::{ExternalKind, FuncType, GlobalType, MemoryType, ValType, WasmFeatures};

use super::cells::{Global, cell};
use super::context::Context;
use super::module::translate_one;
use super::names;
use super::program::{Callable, Extern, HostCall, Program};
use super::sections::Sections;
use super::types::value_type;
use crate::builder::Builder;
use crate::error::{CompileError, ErrorKind};
use crate::ir::*;
use crate::options::Options;
use crate::tensors::wrapper::{MEMORY, PROGRAM};

/// The name that programs import WASI functions by.
pub const MODULE: &str = "wasi_snapshot_preview1";

/// The library's module, which [`MODULE`] is served by. It imports the memory of the program as `app.memory`, and what
/// the host gives and looks at from `host`.
const BINARY: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/wasi.wasm"));

/// The type of the program's memory and of the host's bytes, as the library and wrappers import them.
pub const ANY_SIZE: MemoryType =
    MemoryType { memory64: false, shared: false, initial: 0, maximum: None, page_size_log2: None };

/// Lets the library serve those imports of a module that are left to it.
///
/// # Errors
///
/// If an import has another type than the library's function.
pub fn link(context: &mut Context, sections: &Sections, options: &Options) -> Result<(), CompileError> {
    if sections.from_library.is_empty() {
        return Ok(());
    }
    let memory = memory_of(context, sections);
    let known = context.program.library.iter().position(|(space, _)| *space == memory);
    let library = match known {
        Some(library) => library,
        None => {
            let program = std::mem::take(&mut context.program);
            context.program = translate(program, memory, options)?;
            context.program.library.len() - 1
        }
    };
    for (function, name) in &sections.from_library {
        let Some(Extern::Func(callable, given)) = context.program.library[library].1.get(name).cloned()
        else {
            // Nothing serves it.
            continue;
        };
        let declared = context.functions.type_of(*function);
        let callable = match declared {
            Some(declared) if *declared == split(&given) => {
                let canonical = context.functions.canonical(context.functions.type_index(*function));
                let index = context.functions.first_number + function;
                Callable::Func(adapter(&mut context.program, callable, &given, canonical, index))
            }
            _ => callable,
        };
        if declared.is_none_or(|declared| *declared != given && *declared != split(&given)) {
            let shown = |ty: Option<&FuncType>| {
                format!("function of type {}", ty.map_or("unknown".into(), names::type_name))
            };
            let (declared, given) = (shown(declared), shown(Some(&given)));
            let (module, name) = (MODULE.into(), name.clone());
            let given = format!("{given} in WASI preview 1");
            return Err(ErrorKind::ImportMismatch { module, name, declared, given }.into());
        }
        if let Callable::Func(stand_in) = context.functions.callable(*function) {
            context.program.stand_ins.remove(&stand_in);
        }
        context.functions.set_import(*function, callable);
    }
    Ok(())
}

/// Returns a function type with two words, low before high, in place of each i64 among the parameters: that of functions
/// which Emscripten's modules import if they were made for JavaScript without big integers.
fn split(ty: &FuncType) -> FuncType {
    let params = ty.params().iter().flat_map(|ty| match ty {
        ValType::I64 => vec![ValType::I32; 2],
        ty => vec![*ty],
    });
    FuncType::new(params, ty.results().iter().copied())
}

/// Makes a function of the type [`split`] that calls a function of the library.
fn adapter(program: &mut Program, callable: Callable, ty: &FuncType, canonical: u32, index: u32) -> Func {
    let Callable::Func(callee) = callable else { unreachable!("the library's functions are its own") };
    let name = program.module.function_names[index as usize].clone();
    let results = ty.results().iter().map(|ty| value_type(*ty).expect("a number")).collect();
    let mut func = Function::new(name, Origin::Module(index), results);
    let block = func.entry;
    let mut args = Values::new();
    let mut b = Builder { func: &mut func, block, offset: 0 };
    for ty in ty.params() {
        let low = b.func.add_param(block, Type::I32);
        if *ty != ValType::I64 {
            args.push(low);
            continue;
        }
        let high = b.func.add_param(block, Type::I32);
        let [low, high] = [low, high].map(|word| b.unary(UnaryOp::ExtendU, Type::I32, word));
        let shift = b.constant(Type::I64, 32);
        let high = b.binary(BinaryOp::Shl, Type::I64, high, shift);
        args.push(b.binary(BinaryOp::Or, Type::I64, low, high));
    }
    b.terminate(Terminator::TailCall { callee: Callee::Direct(callee), args });
    let func_id = program.declare(canonical);
    program.define(func_id, func);
    func_id
}

/// Returns the memory that calls of a module work on: the one exported as `memory`, or else the first one.
fn memory_of(context: &mut Context, sections: &Sections) -> Space {
    let exported = sections.exports.iter().map(|export| export.0);
    let mut exported =
        exported.filter(|export| (export.kind, export.name) == (ExternalKind::Memory, "memory"));
    match exported.next() {
        Some(export) => context.memories.get(export.index),
        None if context.memories.count() > 0 => context.memories.get(0),
        None => {
            // Calls that need no memory work without one.
            let size = MemorySize::Constant(0);
            Space::Memory(context.program.module.memories.push(MemoryData { size, data: Vec::new() }))
        }
    }
}

/// Lets wrappers of functions of tensors import the memory that calls of a module work on, if it has one.
pub fn export_memory(context: &mut Context, sections: &Sections) {
    if context.memories.count() > 0 {
        let memory = memory_of(context, sections);
        let name = (PROGRAM.to_string(), MEMORY.to_string());
        context.program.exports.insert(name, Extern::Memory(memory, ANY_SIZE));
    }
}

/// Translates the library's module for programs with this memory.
fn translate(mut program: Program, memory: Space, options: &Options) -> Result<Program, CompileError> {
    let app = ("app".to_string(), "memory".to_string());
    let hidden = program.exports.insert(app.clone(), Extern::Memory(memory, ANY_SIZE));
    let host = host(&mut program);
    let names: Vec<_> = host.iter().map(|(name, _)| ("host".to_string(), name.clone())).collect();
    let hidden_host: Vec<_> =
        names.iter().cloned().zip(host).map(|(key, (_, item))| program.exports.insert(key, item)).collect();
    let hidden_own = take(&mut program, MODULE);
    let options = Options {
        features: options.features | WasmFeatures::MULTI_MEMORY,
        exports: None,
        init: Vec::new(),
        ..options.clone()
    };
    let mut program = translate_one(program, BINARY, Some(MODULE), &options)?;
    let exports = take(&mut program, MODULE).into_iter().map(|((_, name), item)| (name, item)).collect();
    program.library.push((memory, exports));
    // Whatever the program itself has under these names is there again.
    let hidden = std::iter::once((app, hidden)).chain(names.into_iter().zip(hidden_host));
    for (key, item) in hidden {
        match item {
            Some(item) => program.exports.insert(key, item),
            None => program.exports.remove(&key),
        };
    }
    program.exports.extend(hidden_own);
    Ok(program)
}

/// Takes out what can be imported from a module.
fn take(program: &mut Program, module: &str) -> BTreeMap<(String, String), Extern> {
    let (own, others) =
        std::mem::take(&mut program.exports).into_iter().partition(|((name, _), _)| name == module);
    program.exports = others;
    own
}

/// Returns what the library imports from the host.
fn host(program: &mut Program) -> Vec<(String, Extern)> {
    let mut items: Vec<(String, Extern)> = Vec::new();
    items.push(("input".into(), Extern::Memory(Space::Input, ANY_SIZE)));
    for output in [Output::Stdout, Output::Stderr] {
        items.push((output.name().into(), Extern::Memory(Space::Output(output), ANY_SIZE)));
        let length = program.streams.output_length(output, &mut program.module);
        items.push(host_global(program, &format!("{}.length", output.name()), ValType::I32, &[length]));
        let limit = program.streams.output;
        items.push(host_constant(program, &format!("{}.limit", output.name()), limit));
    }
    let (position, end) = program.streams.stdin(&mut program.module);
    let Program { streams, module: Module { cells, host, .. }, .. } = program;
    let mut at = |known: &mut Option<Cell>, name: &str| cell(cells, known, name.into(), streams.input);
    let ends = [
        at(&mut host.argv_end, "argv.end"),
        at(&mut host.environ_end, "environ.end"),
        at(&mut host.files_end, "files.end"),
    ];
    let mut word = |known: &mut Option<Cell>, name: &str| cell(cells, known, name.into(), u32::MAX);
    let terminals = word(&mut host.terminals, "terminals");
    let [low, high] = &mut host.clock;
    let clock = [word(low, "clock.low"), word(high, "clock.high")];
    let [low, high] = &mut host.seed;
    let seed = [word(low, "seed.low"), word(high, "seed.high")];
    let names = ["argv.end", "environ.end", "files.end", "stdin.end", "stdin.position"];
    for (name, cell) in names.into_iter().zip(ends.into_iter().chain([end, position])) {
        items.push(host_global(program, name, ValType::I32, &[cell]));
    }
    items.push(host_global(program, "terminals", ValType::I32, &[terminals]));
    items.push(host_global(program, "clock", ValType::I64, &clock));
    items.push(host_global(program, "seed", ValType::I64, &seed));
    for (name, call, params) in
        [("exit", HostCall::Exit, &[ValType::I32][..]), ("output_limit", HostCall::OutputLimit, &[])]
    {
        let ty = FuncType::new(params.iter().copied(), []);
        items.push((name.into(), Extern::Func(Callable::Host(call), ty)));
    }
    items
}

/// Makes a mutable global of cells that belong to the host.
pub fn host_global(program: &mut Program, name: &str, ty: ValType, cells: &[Cell]) -> (String, Extern) {
    let global_type = GlobalType { content_type: ty, mutable: true, shared: false };
    let mut global = Global::new(format!("host.{name}"), global_type, 0);
    global.cells = SmallVec::from_slice(cells);
    debug_assert_eq!(global.types.map_or(0, |(_, ty): (Type, ValueType)| ty.words()), cells.len());
    program.globals.push(global);
    (name.into(), Extern::Global(program.globals.len() - 1, global_type))
}

/// Makes an immutable global.
pub fn host_constant(program: &mut Program, name: &str, value: u32) -> (String, Extern) {
    let ty = GlobalType { content_type: ValType::I32, mutable: false, shared: false };
    program.globals.push(Global::new(name.into(), ty, value.into()));
    (name.into(), Extern::Global(program.globals.len() - 1, ty))
}
