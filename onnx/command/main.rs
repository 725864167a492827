//! The `wasm2onnx` command: one module per subcommand in [`commands`].

mod arguments;
mod commands;
mod display;
mod entry;
mod failure;
mod files;
mod input;
mod log;
mod output;
mod progress;
mod tree;
mod wasi;

use std::process::ExitCode;

use clap::Parser;

/// Compile WebAssembly to frozen transformer networks and run them.
#[derive(Debug, Parser)]
#[command(name = "wasm2onnx", version)]
struct Command {
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
    Run(commands::run::Run),
    Inspect(commands::inspect::Inspect),
    Dump(commands::dump::Dump),
}

fn main() -> ExitCode {
    let command = Command::parse();
    log::start(command.verbose);
    let outcome = match command.subcommand {
        Subcommand::Compile(command) => command.execute(),
        Subcommand::Run(command) => command.execute(),
        Subcommand::Inspect(command) => command.execute(),
        Subcommand::Dump(command) => command.execute(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
