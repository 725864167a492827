//! What input and output files have in common.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// How long another process may take to open the other end of a FIFO.
const PATIENCE: Duration = Duration::from_secs(10);

/// Identifies a regular file, whatever it is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    #[cfg(unix)]
    device_and_number: (u64, u64),
    #[cfg(not(unix))]
    path: PathBuf,
}

impl Identity {
    /// Returns the identity of an open file, if it is a regular one.
    pub fn of(metadata: &Metadata, path: &Path) -> Option<Identity> {
        if !metadata.is_file() {
            return None;
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            let _ = path;
            Some(Identity { device_and_number: (metadata.dev(), metadata.ino()) })
        }
        #[cfg(not(unix))]
        Some(Identity { path: std::fs::canonicalize(path).ok()? })
    }

    /// Returns the identity of the file at a path, if it is a regular one.
    pub fn of_path(path: &Path) -> Option<Identity> {
        Identity::of(&std::fs::metadata(path).ok()?, path)
    }
}

/// Opens a file. Opening one that is not regular may block, a FIFO for instance until its other end is
/// opened; this function does not wait forever.
pub fn open_within_patience(path: &Path, options: &OpenOptions) -> io::Result<File> {
    if std::fs::metadata(path)?.is_file() {
        return options.open(path);
    }
    let (send, receive) = mpsc::channel();
    let (options, path): (OpenOptions, PathBuf) = (options.clone(), path.to_owned());
    // If the thread waits forever, it ends with the command.
    thread::Builder::new().spawn(move || drop(send.send(options.open(path))))?;
    receive.recv_timeout(PATIENCE).unwrap_or_else(|_| {
        let why = format!("nobody has opened its other end for {} seconds", PATIENCE.as_secs());
        Err(io::Error::new(io::ErrorKind::TimedOut, why))
    })
}
