//! Finds the packets that are compiled together: the hot packets around a given one, as chains of experts.
//!
//! A chain is a sequence of experts, each of which leads to the next by a constant. The interpreter has seen
//! where each chain goes; hot chains that go to one another make a code region, which becomes one native
//! function, loops included.

use rustc_hash::FxHashMap;

use super::shape::{CONSTANT, Known, Shape};
use super::symbolic::{Trail, follow};
use crate::decoded::Decoded;
use crate::limits::{MAX_CHAIN, MAX_COMPILED_FIELDS, MAX_COMPILED_TERMS};
use crate::network::{ExpertId, FieldKind, Network, SourceKind};
use crate::tokens::{TokenEnds, constant_next, constant_targets};
use crate::trace::RegionHint;
use crate::waits::Waits;

/// A code region whose chains have this many steps is full: no further chains are added.
const MAX_STEPS: usize = 400;

/// Maximum number of times that each chain of a code region is followed to find the shapes, on average. No
/// program comes near it.
const MAX_ROUNDS: usize = 32;

/// Returns the number of steps of the longest chain: so many must be left to run when a chain is entered.
pub(super) fn longest(chains: &[Chain]) -> i64 {
    chains.iter().map(|chain| chain.experts.len()).max().unwrap_or(0) as i64
}

/// A chain of experts and where it goes.
#[derive(Debug)]
pub(super) struct Chain {
    /// Its experts; the packet begins with the first one.
    pub(super) experts: Vec<ExpertId>,
    /// Number of tokens that end in it.
    pub(super) tokens: u64,
    /// Chains of the code region that it was seen to go to, by index and first expert. It may go
    /// elsewhere, too.
    pub(super) successors: Vec<(usize, ExpertId)>,
    /// The shape of `z` at its beginning: what its predecessors in the code region agree on.
    pub(super) shape: Shape,
    /// For each field of `z`, whether the first step makes any use of it.
    pub(super) relevant: Vec<bool>,
    /// Whether the first step may have to wait for input.
    pub(super) may_wait: bool,
}

/// What is known of a program when code regions are formed.
pub(super) struct Program<'a> {
    pub(super) network: &'a Network,
    pub(super) ends: &'a TokenEnds,
    /// Decoded experts, with what the interpreter has seen of them.
    pub(super) decoded: &'a [Option<Box<Decoded>>],
    /// Whether a region of the trace has cells of bytes.
    pub(super) is_byte: &'a dyn Fn(RegionHint) -> bool,
    /// Steps that may have to wait for input: each begins a chain.
    pub(super) waits: Option<&'a Waits>,
    /// Whether a packet next to a hot one counts as hot and may be compiled (again).
    pub(super) is_warm: &'a dyn Fn(ExpertId) -> bool,
}

