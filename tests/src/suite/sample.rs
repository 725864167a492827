//! Assertions about single functions, for executors that are too slow for the whole suite.

use std::collections::BTreeSet;

use wasm2onnx_runtime::Value;

use super::host::Imports;
use super::script::{Action, Command, Ending, Line};

/// An exported function, and what a script asserts about it.
pub struct Function<'s> {
    /// The module that exports it.
    pub wasm: &'s [u8],
    /// Its name.
    pub name: &'s str,
    /// The assertions, in the script's order. Those with the same arguments as an earlier one are left out,
    /// since on a fresh instance they are the same.
    pub assertions: Vec<Assertion<'s>>,
}

/// An assertion about how a call ends.
#[derive(Clone)]
pub struct Assertion<'s> {
    /// The line that it begins in.
    pub line: usize,
    /// The arguments.
    pub args: &'s [Value],
    /// How it ends.
    pub ending: &'s Ending,
}

/// Returns the functions about which a script asserts something, except those of modules that have to be
/// linked.
pub fn functions(script: &[Line]) -> Vec<Function<'_>> {
    let mut functions: Vec<Function> = Vec::new();
    let mut registered = BTreeSet::new();
    let mut current = None;
    let mut modules = Vec::new();
    for Line { number, command } in script {
        match command {
            Command::Module { name, wasm } => {
                let alone = Imports::of(wasm)
                    .is_ok_and(|imports| imports.modules().all(|module| !registered.contains(module)));
                current = alone.then_some(wasm.as_slice());
                modules.extend(name.as_deref().map(|name| (name, current)));
            }
            Command::Register { name, .. } => {
                registered.insert(name.as_str());
            }
            Command::Assert(Action::Invoke(call), ending) => {
                let named = |name: &str| modules.iter().rev().find(|module| module.0 == name)?.1;
                let Some(wasm) = call.module.as_deref().map_or(current, named) else { continue };
                let index = functions.iter().position(|f| std::ptr::eq(f.wasm, wasm) && f.name == call.name);
                let index = index.unwrap_or_else(|| {
                    functions.push(Function { wasm, name: &call.name, assertions: Vec::new() });
                    functions.len() - 1
                });
                let assertions = &mut functions[index].assertions;
                if assertions.iter().all(|assertion| assertion.args != call.args) {
                    assertions.push(Assertion { line: *number, args: &call.args, ending });
                }
            }
            _ => {}
        }
    }
    functions
}

/// Returns at most `count` of a list's elements, evenly spread over the list.
pub fn spread<T>(list: Vec<T>, count: usize) -> Vec<T> {
    let all = list.len();
    let chosen = |i: usize| all <= count || i * count % all < count;
    list.into_iter().enumerate().filter(|(i, _)| chosen(*i)).map(|(_, element)| element).collect()
}
