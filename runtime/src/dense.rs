//! The dense executor: the definition, literally.
//!
//! The trace is append-only and is read by hard attention over all of its rows; an expert is a full
//! matrix, and a step is one matrix-vector product. It is for small programs, and for checking faster
//! executors.

use std::collections::BTreeMap;

use ndarray::{Array1, Array2};

use crate::attention::Attention;
use crate::error::Error;
use crate::network::{ExpertId, Field, Network, Ports};
use crate::stepper::Stepper;
use crate::tokens::expert_of;
use crate::trace::TraceSize;
use crate::trace::key_of;
use crate::validate::validate;
use crate::waits::Waits;

/// Executes a network as it is defined.
#[derive(Debug)]
pub struct Dense<'n> {
    network: &'n Network,
    /// Matrices of the experts that were visited. Each has a line for each field of `z` and one for `e`.
    experts: Vec<Option<Array2<f64>>>,
    keys: Vec<f64>,
    values: Vec<f64>,
    attention: Attention,
    expert: ExpertId,
    z: Vec<f64>,
    waits: Option<Waits>,
}

impl<'n> Dense<'n> {
    /// Creates an executor with an empty trace.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`]
    pub fn new(network: &'n Network) -> Result<Self, Error> {
        validate(network)?;
        Ok(Dense {
            network,
            experts: vec![None; network.experts.len()],
            keys: Vec::new(),
            values: Vec::new(),
            attention: Attention::detect(),
            expert: 0,
            z: vec![0.0; network.ports.fields()],
            waits: None,
        })
    }

    /// Reads the trace at a query; a query that is not an integer in a region reads 0.
    fn attend(&self, query: f64) -> f64 {
        match key_of(query).and_then(|key| self.network.region_of(key)) {
            Some(_) => self.attention.winner(query, &self.keys).map_or(0.0, |row| self.values[row]),
            None => 0.0,
        }
    }

    /// Reads the frozen tables at a query. Their keys are 0, 1, …, so the key is the index.
    fn look_up(&self, query: f64) -> f64 {
        key_of(query)
            .and_then(|key| self.network.lookup.get(usize::try_from(key).ok()?))
            .copied()
            .unwrap_or(0.0)
    }

    /// Returns `[1, r, w, u, s]`.
    fn y(&self) -> Array1<f64> {
        let ports = &self.network.ports;
        let z = |field: Field| self.z[usize::from(field)];
        std::iter::once(1.0)
            .chain((0..ports.reads).map(|i| self.attend(z(ports.q(i)))))
            .chain((0..ports.lookups).map(|i| self.look_up(z(ports.t(i)))))
            .chain((0..ports.units).map(|i| z(ports.n(i)) * z(ports.v(i))))
            .chain((0..ports.carried).map(|i| z(ports.s(i))))
            .collect()
    }
}

/// Returns the full matrix of an expert.
fn matrix(network: &Network, e: ExpertId) -> Array2<f64> {
    let mut matrix = Array2::zeros((network.ports.fields() + 1, network.ports.sources()));
    for equation in network.experts.equations(e) {
        for (source, weight) in equation.sources.iter().zip(equation.weights) {
            matrix[[equation.field.into(), (*source).into()]] = *weight;
        }
    }
    matrix
}

/// Returns ⌊relu(g)⌋.
pub(crate) fn quantized_gate(g: f64) -> f64 {
    g.max(0.0).floor()
}

/// Returns the range of the fields of the gates.
pub(crate) fn gates(ports: &Ports) -> std::ops::Range<usize> {
    ports.n(0).into()..ports.v(0).into()
}

impl Stepper for Dense<'_> {
    fn enter(&mut self, expert: ExpertId, fields: &[(Field, f64)]) {
        assert!((expert as usize) < self.network.experts.len(), "expert {expert} does not exist");
        self.expert = expert;
        self.z.fill(0.0);
        for (field, value) in fields {
            self.z[usize::from(*field)] = *value;
        }
    }

    fn step(&mut self) -> bool {
        let ports = &self.network.ports;
        for i in 0..ports.rows {
            let (key, value) = (self.z[usize::from(ports.k(i))], self.z[usize::from(ports.x(i))]);
            if let Some(key) = key_of(key) {
                self.append(key, value);
            }
        }
        if self.network.is_terminal(self.expert) {
            return false;
        }
        let y = self.y();
        let expert = &mut self.experts[self.expert as usize];
        let matrix = expert.get_or_insert_with(|| matrix(self.network, self.expert));
        let mut next = matrix.dot(&y).to_vec();
        for gate in &mut next[gates(ports)] {
            *gate = quantized_gate(*gate);
        }
        self.expert = expert_of(next.pop().unwrap_or(0.0), self.network.experts.len());
        self.z = next;
        true
    }

    fn z(&self) -> (ExpertId, &[f64]) {
        (self.expert, &self.z)
    }

    fn append(&mut self, key: u64, value: f64) {
        if self.network.region_of(key).is_some() {
            self.keys.push(key as f64);
            self.values.push(value);
        }
    }

    fn append_rows(&mut self) {
        let ports = &self.network.ports;
        for i in 0..ports.rows {
            let (key, value) = (usize::from(ports.k(i)), usize::from(ports.x(i)));
            if let Some(key) = key_of(std::mem::take(&mut self.z[key])) {
                self.append(key, self.z[value]);
            }
        }
    }

    fn wait_at(&mut self, waits: Option<Waits>) {
        self.waits = waits;
    }

    fn is_waiting(&self) -> bool {
        let at = (self.expert, &*self.z);
        let has_to = |waits: &Waits| waits.has_to_wait(&self.network.ports, at, |key| self.read(key));
        self.waits.as_ref().is_some_and(has_to)
    }

    fn read(&self, key: u64) -> f64 {
        self.attend(key as f64)
    }

    fn for_each_row(&self, f: &mut dyn FnMut(u64, f64)) {
        let rows = self.keys.iter().zip(&self.values);
        let latest: BTreeMap<u64, f64> = rows.map(|(key, value)| (*key as u64, *value)).collect();
        for (key, value) in latest {
            if value != 0.0 {
                f(key, value);
            }
        }
    }

    fn size(&self) -> TraceSize {
        let bytes = (self.keys.capacity() + self.values.capacity()) * size_of::<f64>();
        TraceSize { rows: self.keys.len() as u64, bytes: bytes as u64 }
    }
}
