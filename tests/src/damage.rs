//! Runs networks whose weights were changed, because the program is in the weights.

use std::collections::BTreeSet;
use std::ops::Range;

use fastrand::Rng;
use wasm2onnx_runtime::{
    ExpertId, Experts, Network, Observed, Observer, Sparse, SparseOptions, Step, Stepper, TokenEnds, Value,
};

use crate::ours;

/// A call that ends, and the experts and table entries that it uses.
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
    /// Follows a call. Returns `None` if it takes more than `max_steps` steps.
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

    /// Makes a sparse executor that is about to do the first step.
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

    /// Chooses a random change and its factor. The change is of a weight, chosen uniformly among the terms of
    /// the experts that the run evaluates. If the run reads tables, one change in eight is of a table entry
    /// instead.
    ///
    /// # Panics
    ///
    /// If the run evaluates no weights.
    pub fn random_change(&self, rng: &mut Rng, experts: &Experts) -> (Change, f64) {
        let change = match rng.u8(..8) {
            0 if !self.looked_up.is_empty() => {
                let entries: Vec<_> = self.looked_up.iter().collect();
                Change::Entry(*entries[rng.usize(..entries.len())])
            }
            _ => {
                let visited: BTreeSet<_> = self.path.iter().copied().collect();
                let equations = visited.iter().flat_map(|e| experts.equation_range(*e));
                let terms: Vec<_> = equations
                    .flat_map(|equation| experts.term_range(equation).map(move |term| (equation, term)))
                    .collect();
                let (equation, term) = terms[rng.usize(..terms.len())];
                Change::Weight { equation, term }
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

/// A number in the tensors that is changed.
#[derive(Clone, Copy, Debug)]
pub enum Change {
    /// A weight, by the indices of its equation and its term among those of all experts.
    Weight {
        /// The equation.
        equation: usize,
        /// The term.
        term: usize,
    },
    /// An entry of the frozen tables.
    Entry(usize),
}

/// The number that a change replaced.
pub struct Undo(Change, f64);

impl Change {
    /// Adds `factor` times the smallest magnitude of the equation's weights to a weight, or `factor` to a
    /// table entry. Returns `None` if that would remove the term.
    pub fn apply(self, network: &mut Network, factor: f64) -> Option<Undo> {
        let (number, by) = match self {
            Change::Weight { equation, term } => {
                let weights = &network.experts.weights[network.experts.term_range(equation)];
                let finest = weights.iter().fold(f64::INFINITY, |finest, weight| finest.min(weight.abs()));
                (&mut network.experts.weights[term], finest)
            }
            Change::Entry(entry) => (&mut network.lookup[entry], 1.0),
        };
        let old = *number;
        let new = old + factor * by;
        if new == 0.0 && matches!(self, Change::Weight { .. }) {
            return None;
        }
        *number = new;
        Some(Undo(self, old))
    }
}

impl Undo {
    /// Restores the number.
    pub fn apply(self, network: &mut Network) {
        match self.0 {
            Change::Weight { term, .. } => network.experts.weights[term] = self.1,
            Change::Entry(entry) => network.lookup[entry] = self.1,
        }
    }
}

/// Returns the experts of each packet.
pub fn packets(network: &Network) -> impl Iterator<Item = Range<ExpertId>> {
    (0..network.packets.len()).map(|packet| network.experts_of(packet))
}

/// Returns the matrices, with those of the `erased` experts set to 0.
pub fn erase(experts: &Experts, erased: Range<ExpertId>) -> Experts {
    let mut copy = Experts::default();
    for e in 0..experts.len() as ExpertId {
        for equation in experts.equations(e).filter(|_| !erased.contains(&e)) {
            for (source, weight) in equation.sources.iter().zip(equation.weights) {
                copy.push_term(*source, *weight);
            }
            copy.end_equation(equation.field);
        }
        copy.end_expert();
    }
    copy
}
