//! Checks certificates: [`check`] proves that a network stays exact and closed.
//!
//! # What is proved
//!
//! The following holds at every step of every run that begins at an export or at the start expert, with any
//! arguments and any bytes of standard input:
//!
//! - every number handed over is the integer that the step's definition gives in exact arithmetic,
//!   whatever the order of summation, with or without fused multiply-add, so all executors agree;
//! - each of these numbers lies in what the certificate declares for it, and every ghost (a linear form in
//!   fields) lies in its interval;
//! - every key is 0 or in a declared region, every value is one that its region declares, and no two rows of
//!   a step have the same key;
//! - the next id is an expert of the network.
//!
//! # What is not proved
//!
//! The checker proves ranges, not function: the compiler's phase `validate` and tests compare *what* the
//! program computes. And the checker is incomplete. It refuses some networks that are exact, if their
//! certificate says too little or the rules below do not show why; it never accepts one that is not exact. It
//! trusts nothing that the compiler says: everything in the certificate is proved before it is used.
//!
//! # Induction
//!
//! Let `D(e)` be everything that is declared for expert `e`: domains of the fields of `z` that its map reads,
//! and ghosts. The claim is that every state `z` with which `e` is entered satisfies `D(e)`, and that every
//! row of the trace has a value that its region declares:
//!
//! - *Beginning.* Runs begin at an entry, with arguments that are words and everything else 0, or at the
//!   start expert, with everything 0; `D` of these experts is checked on that box. First rows and everything
//!   that the host may write have values that their regions declare.
//! - *Step.* Assume `D(e)`. Whatever is read is a value of a region, an entry of a table, or 0. `step.rs`
//!   proves that all equations are exact (rule 1), that rows are in their regions (rule 7), and for each
//!   expert `e2` that may follow, in the case in which it does, that the next `z` satisfies `D(e2)` (rule 8).
//! - *Computed ids.* A set of ids promises an `interface`. A jump to the set proves it; that no
//!   member declares more is checked once.
//!
//! Nothing else is remembered from step to step, so each expert is checked by itself, and in parallel.
//! If the range of a field depends on others ("`v` is small *if* the gate is 1"), the network declares a
//! ghost.
//!
//! # Variables, facts, cases
//!
//! The variables of a proof are the fields of `z` and what is read, each with an interval, its box; *the box*
//! is all these intervals together. A unit `n·v` is linear if `n` or `v` has only one possible value. Facts
//! are the ghosts, and the inequalities of a gate that was split. A linear form is bounded by the box; if
//! that does not suffice, multiples of facts are subtracted from it so that variables cancel, and the rest is
//! bounded by the box (`Assumptions::bounds`). Each such bound is valid, since the linear form is the rest plus a
//! multiple of something that lies in an interval. So all of them hold at once. Linear forms have integer
//! coefficients and integer variables, so bounds are rounded inwards.
//!
//! A variable in `[0, 1]` may be split into *cases*; in each case its box is a point, and each fact that
//! mentions the variable narrows the boxes of the fact's other variables or shows that the case is
//! impossible. What is proved in all cases is proved, because a variable is an integer.
//!
//! # The rules
//!
//! 1. *Exact equation.* Either `Σ|w|·max|x| ≤ 2^53`, counted in multiples of the equation's finest weight:
//!    then each product and each partial sum, in any order, is a multiple of it by at most 2^53, and thus a
//!    float64. Or there is one term, whose weight is a power of two (or whose product, or constant, is within
//!    2^53): the significant bits of a float64 stay the same. Or there are two such terms, and their sum is
//!    proved to be within 2^53: that is a single addition, whose exact result is a float64. Every field holds
//!    a float64, so fields beyond 2^53 have at most 53 significant bits.
//! 2. *Floor.* A gate `γ ≥ 0` on a grid of `1/s` hands over `n = ⌊γ⌋`, so `s·n = s·γ − d` with an
//!    integer `d` in `[0, s − 1]`. Gates `(x + ½)·s⁻¹` with a rounded reciprocal and `0 ≤ x < 2^50`
//!    have the floor of `x/s`: their relative error is below `3·2^-53·(1 + 2^-50)`, so the error is
//!    less than `½·s⁻¹`, the distance of `(x + ½)/s` from the next integer. Both are the equation
//!    `⌊relu(form / s)⌋` with an integer linear form. Equal equations have equal gates. If the sign of `γ` is
//!    not proved, or its floor is not precise enough, it is split: `γ < 1` and `n = 0`, or `γ ≥ 1`.
//! 3. *Cases.* A unit whose gate is in `[0, 1]` is 0 or its value.
//! 4. *Product.* Any other unit has the range of the product, which must stay within 2^53; or one factor is 0
//!    or a power of two, which keeps the significant bits of the other, and the product stays below 2^63.
//! 5. *Rounding inwards*, as above.
//! 6. *Read.* A read of the trace gives a value of one of the regions that the query's interval meets, or 0.
//!    If all these regions have values in one set of ids, what is read is in that set, too. A lookup gives
//!    one of the entries in the interval, or 0 if the interval reaches beyond the tables.
//! 7. *Row.* In each case the key is 0, or it is in one region that takes the value. Two keys of a step have
//!    disjoint ranges, or in each case their difference is not 0 or one of them is 0.
//! 8. *Next id.* Everything in the equation of `e` that is 0 or 1 is split into cases. In each case the next
//!    id is a constant in the vocabulary, or a source in a set of ids.
//! 9. *Negative gates* may exceed 2^53 in magnitude if the positive parts of their terms sum to at most
//!    2^52: a partial sum that is rounded is at most −2^53 plus the positive parts in it (rounding is
//!    monotone, and that number is a float64), so the sum is negative, and `relu` makes it 0.
//!
//! Powers of two in [`Domain::PowerOfTwo`](wasm2onnx_runtime::Domain::PowerOfTwo) include 0, which a query
//! without a match reads, and go up to 2^62.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod assumptions;
mod failure;
mod ghost;
mod linear;
pub mod parallel;
mod step;
#[cfg(test)]
mod tests;
mod world;

