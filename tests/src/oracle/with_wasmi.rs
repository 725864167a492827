//! wasmi, with fuel where there is a limit.

use std::collections::BTreeMap;

use wasm2onnx_runtime::{TrapCode, Value};
use wasmi::TrapCode as Trap;
use wasmi::errors::{ErrorKind, InstantiationError};
use wasmi::{
    Caller, Config, Error, Extern, Instance, Linker, Module, Store, StoreLimits, StoreLimitsBuilder, Val,
};

use super::{Compiled, Engine, Host, Limits, NoInstance, Oracle, Outcome, Stop};

/// An instance in wasmi.
pub struct Wasmi {
    store: Store<Data>,
    instance: Instance,
    fuel: Option<u64>,
}

type Data = (Host, StoreLimits);

impl Oracle for Wasmi {
    type Module = Compiled<Module>;

    fn compile(wasm: &[u8], limits: Limits) -> Option<Self::Module> {
        let mut config = Config::default();
        config
            .consume_fuel(limits.fuel.is_some())
            // So large that our stack is exhausted first.
            .set_max_recursion_depth(1 << 20)
            .set_max_stack_height(1 << 28)
            .wasm_multi_memory(false)
            .wasm_memory64(false)
            .wasm_tail_call(true)
            .wasm_extended_const(false);
        let module = Module::new(&wasmi::Engine::new(&config), wasm).ok()?;
        Some(Compiled { module, limits })
    }

    fn instantiate(module: &Self::Module, stdin: &[u8]) -> Result<Self, NoInstance> {
        let Compiled { module, limits } = module;
        let bytes = StoreLimitsBuilder::new().memory_size(limits.bytes()).build();
        let mut store = Store::new(module.engine(), (Host::new(stdin), bytes));
        store.limiter(|(_, limits)| limits);
        if let Some(fuel) = limits.fuel {
            store.set_fuel(fuel).expect("fuel is on");
        }
        let mut linker = Linker::new(module.engine());
        linker
            .func_wrap("env", "input_byte", |mut caller: Caller<Data>| caller.data_mut().0.input_byte())
            .expect("a new name");
        linker
            .func_wrap("env", "output_byte", |mut caller: Caller<Data>, byte: i32| {
                caller.data_mut().0.output_byte(byte)
            })
            .expect("a new name");
        match linker.instantiate_and_start(&mut store, module) {
            Ok(instance) => Ok(Wasmi { store, instance, fuel: limits.fuel }),
            Err(error) => Err(stop(&error).map_or(NoInstance::Refused, NoInstance::Ended)),
        }
    }

    fn instructions(&self) -> u64 {
        let given = self.fuel.expect("instructions are counted where they are limited");
        given - self.store.get_fuel().expect("fuel is on")
    }
}

impl Wasmi {
    fn exports(&self) -> Vec<(String, Extern)> {
        let exports = self.instance.exports(&self.store);
        exports.map(|export| (export.name().to_owned(), export.into_extern())).collect()
    }
}

impl Engine for Wasmi {
    fn call(&mut self, name: &str, args: &[Value]) -> Outcome {
        let function = self.instance.get_func(&self.store, name).expect("the function is exported");
        let args: Vec<_> = args.iter().map(|arg| to_wasmi(*arg)).collect();
        let mut results = vec![Val::I32(0); function.ty(&self.store).results().len()];
        match function.call(&mut self.store, &args, &mut results) {
            Ok(()) => Ok(results.iter().map(from_wasmi).collect()),
            Err(error) => Err(stop(&error).unwrap_or_else(|| panic!("wasmi: {error}"))),
        }
    }

    fn globals(&mut self) -> BTreeMap<String, Value> {
        let globals = self.exports().into_iter().filter_map(|(name, export)| match export {
            Extern::Global(global) => Some((name, from_wasmi(&global.get(&self.store)))),
            _ => None,
        });
        globals.collect()
    }

    fn set_global(&mut self, name: &str, value: Value) {
        let global = self.instance.get_global(&self.store, name).expect("the global is exported");
        global.set(&mut self.store, to_wasmi(value)).expect("it is mutable");
    }

    fn memories(&mut self) -> BTreeMap<String, Vec<u8>> {
        let memories = self.exports().into_iter().filter_map(|(name, export)| match export {
            Extern::Memory(memory) => Some((name, memory.data(&self.store).to_vec())),
            _ => None,
        });
        memories.collect()
    }

    fn stdout(&self) -> Vec<u8> {
        self.store.data().0.stdout.clone()
    }
}

/// Returns what an error says about the program, if anything.
fn stop(error: &Error) -> Option<Stop> {
    if let ErrorKind::Instantiation(InstantiationError::ElementSegmentDoesNotFit { .. }) = error.kind() {
        return Some(Stop::Trap(TrapCode::UndefinedElement));
    }
    Some(Stop::Trap(match error.as_trap_code()? {
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
        Trap::GrowthOperationLimited | Trap::OutOfSystemMemory => return None,
    }))
}

fn to_wasmi(value: Value) -> Val {
    match value {
        Value::I32(x) => Val::I32(x),
        Value::I64(x) => Val::I64(x),
        Value::F32(bits) => Val::F32(wasmi::F32::from_bits(bits)),
        Value::F64(bits) => Val::F64(wasmi::F64::from_bits(bits)),
        Value::FuncRef(_) | Value::ExternRef(_) => panic!("an argument of type {}", value.ty()),
    }
}

fn from_wasmi(value: &Val) -> Value {
    match value {
        Val::I32(x) => Value::I32(*x),
        Val::I64(x) => Value::I64(*x),
        Val::F32(x) => Value::F32(x.to_bits()),
        Val::F64(x) => Value::F64(x.to_bits()),
        other => panic!("a value of type {:?}", other.ty()),
    }
}
