//! `wasm2onnx run`: runs one export of a module or model, prints what it printed and its results.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use wasm2onnx_runtime::{Config, Executor, Instance, Network, Value};

use crate::arguments;
use crate::display::{Count, Signature};
use crate::entry::{choose_entry, entries};
use crate::failure::Failure;
use crate::input::{ModuleOptions, Source};
use crate::progress::ProgressLine;

/// Longest standard input in bytes.
const MAX_STDIN: u64 = 1 << 30;

/// Run an exported function of a module or of a compiled model
#[derive(Debug, clap::Args)]
#[command(override_usage = "wasm2onnx run [OPTIONS] <INPUT> [ARGS]...")]
pub struct Run {
    #[command(flatten)]
    module: ModuleOptions,

    /// The export to run [default: `_start`, or the only exported function]
    #[arg(long, value_name = "NAME")]
    invoke: Option<String>,

    /// Stop with an error after so many steps [default: unlimited]
    #[arg(long, value_name = "N")]
    max_steps: Option<u64>,

    /// What evaluates the network. Both give the same bits
    #[arg(long, value_enum, default_value_t = ExecutorName::Sparse)]
    executor: ExecutorName,

    /// Print tokens, steps, both per second, and sizes of the live trace to standard error
    #[arg(long)]
    stats: bool,

    /// The module, .wasm or .wat, or a compiled .onnx (`-` is standard input); all that follows are arguments of the
    /// export, integers signed or unsigned or after `0x`, floats as Rust reads them
    // One list, since only within a list is everything after the first value a value.
    #[arg(required = true, trailing_var_arg = true, value_names = ["INPUT", "ARGS"])]
    input_and_arguments: Vec<OsString>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum ExecutorName {
    /// Only the non-zeros, on a direct-mapped trace
    Sparse,
    /// The definition, literally: for small programs
    Dense,
}

impl From<ExecutorName> for Executor {
    fn from(name: ExecutorName) -> Self {
        match name {
            ExecutorName::Sparse => Executor::Sparse,
            ExecutorName::Dense => Executor::Dense,
        }
    }
}

impl Run {
    pub fn execute(self) -> Result<(), Failure> {
        let (input, arguments) = self.input_and_arguments.split_first().expect("clap requires it");
        let path = Path::new(input);
        let network = Source::read(path)?.network(&self.module)?;
        let signature = choose_entry(&entries(&network), self.invoke.as_deref())?;
        let arguments = parse_arguments(signature, arguments)?;

        let line = ProgressLine::start();
        let config = Config {
            executor: self.executor.into(),
            max_steps: self.max_steps,
            stdin: read_stdin(&network, path)?,
            progress: line.as_ref().map(ProgressLine::callback),
            ..Config::default()
        };
        let start = Instant::now();
        let mut instance = Instance::with_config(&network, config)?;
        let outcome = instance.invoke(signature.name, &arguments);
        let elapsed = start.elapsed();
        drop(line);

        // What was printed before a trap or a limit was printed.
        print(&instance.stdout(), outcome.as_deref().unwrap_or(&[]))?;
        if self.stats {
            // A closed standard error is no reason to fail.
            let _ = io::stderr().write_all(stats(&instance, elapsed).as_bytes());
        }
        outcome?;
        Ok(())
    }
}

/// The arguments, by the types of the parameters.
fn parse_arguments(signature: Signature, texts: &[OsString]) -> Result<Vec<Value>, Failure> {
    let (expected, given) = (signature.params.len(), texts.len());
    if expected != given {
        return Err(Failure::Usage(format!(
            "{given} argument{} given, but the function is {signature}",
            if given == 1 { "" } else { "s" },
        )));
    }
    let mut arguments = Vec::new();
    for (text, ty) in texts.iter().zip(signature.params) {
        // What is not Unicode is not a number.
        let text = text.to_string_lossy();
        arguments.push(arguments::parse(&text, *ty).map_err(|why| {
            Failure::Usage(format!(
                "argument {} of {signature}: `{text}` is not an {ty}: {why}",
                arguments.len() + 1
            ))
        })?);
    }
    Ok(arguments)
}

/// Standard input, if the program reads it and it was not the module.
fn read_stdin(network: &Network, input: &Path) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if network.io.stdin.is_some() && input != Path::new("-") {
        let mut stdin = io::stdin().lock().take(MAX_STDIN + 1);
        stdin.read_to_end(&mut bytes).context("standard input cannot be read")?;
        if bytes.len() as u64 > MAX_STDIN {
            return Err(anyhow!("standard input is longer than {MAX_STDIN} bytes"));
        }
    }
    Ok(bytes)
}

/// Writes what the program printed, then its results, one a line.
fn print(stdout: &[u8], results: &[Value]) -> anyhow::Result<()> {
    let mut bytes = stdout.to_vec();
    for result in results {
        writeln!(bytes, "{result}").expect("vectors can be written");
    }
    let mut out = io::stdout().lock();
    match out.write_all(&bytes).and_then(|()| out.flush()) {
        // The reader has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome.context("standard output cannot be written"),
    }
}

/// The report of `--stats`.
fn stats(instance: &Instance<'_>, elapsed: Duration) -> String {
    let seconds = elapsed.as_secs_f64().max(1e-9);
    let rate = |count: u64| Count((count as f64 / seconds) as u64);
    let (tokens, steps, size) = (instance.tokens(), instance.steps(), instance.trace_size());
    let mut text = String::new();
    for (name, value) in [
        ("tokens", format!("{} ({}/s)", Count(tokens), rate(tokens))),
        ("steps", format!("{} ({}/s)", Count(steps), rate(steps))),
        ("time", format!("{seconds:.3} s")),
        ("live trace", format!("{} rows in {} bytes", Count(size.rows), Count(size.bytes))),
    ] {
        writeln!(text, "{name:<11} {value}").expect("strings can be written");
    }
    text
}
