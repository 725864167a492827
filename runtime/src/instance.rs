//! Instances: a network with its state between calls.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::certificate::Domain;
use crate::dense::Dense;
use crate::error::{Error, Trap};
use crate::io::{Input, InputSource, Output, OutputSink, Printed, STDIN, too_long};
use crate::limits::{MAX_SLICE_STEPS, MIN_SLICE_STEPS, PACKET_STEPS, PAGE_BYTES};
use crate::network::*;
use crate::observe::{Observed, Observer};
use crate::sparse::{Sparse, SparseOptions};
use crate::stepper::{Slice, Stepper};
use crate::tensors::{Sizes, Tensor};
use crate::tokens::{TokenEnds, constant_next};
use crate::trace::TraceSize;
use crate::trace::key_of;
use crate::value::Value;
use crate::waits::Waits;

/// The executor that runs the network. All executors give the same bits at every step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Executor {
    /// Evaluates only the non-zeros, on a direct-mapped trace: time per step and memory do not grow with
    /// the length of the run.
    #[default]
    Sparse,
    /// The definition, literally: matrix products and attention over the whole trace. Slow, and its
    /// memory grows with every row.
    Dense,
}

/// A callback that is called with the number of steps evaluated so far.
pub type Progress = Box<dyn FnMut(u64) + Send + Sync>;

/// A callback that says whether a run is to stop.
pub type Interrupt = Box<dyn FnMut() -> bool + Send + Sync>;

/// How to run a network.
pub struct Config {
    /// The executor that runs the network.
    pub executor: Executor,
    /// Maximum number of steps that an instance may evaluate in all, instance creation included;
    /// unlimited by default. [`Instance::set_max_steps`] changes it later. The next step would append the
    /// rows that the last step made, so they are not in the trace: a byte among them was not printed.
    pub max_steps: Option<u64>,
    /// The first bytes of standard input. Ignored if the network reads none.
    pub stdin: Vec<u8>,
    /// Source of the standard input that follows [`Config::stdin`]. It is read when the program asks for a
    /// byte that has not been supplied yet; what the program has printed by then is written first.
    pub stdin_source: Option<InputSource>,
    /// Where standard output is written while the program runs: several times per second, whenever the
    /// program waits for input, and when it ends, however it ends. [`Instance::stdout`] returns all of it,
    /// too, if [`Config::keep_streams`] says so.
    pub stdout_sink: Option<OutputSink>,
    /// The same for standard error.
    pub stderr_sink: Option<OutputSink>,
    /// Whether the trace keeps the input from [`Config::stdin_source`] that the program has read, and the output that was
    /// written to a sink. By default it does. Otherwise input takes the place of what was read before, and output is forgotten
    /// ([`Instance::stdout`] has zeros in its place), a megabyte at a time: memory does not grow with what
    /// flows through, however much that is. The network's limit for output stays.
    pub keep_streams: bool,
    /// What a WASI program is given. Ignored, part by part, if the network does not use it.
    pub wasi: Wasi,
    /// Whether the sparse executor asserts at each step what the certificate declares, and panics
    /// if it does not hold. By default only with `debug_assertions`. Only for certified networks.
    pub assert_declared: bool,
    /// Number of visits of a packet after which the sparse executor compiles it to machine code; never if
    /// `None`, with `assert_declared`, or without the feature `jit`. With 0 it is compiled at once: see
    /// [`SparseOptions::compile_after`].
    pub compile_after: Option<u32>,
    /// Called about once per million steps of a run, or more often.
    pub progress: Option<Progress>,
    /// Asked some twenty times per second of a run, or about as often. If it says so, the run ends with [`Error::Interrupted`].
    pub interrupt: Option<Interrupt>,
}

/// What a WASI program is given besides standard input.
#[derive(Clone, Debug, Default)]
pub struct Wasi {
    /// The program's name and its arguments, each ended by a 0.
    pub argv: Vec<u8>,
    /// The environment: `NAME=VALUE`, each ended by a 0.
    pub environ: Vec<u8>,
    /// The tree of files, a ustar archive. A volume label names the directory that the following entries are in, `/` by
    /// default.
    pub files: Vec<u8>,
    /// The time when the instance is created, in nanoseconds since 1970.
    pub clock: u64,
    /// The seed of random numbers.
    pub seed: u64,
    /// Which of the descriptors 0, 1 and 2 are terminals: a bit for each.
    pub terminals: u32,
}

