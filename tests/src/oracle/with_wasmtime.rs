//! wasmtime with fuel, which counts the instructions that a program executes.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::{Arc, LazyLock};

use wasm2onnx_compiler::options::DEFAULT_MAX_TABLE_ENTRIES;
use wasm2onnx_runtime::{TrapCode, Value, ValueType};
use wasmtime::{
    AsContextMut, Caller, Config, Error, Extern, ExternRef, ExternType, HeapType, Instance, Linker, Module,
    Mutability, OperatorCost, OptLevel, Store, StoreLimits, StoreLimitsBuilder, Trap, Val, ValType,
    VariableOperatorCost, WasmBacktrace,
};

use super::{Compiled, Engine, Host, Limits, NoInstance, Oracle, Outcome, Stop};

/// An instance in wasmtime.
pub struct Wasmtime {
    store: Store<Data>,
    instance: Instance,
    fuel: u64,
    wasm: Arc<[u8]>,
}

type Data = (Host, StoreLimits);

/// The engine of all modules.
static ENGINE: LazyLock<wasmtime::Engine> = LazyLock::new(|| {
    let mut config = Config::new();
    // Of the NaNs that WebAssembly allows, results are those of its deterministic profile, like ours.
    config.consume_fuel(true).cranelift_nan_canonicalization(true).cranelift_opt_level(OptLevel::None);
    // An instruction takes the same fuel however much it is asked to do: if that is too much, it traps or
    // fails.
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
    config.operator_cost(OperatorCost { variable, ..OperatorCost::new() });
    wasmtime::Engine::new(&config).expect("a supported configuration")
});

impl Oracle for Wasmtime {
    type Module = Compiled<(Module, Arc<[u8]>)>;

    fn compile(wasm: &[u8], limits: Limits) -> Option<Self::Module> {
        let module = Module::new(&ENGINE, wasm).ok()?;
        Some(Compiled { module: (module, wasm.into()), limits })
    }

    fn instantiate(module: &Self::Module, stdin: &[u8]) -> Result<Self, NoInstance> {
        let Compiled { module: (module, wasm), limits } = module;
        let fuel = limits.fuel.unwrap_or(u64::MAX);
        let bytes = StoreLimitsBuilder::new()
            .memory_size(limits.bytes())
            .table_elements(DEFAULT_MAX_TABLE_ENTRIES as usize)
            .build();
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
            Ok(instance) => Ok(Wasmtime { store, instance, fuel, wasm: wasm.clone() }),
            Err(error) => Err(stop(&error, wasm).map_or(NoInstance::Refused, NoInstance::Ended)),
        }
    }

    fn instructions(&self) -> u64 {
        self.fuel - self.store.get_fuel().expect("fuel is on")
    }
}

impl Wasmtime {
    /// Creates instances of modules one after the other, each of which can import from those before it by their names. Returns
    /// the last one.
    ///
    /// # Errors
    ///
    /// Why creation ended, or `None` if modules do not fit together.
    pub fn linked(names: &[String], modules: &[Vec<u8>]) -> Result<Wasmtime, Option<Stop>> {
        let mut store = Store::new(&ENGINE, (Host::new(b""), StoreLimits::default()));
        store.set_fuel(u64::MAX).expect("fuel is on");
        let mut linker = Linker::new(&ENGINE);
        let mut last = None;
        for (name, wasm) in names.iter().zip(modules) {
            let module = Module::new(&ENGINE, wasm).unwrap_or_else(|error| panic!("{error:?}"));
            let instance = linker.instantiate(&mut store, &module).map_err(|error| stop(&error, &[]))?;
            linker.instance(&mut store, name, instance).expect("a new name");
            last = Some(instance);
        }
        let instance = last.expect("there is a module");
        Ok(Wasmtime { store, instance, fuel: u64::MAX, wasm: [].into() })
    }

    fn exports(&mut self) -> Vec<(String, Extern)> {
        let exports = self.instance.exports(&mut self.store);
        exports.map(|export| (export.name().to_owned(), export.into_extern())).collect()
    }
}

impl Engine for Wasmtime {
    fn call(&mut self, name: &str, args: &[Value]) -> Outcome {
        let function = self.instance.get_func(&mut self.store, name).expect("the function is exported");
        let args: Vec<_> = args.iter().map(|arg| to_wasmtime(*arg, &mut self.store)).collect();
        let mut results = vec![Val::I32(0); function.ty(&self.store).results().len()];
        match function.call(&mut self.store, &args, &mut results) {
            Ok(()) => Ok(results.iter().map(|result| from_wasmtime(result, &mut self.store)).collect()),
            Err(error) => Err(stop(&error, &self.wasm).unwrap_or_else(|| panic!("wasmtime: {error:?}"))),
        }
    }

