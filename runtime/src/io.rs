//! Standard input and output of an instance while its program runs.
//!
//! Input is read from its source only when the program needs it: see [`Waits`](crate::Waits).

use std::io::{self, Read, Write};

use crate::error::Error;
use crate::network::Network;
use crate::stepper::Stepper;
use crate::trace::key_of;

/// Maximum number of bytes of standard input that are read at once, and of output that are written at once.
const CHUNK: usize = 1 << 16;

/// Where standard input comes from while the program runs.
pub type InputSource = Box<dyn Read + Send + Sync>;

/// Where standard output goes while the program runs.
pub type OutputSink = Box<dyn Write + Send + Sync>;

/// Standard input that is still to come.
pub(crate) struct Input {
    source: InputSource,
    /// First key of its region.
    first: u64,
    /// Maximum number of bytes.
    capacity: u64,
    /// Key of the row with the number of bytes.
    length: u64,
    /// Key of the row with the number of bytes that the program has read.
    position: u64,
    /// Number of bytes appended so far.
    supplied: u64,
}

impl Input {
    /// Returns the input that follows the first `supplied` bytes, or `None` if the network reads no input.
    ///
    /// If the network has no row with the number of bytes that the program has read, appends all of the input
    /// now and returns `None`.
    ///
    /// # Errors
    ///
    /// [`Error::Stdin`], [`Error::StdinTooLong`]
    pub(crate) fn new(
        network: &Network,
        source: InputSource,
        supplied: u64,
        stepper: &mut dyn Stepper,
    ) -> Result<Option<Input>, Error> {
        let Some((region, length)) = network.io.stdin else { return Ok(None) };
        let region = &network.regions[region];
        let position = network.io.stdin_position;
        let (first, capacity) = (region.first, region.count);
        let mut input = Input { source, first, capacity, length, position: position.unwrap_or(0), supplied };
        match position {
            Some(_) => Ok(Some(input)),
            None => {
                while input.supply(stepper)? {}
                Ok(None)
            }
        }
    }

    /// Waits until the byte that the program reads next is there. Returns `false` if the input has ended.
    ///
    /// # Errors
    ///
    /// [`Error::Stdin`], [`Error::StdinTooLong`]
    pub(crate) fn wait(&mut self, stepper: &mut dyn Stepper) -> Result<bool, Error> {
        while key_of(stepper.read(self.position)).unwrap_or(0) >= self.supplied {
            if !self.supply(stepper)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Waits for at least a byte of input and appends what there is. Returns `false` if the input has ended.
    fn supply(&mut self, stepper: &mut dyn Stepper) -> Result<bool, Error> {
        let mut bytes = [0; CHUNK];
        // Asking for one byte more than there is room for tells whether the input ends there.
        let room = usize::try_from(self.capacity - self.supplied).unwrap_or(CHUNK).min(CHUNK - 1) + 1;
        let count = loop {
            match self.source.read(&mut bytes[..room]) {
                Ok(count) => break count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::stdin(&error)),
            }
        };
        if self.supplied + count as u64 > self.capacity {
            return Err(Error::StdinTooLong { capacity: self.capacity });
        }
        for (key, byte) in (self.first + self.supplied..).zip(&bytes[..count]) {
            stepper.append(key, f64::from(*byte));
        }
        self.supplied += count as u64;
        stepper.append(self.length, self.supplied as f64);
        Ok(count > 0)
    }
}

/// Standard output that is written as it is produced.
pub(crate) struct Output {
    sink: OutputSink,
    /// Number of bytes written so far.
    written: u64,
}

impl Output {
    pub(crate) fn new(sink: OutputSink) -> Output {
        Output { sink, written: 0 }
    }

    /// Writes those of the first `length` bytes printed that have not been written yet.
    ///
    /// # Errors
    ///
    /// [`Error::Stdout`]
    pub(crate) fn write(
        &mut self,
        network: &Network,
        stepper: &dyn Stepper,
        length: u64,
    ) -> Result<(), Error> {
        if self.written >= length {
            return Ok(());
        }
        let failed = |error| Error::stdout(&error);
        while self.written < length {
            let end = length.min(self.written + CHUNK as u64);
            let new = printed(network, stepper, self.written..end);
            self.written = end;
            self.sink.write_all(&new).map_err(failed)?;
        }
        self.sink.flush().map_err(failed)
    }
}

/// Returns the number of bytes that a program has printed.
pub(crate) fn printed_length(network: &Network, stepper: &dyn Stepper) -> u64 {
    let Some((region, length)) = network.io.stdout else { return 0 };
    key_of(stepper.read(length)).unwrap_or(0).min(network.regions[region].count)
}

/// Returns a range of the bytes that a program has printed.
pub(crate) fn printed(network: &Network, stepper: &dyn Stepper, range: std::ops::Range<u64>) -> Vec<u8> {
    let Some((region, _)) = network.io.stdout else { return Vec::new() };
    let first = network.regions[region].first;
    range.map(|i| stepper.read(first + i) as u8).collect()
}