impl Default for Config {
    fn default() -> Self {
        let SparseOptions { assert_declared, compile_after } = SparseOptions::default();
        Config {
            executor: Executor::default(),
            max_steps: None,
            stdin: Vec::new(),
            stdin_source: None,
            stdout_sink: None,
            stderr_sink: None,
            keep_streams: true,
            wasi: Wasi::default(),
            assert_declared,
            compile_after,
            progress: None,
            interrupt: None,
        }
    }
}

/// A network with the state that persists between calls: its trace.
pub struct Instance<'n> {
    network: &'n Network,
    ends: TokenEnds,
    machine: Machine<'n>,
    max_steps: Option<u64>,
    progress: Option<Progress>,
    interrupt: Option<Interrupt>,
    observer: Option<Box<dyn Observer + Send + Sync + 'n>>,
    input: Option<Input>,
    /// Number of bytes of the input's region in front of those of tensors.
    given: u64,
    outputs: Vec<Output>,
    /// First expert of instance creation, until it has run.
    start: Option<ExpertId>,
    /// Maximum number of steps of the next slice of a run.
    slice_steps: u64,
    steps: u64,
    tokens: u64,
}

enum Machine<'n> {
    Sparse(Box<Sparse<'n>>),
    Dense(Box<Dense<'n>>),
}

impl<'n> Machine<'n> {
    fn stepper(&self) -> &(dyn Stepper + 'n) {
        match self {
            Machine::Sparse(machine) => &**machine,
            Machine::Dense(machine) => &**machine,
        }
    }

    fn stepper_mut(&mut self) -> &mut (dyn Stepper + 'n) {
        match self {
            Machine::Sparse(machine) => &mut **machine,
            Machine::Dense(machine) => &mut **machine,
        }
    }
}

impl<'n> Instance<'n> {
    /// Creates an instance with the default [`Config`], and runs what the program runs at its creation.
    ///
    /// # Errors
    ///
    /// As [`Instance::with_config`].
    pub fn new(network: &'n Network) -> Result<Self, Error> {
        Self::with_config(network, Config::default())
    }

    /// Creates an instance, and runs what the program runs at its creation.
    ///
    /// # Errors
    ///
    /// As [`Instance::prepared`] and [`Instance::create`].
    pub fn with_config(network: &'n Network, config: Config) -> Result<Self, Error> {
        let mut instance = Self::prepared(network, config)?;
        instance.create()?;
        Ok(instance)
    }

    /// Creates an instance whose program has not run anything yet. It can be examined even if
    /// [`Instance::create`] fails.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] if the network breaks a structural rule, [`Error::OutOfMemory`],
    /// [`Error::InputTooLong`].
    pub fn prepared(network: &'n Network, config: Config) -> Result<Self, Error> {
        let machine = match config.executor {
            Executor::Sparse => {
                let Config { assert_declared, compile_after, .. } = config;
                let options = SparseOptions { assert_declared, compile_after };
                Machine::Sparse(Box::new(Sparse::new(network, options)?))
            }
            Executor::Dense => Machine::Dense(Box::new(Dense::new(network)?)),
        };
        let mut instance = Instance {
            network,
            ends: TokenEnds::new(network),
            machine,
            max_steps: config.max_steps,
            progress: config.progress,
            interrupt: config.interrupt,
            observer: None,
            input: None,
            given: 0,
            outputs: Vec::new(),
            slice_steps: MIN_SLICE_STEPS,
            start: network.start,
            steps: 0,
            tokens: 0,
        };
        let stepper = instance.machine.stepper_mut();
        let supplied = first_rows(network, &config.wasi, &config.stdin, stepper)?;
        instance.given = supplied;
        for (stream, place, sink) in [
            ("standard output", network.io.stdout, config.stdout_sink),
            ("standard error", network.io.stderr, config.stderr_sink),
        ] {
            if let (Some(printed), Some(sink)) = (Printed::new(network, place), sink) {
                instance.outputs.push(Output::new(stream, printed, sink, config.keep_streams));
            }
        }
        if let Some(source) = config.stdin_source {
            let capacity = network.io.input.map_or(0, |region| network.regions[region].count);
            // What is still to come must not reach the tensors of any call.
            instance.given = match network.io.tensors {
                Some(_) => supplied.max(capacity / 2),
                None => capacity,
            };
            let room = (supplied, instance.given);
            instance.input = Input::new(network, source, room, config.keep_streams, stepper)?;
        }
        if instance.input.is_some() {
            stepper.wait_at(Waits::new(network));
        }
        Ok(instance)
    }

    /// Sets the observer that sees every step and token from now on. Steps are then made without machine
    /// code.
    ///
    /// The steps of instance creation are seen, too, if the instance was [prepared](Instance::prepared).
    pub fn observe(&mut self, observer: Box<dyn Observer + Send + Sync + 'n>) {
        self.observer = Some(observer);
    }

    /// Runs what the program runs at its creation, if it has not run yet. [`Instance::invoke`] does so, too.
    ///
    /// # Errors
    ///
    /// As [`Instance::invoke`], except for errors of the name and the arguments.
    pub fn create(&mut self) -> Result<(), Error> {
        match self.start.take() {
            Some(start) => self.run(start, &[]),
            None => Ok(()),
        }
    }

    /// Calls an exported function.
    ///
    /// The state that the call leaves persists, even if the call traps or is stopped by a limit or by the host.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownExport`], [`Error::Arguments`]; [`Error::Trap`] if the program traps;
    /// [`Error::StepLimit`] or [`Error::OutputLimit`] if a limit stops it, [`Error::Interrupted`] if the host does; [`Error::Stdin`],
    /// [`Error::InputTooLong`] and [`Error::Output`] if input or output fails; [`Error::Exit`] if the program ends itself;
    /// [`Error::UnreachableState`] and [`Error::NotAWord`] only for a damaged network.
    pub fn invoke(&mut self, name: &str, args: &[Value]) -> Result<Vec<Value>, Error> {
        self.create()?;
        let (entry, fields) = prepare(self.network, name, args, self.machine.stepper_mut())?;
        self.run(entry.expert, &fields)?;
        results(entry, self.machine.stepper())
    }

    /// Calls an exported function of tensors.
    ///
    /// Tensors travel through the same rows as standard input, whose bytes lie before them: while a
    /// [source](Config::stdin_source) still has some, there is room for half as much of each.
    ///
    /// # Errors
    ///
    /// As [`Instance::invoke`], and [`Error::Tensors`] if the tensors do not fit; [`Error::Reported`] if the function reports an error.
    ///
    /// # Examples
    ///
    /// ```ignore
    /// let [ids] = &instance.call("tokenize", &[Tensor::list(b"to be or not")])?[..] else { panic!() };
    /// println!("{:?}", ids.elements::<i64>());
    /// ```
    pub fn call(&mut self, name: &str, inputs: &[Tensor]) -> Result<Vec<Tensor>, Error> {
        self.create()?;
        let network = self.network;
        let entry = find("function", &network.entries, name)?;
        let Some(boundary) = &entry.boundary else {
            return Err(Error::Tensors { name: name.into(), message: "it does not take tensors".into() });
        };
        let sizes = Sizes::of(name, &boundary.inputs, inputs)?;
        let (free, stepper) = (self.given, self.machine.stepper_mut());
        if let Some((region, begin)) = network.io.input.zip(network.io.tensors) {
            let region = &network.regions[region];
            let arrays = boundary.inputs.iter().zip(inputs).filter(|(spec, _)| !spec.is_scalar());
            let arrays = arrays.map(|(_, tensor)| tensor.bytes());
            let length: u64 = arrays.clone().map(|bytes| bytes.len() as u64).sum();
            if length > region.count - free {
                return Err(too_long("the tensors are", region.count - free));
            }
            stepper.append(begin, free as f64);
            for (key, byte) in (region.first + free..).zip(arrays.flatten()) {
                stepper.append(key, f64::from(*byte));
            }
        }
        let fields = enter(entry, name, &boundary.arguments(inputs), stepper)?;
        self.run(entry.expert, &fields).map_err(|error| match error {
            Error::Reported(number) => boundary.reported(name, number),
            error => error,
        })?;
        let stepper = self.machine.stepper();
        let printed = Printed::new(network, network.io.results);
        let bytes = printed.map_or(Vec::new(), |printed| printed.all(stepper));
        let outputs = boundary.outputs(&sizes, results(entry, stepper)?, &bytes);
        outputs.ok_or_else(|| Error::Tensors {
            name: name.into(),
            message: "the network gave outputs of other sizes than it declares: it is damaged".into(),
        })
    }

    /// Runs from an expert to the end.
    fn run(&mut self, expert: ExpertId, fields: &[(Field, f64)]) -> Result<(), Error> {
        self.machine.stepper_mut().enter(expert, fields);
        loop {
            self.wait()?;
            let left = self.max_steps.map_or(u64::MAX, |max| max.saturating_sub(self.steps));
            let start = Instant::now();
            let (slice, whole) = self.slice(left);
            self.steps += slice.steps;
            self.tokens += slice.tokens;
            if slice.ended {
                self.show()?;
                let stepper = self.machine.stepper();
                return end_of_run(self.network, stepper.z().0, stepper);
            }
            if let Some(max) = self.max_steps
                && self.steps >= max
            {
                // The rows of the last step would be appended by the next, which is not allowed.
                self.write_output()?;
                let place = self.network.place_of(self.machine.stepper().z().0);
                return Err(Error::StepLimit { limit: max, place });
            }
            if whole {
                self.show()?;
            }
            if let Some(progress) = &mut self.progress {
                progress(self.steps);
            }
            if let Some(interrupt) = &mut self.interrupt
                && interrupt()
            {
                self.write_output()?;
                return Err(Error::Interrupted);
            }
            let elapsed = start.elapsed();
            if elapsed < Duration::from_millis(20) {
                self.slice_steps = (self.slice_steps * 2).min(MAX_SLICE_STEPS);
            } else if elapsed > Duration::from_millis(80) {
                self.slice_steps = (self.slice_steps / 2).max(MIN_SLICE_STEPS);
            }
        }
    }

    /// If the next step has to wait for input, writes what was printed, and then waits for input.
    fn wait(&mut self) -> Result<(), Error> {
        if self.input.is_none() || !self.machine.stepper().is_waiting() {
            return Ok(());
        }
        self.show()?;
        let stepper = self.machine.stepper_mut();
        stepper.append_rows();
        if let Some(input) = &mut self.input
            && !input.wait(stepper)?
        {
            // The input has ended.
            stepper.wait_at(None);
            self.input = None;
        }
        Ok(())
    }

    /// Evaluates some of the steps that are left. Also returns whether it stopped at the end of a packet,
    /// where output is written.
    fn slice(&mut self, left: u64) -> (Slice, bool) {
        let stepper = self.machine.stepper_mut();
        let mut observed;
        let stepper: &mut dyn Stepper = match &mut self.observer {
            None => stepper,
            Some(observer) => {
                let made = (self.steps, self.tokens);
                observed = Observed::new(self.network, &self.ends, stepper, &mut **observer, made);
                &mut observed
            }
        };
        let ends = &self.ends;
        if self.outputs.is_empty() {
            // Slices are as long as they can be, unless somebody wants to be asked in good time, however slow a step is.
            let budget = if self.interrupt.is_some() { self.slice_steps } else { MAX_SLICE_STEPS };
            return (stepper.run(left.min(budget), ends), false);
        }
        let mut slice = Slice::default();
        let budget = left.saturating_sub(PACKET_STEPS).min(self.slice_steps);
        if budget > 0 {
            slice = stepper.run(budget, ends);
        }
        if slice.ended || slice.steps < budget {
            return (slice, false);
        }
        for _ in 0..PACKET_STEPS.min(left - budget) {
            let (expert, _) = stepper.z();
            if slice.steps > 0 && stepper.is_waiting() {
                return (slice, false);
            }
            if !stepper.step() {
                slice.ended = true;
                return (slice, false);
            }
            slice.steps += 1;
            slice.tokens += u64::from(ends.ends_token(expert));
            // Ends of tokens do not tell, as they may be within a packet: an infeasible sum of the equation
            // of a branch may name one of the packet's experts, and a loop may end no token.
            if constant_next(self.network, expert) != Some(expert + 1) {
                return (slice, true);
            }
        }
        (slice, false)
    }

    /// Writes what was printed and not written yet, including the rows of the last step.
    fn show(&mut self) -> Result<(), Error> {
        if !self.outputs.is_empty() {
            self.machine.stepper_mut().append_rows();
        }
        self.write_output()
    }

    /// Writes what was printed according to the rows of the trace, and not written yet.
    fn write_output(&mut self) -> Result<(), Error> {
        let stepper = self.machine.stepper_mut();
        self.outputs.iter_mut().try_for_each(|output| output.write(stepper))
    }

    /// Returns the network of the instance.
    pub fn network(&self) -> &'n Network {
        self.network
    }

    /// Changes the maximum number of steps that the instance may evaluate in all, those already evaluated
    /// included.
    pub fn set_max_steps(&mut self, max_steps: Option<u64>) {
        self.max_steps = max_steps;
    }

    /// Returns the number of steps evaluated so far, those of instance creation included.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Returns the number of steps that machine code has evaluated so far.
    pub fn compiled_steps(&self) -> u64 {
        match &self.machine {
            Machine::Sparse(sparse) => sparse.compiled_steps(),
            Machine::Dense(_) => 0,
        }
    }

    /// Returns the number of tokens so far (see the [manual](crate#tokens)).
    pub fn tokens(&self) -> u64 {
        self.tokens
    }

    /// Returns the size of the trace that the executor holds now. This may look at the whole trace.
    pub fn trace_size(&self) -> TraceSize {
        self.machine.stepper().size()
    }

    /// Returns an exported memory, for access to its bytes.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownExport`]
    pub fn memory(&mut self, name: &str) -> Result<Memory<'_>, Error> {
        let export = find("memory", &self.network.memories, name)?;
        let stepper = self.machine.stepper_mut();
        Ok(Memory { region: &self.network.regions[export.region], pages: export.pages, stepper })
    }

    /// Returns the value of an exported global.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownExport`]; [`Error::NotAWord`] only for a damaged network.
    pub fn global(&self, name: &str) -> Result<Value, Error> {
        let export = find("global", &self.network.globals, name)?;
        let mut words = [0; 2];
        for (word, key) in words.iter_mut().zip(&export.keys) {
            *word = word_of(self.machine.stepper().read(*key))?;
        }
        Ok(Value::from_words(export.ty, words))
    }

    /// Changes an exported global.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownExport`], [`Error::ImmutableGlobal`], [`Error::GlobalType`]
    pub fn set_global(&mut self, name: &str, value: Value) -> Result<(), Error> {
        let export = find("global", &self.network.globals, name)?;
        if !export.mutable {
            return Err(Error::ImmutableGlobal(name.into()));
        }
        if export.ty != value.ty() {
            return Err(Error::GlobalType { name: name.into(), expected: export.ty, found: value.ty() });
        }
        for (key, word) in export.keys.iter().zip(value.words()) {
            self.machine.stepper_mut().append(*key, word.into());
        }
        Ok(())
    }

    /// Returns what the program has printed so far. It is empty if the network prints nothing.
    pub fn stdout(&self) -> Vec<u8> {
        self.printed(self.network.io.stdout)
    }

    /// Returns what the program has printed to standard error so far.
    pub fn stderr(&self) -> Vec<u8> {
        self.printed(self.network.io.stderr)
    }

    fn printed(&self, stream: Option<(usize, u64)>) -> Vec<u8> {
        Printed::new(self.network, stream).map_or(Vec::new(), |printed| printed.all(self.machine.stepper()))
    }

    /// Returns the size in pages that the program asked for when a limit that it does not declare last
    /// refused a growth of its memory ([`GrowthLimit`]). Returns `None` if no growth was refused by this
    /// limit.
    pub fn refused_growth(&self) -> Option<u64> {
        let limit = self.network.growth_limit?;
        key_of(self.machine.stepper().read(limit.refused)).filter(|pages| *pages > 0)
    }
}

