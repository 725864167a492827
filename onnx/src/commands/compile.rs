//! `wasm2onnx compile`: writes a module as an ONNX model.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use sha2::{Digest, Sha256};
use wasm2onnx::{Attention, ExportOptions, Form, export};
use wasm2onnx_compiler::Signature as Types;
use wasm2onnx_runtime::Network;

use crate::display::{Count, Signature};
use crate::entry::choose_entry;
use crate::failure::Failure;
use crate::input::{Input, ModuleOptions, Source};

/// Write a module as an ONNX model that runs one of its exported functions
#[derive(Debug, clap::Args)]
pub struct Compile {
    #[command(flatten)]
    module: ModuleOptions,

    /// The export that the model runs [default: `_start`, or the only exported function]
    #[arg(long, value_name = "NAME")]
    invoke: Option<String>,

    /// Where to write the model
    #[arg(short, long, value_name = "OUTPUT.onnx")]
    output: PathBuf,

    /// What one run of the model does
    #[arg(long, value_enum, default_value_t = FormName::Loop)]
    form: FormName,

    /// How the model reads the trace and the tables
    #[arg(long, value_enum, default_value_t = AttentionName::Indexed)]
    attention: AttentionName,

    /// Opset of the model [default: the lowest that serves it]
    #[arg(long, value_name = "N")]
    opset: Option<i64>,

    #[command(flatten)]
    input: Input,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum FormName {
    /// The whole run of the program
    Loop,
    /// One step, for drivers that look at each
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
    /// By index, a cell for each key
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

impl Compile {
    pub fn execute(self) -> Result<(), Failure> {
        let source = Source::read(&self.input.path)?;
        let exports = source.exports(&self.module)?;
        let exports: Vec<_> = exports
            .iter()
            .map(|(name, Types { params, results })| Signature { name, params, results })
            .collect();
        let Signature { name, .. } = choose_entry(&exports, self.invoke.as_deref())?;
        let form = self.form.into();
        let network = source.compile(&self.module, name, form)?;
        let options = ExportOptions {
            entry: name.to_owned(),
            form,
            attention: self.attention.into(),
            opset: self.opset,
            source_sha256: Some(Sha256::digest(source.bytes()).into()),
        };
        let model = export(&network, &options).map_err(anyhow::Error::from)?;
        write(&self.output, &model)?;
        // A closed standard error is no reason to fail.
        let _ = std::io::stderr().write_all(summary(&network, name, model.len()).as_bytes());
        Ok(())
    }
}

/// Writes a file whole or not at all: what was there stays until all of the new one is.
fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let place = || format!("{} cannot be written", path.display());
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        // As any new file: less what the user's mask takes away.
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let mut file = builder.tempfile_in(folder).with_context(place)?;
    file.write_all(bytes).and_then(|()| file.flush()).with_context(place)?;
    file.persist(path).map_err(|error| error.error).with_context(place)?;
    Ok(())
}

/// What was written: sizes and counts.
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
