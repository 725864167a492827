//! Runs a module in wasmtime and in the IR evaluator after each phase, and compares.

use fastrand::Rng;
use std::collections::BTreeMap;
use std::sync::OnceLock;

use wasm2onnx_compiler::evaluate::{Failure, Machine};
use wasm2onnx_compiler::ir::Module;
use wasm2onnx_compiler::options::Options;
use wasm2onnx_compiler::verify::{Stage, verify};
use wasm2onnx_compiler::{frontend, legalize, optimize};
use wasm2onnx_runtime::{TrapCode, ValueType};
use wasmtime::{
    AsContextMut, Caller, Config, Engine, Extern, ExternRef, HeapType, Linker, OperatorCost, Store, Trap,
    Val, ValType, VariableOperatorCost,
};

/// Calls of exports, with arguments as bits: of references to the host's things, 0 for null; of those to
/// functions, 0 or 1.
pub type Calls = Vec<(String, Vec<u64>)>;

/// What can be seen from outside after a call.
#[derive(Debug, PartialEq, Clone)]
pub struct Seen {
    pub outcome: Result<Vec<u64>, Option<TrapCode>>,
    pub memory: Option<u64>,
    pub globals: BTreeMap<String, u64>,
    pub stdout: Vec<u8>,
}

/// The module after `frontend`, `legalize` and `optimize`, each verified.
pub fn phases(bytes: &[u8], options: &Options) -> [(Stage, Module); 3] {
    let typed = frontend::parse(bytes, options).unwrap_or_else(|e| panic!("{e}"));
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

/// Compares all phases with wasmtime: after instance creation and each of the calls. Returns what was seen in wasmtime.
pub fn compare(bytes: &[u8], stdin: &[u8], calls: &Calls, fuel: u64) -> Vec<Seen> {
    let phases = phases(bytes, &Options::default());
    let expected = run_wasmtime(bytes, stdin, calls, fuel);
    for (stage, module) in &phases {
        let found = run_ir(module, stdin, calls, fuel);
        for (i, (expected, found)) in expected.iter().zip(&found).enumerate() {
            // How deep calls may nest is not the same everywhere, nor how long a run may take. But who has an end has one
            // here within so many times the fuel, or the program loops.
            let [too_long, too_deep] = [Err(None), Err(Some(TrapCode::CallStackExhausted))];
            if [&too_long, &too_deep].contains(&&expected.outcome) || found.outcome == too_deep {
                break;
            }
            if expected != found {
                let call = if i == 0 { "creation".to_string() } else { format!("{:x?}", calls[i - 1]) };
                panic!("{stage:?}, {call}:\nexpected {expected:x?}\nfound {found:x?}\n{module}");
            }
        }
    }
    expected
}

/// A number for the contents of a memory.
pub fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(bytes.len() as u64, |h, b| (h ^ *b as u64).wrapping_mul(0x100000001b3))
}

fn run_ir(module: &Module, stdin: &[u8], calls: &Calls, fuel: u64) -> Vec<Seen> {
    let see = |machine: &Machine, outcome| {
        let memory = (!module.exported_memories.is_empty()).then(|| hash(&machine.memory));
        let globals = module.exported_globals.iter().map(|(name, ty, _, cells)| {
            let bits = cells.iter().rev().fold(0, |bits, cell| bits << 32 | machine.cells[*cell] as u64);
            (name.clone(), anonymous(bits, *ty))
        });
        Seen { outcome, memory, globals: globals.collect(), stdout: machine.stdout().to_vec() }
    };
    let failure = |failure| match failure {
        Failure::Trap(code) => Some(as_in_wasmtime(code)),
        Failure::Fuel => None,
        Failure::NoSuchExport => panic!("no such export"),
    };
    let mut machine = match Machine::with_fuel(module, fuel * 20) {
        Ok(machine) => machine,
        Err(error) => {
            let outcome = Err(failure(error));
            return vec![Seen { outcome, memory: None, globals: BTreeMap::new(), stdout: vec![] }];
        }
    };
    machine.set_stdin(stdin);
    let mut seen = vec![see(&machine, Ok(vec![]))];
    for (name, args) in calls {
        let (.., signature) = module.exports.iter().find(|(other, ..)| other == name).expect("an export");
        let outcome = machine.call(name, args).map_err(failure).map(|results| {
            results.iter().zip(&signature.results).map(|(bits, ty)| anonymous(*bits, *ty)).collect()
        });
        seen.push(see(&machine, outcome));
    }
    seen
}

