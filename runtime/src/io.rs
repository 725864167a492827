//! Standard input and output of an instance while its program runs.
//!
//! Input is asked for when the program gets to read it, and no sooner: see [`Waits`](crate::Waits).

use std::io::{self, Read, Write};

use crate::error::Error;
use crate::network::Network;
use crate::stepper::Stepper;
use crate::trace::key_of;

/// Bytes of standard input that are asked for at once, and of output that are written at once.
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
    /// Most bytes.
    capacity: u64,
    /// Key of the row with the number of bytes.
    length: u64,
    /// Key of the row with how many of them the program has read.
    position: u64,
    /// Bytes appended so far.
    supplied: u64,
}

impl Input {
    /// What follows the bytes that are there already. Nothing if the network reads nothing.
    ///
    /// If nothing tells how far the program has read, all of it is read now.
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

    /// Waits until there is what the program reads next. Whether there may be more.
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

    /// Appends what there is, at least a byte. Whether there may be more.
    fn supply(&mut self, stepper: &mut dyn Stepper) -> Result<bool, Error> {
        let mut bytes = [0; CHUNK];
        // One more than there is room for tells whether it ends there.
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
    /// Bytes written so far.
    written: u64,
}

impl Output {
    pub(crate) fn new(sink: OutputSink) -> Output {
        Output { sink, written: 0 }
    }

    /// Writes what has been printed since the last time, of the first `length` bytes.
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

/// How many bytes a program has printed.
pub(crate) fn printed_length(network: &Network, stepper: &dyn Stepper) -> u64 {
    let Some((region, length)) = network.io.stdout else { return 0 };
    key_of(stepper.read(length)).unwrap_or(0).min(network.regions[region].count)
}

/// Some of the bytes that a program has printed.
pub(crate) fn printed(network: &Network, stepper: &dyn Stepper, range: std::ops::Range<u64>) -> Vec<u8> {
    let Some((region, _)) = network.io.stdout else { return Vec::new() };
    let first = network.regions[region].first;
    range.map(|i| stepper.read(first + i) as u8).collect()
}
