//! Functions of tensors: links the modules that make them out of exports.

#[cfg(feature = "wit")]
use std::{borrow::Cow, collections::BTreeMap};

use wasm2onnx_runtime::ValueType;
use wasmparser::{FuncType, ValType};

use super::cells::cell;
use super::module::translate_one;
use super::names;
use super::program::{Callable, Extern, HostCall, Program};
use super::wasi::{ANY_SIZE, host_constant, host_global};
use crate::error::{CompileError, ErrorKind};
use crate::ir::{Output, Signature, Space};
use crate::options::Options;
use crate::tensors::TensorFunction;
use crate::tensors::wrapper::{self, Allocator, HOST, MEMORY, PROGRAM};

/// Returns the options with the functions of tensors that the module describes, if there are to be any.
///
/// # Errors
///
/// If the description is damaged, or of an export that is wanted no function of tensors can be made.
#[cfg(feature = "wit")]
pub fn with_world<'o>(binary: &[u8], options: &'o Options) -> Result<Cow<'o, Options>, CompileError> {
    let is_wanted = |name: &String| options.exports.as_ref().is_none_or(|wanted| wanted.contains(name));
    let functions = wit_functions(binary, options)?.into_iter().filter(|(name, _)| is_wanted(name));
    let tensors = functions.map(|(_, function)| function).collect::<Result<Vec<_>, _>>()?;
    Ok(match tensors.is_empty() {
        true => Cow::Borrowed(options),
        false => Cow::Owned(Options { tensors, ..options.clone() }),
    })
}

/// Returns the functions of tensors that a module describes; none if others are given, or the description is not to be used.
///
/// # Errors
///
/// If the description is damaged.
#[cfg(feature = "wit")]
pub fn wit_functions(
    binary: &[u8],
    options: &Options,
) -> Result<BTreeMap<String, Result<TensorFunction, CompileError>>, CompileError> {
    if !options.wit || !options.tensors.is_empty() {
        return Ok(BTreeMap::new());
    }
    let made = crate::tensors::world::exports(binary)?.into_iter().map(|(name, function)| {
        let advice = "without WIT (`--no-wit`, `Options::wit`) it is one of numbers and addresses";
        let refused =
            |message| ErrorKind::Tensors { name: name.clone(), message: format!("{message}; {advice}") };
        (name.clone(), function.map_err(|message| refused(message).into()))
    });
    Ok(made.collect())
}

/// Replaces exports by the functions of tensors that the options make of them. What the main module exports can be imported from
/// [`PROGRAM`].
///
/// # Errors
///
/// If an export does not exist or has another type, or the program has no memory for arrays.
pub fn link(mut program: Program, options: &Options) -> Result<Program, CompileError> {
    if options.tensors.is_empty() {
        return Ok(program);
    }
    for (name, item) in host(&mut program) {
        program.exports.insert((HOST.into(), name.into()), item);
    }
    let allocator = allocator(&program);
    // The host's functions and memories that it imports need features that the program may do without.
    let features =
        options.features.union(wasmparser::WasmFeatures::WASM2).union(wasmparser::WasmFeatures::MULTI_MEMORY);
    let own = Options { features, exports: None, init: Vec::new(), staged: false, ..options.clone() };
    for function in &options.tensors {
        check(&program, function, options)?;
        let post_return = has_post_return(&program, function)?;
        let allocator = if function.needs_realloc() { Allocator::Realloc } else { allocator };
        let binary = wrapper::module(function, allocator, post_return);
        program = translate_one(program, &binary, Some(WRAPPERS), &own)?;
        let item = program.exports.remove(&(WRAPPERS.into(), function.name.clone()));
        let Some(Extern::Func(Callable::Func(func), _)) = item else {
            unreachable!("the wrapper exports it")
        };
        let boundary = &function.boundary;
        let signature = Signature { params: boundary.params(), results: boundary.results() };
        program.module.exports.retain(|export| export.0 != function.name);
        program.module.exports.push((function.name.clone(), func, signature));
        program.module.boundaries.insert(function.name.clone(), boundary.clone());
    }
    Ok(program)
}

/// The name of the modules that are linked, in names of functions.
const WRAPPERS: &str = "tensors";

