//! Runs a script on one of our executors.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use wasm2onnx_compiler::error::ErrorKind;
use wasm2onnx_compiler::{Certified, CompileError, compile};
use wasm2onnx_runtime::{Error, Instance, TrapCode, Value};
use wasmparser::WasmFeatures;

use super::host::{Imports, all_given, options};
use super::script::{Action, Call, Command, Line};
use crate::ours::Way;

/// More steps than any assertion takes, so that a network that runs forever fails instead of hanging.
const MAX_STEPS: u64 = 1 << 30;

/// The outcome of a script.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    /// Number of instances made.
    pub modules: usize,
    /// Number of calls and of assertions of results, traps and exhaustion that passed.
    pub passed: usize,
    /// Number of modules that were refused as they had to be: malformed, invalid or unlinkable ones.
    pub refused: usize,
    /// Numbers of modules, calls and assertions that could not be run, by reason.
    pub skipped: BTreeMap<String, usize>,
    /// Everything that failed, with its line.
    pub failures: Vec<String>,
}

/// Why a module or an action did not succeed.
#[derive(Clone, Debug, PartialEq)]
pub enum Stop {
    /// The module imports from these modules of the script.
    Linked(Vec<String>),
    /// A module that would have to be linked shares state with this one.
    Shared,
    /// It needs something that the project does not support, as the error says.
    Unsupported(String),
    /// The program trapped.
    Trap(TrapCode),
    /// The module is malformed or invalid.
    Invalid(String),
    /// Something that the module imports is missing or has another type.
    Unlinkable(String),
    /// Anything else, which is always a failure.
    Broken(String),
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stop::Linked(names) => write!(f, "has to be linked with {names:?}"),
            Stop::Shared => f.write_str("shares state with a linked module"),
            Stop::Unsupported(what) => write!(f, "unsupported: {what}"),
            Stop::Trap(code) => write!(f, "trap {code:?}"),
            Stop::Invalid(what) | Stop::Unlinkable(what) | Stop::Broken(what) => f.write_str(what),
        }
    }
}

impl From<CompileError> for Stop {
    fn from(error: CompileError) -> Self {
        match error.kind() {
            // It belongs to a proposal that this version of the suite does not have, so here it is invalid.
            ErrorKind::Unsupported { advice: Some(_), .. } => Stop::Invalid(error.to_string()),
            ErrorKind::Unsupported { what, .. } => Stop::Unsupported(what.clone()),
            // A module that does not begin like a binary is taken for text.
            ErrorKind::Invalid { .. } | ErrorKind::NotWasm(_) | ErrorKind::Text(_) => {
                Stop::Invalid(error.to_string())
            }
            ErrorKind::MissingImports(_) | ErrorKind::ImportMismatch { .. } => {
                Stop::Unlinkable(error.to_string())
            }
            _ => Stop::Broken(error.to_string()),
        }
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        match error {
            Error::Trap(trap) => Stop::Trap(trap.code),
            other => Stop::Broken(other.to_string()),
        }
    }
}

/// Compiles a script's modules. Returns a network, or why there is none, for each command that needs one.
pub fn compile_all(script: &[Line], features: WasmFeatures) -> Vec<Option<Result<Certified, Stop>>> {
    let mut registered = BTreeSet::new();
    let mut networks = Vec::new();
    for line in script {
        networks.push(match &line.command {
            Command::Module { wasm, .. } | Command::ModuleTraps(wasm, _) => {
                Some(compile_one(wasm, &registered, features))
            }
            Command::Unlinkable(wasm, _) => Some(compile_one(wasm, &registered, features)),
            Command::Register { name, .. } => {
                registered.insert(name.as_str());
                None
            }
            _ => None,
        });
    }
    networks
}

fn compile_one(wasm: &[u8], registered: &BTreeSet<&str>, features: WasmFeatures) -> Result<Certified, Stop> {
    let imports = Imports::of(wasm).map_err(|error| Stop::Invalid(error.to_string()))?;
    if let Some(name) = imports.mistaken() {
        return Err(Stop::Unlinkable(format!("spectest.{name} has another type")));
    }
    let linked: Vec<_> =
        imports.modules().filter(|name| registered.contains(name)).map(str::to_owned).collect();
    if !linked.is_empty() {
        return Err(Stop::Linked(linked));
    }
    Ok(compile(wasm, &options(features))?)
}

/// Runs a script whose networks are those of [`compile_all`].
pub fn run(
    script: &[Line],
    networks: &[Option<Result<Certified, Stop>>],
    features: WasmFeatures,
    way: Way,
) -> Tally {
    let mut run = Run {
        tally: Tally::default(),
        instances: Vec::new(),
        names: BTreeMap::new(),
        registered: BTreeMap::new(),
        features,
        way,
    };
    for (line, network) in script.iter().zip(networks) {
        if let Err(what) = run.command(&line.command, network.as_ref()) {
            run.tally.failures.push(format!("line {}: {what}", line.number));
        }
    }
    run.tally
}

/// The state while the commands of a script run.
struct Run<'n> {
    tally: Tally,
    /// An instance for each module so far; the last is the current one.
    instances: Vec<Result<Instance<'n>, Stop>>,
    /// Indices of instances that have names.
    names: BTreeMap<String, usize>,
    /// Indices of instances that later modules may import from.
    registered: BTreeMap<String, usize>,
    features: WasmFeatures,
    way: Way,
}