    fn globals(&mut self) -> BTreeMap<String, Value> {
        let exports = self.exports();
        let globals = exports.into_iter().filter_map(|(name, export)| match export {
            Extern::Global(global) => {
                let value = global.get(&mut self.store);
                Some((name, from_wasmtime(&value, &mut self.store)))
            }
            _ => None,
        });
        globals.collect()
    }

    fn set_global(&mut self, name: &str, value: Value) {
        let global = self.instance.get_global(&mut self.store, name).expect("the global is exported");
        let value = to_wasmtime(value, &mut self.store);
        global.set(&mut self.store, value).expect("it is mutable");
    }

    fn memories(&mut self) -> BTreeMap<String, Vec<u8>> {
        let exports = self.exports();
        let memories = exports.into_iter().filter_map(|(name, export)| match export {
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
fn stop(error: &Error, wasm: &[u8]) -> Option<Stop> {
    Some(Stop::Trap(match error.downcast_ref::<Trap>()? {
        Trap::UnreachableCodeReached => TrapCode::Unreachable,
        Trap::MemoryOutOfBounds => TrapCode::MemoryOutOfBounds,
        // wasmtime has one code for both traps; the instruction tells them apart.
        Trap::TableOutOfBounds if is_indirect_call(error, wasm) => TrapCode::UndefinedElement,
        Trap::TableOutOfBounds => TrapCode::TableOutOfBounds,
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

/// Returns whether a trap is that of a `call_indirect` or `return_call_indirect`.
fn is_indirect_call(error: &Error, wasm: &[u8]) -> bool {
    let trace = error.downcast_ref::<WasmBacktrace>();
    let offset = trace.and_then(|trace| trace.frames().first()?.module_offset());
    offset.is_some_and(|offset| matches!(wasm.get(offset), Some(0x11 | 0x13)))
}

fn to_wasmtime(value: Value, store: impl AsContextMut) -> Val {
    match value {
        Value::I32(x) => Val::I32(x),
        Value::I64(x) => Val::I64(x),
        Value::F32(bits) => Val::F32(bits),
        Value::F64(bits) => Val::F64(bits),
        Value::FuncRef(None) => Val::null_func_ref(),
        Value::FuncRef(Some(_)) => panic!("an argument that is a function"),
        Value::ExternRef(None) => Val::null_extern_ref(),
        Value::ExternRef(Some(x)) => {
            Val::ExternRef(Some(ExternRef::new(store, x).expect("there is room for a reference")))
        }
    }
}

fn from_wasmtime(value: &Val, store: impl AsContextMut) -> Value {
    match value {
        Val::I32(x) => Value::I32(*x),
        Val::I64(x) => Value::I64(*x),
        Val::F32(bits) => Value::F32(*bits),
        Val::F64(bits) => Value::F64(*bits),
        Val::FuncRef(function) => Value::FuncRef(function.and(NonZeroU32::new(1))),
        Val::ExternRef(None) => Value::ExternRef(None),
        Val::ExternRef(Some(reference)) => {
            let host = reference.data(store.as_context()).expect("it is alive").expect("it is the host's");
            Value::ExternRef(Some(*host.downcast_ref().expect("it is one of ours")))
        }
        other => panic!("a value {other:?}"),
    }
}

/// What a module exports that a host can call or change.
#[derive(Default)]
pub struct Exports {
    /// Functions with the types of their parameters.
    pub functions: Vec<(String, Vec<ValueType>)>,
    /// Mutable globals with their types.
    pub globals: Vec<(String, ValueType)>,
}

impl Exports {
    /// Returns the exports of a module, or none if wasmtime refuses it.
    pub fn of(wasm: &[u8]) -> Exports {
        let mut exports = Exports::default();
        let Ok(module) = Module::new(&ENGINE, wasm) else {
            return exports;
        };
        for export in module.exports() {
            let name = export.name().to_owned();
            match export.ty() {
                ExternType::Func(ty) => {
                    exports.functions.push((name, ty.params().map(|ty| value_type(&ty)).collect()));
                }
                ExternType::Global(ty) if ty.mutability() == Mutability::Var => {
                    exports.globals.push((name, value_type(ty.content())));
                }
                _ => {}
            }
        }
        exports
    }
}

fn value_type(ty: &ValType) -> ValueType {
    match ty {
        ValType::I32 => ValueType::I32,
        ValType::I64 => ValueType::I64,
        ValType::F32 => ValueType::F32,
        ValType::F64 => ValueType::F64,
        ValType::Ref(ty) if matches!(ty.heap_type(), HeapType::Func) => ValueType::FuncRef,
        ValType::Ref(ty) if matches!(ty.heap_type(), HeapType::Extern) => ValueType::ExternRef,
        other => panic!("a value of type {other}"),
    }
}