/// An exported memory of an instance.
pub struct Memory<'i> {
    region: &'i Region,
    pages: MemoryPages,
    stepper: &'i mut dyn Stepper,
}

impl Memory<'_> {
    /// Returns the current size of the memory, in pages of 65,536 bytes.
    pub fn pages(&self) -> u32 {
        match self.pages {
            MemoryPages::Constant(pages) => pages,
            MemoryPages::Row(key) => self.stepper.read(key) as u32,
        }
    }

    /// Reads `bytes.len()` bytes from `address`.
    ///
    /// # Errors
    ///
    /// [`Error::MemoryAccess`] if they are not all within the memory; nothing is read then.
    pub fn read(&self, address: u64, bytes: &mut [u8]) -> Result<(), Error> {
        let first = self.locate(address, bytes.len())?;
        for (key, byte) in (first..).zip(bytes) {
            *byte = self.stepper.read(key) as u8;
        }
        Ok(())
    }

    /// Writes bytes at `address`: appends a row for each.
    ///
    /// # Errors
    ///
    /// [`Error::MemoryAccess`] if they are not all within the memory; nothing is written then.
    pub fn write(&mut self, address: u64, bytes: &[u8]) -> Result<(), Error> {
        let first = self.locate(address, bytes.len())?;
        for (key, byte) in (first..).zip(bytes) {
            self.stepper.append(key, f64::from(*byte));
        }
        Ok(())
    }

    /// Returns the key of the byte at `address`, if `len` bytes from there are within the memory.
    fn locate(&self, address: u64, len: usize) -> Result<u64, Error> {
        let size = (u64::from(self.pages()) * PAGE_BYTES).min(self.region.count);
        match address.checked_add(len as u64) {
            Some(end) if end <= size => Ok(self.region.first + address),
            _ => Err(Error::MemoryAccess { address, len, size }),
        }
    }
}