impl<'n> Run<'n> {
    /// Runs a command. An error is a failure.
    fn command(
        &mut self,
        command: &Command,
        network: Option<&'n Result<Certified, Stop>>,
    ) -> Result<(), String> {
        match command {
            Command::Module { name, .. } => {
                let instance = self.instantiate(network);
                let outcome = instance.as_ref().map(|_| ()).map_err(Stop::clone);
                self.instances.push(instance);
                if let Some(name) = name {
                    self.names.insert(name.clone(), self.instances.len() - 1);
                }
                self.tally.modules += usize::from(outcome.is_ok());
                if let Err(Stop::Linked(from)) = &outcome {
                    self.share(from);
                }
                self.settle(outcome, true)
            }
            Command::Register { name, module } => {
                let index = self.index(module.as_deref())?;
                self.registered.insert(name.clone(), index);
                Ok(())
            }
            Command::Invoke(call) => {
                let outcome = self.invoke(call).map(drop);
                self.count(outcome)
            }
            Command::Assert(action, ending) => {
                let outcome = match self.act(action) {
                    Err(Stop::Trap(code)) => ending.check(&Err(code)).map_err(Stop::Broken),
                    Err(stop) => Err(stop),
                    Ok(values) => ending.check(&Ok(values)).map_err(Stop::Broken),
                };
                self.count(outcome)
            }
            Command::ModuleTraps(_, code) => {
                let instance = self.instantiate(network);
                if let Err(Stop::Linked(from)) = &instance {
                    self.share(from);
                }
                self.count(match instance {
                    Err(Stop::Trap(found)) if found == *code => Ok(()),
                    Err(Stop::Trap(found)) => Err(Stop::Broken(format!("{found:?} instead of {code:?}"))),
                    Err(stop) => Err(stop),
                    Ok(_) => Err(Stop::Broken(format!("an instance instead of {code:?}"))),
                })
            }
            // Text that does not parse never becomes a module.
            Command::Invalid(None, _) => self.refused(),
            Command::Invalid(Some(wasm), message) => {
                match compile(wasm, &all_given(wasm, self.features)).map_err(Stop::from) {
                    Err(Stop::Invalid(_)) => self.refused(),
                    Err(stop) => self.settle(Err(stop), true),
                    Ok(_) => Err(format!("accepted, but: {message}")),
                }
            }
            Command::Unlinkable(wasm, message) => match network.expect("it was compiled") {
                Err(Stop::Unlinkable(_)) => match compile(wasm, &all_given(wasm, self.features)) {
                    Ok(_) => self.refused(),
                    Err(error) => Err(format!("not only unlinkable: {error}")),
                },
                Err(stop) => self.settle(Err(stop.clone()), true),
                Ok(_) => Err(format!("accepted, but: {message}")),
            },
        }
    }

    /// Counts a module that was refused as it had to be.
    fn refused(&mut self) -> Result<(), String> {
        self.tally.refused += 1;
        Ok(())
    }

    /// Counts an action or assertion that ran code.
    fn count(&mut self, outcome: Result<(), Stop>) -> Result<(), String> {
        self.tally.passed += usize::from(outcome.is_ok());
        self.settle(outcome, false)
    }

    /// Counts what is skipped and says what failed.
    fn settle(&mut self, outcome: Result<(), Stop>, module: bool) -> Result<(), String> {
        let reason = match outcome {
            Ok(()) => return Ok(()),
            Err(Stop::Linked(_)) if module => "modules to link".to_owned(),
            Err(Stop::Linked(_)) => "uses of modules to link".to_owned(),
            Err(Stop::Shared) => "uses of what those share".to_owned(),
            Err(Stop::Unsupported(what)) => format!("unsupported: {what}"),
            Err(stop) => return Err(stop.to_string()),
        };
        *self.tally.skipped.entry(reason).or_default() += 1;
        Ok(())
    }

    fn instantiate(&self, network: Option<&'n Result<Certified, Stop>>) -> Result<Instance<'n>, Stop> {
        let network = network.expect("it was compiled").as_ref().map_err(Stop::clone)?;
        Ok(Instance::with_config(network, self.way.config(MAX_STEPS))?)
    }

    /// Notes that a module that was not linked may have changed everything that it imports.
    fn share(&mut self, from: &[String]) {
        for name in from {
            if let Some(index) = self.registered.get(name)
                && self.instances[*index].is_ok()
            {
                self.instances[*index] = Err(Stop::Shared);
            }
        }
    }

    fn act(&mut self, action: &Action) -> Result<Vec<Value>, Stop> {
        match action {
            Action::Invoke(call) => self.invoke(call),
            Action::Get { module, global } => Ok(vec![self.instance(module.as_deref())?.global(global)?]),
        }
    }

    fn invoke(&mut self, call: &Call) -> Result<Vec<Value>, Stop> {
        Ok(self.instance(call.module.as_deref())?.invoke(&call.name, &call.args)?)
    }

    fn instance(&mut self, name: Option<&str>) -> Result<&mut Instance<'n>, Stop> {
        let index = self.index(name).map_err(Stop::Broken)?;
        self.instances[index].as_mut().map_err(|stop| stop.clone())
    }

    /// Returns the index of the instance with this name, or of the current one.
    fn index(&self, name: Option<&str>) -> Result<usize, String> {
        let index = match name {
            Some(name) => self.names.get(name).copied(),
            None => self.instances.len().checked_sub(1),
        };
        index.ok_or_else(|| format!("there is no module {name:?}"))
    }
}
