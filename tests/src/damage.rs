//! Runs on networks whose weights were changed: the program is in the weights.

use std::collections::BTreeSet;
use std::ops::Range;

use fastrand::Rng;
use wasm2onnx_runtime::{
    ExpertId, Experts, Network, Observed, Observer, Sparse, SparseOptions, Step, Stepper, TokenEnds, Value,
};

use crate::ours;

/// A call that ends, and what it comes to.
pub struct Run {
    /// The function.
    pub entry: String,
    /// Its arguments.
    pub args: Vec<Value>,
    /// Experts evaluated, in order.
    pub path: Vec<ExpertId>,
    /// Entries of the frozen tables that were read.
    pub looked_up: BTreeSet<usize>,
}

impl Run {
    /// Follows a call; nothing if it takes more than so many steps.
    ///
    /// # Panics
    ///
    /// If the network is not valid, or runs something at its creation.
    pub fn follow(network: &Network, entry: &str, args: &[Value], max_steps: u64) -> Option<Run> {
        let (path, looked_up) = (Vec::new(), BTreeSet::new());
        let mut run = Run { entry: entry.to_owned(), args: args.to_vec(), path, looked_up };
        let mut sparse = run.entered(network, SparseOptions { assert_declared: false, compile_after: None });
        let ends = TokenEnds::new(network);
        let ended = Observed::new(network, &ends, &mut sparse, &mut run, (0, 0)).run(max_steps, &ends).ended;
        // The last step has no map.
        run.path.pop();
        ended.then_some(run)
    }

    /// A sparse executor before the first step.
    ///
    /// # Panics
    ///
    /// If the network is not valid, or runs something at its creation.
    pub fn entered<'n>(&self, network: &'n Network, options: SparseOptions) -> Sparse<'n> {
        let mut sparse = Sparse::new(network, options).expect("the network is valid");
        ours::first_rows(network, &mut sparse);
        assert_eq!(network.start, None, "the programs need no start");
        ours::enter(network, &self.entry, &self.args, &mut sparse);
        sparse
    }

    /// A random change of a weight of an expert that the run comes to: uniformly chosen among their
    /// terms, by a multiple of the row's finest weight. One in eight is of a table's entry instead,
    /// if the run reads tables.
    ///
    /// # Panics
    ///
    /// If the run comes to no weights.
    pub fn random_change(&self, rng: &mut Rng, experts: &Experts) -> (Change, f64) {
        let change = match rng.u8(..8) {
            0 if !self.looked_up.is_empty() => {
                let entries: Vec<_> = self.looked_up.iter().collect();
                Change::Entry(*entries[rng.usize(..entries.len())])
            }
            _ => {
                let visited: BTreeSet<_> = self.path.iter().copied().collect();
                let rows = visited.iter().flat_map(|e| experts.equation_range(*e));
                let terms: Vec<_> =
                    rows.flat_map(|row| experts.term_range(row).map(move |term| (row, term))).collect();
                let (row, term) = terms[rng.usize(..terms.len())];
                Change::Weight { row, term }
            }
        };
        (change, f64::from([-3, -2, -1, 1, 2, 3][rng.usize(..6)]))
    }
}

impl Observer for Run {
    fn step(&mut self, step: &Step<'_>) {
        self.path.push(step.expert);
        let entries = step.lookups().map(|(query, _)| query as usize);
        self.looked_up.extend(entries.filter(|entry| *entry < step.network.lookup.len()));
    }
}

/// A place in the tensors.
#[derive(Clone, Copy, Debug)]
pub enum Change {
    /// A term of an expert's row: indices of both among all.
    Weight {
        /// The row.
        row: usize,
        /// The term.
        term: usize,
    },
    /// An entry of the frozen tables.
    Entry(usize),
}

/// The number that was at a place.
pub struct Undo(Change, f64);

impl Change {
    /// Adds so many times the row's finest weight, or 1 to a table's entry. Nothing if that would
    /// take the term away.
    pub fn apply(self, network: &mut Network, factor: f64) -> Option<Undo> {
        let (place, by) = match self {
            Change::Weight { row, term } => {
                let weights = &network.experts.weights[network.experts.term_range(row)];
                let finest = weights.iter().fold(f64::INFINITY, |finest, weight| finest.min(weight.abs()));
                (&mut network.experts.weights[term], finest)
            }
            Change::Entry(entry) => (&mut network.lookup[entry], 1.0),
        };
        let old = *place;
        let new = old + factor * by;
        if new == 0.0 && matches!(self, Change::Weight { .. }) {
            return None;
        }
        *place = new;
        Some(Undo(self, old))
    }
}

impl Undo {
    /// Puts it back.
    pub fn apply(self, network: &mut Network) {
        match self.0 {
            Change::Weight { term, .. } => network.experts.weights[term] = self.1,
            Change::Entry(entry) => network.lookup[entry] = self.1,
        }
    }
}

/// The experts of each packet.
pub fn packets(network: &Network) -> impl Iterator<Item = Range<ExpertId>> {
    (0..network.packets.len()).map(|packet| network.experts_of(packet))
}

/// The matrices with those of some experts 0.
pub fn erase(experts: &Experts, erased: Range<ExpertId>) -> Experts {
    let mut copy = Experts::default();
    for e in 0..experts.len() as ExpertId {
        for row in experts.equations(e).filter(|_| !erased.contains(&e)) {
            for (source, weight) in row.sources.iter().zip(row.weights) {
                copy.push_term(*source, *weight);
            }
            copy.end_equation(row.field);
        }
        copy.end_expert();
    }
    copy
}
