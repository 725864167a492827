//! wasmi in its default configuration: no fuel.

use wasm2onnx_runtime::{TrapCode, Value};
use wasmi::{Caller, Engine, Error, Instance, Linker, Module, Store, Val};

use super::{Host, Oracle, Stop};

/// An instance in wasmi.
pub struct Wasmi {
    store: Store<Host>,
    instance: Instance,
}

impl Wasmi {
    /// An instance with that standard input; runs the module's start function.
    ///
    /// # Panics
    ///
    /// If the module is invalid or imports something else.
    pub fn new(wasm: &[u8], stdin: &[u8]) -> Result<Self, Stop> {
        let engine = Engine::default();
        let module = Module::new(&engine, wasm).expect("wasmi accepts the module");
        let mut store = Store::new(&engine, Host { stdin: stdin.to_vec(), ..Host::default() });
        let mut linker = Linker::new(&engine);
        linker
            .func_wrap("env", "input_byte", |mut caller: Caller<Host>| caller.data_mut().input_byte())
            .expect("a new name");
        linker
            .func_wrap("env", "output_byte", |mut caller: Caller<Host>, byte: i32| {
                caller.data_mut().output_byte(byte)
            })
            .expect("a new name");
        let instance = linker.instantiate_and_start(&mut store, &module).map_err(stop)?;
        Ok(Wasmi { store, instance })
    }
}

impl Oracle for Wasmi {
    fn call(&mut self, entry: &str, args: &[Value]) -> Result<Vec<Value>, Stop> {
        let function = self.instance.get_func(&self.store, entry).expect("the function is exported");
        let args: Vec<_> = args.iter().map(|arg| to_wasmi(*arg)).collect();
        let mut results = vec![Val::I32(0); function.ty(&self.store).results().len()];
        function.call(&mut self.store, &args, &mut results).map_err(stop)?;
        Ok(results.iter().map(from_wasmi).collect())
    }

    fn stdout(&self) -> &[u8] {
        &self.store.data().stdout
    }
}

fn to_wasmi(value: Value) -> Val {
    match value {
        Value::I32(x) => Val::I32(x),
        Value::I64(x) => Val::I64(x),
        Value::F32(bits) => Val::F32(wasmi::F32::from_bits(bits)),
        Value::F64(bits) => Val::F64(wasmi::F64::from_bits(bits)),
    }
}

fn from_wasmi(value: &Val) -> Value {
    match value {
        Val::I32(x) => Value::I32(*x),
        Val::I64(x) => Value::I64(*x),
        Val::F32(x) => Value::F32(x.to_bits()),
        Val::F64(x) => Value::F64(x.to_bits()),
        other => panic!("a result of type {:?}", other.ty()),
    }
}

fn stop(error: Error) -> Stop {
    use wasmi::TrapCode as W;
    Stop::Trap(match error.as_trap_code() {
        Some(W::UnreachableCodeReached) => TrapCode::Unreachable,
        Some(W::MemoryOutOfBounds) => TrapCode::MemoryOutOfBounds,
        // wasmi has one code for a call through a table and for `table.get` and the like.
        Some(W::TableOutOfBounds) => TrapCode::TableOutOfBounds,
        Some(W::IndirectCallToNull) => TrapCode::UninitializedElement,
        Some(W::IntegerDivisionByZero) => TrapCode::IntegerDivideByZero,
        Some(W::IntegerOverflow) => TrapCode::IntegerOverflow,
        Some(W::BadConversionToInteger) => TrapCode::InvalidConversionToInteger,
        Some(W::StackOverflow) => TrapCode::CallStackExhausted,
        Some(W::BadSignature) => TrapCode::IndirectCallTypeMismatch,
        Some(W::OutOfFuel) => return Stop::OutOfFuel,
        Some(W::GrowthOperationLimited | W::OutOfSystemMemory) => return Stop::OutOfMemory,
        None => panic!("wasmi: {error}"),
    })
}
