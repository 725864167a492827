//! `wasm2onnx dump`: prints what a module has become after a phase of the compiler.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use wasm2onnx_compiler::dump::Phase;

use crate::command::failure::Failure;
use crate::command::input::{Input, ModuleOptions, Source};
use crate::command::output::print;

/// Print what a module has become after a phase of the compiler
#[derive(Debug, clap::Args)]
pub struct Dump {
    #[command(flatten)]
    module: ModuleOptions,

    /// The phase after which to print
    #[arg(long, value_name = "PHASE", value_parser = phases())]
    after: Phase,

    /// Print only the function with this name; library routines have names, too
    #[arg(long, value_name = "NAME")]
    function: Option<String>,

    #[command(flatten)]
    input: Input,
}

/// Returns a parser for the names of the phases.
fn phases() -> impl TypedValueParser<Value = Phase> {
    PossibleValuesParser::new(Phase::ALL.map(Phase::name)).map(|name| name.parse().expect("one of them"))
}

impl Dump {
    pub fn execute(self) -> Result<(), Failure> {
        let source = Source::read(&self.input.path)?;
        let text = source.dump(&self.module, self.after, self.function.as_deref())?;
        Ok(print(&text)?)
    }
}
