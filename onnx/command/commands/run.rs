//! `wasm2onnx run`: runs one export of a module or model, and prints what the program prints and its results.

mod progress;
mod tree;
mod wasi;

use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::Form;
use wasm2onnx_compiler::Certified;
use wasm2onnx_runtime::{Config, Error, Executor, InputSource, Instance, Name, Tensor, Value};

use crate::command::arguments;
use crate::command::display::{Count, Signature};
use crate::command::entry::{choose_entry, entries};
use crate::command::failure::Failure;
use crate::command::input::{ModuleOptions, Source};
use crate::command::output::print;
use crate::command::tensors;
use progress::{Hider, ProgressLine};
pub use wasi::WasiOptions;

/// Run an exported function of a module or of a compiled model
#[derive(Debug, clap::Args)]
#[command(override_usage = "wasm2onnx run [OPTIONS] <INPUT> [ARGS]...")]
pub struct Run {
    #[command(flatten)]
    module: ModuleOptions,

    /// Name of the exported function to run [default: `_start`, the only function of tensors, or the only exported
    /// function]
    #[arg(long, value_name = "NAME")]
    invoke: Option<String>,

    /// Maximum number of steps; a longer run is stopped with an error [default: unlimited]
    #[arg(long, value_name = "N")]
    max_steps: Option<u64>,

    /// How the network is evaluated; both executors give the same bits
    #[arg(long, value_enum, default_value_t = ExecutorName::Sparse)]
    executor: ExecutorName,

    /// Where to write the outputs of a function of tensors, each as a file NAME.npy; they are printed otherwise
    #[arg(short, long, value_name = "DIRECTORY")]
    output: Option<PathBuf>,

    #[command(flatten)]
    wasi: WasiOptions,

    /// Print to standard error how many tokens and steps the run took, in all and per second, and the size of
    /// the live trace
    #[arg(long)]
    stats: bool,

    /// The module (.wasm or .wat) or the compiled model (.onnx); `-` is standard input. Everything that
    /// follows is an argument of the program, if `_start` is run. Otherwise it is an argument of the function, except for a `--` directly after the input: integers are
    /// signed or unsigned, in decimal or after `0x` in hexadecimal; floats are written as Rust reads them; a
    /// reference can only be `null`. Tensors are NAME=VALUE: numbers, in brackets if there are dimensions, text for bytes, or
    /// @FILE, an array of NumPy (.npy) or the bytes of the elements
    // The input and the arguments are one list, since clap takes everything after the first value as values
    // only within a list.
    #[arg(required = true, trailing_var_arg = true, value_names = ["INPUT", "ARGS"])]
    input_and_arguments: Vec<OsString>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum ExecutorName {
    /// Only the non-zeros, with one cell of the trace for each key
    Sparse,
    /// The definition, taken literally: for small programs
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
        let (input, mut arguments) = self.input_and_arguments.split_first().expect("clap requires it");
        // As in wasmtime, a `--` directly behind the input is a separator, not an argument.
        if let Some((first, others)) = arguments.split_first()
            && first == "--"
        {
            arguments = others;
        }
        let path = Path::new(input);
        let network = self.network(&Source::read(path)?)?;
        let signature = choose_entry(&entries(&network), self.module.entry(self.invoke.as_deref()))?;
        let boundary = network.entries[signature.name].boundary.as_ref();
        let (arguments, program_arguments) = match (signature.name, boundary) {
            ("_start", None) if signature.params.is_empty() => (Arguments::Values(Vec::new()), arguments),
            (_, None) => (Arguments::Values(parse_arguments(signature, arguments)?), &[][..]),
            (_, Some(boundary)) => (Arguments::Tensors(tensors::parse(boundary, arguments)?), &[][..]),
        };
        if self.output.is_some() && boundary.is_none() {
            let message = "--output is for the tensors of a function with a signature".to_owned();
            return Err(Failure::Usage(message));
        }
        let wasi = self.wasi.given(&network, path, program_arguments)?;

        let line = ProgressLine::start();
        let config = Config {
            executor: self.executor.into(),
            max_steps: self.max_steps,
            // If the module came from standard input, there is nothing left for the program to read.
            stdin_source: (path != Path::new("-")).then(|| -> InputSource { Box::new(Stdin(hider(&line))) }),
            keep_streams: false,
            stdout_sink: Some(Box::new(Printer { stream: io::stdout(), line: hider(&line) })),
            stderr_sink: Some(Box::new(Printer { stream: io::stderr(), line: hider(&line) })),
            wasi,
            progress: line.as_ref().map(ProgressLine::callback),
            ..Config::default()
        };
        let start = Instant::now();
        let mut instance = Instance::prepared(&network, config)?;
        let outcome = match &arguments {
            Arguments::Values(values) => instance.invoke(signature.name, values).map(Arguments::Values),
            Arguments::Tensors(inputs) => instance.call(signature.name, inputs).map(Arguments::Tensors),
        };
        let elapsed = start.elapsed();
        drop(line);

        match (&outcome, boundary, &self.output) {
            (Ok(Arguments::Values(results)), ..) => print(&lines(results))?,
            (Ok(Arguments::Tensors(outputs)), Some(boundary), None) => {
                print(&tensors::lines(boundary, outputs))?
            }
            (Ok(Arguments::Tensors(outputs)), Some(boundary), Some(directory)) => {
                tensors::write(boundary, outputs, directory)?;
            }
            _ => {}
        }
        // A closed standard error is no reason to fail.
        let _ = io::stderr().write_all(growth_notice(&instance).as_bytes());
        if self.stats {
            let _ = io::stderr().write_all(stats(&instance, elapsed).as_bytes());
        }
        match outcome {
            // The reader has seen enough.
            Err(Error::Output { kind: io::ErrorKind::BrokenPipe, .. }) => Ok(()),
            outcome => outcome.map(drop).map_err(Failure::from),
        }
    }
}

