//! What the minimal command can write to: standard output.

use std::io;
use std::path::{Path, PathBuf};

use super::through;

/// Standard output.
pub struct Target;

impl Target {
    /// Returns what a path leads to, if that is standard output.
    pub fn of(path: &Path) -> io::Result<Target> {
        match path == Path::new("-") {
            true => Ok(Target),
            false => {
                Err(io::Error::other("this build of the command writes only to standard output: `-o -`"))
            }
        }
    }

    /// Returns the path of the file that would be overwritten: none.
    pub fn file(&self) -> Option<PathBuf> {
        None
    }

    /// Writes all of the bytes.
    pub fn write(&self, bytes: &[u8]) -> io::Result<()> {
        // Hosts limit how much a single call may write: wasmtime refuses more than 128 MiB.
        bytes.chunks(1 << 20).try_for_each(|piece| through(io::stdout().lock(), piece))
    }
}