/// wasmtime does not tell a segment that does not fit from an index that is too large.
pub fn as_in_wasmtime(code: TrapCode) -> TrapCode {
    if code == TrapCode::TableOutOfBounds { TrapCode::UndefinedElement } else { code }
}

/// Functions have no numbers that engines agree on.
pub fn anonymous(bits: u64, ty: ValueType) -> u64 {
    if ty == ValueType::FuncRef { bits.min(1) } else { bits }
}

#[derive(Default)]
struct Host {
    stdin: Vec<u8>,
    position: usize,
    stdout: Vec<u8>,
}

fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| {
        let mut config = Config::default();
        // An instruction costs the same whatever it is asked to do: it may be too much, and trap or fail.
        let variable = VariableOperatorCost {
            memory_copy_per_byte: 0,
            memory_fill_per_byte: 0,
            memory_init_per_byte: 0,
            table_copy_per_element: 0,
            table_fill_per_element: 0,
            table_grow_per_element: 0,
            table_init_per_element: 0,
            ..VariableOperatorCost::new()
        };
        config.cranelift_nan_canonicalization(true);
        config.consume_fuel(true).operator_cost(OperatorCost { variable, ..OperatorCost::new() });
        Engine::new(&config).expect("a supported configuration")
    })
}

fn run_wasmtime(bytes: &[u8], stdin: &[u8], calls: &Calls, fuel: u64) -> Vec<Seen> {
    let engine = engine();
    let binary = frontend::to_binary(bytes).unwrap();
    let module = wasmtime::Module::new(engine, &binary[..]).expect("wasmtime takes it");
    let mut store = Store::new(engine, Host { stdin: stdin.to_vec(), ..Host::default() });
    store.set_fuel(fuel).unwrap();
    let mut linker = Linker::<Host>::new(engine);
    linker
        .func_wrap("env", "output_byte", |mut caller: Caller<Host>, byte: i32| {
            caller.data_mut().stdout.push(byte as u8);
        })
        .unwrap();
    linker
        .func_wrap("env", "input_byte", |mut caller: Caller<Host>| -> i32 {
            let host = caller.data_mut();
            host.position += 1;
            host.stdin.get(host.position - 1).map_or(-1, |byte| *byte as i32)
        })
        .unwrap();
    let instance = match linker.instantiate(&mut store, &module) {
        Ok(instance) => instance,
        Err(error) => {
            let code = failure(&error);
            return vec![Seen { outcome: Err(code), memory: None, globals: BTreeMap::new(), stdout: vec![] }];
        }
    };
    let see = |store: &mut Store<Host>, outcome| {
        let mut memory = None;
        let mut globals = BTreeMap::new();
        for export in module.exports() {
            match instance.get_export(&mut *store, export.name()) {
                Some(Extern::Memory(m)) => memory = Some(hash(m.data(&*store))),
                Some(Extern::Global(g)) => {
                    let value = g.get(&mut *store);
                    globals.insert(export.name().to_string(), bits(&value, &mut *store));
                }
                _ => {}
            }
        }
        Seen { outcome, memory, globals, stdout: store.data().stdout.clone() }
    };
    let mut seen = vec![see(&mut store, Ok(vec![]))];
    for (name, args) in calls {
        let func = instance.get_func(&mut store, name).expect("an export");
        let ty = func.ty(&store);
        let args: Vec<Val> =
            args.iter().zip(ty.params()).map(|(arg, ty)| value(*arg, &ty, &mut store)).collect();
        let mut results: Vec<Val> = ty.results().map(|ty| value(0, &ty, &mut store)).collect();
        let outcome = match func.call(&mut store, &args, &mut results) {
            Ok(()) => Ok(results.iter().map(|result| bits(result, &mut store)).collect()),
            Err(error) => Err(failure(&error)),
        };
        seen.push(see(&mut store, outcome));
    }
    seen
}

