//! The `wasm2onnx` command, as a function: one module per subcommand in [`commands`].
//!
//! It is a room of the library so that what has no process of its own can be the command, too: the Python package, whose extension also takes
//! options as the command does. All that is public here is for that package and may change with any version.
//!
//! With only the feature `minimal-command` it lacks what needs threads, signals, temporary files or machine code, and so
//! can itself be compiled to WebAssembly.

mod arguments;
mod commands;
mod display;
mod entry;
mod failure;
mod files;
mod input;
#[cfg(feature = "command")]
mod log;
#[cfg(feature = "command")]
mod npy;
mod output;
#[cfg(feature = "command")]
mod tensors;

use std::ffi::OsString;

use clap::Parser;

pub use commands::compile::ModelOptions;
#[cfg(feature = "command")]
pub use commands::run::WasiOptions;
pub use display::Signature;
pub use entry::{choose_entry, entries};
pub use failure::Failure;
pub use input::{ModuleOptions, Source};

/// Compile WebAssembly to frozen transformer networks and run them.
#[derive(Debug, Parser)]
#[command(name = "wasm2onnx", version)]
struct Command {
    #[cfg(feature = "command")]
    /// Print what the compiler does and how long each phase takes; given twice, also for each function.
    /// `RUST_LOG` selects in more detail, for example `RUST_LOG=wasm2onnx_compiler=debug`
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,

    #[command(subcommand)]
    subcommand: Subcommand,
}

#[derive(Debug, clap::Subcommand)]
enum Subcommand {
    Compile(commands::compile::Compile),
    #[cfg(feature = "command")]
    Run(commands::run::Run),
    Inspect(commands::inspect::Inspect),
    Dump(commands::dump::Dump),
}

/// Does what a command line says, the command's own name at its beginning included. Returns the exit status.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let command = match Command::try_parse_from(arguments) {
        Ok(command) => command,
        Err(message) => {
            // It is help or the version, or says what is wrong with the arguments. A stream that is closed is no reason for another status.
            let _ = message.print();
            return message.exit_code().try_into().unwrap_or(2);
        }
    };
    #[cfg(feature = "command")]
    log::start(command.verbose);
    let outcome = match command.subcommand {
        Subcommand::Compile(command) => command.execute(),
        #[cfg(feature = "command")]
        Subcommand::Run(command) => command.execute(),
        Subcommand::Inspect(command) => command.execute(),
        Subcommand::Dump(command) => command.execute(),
    };
    match outcome {
        Ok(()) => 0,
        Err(failure) => failure.report(),
    }
}
