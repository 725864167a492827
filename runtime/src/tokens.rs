//! Where tokens end, derived from weights alone.
//!
//! A token ends at each step whose equation for `e` is not constant, at a jump by a constant to an expert
//! that more than one other expert leads to by a constant, and at the last step of a run.

use crate::limits::MAX_BRANCH_TERMS;
use crate::network::{Equation, ExpertId, Network, Ports};

/// For each expert, whether its step ends a token.
#[derive(Clone, Debug)]
pub struct TokenEnds {
    terminals: ExpertId,
    ends: Box<[bool]>,
}

impl TokenEnds {
    /// Derives the token ends of a network.
    ///
    /// # Panics
    ///
    /// May panic if the network is not valid (see [`validate`](crate::validate())).
    pub fn new(network: &Network) -> Self {
        let vocabulary = network.experts.len() as ExpertId;
        let mut predecessors = vec![0u8; vocabulary as usize];
        for e in 0..vocabulary {
            for target in constant_targets(network, e) {
                if target != e && !network.is_terminal(e) {
                    let count = &mut predecessors[target as usize];
                    *count = count.saturating_add(1);
                }
            }
        }
        let ends = (0..vocabulary).map(|e| {
            !network.is_terminal(e)
                && match constant_next(network, e) {
                    Some(next) => network.is_terminal(next) || predecessors[next as usize] > 1,
                    None => true,
                }
        });
        TokenEnds { terminals: network.terminals.len() as ExpertId, ends: ends.collect() }
    }

    /// Returns whether a step of expert `e` ends a token.
    pub fn ends_token(&self, e: ExpertId) -> bool {
        self.ends[e as usize]
    }

    /// Returns whether a run ends at `e`.
    pub(crate) fn is_terminal(&self, e: ExpertId) -> bool {
        e < self.terminals
    }
}

/// Returns the id that a number names: the number, truncated and clamped to the vocabulary. NaN names 0.
pub(crate) fn expert_of(x: f64, vocabulary: usize) -> ExpertId {
    // The cast truncates, saturates and turns NaN into 0.
    (x as ExpertId).min(vocabulary as ExpertId - 1)
}

/// Returns the equation of an expert that makes the next expert, if there is one.
pub(crate) fn next_equation(network: &Network, e: ExpertId) -> Option<Equation<'_>> {
    network.experts.equations(e).next_back().filter(|equation| equation.field == network.ports.e())
}

/// Returns the next expert if the equation for `e` is constant. Without an equation, it is 0.
pub(crate) fn constant_next(network: &Network, e: ExpertId) -> Option<ExpertId> {
    let vocabulary = network.experts.len();
    match next_equation(network, e) {
        None => Some(0),
        Some(Equation { sources: [], .. }) => Some(0),
        Some(Equation { sources: [Ports::ONE], weights, .. }) => Some(expert_of(weights[0], vocabulary)),
        Some(_) => None,
    }
}

/// Returns the experts that the equation for `e` leads to if each of its sources is 0 or 1, ascending.
/// Returns none if it has more than [`MAX_BRANCH_TERMS`] terms: it leads to ids that are computed, not
/// constant.
pub(crate) fn constant_targets(network: &Network, e: ExpertId) -> Vec<ExpertId> {
    let Some(equation) = next_equation(network, e) else {
        return vec![0];
    };
    let (constant, terms) = match equation.sources.first() {
        Some(&Ports::ONE) => (equation.weights[0], &equation.weights[1..]),
        _ => (0.0, equation.weights),
    };
    if terms.len() > MAX_BRANCH_TERMS {
        return Vec::new();
    }
    let sum = |subset: usize| {
        let chosen = terms.iter().enumerate().filter(|(i, _)| subset >> i & 1 == 1);
        constant + chosen.map(|(_, w)| w).sum::<f64>()
    };
    let in_vocabulary = |x: &f64| *x >= 0.0 && *x < network.experts.len() as f64 && x.fract() == 0.0;
    let mut targets: Vec<_> =
        (0..1usize << terms.len()).map(sum).filter(in_vocabulary).map(|x| x as ExpertId).collect();
    targets.sort_unstable();
    targets.dedup();
    targets
}
