//! Numbers of a packet as polynomials over atoms, in a normal form: what both sides compute is written down
//! here.
//!
//! Every rule here rewrites a polynomial into one that is the same number in every state that the facts of
//! the case allow, so that equal polynomials are equal numbers. The rules are the lemmas of the proof;
//! `tests` checks each of them, and all of them together, by evaluating atoms. They need not find every
//! equality: what they miss is tested and not proved.

use super::atoms::{Facts, Kind, Maybe, PolyId, Span, Stop};
use super::poly::{ATOMS, Atom, Poly, TooLarge};
use super::world::World;
use rustc_hash::{FxHashMap, FxHashSet};
use wasm2onnx_runtime::Field;

/// Maximum amount of rewriting for a packet, counted as terms of polynomials that are looked at.
const WORK: usize = 150_000;
/// Maximum depth of nested rewriting.
const NESTED: u32 = 150;
/// Maximum number of values of a quotient that is split by its values.
const VALUES: i128 = 5;
/// All atoms of a packet.
pub struct Terms<'a> {
    /// What is outside of the packet.
    pub world: &'a World<'a>,
    pub(super) kinds: Vec<Kind>,
    pub(super) ids: FxHashMap<Kind, Atom>,
    pub(super) polys: Vec<Poly>,
    pub(super) poly_ids: FxHashMap<Poly, PolyId>,
    pub(super) fields: FxHashMap<Field, Span>,
    pub(super) facts: Facts,
    pub(super) spans: Vec<Option<Span>>,
    pub(super) ranges: FxHashMap<PolyId, Span>,
    pub(super) floors: FxHashMap<(PolyId, i128), Poly>,
    pub(super) tests: FxHashMap<PolyId, Poly>,
    /// Whether the last decomposition into digits could have been a different one.
    pub(super) preference_matters: bool,
    pub(super) depth: u32,
    pub(super) level: u32,
    pub(super) work: usize,
}

impl<'a> Terms<'a> {
    /// Begins with no atoms.
    pub fn new(world: &'a World<'a>) -> Self {
        Terms {
            world,
            kinds: Vec::new(),
            ids: FxHashMap::default(),
            polys: Vec::new(),
            poly_ids: FxHashMap::default(),
            fields: FxHashMap::default(),
            facts: Facts::default(),
            spans: Vec::new(),
            ranges: FxHashMap::default(),
            floors: FxHashMap::default(),
            tests: FxHashMap::default(),
            preference_matters: false,
            depth: 0,
            level: 0,
            work: 0,
        }
    }

    /// Begins another packet, whose carried fields lie in these intervals.
    pub fn packet(&mut self, fields: FxHashMap<Field, Span>) {
        self.kinds.clear();
        self.ids.clear();
        self.polys.clear();
        self.poly_ids.clear();
        self.fields = fields;
        self.work = 0;
        self.case(&Facts::default());
    }

    /// Begins another case of the packet. What was concluded from other facts is forgotten; only what atoms
    /// are is kept.
    pub fn case(&mut self, facts: &Facts) {
        self.facts.clone_from(facts);
        self.forget();
        self.depth = 0;
    }

    pub(super) fn forget(&mut self) {
        self.spans.clear();
        self.ranges.clear();
        self.floors.clear();
        self.tests.clear();
    }

    pub(super) fn worked(&mut self, terms: usize) -> Maybe<()> {
        self.work += 4 + terms;
        if self.work > WORK { Err(Stop::Unknown("it takes too much rewriting")) } else { Ok(()) }
    }

    /// Calls a function that may call itself again, but never so deep that the stack overflows.
    pub(super) fn nested<T>(&mut self, f: impl FnOnce(&mut Self) -> Maybe<T>) -> Maybe<T> {
        self.level += 1;
        let result = if self.level > NESTED { Err(Stop::Unknown("it is nested too deep")) } else { f(self) };
        self.level -= 1;
        result
    }

    /// Returns the id of a polynomial.
    pub fn intern(&mut self, p: &Poly) -> PolyId {
        if let Some(id) = self.poly_ids.get(p) {
            return *id;
        }
        let id = self.polys.len() as PolyId;
        self.polys.push(p.clone());
        self.poly_ids.insert(p.clone(), id);
        id
    }

    /// Returns the polynomial with that id.
    pub fn poly(&self, id: PolyId) -> &Poly {
        &self.polys[id as usize]
    }

    /// Returns what an atom is.
    pub fn kind(&self, atom: Atom) -> &Kind {
        &self.kinds[atom as usize]
    }

    /// Returns an atom, or its number if there is only one that it can be.
    pub fn of(&mut self, kind: Kind) -> Maybe<Poly> {
        let atom = match self.ids.get(&kind) {
            Some(atom) => *atom,
            None => {
                let atom = self.kinds.len() as Atom;
                if self.kinds.len() >= ATOMS {
                    return Err(TooLarge.into());
                }
                self.kinds.push(kind.clone());
                self.ids.insert(kind, atom);
                atom
            }
        };
        let span = self.span(atom)?;
        Ok(if span.lo == span.hi { Poly::constant(span.lo) } else { Poly::atom(atom) })
    }

