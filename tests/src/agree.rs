//! The effects of a call, which are compared between two engines.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use wasm2onnx_runtime::Value;

use crate::oracle::{Engine, Outcome, first_difference};

/// Maximum number of steps per unit of fuel, so that a run that goes astray ends. It is far above what an
/// instruction takes that does not move many bytes.
const STEPS_PER_FUEL: u64 = 2_000;

/// How a call ended and what it left behind.
#[derive(Clone, Debug)]
pub struct Effect {
    /// How it ended.
    pub outcome: Outcome,
    /// Exported globals after it.
    pub globals: BTreeMap<String, Value>,
    /// Exported memories after it; `None` if they were not read.
    pub memories: Option<BTreeMap<String, Vec<u8>>>,
}

impl Effect {
    /// Makes a call.
    ///
    /// # Panics
    ///
    /// As [`Engine::call`].
    pub fn of(engine: &mut impl Engine, name: &str, args: &[Value]) -> Effect {
        Effect { memories: Some(engine.memories()), ..Effect::but_memories(engine, name, args) }
    }

    /// Makes a call without reading the memories, which takes longer than a short call on our executors.
    ///
    /// # Panics
    ///
    /// As [`Engine::call`].
    pub fn but_memories(engine: &mut impl Engine, name: &str, args: &[Value]) -> Effect {
        let outcome = engine.call(name, args);
        Effect { outcome, globals: engine.globals(), memories: None }
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
