//! The effects of a call, which are compared between two engines.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use wasm2onnx_runtime::{TrapCode, Value};

use crate::oracle::{Engine, Outcome, Stop, first_difference};

/// Maximum number of steps per unit of fuel, so that a run that goes astray ends. It is far above what an
/// instruction takes that does not move many bytes.
const STEPS_PER_FUEL: u64 = 2_000;

/// How a call, or instance creation, ended and what it left behind.
#[derive(Clone, Debug)]
pub struct Effect {
    /// How it ended.
    pub outcome: Outcome,
    /// Exported globals after it.
    pub globals: BTreeMap<String, Value>,
    /// Exported memories after it; `None` if they were not read.
    pub memories: Option<BTreeMap<String, Vec<u8>>>,
    /// All that the instance has printed until then.
    pub stdout: Vec<u8>,
}

impl Effect {
    /// Makes a call.
    ///
    /// # Panics
    ///
    /// As [`Engine::call`].
    pub fn of(engine: &mut impl Engine, name: &str, args: &[Value]) -> Effect {
        let effect = Effect::but_memories(engine, name, args);
        // Not in one expression: Rust evaluates the fields before what they update.
        Effect { memories: Some(engine.memories()), ..effect }
    }

    /// Makes a call without reading the memories, which takes longer than a short call on our executors.
    ///
    /// # Panics
    ///
    /// As [`Engine::call`].
    pub fn but_memories(engine: &mut impl Engine, name: &str, args: &[Value]) -> Effect {
        let outcome = engine.call(name, args);
        Effect { outcome, globals: engine.globals(), memories: None, stdout: engine.stdout() }
    }

    /// Returns the effect of instance creation, which has succeeded.
    pub fn of_creation(engine: &mut impl Engine) -> Effect {
        let memories = Some(engine.memories());
        Effect { outcome: Ok(Vec::new()), globals: engine.globals(), memories, stdout: engine.stdout() }
    }

    /// Returns the effect of instance creation that has failed.
    pub fn of_no_instance(stop: Stop) -> Effect {
        Effect { outcome: Err(stop), globals: BTreeMap::new(), memories: None, stdout: Vec::new() }
    }

    /// Whether an engine came to the end of its fuel or its stack, which are not the same everywhere.
    pub fn gave_up(&self) -> bool {
        matches!(self.outcome, Err(Stop::Limit | Stop::Trap(TrapCode::CallStackExhausted)))
    }

    /// Compares the effect with the expected one.
    ///
    /// # Errors
    ///
    /// The first difference, in words.
    pub fn compare(&self, expected: &Effect) -> Result<(), String> {
        if self.outcome != expected.outcome {
            return Err(format!("{:?} instead of {:?}", self.outcome, expected.outcome));
        }
        if self.globals != expected.globals {
            return Err(format!("globals are {:?} instead of {:?}", self.globals, expected.globals));
        }
        if self.stdout != expected.stdout {
            let [found, expected] = [&self.stdout, &expected.stdout].map(|bytes| bytes.escape_ascii());
            return Err(format!("\"{found}\" is printed instead of \"{expected}\""));
        }
        match (&self.memories, &expected.memories) {
            (Some(found), Some(expected)) => first_difference(found, expected).map_or(Ok(()), Err),
            _ => Ok(()),
        }
    }
}

/// Returns a number of steps that is enough for a run that burnt this much fuel.
pub fn max_steps(fuel: u64) -> u64 {
    (fuel + 10_000) * STEPS_PER_FUEL
}

/// Runs `f`. A panic becomes an error with the panic's message.
///
/// # Errors
///
/// Those of `f`, and its panic.
pub fn guarded<T>(f: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(f)).unwrap_or_else(|panic| {
        let message =
            panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
        Err(format!("panicked: {}", message.unwrap_or("with no message")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::{Oracle, Wasmtime};

    #[test]
    fn memories_are_those_after_the_call() {
        let wat = r#"(module (memory (export "memory") 1)
            (func (export "f") (param i32) (i32.store8 (i32.const 5) (local.get 0))))"#;
        let wasm = wat::parse_str(wat).expect("it is valid text");
        let mut engine = Wasmtime::new(&wasm, b"");
        let effect = |engine: &mut Wasmtime, byte| Effect::of(engine, "f", &[Value::I32(byte)]);
        let (one, two) = (effect(&mut engine, 1), effect(&mut engine, 2));
        assert_eq!(two.memories.as_ref().map(|memories| memories["memory"][5]), Some(2));
        assert!(two.compare(&one).is_err());
    }
}
