//! Compares programs on all executors with wasmtime.

use wasm2onnx_compiler::{Options, compile};
use wasm2onnx_runtime::Instance;
use wasmparser::Validator;

use super::text::function_name;
use super::{Call, Program};
use crate::agree::{Effect, max_steps};
use crate::oracle::{Limits, Oracle, Wasmtime};
use crate::ours::Way;

/// More than any program burns.
const FUEL: u64 = 1 << 30;

/// Maximum number of steps of the calls that are made on the dense executor too.
const DENSE_STEPS: u64 = 300;

/// Returns the options with which programs are compiled. `WASM2ONNX_STATES` can set a smaller number of
/// states on which packets are compared, so that deliberate faults are not found before a program runs.
fn options() -> Options {
    let mut options = Options::default();
    if let Ok(text) = std::env::var("WASM2ONNX_STATES") {
        options.validation_states = text.parse().expect("WASM2ONNX_STATES is a number");
    }
    options
}

/// What was done with a program.
#[derive(Clone, Copy, Debug, Default)]
pub struct Done {
    /// Instructions executed in wasmtime.
    pub instructions: u64,
    /// Calls that trapped.
    pub traps: u64,
    /// Calls made on the dense executor too.
    pub dense: u64,
}

impl Program {
    /// Whether the program is a valid module.
    pub(super) fn is_valid(&self) -> bool {
        let features = Options::default().features;
        let valid = |wasm: Vec<u8>| Validator::new_with_features(features).validate_all(&wasm).is_ok();
        self.wasm().is_ok_and(valid)
    }

    fn wasm(&self) -> Result<Vec<u8>, String> {
        wat::parse_str(self.to_string()).map_err(|error| format!("no module: {error}"))
    }

    /// Runs the program on wasmtime and on our executors: the short calls in the interpreter, which asserts
    /// what is declared; all calls in machine code, once made at once and once made at the default time; the
    /// first calls on the dense executor.
    ///
    /// # Errors
    ///
    /// The first difference.
    pub fn compare(&self) -> Result<Done, String> {
        let wasm = self.wasm()?;
        let network = compile(&wasm, &options()).map_err(|error| format!("refused: {error}"))?;
        let limits = Limits { fuel: Some(FUEL), ..Limits::default() };
        // wasmtime allows fewer tables than are needed for an effect, and no call uses them.
        let module = Wasmtime::compile(&Program { tables: 0, ..self.clone() }.wasm()?, limits)
            .ok_or("wasmtime refuses it")?;
        let mut reference =
            Wasmtime::instantiate(&module, &[]).map_err(|why| format!("wasmtime: {why:?}"))?;
        let expected: Vec<_> = self
            .calls
            .iter()
            .map(|Call { function, args, .. }| Effect::of(&mut reference, &function_name(*function), args))
            .collect();
        let instructions = reference.instructions();

        // Makes the first `calls` calls and returns the number of steps after each.
        let run = |way: Way, calls: usize| -> Result<Vec<u64>, String> {
            let mut ours = Instance::with_config(&network, way.config(max_steps(instructions)))
                .map_err(|error| format!("{way:?}: creation: {error}"))?;
            let mut steps = Vec::new();
            for (i, (call, expected)) in self.calls.iter().zip(&expected).take(calls).enumerate() {
                // What a call stores stays in memory, so it is enough to look after the last call.
                let effect = if i + 1 == calls { Effect::of } else { Effect::but_memories };
                effect(&mut ours, &function_name(call.function), &call.args)
                    .compare(expected)
                    .map_err(|what| format!("{way:?}: {call}: {what}"))?;
                steps.push(ours.steps());
            }
            Ok(steps)
        };
        let steps = run(Way::Checked, self.calls.iter().filter(|call| !call.long).count())?;
        run(Way::Eager, self.calls.len())?;
        // Shorter calls make no packet hot.
        if self.calls.iter().any(|call| call.long) {
            run(Way::Default, self.calls.len())?;
        }
        let dense =
            run(Way::Dense, steps.iter().filter(|steps| **steps <= DENSE_STEPS).count())?.len() as u64;
        let traps = expected.iter().filter(|effect| effect.outcome.is_err()).count() as u64;
        Ok(Done { instructions, traps, dense })
    }
}
