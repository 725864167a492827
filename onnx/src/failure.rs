//! Why the command ends without success, and the exit status that says so.

use std::io::Write;
use std::process::ExitCode;

use wasm2onnx_runtime::{Error, Trap, TrapCode};

/// An error with the exit status that belongs to it.
#[derive(Debug)]
pub enum Failure {
    /// The command line does not fit the program: status 2.
    Usage(String),
    /// The program trapped: status 134, as of a process that aborted.
    Trap(Trap),
    /// Anything else: status 1.
    Other(anyhow::Error),
}

impl Failure {
    /// Prints it to standard error and gives its exit status.
    pub fn report(self) -> ExitCode {
        let (message, status) = match self {
            Failure::Usage(message) => (message, 2),
            Failure::Trap(trap) => (trap.to_string(), 134),
            Failure::Other(error) => (format!("{error:#}"), 1),
        };
        // A closed standard error leaves the status to tell.
        let _ = writeln!(std::io::stderr().lock(), "error: {message}");
        ExitCode::from(status)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            // Not the program's doing: what it needs is not there.
            Error::Trap(trap) if trap.code == TrapCode::UnsupportedHostCall => Failure::Other(trap.into()),
            Error::Trap(trap) => Failure::Trap(trap),
            Error::UnknownExport { .. } | Error::Arguments { .. } => Failure::Usage(error.to_string()),
            other => Failure::Other(other.into()),
        }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Failure::Other(error)
    }
}
