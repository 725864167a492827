//! Packs directories for WASI programs: a ustar archive of several volumes, each with the name of a directory that the program
//! finds open.

use std::fs::{self, File, Metadata};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use anyhow::{Context, anyhow};
use tar::{Builder, EntryType, Header};

use crate::command::display::Count;
use crate::command::failure::Failure;

/// A tree that is being packed.
pub struct Tree {
    /// Room for the archive in bytes; `None` if the program reads no files.
    room: Option<u64>,
    archive: Builder<Vec<u8>>,
}

impl Tree {
    /// Returns an empty tree for a program that has room for this many bytes; `None` if it reads no files.
    pub fn new(room: Option<u64>) -> Tree {
        Tree { room, archive: Builder::new(Vec::new()) }
    }

    /// Adds a directory with all that is in it.
    ///
    /// # Errors
    ///
    /// If it is not a directory, if something in it cannot be read, or if there is no room for it.
    pub fn add(&mut self, host: &Path, guest: &str) -> Result<(), Failure> {
        let shown = host.display();
        let metadata = fs::metadata(host).map_err(|why| Failure::Usage(format!("--dir {shown}: {why}")))?;
        if !metadata.is_dir() {
            return Err(Failure::Usage(format!("--dir {shown}: it is not a directory")));
        }
        if self.room.is_none() {
            return Ok(());
        }
        self.entry(EntryType::new(b'V'), guest.as_bytes(), None, 0, &[])?;
        self.directory(host, "./", &metadata)?;
        Ok(())
    }

    /// Adds what is in a directory, in the order of names, so that an archive does not depend on the file system.
    fn directory(&mut self, host: &Path, path: &str, metadata: &Metadata) -> anyhow::Result<()> {
        let reading = |path: &Path| format!("{} cannot be read", path.display());
        self.entry(EntryType::Directory, path.as_bytes(), None, time(metadata), &[])?;
        let entries = fs::read_dir(host).with_context(|| reading(host))?;
        let mut entries: Vec<PathBuf> = entries
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<_, _>>()
            .with_context(|| reading(host))?;
        entries.sort();
        for entry in entries {
            let metadata = fs::symlink_metadata(&entry).with_context(|| reading(&entry))?;
            let name = entry.file_name().expect("it is in a directory");
            let Some(name) = name.to_str() else {
                return Err(anyhow!("{} has a name that is not Unicode", entry.display()));
            };
            let path = format!("{path}{name}");
            if metadata.is_dir() {
                self.directory(&entry, &format!("{path}/"), &metadata)?;
            } else if metadata.is_symlink() {
                let target = fs::read_link(&entry).with_context(|| reading(&entry))?;
                let target = target
                    .to_str()
                    .with_context(|| format!("{} leads to no Unicode name", entry.display()))?;
                self.entry(
                    EntryType::Symlink,
                    path.as_bytes(),
                    Some(target.as_bytes()),
                    time(&metadata),
                    &[],
                )?;
            } else if metadata.is_file() {
                self.check_room(metadata.len()).with_context(|| entry.display().to_string())?;
                let mut bytes = Vec::new();
                // A file that grows meanwhile is cut off.
                let file = File::open(&entry).with_context(|| reading(&entry))?;
                file.take(metadata.len()).read_to_end(&mut bytes).with_context(|| reading(&entry))?;
                self.entry(EntryType::Regular, path.as_bytes(), None, time(&metadata), &bytes)?;
            }
            // Sockets, pipes and devices hold nothing to read.
        }
        Ok(())
    }

    /// Adds an entry: a header, and before it, as in GNU's archives, names that are too long for it.
    fn entry(
        &mut self,
        kind: EntryType,
        path: &[u8],
        target: Option<&[u8]>,
        seconds: u64,
        bytes: &[u8],
    ) -> anyhow::Result<()> {
        let mut header = Header::new_gnu();
        let fields = header.as_gnu_mut().expect("it was made as one");
        for (text, field, long) in [
            (Some(path), &mut fields.name, EntryType::GNULongName),
            (target, &mut fields.linkname, EntryType::GNULongLink),
        ] {
            let Some(text) = text else { continue };
            if text.len() <= field.len() {
                field[..text.len()].copy_from_slice(text);
            } else {
                self.append(Header::new_gnu(), long, text)?;
            }
        }
        header.set_mtime(seconds);
        self.append(header, kind, bytes)
    }

    fn append(&mut self, mut header: Header, kind: EntryType, bytes: &[u8]) -> anyhow::Result<()> {
        self.check_room(bytes.len() as u64)?;
        header.set_entry_type(kind);
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        self.archive.append(&header, bytes).context("the tree of files cannot be packed")
    }

    /// Checks that there is room for an entry of this many bytes.
    fn check_room(&self, bytes: u64) -> anyhow::Result<()> {
        let room = self.room.unwrap_or(0);
        match (self.archive.get_ref().len() as u64).saturating_add(bytes).saturating_add(512) > room {
            true => Err(anyhow!(
                "the tree of files is larger than {} bytes, the most that a program can have",
                Count(room)
            )),
            false => Ok(()),
        }
    }

    /// Returns the archive, of no bytes if there is nothing in it.
    pub fn finish(self) -> Vec<u8> {
        if self.archive.get_ref().is_empty() {
            return Vec::new();
        }
        self.archive.into_inner().expect("a vector can be written")
    }
}

/// Returns when a file was changed, in seconds since 1970.
fn time(metadata: &Metadata) -> u64 {
    let changed = metadata.modified().unwrap_or(UNIX_EPOCH);
    changed.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
