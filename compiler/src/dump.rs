//! What a module is after each phase, as text.

use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

use crate::backend::{self, PlacedPackets, Watch};
use crate::circuits::packet::PacketCircuit;
use crate::error::{CompileError, ErrorKind};
use crate::ir::{Func, Module};
use crate::options::Options;
use crate::packetize::print::Shown;
use crate::schedule::Fragment;
use crate::{frontend, legalize, optimize};
use wasm2onnx_runtime::print::Steps;

/// The phases after which a module can be looked at, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// WebAssembly as SSA.
    Frontend,
    /// Words only.
    Legalize,
    /// What the optimizer leaves of it, with the routines that are called.
    Optimize,
    /// Straight-line code, one token each, and the places of values between them.
    Packets,
    /// Operations as linear forms, units and reads.
    Circuits,
    /// Experts, before ids and the numbers of ports are known.
    Steps,
    /// The network.
    Network,
}

impl Phase {
    /// All phases.
    pub const ALL: [Phase; 7] = [
        Phase::Frontend,
        Phase::Legalize,
        Phase::Optimize,
        Phase::Packets,
        Phase::Circuits,
        Phase::Steps,
        Phase::Network,
    ];

    /// Returns its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Frontend => "frontend",
            Phase::Legalize => "legalize",
            Phase::Optimize => "optimize",
            Phase::Packets => "packets",
            Phase::Circuits => "circuits",
            Phase::Steps => "steps",
            Phase::Network => "network",
        }
    }
}

impl Display for Phase {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Phase {
    type Err = String;

    fn from_str(text: &str) -> Result<Phase, String> {
        let names = || Phase::ALL.map(Phase::name).join(", ");
        let found = Phase::ALL.into_iter().find(|phase| phase.name() == text);
        found.ok_or_else(|| format!("unknown phase `{text}`, expected one of {}", names()))
    }
}

/// Returns a module after a phase, or one of its functions alone, as text. A library routine is a function,
/// too, once it is linked.
///
/// What the phases after the IR have made is shown even if the network is refused afterwards; the last line
/// then says why.
///
/// # Errors
///
/// Whatever [`crate::compile`] says up to that phase; [`ErrorKind::NoSuchFunction`] if there is no function
/// of that name after it.
///
/// # Examples
///
/// ```
/// use wasm2onnx_compiler::dump::{Phase, dump};
///
/// let text = r#"(module (func (export "double") (param i32) (result i32)
///     (i32.mul (local.get 0) (i32.const 2))))"#;
/// let ir = dump(text.as_bytes(), &Default::default(), Phase::Optimize, Some("double"))?;
/// assert!(ir.contains("return"), "{ir}");
/// # Ok::<(), wasm2onnx_compiler::CompileError>(())
/// ```
pub fn dump(
    bytes: &[u8],
    options: &Options,
    after: Phase,
    function: Option<&str>,
) -> Result<String, CompileError> {
    let mut module = frontend::parse(bytes, options)?;
    if after >= Phase::Legalize {
        legalize::run(&mut module);
    }
    if after >= Phase::Optimize {
        optimize::run(&mut module);
    }
    let func = function.map(|name| find(&module, name, after)).transpose()?;
    match (after, func) {
        (Phase::Frontend | Phase::Legalize | Phase::Optimize, None) => Ok(module.to_string()),
        (Phase::Frontend | Phase::Legalize | Phase::Optimize, Some(func)) => {
            Ok(module.functions[func].to_string())
        }
        (Phase::Network, func) => {
            let (network, blueprint) = backend::certified(&module, &mut ())?;
            let Some(func) = func else { return Ok(network.to_string()) };
            let index = func.as_u32() as usize;
            let begin =
                |function: usize| blueprint.functions.get(function).map(|lowered| lowered.first as usize);
            let expert = |packet: Option<usize>| {
                packet.map_or(network.experts.len() as u32, |packet| network.packets[packet].expert)
            };
            Ok(Steps(&network, expert(begin(index))..expert(begin(index + 1))).to_string())
        }
        (Phase::Packets | Phase::Circuits | Phase::Steps, function) => {
            let (text, pending) = (String::new(), String::new());
            let mut notes = Notes { module: &module, after, function, text, pending };
            let outcome = backend::certified(&module, &mut notes);
            let mut text = notes.text;
            match outcome {
                Err(error) if text.is_empty() => return Err(error),
                Err(error) => text += &format!("; refused afterwards: {error}\n"),
                Ok(_) => {}
            }
            Ok(text)
        }
    }
}

fn find(module: &Module, name: &str, after: Phase) -> Result<Func, CompileError> {
    let found = module.functions.iter().find(|(_, function)| function.name == name);
    found.map(|found| found.0).ok_or_else(|| {
        let names = module.functions.values().map(|function| function.name.clone()).collect();
        ErrorKind::NoSuchFunction { name: name.to_owned(), phase: after.name(), names }.into()
    })
}

/// Collects what the backend makes of functions.
struct Notes<'a> {
    module: &'a Module,
    after: Phase,
    /// The only function that is asked for, if not all are.
    function: Option<Func>,
    text: String,
    /// Text of the function that is being made.
    pending: String,
}

impl Notes<'_> {
    fn is_wanted(&self, function: Func) -> bool {
        self.function.is_none_or(|wanted| wanted == function)
    }
}

impl Watch for Notes<'_> {
    fn restart(&mut self) {
        self.text.clear();
    }

    fn lowered(&mut self, function: Func, placed: &PlacedPackets, circuits: &[PacketCircuit]) {
        if !self.is_wanted(function) {
            return;
        }
        self.pending = match self.after {
            Phase::Packets => Shown(&placed.packets, &placed.places).to_string(),
            Phase::Circuits => {
                circuits.iter().enumerate().map(|(i, circuit)| format!("packet {i}\n{circuit}\n")).collect()
            }
            _ => String::new(),
        };
    }

    fn scheduled(&mut self, function: Func, fragment: &Fragment) {
        if !self.is_wanted(function) {
            return;
        }
        if self.after == Phase::Steps {
            self.pending = fragment.to_string();
        }
        let name = &self.module.functions[function].name;
        self.text += &format!("function {name:?}\n{}\n", self.pending);
    }
}
