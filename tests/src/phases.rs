//! The IR after each phase, in the compiler's evaluator, against wasmtime.

use std::collections::BTreeMap;

use wasm2onnx_compiler::evaluate::{Failure, Machine};
use wasm2onnx_compiler::ir::{Module, Output};
use wasm2onnx_compiler::verify::{Stage, verify};
use wasm2onnx_compiler::{Options, frontend, legalize, optimize};
use wasm2onnx_runtime::{TrapCode, Value, ValueType};

use crate::agree::Effect;
use crate::oracle::{Engine, Limits, NoInstance, Oracle, Outcome, Stop, Wasmtime, anonymous};
use crate::values::random_value;

/// Calls of exports with their arguments.
pub type Calls = Vec<(String, Vec<Value>)>;

/// Returns the module after `frontend`, `legalize` and `optimize`.
///
/// # Panics
///
/// If the compiler refuses the module, or if the verifier refuses what a phase has made of it.
pub fn phases(wasm: &[u8], options: &Options) -> [(Stage, Module); 3] {
    let typed = frontend::parse(wasm, options).unwrap_or_else(|error| panic!("{error}"));
    let mut words = typed.clone();
    legalize::run(&mut words);
    let mut last = words.clone();
    optimize::run(&mut last);
    let phases = [(Stage::Typed, typed), (Stage::Words, words), (Stage::Final, last)];
    for (stage, module) in &phases {
        verify(module, *stage).unwrap_or_else(|message| panic!("{stage:?}: {message}"));
    }
    phases
}

/// What came of a comparison.
pub struct Compared {
    /// The effects of instance creation and of the calls in wasmtime.
    pub expected: Vec<Effect>,
    /// How many of the calls were compared after every phase: all, unless wasmtime or the evaluator gave up.
    pub compared: usize,
}

/// Makes the calls of one instance in wasmtime and in the IR after each phase, and compares their effects and
/// that of instance creation.
///
/// # Panics
///
/// At the first difference; if the compiler or wasmtime refuses the module.
pub fn compare(wasm: &[u8], stdin: &[u8], calls: &Calls, fuel: u64) -> Compared {
    let phases = phases(wasm, &Options::default());
    let expected = in_wasmtime(wasm, stdin, calls, fuel);
    let mut compared = calls.len();
    for (stage, module) in &phases {
        let mut made = 0;
        in_evaluator(module, stdin, calls, fuel, &mut |found| {
            let too_deep = found.outcome == Err(Stop::Trap(TrapCode::CallStackExhausted));
            let Some(expected) = expected.get(made).filter(|expected| !expected.gave_up() && !too_deep)
            else {
                return false;
            };
            if let Err(difference) = found.compare(expected) {
                let call = made.checked_sub(1).map_or("creation".into(), |i| format!("{:?}", calls[i]));
                panic!("{stage:?}, {call}: {difference}\n{module}");
            }
            made += 1;
            true
        });
        compared = compared.min(made.saturating_sub(1));
    }
    Compared { expected, compared }
}

fn in_wasmtime(wasm: &[u8], stdin: &[u8], calls: &Calls, fuel: u64) -> Vec<Effect> {
    let binary = frontend::to_binary(wasm).expect("the compiler has read it");
    let limits = Limits { fuel: Some(fuel), ..Limits::default() };
    let module = Wasmtime::compile(&binary, limits).expect("wasmtime accepts the module");
    let mut instance = match Wasmtime::instantiate(&module, stdin) {
        Ok(instance) => instance,
        Err(NoInstance::Ended(stop)) => return vec![Effect::of_no_instance(stop)],
        Err(NoInstance::Refused) => panic!("wasmtime makes no instance"),
    };
    let mut expected = Vec::new();
    make_calls(&mut instance, calls, &mut |effect| {
        expected.push(effect);
        true
    });
    expected
}

/// Makes the calls in the evaluator, as [`make_calls`] does. A run that ends in wasmtime must end here within
/// twenty times the fuel.
fn in_evaluator(
    module: &Module,
    stdin: &[u8],
    calls: &Calls,
    fuel: u64,
    each: &mut dyn FnMut(Effect) -> bool,
) {
    let mut evaluator = match Machine::with_fuel(module, fuel * 20) {
        Ok(machine) => Evaluator { module, machine },
        Err(failure) => {
            each(Effect::of_no_instance(stop(failure)));
            return;
        }
    };
    evaluator.machine.set_input([&[], &[], &[], stdin]);
    make_calls(&mut evaluator, calls, each);
}

/// Calls `each` with the effects of instance creation and of the calls, as long as it returns true.
fn make_calls(engine: &mut impl Engine, calls: &Calls, each: &mut dyn FnMut(Effect) -> bool) {
    let mut going = each(Effect::of_creation(engine));
    for (name, args) in calls {
        going = going && each(Effect::of(engine, name, args));
    }
}

/// The evaluator of the IR behind the interface of the oracles.
struct Evaluator<'m> {
    module: &'m Module,
    machine: Machine<'m>,
}

impl Engine for Evaluator<'_> {
    fn call(&mut self, name: &str, args: &[Value]) -> Outcome {
        let export = self.module.exports.iter().find(|(other, ..)| other == name);
        let (.., signature) = export.expect("the function is exported");
        let bits: Vec<u64> = args.iter().map(|arg| bits(*arg)).collect();
        let results = self.machine.call(name, &bits).map_err(stop)?;
        Ok(results.iter().zip(&signature.results).map(|(bits, ty)| value(*bits, *ty)).collect())
    }

    fn globals(&mut self) -> BTreeMap<String, Value> {
        let globals = self.module.exported_globals.iter().map(|(name, ty, _, cells)| {
            let bits =
                cells.iter().rev().fold(0, |bits, cell| bits << 32 | u64::from(self.machine.cells[*cell]));
            (name.clone(), value(bits, *ty))
        });
        globals.collect()
    }

    fn set_global(&mut self, name: &str, value: Value) {
        let global = self.module.exported_globals.iter().find(|(other, ..)| other == name);
        let (.., cells) = global.expect("the global is exported");
        for (cell, word) in cells.iter().zip(value.words()) {
            self.machine.cells[*cell] = word;
        }
    }

    fn memories(&mut self) -> BTreeMap<String, Vec<u8>> {
        let names = self.module.exported_memories.iter();
        names.map(|(name, memory)| (name.clone(), self.machine.memories[*memory].clone())).collect()
    }

    fn stdout(&self) -> Vec<u8> {
        self.machine.output(Output::Stdout).to_vec()
    }
}

fn stop(failure: Failure) -> Stop {
    match failure {
        Failure::Trap(code) => Stop::Trap(code),
        Failure::Fuel => Stop::Limit,
        Failure::NoSuchExport => panic!("the function is not exported"),
    }
}

fn bits(value: Value) -> u64 {
    let [low, high] = value.words();
    u64::from(high) << 32 | u64::from(low)
}

fn value(bits: u64, ty: ValueType) -> Value {
    anonymous(Value::from_words(ty, [bits as u32, (bits >> 32) as u32]))
}

/// Returns `rounds` calls of each exported function with random arguments.
pub fn calls_of_all(module: &Module, rng: &mut fastrand::Rng, rounds: usize) -> Calls {
    let mut calls = Calls::new();
    for _ in 0..rounds {
        for (name, _, signature) in &module.exports {
            let args = signature.params.iter().map(|ty| random_value(rng, *ty)).collect();
            calls.push((name.clone(), args));
        }
    }
    calls
}
