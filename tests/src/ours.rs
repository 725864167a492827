//! Our own executors behind the same interface as the [`oracle`](crate::oracle)s, and calls of
//! [`examples`](crate::examples) on them.

use std::collections::BTreeMap;

use wasm2onnx_runtime::lockstep::{self, Divergence, End, compare_step_by_step};
use wasm2onnx_runtime::{
    Config, Error, Executor, Instance, Network, PAGE_BYTES, SparseOptions, Stepper, TrapCode, Value,
    WordLocation,
};

use crate::examples::{Answer, Call};
use crate::oracle::{Engine, Outcome, Stop, anonymous};

/// A run that has ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// Its answer.
    pub answer: Answer,
    /// Number of maps evaluated.
    pub steps: u64,
    /// Number of tokens.
    pub tokens: u64,
}

/// An executor, and how it evaluates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Way {
    /// The dense executor.
    Dense,
    /// The sparse executor without machine code. It asserts what is declared of every step.
    Checked,
    /// The sparse executor with machine code that is made early.
    Compiled,
    /// The sparse executor with machine code that is made at once.
    Eager,
    /// The sparse executor with machine code that is made when it is by default.
    Default,
}

/// Number of visits that make a packet hot, small enough for short runs to have hot packets.
const COMPILE_AFTER: u32 = 2;

impl Way {
    /// The ways of the sparse executor.
    pub const SPARSE: [Way; 2] = [Way::Checked, Way::Compiled];

    /// Returns the configuration that makes an instance run in this way, for at most `max_steps` steps.
    pub fn config(self, max_steps: u64) -> Config {
        Config {
            executor: if self == Way::Dense { Executor::Dense } else { Executor::Sparse },
            max_steps: Some(max_steps),
            assert_declared: self == Way::Checked,
            compile_after: match self {
                Way::Dense | Way::Checked => None,
                Way::Compiled => Some(COMPILE_AFTER),
                Way::Eager => Some(0),
                Way::Default => SparseOptions::default().compile_after,
            },
            ..Config::default()
        }
    }
}

/// Returns how a call on our executors ended.
///
/// # Panics
///
/// On any error but a trap or a limit, since that is a defect.
pub fn outcome(result: Result<Vec<Value>, Error>) -> Outcome {
    let result = result.map(|values| values.into_iter().map(anonymous).collect());
    result.map_err(|error| match error {
        Error::Trap(trap) => Stop::Trap(trap.code),
        Error::StepLimit { .. } => Stop::Limit,
        // A model reports it by its trap code, as it reports everything but the step limit.
        Error::OutputLimit(_) => Stop::Trap(TrapCode::OutputLimit),
        other => panic!("{other}"),
    })
}

impl Engine for Instance<'_> {
    fn call(&mut self, name: &str, args: &[Value]) -> Outcome {
        outcome(self.invoke(name, args))
    }

    fn globals(&mut self) -> BTreeMap<String, Value> {
        let names = self.network().globals.keys();
        let value = |name: &String| anonymous(self.global(name).expect("globals hold words"));
        names.map(|name| (name.clone(), value(name))).collect()
    }

    fn set_global(&mut self, name: &str, value: Value) {
        Instance::set_global(self, name, value).unwrap_or_else(|error| panic!("{error}"));
    }

    fn memories(&mut self) -> BTreeMap<String, Vec<u8>> {
        let mut contents = BTreeMap::new();
        for name in self.network().memories.keys() {
            let memory = self.memory(name).expect("it is exported");
            let mut bytes = vec![0; memory.pages() as usize * PAGE_BYTES as usize];
            memory.read(0, &mut bytes).expect("all pages can be read");
            contents.insert(name.clone(), bytes);
        }
        contents
    }

    fn stdout(&self) -> Vec<u8> {
        Instance::stdout(self)
    }
}

/// Runs a call on a fresh instance, for at most `max_steps` steps.
///
/// # Errors
///
/// As [`Instance::with_config`] and [`Instance::invoke`].
pub fn run(network: &Network, call: &Call, way: Way, max_steps: u64) -> Result<Run, Error> {
    let config = Config { stdin: call.stdin.clone(), ..way.config(max_steps) };
    let mut instance = Instance::with_config(network, config)?;
    let results = instance.invoke(call.entry, &call.args)?;
    let answer = Answer { results, stdout: instance.stdout() };
    Ok(Run { answer, steps: instance.steps(), tokens: instance.tokens() })
}

