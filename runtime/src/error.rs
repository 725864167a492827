//! Everything that can go wrong, as types.

use std::{fmt, io};

use crate::network::{TrapCode, ValueType};
use crate::place::Place;
use crate::show::{List, Name};

/// Why a network could not be instantiated, called or accessed.
///
/// Only [`Error::Trap`] is caused by the program itself.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The program trapped. The instance stays usable, and the rows that were appended before the trap
    /// remain.
    #[error(transparent)]
    Trap(#[from] Trap),
    /// The run was stopped, because the instance has evaluated as many maps as
    /// [`Config::max_steps`](crate::Config::max_steps) allows and the program has not ended.
    #[error("step limit of {limit} reached{}", Parenthesis(place))]
    StepLimit {
        /// The number of maps that is allowed.
        limit: u64,
        /// The packet that the next map would belong to, by its first instruction.
        place: Place,
    },
    /// The run was stopped, because [`Config::interrupt`](crate::Config::interrupt) said so. The instance stays usable.
    #[error("the run was interrupted")]
    Interrupted,
    /// There is no export of that kind with that name.
    #[error("there is no exported {kind} `{}`; exported are: {}", Name(name), Names(available))]
    UnknownExport {
        /// `function`, `global` or `memory`.
        kind: &'static str,
        /// The name that was asked for.
        name: String,
        /// The names that exist.
        available: Vec<String>,
    },
    /// The arguments do not fit the function's parameters.
    #[error("function `{}` takes ({}), not ({})", Name(name), List(expected), List(found))]
    Arguments {
        /// The function.
        name: String,
        /// Types of its parameters.
        expected: Vec<ValueType>,
        /// Types of the arguments given.
        found: Vec<ValueType>,
    },
    /// The tensors do not fit the function, or it takes tensors and was called without, or the other way round.
    #[error("function `{}`: {message}", Name(name))]
    Tensors {
        /// The function.
        name: String,
        /// What does not fit.
        message: String,
    },
    /// A function of tensors has reported an error: it has returned this negative number. The instance stays usable.
    #[error("the function reported an error: {0}")]
    Reported(i32),
    /// A value for a global has the wrong type.
    #[error("global `{}` is of type {expected}, not {found}", Name(name))]
    GlobalType {
        /// The global.
        name: String,
        /// Its type.
        expected: ValueType,
        /// Type of the value given.
        found: ValueType,
    },
    /// The program does not allow the host to change this global.
    #[error("global `{}` is immutable", Name(.0))]
    ImmutableGlobal(String),
    /// The host accessed bytes beyond the end of a memory.
    #[error("{len} bytes at address {address:#x} are not within the memory, which has {size} bytes")]
    MemoryAccess {
        /// Address of the first byte.
        address: u64,
        /// Number of bytes.
        len: usize,
        /// Current size of the memory, in bytes.
        size: u64,
    },
    /// The program has ended itself with this exit status, which is not a failure of the run. The instance stays usable.
    #[error("the program has ended with exit status {0}")]
    Exit(i32),
    /// Standard input, or what a WASI program is given, is longer than the region that the network has for it.
    #[error("{input} longer than the {capacity} bytes that the network can read")]
    InputTooLong {
        /// What is too long, and `is` or `are`.
        input: &'static str,
        /// Number of keys of the region.
        capacity: u64,
    },
    /// The program was stopped because it printed more than the network has room for.
    #[error("output limit of {0} bytes reached")]
    OutputLimit(u64),
    /// [`Config::stdin_source`](crate::Config::stdin_source) failed.
    #[error("standard input cannot be read: {message}")]
    Stdin {
        /// Kind of the failure.
        kind: io::ErrorKind,
        /// Message of the failure.
        message: String,
    },
    /// [`Config::stdout_sink`](crate::Config::stdout_sink) or [`Config::stderr_sink`](crate::Config::stderr_sink) failed.
    #[error("{stream} cannot be written: {message}")]
    Output {
        /// `standard output` or `standard error`.
        stream: &'static str,
        /// Kind of the failure.
        kind: io::ErrorKind,
        /// Message of the failure.
        message: String,
    },
    /// There is not enough address space for the regions that the network declares.
    #[error("there is no address space for a trace of {bytes} bytes")]
    OutOfMemory {
        /// Number of bytes of all cells.
        bytes: u64,
    },
    /// The network breaks a structural rule, so it cannot be run.
    #[error("malformed network: {0}")]
    Malformed(String),
    /// The run reached expert 0, which no run of a certified network does.
    #[error("the run reached the unreachable state (expert 0): the network is damaged")]
    UnreachableState,
    /// A word of a result or of a global is not an integer of 32 bits. This cannot happen in a certified
    /// network.
    #[error("the network gave {0} where a 32-bit word belongs: it is damaged")]
    NotAWord(f64),
}

impl Error {
    pub(crate) fn stdin(error: &io::Error) -> Error {
        Error::Stdin { kind: error.kind(), message: error.to_string() }
    }

    pub(crate) fn output(stream: &'static str, error: &io::Error) -> Error {
        Error::Output { stream, kind: error.kind(), message: error.to_string() }
    }
}

/// A trap of the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trap {
    /// Which trap.
    pub code: TrapCode,
    /// The instruction that trapped.
    pub place: Place,
}

impl fmt::Display for Trap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "wasm trap: {}{}", self.code.message(), Parenthesis(&self.place))
    }
}

impl std::error::Error for Trap {}

/// Writes a place behind a message; nothing if it is not known.
struct Parenthesis<'a>(&'a Place);

impl fmt::Display for Parenthesis<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Place { function: u32::MAX, function_name: None, .. } => Ok(()),
            place => write!(f, " ({place})"),
        }
    }
}

/// Writes a list of names, or `none`.
struct Names<'a>(&'a [String]);

impl fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [] => f.write_str("none"),
            names => List(&names.iter().map(|name| Name(name)).collect::<Vec<_>>()).fmt(f),
        }
    }
}
