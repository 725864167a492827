//! `wasm2onnx compile`: writes a module as an ONNX model.

use std::io::Write;
use std::path::PathBuf;

use crate::{Attention, Certified, ExportOptions, Form, export, least_memory};
use sha2::{Digest, Sha256};
use wasm2onnx_runtime::Network;

use crate::command::display::{Count, Signature};
use crate::command::entry::choose_entry;
use crate::command::failure::Failure;
use crate::command::input::{Input, ModuleOptions, Source};
use crate::command::output::Output;

/// Write a module as an ONNX model that runs one of its exported functions
#[derive(Debug, clap::Args)]
pub struct Compile {
    #[command(flatten)]
    module: ModuleOptions,

    /// Where to write the model; `-` is standard output. An existing file is replaced once the whole model
    /// has been written; a model for a device or FIFO is written to it directly
    #[arg(short, long, value_name = "OUTPUT.onnx")]
    output: PathBuf,

    #[command(flatten)]
    model: ModelOptions,

    #[command(flatten)]
    input: Input,
}

/// What a model runs, and how it is written.
#[derive(Debug, clap::Args)]
pub struct ModelOptions {
    /// Name of the exported function that the model runs [default: `_start`, the only function of tensors, or the only exported
    /// function]
    #[arg(long, value_name = "NAME")]
    invoke: Option<String>,

    /// What one run of the model does
    #[arg(long, value_enum, default_value_t = FormName::Loop)]
    form: FormName,

    /// How the model reads the trace and the tables
    #[arg(long, value_enum, default_value_t = AttentionName::Indexed)]
    attention: AttentionName,

    /// Opset of the model [default: the lowest that has all operators of the model]
    #[arg(long, value_name = "N")]
    opset: Option<i64>,

    /// What all names in the graph begin with, but those of the tensors of a signature: for models that are to be merged with others
    #[arg(long, value_name = "PREFIX")]
    prefix: Option<String>,

    /// Let the model run many calls side by side, of a function that has memory or takes tensors, too: all inputs and outputs get a
    /// first dimension for these calls, and arrays of different lengths a second input that says how long each is
    #[arg(long)]
    batch: bool,

    /// Leave out the inputs that have a default, which they keep: `max_steps`, `argv`, `environ`, `files`, `clock`, `seed`. ONNX Runtime warns
    /// of each of them when it loads a model
    #[arg(long)]
    without_defaults: bool,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum FormName {
    /// It runs the whole program
    Loop,
    /// It evaluates one step, for drivers that look at every step
    Step,
}

impl From<FormName> for Form {
    fn from(name: FormName) -> Self {
        match name {
            FormName::Loop => Form::Loop,
            FormName::Step => Form::Step,
        }
    }
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum AttentionName {
    /// By index, with one cell for each key
    Indexed,
    /// By hard attention over all rows: for small programs
    Dense,
    /// By ONNX's softmax attention over all rows: for small programs and short runs
    Softmax,
}

impl From<AttentionName> for Attention {
    fn from(name: AttentionName) -> Self {
        match name {
            AttentionName::Indexed => Attention::Indexed,
            AttentionName::Dense => Attention::Dense,
            AttentionName::Softmax => Attention::Softmax,
        }
    }
}

impl ModelOptions {
    /// Makes a model of a module.
    ///
    /// # Errors
    ///
    /// If the options do not fit the module, or it cannot be compiled.
    pub fn model(&self, source: &Source, module: &ModuleOptions) -> Result<Model, Failure> {
        let form = self.form.into();
        let options = source.options(module, form)?;
        let exports = source.exports(&options)?;
        let Signature { name, .. } =
            choose_entry(&exports.signatures(), module.entry(self.invoke.as_deref()))?;
        let network = source.compile(options, name)?;
        let options = ExportOptions {
            entry: name.to_owned(),
            form,
            attention: self.attention.into(),
            opset: self.opset,
            prefix: self.prefix.clone(),
            batch: self.batch,
            without_defaults: self.without_defaults,
            source_sha256: Some(Sha256::digest(source.bytes()).into()),
        };
        let bytes = export(&network, &options).map_err(anyhow::Error::from)?;
        let memory = least_memory(&network, &options).map_err(anyhow::Error::from)?;
        Ok(Model { network, name: name.to_owned(), bytes, memory })
    }
}

/// A model of an exported function.
pub struct Model {
    network: Certified,
    /// The function.
    name: String,
    /// The file.
    pub bytes: Vec<u8>,
    /// Number of bytes of memory that a run takes at least.
    memory: u64,
}

impl Compile {
    pub fn execute(self) -> Result<(), Failure> {
        let source = Source::read(&self.input.path)?;
        source.module()?;
        let output = Output::new(&self.output, source.identity())?;
        let Model { network, name, bytes, memory } = self.model.model(&source, &self.module)?;
        output.write(&bytes)?;
        // A closed standard error is no reason to fail.
        let summary = summary(&network, &name, bytes.len()) + &memory_notice(memory);
        let _ = std::io::stderr().write_all(summary.as_bytes());
        Ok(())
    }
}

/// Returns a summary of what was written: sizes and counts.
fn summary(network: &Network, name: &str, bytes: usize) -> String {
    let signature = Signature::of(name, &network.entries[name]);
    let experts = network.experts.len() - network.terminals.len();
    format!(
        "{signature}: {} bytes; {} packets, {} steps, {} non-zeros\n",
        Count(bytes as u64),
        Count(network.packets.len() as u64),
        Count(experts as u64),
        Count(network.experts.weights.len() as u64),
    )
}

/// Returns a note on how much memory a run of the model takes, if that is much.
fn memory_notice(bytes: u64) -> String {
    const MUCH: u64 = 1_000_000_000;
    match bytes > MUCH {
        true => format!("note: a run of this model needs {:.1} GB of memory or more\n", bytes as f64 / 1e9),
        false => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::memory_notice;

    #[test]
    fn much_memory_is_named() {
        assert_eq!(memory_notice(1_000_000_000), "");
        assert_eq!(
            memory_notice(3_250_000_000),
            "note: a run of this model needs 3.2 GB of memory or more\n"
        );
    }
}
