//! The file that a command writes, either the whole of it or nothing.
//!
//! A file is written beside the one that it replaces, and takes that one's name when all of it is on the
//! disk. If an error, or a signal that can be caught, ends the command before that ([`Temporary`]), the old
//! file is still there and the new one is not. Output to anything but a regular file is written to it
//! directly.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::through;
use crate::command::files::open_within_patience;

/// Maximum number of symbolic links that may lead to a file.
const MAX_LINKS: usize = 40;

/// What a path leads to.
pub enum Target {
    /// A stream that the command was started with, by its number.
    Stream(u32),
    /// A device, a FIFO, ….
    Through(PathBuf),
    /// A regular file, or one that does not exist yet, at the end of all links.
    File { path: PathBuf, old: Option<Permissions> },
}

impl Target {
    /// Follows links, as the system would, to what they lead to.
    pub fn of(path: &Path) -> io::Result<Target> {
        if path == Path::new("-") {
            return Ok(Target::Stream(1));
        }
        let mut path = path.to_owned();
        for _ in 0..MAX_LINKS {
            if let Some(number) = stream_number(&path) {
                return Ok(Target::Stream(number));
            }
            match fs::symlink_metadata(&path) {
                Ok(metadata) if metadata.is_symlink() => {
                    let link = fs::read_link(&path)?;
                    path = folder(&path).join(link);
                }
                Ok(metadata) if metadata.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
                Ok(metadata) if metadata.is_file() => {
                    // A file that may not be written may not be replaced, either.
                    OpenOptions::new().write(true).open(&path)?;
                    return Ok(Target::File { path, old: Some(metadata.permissions()) });
                }
                Ok(_) => return Ok(Target::Through(path)),
                Err(error)
                    if error.kind() == io::ErrorKind::NotFound && fs::metadata(folder(&path))?.is_dir() =>
                {
                    return Ok(Target::File { path, old: None });
                }
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::other("too many symbolic links"))
    }

    /// Returns the path of the file that would be overwritten or appended to, if there may be one.
    pub fn file(&self) -> Option<PathBuf> {
        match self {
            Target::File { path, old: Some(_) } => Some(path.clone()),
            // A stream may lead to a regular file as well.
            Target::Stream(number) => Some(format!("/proc/self/fd/{number}").into()),
            Target::File { old: None, .. } | Target::Through(_) => None,
        }
    }

    /// Writes all of the bytes.
    pub fn write(&self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Target::Stream(1) => through(io::stdout().lock(), bytes),
            Target::Stream(2) => through(io::stderr().lock(), bytes),
            Target::Stream(number) => {
                // Even a regular file is appended to and not replaced.
                let stream = OpenOptions::new().append(true).open(format!("/proc/self/fd/{number}"));
                stream.and_then(|stream| through(stream, bytes))
            }
            Target::Through(path) => {
                let opened = open_within_patience(path, OpenOptions::new().write(true));
                opened.and_then(|file| through(file, bytes))
            }
            Target::File { path, old } => replace(path, old.as_ref(), bytes),
        }
    }
}

/// Returns the number of an open stream that a path like `/proc/self/fd/1` names.
fn stream_number(path: &Path) -> Option<u32> {
    let streams = fs::canonicalize(folder(path)).ok()?;
    let own = Path::new("/proc").join(std::process::id().to_string()).join("fd");
    (streams == own).then(|| path.file_name()?.to_str()?.parse().ok()).flatten()
}

/// Returns the folder that a file is in.
fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Puts a file in the place of an old one, if there was one.
fn replace(path: &Path, old: Option<&Permissions>, bytes: &[u8]) -> io::Result<()> {
    // The name of the temporary file would tell the user nothing.
    let mut temporary = Temporary::beside(path).map_err(|error| {
        let kind = error.kind();
        io::Error::new(kind, format!("no file can be created in its folder: {kind}"))
    })?;
    if let Some(permissions) = old {
        temporary.file.as_file().set_permissions(permissions.clone())?;
    }
    temporary.file.write_all(bytes)?;
    temporary.file.as_file().sync_all()?;
    temporary.persist(path)?;
    // Not all systems can make sure that the name is on the disk, too.
    let _ = File::open(folder(path)).and_then(|folder| folder.sync_all());
    Ok(())
}

/// A file that is removed when the command ends, unless it has got its final name.
struct Temporary {
    file: NamedTempFile,
    #[cfg(unix)]
    signals: signals::Watched,
}

impl Temporary {
    fn beside(path: &Path) -> io::Result<Temporary> {
        let mut builder = tempfile::Builder::new();
        #[cfg(unix)]
        {
            // The mode is that of any new file, from which the system takes away what the user's mask says.
            use std::os::unix::fs::PermissionsExt;
            builder.permissions(Permissions::from_mode(0o666));
            let signals = signals::Watched::new()?;
            let mut name = signals.lock();
            let file = builder.tempfile_in(folder(path))?;
            *name = Some(file.path().to_owned());
            drop(name);
            Ok(Temporary { file, signals })
        }
        #[cfg(not(unix))]
        Ok(Temporary { file: builder.tempfile_in(folder(path))? })
    }

    fn persist(self, path: &Path) -> io::Result<()> {
        #[cfg(unix)]
        let mut name = self.signals.lock();
        self.file.persist(path).map_err(|error| error.error)?;
        #[cfg(unix)]
        {
            *name = None;
        }
        Ok(())
    }
}

#[cfg(unix)]
mod signals {
    //! Signals that end the command, while there is a temporary file.

    use std::fs;
    use std::io;
    use std::path::PathBuf;
    use std::sync::atomic::AtomicBool;
    use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
    use std::thread;

    use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGXCPU, SIGXFSZ};
    use signal_hook::iterator::Signals;
    use signal_hook::{flag, low_level};

    /// The name of the temporary file, as long as it has to be removed.
    pub struct Watched(Arc<Mutex<Option<PathBuf>>>);

    impl Watched {
        /// From now on, a signal that ends the command removes the file first.
        pub fn new() -> io::Result<Watched> {
            // If there is a handler for this signal, writing a file that gets too large is an error.
            flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)))?;
            let ends = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGXCPU];
            let mut signals = Signals::new(ends.into_iter().filter(|signal| !is_ignored(*signal)))?;
            let name = Arc::new(Mutex::new(None));
            let shared = Arc::clone(&name);
            thread::spawn(move || {
                for signal in signals.forever() {
                    // The lock is held until the command has ended, so that the file does not get its final
                    // name any more.
                    let mut name = lock(&shared);
                    if let Some(name) = name.take() {
                        // If that fails, nothing else would help.
                        let _ = fs::remove_file(name);
                    }
                    let _ = low_level::emulate_default_handler(signal);
                }
            });
            Ok(Watched(name))
        }

        pub fn lock(&self) -> MutexGuard<'_, Option<PathBuf>> {
            lock(&self.0)
        }
    }

    fn lock(name: &Mutex<Option<PathBuf>>) -> MutexGuard<'_, Option<PathBuf>> {
        name.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether the command was started so that it survives a signal, as by `nohup`. This is known on
    /// Linux only.
    fn is_ignored(signal: i32) -> bool {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
        mask >> (signal - 1) & 1 == 1
    }
}
