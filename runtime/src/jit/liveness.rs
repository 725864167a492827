//! What a region changes, and what it needs of what it is given.

use super::region::Chain;
use super::shape::Known;
use super::symbolic::{Op, Sym, Trail};
use crate::network::Field;

/// Of a region's chains, what must be taken from and put back to `z`.
#[derive(Debug)]
pub(super) struct Liveness {
    /// For each field whether some chain changes it.
    pub(super) changed: Vec<bool>,
    /// For each chain, the fields whose values at its beginning are needed.
    pub(super) needed: Vec<Vec<bool>>,
}

impl Liveness {
    /// Of the first `carried` fields, those that no chain changes stay in memory; of all others, what
    /// is put back is needed. Marks what is used in each trail. `None` if that takes more rounds than
    /// there are chains and fields.
    pub(super) fn new(chains: &[Chain], trails: &mut [Trail], carried: usize) -> Option<Self> {
        let fields = trails[0].out.len();
        let mut changed = vec![false; fields];
        for (chain, trail) in chains.iter().zip(&*trails) {
            for ((known, out), changed) in chain.shape.known().into_iter().zip(&trail.out).zip(&mut changed) {
                *changed |= !trail.is_field(*out, known);
            }
        }
        let mut liveness = Liveness { changed, needed: vec![vec![false; fields]; chains.len()] };
        let mut again = true;
        let mut rounds = chains.len() + fields;
        while again {
            again = false;
            rounds = rounds.checked_sub(1)?;
            for (i, chain) in chains.iter().enumerate() {
                let roots = liveness.put_back(chain, chains, &trails[i], carried);
                trails[i].mark(roots);
                for (op, used) in trails[i].ops.iter().zip(&trails[i].used) {
                    if let (Op::Field(field), true) = (op, *used) {
                        let needed = &mut liveness.needed[i][usize::from(*field)];
                        again |= !*needed;
                        *needed = true;
                    }
                }
            }
        }
        Some(liveness)
    }

    /// What is needed of `z` after a chain, by its successors and by whoever finds it in memory.
    fn put_back(&self, chain: &Chain, chains: &[Chain], trail: &Trail, carried: usize) -> Vec<Sym> {
        let mut wanted: Vec<_> =
            (0..trail.out.len()).map(|field| field >= carried || self.changed[field]).collect();
        for &(to, _) in &chain.successors {
            self.needed_first(to, &chains[to], |field| wanted[usize::from(field)] = true);
        }
        trail.out.iter().zip(wanted).filter(|(_, wanted)| *wanted).map(|(out, _)| *out).collect()
    }

    /// Calls `f` with the fields that a chain needs.
    pub(super) fn needed_first(&self, index: usize, chain: &Chain, mut f: impl FnMut(Field)) {
        for (field, known) in chain.shape.known().into_iter().enumerate() {
            if self.needed[index][field] && known == Known::Distance(field as Field, 0.0) {
                f(field as Field);
            }
        }
    }
}