impl Run {
    /// Returns the network of a model, or compiles what is to be run of a module, as `compile` does: so both take the same
    /// number of steps.
    fn network(&self, source: &Source) -> Result<Certified, Failure> {
        if source.is_model() {
            return source.network(&self.module);
        }
        let options = source.options(&self.module, Form::Loop)?;
        let exports = source.exports(&options)?;
        let chosen = choose_entry(&exports.signatures(), self.module.entry(self.invoke.as_deref()));
        let Signature { name, .. } = chosen.map_err(|failure| self.with_hint(failure))?;
        source.compile(options, name)
    }

    /// Adds to the error that no function was chosen that options come before the input, if it looks as if they did not.
    fn with_hint(&self, failure: Failure) -> Failure {
        let is_option =
            |argument: &OsString| argument != "--" && argument.to_string_lossy().starts_with("--");
        match failure {
            Failure::Usage(message)
                if self.invoke.is_none() && self.input_and_arguments[1..].iter().any(is_option) =>
            {
                let input = self.input_and_arguments[0].to_string_lossy();
                let input = Name(&input);
                Failure::Usage(format!(
                    "{message}\nwhat follows {input} is for the program; options come before it"
                ))
            }
            failure => failure,
        }
    }
}

/// What a function is called with, or gives.
enum Arguments {
    Values(Vec<Value>),
    Tensors(Vec<Tensor>),
}

/// Standard input, which is read only when the program asks for it. What the user types must not mix with the
/// progress line.
struct Stdin(Option<Hider>);

impl Read for Stdin {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let mut stdin = io::stdin().lock();
        if let Some(line) = self.0.take_if(|_| stdin.is_terminal()) {
            line.hide();
        }
        stdin.read(bytes)
    }
}

/// Standard output or standard error. What is printed to a terminal must not mix with the progress line, either.
struct Printer<S> {
    stream: S,
    line: Option<Hider>,
}

impl<S: Write + IsTerminal> Write for Printer<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(line) = self.line.take_if(|_| self.stream.is_terminal()) {
            line.hide();
        }
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

fn hider(line: &Option<ProgressLine>) -> Option<Hider> {
    line.as_ref().map(ProgressLine::hider)
}

/// Reads the arguments according to the types of the parameters.
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
        // Text that is not Unicode is not a number.
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

/// Returns the results, one per line.
fn lines(results: &[Value]) -> String {
    results.iter().map(|result| format!("{result}\n")).collect()
}

/// Returns a note if the memory could not grow because of a limit that the program does not know: the program
/// may have failed for that reason, whatever it says.
fn growth_notice(instance: &Instance<'_>) -> String {
    let (Some(limit), Some(pages)) = (instance.network().growth_limit, instance.refused_growth()) else {
        return String::new();
    };
    format!(
        "note: the program asked for a memory of {} pages, but the limit is {}; --max-memory-pages N sets another \
         limit\n",
        Count(pages),
        Count(limit.pages.into()),
    )
}

/// Returns the report of `--stats`.
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
