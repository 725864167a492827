//! A chain of experts as one piece of straight-line code over symbols.
//!
//! [`follow`] takes the steps of a chain with symbols instead of numbers: it finds what each equation adds
//! up, which keys are read and written, and which keys differ by a constant. Constants are folded, copies
//! vanish, equal sums become one. It looks at nothing but the weights.
//!
//! # Why every number is the one that the map gives
//!
//! Of the steps that it follows, this module assumes what rule 1 of the certificate says, and nothing else:
//! all numbers are integers (see [`is_integral`]), and each equation, evaluated on the numbers of the step,
//! gives the same number in any order of summation, because all its products and partial sums are float64s.
//! The products of units are float64s, too. It reads no declared interval. So the argument holds for a
//! network without a certificate, too, as long as each of its steps is exact, which [`exact`](crate::exact)
//! checks.
//!
//! Every [`Sym`] of a field is then the exact number that the field has: `base + offset` as real numbers,
//! where `base` is one of the map's own numbers or partial sums, so it is a float64. Only in the following
//! cases are numbers added up in another way than the map does it:
//!
//! - *The terms of one equation* are added in another order: its constants are folded first, and a word
//!   replaces its bytes ([`combine_bytes`]). All sums on the way are partial sums of the equation.
//! - *A copy plus a constant* of a value plus a constant adds the two constants at once. The sum of the
//!   constants is checked here to be exact; `base + offset` is then one sum of two float64s, whose exact
//!   result is the field's number and so a float64: it is not rounded, although the number in between is not
//!   computed any more.
//! - *A short sum includes its constant* ([`Follower::plain`]) only where one equation of the map has both. A
//!   sum of two terms may be exact only because they cancel, and would be rounded with a third.
//! - *A product with a known factor* becomes a sum of one term: the same product.
//!
//! If the constants of an equation cannot be added exactly, which rule 1 allows only for gates that are
//! rounded anyway, the equation is kept as the map has it ([`Op::Equation`]). Equations are never multiplied
//! out, and weights are never added.

use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::hash_map::Entry;

use super::shape::{CONSTANT, Known, Shape, is_distance};
use crate::certificate::{Domain, Interval};
use crate::decoded::Decoded;
use crate::dense::quantized_gate;
use crate::exact::{exact_product, exact_sum};
use crate::network::{Equation, ExpertId, Field, FieldKind, Network, Ports, SourceKind};
use crate::trace::{RegionHint, key_of};

/// Index of a value of a [`Trail`].
pub(super) type Id = u32;

/// A constant, or a value plus a constant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sym {
    /// The value, if the symbol is not constant.
    pub(super) base: Option<Id>,
    /// The constant.
    pub(super) offset: f64,
}

impl Sym {
    pub(super) const ZERO: Sym = Sym::constant(0.0);

    pub(super) const fn constant(offset: f64) -> Self {
        Sym { base: None, offset }
    }

    pub(super) const fn value(id: Id) -> Self {
        Sym { base: Some(id), offset: 0.0 }
    }

    /// Returns the constant, if the symbol is one.
    pub(super) fn as_constant(self) -> Option<f64> {
        self.base.is_none().then_some(self.offset)
    }
}

/// How a value is made. Its arguments come before it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Op {
    /// A field of `z` at the beginning of the chain.
    Field(Field),
    /// Read number `.1` of step `.0`.
    Read(usize, usize),
    /// Word number `.1` of step `.0`.
    Word(usize, usize),
    /// A read of the frozen tables.
    Lookup(Sym),
    /// A unit.
    Product(Id, Id),
    /// A sum of weighted values and a constant, in any order.
    Sum(Box<[(Id, f64)]>, f64),
    /// An equation as the map has it, term by term.
    Equation(Box<[(Sym, f64)]>),
    /// ⌊relu(·)⌋, or the part of it that has an effect.
    Gate {
        /// The number that is quantized.
        of: Sym,
        /// Whether the number may be a fraction, so that the floor has an effect.
        floor: bool,
        /// Whether the number may be negative, so that the relu has an effect.
        relu: bool,
    },
}

