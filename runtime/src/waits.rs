//! Where a program has to wait for input.
//!
//! Input is asked for when the program gets to read it, and no sooner. What tells is the trace: the
//! program learns whether there is another byte by attending to the row with their number, so before
//! a step that does, the host may still append rows. [`Waits`] finds such steps in the weights.

use rustc_hash::FxHashMap;

use crate::network::{ExpertId, Field, FieldKind, Network, Ports, SourceKind};
use crate::tokens::constant_targets;
use crate::trace::key_of;

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
            let is_query = |row: &crate::network::Equation| {
                ports.kind(row.field).0 == FieldKind::Q
                    && row.sources == [Ports::ONE]
                    && row.weights == [length as f64]
            };
            let queries: Vec<Field> =
                network.experts.equations(e).filter(is_query).map(|row| row.field).collect();
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
    !network.is_terminal(e) && network.experts.equations(e).flat_map(|row| row.sources).any(is_read)
}