/// Finds an export by name.
fn find<'a, T>(kind: &'static str, exports: &'a BTreeMap<String, T>, name: &str) -> Result<&'a T, Error> {
    exports.get(name).ok_or_else(|| Error::UnknownExport {
        kind,
        name: name.into(),
        available: exports.keys().cloned().collect(),
    })
}

/// Converts a number to a word, if it is one.
fn word_of(x: f64) -> Result<u32, Error> {
    let word = x as u32;
    if f64::from(word) == x { Ok(word) } else { Err(Error::NotAWord(x)) }
}

/// Appends the rows that a new instance begins with. Returns how many bytes of the input's region these are.
pub(crate) fn first_rows(
    network: &Network,
    wasi: &Wasi,
    stdin: &[u8],
    stepper: &mut dyn Stepper,
) -> Result<u64, Error> {
    for (key, value) in &network.first_rows {
        stepper.append(*key, *value);
    }
    let io = &network.io;
    let words = |number: u64| [number & 0xffff_ffff, number >> 32];
    let numbers = io.clock.into_iter().zip(words(wasi.clock));
    let numbers = numbers.chain(io.seed.into_iter().zip(words(wasi.seed)));
    for (key, word) in numbers.chain([(io.terminals, wasi.terminals.into())]) {
        if let Some(key) = key {
            stepper.append(key, word as f64);
        }
    }
    let Some(region) = io.input else { return Ok(0) };
    let region = &network.regions[region];
    let mut end = 0;
    for (input, key, bytes) in [
        ("the arguments are", io.argv_end, &wasi.argv[..]),
        ("the environment is", io.environ_end, &wasi.environ),
        ("the tree of files is", io.files_end, &wasi.files),
        (STDIN, io.stdin_end, stdin),
    ] {
        if let (STDIN, Some(position)) = (input, io.stdin_position) {
            stepper.append(position, end as f64);
        }
        let Some(key) = key else { continue };
        if bytes.len() as u64 > region.count - end {
            return Err(too_long(input, region.count - end));
        }
        for (key, byte) in (region.first + end..).zip(bytes) {
            stepper.append(key, f64::from(*byte));
        }
        end += bytes.len() as u64;
        stepper.append(key, end as f64);
    }
    Ok(end)
}

