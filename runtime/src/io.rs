//! Standard input, output and error of an instance while its program runs.
//!
//! Input is read from its source only when the program needs it: see [`Waits`](crate::Waits).

use std::io::{self, Read, Write};

use crate::error::Error;
use crate::network::Network;
use crate::stepper::Stepper;
use crate::trace::{PAGES, key_of};

/// Maximum number of bytes of standard input that are read at once, and of output that are written at once.
const CHUNK: usize = 1 << 16;

/// Where standard input comes from while the program runs.
pub type InputSource = Box<dyn Read + Send + Sync>;

/// Where standard output or error goes while the program runs.
pub type OutputSink = Box<dyn Write + Send + Sync>;

/// Standard input that is still to come.
pub(crate) struct Input {
    source: InputSource,
    /// First key of its region.
    first: u64,
    /// Maximum number of bytes.
    capacity: u64,
    /// Key of the row that says where the input ends.
    end: u64,
    /// Key of the row that says where the input begins that the program has not read yet.
    position: u64,
    /// Where standard input begins in the region.
    begin: u64,
    /// Up to where it has been appended so far.
    supplied: u64,
    /// Whether the trace keeps what the program has read.
    keeps: bool,
}

impl Input {
    /// Returns the input that follows the first `supplied` bytes of the region and ends within the first `capacity` bytes, or `None` if
    /// the network reads no input.
    ///
    /// `keeps` says whether the trace keeps what the program has read.
    ///
    /// If the network has no row that says how much the program has read, appends all of the input
    /// now and returns `None`.
    ///
    /// # Errors
    ///
    /// [`Error::Stdin`], [`Error::InputTooLong`]
    pub(crate) fn new(
        network: &Network,
        source: InputSource,
        (supplied, capacity): (u64, u64),
        keeps: bool,
        stepper: &mut dyn Stepper,
    ) -> Result<Option<Input>, Error> {
        let (Some(region), Some(end)) = (network.io.input, network.io.stdin_end) else { return Ok(None) };
        let region = &network.regions[region];
        let position = network.io.stdin_position;
        let first = region.first;
        let position_key = position.unwrap_or(0);
        let mut input =
            Input { source, first, capacity, end, position: position_key, begin: supplied, supplied, keeps };
        match position {
            Some(_) => Ok(Some(input)),
            None => {
                while input.supply(input.supplied, stepper)? {}
                Ok(None)
            }
        }
    }

    /// Waits until the byte that the program reads next is there. Returns `false` if the input has ended.
    ///
    /// # Errors
    ///
    /// [`Error::Stdin`], [`Error::InputTooLong`]
    pub(crate) fn wait(&mut self, stepper: &mut dyn Stepper) -> Result<bool, Error> {
        while key_of(stepper.read(self.position)).unwrap_or(0) >= self.supplied {
            // All of it has been read. The program reads the position again before it reads more, so more can begin where
            // this began.
            let from = if self.keeps { self.supplied } else { self.begin };
            if !self.supply(from, stepper)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Waits for at least a byte of input and appends what there is, `from` there on in the region. Returns `false` if the
    /// input has ended; then, and after an error, nothing has changed.
    fn supply(&mut self, from: u64, stepper: &mut dyn Stepper) -> Result<bool, Error> {
        let mut bytes = [0; CHUNK];
        // Asking for one byte more than there is room for tells whether the input ends there.
        let room = usize::try_from(self.capacity - from).unwrap_or(CHUNK).min(CHUNK - 1) + 1;
        let count = loop {
            match self.source.read(&mut bytes[..room]) {
                Ok(count) => break count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::stdin(&error)),
            }
        };
        if from + count as u64 > self.capacity {
            return Err(too_long(STDIN, self.capacity));
        }
        if count == 0 {
            return Ok(false);
        }
        for (key, byte) in (self.first + from..).zip(&bytes[..count]) {
            stepper.append(key, f64::from(*byte));
        }
        if from != self.supplied {
            stepper.append(self.position, from as f64);
        }
        self.supplied = from + count as u64;
        stepper.append(self.end, self.supplied as f64);
        Ok(true)
    }
}

/// What [`Error::InputTooLong`] says of standard input.
pub(crate) const STDIN: &str = "standard input is";

pub(crate) fn too_long(input: &'static str, capacity: u64) -> Error {
    Error::InputTooLong { input, capacity }
}

/// Standard output or standard error that is written as it is produced.
pub(crate) struct Output {
    /// `standard output` or `standard error`.
    stream: &'static str,
    printed: Printed,
    sink: OutputSink,
    /// Number of bytes written so far.
    written: u64,
    /// Number of bytes that have been forgotten since.
    forgotten: u64,
    /// Whether what was written is kept in the trace.
    keeps: bool,
}

/// Number of bytes that are forgotten at once.
const MAX_REMEMBERED: u64 = 1 << 20;

impl Output {
    pub(crate) fn new(stream: &'static str, printed: Printed, sink: OutputSink, keeps: bool) -> Output {
        Output { stream, printed, sink, written: 0, forgotten: 0, keeps }
    }

    /// Writes those bytes that the program has printed and that have not been written yet.
    ///
    /// # Errors
    ///
    /// [`Error::Output`]
    pub(crate) fn write(&mut self, stepper: &mut dyn Stepper) -> Result<(), Error> {
        let length = self.printed.length(stepper);
        if self.written >= length {
            return Ok(());
        }
        let stream = self.stream;
        let failed = |error| Error::output(stream, &error);
        while self.written < length {
            let end = length.min(self.written + CHUNK as u64);
            let new = self.printed.bytes(stepper, self.written..end);
            self.written = end;
            self.sink.write_all(&new).map_err(failed)?;
            // Programs do not read what they print. A load beyond the end of a memory may look here, before it traps.
            if !self.keeps && self.written - self.forgotten >= MAX_REMEMBERED {
                let first = self.printed.first;
                stepper.forget(first + self.forgotten..first + self.written);
                // Pages that are not whole are forgotten with those behind them.
                self.forgotten = self.written - PAGES as u64;
            }
        }
        self.sink.flush().map_err(failed)
    }
}

/// Where the bytes are that a program prints to one stream.
#[derive(Clone, Copy)]
pub(crate) struct Printed {
    /// First key of the region.
    first: u64,
    /// Number of its keys.
    capacity: u64,
    /// Key of the row with the number of bytes.
    length: u64,
}

impl Printed {
    /// Returns where the bytes of [`Io::stdout`](crate::Io::stdout) or [`Io::stderr`](crate::Io::stderr) are.
    pub(crate) fn new(network: &Network, stream: Option<(usize, u64)>) -> Option<Printed> {
        let (region, length) = stream?;
        let region = &network.regions[region];
        Some(Printed { first: region.first, capacity: region.count, length })
    }

    /// Returns the number of bytes.
    pub(crate) fn length(self, stepper: &dyn Stepper) -> u64 {
        key_of(stepper.read(self.length)).unwrap_or(0).min(self.capacity)
    }

    /// Returns some of the bytes.
    pub(crate) fn bytes(self, stepper: &dyn Stepper, range: std::ops::Range<u64>) -> Vec<u8> {
        range.map(|i| stepper.read(self.first + i) as u8).collect()
    }

    /// Returns all bytes.
    pub(crate) fn all(self, stepper: &dyn Stepper) -> Vec<u8> {
        self.bytes(stepper, 0..self.length(stepper))
    }
}
