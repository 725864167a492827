//! `wasm2onnx dump`: what a module is after a phase of the compiler.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use wasm2onnx_compiler::dump::Phase;

use crate::failure::Failure;
use crate::input::{Input, ModuleOptions, Source};
use crate::output::print;

/// Show what a module is after a phase of the compiler, as text
#[derive(Debug, clap::Args)]
pub struct Dump {
    #[command(flatten)]
    module: ModuleOptions,

    /// The phase
    #[arg(long, value_name = "PHASE", value_parser = phases())]
    after: Phase,

    /// Only the function of that name. A library routine has a name, too
    #[arg(long, value_name = "NAME")]
    function: Option<String>,

    #[command(flatten)]
    input: Input,
}

/// The phases by their names.
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
