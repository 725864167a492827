//! Finds the fields of `z` that a code region changes, and those whose values it needs.

use super::region::Chain;
use super::shape::Known;
use super::symbolic::{Op, Sym, Trail};
use crate::network::Field;

/// The fields that the chains of a code region must take from `z` and put back.
#[derive(Debug)]
pub(super) struct Liveness {
    /// For each field, whether some chain changes it.
    pub(super) changed: Vec<bool>,
    /// For each chain and each field, whether the value of the field at the beginning of the chain is needed.
    pub(super) needed: Vec<Vec<bool>>,
}

impl Liveness {
    /// Finds what chains change and need, and marks what is used in each trail. Those of the first `carried`
    /// fields that no chain changes stay in memory; all other fields are put back, so their values are
    /// needed. Returns `None` if this takes more rounds than there are chains and fields.
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

    /// Returns the symbols of `z` after a chain that are needed by its successors or in memory on exit.
    fn put_back(&self, chain: &Chain, chains: &[Chain], trail: &Trail, carried: usize) -> Vec<Sym> {
        let mut wanted: Vec<_> =
            (0..trail.out.len()).map(|field| field >= carried || self.changed[field]).collect();
        for &(to, _) in &chain.successors {
            self.needed_first(to, &chains[to], |field| wanted[usize::from(field)] = true);
        }
        trail.out.iter().zip(wanted).filter(|(_, wanted)| *wanted).map(|(out, _)| *out).collect()
    }

    /// Calls `f` with the fields that a chain needs and that are the first of their class.
    pub(super) fn needed_first(&self, index: usize, chain: &Chain, mut f: impl FnMut(Field)) {
        for (field, known) in chain.shape.known().into_iter().enumerate() {
            if self.needed[index][field] && known == Known::Distance(field as Field, 0.0) {
                f(field as Field);
            }
        }
    }
}