/// The code of a trap; none for a run that used up its fuel.
fn failure(error: &wasmtime::Error) -> Option<TrapCode> {
    Some(match error.downcast_ref::<Trap>().unwrap_or_else(|| panic!("{error:?}")) {
        Trap::UnreachableCodeReached => TrapCode::Unreachable,
        Trap::MemoryOutOfBounds => TrapCode::MemoryOutOfBounds,
        Trap::TableOutOfBounds => TrapCode::UndefinedElement,
        Trap::IndirectCallToNull => TrapCode::UninitializedElement,
        Trap::BadSignature => TrapCode::IndirectCallTypeMismatch,
        Trap::IntegerDivisionByZero => TrapCode::IntegerDivideByZero,
        Trap::IntegerOverflow => TrapCode::IntegerOverflow,
        Trap::BadConversionToInteger => TrapCode::InvalidConversionToInteger,
        Trap::StackOverflow => TrapCode::CallStackExhausted,
        Trap::OutOfFuel => return None,
        other => panic!("{other}"),
    })
}

fn bits(value: &Val, store: impl AsContextMut) -> u64 {
    match value {
        Val::I32(v) => *v as u32 as u64,
        Val::I64(v) => *v as u64,
        Val::F32(v) => *v as u64,
        Val::F64(v) => *v,
        Val::FuncRef(function) => function.is_some().into(),
        Val::ExternRef(None) => 0,
        Val::ExternRef(Some(reference)) => {
            let host = reference.data(store.as_context()).expect("it is alive").expect("it is the host's");
            *host.downcast_ref::<u32>().expect("it is one of ours") as u64
        }
        other => panic!("{other:?}"),
    }
}

fn value(bits: u64, ty: &ValType, store: impl AsContextMut) -> Val {
    match ty {
        ValType::I32 => Val::I32(bits as i32),
        ValType::I64 => Val::I64(bits as i64),
        ValType::F32 => Val::F32(bits as u32),
        ValType::F64 => Val::F64(bits),
        ValType::Ref(ty) if matches!(ty.heap_type(), HeapType::Func) && bits == 0 => Val::null_func_ref(),
        ValType::Ref(ty) if matches!(ty.heap_type(), HeapType::Extern) => match bits as u32 {
            0 => Val::null_extern_ref(),
            number => Val::ExternRef(Some(ExternRef::new(store, number).expect("there is room for it"))),
        },
        other => panic!("{other:?}"),
    }
}

/// Draws a number that is likely to be an edge case.
pub fn interesting(random: &mut Rng) -> u64 {
    let next = random.u64(..);
    match next % 8 {
        0 => next >> 61,
        1 => (next >> 61).wrapping_neg(),
        2 => 1 << ((next >> 8) % 64),
        3 => (1u64 << ((next >> 8) % 64)).wrapping_sub(next >> 63),
        4 => (next >> 8) % 300,
        5 => (next as i32) as u64,
        6 => next >> ((next >> 8) % 64),
        _ => random.u64(..),
    }
}

/// `rounds` calls of each exported function with interesting arguments.
pub fn calls_of_all(module: &Module, random: &mut Rng, rounds: usize) -> Calls {
    let mut calls = Calls::new();
    for _ in 0..rounds {
        for (name, _, signature) in &module.exports {
            let args = signature.params.iter().map(|ty| {
                let bits = interesting(random);
                match ty {
                    ValueType::I32 | ValueType::F32 | ValueType::ExternRef => bits & 0xffff_ffff,
                    ValueType::I64 | ValueType::F64 => bits,
                    ValueType::FuncRef => 0,
                }
            });
            calls.push((name.clone(), args.collect()));
        }
    }
    calls
}
