//! Packs a network's matrices into the small tensors that a model holds, and unpacks them again.
//!
//! The equations of an expert are kept as a list of terms `(source, slot, weight)`: the next numbers' element
//! `slot` gains `weight` times element `source` of `y`. All experts' lists are concatenated; a weight is an
//! index into the list of the distinct weights. One term is kept separately: the constant of the next
//! expert's id, relative to the expert's own id, since most of these are 1 then.
//!
//! # Order of the numbers
//!
//! A graph cuts the numbers that a step hands over into parts that are used together, so in a model the
//! fields of `z` stand in the order `s, n, v, x, q, k, t`, and `e` is the last: see [`Slots`].

use rustc_hash::FxHashMap;
use wasm2onnx_runtime::{ExpertId, Experts, Field, FieldKind, Network, Ports, Terminal};

/// Constants in equations of `e` are kept relative to the expert if they are below this number; no expert has
/// a larger id.
const MAX_NEXT: f64 = (1u64 << 32) as f64;

/// Says where the fields of `z` stand among the numbers of a model.
#[derive(Clone, Copy, Debug)]
pub struct Slots(pub Ports);

impl Slots {
    /// Returns the sizes of the parts, in order: `s`, `n`, `v`, `x`, `q`, `k`, `t`.
    pub fn sizes(&self) -> [usize; 7] {
        let Ports { carried, units, reads, lookups, rows } = self.0;
        [carried, units, units, rows, reads, rows, lookups].map(usize::from)
    }

    /// Returns the number of fields without `e`, which is also the slot of `e`.
    pub fn count(&self) -> usize {
        self.sizes().iter().sum()
    }

    /// Kinds of the parts, in order.
    const KINDS: [FieldKind; 7] = {
        use FieldKind::*;
        [S, N, V, X, Q, K, T]
    };

    /// Returns the slot of a field.
    pub fn of(&self, field: Field) -> usize {
        let (kind, port) = self.0.kind(field);
        match Self::KINDS.iter().position(|k| *k == kind) {
            Some(part) => self.sizes()[..part].iter().sum::<usize>() + usize::from(port),
            None => self.count(),
        }
    }

    /// Returns the field of a slot, or `None` if there is no such slot.
    pub fn field(&self, slot: usize) -> Option<Field> {
        let mut rest = slot;
        for (kind, size) in Self::KINDS.into_iter().zip(self.sizes()) {
            if rest < size {
                let make = match kind {
                    FieldKind::S => Ports::s,
                    FieldKind::N => Ports::n,
                    FieldKind::V => Ports::v,
                    FieldKind::Q => Ports::q,
                    FieldKind::T => Ports::t,
                    FieldKind::K => Ports::k,
                    FieldKind::X | FieldKind::E => Ports::x,
                };
                return Some(make(&self.0, rest as u16));
            }
            rest -= size;
        }
        (rest == 0).then(|| self.0.e())
    }
}

/// All matrices as lists of terms.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Matrices {
    /// For each expert, the constant in its equation of `e`, minus its own id.
    pub next: Vec<i64>,
    /// For each expert, the number of its other terms.
    pub counts: Vec<i64>,
    /// For each term, the element of `y` that it multiplies.
    pub sources: Vec<i64>,
    /// For each term, the slot that it adds to.
    pub slots: Vec<i64>,
    /// For each term, the index of its weight in `values`.
    pub weights: Vec<i64>,
    /// The distinct weights; those that occur most often come first.
    pub values: Vec<f64>,
}