/// A row that a step appends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Append {
    pub(super) key: Sym,
    pub(super) value: Sym,
    pub(super) hint: RegionHint,
}

/// A read of the trace.
#[derive(Clone, Copy, Debug)]
pub(super) struct Read {
    pub(super) id: Id,
    pub(super) query: Sym,
    pub(super) hint: RegionHint,
}

/// Adjacent bytes, low byte first, which are reads of the same step. Equations can combine them by powers of
/// 256.
#[derive(Clone, Debug)]
pub(super) struct Word {
    pub(super) id: Id,
    pub(super) reads: Vec<usize>,
}

/// The accesses of a step to the trace, in this order.
#[derive(Clone, Debug, Default)]
pub(super) struct Effects {
    pub(super) appends: Vec<Append>,
    pub(super) reads: Vec<Read>,
    pub(super) words: Vec<Word>,
}

/// The straight-line code of a chain.
#[derive(Debug, Default)]
pub(super) struct Trail {
    /// For each value, how it is made.
    pub(super) ops: Vec<Op>,
    /// For each step, its accesses to the trace.
    pub(super) effects: Vec<Effects>,
    /// All of `z` after the chain.
    pub(super) out: Vec<Sym>,
    /// The next expert, not clamped.
    pub(super) next: Sym,
    /// For each value, whether it is needed.
    pub(super) used: Vec<bool>,
}

impl Default for Sym {
    fn default() -> Self {
        Sym::ZERO
    }
}

/// Returns whether a network can compute nothing but integers, infinities and NaN: no weight is a fraction
/// except in equations of gates, and no table or first row holds a fraction.
///
/// Sums and products of integers are integers even where they are rounded, and gates are floors.
pub(super) fn is_integral(network: &Network) -> bool {
    let integral = |x: f64| x.fract() == 0.0;
    let makes_integer = |equation: Equation<'_>| {
        network.ports.kind(equation.field).0 == FieldKind::N || equation.weights.iter().all(|w| integral(*w))
    };
    network.lookup.iter().all(|x| integral(*x))
        && network.first_rows.iter().all(|(_, x)| integral(*x))
        && (0..network.experts.len() as ExpertId).all(|e| network.experts.equations(e).all(makes_integer))
}

/// Follows a chain of experts from a known shape of `z`.
pub(super) fn follow(
    network: &Network,
    decoded: &[Option<Box<Decoded>>],
    shape: &Shape,
    experts: &[ExpertId],
    is_byte: &dyn Fn(RegionHint) -> bool,
) -> Trail {
    let mut follower = Follower {
        network,
        is_byte,
        trail: Trail::default(),
        ids: FxHashMap::default(),
        own: FxHashSet::default(),
        nonnegative: Vec::new(),
    };
    let known = shape.known();
    let mut z: Vec<_> = known.iter().map(|known| follower.field(*known)).collect();
    for &e in experts {
        z = follower.step(&z, e, decoded[e as usize].as_deref());
    }
    follower.finish(z)
}

/// Key of a value: values with equal keys are equal.
#[derive(PartialEq, Eq, Hash)]
enum Key {
    Field(Field),
    Lookup(Id, u64),
    Product(Id, Id),
    Sum(Box<[(Id, u64)]>, u64),
    Gate(Id, u64),
}

struct Follower<'a> {
    network: &'a Network,
    is_byte: &'a dyn Fn(RegionHint) -> bool,
    trail: Trail,
    ids: FxHashMap<Key, Id>,
    /// Pairs of a sum and a constant (its bits) that are added in one equation of the map.
    own: FxHashSet<(Id, u64)>,
    /// For each value, whether it cannot be negative.
    nonnegative: Vec<bool>,
}

