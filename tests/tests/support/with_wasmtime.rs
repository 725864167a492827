//! wasmtime, with fuel.

use std::collections::BTreeMap;

use wasm2onnx_runtime::{TrapCode, Value};
use wasmtime::{
    Config, Error, Extern, Instance, Linker, Module, Store, StoreLimits, StoreLimitsBuilder, Trap, Val,
};

use super::{Engine, NoInstance, Outcome, Reference};

/// An instance in wasmtime.
pub struct Wasmtime {
    store: Store<StoreLimits>,
    instance: Instance,
    given: u64,
}

impl Reference for Wasmtime {
    type Module = Module;

    fn compile(wasm: &[u8]) -> Option<Module> {
        let engine =
            wasmtime::Engine::new(Config::new().consume_fuel(true)).expect("a supported configuration");
        Module::new(&engine, wasm).ok()
    }

    fn instantiate(module: &Module, fuel: u64, max_pages: u32) -> Result<Self, NoInstance> {
        let limits = StoreLimitsBuilder::new().memory_size(max_pages as usize * 65_536).build();
        let mut store = Store::new(module.engine(), limits);
        store.limiter(|limits| limits);
        store.set_fuel(fuel).expect("fuel is on");
        match Linker::new(module.engine()).instantiate(&mut store, module) {
            Ok(instance) => Ok(Wasmtime { store, instance, given: fuel }),
            Err(error) => Err(ended(&error).map_or(NoInstance::Refused, NoInstance::Ended)),
        }
    }

    fn fuel(&self) -> u64 {
        self.given - self.store.get_fuel().expect("fuel is on")
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
            Ok(()) => Outcome::Values(results.iter().map(from_wasmtime).collect()),
            Err(error) => ended(&error).unwrap_or_else(|| panic!("wasmtime: {error:?}")),
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
fn ended(error: &Error) -> Option<Outcome> {
    Some(Outcome::Trap(match error.downcast_ref::<Trap>()? {
        Trap::UnreachableCodeReached => TrapCode::Unreachable,
        Trap::MemoryOutOfBounds => TrapCode::MemoryOutOfBounds,
        Trap::TableOutOfBounds => TrapCode::UndefinedElement,
        Trap::IndirectCallToNull => TrapCode::UninitializedElement,
        Trap::IntegerDivisionByZero => TrapCode::IntegerDivideByZero,
        Trap::IntegerOverflow => TrapCode::IntegerOverflow,
        Trap::BadConversionToInteger => TrapCode::InvalidConversionToInteger,
        Trap::StackOverflow => TrapCode::CallStackExhausted,
        Trap::BadSignature => TrapCode::IndirectCallTypeMismatch,
        Trap::OutOfFuel => return Some(Outcome::Stopped),
        _ => return None,
    }))
}

fn to_wasmtime(value: Value) -> Val {
    match value {
        Value::I32(x) => Val::I32(x),
        Value::I64(x) => Val::I64(x),
        Value::F32(bits) => Val::F32(bits),
        Value::F64(bits) => Val::F64(bits),
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
