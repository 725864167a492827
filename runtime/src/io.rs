//! Standard input and output of an instance while its program runs.
//!
//! Input is asked for when the program gets to read it, and no sooner. What tells is the trace: the
//! program learns whether there is another byte by attending to the row with their number, so before
//! a step that does, the host may still append rows. [`Waits`] finds such steps in the weights.

use std::io::{self, Read, Write};

use rustc_hash::FxHashMap;

use crate::error::Error;
use crate::network::{ExpertId, Field, FieldKind, Network, Ports, SourceKind};
use crate::stepper::Stepper;
use crate::tokens::constant_targets;
use crate::trace::key_of;

/// Bytes of standard input that are asked for at once, and of output that are written at once.
const CHUNK: usize = 1 << 16;

/// Where standard input comes from while the program runs.
pub type InputSource = Box<dyn Read + Send + Sync>;

/// Where standard output goes while the program runs.
pub type OutputSink = Box<dyn Write + Send + Sync>;

/// The steps before which a program may have to wait for input: they read the row with the number of bytes.
/// It has to where the row with how many it has read says all of them.
///
/// A query for one row is a constant, made by the map before. (One that a gate makes, or that is
/// computed, is not found; the compiler makes none for this row.)
#[derive(Clone, Debug, Default)]
pub struct Waits {
    /// Key of the row with the number of bytes.
    length: u64,
    /// Key of the row with how many of them the program has read.
    position: u64,
    /// For each expert whether it may be such a step.
    experts: Box<[bool]>,
    /// Its queries that may be for the row.
    queries: FxHashMap<ExpertId, Vec<Field>>,
}

impl Waits {
    /// The steps of a network that has input and tells how far it has read; of any other there are none.
    pub fn new(network: &Network) -> Option<Waits> {
        let ((_, length), position) = (network.io.stdin?, network.io.stdin_position?);
        let ports = &network.ports;
        let experts = vec![false; network.experts.len()].into();
        let mut waits = Waits { length, position, experts, ..Waits::default() };
        for e in 0..network.experts.len() as ExpertId {
            let is_query = |row: &crate::network::Row| {
                ports.kind(row.field).0 == FieldKind::Q
                    && row.sources == [Ports::ONE]
                    && row.weights == [length as f64]
            };
            let queries: Vec<Field> = network.experts.rows(e).filter(is_query).map(|row| row.field).collect();
            if queries.is_empty() || network.is_terminal(e) {
                continue;
            }
            for target in constant_targets(network, e) {
                for field in queries.iter().filter(|field| uses(network, target, **field)) {
                    waits.experts[target as usize] = true;
                    let known = waits.queries.entry(target).or_default();
                    if !known.contains(field) {
                        known.push(*field);
                    }
                }
            }
        }
        Some(waits)
    }

    /// Keys of the rows with how many bytes the program has read, and with how many there are.
    #[cfg(feature = "jit")]
    pub(crate) fn keys(&self) -> (u64, u64) {
        (self.position, self.length)
    }

    /// Whether the step of an expert may be one.
    pub(crate) fn may_be_at(&self, e: ExpertId) -> bool {
        self.experts[e as usize]
    }

    /// Whether the step from there is one.
    pub fn is_at(&self, e: ExpertId, z: &[f64]) -> bool {
        let key = self.length as f64;
        self.may_be_at(e) && self.queries[&e].iter().any(|field| z[usize::from(*field)] == key)
    }

    /// Whether the program has to wait there: all bytes that there are have been read. `read` reads the trace.
    pub(crate) fn has_to_wait(
        &self,
        ports: &Ports,
        (e, z): (ExpertId, &[f64]),
        read: impl Fn(u64) -> f64,
    ) -> bool {
        // The rows in `z` are appended before the step reads.
        let latest = |key: u64| {
            let port = (0..ports.rows).rev().find(|port| z[usize::from(ports.k(*port))] == key as f64);
            let value = port.map_or_else(|| read(key), |port| z[usize::from(ports.x(port))]);
            key_of(value).unwrap_or(0)
        };
        self.is_at(e, z) && latest(self.position) >= latest(self.length)
    }
}

/// Whether an expert's map uses what a query reads.
fn uses(network: &Network, e: ExpertId, query: Field) -> bool {
    let ports = &network.ports;
    let is_read =
        |source: &u16| matches!(ports.source_kind(*source), (SourceKind::R, i) if ports.q(i) == query);
    !network.is_terminal(e) && network.experts.rows(e).flat_map(|row| row.sources).any(is_read)
}

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