use std::ops::Deref;

use wasm2onnx_runtime::{ExpertId, FieldName, Interval, Network, Terminal, Validated};

pub use failure::{Broken, Declared, Failure, Location, Proved};
use step::{Largest, Prover, Widest};
use world::World;

/// What `inspect` shows of a certified network.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// Number of experts, terminal ones included.
    pub experts: usize,
    /// Number of equations of all experts.
    pub equations: usize,
    /// Numbers of declared fields and of ghosts.
    pub declared: (usize, usize),
    /// The largest Σ|w|·max|x| of an equation, in multiples of its finest weight; if that may exceed 2^53,
    /// the proved magnitude of the equation instead. Equations of one term, which are exact in any case, are
    /// ignored if they may exceed 2^53.
    pub largest_magnitude: u64,
    /// The expert and field of that equation.
    pub largest_at: (ExpertId, FieldName),
    /// The widest declared intervals, each with the first field that has it, widest first.
    pub widest: Vec<(ExpertId, FieldName, Interval)>,
}

impl Summary {
    /// Returns how many bits the largest magnitude is below 2^53.
    pub fn headroom(&self) -> f64 {
        53.0 - (self.largest_magnitude.max(1) as f64).log2()
    }
}

/// Number of experts that are handed to a thread at a time.
const BLOCK: u32 = 256;

/// A network whose certificate was checked. It can be used wherever a network is expected. To change it, take
/// the network out with [`Certified::into_network`]; the changed network has to be checked again.
#[derive(Clone, Debug)]
pub struct Certified {
    network: Network,
    summary: Summary,
}

impl Certified {
    /// What the check found out.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Returns the network alone.
    pub fn into_network(self) -> Network {
        self.network
    }

    /// Records how the network's packets were compared with the program, and on how many states. The
    /// certificate does not depend on that.
    pub fn set_validated(&mut self, validated: Validated) {
        self.network.validated = validated;
    }

    /// Replaces the offset in the program of each packet and trap, which are there for people. The certificate does not
    /// depend on them.
    pub fn set_offsets(&mut self, new: impl Fn(u32) -> u32) {
        self.network.packets.iter_mut().for_each(|packet| packet.offset = new(packet.offset));
        for terminal in &mut self.network.terminals {
            if let Terminal::Trap { offset, .. } = terminal {
                *offset = new(*offset);
            }
        }
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
/// Returns the network and the first thing that could not be proved, as [`prove`] does.
pub fn check(network: Network) -> Result<Certified, Box<Rejected>> {
    match prove(&network) {
        Ok(summary) => Ok(Certified { network, summary }),
        Err(failure) => Err(Box::new(Rejected { network, failure })),
    }
}

/// Proves what [`check`] proves, but does not take the network, for callers that change it again.
///
/// # Errors
///
/// Returns the first thing that could not be proved: first what is the same for all steps, then by expert.
pub fn prove(network: &Network) -> Result<Summary, Failure> {
    let (found, failures) = all_experts(network, true)?;
    if let Some((_, failure)) = failures.into_iter().min_by_key(|f| f.0) {
        return Err(failure);
    }

    let name = |field| FieldName::new(&network.ports, field);
    let mut largest = Largest::default();
    let mut widest = Widest::default();
    for (one, wide) in found {
        let key = |l: &Largest| (std::cmp::Reverse(l.magnitude), l.expert, l.field);
        if key(&one) < key(&largest) {
            largest = one;
        }
        for (e, field, range) in wide.0 {
            widest.see(e, field, range);
        }
    }
    Ok(Summary {
        experts: network.experts.len(),
        equations: network.experts.fields.len(),
        declared: (network.certificate.fields.len(), network.certificate.ghost_range.len()),
        largest_magnitude: largest.magnitude,
        largest_at: (largest.expert, name(largest.field)),
        widest: widest.0.into_iter().map(|(e, field, range)| (e, name(field), range)).collect(),
    })
}

/// Returns the first failure of every expert that has one, ascending by expert; or the one failure of what is
/// the same for all steps.
///
/// The compiler then makes the functions of these experts anew. Finding all failures takes longer than
/// finding the first.
pub fn failures(network: &Network) -> Vec<Failure> {
    match all_experts(network, false) {
        Ok((_, failures)) => failures.into_iter().map(|f| f.1).collect(),
        Err(failure) => vec![failure],
    }
}

/// What the threads of a check found out, and failures with their experts.
type Proof = (Vec<(Largest, Widest)>, Vec<(ExpertId, Failure)>);

/// Checks all experts; if `stop`, only up to the first that fails (and some more).
fn all_experts(network: &Network, stop: bool) -> Result<Proof, Failure> {
    let world = World::new(network)?;
    let begin = || Prover::new(&world);
    let experts = network.experts.len() as u32;
    Ok(parallel::run(experts, BLOCK, stop, begin, Prover::check, |prover| (prover.largest, prover.widest)))
}