/// Fields of `z` and their values.
pub(crate) type Fields = Vec<(Field, f64)>;

/// Finds an entry and checks the arguments. Appends the words that belong in rows, and returns the entry and
/// the words that belong in fields.
pub(crate) fn prepare<'n>(
    network: &'n Network,
    name: &str,
    args: &[Value],
    stepper: &mut dyn Stepper,
) -> Result<(&'n Entry, Fields), Error> {
    let entry = find("function", &network.entries, name)?;
    if entry.boundary.is_some() {
        return Err(Error::Tensors { name: name.into(), message: "it takes tensors".into() });
    }
    Ok((entry, enter(entry, name, args, stepper)?))
}

/// Checks the arguments of a function, appends the words that belong in rows, and returns the words that belong in fields.
fn enter(entry: &Entry, name: &str, args: &[Value], stepper: &mut dyn Stepper) -> Result<Fields, Error> {
    let found: Vec<_> = args.iter().map(|arg| arg.ty()).collect();
    if found != entry.params {
        return Err(Error::Arguments { name: name.into(), expected: entry.params.clone(), found });
    }
    let words = args.iter().flat_map(|arg| arg.words().into_iter().take(arg.ty().words()));
    let mut fields = Vec::new();
    for (location, word) in entry.param_locations.iter().zip(words) {
        match *location {
            WordLocation::Field(field) => fields.push((field, word.into())),
            WordLocation::Row(key) => stepper.append(key, word.into()),
        }
    }
    Ok(fields)
}