impl Matrices {
    /// Packs the matrices of a network. Terminal experts, which have none, become fixed points: they name
    /// themselves as the next expert, and `halt` keeps the fields that hold results.
    pub fn pack(network: &Network, results: &[Field]) -> Matrices {
        let slots = Slots(network.ports);
        let mut packed = Matrices::default();
        let mut terms: Vec<f64> = Vec::new();
        for e in 0..network.experts.len() as ExpertId {
            let before = terms.len();
            let mut push = |source: u16, field: Field, weight: f64| {
                packed.sources.push(source.into());
                packed.slots.push(slots.of(field) as i64);
                terms.push(weight);
            };
            let mut next = 0.0;
            match network.terminals.get(e as usize) {
                Some(terminal) => {
                    next = e.into();
                    if *terminal == Terminal::Halt {
                        results.iter().for_each(|field| push(network.ports.ys(*field), *field, 1.0));
                    }
                }
                None => {
                    for equation in network.experts.equations(e) {
                        for (source, weight) in equation.sources.iter().zip(equation.weights) {
                            match (equation.field == network.ports.e(), *source) {
                                (true, Ports::ONE) if weight.fract() == 0.0 && weight.abs() < MAX_NEXT => {
                                    next = *weight
                                }
                                _ => push(*source, equation.field, *weight),
                            }
                        }
                    }
                }
            }
            packed.next.push(next as i64 - i64::from(e));
            packed.counts.push((terms.len() - before) as i64);
        }
        let mut occurrences: FxHashMap<u64, usize> = FxHashMap::default();
        terms.iter().for_each(|weight| *occurrences.entry(weight.to_bits()).or_default() += 1);
        let mut values: Vec<(u64, usize)> = occurrences.into_iter().collect();
        values.sort_unstable_by_key(|(bits, count)| (std::cmp::Reverse(*count), *bits));
        let index: FxHashMap<u64, i64> =
            values.iter().enumerate().map(|(i, (bits, _))| (*bits, i as i64)).collect();
        packed.weights = terms.iter().map(|weight| index[&weight.to_bits()]).collect();
        packed.values = values.iter().map(|(bits, _)| f64::from_bits(*bits)).collect();
        packed
    }

    /// Returns the largest number of terms of an expert, without the constant in its equation of `e`.
    pub fn width(&self) -> usize {
        self.counts.iter().copied().max().unwrap_or(0) as usize
    }

    /// Unpacks the matrices. Whatever the lists say is accepted (experts without terms, terms that occur
    /// twice, weights of 0), so that damage is found by the checks for all networks.
    ///
    /// # Errors
    ///
    /// Says which lists contradict each other, or which number is out of range.
    pub fn unpack(&self, ports: Ports, terminals: usize) -> Result<Experts, String> {
        let slots = Slots(ports);
        if self.counts.len() != self.next.len() {
            return Err("there is not exactly one count of terms for each expert".into());
        }
        let lengths = [self.sources.len(), self.slots.len(), self.weights.len()];
        let total = self
            .counts
            .iter()
            .try_fold(0usize, |sum, n| usize::try_from(*n).ok().and_then(|n| sum.checked_add(n)));
        if total.is_none_or(|total| lengths != [total; 3]) {
            return Err("the counts of terms do not add up to the sources, slots and weights".into());
        }
        let mut experts = Experts::default();
        let mut first = 0;
        let mut terms: Vec<(Field, u16, f64)> = Vec::new();
        for (e, (next, count)) in self.next.iter().zip(&self.counts).enumerate() {
            let range = first..first + *count as usize;
            first = range.end;
            if e < terminals {
                experts.end_expert();
                continue;
            }
            terms.clear();
            let next = next.checked_add(e as i64).ok_or("the id of a next expert is out of range")?;
            if next != 0 {
                terms.push((ports.e(), Ports::ONE, next as f64));
            }
            for term in range {
                let field = usize::try_from(self.slots[term]).ok().and_then(|slot| slots.field(slot));
                let field = field.ok_or_else(|| format!("a slot of expert {e} does not exist"))?;
                let source = u16::try_from(self.sources[term])
                    .map_err(|_| format!("a source of expert {e} does not exist"))?;
                let weight = usize::try_from(self.weights[term]).ok().and_then(|i| self.values.get(i));
                let weight = weight.ok_or_else(|| format!("a weight of expert {e} does not exist"))?;
                terms.push((field, source, *weight));
            }
            terms.sort_by_key(|(field, source, _)| (*field, *source));
            for (i, (field, source, weight)) in terms.iter().enumerate() {
                experts.push_term(*source, *weight);
                if terms.get(i + 1).is_none_or(|next| next.0 != *field) {
                    experts.end_equation(*field);
                }
            }
            experts.end_expert();
        }
        Ok(experts)
    }
}
