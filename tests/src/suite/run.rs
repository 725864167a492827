//! Runs a script on one of our executors.

use std::collections::BTreeMap;
use std::fmt;

use wasm2onnx_compiler::error::ErrorKind;
use wasm2onnx_compiler::{Certified, CompileError, compile};
use wasm2onnx_runtime::{Error, Instance, TrapCode, Value};
use wasmparser::{Validator, WasmFeatures};

use super::host::all_given;
use super::link::{Networks, Place};
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
            Stop::Unsupported(what) => write!(f, "unsupported: {what}"),
            Stop::Trap(code) => write!(f, "trap {code:?}"),
            Stop::Invalid(what) | Stop::Unlinkable(what) | Stop::Broken(what) => f.write_str(what),
        }
    }
}

impl From<CompileError> for Stop {
    fn from(error: CompileError) -> Self {
        match error.kind() {
            ErrorKind::InModule { .. } => {
                let ErrorKind::InModule { error, .. } = error.into_kind() else {
                    unreachable!("it is that kind")
                };
                error.into()
            }
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

/// Runs a script whose networks are those of [`compile_all`](super::link::compile_all).
pub fn run(script: &[Line], networks: &Networks, features: WasmFeatures, way: Way) -> Tally {
    let mut run = Run {
        tally: Tally::default(),
        networks: &networks.networks,
        instances: networks.networks.iter().map(|_| None).collect(),
        modules: Vec::new(),
        names: BTreeMap::new(),
        features,
        way,
    };
    for (line, place) in script.iter().zip(&networks.of) {
        if let Err(what) = run.command(&line.command, place.as_ref()) {
            run.tally.failures.push(format!("line {}: {what}", line.number));
        }
    }
    run.tally
}

/// The state while the commands of a script run.
struct Run<'n> {
    tally: Tally,
    networks: &'n [Certified],
    /// The instance of each network, once it is needed.
    instances: Vec<Option<Instance<'n>>>,
    /// Where each module so far is; the last is the current one.
    modules: Vec<Result<Place, Stop>>,
    /// Indices of modules that have names.
    names: BTreeMap<String, usize>,
    features: WasmFeatures,
    way: Way,
}

impl<'n> Run<'n> {
    /// Runs a command. An error is a failure.
    fn command(&mut self, command: &Command, place: Option<&Result<Place, Stop>>) -> Result<(), String> {
        match command {
            Command::Module { name, .. } => {
                let module = self.instantiate(place);
                let outcome = module.as_ref().map(|_| ()).map_err(Stop::clone);
                self.modules.push(module);
                if let Some(name) = name {
                    self.names.insert(name.clone(), self.modules.len() - 1);
                }
                self.tally.modules += usize::from(outcome.is_ok());
                self.settle(outcome)
            }
            Command::Register { module, .. } => self.index(module.as_deref()).map(drop),
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
                let module = self.instantiate(place);
                self.count(match module {
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
                    Err(stop) => self.settle(Err(stop)),
                    Ok(_) => Err(format!("accepted, but: {message}")),
                }
            }
            Command::Unlinkable(wasm, message) => match place.expect("it was compiled") {
                Err(Stop::Unlinkable(_)) => {
                    match Validator::new_with_features(self.features).validate_all(wasm) {
                        Ok(_) => self.refused(),
                        Err(error) => Err(format!("not only unlinkable: {error}")),
                    }
                }
                Err(stop) => self.settle(Err(stop.clone())),
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
        self.settle(outcome)
    }

    /// Counts what is skipped and says what failed.
    fn settle(&mut self, outcome: Result<(), Stop>) -> Result<(), String> {
        let reason = match outcome {
            Ok(()) => return Ok(()),
            Err(Stop::Unsupported(what)) => format!("unsupported: {what}"),
            Err(stop) => return Err(stop.to_string()),
        };
        *self.tally.skipped.entry(reason).or_default() += 1;
        Ok(())
    }

    /// Creates the instance of a module. Returns where it is.
    fn instantiate(&mut self, place: Option<&Result<Place, Stop>>) -> Result<Place, Stop> {
        let place = place.expect("it was compiled").clone()?;
        let instance = &mut self.instances[place.network];
        if instance.is_none() {
            let network = &self.networks[place.network];
            *instance = Some(Instance::with_config(network, self.way.config(MAX_STEPS))?);
        }
        if !place.prefix.is_empty() {
            let instance = instance.as_mut().expect("it was just made");
            instance.invoke(&format!("{}create", place.prefix), &[])?;
        }
        Ok(place)
    }

    fn act(&mut self, action: &Action) -> Result<Vec<Value>, Stop> {
        match action {
            Action::Invoke(call) => self.invoke(call),
            Action::Get { module, global } => {
                let (instance, prefix) = self.instance(module.as_deref())?;
                Ok(vec![instance.global(&format!("{prefix}{global}"))?])
            }
        }
    }

    fn invoke(&mut self, call: &Call) -> Result<Vec<Value>, Stop> {
        let (instance, prefix) = self.instance(call.module.as_deref())?;
        Ok(instance.invoke(&format!("{prefix}{}", call.name), &call.args)?)
    }

    /// Returns the instance that a module is in, and what the names of its exports begin with.
    fn instance(&mut self, name: Option<&str>) -> Result<(&mut Instance<'n>, String), Stop> {
        let index = self.index(name).map_err(Stop::Broken)?;
        let Place { network, prefix } = self.modules[index].clone()?;
        Ok((self.instances[network].as_mut().expect("its module was created"), prefix))
    }

    /// Returns the index of the module with this name, or of the current one.
    fn index(&self, name: Option<&str>) -> Result<usize, String> {
        let index = match name {
            Some(name) => self.names.get(name).copied(),
            None => self.modules.len().checked_sub(1),
        };
        index.ok_or_else(|| format!("there is no module {name:?}"))
    }
}
