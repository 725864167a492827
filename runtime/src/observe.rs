//! Runs that somebody looks at: every step and every token.
//!
//! An [`Observer`] sees all runs of an [`Instance`](crate::Instance::observe) from then on; [`Observed`] is any executor with one. Each step is then made by itself, without machine code.
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

use crate::network::{ExpertId, Field, Network};
use crate::stepper::Stepper;
use crate::tokens::TokenEnds;
use crate::trace::TraceSize;
use crate::trace::key_of;
use crate::waits::Waits;

/// Who sees a run.
pub trait Observer {
    /// A step is about to be made. The last of a run has a terminal expert: its rows are appended, and it has no map.
    fn step(&mut self, step: &Step<'_>);

    /// So many tokens have ended, one more than when this was called before.
    fn token(&mut self, tokens: u64) {
        let _ = tokens;
    }
}

/// What a step begins with, and what it reads.
#[derive(Clone, Copy)]
pub struct Step<'a> {
    /// The network.
    pub network: &'a Network,
    /// Steps made before it.
    pub number: u64,
    /// Its expert.
    pub expert: ExpertId,
    /// The fields of `z`.
    pub z: &'a [f64],
    stepper: &'a dyn Stepper,
}

impl<'a> Step<'a> {
    /// The next step of an executor that has made `number` steps.
    pub fn next(network: &'a Network, stepper: &'a dyn Stepper, number: u64) -> Step<'a> {
        let (expert, z) = stepper.z();
        Step { network, number, expert, z, stepper }
    }

    fn field(&self, field: Field) -> f64 {
        self.z[usize::from(field)]
    }

    /// The rows that it appends, in their order: keys and values.
    pub fn rows(&self) -> impl DoubleEndedIterator<Item = (u64, f64)> {
        let ports = self.network.ports;
        let row = move |i| (self.field(ports.k(i)), self.field(ports.x(i)));
        (0..ports.rows).map(row).filter_map(|(key, value)| {
            let key = key_of(key).filter(|key| self.network.region_of(*key).is_some())?;
            Some((key, value))
        })
    }

    /// Its reads of the trace, one for each port: the query, and what it reads, its own rows among it.
    pub fn reads(&self) -> impl Iterator<Item = (f64, f64)> {
        let ports = self.network.ports;
        (0..ports.reads).map(move |i| {
            let query = self.field(ports.q(i));
            let Some(key) = key_of(query) else { return (query, 0.0) };
            let own = self.rows().rev().find(|row| row.0 == key);
            (query, own.map_or_else(|| self.stepper.read(key), |row| row.1))
        })
    }

    /// Its reads of the frozen tables, one for each port: the query, and what it reads.
    pub fn lookups(&self) -> impl Iterator<Item = (f64, f64)> {
        let ports = self.network.ports;
        (0..ports.lookups).map(move |i| {
            let query = self.field(ports.t(i));
            let entry = key_of(query).and_then(|key| self.network.lookup.get(key as usize));
            (query, entry.copied().unwrap_or(0.0))
        })
    }

    /// Its units, one for each port: the gate and the value.
    pub fn units(&self) -> impl Iterator<Item = (f64, f64)> {
        let ports = self.network.ports;
        (0..ports.units).map(move |i| (self.field(ports.n(i)), self.field(ports.v(i))))
    }

    /// `[1, r, w, u, s]`: what its expert's matrix is multiplied by.
    pub fn y(&self) -> Vec<f64> {
        let carried = self.z[..usize::from(self.network.ports.carried)].iter().copied();
        let read = self.reads().chain(self.lookups()).map(|(_, value)| value);
        let units = self.units().map(|(gate, value)| gate * value);
        std::iter::once(1.0).chain(read).chain(units).chain(carried).collect()
    }
}

/// An executor whose steps somebody sees.
pub struct Observed<'a> {
    network: &'a Network,
    ends: &'a TokenEnds,
    stepper: &'a mut dyn Stepper,
    observer: &'a mut dyn Observer,
    steps: u64,
    tokens: u64,
}

impl<'a> Observed<'a> {
    /// An executor of a network that has made so many steps and tokens.
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