impl Program<'_> {
    /// Returns the code region of the hot packet that begins with `expert`, as chains; `z` is the current
    /// one. Returns `None` if the code region would be too large.
    pub(super) fn region(&self, expert: ExpertId, z: &[f64]) -> Option<Vec<Chain>> {
        let is_small =
            self.network.ports.fields() <= MAX_COMPILED_FIELDS && self.terms(expert) <= MAX_COMPILED_TERMS;
        if !is_small {
            return None;
        }
        let mut chains = self.chains(expert);
        self.shapes(&mut chains, z)?;
        Some(chains)
    }

    /// Returns the number of terms of an expert's equations.
    fn terms(&self, e: ExpertId) -> usize {
        self.network.experts.equations(e).map(|equation| equation.sources.len()).sum()
    }

    /// Returns the straight-line code of a chain.
    pub(super) fn trail(&self, chain: &Chain) -> Trail {
        follow(self.network, self.decoded, &chain.shape, &chain.experts, self.is_byte)
    }

    fn is_warm(&self, e: ExpertId) -> bool {
        !self.ends.is_terminal(e) && (self.is_warm)(e) && self.terms(e) <= MAX_COMPILED_TERMS
    }

    fn may_wait(&self, e: ExpertId) -> bool {
        self.waits.is_some_and(|waits| waits.may_be_at(e))
    }

    fn chains(&self, expert: ExpertId) -> Vec<Chain> {
        let mut chains: Vec<Chain> = Vec::new();
        let mut targets = Vec::new();
        let mut index_of = FxHashMap::default();
        let mut heads = vec![expert];
        let (mut steps, mut terms) = (0, 0);
        while chains.len() < heads.len() {
            let head = heads[chains.len()];
            index_of.insert(head, chains.len());
            let (experts, next) = self.chain(head);
            steps += experts.len();
            terms += experts.iter().map(|e| self.terms(*e)).sum::<usize>();
            let is_full = steps >= MAX_STEPS || terms >= MAX_COMPILED_TERMS;
            for &target in &next {
                if !is_full && !heads.contains(&target) && self.is_warm(target) {
                    heads.push(target);
                }
            }
            let tokens = experts.iter().filter(|e| self.ends.ends_token(**e)).count() as u64;
            let relevant = self.relevant(head);
            let may_wait = self.may_wait(head);
            let (successors, shape) = (Vec::new(), Shape::new([]));
            chains.push(Chain { experts, tokens, successors, shape, relevant, may_wait });
            targets.push(next);
        }
        for (chain, targets) in chains.iter_mut().zip(targets) {
            chain.successors = targets.into_iter().filter_map(|e| Some((*index_of.get(&e)?, e))).collect();
        }
        chains
    }

    /// Returns for each field whether an expert's step makes use of it.
    fn relevant(&self, e: ExpertId) -> Vec<bool> {
        let ports = &self.network.ports;
        let mut relevant = vec![true; ports.fields()];
        relevant[usize::from(ports.n(0))..usize::from(ports.k(0))].fill(false);
        for &source in self.network.experts.equations(e).flat_map(|equation| equation.sources) {
            let fields = match ports.source_kind(source) {
                (SourceKind::One | SourceKind::S, _) => continue,
                (SourceKind::R, i) => [ports.q(i); 2],
                (SourceKind::W, i) => [ports.t(i); 2],
                (SourceKind::U, i) => [ports.n(i), ports.v(i)],
            };
            for field in fields {
                relevant[usize::from(field)] = true;
            }
        }
        relevant
    }

    /// Returns the experts of the chain of a packet, and the experts that it was seen to go to.
    fn chain(&self, head: ExpertId) -> (Vec<ExpertId>, Vec<ExpertId>) {
        let mut experts = vec![head];
        let mut last = head;
        let mut terms = self.terms(head);
        loop {
            let Some(next) = constant_next(self.network, last) else {
                let targets = match self.decoded[last as usize].as_deref() {
                    Some(decoded) => decoded.targets.as_slice().to_vec(),
                    // The expert was never visited: take all experts that its weights can lead to.
                    None => constant_targets(self.network, last),
                };
                return (experts, targets);
            };
            terms += self.terms(next);
            let is_long = experts.len() == MAX_CHAIN || terms > MAX_COMPILED_TERMS;
            if self.ends.ends_token(last) || is_long || self.may_wait(next) {
                return (experts, vec![next]);
            }
            experts.push(next);
            last = next;
        }
    }

    /// Finds what is known of `z` at the beginning of each chain: what holds after each of its predecessors.
    ///
    /// The first chain is also entered from outside. There, a field is assumed to be constant if it has that
    /// value now and all predecessors in the code region give it that value. Whether they do is known once
    /// the shapes of the other chains are known.
    ///
    /// Returns `None` if this takes too long.
    fn shapes(&self, chains: &mut [Chain], z: &[f64]) -> Option<()> {
        let from_outside = self.first_shape(z, None);
        if let Some(from_inside) = self.propagate(chains, from_outside)? {
            let from_outside = self.first_shape(z, Some(&from_inside));
            self.propagate(chains, from_outside)?;
        }
        Some(())
    }

    /// Gives each chain its shape, given the shape with which the first chain is entered from outside.
    /// Returns the shape with which the first chain is entered from inside, if it is, or `None` if this takes
    /// too long.
    fn propagate(&self, chains: &mut [Chain], first: Shape) -> Option<Option<Shape>> {
        let mut shapes = vec![None; chains.len()];
        shapes[0] = Some(first);
        let mut inside: Vec<Option<Shape>> = vec![None; chains.len()];
        let mut changed = vec![0];
        let mut rounds = MAX_ROUNDS * chains.len();
        while let Some(i) = changed.pop() {
            rounds = rounds.checked_sub(1)?;
            let chain = &mut chains[i];
            chain.shape = shapes[i].clone().expect("a chain is followed once its shape is known");
            let after = self.trail(chain).shape();
            let mut targets: Vec<_> = chain.successors.iter().map(|(to, _)| *to).collect();
            targets.dedup();
            inside[i] = Some(after.clone());
            for to in targets {
                let met = shapes[to].as_ref().map_or(after.clone(), |shape: &Shape| shape.meet(&after));
                if shapes[to].as_ref() != Some(&met) {
                    shapes[to] = Some(met);
                    if !changed.contains(&to) {
                        changed.push(to);
                    }
                }
            }
        }
        let into_first =
            chains.iter().zip(inside).filter(|(chain, _)| chain.successors.iter().any(|(to, _)| *to == 0));
        Some(into_first.filter_map(|(_, after)| after).reduce(|a, b| a.meet(&b)))
    }

    /// Returns the shape with which the code region is entered from outside, given one example of `z` and the
    /// shape with which its first packet is entered from inside. Carried values may be anything, unless they
    /// are confirmed to be 0. The other fields, such as queries, are assumed to be what they are now: what is
    /// not confirmed is dropped where the two shapes meet.
    fn first_shape(&self, z: &[f64], inside: Option<&Shape>) -> Shape {
        let known = inside.map(Shape::known);
        Shape::new(z.iter().enumerate().map(|(field, &value)| {
            let confirmed = known.as_ref().is_some_and(|known| known[field] == Known::Constant(value));
            let carried = self.network.ports.kind(field as u16).0 == FieldKind::S;
            let constant = match (carried, &known) {
                (true, _) => confirmed && value == 0.0,
                (false, Some(_)) => true,
                (false, None) => value == 0.0,
            };
            if constant { (CONSTANT, value) } else { (1 + field as u32, 0.0) }
        }))
    }
}
