//! What a WASI program is given by the command line and the system.

use std::ffi::OsString;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

use wasm2onnx_runtime::{Network, Wasi};

use super::tree::Tree;
use crate::command::failure::Failure;

/// Options for WASI programs.
#[derive(Debug, clap::Args)]
pub struct WasiOptions {
    /// For WASI programs: a variable of the environment, which has no others; without a value, as it is here
    #[arg(long = "env", value_name = "NAME[=VALUE]", value_parser = variable)]
    env: Vec<Variable>,

    /// For WASI programs: a directory that the program can read, with all that is in it, as GUEST [default: HOST]. It is
    /// read when the program starts
    #[arg(long = "dir", value_name = "HOST[::GUEST]")]
    dirs: Vec<Directory>,

    /// For WASI programs: the time when the program starts, in nanoseconds since 1970 [default: now]
    #[arg(long, value_name = "NANOSECONDS")]
    clock: Option<u64>,

    /// For WASI programs: the seed of random numbers [default: a random one]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

#[derive(Clone, Debug)]
struct Variable {
    name: String,
    value: Option<String>,
}

fn variable(text: &str) -> Result<Variable, String> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (text, None),
    };
    if name.is_empty() {
        return Err("expected NAME=VALUE or NAME".to_owned());
    }
    Ok(Variable { name: name.to_owned(), value })
}

#[derive(Clone, Debug)]
struct Directory {
    host: PathBuf,
    guest: String,
}

impl FromStr for Directory {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (host, guest) = text.split_once("::").unwrap_or((text, text));
        if host.is_empty() || guest.is_empty() {
            return Err("expected HOST or HOST::GUEST".to_owned());
        }
        Ok(Directory { host: host.into(), guest: guest.to_owned() })
    }
}

impl WasiOptions {
    /// Returns what a program is given. What it does not use is left out.
    ///
    /// # Errors
    ///
    /// If a directory cannot be read, or an argument or a variable cannot be handed on.
    pub fn given(&self, network: &Network, path: &Path, arguments: &[OsString]) -> Result<Wasi, Failure> {
        let io = &network.io;
        let mut wasi = Wasi {
            clock: self.clock.unwrap_or_else(now),
            seed: self.seed.unwrap_or_else(|| RandomState::new().hash_one(0)),
            terminals: [io::stdin().is_terminal(), io::stdout().is_terminal(), io::stderr().is_terminal()]
                .into_iter()
                .rev()
                .fold(0, |bits, is_terminal| bits << 1 | u32::from(is_terminal)),
            ..Wasi::default()
        };
        if io.argv_end.is_some() {
            // As in wasmtime, a program is called by the name of its file.
            let name = path.file_name().unwrap_or(path.as_os_str());
            for argument in std::iter::once(name).chain(arguments.iter().map(OsString::as_os_str)) {
                let text = argument.to_str().ok_or_else(|| {
                    Failure::Usage(format!("the argument `{}` is not Unicode", argument.to_string_lossy()))
                })?;
                push(&mut wasi.argv, text);
            }
        }
        if io.environ_end.is_some() {
            for Variable { name, value } in &self.env {
                let value = match value {
                    Some(value) => value.clone(),
                    None => std::env::var(name).map_err(|_| {
                        Failure::Usage(format!(
                            "--env {name}: this variable is not set here, or not to Unicode; give it a value with --env {name}=VALUE"
                        ))
                    })?,
                };
                push(&mut wasi.environ, &format!("{name}={value}"));
            }
        }
        let mut tree = Tree::new(io.files_end.and(io.input).map(|region| network.regions[region].count));
        for Directory { host, guest } in &self.dirs {
            tree.add(host, guest)?;
        }
        wasi.files = tree.finish();
        Ok(wasi)
    }
}

/// Appends a string and the 0 that ends it. The command line cannot contain a 0.
fn push(strings: &mut Vec<u8>, text: &str) {
    strings.extend_from_slice(text.as_bytes());
    strings.push(0);
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