/// Returns what the wrappers import from the host.
fn host(program: &mut Program) -> Vec<(&'static str, Extern)> {
    let length = program.streams.output_length(Output::Results, &mut program.module);
    let (input, limit) = (program.streams.input, program.streams.output);
    let module = &mut program.module;
    let tensors = cell(&mut module.cells, &mut module.host.tensors, "tensors".into(), input);
    let host_call = |call, params: &[ValType]| {
        Extern::Func(Callable::Host(call), FuncType::new(params.iter().copied(), []))
    };
    vec![
        ("input", Extern::Memory(Space::Input, ANY_SIZE)),
        ("results", Extern::Memory(Space::Output(Output::Results), ANY_SIZE)),
        ("tensors", host_global(program, "tensors", ValType::I32, &[tensors]).1),
        ("results.length", host_global(program, "results.length", ValType::I32, &[length]).1),
        ("results.limit", host_constant(program, "results.limit", limit).1),
        ("out_of_bounds", host_call(HostCall::OutOfBounds, &[])),
        ("output_limit", host_call(HostCall::OutputLimit, &[])),
        ("report", host_call(HostCall::Report, &[ValType::I32])),
    ]
}

/// Returns where arrays get their place from.
fn allocator(program: &Program) -> Allocator {
    let has = |name: &str, params: usize, results: usize| {
        let i32s = |count| std::iter::repeat_n(ValType::I32, count);
        type_of(program, name) == Some(&FuncType::new(i32s(params), i32s(results)))
    };
    match (has("malloc", 1, 1), has("free", 1, 0), has(REALLOC, 4, 1)) {
        (true, true, _) => Allocator::Malloc { frees: true },
        (_, _, true) => Allocator::Realloc,
        (true, false, false) => Allocator::Malloc { frees: false },
        (false, _, false) => Allocator::Grow,
    }
}

/// The export that gives places in memory by the canonical ABI.
const REALLOC: &str = "cabi_realloc";

/// Returns the type of an exported function.
fn type_of<'p>(program: &'p Program, name: &str) -> Option<&'p FuncType> {
    match program.exports.get(&(PROGRAM.into(), name.into()))? {
        Extern::Func(_, ty) => Some(ty),
        _ => None,
    }
}

/// Returns whether the program has the function that the results of a function of tensors are given back to.
fn has_post_return(program: &Program, function: &TensorFunction) -> Result<bool, CompileError> {
    let Some(post_return) = function.post_return() else { return Ok(false) };
    let Some(given) = type_of(program, &post_return) else { return Ok(false) };
    let expected = FuncType::new(function.export_type().results.into_iter().map(number_type), []);
    if *given != expected {
        let (expected, given) = (names::type_name(&expected), names::type_name(given));
        let message = format!("the type of `{post_return}` has to be {expected}, but it is {given}");
        return Err(ErrorKind::Tensors { name: function.name.clone(), message }.into());
    }
    Ok(true)
}

/// Checks that a function of tensors can be made.
fn check(program: &Program, function: &TensorFunction, options: &Options) -> Result<(), CompileError> {
    let name = function.name.clone();
    let Some(given) = type_of(program, &name) else {
        let exports = program.exports.iter().filter_map(|((module, name), item)| match item {
            Extern::Func(_, ty) if module == PROGRAM => Some(format!("`{name}` {}", names::type_name(ty))),
            _ => None,
        });
        return Err(ErrorKind::NoSuchExport { name, exports: exports.collect() }.into());
    };
    if options.exports.as_ref().is_some_and(|wanted| !wanted.contains(&name)) {
        let message = format!("`{name}` is not among the exports to compile");
        return Err(ErrorKind::Tensors { name, message }.into());
    }
    let Signature { params, results } = function.export_type();
    let expected = FuncType::new(params.into_iter().map(number_type), results.into_iter().map(number_type));
    if *given != expected {
        let (expected, given) = (names::type_name(&expected), names::type_name(given));
        let says = if function.is_signed() { "with this signature" } else { "by its world of WIT" };
        let message = format!("{says} its type would be {expected}, but it is {given}");
        return Err(ErrorKind::Tensors { name, message }.into());
    }
    let i32s = [ValType::I32; 4];
    if function.needs_realloc() && type_of(program, REALLOC) != Some(&FuncType::new(i32s, [ValType::I32])) {
        let ty = "(i32, i32, i32, i32) -> (i32)";
        let message =
            format!("the program exports no `{REALLOC}` of the type {ty}, which gives places in memory");
        return Err(ErrorKind::Tensors { name, message }.into());
    }
    if function.needs_memory() && !program.exports.contains_key(&(PROGRAM.to_string(), MEMORY.to_string())) {
        let message = "the program has no memory, in which arrays could be".to_string();
        return Err(ErrorKind::Tensors { name, message }.into());
    }
    Ok(())
}

/// Returns the type of a number.
fn number_type(ty: ValueType) -> ValType {
    match ty {
        ValueType::I64 => ValType::I64,
        ValueType::F32 => ValType::F32,
        ValueType::F64 => ValType::F64,
        _ => ValType::I32,
    }
}
