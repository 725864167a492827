//! Where a program has to wait for input.
//!
//! Input is read from its source only when the program needs it. The program learns whether there is another
//! byte by attending to the row with the number of bytes, so before a step that does this, the host may
//! still append rows. [`Waits`] finds such steps in the weights.

use rustc_hash::FxHashMap;

use crate::network::{ExpertId, Field, FieldKind, Network, Ports, SourceKind};
use crate::tokens::constant_targets;
use crate::trace::key_of;

/// The steps before which a program may have to wait for input: they read the row with the number of bytes.
/// The program has to wait if, according to another row, it has read all of them.
///
/// The query for the row is a constant, made by the previous map. (A query that a gate makes, or that is
/// computed, is not found; the compiler makes no such query for this row.)
#[derive(Clone, Debug, Default)]
pub struct Waits {
    /// Key of the row with the number of bytes.
    length: u64,
    /// Key of the row with the number of bytes that the program has read.
    position: u64,
    /// For each expert, whether its step may have to wait, for some `z`.
    experts: Box<[bool]>,
    /// For each of these experts, its queries that may be for the row with the number of bytes.
    queries: FxHashMap<ExpertId, Vec<Field>>,
}

impl Waits {
    /// Finds the steps of a network. Returns `None` if the network reads no input, or has no row with the
    /// number of bytes read.
    pub fn new(network: &Network) -> Option<Waits> {
        let (length, position) = (network.io.stdin_end?, network.io.stdin_position?);
        let ports = &network.ports;
        let experts = vec![false; network.experts.len()].into();
        let mut waits = Waits { length, position, experts, ..Waits::default() };
        for e in 0..network.experts.len() as ExpertId {
            let is_query = |equation: &crate::network::Equation| {
                ports.kind(equation.field).0 == FieldKind::Q
                    && equation.sources == [Ports::ONE]
                    && equation.weights == [length as f64]
            };
            let queries: Vec<Field> =
                network.experts.equations(e).filter(is_query).map(|equation| equation.field).collect();
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

    /// Returns the keys of the row with the number of bytes read and of the row with the number of bytes.
    #[cfg(feature = "jit")]
    pub(crate) fn keys(&self) -> (u64, u64) {
        (self.position, self.length)
    }

    /// Returns whether the step of an expert may have to wait, for some `z`.
    pub(crate) fn may_be_at(&self, e: ExpertId) -> bool {
        self.experts[e as usize]
    }

    /// Returns whether the step of an expert may have to wait, for this `z`.
    pub fn is_at(&self, e: ExpertId, z: &[f64]) -> bool {
        let key = self.length as f64;
        self.may_be_at(e) && self.queries[&e].iter().any(|field| z[usize::from(*field)] == key)
    }

    /// Returns whether the program has to wait before a step, because all bytes that are there have been
    /// read. `read` reads the trace.
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

/// Returns whether an expert's map uses what a query reads.
fn uses(network: &Network, e: ExpertId, query: Field) -> bool {
    let ports = &network.ports;
    let is_read =
        |source: &u16| matches!(ports.source_kind(*source), (SourceKind::R, i) if ports.q(i) == query);
    !network.is_terminal(e) && network.experts.equations(e).flat_map(|equation| equation.sources).any(is_read)
}