/// Returns what the terminal expert means for the run that came to it.
pub(crate) fn end_of_run(network: &Network, terminal: ExpertId, stepper: &dyn Stepper) -> Result<(), Error> {
    match network.terminals[terminal as usize] {
        Terminal::Halt => Ok(()),
        Terminal::Unreachable => Err(Error::UnreachableState),
        Terminal::Trap { code: TrapCode::OutputLimit, .. } => Err(Error::OutputLimit(output_limit(network))),
        Terminal::Trap { code: TrapCode::Exit, .. } => {
            let status = network.io.exit_code.map_or(0.0, |key| stepper.read(key));
            Err(Error::Exit(word_of(status)? as i32))
        }
        Terminal::Trap { code: TrapCode::ReportedError, .. } => {
            let number = network.io.error.map_or(0.0, |key| stepper.read(key));
            Err(Error::Reported(word_of(number)? as i32))
        }
        Terminal::Trap { code, function, offset } => {
            Err(Trap { code, place: network.place(function, offset) }.into())
        }
    }
}

/// Returns the maximum number of bytes that a network lets a program print, which is declared of the row
/// with their number.
fn output_limit(network: &Network) -> u64 {
    // Standard error has the same limit.
    let length = network.io.stdout.or(network.io.stderr).and_then(|(_, length)| network.region_of(length));
    match length.map(|region| network.regions[region].values) {
        Some(Domain::Interval(interval)) => interval.hi.max(0) as u64,
        _ => 0,
    }
}

/// Returns the results of a run that halted.
pub(crate) fn results(entry: &Entry, stepper: &dyn Stepper) -> Result<Vec<Value>, Error> {
    let (_, z) = stepper.z();
    let mut words = entry.result_locations.iter().map(|location| match *location {
        WordLocation::Field(field) => word_of(z[usize::from(field)]),
        WordLocation::Row(key) => word_of(stepper.read(key)),
    });
    let mut next = || words.next().unwrap_or(Ok(0));
    let value = |ty: &ValueType| {
        let low = next()?;
        let high = if ty.words() == 2 { next()? } else { 0 };
        Ok(Value::from_words(*ty, [low, high]))
    };
    entry.results.iter().map(value).collect()
}
