//! The certificate, checked: [`check`] proves that a network stays exact and closed.
//!
//! # What is proved
//!
//! Of every run that begins at an export or at the start expert, with any arguments and any bytes of
//! input, at every step:
//!
//! - every number handed over is the integer that the step's definition gives in exact arithmetic,
//!   whatever the order of summation, with or without fused multiply-add. So all executors agree.
//! - it lies in what the certificate declares for it, and every ghost (linear form in fields) in its
//!   interval;
//! - every key is 0 or in a declared region, every value in what its region declares, no two rows of
//!   a step have the same key;
//! - the next id is an expert of the network.
//!
//! # What may be missed
//!
//! Ranges are proved, not function: *what* the program computes is compared by the compiler's phase `validate`, and by tests. And the
//! checker is incomplete. It refuses networks that are exact if their certificate says too little or
//! the rules below do not see why; never the other way round. It trusts nothing that the compiler
//! says: all of the certificate is proved before it is used.
//!
//! # Induction
//!
//! Let `D(e)` be all that is declared for expert `e`: domains of the fields of `z` that its map
//! reads, and ghosts. A state `z` that `e` is entered with satisfies `D(e)`, and every row of the
//! trace its region's values:
//!
//! - *Beginning.* Runs begin at an entry with arguments that are words and all else 0, at the start
//!   expert with all 0; `D` of these experts is checked on that box. First rows and all that the host
//!   may write are in their regions' values.
//! - *Step.* Assume `D(e)`. Whatever is read is in the values of a region, in a table, or 0.
//!   `step.rs` proves all rows exact (rule 1), rows to remember in their regions (rule 7), and for each
//!   expert `e2` that may follow, in the case in which it does, `D(e2)` of the next `z` (rule 8).
//! - *Computed ids.* A set of ids promises an `interface`. A jump to the set proves it; that each
//!   member declares no more is checked once.
//!
//! Nothing else is remembered from step to step, so each expert is checked alone, and in parallel.
//! Where a field's range depends on others ("`v` is small *if* the gate is 1"), the network declares a
//! ghost.
//!
//! # Variables, facts, cases
//!
//! The variables of a proof are the fields of `z` and what is read, each with a box. A unit `n·v` is
//! linear if `n` or `v` is one number. Facts are the ghosts, and the inequalities of a gate that was
//! split. A linear form is bounded by the box; if that does not suffice, multiples of facts are
//! subtracted so that variables cancel, and the rest is bounded by the box (`State::bounds`). Each
//! such bound is valid: the form is the rest plus a multiple of something that lies in an interval.
//! So all of them hold at once. Forms have integer coefficients and integer variables, so bounds
//! are rounded inwards.
//!
//! A variable in `[0, 1]` may be split into *cases*; in each its box is a point, and each fact that
//! mentions it narrows the boxes of its other variables or shows the case impossible. What is proved
//! in all cases is proved, as a variable is an integer.
//!
//! # The rules
//!
//! 1. *Exact form.* `Σ|w|·max|x| ≤ 2^53` in units of the row's finest weight: then each product and
//!    each partial sum in any order is a multiple of that unit of at most 2^53, thus a float64. Or one
//!    term, its weight a power of two (or the product within 2^53, a constant within 2^53): a float64's significant bits stay.
//!    Or two such terms, and their sum proved within 2^53: a single sum, rounded from a number that
//!    is a float64. Every field holds a float64, so fields beyond 2^53 have at most 53 significant
//!    bits.
//! 2. *Floor.* A gate `γ ≥ 0` on a grid of `1/s` hands over `n = ⌊γ⌋`, so `s·n = s·γ − d` with an
//!    integer `d` in `[0, s − 1]`. Gates `(x + ½)·s⁻¹` with a rounded reciprocal and `0 ≤ x < 2^50`
//!    have the floor of `x/s`: their relative error is below `3·2^-53·(1 + 2^-50)`, so the error is
//!    less than `½·s⁻¹`, the distance of `(x + ½)/s` from the next integer. Both are the row
//!    `⌊relu(form / s)⌋` with an integer `form`. Equal rows have equal gates. Where the sign of `γ` is
//!    not proved, or its floor not precise enough, it is split: `γ < 1` and `n = 0`, or `γ ≥ 1`.
//! 3. *Cases.* A unit with a gate in `[0, 1]` is 0 or its value.
//! 4. *Product.* Otherwise it has the range of the product, which must stay within 2^53; or one
//!    factor is 0 or a power of two, which keeps the significant bits of the other, and it stays below
//!    2^63.
//! 5. *Rounding inwards*, as above.
//! 6. *Read.* The values of all regions that the query's interval meets, and 0; of a table exactly
//!    the entries in the interval, and 0 if it reaches beyond the tables. If all regions that it
//!    meets have values in one set of ids, so has what is read.
//! 7. *Row.* In each case the key is 0, or in one region that takes the value. Two keys of a step
//!    have disjoint ranges, or in each case a difference that is not 0, or one is 0.
//! 8. *Next id.* In each case of everything in the `e` row that is 0 or 1 the next id is a constant
//!    in the vocabulary, or a source in a set of ids.
//! 9. *Negative gates* may pass 2^53 in magnitude if the positive parts of their terms sum to at most
//!    2^52: a partial sum that is rounded is at most −2^53 plus the positive parts in it (rounding is
//!    monotone, and that number is a float64), so the whole is negative, and `relu` makes it 0.
//!
//! Powers of two in [`Domain::PowerOfTwo`](wasm2onnx_runtime::Domain::PowerOfTwo) include 0, what a
//! miss reads, and go up to 2^62.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod failure;
mod ghost;
mod linear;
pub mod parallel;
mod state;
mod step;
#[cfg(test)]
mod tests;
mod world;

