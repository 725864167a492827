//! Which packets are compiled together: the hot packets around one, as chains of experts.
//!
//! A chain is a run of experts that lead to one another by constant. The interpreter has seen where
//! each chain goes; chains that go to one another often make a region, which becomes one native
//! function, loops and all.

use rustc_hash::FxHashMap;

use super::shape::{CONSTANT, Known, Shape};
use super::symbolic::{Trail, follow};
use crate::code::Code;
use crate::network::{ExpertId, FieldKind, Network, SourceKind};
use crate::tokens::{TokenEnds, constant_next};
use crate::trace::RegionHint;

/// Longest chain, in steps.
pub(super) const MAX_CHAIN: usize = 64;

/// Most steps of the chains of a region.
const MAX_STEPS: usize = 400;

/// A chain of experts and where it goes.
#[derive(Debug)]
pub(super) struct Chain {
    /// Its experts; the first is the packet's.
    pub(super) experts: Vec<ExpertId>,
    /// Tokens that end in it.
    pub(super) tokens: u64,
    /// Chains of the region that it was seen to go to, by index and first expert. It may go
    /// elsewhere, too.
    pub(super) successors: Vec<(usize, ExpertId)>,
    /// The shape of `z` at its beginning: what its predecessors in the region agree on.
    pub(super) shape: Shape,
    /// For each field of `z` whether the first step makes any use of it.
    pub(super) relevant: Vec<bool>,
}

/// What region formation looks at.
pub(super) struct Program<'a> {
    pub(super) network: &'a Network,
    pub(super) ends: &'a TokenEnds,
    /// Decoded experts, with what the interpreter has seen of them.
    pub(super) code: &'a [Option<Box<Code>>],
    /// Whether a region of the trace has cells of bytes.
    pub(super) is_byte: &'a dyn Fn(RegionHint) -> bool,
    /// Whether a packet may be compiled (again).
    pub(super) may_compile: &'a dyn Fn(ExpertId) -> bool,
    /// Visits from which a packet next to a hot one is hot itself.
    pub(super) warm: u32,
}

impl Program<'_> {
    /// The region of the hot packet at `expert`, where `z` is now as given.
    pub(super) fn region(&self, expert: ExpertId, z: &[f64]) -> Vec<Chain> {
        let mut chains = self.chains(expert);
        self.shapes(&mut chains, z);
        chains
    }

    /// The code of a chain.
    pub(super) fn trail(&self, chain: &Chain) -> Trail {
        follow(self.network, self.code, &chain.shape, &chain.experts, self.is_byte)
    }

    fn is_warm(&self, e: ExpertId) -> bool {
        let visited = |code: &Code| code.visits >= self.warm;
        !self.ends.is_terminal(e)
            && (self.may_compile)(e)
            && self.code[e as usize].as_deref().is_some_and(visited)
    }

    fn chains(&self, expert: ExpertId) -> Vec<Chain> {
        let mut chains: Vec<Chain> = Vec::new();
        let mut targets = Vec::new();
        let mut index_of = FxHashMap::default();
        let mut heads = vec![expert];
        let mut steps = 0;
        while chains.len() < heads.len() {
            let head = heads[chains.len()];
            index_of.insert(head, chains.len());
            let (experts, next) = self.chain(head);
            steps += experts.len();
            for &target in &next {
                if steps < MAX_STEPS && !heads.contains(&target) && self.is_warm(target) {
                    heads.push(target);
                }
            }
            let tokens = experts.iter().filter(|e| self.ends.ends_token(**e)).count() as u64;
            let relevant = self.relevant(head);
            chains.push(Chain { experts, tokens, successors: Vec::new(), shape: Shape::new([]), relevant });
            targets.push(next);
        }
        for (chain, targets) in chains.iter_mut().zip(targets) {
            chain.successors = targets.into_iter().filter_map(|e| Some((*index_of.get(&e)?, e))).collect();
        }
        chains
    }

    /// The fields that an expert's step makes use of.
    fn relevant(&self, e: ExpertId) -> Vec<bool> {
        let ports = &self.network.ports;
        let mut relevant = vec![true; ports.fields()];
        relevant[usize::from(ports.n(0))..usize::from(ports.k(0))].fill(false);
        for &source in self.network.experts.rows(e).flat_map(|row| row.sources) {
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

    /// The experts of the chain of a packet, and those that it was seen to go to.
    fn chain(&self, head: ExpertId) -> (Vec<ExpertId>, Vec<ExpertId>) {
        let mut experts = vec![head];
        let mut last = head;
        loop {
            let Some(next) = constant_next(self.network, last) else {
                let seen =
                    self.code[last as usize].as_deref().map_or(&[][..], |code| code.targets.as_slice());
                return (experts, seen.to_vec());
            };
            if self.ends.ends_token(last) || experts.len() == MAX_CHAIN {
                return (experts, vec![next]);
            }
            experts.push(next);
            last = next;
        }
    }

    /// Finds what is known of `z` at the beginning of each chain: the weakest of what holds after
    /// its predecessors.
    ///
    /// The first chain is also entered from outside. There a constant is assumed if it is one now,
    /// and all predecessors in the region make it so: that is known once the others' shapes are.
    fn shapes(&self, chains: &mut [Chain], z: &[f64]) {
        let from_outside = self.first_shape(z, None);
        let Some(from_inside) = self.propagate(chains, from_outside) else {
            return;
        };
        let from_outside = self.first_shape(z, Some(&from_inside));
        self.propagate(chains, from_outside);
    }

    /// Gives each chain its shape, for a shape that the first is entered with from outside. Returns
    /// the shape that it is entered with from inside, if it is.
    fn propagate(&self, chains: &mut [Chain], first: Shape) -> Option<Shape> {
        let mut shapes = vec![None; chains.len()];
        shapes[0] = Some(first);
        let mut inside: Vec<Option<Shape>> = vec![None; chains.len()];
        let mut changed = vec![0];
        while let Some(i) = changed.pop() {
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
        into_first.filter_map(|(_, after)| after).reduce(|a, b| a.meet(&b))
    }

    /// The shape that the region is entered with from outside, from one example, and from the shape
    /// that its first packet is entered with from inside. Carried values may be anything, unless
    /// they are confirmed to be 0; of the others, queries may be what they are now: what is not
    /// confirmed falls away where the two shapes meet.
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
