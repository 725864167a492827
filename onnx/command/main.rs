//! The `wasm2onnx` command: one module per subcommand in [`commands`].
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

use std::process::ExitCode;

use clap::Parser;

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

fn main() -> ExitCode {
    let command = Command::parse();
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
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