impl Follower<'_> {
    fn push(&mut self, op: Op, nonnegative: bool) -> Id {
        self.trail.ops.push(op);
        self.nonnegative.push(nonnegative);
        self.trail.ops.len() as Id - 1
    }

    fn intern(&mut self, key: Key, op: Op, nonnegative: bool) -> Id {
        match self.ids.entry(key) {
            Entry::Occupied(entry) => *entry.get(),
            Entry::Vacant(entry) => {
                let id = self.trail.ops.len() as Id;
                entry.insert(id);
                self.push(op, nonnegative)
            }
        }
    }

    fn field(&mut self, known: Known) -> Sym {
        match known {
            Known::Constant(value) => Sym::constant(value),
            Known::Distance(field, offset) => {
                let id = self.intern(Key::Field(field), Op::Field(field), false);
                Sym { base: Some(id), offset }
            }
        }
    }

    /// Follows one step and returns the new `z`, with the next expert last.
    fn step(&mut self, z: &[Sym], e: ExpertId, decoded: Option<&Decoded>) -> Vec<Sym> {
        let ports = &self.network.ports;
        self.trail.effects.push(Effects::default());
        self.appends(z, e, decoded);
        let mut y = vec![Sym::ZERO; ports.sources()];
        y[usize::from(Ports::ONE)] = Sym::constant(1.0);
        for i in 0..ports.carried {
            y[usize::from(ports.ys(i))] = z[usize::from(ports.s(i))];
        }
        let mut used = vec![false; ports.sources()];
        for source in self.network.experts.equations(e).flat_map(|equation| equation.sources) {
            used[usize::from(*source)] = true;
        }
        for (source, y) in y.iter_mut().enumerate().filter(|(source, _)| used[*source]) {
            match ports.source_kind(source as u16) {
                (SourceKind::R, i) => *y = self.read(z[usize::from(ports.q(i))], i, e, decoded),
                (SourceKind::W, i) => *y = self.lookup(z[usize::from(ports.t(i))]),
                (SourceKind::U, i) => {
                    *y = self.product(z[usize::from(ports.n(i))], z[usize::from(ports.v(i))])
                }
                (SourceKind::One | SourceKind::S, _) => {}
            }
        }
        let words = self.adjacent_bytes();
        let mut next = vec![Sym::ZERO; ports.fields() + 1];
        for equation in self.network.experts.equations(e) {
            let is_gate = ports.kind(equation.field).0 == FieldKind::N;
            let sum = self.equation(&equation, &y, &words);
            next[usize::from(equation.field)] = if is_gate { self.gate(sum, &equation) } else { sum };
        }
        next
    }

    fn effects(&mut self) -> &mut Effects {
        self.trail.effects.last_mut().expect("a step pushes its effects first")
    }

    fn appends(&mut self, z: &[Sym], e: ExpertId, decoded: Option<&Decoded>) {
        let ports = &self.network.ports;
        for i in 0..ports.rows {
            let key = z[usize::from(ports.k(i))];
            if key.as_constant().is_some_and(|key| self.region(key).is_none()) {
                continue;
            }
            let seen = decoded.map(|decoded| decoded.row_hints[usize::from(i)]);
            let hint = seen.unwrap_or_else(|| self.declared_region(e, ports.k(i)));
            let value = z[usize::from(ports.x(i))];
            self.effects().appends.push(Append { key, value, hint });
        }
    }

    /// Returns the region of a constant key.
    fn region(&self, key: f64) -> Option<usize> {
        key_of(key).and_then(|key| self.network.region_of(key))
    }

    /// Returns the region at an end of the declared interval of a field, for ports that have accessed no
    /// region yet. This is a guess, as is every hint: it only chooses the comparison that is made first.
    fn declared_region(&self, e: ExpertId, field: Field) -> RegionHint {
        let certificate = &self.network.certificate;
        if certificate.field_end.is_empty() {
            return None;
        }
        let Some(Domain::Interval(Interval { lo, hi })) = certificate.field(e, field) else { return None };
        let region = |key: i64| self.network.region_of(key.try_into().ok()?);
        region(hi).or_else(|| region(lo)).and_then(|region| region.try_into().ok())
    }

    fn read(&mut self, query: Sym, port: u16, e: ExpertId, decoded: Option<&Decoded>) -> Sym {
        let field = self.network.ports.q(port);
        // A field of `z` is the register of the same number.
        let mut hint = match decoded {
            Some(decoded) => {
                decoded.reads.iter().find(|read| read.query == field.into()).and_then(|read| read.hint)
            }
            None => self.declared_region(e, field),
        };
        if let Some(key) = query.as_constant() {
            match self.region(key) {
                None => return Sym::ZERO,
                Some(region) => hint = region.try_into().ok(),
            }
        }
        if let Some(same) = self.effects().reads.iter().find(|read| read.query == query) {
            return Sym::value(same.id);
        }
        let (step, index) = (self.trail.effects.len() - 1, self.effects().reads.len());
        let id = self.push(Op::Read(step, index), false);
        self.effects().reads.push(Read { id, query, hint });
        Sym::value(id)
    }

    fn lookup(&mut self, query: Sym) -> Sym {
        let Some(base) = query.base else {
            let entry = key_of(query.offset).and_then(|key| self.network.lookup.get(key as usize));
            return Sym::constant(entry.copied().unwrap_or(0.0));
        };
        Sym::value(self.intern(Key::Lookup(base, query.offset.to_bits()), Op::Lookup(query), false))
    }

    fn product(&mut self, n: Sym, v: Sym) -> Sym {
        match (n.as_constant(), v.as_constant()) {
            (Some(n), Some(v)) => Sym::constant(n * v),
            (Some(0.0), _) | (_, Some(0.0)) => Sym::ZERO,
            (Some(1.0), _) => v,
            (_, Some(1.0)) => n,
            (Some(weight), None) => self.weighted(v, weight),
            (None, Some(weight)) => self.weighted(n, weight),
            (None, None) => {
                let (n, v) = (self.plain(n), self.plain(v));
                let nonnegative = self.nonnegative[n as usize] && self.nonnegative[v as usize];
                Sym::value(self.intern(Key::Product(n.min(v), n.max(v)), Op::Product(n, v), nonnegative))
            }
        }
    }

    fn weighted(&mut self, sym: Sym, weight: f64) -> Sym {
        let id = self.plain(sym);
        Sym::value(self.sum(vec![(id, weight)], 0.0))
    }

    /// Returns a value that is all of a symbol, its constant included.
    ///
    /// # Panics
    ///
    /// If the symbol is constant.
    fn plain(&mut self, sym: Sym) -> Id {
        let base = sym.base.expect("constants are folded");
        if sym.offset == 0.0 {
            return base;
        }
        // A short sum includes the constant, which saves an addition, if one equation has both.
        match &self.trail.ops[base as usize] {
            Op::Sum(terms, 0.0) if terms.len() <= 2 && self.own.contains(&(base, sym.offset.to_bits())) => {
                let terms = terms.to_vec();
                self.sum(terms, sym.offset)
            }
            _ => self.sum(vec![(base, 1.0)], sym.offset),
        }
    }

    fn sum(&mut self, terms: Vec<(Id, f64)>, constant: f64) -> Id {
        let positive = |(id, w): &(Id, f64)| self.nonnegative[*id as usize] && *w > 0.0;
        let nonnegative = constant >= 0.0 && terms.iter().all(positive);
        let key = terms.iter().map(|(id, w)| (*id, w.to_bits())).collect();
        self.intern(Key::Sum(key, constant.to_bits()), Op::Sum(terms.into(), constant), nonnegative)
    }

    fn equation(&mut self, equation: &Equation<'_>, y: &[Sym], words: &[(Vec<Id>, Id)]) -> Sym {
        let mut constant = 0.0;
        let mut terms = Vec::new();
        for (source, &weight) in equation.sources.iter().zip(equation.weights) {
            let value = y[usize::from(*source)];
            let Some(known) = value.as_constant() else {
                terms.push((value, weight));
                continue;
            };
            let Some(sum) = exact_product(weight, known).and_then(|product| exact_sum(constant, product))
            else {
                return self.equation_of_map(equation, y);
            };
            constant = sum;
        }
        // A copy keeps its distance from the original.
        if let [(y, 1.0)] = terms[..]
            && let Some(offset) = exact_sum(y.offset, constant)
            && is_distance(y.offset)
            && is_distance(constant)
        {
            return Sym { base: y.base, offset };
        }
        let mut terms: Vec<_> = terms.into_iter().map(|(y, weight)| (self.plain(y), weight)).collect();
        combine_bytes(&mut terms, words);
        // Terms of weight 1 come first, as they cost less; then terms are in the order in which values are
        // made.
        terms.sort_by_key(|(id, weight)| (*weight != 1.0, *id));
        match terms[..] {
            [] => Sym::constant(constant),
            [(id, 1.0)] => Sym { base: Some(id), offset: constant },
            _ => {
                let base = self.sum(terms, 0.0);
                self.own.insert((base, constant.to_bits()));
                Sym { base: Some(base), offset: constant }
            }
        }
    }

    /// Adds up an equation in the order of the map, as its constants cannot be added without rounding.
    fn equation_of_map(&mut self, equation: &Equation<'_>, y: &[Sym]) -> Sym {
        let terms: Vec<_> =
            equation.sources.iter().zip(equation.weights).map(|(s, w)| (y[usize::from(*s)], *w)).collect();
        let constants = terms.iter().map(|(y, weight)| Some((y.as_constant()?, weight)));
        match constants.collect::<Option<Vec<_>>>() {
            Some(known) => Sym::constant(known.iter().fold(0.0, |sum, (y, weight)| sum + *weight * y)),
            None => Sym::value(self.push(Op::Equation(terms.into()), false)),
        }
    }

    fn gate(&mut self, sum: Sym, equation: &Equation<'_>) -> Sym {
        if let Some(sum) = sum.as_constant() {
            return Sym::constant(quantized_gate(sum));
        }
        let base = self.plain(sum);
        // If the weights are integers, the sum is an integer, since all numbers are.
        let floor = equation.weights.iter().any(|w| w.fract() != 0.0);
        // A sum of gates with positive weights alone is not negative, rounded or not.
        let relu = !self.nonnegative[base as usize];
        if !floor && !relu {
            return Sym::value(base);
        }
        // Equal sums with equal `floor` have equal gates. Whether the floor is needed depends on the weights
        // alone.
        let op = Op::Gate { of: Sym::value(base), floor, relu };
        Sym::value(self.intern(Key::Gate(base, u64::from(floor)), op, true))
    }

    /// Finds runs of adjacent bytes among the reads of the step, and makes a word of each. Returns the values
    /// of the reads of each run and the value of its word.
    fn adjacent_bytes(&mut self) -> Vec<(Vec<Id>, Id)> {
        let effects = self.effects().clone();
        let mut words = Vec::new();
        for read in effects.reads.iter().filter(|read| (self.is_byte)(read.hint)) {
            let after = |distance: usize| {
                let query = Sym { offset: read.query.offset + distance as f64, ..read.query };
                effects.reads.iter().position(|r| r.query == query && r.hint == read.hint)
            };
            for len in [4, 2] {
                let Some(reads) = (0..len).map(after).collect::<Option<Vec<_>>>() else {
                    continue;
                };
                let (step, index) = (self.trail.effects.len() - 1, self.effects().words.len());
                let id = self.push(Op::Word(step, index), false);
                words.push((reads.iter().map(|i| effects.reads[*i].id).collect(), id));
                self.effects().words.push(Word { id, reads });
            }
        }
        words
    }

    /// Returns the code. The values that are used are not marked yet.
    fn finish(self, mut z: Vec<Sym>) -> Trail {
        let mut trail = self.trail;
        trail.next = z.pop().unwrap_or(Sym::ZERO);
        trail.out = z;
        trail
    }
}

