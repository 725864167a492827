//! wasmtime with fuel, which counts the instructions that a program executes.

use std::collections::BTreeMap;

use wasm2onnx_runtime::{TrapCode, Value};
use wasmtime::{
    Caller, Config, Error, Extern, Instance, Linker, Module, Store, StoreLimits, StoreLimitsBuilder, Trap,
    Val,
};

use super::{Compiled, Engine, Host, Limits, NoInstance, Oracle, Outcome, Stop};

/// An instance in wasmtime.
pub struct Wasmtime {
    store: Store<Data>,
    instance: Instance,
    fuel: u64,
}

type Data = (Host, StoreLimits);

impl Oracle for Wasmtime {
    type Module = Compiled<Module>;

    fn compile(wasm: &[u8], limits: Limits) -> Option<Self::Module> {
        let mut config = Config::new();
        // Of the NaNs that WebAssembly allows the one that its deterministic profile asks for, as ours.
        config.consume_fuel(true).cranelift_nan_canonicalization(true);
        let engine = wasmtime::Engine::new(&config).expect("a supported configuration");
        let module = Module::new(&engine, wasm).ok()?;
        Some(Compiled { module, limits })
    }

    fn instantiate(module: &Self::Module, stdin: &[u8]) -> Result<Self, NoInstance> {
        let Compiled { module, limits } = module;
        let fuel = limits.fuel.unwrap_or(u64::MAX);
        let bytes = StoreLimitsBuilder::new().memory_size(limits.bytes()).build();
        let mut store = Store::new(module.engine(), (Host::new(stdin), bytes));
        store.limiter(|(_, limits)| limits);
        store.set_fuel(fuel).expect("fuel is on");
        let mut linker = Linker::new(module.engine());
        linker
            .func_wrap("env", "input_byte", |mut caller: Caller<Data>| caller.data_mut().0.input_byte())
            .expect("a new name");
        linker
            .func_wrap("env", "output_byte", |mut caller: Caller<Data>, byte: i32| {
                caller.data_mut().0.output_byte(byte)
            })
            .expect("a new name");
        match linker.instantiate(&mut store, module) {
            Ok(instance) => Ok(Wasmtime { store, instance, fuel }),
            Err(error) => Err(stop(&error).map_or(NoInstance::Refused, NoInstance::Ended)),
        }
    }

    fn instructions(&self) -> u64 {
        self.fuel - self.store.get_fuel().expect("fuel is on")
    }

    fn stdout(&self) -> &[u8] {
        &self.store.data().0.stdout
    }
}

impl Wasmtime {
    fn exports(&mut self) -> Vec<(String, Extern)> {
        let exports = self.instance.exports(&mut self.store);
        exports.map(|export| (export.name().to_owned(), export.into_extern())).collect()
    }
}

impl Engine for Wasmtime {
    fn call(&mut self, name: &str, args: &[Value]) -> Outcome {
        let function = self.instance.get_func(&mut self.store, name).expect("the function is exported");
        let args: Vec<_> = args.iter().map(|arg| to_wasmtime(*arg)).collect();
        let mut results = vec![Val::I32(0); function.ty(&self.store).results().len()];
        match function.call(&mut self.store, &args, &mut results) {
            Ok(()) => Ok(results.iter().map(from_wasmtime).collect()),
            Err(error) => Err(stop(&error).unwrap_or_else(|| panic!("wasmtime: {error:?}"))),
        }
    }

    fn globals(&mut self) -> BTreeMap<String, Value> {
        let exports = self.exports();
        let globals = exports.into_iter().filter_map(|(name, export)| match export {
            Extern::Global(global) => Some((name, from_wasmtime(&global.get(&mut self.store)))),
            _ => None,
        });
        globals.collect()
    }

    fn memories(&mut self) -> BTreeMap<String, Vec<u8>> {
        let exports = self.exports();
        let memories = exports.into_iter().filter_map(|(name, export)| match export {
            Extern::Memory(memory) => Some((name, memory.data(&self.store).to_vec())),
            _ => None,
        });
        memories.collect()
    }
}

/// What an error says of the program, if anything.
fn stop(error: &Error) -> Option<Stop> {
    Some(Stop::Trap(match error.downcast_ref::<Trap>()? {
        Trap::UnreachableCodeReached => TrapCode::Unreachable,
        Trap::MemoryOutOfBounds => TrapCode::MemoryOutOfBounds,
        Trap::TableOutOfBounds => TrapCode::UndefinedElement,
        Trap::IndirectCallToNull => TrapCode::UninitializedElement,
        Trap::IntegerDivisionByZero => TrapCode::IntegerDivideByZero,
        Trap::IntegerOverflow => TrapCode::IntegerOverflow,
        Trap::BadConversionToInteger => TrapCode::InvalidConversionToInteger,
        Trap::StackOverflow => TrapCode::CallStackExhausted,
        Trap::BadSignature => TrapCode::IndirectCallTypeMismatch,
        Trap::OutOfFuel => return Some(Stop::Limit),
        _ => return None,
    }))
}

fn to_wasmtime(value: Value) -> Val {
    match value {
        Value::I32(x) => Val::I32(x),
        Value::I64(x) => Val::I64(x),
        Value::F32(bits) => Val::F32(bits),
        Value::F64(bits) => Val::F64(bits),
        Value::FuncRef(_) | Value::ExternRef(_) => panic!("an argument of type {}", value.ty()),
    }
}

fn from_wasmtime(value: &Val) -> Value {
    match value {
        Val::I32(x) => Value::I32(*x),
        Val::I64(x) => Value::I64(*x),
        Val::F32(bits) => Value::F32(*bits),
        Val::F64(bits) => Value::F64(*bits),
        other => panic!("a value {other:?}"),
    }
}
