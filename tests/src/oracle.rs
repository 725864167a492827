//! What other engines say that a program does: wasmi and wasmtime, each behind the same small
//! interface, with the two byte functions that `wasm2onnx` provides by default.
//!
//! wasmtime says what is right; wasmi is a second opinion on whole programs, and its speed is what ours is
//! compared with. (wasmi 2.0.0 compiles `(select a b (i32.eqz c))` wrongly.) They serve as oracles only:
//! nothing of them is linked into what the project ships.

mod with_wasmi;
mod with_wasmtime;

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use wasm2onnx_runtime::{PAGE_BYTES, TrapCode, Value};

pub use with_wasmi::Wasmi;
pub use with_wasmtime::{Exports, Wasmtime};

/// How a call ended: its results, or why there are none.
pub type Outcome = Result<Vec<Value>, Stop>;

/// Why a call did not return.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The program trapped. wasmi does not tell the two codes for a table access out of bounds apart, and
    /// says `UndefinedElement`.
    Trap(TrapCode),
    /// The fuel or step limit stopped it.
    Limit,
}

/// A WebAssembly instance, ours or another's. Its state persists between calls. About a reference to a
/// function that it returns, only whether it is null is known, see [`anonymous`]. As arguments it takes only
/// null references, and wasmi takes none at all.
pub trait Engine {
    /// Calls an exported function.
    ///
    /// # Panics
    ///
    /// If there is no such function with such parameters, or if the call failed in a way that [`Stop`] does
    /// not know.
    fn call(&mut self, name: &str, args: &[Value]) -> Outcome;

    /// Returns the values of the exported globals.
    fn globals(&mut self) -> BTreeMap<String, Value>;

    /// Changes an exported global.
    ///
    /// # Panics
    ///
    /// If there is none that is mutable and of that type.
    fn set_global(&mut self, name: &str, value: Value);

    /// Returns the contents of the exported memories.
    fn memories(&mut self) -> BTreeMap<String, Vec<u8>>;

    /// Returns what the program has printed until now.
    fn stdout(&self) -> Vec<u8>;
}

/// Returns the value, but with the same number for all functions, since each engine numbers them in its own
/// way.
pub fn anonymous(value: Value) -> Value {
    match value {
        Value::FuncRef(function) => Value::FuncRef(function.and(NonZeroU32::new(1))),
        other => other,
    }
}

/// What the instances of a module may use.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// Approximate maximum number of instructions. Without it there is no limit, and wasmi does not count
    /// instructions.
    pub fuel: Option<u64>,
    /// Maximum number of pages of each memory.
    pub pages: Option<u32>,
}

impl Limits {
    fn bytes(self) -> usize {
        self.pages.map_or(usize::MAX, |pages| pages as usize * PAGE_BYTES as usize)
    }
}

/// A module that another engine has compiled.
pub struct Compiled<M> {
    module: M,
    limits: Limits,
}

/// An instance in another engine.
pub trait Oracle: Engine + Sized {
    /// A compiled module.
    type Module;

    /// Compiles a module, with the features that our compiler accepts by default, or refuses it.
    fn compile(wasm: &[u8], limits: Limits) -> Option<Self::Module>;

    /// Makes an instance with this standard input and runs the module's start function.
    ///
    /// # Errors
    ///
    /// Why there is none.
    fn instantiate(module: &Self::Module, stdin: &[u8]) -> Result<Self, NoInstance>;

    /// Makes an instance with this standard input and no limits.
    ///
    /// # Panics
    ///
    /// If the engine refuses the module, or its start function traps.
    fn new(wasm: &[u8], stdin: &[u8]) -> Self {
        let module = Self::compile(wasm, Limits::default()).expect("the oracle accepts the module");
        Self::instantiate(&module, stdin).unwrap_or_else(|why| panic!("no instance: {why:?}"))
    }

    /// Returns the number of instructions executed so far: all but `nop`, `drop`, `return` and those that
    /// only structure the code (`block`, `loop`, `else`, `end`). After a trap, those of the last stretch of
    /// straight-line code may be missing. wasmi counts its own instructions, of which there are about as
    /// many.
    ///
    /// # Panics
    ///
    /// In wasmi without [`Limits::fuel`].
    fn instructions(&self) -> u64;
}

/// Why an oracle has no instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoInstance {
    /// It cannot serve the module.
    Refused,
    /// Instance creation ended in this way.
    Ended(Stop),
}

/// Returns the first byte that differs between the memories of two engines, if any.
pub fn first_difference(
    ours: &BTreeMap<String, Vec<u8>>,
    theirs: &BTreeMap<String, Vec<u8>>,
) -> Option<String> {
    if ours.keys().ne(theirs.keys()) {
        return Some("they export different memories".to_owned());
    }
    for ((name, ours), theirs) in ours.iter().zip(theirs.values()) {
        if ours.len() != theirs.len() {
            return Some(format!("memory {name} has {} bytes instead of {}", ours.len(), theirs.len()));
        }
        if let Some(i) = (0..ours.len()).find(|i| ours[*i] != theirs[*i]) {
            return Some(format!("memory {name} holds {} instead of {} at {i:#x}", ours[i], theirs[i]));
        }
    }
    None
}

/// What the host functions work on.
#[derive(Default)]
struct Host {
    stdin: Vec<u8>,
    read: usize,
    stdout: Vec<u8>,
}

impl Host {
    fn new(stdin: &[u8]) -> Self {
        Host { stdin: stdin.to_vec(), ..Host::default() }
    }

    fn input_byte(&mut self) -> i32 {
        let byte = self.stdin.get(self.read).map_or(-1, |byte| i32::from(*byte));
        self.read += 1;
        byte
    }

    fn output_byte(&mut self, byte: i32) {
        self.stdout.push(byte as u8);
    }
}

#[cfg(test)]
mod tests;
