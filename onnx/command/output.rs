//! Where a command writes to.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use wasm2onnx_runtime::Name;

use crate::command::failure::Failure;
use crate::command::files::Identity;
use target::Target;

#[cfg_attr(not(feature = "command"), path = "output/only_standard_output.rs")]
mod target;

/// Where a command writes to.
pub struct Output {
    /// The path as it was given.
    path: PathBuf,
    target: Target,
}

impl Output {
    /// Finds out where the path leads. Nothing is written yet.
    ///
    /// # Errors
    ///
    /// If it is known beforehand that it cannot be written, or if it is the file that the command has read.
    pub fn new(path: &Path, input: Option<&Identity>) -> Result<Output, Failure> {
        let target = Target::of(path).with_context(|| unwritable(path))?;
        if let Some(file) = target.file()
            && input.is_some()
            && Identity::of_path(&file).as_ref() == input
        {
            return Err(Failure::Usage(format!("{} is the input, which would be overwritten", shown(path))));
        }
        Ok(Output { path: path.to_owned(), target })
    }

    /// Writes all of the bytes.
    ///
    /// # Errors
    ///
    /// If that fails; a regular file is then as it was.
    pub fn write(&self, bytes: &[u8]) -> anyhow::Result<()> {
        self.target.write(bytes).with_context(|| unwritable(&self.path))
    }
}

/// Prints to standard output. A reader that has seen enough is no failure.
pub fn print(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome.context("standard output cannot be written"),
    }
}

fn unwritable(path: &Path) -> String {
    format!("{} cannot be written", shown(path))
}

/// Returns the name of what a command was told to write to.
fn shown(path: &Path) -> String {
    match path == Path::new("-") {
        true => "standard output".to_owned(),
        false => Name(&path.display().to_string()).to_string(),
    }
}

/// Writes to something that is not replaced.
fn through(mut stream: impl Write, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes)?;
    stream.flush()
}