    /// Returns a carried field as it is when the packet begins.
    ///
    /// Lemma: x = (x mod 2^32) + 2^32 ⌊x/2^32⌋. So what is done with the word of a field that may be several
    /// numbers does not depend on which of them it is.
    pub fn field(&mut self, field: Field) -> Maybe<Poly> {
        let span = *self.fields.get(&field).ok_or(Stop::Unknown("a field is not declared"))?;
        if span.hi - span.lo < 1 << 32 {
            return self.of(Kind::Field(field));
        }
        let (word, high) = (self.of(Kind::Word(field))?, self.of(Kind::High(field))?);
        let p = word.plus(1 << 32, &high)?;
        self.note(&p, span)?;
        Ok(p)
    }

    /// Returns whether a bit is 1.
    pub fn decide(&mut self, bit: &Poly) -> Maybe<bool> {
        let span = self.range(bit)?;
        if span.lo == span.hi {
            return match span.lo {
                0 => Ok(false),
                1 => Ok(true),
                _ => Err(Stop::Unknown("a condition is no bit")),
            };
        }
        for atom in bit.terms.iter().flat_map(|term| term.0.atoms()) {
            if !self.is_bit(atom)? && span.within(0, 1) {
                // Then the fact has to be about the number itself.
                let (q, g, c) = self.primitive(bit);
                let t = if g > 0 { (1 - c + g - 1).div_euclid(g) } else { (c - 1).div_euclid(-g) + 1 };
                return Err(Stop::Split(self.intern(&q), t));
            }
        }
        Err(self.split_on(bit)?.unwrap_or(Stop::Unknown("a condition is not made of bits")))
    }

    /// Finds the cases that would make a polynomial simpler: those of its latest bit, or of a number that has
    /// few values, in the polynomial itself or else in what its atoms are made of.
    pub fn split_on(&mut self, p: &Poly) -> Maybe<Option<Stop>> {
        let mut seen: FxHashSet<Atom> = FxHashSet::default();
        let mut level: Vec<Atom> = p.terms.iter().flat_map(|term| term.0.atoms()).collect();
        while !level.is_empty() {
            level.sort_unstable();
            level.dedup();
            let mut few = None;
            for &atom in level.iter().rev() {
                let span = self.span(atom)?;
                if span.within(0, 1) {
                    return Ok(Some(match self.kinds[atom as usize] {
                        Kind::AtLeast(p, t) => Stop::Split(p, t),
                        _ => Stop::Split(self.intern(&Poly::atom(atom)), 1),
                    }));
                }
                if few.is_none()
                    && span.hi - span.lo < VALUES
                    && let Kind::Floor(p, d) = self.kinds[atom as usize]
                {
                    // The base without its constant, because facts are about polynomials without one.
                    let (q, g, c) = self.primitive(&self.polys[p as usize]);
                    let bound = (span.lo + 1).checked_mul(d).ok_or(TooLarge)?;
                    if g == 1 {
                        few = Some(Stop::Split(self.intern(&q), bound - c));
                    } else if g == -1 {
                        few = Some(Stop::Split(self.intern(&q), c + 1 - bound));
                    }
                }
            }
            if few.is_some() {
                return Ok(few);
            }
            let mut deeper = Vec::new();
            for atom in level.into_iter().filter(|atom| seen.insert(*atom)) {
                let mut of = |id: PolyId| {
                    deeper.extend(self.polys[id as usize].terms.iter().flat_map(|term| term.0.atoms()));
                };
                match &self.kinds[atom as usize] {
                    Kind::Read { key, after } => {
                        of(*key);
                        after.iter().for_each(|row| {
                            of(row.0);
                            of(row.1);
                        });
                    }
                    Kind::Lookup(p) | Kind::Floor(p, _) | Kind::AtLeast(p, _) | Kind::Count(_, p) => of(*p),
                    Kind::Bitwise(_, p, q) | Kind::Shift(_, _, p, q) => {
                        of(*p);
                        of(*q);
                    }
                    Kind::Field(_) | Kind::Word(_) | Kind::High(_) => {}
                }
            }
            level = deeper;
        }
        Ok(None)
    }

    /// Leaves out the states in which p < 0: the IR promises that there are none.
    pub fn promise(&mut self, p: &Poly) -> Maybe<()> {
        let bit = self.not_negative(p)?;
        if self.decide(&bit)? { Ok(()) } else { Err(Stop::Impossible) }
    }

    /// Returns the facts of the two cases of a split: where the polynomial lies if p < t, and if p ≥ t.
    pub fn cases(&mut self, p: PolyId, t: i128) -> Maybe<[Span; 2]> {
        let span = self.range_of(p)?;
        Ok([Span::new(span.lo, span.hi.min(t - 1)), Span::new(span.lo.max(t), span.hi)])
    }
}
