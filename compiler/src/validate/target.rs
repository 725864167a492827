//! The network's side: the steps of a packet, for all runs at once.
//!
//! It follows the definition of a step, but makes only what the maps use: the equations of a map are summed
//! for all runs together, and an element of `y` is made when the first term asks for it.

use super::state::{LANES, Lanes, Traces};
use wasm2onnx_runtime::{ExpertId, Field, FieldKind, Network, Ports, Source, SourceKind};

/// The runs of the network.
pub struct Target<'a> {
    network: &'a Network,
    /// Where attention reads and rows are remembered.
    pub traces: Traces<'a>,
    /// The next expert of each run.
    pub expert: Lanes<f64>,
    z: Vec<Lanes<f64>>,
    next: Vec<Lanes<f64>>,
    y: Vec<Lanes<f64>>,
    /// The step for which each field of `z` was made last, each field of the next `z`, and each element of
    /// `y`. Fields that were not made for a step are 0.
    made: Vec<u64>,
    made_next: Vec<u64>,
    made_y: Vec<u64>,
    step: u64,
    /// Ports of rows that are pending in `z`.
    rows: Vec<u16>,
    next_rows: Vec<u16>,
    /// Reads of the tables since the packet began: keys, and what was read.
    lookups: Vec<(Lanes<f64>, Lanes<f64>)>,
}

impl<'a> Target<'a> {
    /// Makes runs of a network.
    pub fn new(network: &'a Network, traces: Traces<'a>) -> Self {
        let (fields, sources) = (network.ports.fields(), network.ports.sources());
        Target {
            network,
            traces,
            expert: [0.0; LANES],
            z: vec![[0.0; LANES]; fields],
            next: vec![[0.0; LANES]; fields],
            y: vec![[0.0; LANES]; sources],
            made: vec![0; fields],
            made_next: vec![0; fields],
            made_y: vec![0; sources],
            step: 1,
            rows: Vec::new(),
            next_rows: Vec::new(),
            lookups: Vec::new(),
        }
    }

    /// Begins a packet: `z` is 0.
    pub fn enter(&mut self) {
        self.step += 1;
        self.rows.clear();
        self.lookups.clear();
    }

    /// Sets a field of the `z` that the packet begins with.
    pub fn set(&mut self, field: Field, values: Lanes<f64>) {
        self.z[usize::from(field)] = values;
        self.made[usize::from(field)] = self.step;
    }

    /// Returns a field of `z`.
    pub fn field(&self, field: Field) -> Lanes<f64> {
        if self.made[usize::from(field)] == self.step { self.z[usize::from(field)] } else { [0.0; LANES] }
    }

    /// Remembers the rows in `z`, as the next step would do first.
    pub fn remember(&mut self) {
        let ports = &self.network.ports;
        for row in std::mem::take(&mut self.rows) {
            let (keys, values) = (self.field(ports.k(row)), self.field(ports.x(row)));
            for lane in 0..LANES {
                if let Some(key) = key_of(keys[lane]).filter(|key| *key > 0) {
                    self.traces.write(lane, key, values[lane]);
                }
            }
        }
    }

    /// Returns the key under which each run found its next expert in the tables, if one read gave the next
    /// experts of all runs.
    pub fn jump(&self) -> Option<Lanes<f64>> {
        self.lookups.iter().rev().find(|(_, values)| *values == self.expert).map(|(keys, _)| *keys)
    }

    /// Takes one step of all runs, which are at the same expert.
    pub fn step(&mut self, expert: ExpertId) {
        self.remember();
        let network = self.network;
        let ports = &network.ports;
        self.next_rows.clear();
        self.expert = [0.0; LANES];
        for equation in network.experts.equations(expert) {
            let mut sum = [0.0; LANES];
            for (source, weight) in equation.sources.iter().zip(equation.weights) {
                self.need(*source);
                let y = &self.y[usize::from(*source)];
                for lane in 0..LANES {
                    sum[lane] += weight * y[lane];
                }
            }
            if equation.field == ports.e() {
                self.expert = sum;
                continue;
            }
            match ports.kind(equation.field) {
                (FieldKind::N, _) => sum = sum.map(super::begin::quantized),
                (FieldKind::K, port) => self.next_rows.push(port),
                _ => {}
            }
            self.next[usize::from(equation.field)] = sum;
            self.made_next[usize::from(equation.field)] = self.step + 1;
        }
        self.step += 1;
        std::mem::swap(&mut self.z, &mut self.next);
        std::mem::swap(&mut self.made, &mut self.made_next);
        std::mem::swap(&mut self.rows, &mut self.next_rows);
    }

    /// Makes an element of `y`, unless this step has it already.
    fn need(&mut self, source: Source) {
        let i = usize::from(source);
        if self.made_y[i] == self.step {
            return;
        }
        let ports: &Ports = &self.network.ports;
        self.y[i] = match ports.source_kind(source) {
            (SourceKind::One, _) => [1.0; LANES],
            (SourceKind::S, port) => self.field(ports.s(port)),
            (SourceKind::U, port) => {
                let (n, v) = (self.field(ports.n(port)), self.field(ports.v(port)));
                std::array::from_fn(|lane| n[lane] * v[lane])
            }
            (SourceKind::R, port) => {
                let keys = self.field(ports.q(port));
                std::array::from_fn(|lane| key_of(keys[lane]).map_or(0.0, |key| self.traces.read(lane, key)))
            }
            (SourceKind::W, port) => {
                let keys = self.field(ports.t(port));
                let lookup = &self.network.lookup;
                let values = std::array::from_fn(|lane| {
                    key_of(keys[lane])
                        .and_then(|key| lookup.get(usize::try_from(key).ok()?))
                        .copied()
                        .unwrap_or(0.0)
                });
                self.lookups.push((keys, values));
                values
            }
        };
        self.made_y[i] = self.step;
    }
}

/// Returns the key that a number is, if it is one.
fn key_of(x: f64) -> Option<u64> {
    let key = x as u64;
    (key as f64 == x).then_some(key)
}
