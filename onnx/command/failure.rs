//! Why the command failed, and the exit status that says so.

use std::fmt::{self, Display, Formatter, Write as _};
use std::io::Write;

use wasm2onnx_runtime::{Error, Trap, TrapCode};

/// An error with the exit status that belongs to it.
#[derive(Debug)]
pub enum Failure {
    /// The command line is wrong, or does not fit the program: status 2.
    Usage(String),
    /// The program trapped: status 134, as for a process that aborted.
    Trap(Trap),
    /// The program ended itself with this status, which is handed on.
    Exit(u8),
    /// Anything else: status 1.
    Other(anyhow::Error),
}

impl Failure {
    /// Prints the failure to standard error and returns its exit status.
    pub fn report(self) -> u8 {
        let (message, status) = match self {
            Failure::Usage(message) => (message, 2),
            Failure::Trap(trap) => (trap.to_string(), 134),
            Failure::Exit(status) => return status,
            Failure::Other(error) => (format!("{error:#}"), 1),
        };
        // If standard error is closed, the status still tells.
        let _ = writeln!(std::io::stderr().lock(), "error: {}", Message(&message));
        status
    }
}

/// Number of exit statuses that a program can have, as in wasmtime: shells use those from 126 on to say something of their own.
const EXIT_STATUSES: u8 = 126;

/// Maximum number of characters of a message.
const MAX_MESSAGE: usize = 4000;

/// A message, in as many lines as it has, but without anything else that a terminal would act upon, and
/// of bounded length. What comes from files is shown as a [`Name`](wasm2onnx_runtime::Name) in messages
/// already; this is for what libraries say of files.
struct Message<'a>(&'a str);

impl Display for Message<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (i, c) in self.0.chars().enumerate() {
            match c {
                _ if i == MAX_MESSAGE => return f.write_char('…'),
                '\n' => f.write_char(c)?,
                c if c.is_control() => write!(f, "{}", c.escape_default())?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            // The program is not to blame: something that it needs is missing.
            Error::Trap(trap) if trap.code == TrapCode::UnsupportedHostCall => Failure::Other(trap.into()),
            Error::Trap(trap) => Failure::Trap(trap),
            Error::Exit(status) => match u8::try_from(status) {
                Ok(status) if status < EXIT_STATUSES => Failure::Exit(status),
                _ => Failure::Other(anyhow::anyhow!(
                    "the program has ended with exit status {status}, and only 0 to {} can be handed on",
                    EXIT_STATUSES - 1
                )),
            },
            Error::UnknownExport { .. } | Error::Arguments { .. } | Error::Tensors { .. } => {
                Failure::Usage(error.to_string())
            }
            other => Failure::Other(other.into()),
        }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Failure::Other(error)
    }
}
