//! What the tests that compare with wasmi have in common.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::collections::BTreeMap;
use std::path::PathBuf;

use wasm2onnx_runtime::{Config, Error, Instance, TrapCode, Value, ValueType};
use wasmi::TrapCode as WasmiTrap;
use wasmi::errors::{ErrorKind, InstantiationError};
use wasmi::{Extern, Val};

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Values(Vec<Value>),
    Trap(TrapCode),
    /// The fuel or step limit stopped it.
    Stopped,
}

/// A WebAssembly instance, ours or another's.
pub trait Engine {
    /// Calls an exported function with arguments of its types.
    fn call(&mut self, name: &str, args: &[Value]) -> Outcome;
    /// Values of the exported globals.
    fn globals(&mut self) -> BTreeMap<String, Value>;
    /// Contents of the exported memories.
    fn memories(&mut self) -> BTreeMap<String, Vec<u8>>;
}

/// The ways in which the sparse executor runs: the interpreter, asserting what is declared of every
/// step, and machine code, made as soon as a packet was seen twice.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Way {
    Checked,
    Compiled,
}

impl Way {
    pub const ALL: [Way; 2] = [Way::Checked, Way::Compiled];

    pub fn config(self, max_steps: u64) -> Config {
        Config {
            max_steps: Some(max_steps),
            assert_declared: self == Way::Checked,
            compile_after: (self == Way::Compiled).then_some(2),
            ..Config::default()
        }
    }
}

/// How a call of ours ended. Anything but a trap or the step limit is a defect.
///
/// The two codes for a table access out of bounds have one text and are taken for one.
pub fn outcome(result: Result<Vec<Value>, Error>) -> Outcome {
    match result {
        Ok(values) => Outcome::Values(values),
        Err(Error::Trap(trap)) if trap.code == TrapCode::TableOutOfBounds => {
            Outcome::Trap(TrapCode::UndefinedElement)
        }
        Err(Error::Trap(trap)) => Outcome::Trap(trap.code),
        Err(Error::StepLimit(_)) => Outcome::Stopped,
        Err(other) => panic!("{other}"),
    }
}

impl Engine for Instance<'_> {
    fn call(&mut self, name: &str, args: &[Value]) -> Outcome {
        outcome(self.invoke(name, args))
    }

    fn globals(&mut self) -> BTreeMap<String, Value> {
        let names = self.network().globals.keys();
        names
            .map(|name| (name.clone(), self.global(name).expect("globals hold words")))
            .collect()
    }

    fn memories(&mut self) -> BTreeMap<String, Vec<u8>> {
        let mut contents = BTreeMap::new();
        for name in self.network().memories.keys() {
            let memory = self.memory(name).expect("it is exported");
            let mut bytes = vec![0; memory.pages() as usize * 65_536];
            memory.read(0, &mut bytes).expect("all pages can be read");
            contents.insert(name.clone(), bytes);
        }
        contents
    }
}

/// First byte that differs between the memories of two engines, if any.
pub fn first_difference(
    ours: &BTreeMap<String, Vec<u8>>,
    theirs: &BTreeMap<String, Vec<u8>>,
) -> Option<String> {
    if ours.keys().ne(theirs.keys()) {
        return Some("they export different memories".to_owned());
    }
    for ((name, ours), theirs) in ours.iter().zip(theirs.values()) {
        if ours.len() != theirs.len() {
            return Some(format!(
                "memory {name} has {} bytes instead of {}",
                ours.len(),
                theirs.len()
            ));
        }
        if let Some(i) = (0..ours.len()).find(|i| ours[*i] != theirs[*i]) {
            return Some(format!(
                "memory {name} holds {} instead of {} at {i:#x}",
                ours[i], theirs[i]
            ));
        }
    }
    None
}

/// The oracle: an instance under wasmi, counting fuel.
pub struct Oracle {
    store: wasmi::Store<wasmi::StoreLimits>,
    instance: wasmi::Instance,
    budget: u64,
}

/// Why the oracle has no instance.
#[derive(Debug)]
pub enum OracleError {
    /// wasmi refuses the module.
    Refused(wasmi::Error),
    /// Instance creation ended so.
    Creation(Outcome),
}

/// A wasmi engine with exactly the features that our compiler's options accept and fuel on. Its
/// stack is larger than ours.
pub fn wasmi_engine() -> wasmi::Engine {
    let mut config = wasmi::Config::default();
    config
        .consume_fuel(true)
        .set_max_recursion_depth(1 << 20)
        .set_max_stack_height(1 << 28)
        .wasm_multi_memory(false)
        .wasm_memory64(false)
        .wasm_tail_call(false)
        .wasm_extended_const(false);
    wasmi::Engine::new(&config)
}

impl Oracle {
    /// An instance that may burn so much fuel in all and whose memory may have so many pages.
    pub fn new(module: &wasmi::Module, budget: u64, max_pages: u32) -> Result<Self, OracleError> {
        let engine = module.engine();
        let limits = wasmi::StoreLimitsBuilder::new()
            .memory_size(max_pages as usize * 65_536)
            .build();
        let mut store = wasmi::Store::new(engine, limits);
        store.limiter(|limits| limits);
        store.set_fuel(budget).expect("fuel is on");
        let linker = wasmi::Linker::new(engine);
        match linker.instantiate_and_start(&mut store, module) {
            Ok(instance) => Ok(Oracle {
                store,
                instance,
                budget,
            }),
            Err(error) => Err(match wasmi_trap(&error) {
                Some(outcome) => OracleError::Creation(outcome),
                None => OracleError::Refused(error),
            }),
        }
    }

    /// Fuel burnt so far: one for most instructions.
    pub fn fuel(&self) -> u64 {
        self.budget - self.store.get_fuel().expect("fuel is on")
    }
}