/// Replaces bytes that are combined by powers of 256 by their word.
///
/// If the bytes are read from a region of bytes, the word is below 2^32. If not, the runtime reads them one
/// by one ([`call_read`](super::emit::Emitter::call_read)), and their sum times `low` is a partial sum of the
/// equation. This product is exact by rule 1, and a number whose product is exact is exact itself.
fn combine_bytes(terms: &mut Vec<(Id, f64)>, words: &[(Vec<Id>, Id)]) {
    for (bytes, word) in words {
        let weight = |byte: &Id| {
            let mut found = terms.iter().filter(|(id, _)| id == byte);
            // A byte with two terms is left alone.
            found.next().filter(|_| found.next().is_none()).map(|(_, weight)| *weight)
        };
        let Some(low) = weight(&bytes[0]) else {
            continue;
        };
        let mut scales = bytes.iter().zip([1.0, 256.0, 65_536.0, 16_777_216.0]);
        if scales.all(|(byte, scale)| weight(byte) == Some(low * scale)) {
            terms.retain(|(id, _)| !bytes.contains(id));
            terms.push((*word, low));
        }
    }
}

impl Trail {
    /// Marks the values that rows, the next expert and the `wanted` symbols depend on.
    pub(super) fn mark(&mut self, wanted: impl IntoIterator<Item = Sym>) {
        let rows = self.effects.iter().flat_map(|effects| &effects.appends);
        let roots = rows.flat_map(|row| [row.key, row.value]).chain(wanted).chain([self.next]);
        let mut used = vec![false; self.ops.len()];
        for id in roots.filter_map(|sym| sym.base) {
            used[id as usize] = true;
        }
        // Arguments come before the values that are made of them.
        for id in (0..self.ops.len()).rev() {
            if used[id] {
                self.arguments(&self.ops[id], &mut |argument| used[argument as usize] = true);
            }
        }
        self.used = used;
    }