use std::ops::Deref;

use wasm2onnx_runtime::{ExpertId, FieldName, Interval, Network, Validated};

pub use failure::{Broken, Declared, Failure, Location, Proved};
use step::{Largest, Prover, Widest};
use world::World;

/// What `inspect` shows of a certified network.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// Number of experts, terminal ones included.
    pub experts: usize,
    /// Number of rows of all experts.
    pub rows: usize,
    /// Number of declared fields and of ghosts.
    pub declared: (usize, usize),
    /// The largest Σ|w|·max|x| of a row, in units of its finest weight, or if that may pass 2^53 the
    /// proved magnitude of the row. Rows of one term, exact whatever they are, are left out if they
    /// may pass 2^53.
    pub largest_magnitude: u64,
    /// Where that is.
    pub largest_at: (ExpertId, FieldName),
    /// The widest intervals declared, each with the first field that has it, widest first.
    pub widest: Vec<(ExpertId, FieldName, Interval)>,
}

impl Summary {
    /// How many bits the largest magnitude is below 2^53.
    pub fn headroom(&self) -> f64 {
        53.0 - (self.largest_magnitude.max(1) as f64).log2()
    }
}

/// Experts handed to a thread at a time.
const BLOCK: u32 = 256;

/// A network whose certificate was checked. It is the network wherever one is asked for; what would change it, or pass one
/// on that was changed, takes it out with [`Certified::into_network`] and has to check again.
#[derive(Clone, Debug)]
pub struct Certified {
    network: Network,
    summary: Summary,
}

impl Certified {
    /// What was seen while it was checked.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// The network alone.
    pub fn into_network(self) -> Network {
        self.network
    }

    /// Notes on how many states its packets were compared with the program. The certificate says nothing of that.
    pub fn set_validated(&mut self, validated: Validated) {
        self.network.validated = validated;
    }
}

impl Deref for Certified {
    type Target = Network;

    fn deref(&self) -> &Network {
        &self.network
    }
}

/// A network that could not be proved, and why.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{failure}")]
pub struct Rejected {
    /// The network as it was given.
    pub network: Network,
    /// The first thing that could not be proved.
    pub failure: Failure,
}

/// Checks a network and its certificate.
///
/// # Errors
///
/// The network, and the first thing that could not be proved, as of [`prove`].
pub fn check(network: Network) -> Result<Certified, Box<Rejected>> {
    match prove(&network) {
        Ok(summary) => Ok(Certified { network, summary }),
        Err(failure) => Err(Box::new(Rejected { network, failure })),
    }
}

/// Proves what [`check`] does of a network that stays where it is, for those who change it again.
///
/// # Errors
///
/// The first thing that could not be proved: first what is the same for all steps, then by expert.
pub fn prove(network: &Network) -> Result<Summary, Failure> {
    let (found, failures) = all_experts(network, true)?;
    if let Some((_, failure)) = failures.into_iter().min_by_key(|f| f.0) {
        return Err(failure);
    }

    let name = |field| FieldName::new(&network.ports, field);
    let mut largest = Largest::default();
    let mut widest = Widest::default();
    for (one, wide) in found {
        let place = |l: &Largest| (std::cmp::Reverse(l.magnitude), l.expert, l.field);
        if place(&one) < place(&largest) {
            largest = one;
        }
        for (e, field, range) in wide.0 {
            widest.see(e, field, range);
        }
    }
    Ok(Summary {
        experts: network.experts.len(),
        rows: network.experts.fields.len(),
        declared: (network.certificate.fields.len(), network.certificate.ghost_range.len()),
        largest_magnitude: largest.magnitude,
        largest_at: (largest.expert, name(largest.field)),
        widest: widest.0.into_iter().map(|(e, field, range)| (e, name(field), range)).collect(),
    })
}

/// The first failure of every expert that has one, ascending; or the one failure of what is the same for all steps.
///
/// The compiler makes anew what they name; it takes longer than to find the first.
pub fn failures(network: &Network) -> Vec<Failure> {
    match all_experts(network, false) {
        Ok((_, failures)) => failures.into_iter().map(|f| f.1).collect(),
        Err(failure) => vec![failure],
    }
}

/// What the threads of a check saw, and failures with their experts.
type Proof = (Vec<(Largest, Widest)>, Vec<(ExpertId, Failure)>);

/// Checks all experts; up to the first that fails (and some more) if `stop`.
fn all_experts(network: &Network, stop: bool) -> Result<Proof, Failure> {
    let world = World::new(network)?;
    let begin = || Prover::new(&world);
    let experts = network.experts.len() as u32;
    Ok(parallel::run(experts, BLOCK, stop, begin, Prover::check, |prover| (prover.largest, prover.widest)))
}