/// What a wasmi error says of the program, if anything.
fn wasmi_trap(error: &wasmi::Error) -> Option<Outcome> {
    if let ErrorKind::Instantiation(InstantiationError::ElementSegmentDoesNotFit { .. }) =
        error.kind()
    {
        return Some(Outcome::Trap(TrapCode::UndefinedElement));
    }
    Some(match error.as_trap_code()? {
        WasmiTrap::UnreachableCodeReached => Outcome::Trap(TrapCode::Unreachable),
        WasmiTrap::MemoryOutOfBounds => Outcome::Trap(TrapCode::MemoryOutOfBounds),
        WasmiTrap::TableOutOfBounds => Outcome::Trap(TrapCode::UndefinedElement),
        WasmiTrap::IndirectCallToNull => Outcome::Trap(TrapCode::UninitializedElement),
        WasmiTrap::IntegerDivisionByZero => Outcome::Trap(TrapCode::IntegerDivideByZero),
        WasmiTrap::IntegerOverflow => Outcome::Trap(TrapCode::IntegerOverflow),
        WasmiTrap::BadConversionToInteger => Outcome::Trap(TrapCode::InvalidConversionToInteger),
        WasmiTrap::StackOverflow => Outcome::Trap(TrapCode::CallStackExhausted),
        WasmiTrap::BadSignature => Outcome::Trap(TrapCode::IndirectCallTypeMismatch),
        WasmiTrap::OutOfFuel => Outcome::Stopped,
        WasmiTrap::GrowthOperationLimited | WasmiTrap::OutOfSystemMemory => return None,
    })
}

impl Engine for Oracle {
    fn call(&mut self, name: &str, args: &[Value]) -> Outcome {
        let function = self
            .instance
            .get_func(&self.store, name)
            .expect("the function is exported");
        let args: Vec<_> = args.iter().map(|arg| to_wasmi(*arg)).collect();
        let mut results = vec![Val::I32(0); function.ty(&self.store).results().len()];
        match function.call(&mut self.store, &args, &mut results) {
            Ok(()) => Outcome::Values(results.iter().map(from_wasmi).collect()),
            Err(error) => wasmi_trap(&error).unwrap_or_else(|| panic!("wasmi: {error}")),
        }
    }

    fn globals(&mut self) -> BTreeMap<String, Value> {
        let exports: Vec<_> = self
            .instance
            .exports(&self.store)
            .map(|export| (export.name().to_owned(), export.into_extern()))
            .collect();
        let globals = exports
            .into_iter()
            .filter_map(|(name, export)| match export {
                Extern::Global(global) => Some((name, from_wasmi(&global.get(&self.store)))),
                _ => None,
            });
        globals.collect()
    }

    fn memories(&mut self) -> BTreeMap<String, Vec<u8>> {
        let exports: Vec<_> = self
            .instance
            .exports(&self.store)
            .map(|export| (export.name().to_owned(), export.into_extern()))
            .collect();
        let memories = exports
            .into_iter()
            .filter_map(|(name, export)| match export {
                Extern::Memory(memory) => Some((name, memory.data(&self.store).to_vec())),
                _ => None,
            });
        memories.collect()
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
        other => panic!("a value of type {:?}", other.ty()),
    }
}

/// The exported functions of a module with the types of their parameters.
pub fn exported_functions(module: &wasmi::Module) -> Vec<(String, Vec<ValueType>)> {
    let signature = |export: wasmi::ExportType<'_>| {
        let params = export.ty().func()?.params().iter().map(|ty| match ty {
            wasmi::ValType::I32 => ValueType::I32,
            wasmi::ValType::I64 => ValueType::I64,
            wasmi::ValType::F32 => ValueType::F32,
            wasmi::ValType::F64 => ValueType::F64,
            other => panic!("a parameter of type {other:?}"),
        });
        Some((export.name().to_owned(), params.collect()))
    };
    module.exports().filter_map(signature).collect()
}

/// A random value: all magnitudes equally often, so that small ones, negative ones and those next to
/// the limits all occur.
pub fn random_value(rng: &mut fastrand::Rng, ty: ValueType) -> Value {
    let bits = random_bits(rng);
    Value::from_words(ty, [bits as u32, (bits >> 32) as u32])
}

/// 64 random bits of a random magnitude, sometimes an edge value.
pub fn random_bits(rng: &mut fastrand::Rng) -> u64 {
    match rng.u8(..8) {
        0 => EDGES[rng.usize(..EDGES.len())],
        1 => (1u64 << rng.u32(..64)).wrapping_add_signed(rng.i64(-1..=1)),
        // The sign of the small ones reaches into both words.
        2..5 => (rng.i64(..) >> rng.u32(..64)) as u64,
        _ => rng.u64(..) >> rng.u32(..64),
    }
}

/// Values at which words, halves and bytes overflow, signed and unsigned.
pub const EDGES: [u64; 22] = [
    0,
    1,
    2,
    3,
    0x7f,
    0x80,
    0xff,
    0x100,
    0x7fff,
    0x8000,
    0xffff,
    0x1_0000,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x1_0000_0000,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    0xffff_ffff_0000_0000,
    0xffff_ffff_7fff_ffff,
    0xffff_ffff_8000_0000,
    0xffff_ffff_ffff_ffff,
];

/// Writes a module that failed to `target/failures` and says where.
pub fn save_failure(name: &str, wasm: &[u8]) -> String {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("../failures");
    let path = folder.join(name);
    match std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&path, wasm)) {
        Ok(()) => path.display().to_string(),
        Err(error) => format!("(could not write {}: {error})", path.display()),
    }
}