    /// Calls `f` with each value that a value is made of.
    fn arguments(&self, op: &Op, f: &mut dyn FnMut(Id)) {
        match op {
            Op::Field(_) => {}
            Op::Read(step, index) => self.effects[*step].reads[*index].query.base.into_iter().for_each(f),
            Op::Word(step, index) => {
                let effects = &self.effects[*step];
                effects.reads[effects.words[*index].reads[0]].query.base.into_iter().for_each(f);
            }
            Op::Lookup(sym) | Op::Gate { of: sym, .. } => sym.base.into_iter().for_each(f),
            Op::Product(n, v) => [*n, *v].into_iter().for_each(f),
            Op::Sum(terms, _) => terms.iter().for_each(|(id, _)| f(*id)),
            Op::Equation(terms) => terms.iter().filter_map(|(y, _)| y.base).for_each(f),
        }
    }

    /// Returns whether a symbol is a field as it was at the beginning of the chain, where it was `known` so.
    pub(super) fn is_field(&self, sym: Sym, known: Known) -> bool {
        match known {
            Known::Constant(value) => sym.as_constant() == Some(value),
            Known::Distance(first, offset) => {
                let base = sym.base.map(|id| &self.ops[id as usize]);
                base == Some(&Op::Field(first)) && sym.offset == offset
            }
        }
    }

    /// Returns the shape of `z` after the chain.
    pub(super) fn shape(&self) -> Shape {
        let class = |sym: &Sym| (sym.base.map_or(CONSTANT, |id| id + 1), sym.offset);
        Shape::new(self.out.iter().map(class))
    }
}

#[cfg(test)]
mod tests;
