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
use wasm2onnx_runtime::{ExpertId, Experts, Field, FieldKind, Network, Ports, Source, Terminal};

/// Constants in equations of `e` are kept relative to the expert if they are below this number; no expert has
/// a larger id.
const MAX_NEXT: f64 = (1u64 << 32) as f64;

/// Number of entries of a table that are packed together: one for each byte.
pub const ROW: usize = 256;

/// Number of factors of a row: what all of its entries have, and what each bit of the byte adds.
pub const FACTORS: usize = 9;

/// Maximum magnitude of a factor.
const MAX_FACTOR: f64 = 4294967296.0;

/// Maximum number of rows that are packed.
const MAX_ROWS: usize = 1 << 16;

/// Returns whether a factor counts for a byte.
pub fn pattern(factor: usize, byte: usize) -> bool {
    factor == 0 || byte >> (factor - 1) & 1 == 1
}

/// Packs the tables: as many rows as are sums of factors, from the first on, and all entries behind them. Tables of bitwise operations and
/// shifts are such sums, and come first.
pub fn factors(lookup: &[f64]) -> (Vec<i64>, &[f64]) {
    let mut all = Vec::new();
    for row in lookup.chunks_exact(ROW).take(MAX_ROWS) {
        let factors: [f64; FACTORS] =
            std::array::from_fn(|i| if i == 0 { row[0] } else { row[1 << (i - 1)] - row[0] });
        // Integers of at most 2^32 are added up exactly, and stored as single floats if they are large.
        let is_exact = |x: &f64| x.fract() == 0.0 && x.abs() <= MAX_FACTOR && f64::from(*x as f32) == *x;
        if !factors.iter().all(is_exact) || (0..).zip(row).any(|(byte, x)| entry(&factors, byte) != *x) {
            break;
        }
        all.extend(factors.map(|x| x as i64));
    }
    let rows = all.len() / FACTORS;
    (all, &lookup[rows * ROW..])
}

/// Returns the entry of a row for a byte.
fn entry(factors: &[f64], byte: usize) -> f64 {
    factors.iter().enumerate().filter(|(i, _)| pattern(*i, byte)).map(|(_, factor)| factor).sum()
}

/// Unpacks the rows that [`factors`] has packed.
///
/// # Errors
///
/// If they are not rows of factors of the size that [`factors`] makes, or too many.
pub fn rows(factors: &[f64]) -> Result<Vec<f64>, String> {
    if !factors.len().is_multiple_of(FACTORS)
        || factors.len() / FACTORS > MAX_ROWS
        || factors.iter().any(|x| x.is_nan() || x.abs() > MAX_FACTOR)
    {
        return Err(format!("they are not up to {MAX_ROWS} rows of {FACTORS} numbers of at most 2^32"));
    }
    Ok(factors.chunks_exact(FACTORS).flat_map(|row| (0..ROW).map(|byte| entry(row, byte))).collect())
}

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

/// Calls a function with the source, the field and the weight of each term of an expert, and returns the constant in its
/// equation of `e`, which is not among them.
fn each_term(
    network: &Network,
    results: &[Field],
    expert: ExpertId,
    mut term: impl FnMut(Source, Field, f64),
) -> f64 {
    let mut next = 0.0;
    match network.terminals.get(expert as usize) {
        Some(terminal) => {
            next = expert.into();
            if *terminal == Terminal::Halt {
                results.iter().for_each(|field| term(network.ports.ys(*field), *field, 1.0));
            }
        }
        None => {
            for equation in network.experts.equations(expert) {
                for (source, weight) in equation.sources.iter().zip(equation.weights) {
                    match (equation.field == network.ports.e(), *source) {
                        (true, Ports::ONE) if weight.fract() == 0.0 && weight.abs() < MAX_NEXT => {
                            next = *weight
                        }
                        _ => term(*source, equation.field, *weight),
                    }
                }
            }
        }
    }
    next
}

/// All matrices as lists of terms.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Matrices {
    /// For each expert, the constant in its equation of `e`, minus its own id.
    pub next: Vec<i64>,
    /// For each expert, the number of its other terms.
    pub counts: Vec<u32>,
    /// For each term, the element of `y` that it multiplies.
    pub sources: Vec<u16>,
    /// For each term, the slot that it adds to.
    pub slots: Vec<u16>,
    /// For each term, the index of its weight in `values`.
    pub weights: Vec<u32>,
    /// The distinct weights; those that occur most often come first.
    pub values: Vec<f64>,
}

impl Matrices {
    /// Packs the matrices of a network. Terminal experts, which have none, become fixed points: they name
    /// themselves as the next expert, and `halt` keeps the fields that hold results.
    pub fn pack(network: &Network, results: &[Field]) -> Matrices {
        // Twice: there are many terms, and few different weights.
        let mut occurrences: FxHashMap<u64, usize> = FxHashMap::default();
        for e in 0..network.experts.len() as ExpertId {
            each_term(network, results, e, |_, _, weight| {
                *occurrences.entry(weight.to_bits()).or_default() += 1
            });
        }
        let mut values: Vec<(u64, usize)> = occurrences.into_iter().collect();
        values.sort_unstable_by_key(|(bits, count)| (std::cmp::Reverse(*count), *bits));
        let index: FxHashMap<u64, u32> = values.iter().map(|(bits, _)| *bits).zip(0..).collect();
        let slots = Slots(network.ports);
        let terms = values.iter().map(|(_, count)| count).sum();
        let mut packed = Matrices {
            next: Vec::with_capacity(network.experts.len()),
            counts: Vec::with_capacity(network.experts.len()),
            sources: Vec::with_capacity(terms),
            slots: Vec::with_capacity(terms),
            weights: Vec::with_capacity(terms),
            values: values.iter().map(|(bits, _)| f64::from_bits(*bits)).collect(),
        };
        for e in 0..network.experts.len() as ExpertId {
            let before = packed.sources.len();
            let next = each_term(network, results, e, |source, field, weight| {
                packed.sources.push(source);
                packed.slots.push(slots.of(field) as u16);
                packed.weights.push(index[&weight.to_bits()]);
            });
            packed.next.push(next as i64 - i64::from(e));
            packed.counts.push((packed.sources.len() - before) as u32);
        }
        packed
    }

    /// Returns the largest number of terms that an expert of the packed matrices has, without the constant in its equation
    /// of `e`.
    pub fn width(network: &Network, results: &[Field]) -> usize {
        let count = |e| {
            let mut count = 0;
            each_term(network, results, e, |_, _, _| count += 1);
            count
        };
        (0..network.experts.len() as ExpertId).map(count).max().unwrap_or(0)
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
        let total: u64 = self.counts.iter().map(|count| u64::from(*count)).sum();
        if lengths.map(|length| length as u64) != [total; 3] {
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
                let field = slots.field(self.slots[term].into());
                let field = field.ok_or_else(|| format!("a slot of expert {e} does not exist"))?;
                let source = self.sources[term];
                let weight = self.values.get(self.weights[term] as usize);
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
