//! Observers of a run, which see every step and every token.
//!
//! Once an [`Observer`] is [set](crate::Instance::observe), it sees all runs of the
//! [`Instance`](crate::Instance). [`Observed`] is any executor together with an observer. An observed
//! executor makes one step at a time, without machine code.
//!
//! ```
//! use wasm2onnx_runtime::{Config, Instance, Observer, Step};
//! # use wasm2onnx_runtime::{Error, Network};
//!
//! /// Counts the rows that a run appends.
//! struct Rows<'a>(&'a std::sync::atomic::AtomicUsize);
//!
//! impl Observer for Rows<'_> {
//!     fn step(&mut self, step: &Step<'_>) {
//!         self.0.fetch_add(step.rows().count(), std::sync::atomic::Ordering::Relaxed);
//!     }
//! }
//!
//! # fn run(network: &Network) -> Result<(), Error> {
//! let rows = std::sync::atomic::AtomicUsize::new(0);
//! let mut instance = Instance::prepared(network, Config::default())?;
//! instance.observe(Box::new(Rows(&rows)));
//! instance.invoke("main", &[])?;
//! # Ok(())
//! # }
//! ```

use std::ops::Range;

use crate::network::{ExpertId, Field, Network};
use crate::stepper::Stepper;
use crate::tokens::TokenEnds;
use crate::trace::TraceSize;
use crate::trace::key_of;
use crate::waits::Waits;

/// An observer of runs.
pub trait Observer {
    /// Called before each step. The last step of a run has a terminal expert: its rows are appended, and it
    /// has no map.
    fn step(&mut self, step: &Step<'_>);

    /// Called at the end of each token, with the number of tokens that have ended so far.
    fn token(&mut self, tokens: u64) {
        let _ = tokens;
    }
}

/// A step: the `z` that it begins with, and what it reads.
#[derive(Clone, Copy)]
pub struct Step<'a> {
    /// The network.
    pub network: &'a Network,
    /// Number of steps made before it.
    pub number: u64,
    /// Its expert.
    pub expert: ExpertId,
    /// The fields of `z`.
    pub z: &'a [f64],
    stepper: &'a dyn Stepper,
}

impl<'a> Step<'a> {
    /// Returns the next step of an executor that has made `number` steps.
    pub fn next(network: &'a Network, stepper: &'a dyn Stepper, number: u64) -> Step<'a> {
        let (expert, z) = stepper.z();
        Step { network, number, expert, z, stepper }
    }

    fn field(&self, field: Field) -> f64 {
        self.z[usize::from(field)]
    }

    /// Returns the rows that the step appends, in their order: keys and values.
    pub fn rows(&self) -> impl DoubleEndedIterator<Item = (u64, f64)> {
        let ports = self.network.ports;
        let row = move |i| (self.field(ports.k(i)), self.field(ports.x(i)));
        (0..ports.rows).map(row).filter_map(|(key, value)| {
            let key = key_of(key).filter(|key| self.network.region_of(*key).is_some())?;
            Some((key, value))
        })
    }

    /// Returns the reads of the trace, one for each port: the query and the value that is read, which may be
    /// from a row that the step itself appends.
    pub fn reads(&self) -> impl Iterator<Item = (f64, f64)> {
        let ports = self.network.ports;
        (0..ports.reads).map(move |i| {
            let query = self.field(ports.q(i));
            let Some(key) = key_of(query) else { return (query, 0.0) };
            let own = self.rows().rev().find(|row| row.0 == key);
            (query, own.map_or_else(|| self.stepper.read(key), |row| row.1))
        })
    }

    /// Returns the reads of the frozen tables, one for each port: the query and the value that is read.
    pub fn lookups(&self) -> impl Iterator<Item = (f64, f64)> {
        let ports = self.network.ports;
        (0..ports.lookups).map(move |i| {
            let query = self.field(ports.t(i));
            let entry = key_of(query).and_then(|key| self.network.lookup.get(usize::try_from(key).ok()?));
            (query, entry.copied().unwrap_or(0.0))
        })
    }

    /// Returns the units, one for each port: the gate and the value.
    pub fn units(&self) -> impl Iterator<Item = (f64, f64)> {
        let ports = self.network.ports;
        (0..ports.units).map(move |i| (self.field(ports.n(i)), self.field(ports.v(i))))
    }

    /// Returns `[1, r, w, u, s]`, which the expert's matrix is multiplied by.
    pub fn y(&self) -> Vec<f64> {
        let carried = self.z[..usize::from(self.network.ports.carried)].iter().copied();
        let read = self.reads().chain(self.lookups()).map(|(_, value)| value);
        let units = self.units().map(|(gate, value)| gate * value);
        std::iter::once(1.0).chain(read).chain(units).chain(carried).collect()
    }
}

/// An executor with an observer of its steps.
pub struct Observed<'a> {
    network: &'a Network,
    ends: &'a TokenEnds,
    stepper: &'a mut dyn Stepper,
    observer: &'a mut dyn Observer,
    steps: u64,
    tokens: u64,
}

impl<'a> Observed<'a> {
    /// Adds an observer to an executor of a network. `steps` and `tokens` were made before.
    pub fn new(
        network: &'a Network,
        ends: &'a TokenEnds,
        stepper: &'a mut dyn Stepper,
        observer: &'a mut dyn Observer,
        (steps, tokens): (u64, u64),
    ) -> Observed<'a> {
        Observed { network, ends, stepper, observer, steps, tokens }
    }
}

impl Stepper for Observed<'_> {
    fn enter(&mut self, expert: ExpertId, fields: &[(Field, f64)]) {
        self.stepper.enter(expert, fields);
    }

    fn step(&mut self) -> bool {
        let step = Step::next(self.network, &*self.stepper, self.steps);
        let expert = step.expert;
        self.observer.step(&step);
        let stepped = self.stepper.step();
        if stepped {
            self.steps += 1;
            if self.ends.ends_token(expert) {
                self.tokens += 1;
                self.observer.token(self.tokens);
            }
        }
        stepped
    }

    fn z(&self) -> (ExpertId, &[f64]) {
        self.stepper.z()
    }

    fn append(&mut self, key: u64, value: f64) {
        self.stepper.append(key, value);
    }

    fn read(&self, key: u64) -> f64 {
        self.stepper.read(key)
    }

    fn forget(&mut self, keys: Range<u64>) {
        self.stepper.forget(keys);
    }

    fn for_each_row(&self, f: &mut dyn FnMut(u64, f64)) {
        self.stepper.for_each_row(f);
    }

    fn size(&self) -> TraceSize {
        self.stepper.size()
    }

    fn append_rows(&mut self) {
        self.stepper.append_rows();
    }

    fn wait_at(&mut self, waits: Option<Waits>) {
        self.stepper.wait_at(waits);
    }

    fn is_waiting(&self) -> bool {
        self.stepper.is_waiting()
    }
}
