//! What other engines say that a program does: wasmi and wasmtime, each behind the same small
//! interface, with the two byte functions that `wasm2onnx` provides by default.
//!
//! They serve as oracles only: nothing of them is linked into what the project ships.

mod with_wasmi;
mod with_wasmtime;

use wasm2onnx_runtime::{TrapCode, Value};

pub use with_wasmi::Wasmi;
pub use with_wasmtime::Wasmtime;

/// An instance of a module in another engine. Its state persists between calls.
pub trait Oracle {
    /// Calls an exported function.
    ///
    /// # Panics
    ///
    /// If there is no such function, or not with such parameters.
    fn call(&mut self, entry: &str, args: &[Value]) -> Result<Vec<Value>, Stop>;

    /// What the program has printed so far.
    fn stdout(&self) -> &[u8];
}

/// Why a call did not return.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The program trapped.
    Trap(TrapCode),
    /// It took more instructions than it was given.
    OutOfFuel,
    /// The memory or a table grew beyond what the engine was given.
    OutOfMemory,
}

/// What the host functions work on.
#[derive(Default)]
struct Host {
    stdin: Vec<u8>,
    read: usize,
    stdout: Vec<u8>,
}

impl Host {
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
