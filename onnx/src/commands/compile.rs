//! `wasm2onnx compile`: not there yet.

use std::ffi::OsString;

use anyhow::anyhow;

use crate::failure::Failure;

/// Write a module as an ONNX model (not there yet: this version runs and inspects modules)
#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true)]
pub struct Compile {
    /// Whatever it will take.
    #[arg(hide = true, trailing_var_arg = true, allow_hyphen_values = true)]
    _arguments: Vec<OsString>,
}

impl Compile {
    pub fn execute(self) -> Result<(), Failure> {
        Err(anyhow!(
            "`compile` is not there yet: this version does not write ONNX models; `run` and `inspect` work"
        )
        .into())
    }
}