/// Runs a call on the dense and the sparse executor side by side and compares every number of at most
/// `max_steps` steps.
///
/// # Errors
///
/// The first difference.
pub fn compare(network: &Network, call: &Call, max_steps: u64) -> Result<End, Divergence> {
    let network = with_stdin(network, &call.stdin);
    Ok(compare_step_by_step(&network, call.entry, &call.args, max_steps)?.end)
}

/// Runs a call with the sparse executor's interpreter and with its machine code, and compares them repeatedly
/// on the way. Returns how many of the `steps` machine code did.
///
/// # Errors
///
/// The first difference.
pub fn compare_machine_code(network: &Network, call: &Call, steps: u64) -> Result<u64, Divergence> {
    let network = with_stdin(network, &call.stdin);
    let slice = (steps / 16).max(64);
    lockstep::compare_machine_code(&network, call.entry, &call.args, steps, COMPILE_AFTER, slice)
}

/// Runs a call on a fresh instance. Returns how it ends, the number of steps and what is printed. Instance
/// creation is included, as it is in a model's run.
///
/// # Panics
///
/// If an executor fails in another way than by a trap or a limit.
pub fn ended(
    network: &Network,
    name: &str,
    executor: Executor,
    args: &[Value],
    stdin: &[u8],
    max_steps: Option<u64>,
) -> (Outcome, u64, Vec<u8>) {
    let config = Config { executor, max_steps, stdin: stdin.to_vec(), ..Config::default() };
    let mut instance = Instance::prepared(network, config).expect("there is room for an instance");
    let outcome = outcome(instance.invoke(name, args));
    (outcome, instance.steps(), instance.stdout())
}

/// Compares every number of the first `steps` steps of a call between the dense executor, the interpreter, and
/// machine code that is made at once and soon, on fresh instances.
///
/// # Errors
///
/// The first difference, or that a number is not exact.
pub fn in_lockstep(network: &Network, entry: &str, args: &[Value], steps: u64) -> Result<End, String> {
    let report = compare_step_by_step(network, entry, args, steps).map_err(|error| error.to_string())?;
    if matches!(report.end, End::Inexact { .. }) {
        return Err(format!("{:?}", report.end));
    }
    for compile_after in [0, COMPILE_AFTER] {
        lockstep::compare_machine_code(network, entry, args, report.steps, compile_after, 100)
            .map_err(|error| format!("machine code after {compile_after} visits: {error}"))?;
    }
    Ok(report.end)
}

/// Appends the rows that an instance begins with to an executor's trace.
pub fn first_rows(network: &Network, stepper: &mut dyn Stepper) {
    network.first_rows.iter().for_each(|(key, value)| stepper.append(*key, *value));
}

/// Puts an executor into the state in which a call begins.
///
/// # Panics
///
/// If there is no function with this name.
pub fn enter(network: &Network, entry: &str, args: &[Value], stepper: &mut dyn Stepper) {
    let entry = &network.entries[entry];
    let words = args.iter().flat_map(|arg| arg.words().into_iter().take(arg.ty().words()));
    let mut fields = Vec::new();
    for (location, word) in entry.param_locations.iter().zip(words) {
        match location {
            WordLocation::Field(field) => fields.push((*field, word.into())),
            WordLocation::Row(key) => stepper.append(*key, word.into()),
        }
    }
    stepper.enter(entry.expert, &fields);
}

/// Returns the network with this standard input among its first rows.
pub fn with_stdin(network: &Network, stdin: &[u8]) -> Network {
    let mut network = network.clone();
    if let (Some(region), Some(length)) = (network.io.input.take(), network.io.stdin_end.take()) {
        let first = network.regions[region].first;
        let bytes = (first..).zip(stdin).map(|(key, byte)| (key, f64::from(*byte)));
        network.first_rows.extend(bytes);
        network.first_rows.push((length, stdin.len() as f64));
    }
    network
}
