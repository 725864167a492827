//! wasmtime with fuel, which counts the instructions that a program executes.

use wasm2onnx_runtime::{TrapCode, Value};
use wasmtime::{Caller, Config, Engine, Error, Instance, Linker, Module, Store, Trap, Val};

use super::{Host, Oracle, Stop};

/// An instance in wasmtime.
pub struct Wasmtime {
    store: Store<Host>,
    instance: Instance,
    given: u64,
}

impl Wasmtime {
    /// An instance with that standard input, for as many instructions as it takes; runs the module's
    /// start function.
    ///
    /// # Panics
    ///
    /// If the module is invalid or imports something else.
    pub fn new(wasm: &[u8], stdin: &[u8]) -> Result<Self, Stop> {
        Self::with_fuel(wasm, stdin, u64::MAX)
    }

    /// The same, for at most so many instructions in all.
    ///
    /// # Panics
    ///
    /// As [`Wasmtime::new`].
    pub fn with_fuel(wasm: &[u8], stdin: &[u8], fuel: u64) -> Result<Self, Stop> {
        let engine = Engine::new(Config::new().consume_fuel(true)).expect("a supported configuration");
        let module = Module::new(&engine, wasm).expect("wasmtime accepts the module");
        let mut store = Store::new(&engine, Host { stdin: stdin.to_vec(), ..Host::default() });
        store.set_fuel(fuel).expect("fuel is configured");
        let mut linker = Linker::new(&engine);
        linker
            .func_wrap("env", "input_byte", |mut caller: Caller<Host>| caller.data_mut().input_byte())
            .expect("a new name");
        linker
            .func_wrap("env", "output_byte", |mut caller: Caller<Host>, byte: i32| {
                caller.data_mut().output_byte(byte)
            })
            .expect("a new name");
        let instance = linker.instantiate(&mut store, &module).map_err(stop)?;
        Ok(Wasmtime { store, instance, given: fuel })
    }

    /// Instructions executed so far: all but `nop`, `drop`, `return` and those that only structure
    /// the code (`block`, `loop`, `else`, `end`). After a trap those of the last stretch of straight
    /// code may be missing.
    pub fn instructions(&self) -> u64 {
        self.given - self.store.get_fuel().expect("fuel is configured")
    }
}

impl Oracle for Wasmtime {
    fn call(&mut self, entry: &str, args: &[Value]) -> Result<Vec<Value>, Stop> {
        let function = self.instance.get_func(&mut self.store, entry).expect("the function is exported");
        let args: Vec<_> = args.iter().map(|arg| to_wasmtime(*arg)).collect();
        let mut results = vec![Val::I32(0); function.ty(&self.store).results().len()];
        function.call(&mut self.store, &args, &mut results).map_err(stop)?;
        Ok(results.iter().map(from_wasmtime).collect())
    }

    fn stdout(&self) -> &[u8] {
        &self.store.data().stdout
    }
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
        other => panic!("a result {other:?}"),
    }
}

fn stop(error: Error) -> Stop {
    Stop::Trap(match error.downcast_ref::<Trap>() {
        Some(Trap::UnreachableCodeReached) => TrapCode::Unreachable,
        Some(Trap::MemoryOutOfBounds) => TrapCode::MemoryOutOfBounds,
        Some(Trap::TableOutOfBounds) => TrapCode::TableOutOfBounds,
        Some(Trap::IndirectCallToNull) => TrapCode::UninitializedElement,
        Some(Trap::IntegerDivisionByZero) => TrapCode::IntegerDivideByZero,
        Some(Trap::IntegerOverflow) => TrapCode::IntegerOverflow,
        Some(Trap::BadConversionToInteger) => TrapCode::InvalidConversionToInteger,
        Some(Trap::StackOverflow) => TrapCode::CallStackExhausted,
        Some(Trap::BadSignature) => TrapCode::IndirectCallTypeMismatch,
        Some(Trap::OutOfFuel) => return Stop::OutOfFuel,
        _ => panic!("wasmtime: {error:?}"),
    })
}
