//! Numbers of a packet as polynomials over atoms, in a normal form: what both sides compute is written down here.
//!
//! Every rule here rewrites a polynomial into one that is the same number in every state that the facts of the case
//! allow, so that equal polynomials are equal numbers. The rules are the lemmas of the proof; `tests` checks each
//! of them, and all of them together, by evaluating atoms. They need not find every equality: what they miss
//! is tested and not proved.

use super::poly::{ATOMS, Atom, Mono, Poly, TooLarge, gcd};
use super::world::World;
use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;
use wasm2onnx_runtime::Field;

/// A polynomial that atoms refer to: an index of [`Terms`].
pub type PolyId = u32;

/// Most rewriting of a packet: terms of polynomials that were looked at.
const WORK: usize = 150_000;
/// How deep rewriting is nested.
const NESTED: u32 = 150;
/// How deep bits are split for a range.
const DEPTH: u32 = 4;
/// Most values of a quotient that is split by them.
const VALUES: i128 = 5;
/// Most bits that a comparison is expanded over.
const BITS: usize = 6;

/// Operations on two bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Bitwise {
    /// 1 where both are 1.
    And,
    /// 1 where one is 1.
    Or,
    /// 1 where just one is 1.
    Xor,
}

/// Shifts of a byte of a word by a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shift {
    /// To the left.
    Shl,
    /// To the right, zeros moving in.
    ShrU,
    /// To the right, the sign moving in: the result is signed.
    ShrS,
    /// To the left, bits that leave coming back.
    Rotl,
}

/// What is counted in a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Count {
    /// Zeros above the highest 1.
    Clz,
    /// Zeros below the lowest 1.
    Ctz,
    /// Ones.
    Popcnt,
}

impl Bitwise {
    /// Of two bytes.
    pub fn of(self, a: i128, b: i128) -> i128 {
        match self {
            Bitwise::And => a & b,
            Bitwise::Or => a | b,
            Bitwise::Xor => a ^ b,
        }
    }
}

impl Shift {
    /// Byte `j` of a word, all others 0, shifted by `n` in 0 … 31.
    pub fn of(self, j: u8, n: i128, byte: i128) -> i128 {
        let word = (byte as u32) << (8 * j);
        match self {
            Shift::Shl => (word << n).into(),
            Shift::ShrU => (word >> n).into(),
            Shift::ShrS => (word as i32 >> n).into(),
            Shift::Rotl => word.rotate_left(n as u32).into(),
        }
    }
}

impl Count {
    /// Of a byte.
    pub fn of(self, byte: i128) -> i128 {
        let byte = byte as u8;
        match self {
            Count::Clz => byte.leading_zeros().into(),
            Count::Ctz => byte.trailing_zeros().into(),
            Count::Popcnt => byte.count_ones().into(),
        }
    }
}

/// What an atom is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A carried field as the packet begins.
    Field(Field),
    /// The word that such a field stands for.
    Word(Field),
    /// How many times 2^32 more than that word the field is.
    High(Field),
    /// What the trace holds at a key after some rows of which any may be the latest with that key, in their order.
    Read {
        /// The key.
        key: PolyId,
        /// Keys and values of the rows.
        after: SmallVec<[(PolyId, PolyId); 2]>,
    },
    /// An entry of the frozen tables, 0 out of range.
    Lookup(PolyId),
    /// ⌊p / d⌋
    Floor(PolyId, i128),
    /// 1 if p ≥ t, else 0. The polynomial has no constant term, no common factor and a positive last coefficient.
    AtLeast(PolyId, i128),
    /// An operation on two bytes.
    Bitwise(Bitwise, PolyId, PolyId),
    /// A shift of byte `.1` of a word by `.2` in 0 … 31; the byte is `.3`.
    Shift(Shift, u8, PolyId, PolyId),
    /// A count in a byte.
    Count(Count, PolyId),
}

/// A closed interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Smallest.
    pub lo: i128,
    /// Largest.
    pub hi: i128,
}

impl Span {
    /// 0 and 1.
    pub const BIT: Span = Span { lo: 0, hi: 1 };

    /// From `lo` to `hi`.
    pub fn new(lo: i128, hi: i128) -> Span {
        Span { lo, hi }
    }

    /// Just one number.
    pub fn point(x: i128) -> Span {
        Span { lo: x, hi: x }
    }

    /// What is in both. It may be empty, with `lo > hi`: then there is no state at all.
    pub fn meet(self, other: Span) -> Span {
        Span::new(self.lo.max(other.lo), self.hi.min(other.hi))
    }

    /// The smallest that contains both.
    pub fn hull(self, other: Span) -> Span {
        Span::new(self.lo.min(other.lo), self.hi.max(other.hi))
    }

    /// Whether it is in another.
    pub fn within(self, lo: i128, hi: i128) -> bool {
        lo <= self.lo && self.hi <= hi
    }

    fn plus(self, other: Span) -> Result<Span, TooLarge> {
        let lo = self.lo.checked_add(other.lo).ok_or(TooLarge)?;
        Ok(Span::new(lo, self.hi.checked_add(other.hi).ok_or(TooLarge)?))
    }

    /// Of products.
    ///
    /// # Errors
    ///
    /// If they are too large.
    pub fn product(self, other: Span) -> Result<Span, TooLarge> {
        let corner = |a: i128, b: i128| a.checked_mul(b).ok_or(TooLarge);
        let corners = [
            corner(self.lo, other.lo)?,
            corner(self.lo, other.hi)?,
            corner(self.hi, other.lo)?,
            corner(self.hi, other.hi)?,
        ];
        let lo = corners.into_iter().fold(i128::MAX, i128::min);
        Ok(Span::new(lo, corners.into_iter().fold(i128::MIN, i128::max)))
    }
}

/// Why a case is not proved, or not yet.
#[derive(Clone, Debug, PartialEq)]
pub enum Stop {
    /// It cannot be shown, for this reason.
    Unknown(&'static str),
    /// It has to be known whether p ≥ t.
    Split(PolyId, i128),
    /// No state is such.
    Impossible,
}

impl From<TooLarge> for Stop {
    fn from(_: TooLarge) -> Stop {
        Stop::Unknown("a polynomial is too large")
    }
}

/// A number, or why there is none.
pub type Maybe<T> = Result<T, Stop>;

/// What is known in a case beside the intervals of fields: where polynomials without a constant term lie.
pub type Facts = FxHashMap<PolyId, Span>;

/// All atoms of a packet.
pub struct Terms<'a> {
    /// What is outside of the packet.
    pub world: &'a World<'a>,
    kinds: Vec<Kind>,
    ids: FxHashMap<Kind, Atom>,
    polys: Vec<Poly>,
    poly_ids: FxHashMap<Poly, PolyId>,
    fields: FxHashMap<Field, Span>,
    facts: Facts,
    spans: Vec<Option<Span>>,
    ranges: FxHashMap<PolyId, Span>,
    floors: FxHashMap<(PolyId, i128), Poly>,
    tests: FxHashMap<PolyId, Poly>,
    /// Whether the last decomposition into digits could have been another one.
    preference_matters: bool,
    depth: u32,
    level: u32,
    work: usize,
}

impl<'a> Terms<'a> {
    /// No atoms.
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

    /// Begins another packet, whose carried fields lie there.
    pub fn packet(&mut self, fields: FxHashMap<Field, Span>) {
        self.kinds.clear();
        self.ids.clear();
        self.polys.clear();
        self.poly_ids.clear();
        self.fields = fields;
        self.work = 0;
        self.case(&Facts::default());
    }

    /// Begins another case of the packet. What was concluded from other facts is forgotten: only what atoms are stays.
    pub fn case(&mut self, facts: &Facts) {
        self.facts.clone_from(facts);
        self.forget();
        self.depth = 0;
    }

    fn forget(&mut self) {
        self.spans.clear();
        self.ranges.clear();
        self.floors.clear();
        self.tests.clear();
    }

    fn worked(&mut self, terms: usize) -> Maybe<()> {
        self.work += 4 + terms;
        if self.work > WORK { Err(Stop::Unknown("it takes too much rewriting")) } else { Ok(()) }
    }

    /// Does something that may need itself, not too deep for the stack.
    fn nested<T>(&mut self, f: impl FnOnce(&mut Self) -> Maybe<T>) -> Maybe<T> {
        self.level += 1;
        let result = if self.level > NESTED { Err(Stop::Unknown("it is nested too deep")) } else { f(self) };
        self.level -= 1;
        result
    }

    /// The number of a polynomial.
    pub fn intern(&mut self, p: &Poly) -> PolyId {
        if let Some(id) = self.poly_ids.get(p) {
            return *id;
        }
        let id = self.polys.len() as PolyId;
        self.polys.push(p.clone());
        self.poly_ids.insert(p.clone(), id);
        id
    }

    /// The polynomial with that number.
    pub fn poly(&self, id: PolyId) -> &Poly {
        &self.polys[id as usize]
    }

    /// What an atom is.
    pub fn kind(&self, atom: Atom) -> &Kind {
        &self.kinds[atom as usize]
    }

    /// An atom, or the one number that it can be.
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

    /// A carried field as the packet begins.
    ///
    /// Lemma: x = (x mod 2^32) + 2^32 ⌊x/2^32⌋. So what is done with the word of a field that may be several numbers does
    /// not depend on which of them it is.
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

    /// Where an atom lies.
    pub fn span(&mut self, atom: Atom) -> Maybe<Span> {
        if let Some(Some(span)) = self.spans.get(atom as usize) {
            return Ok(*span);
        }
        let span = self.span_of(atom)?;
        let span = match self.facts.is_empty() {
            true => span,
            false => {
                let id = self.intern(&Poly::atom(atom));
                self.facts.get(&id).map_or(span, |fact| span.meet(*fact))
            }
        };
        if span.lo > span.hi {
            return Err(Stop::Impossible);
        }
        if self.spans.len() <= atom as usize {
            self.spans.resize(atom as usize + 1, None);
        }
        self.spans[atom as usize] = Some(span);
        Ok(span)
    }

    fn span_of(&mut self, atom: Atom) -> Maybe<Span> {
        let kind = self.kinds[atom as usize].clone();
        Ok(match kind {
            Kind::Field(field) => *self.fields.get(&field).ok_or(Stop::Unknown("a field is not declared"))?,
            Kind::Word(_) => Span::new(0, (1 << 32) - 1),
            Kind::High(field) => {
                let span = *self.fields.get(&field).ok_or(Stop::Unknown("a field is not declared"))?;
                Span::new(span.lo >> 32, span.hi >> 32)
            }
            Kind::Read { key, after } => {
                let keys = self.range_of(key)?;
                let mut span = self.world.read(keys)?;
                for (_, value) in after {
                    span = span.hull(self.range_of(value)?);
                }
                span
            }
            Kind::Lookup(key) => {
                let keys = self.range_of(key)?;
                self.world.lookup(keys)?
            }
            Kind::Floor(p, d) => {
                let span = self.range_of(p)?;
                Span::new(span.lo.div_euclid(d), span.hi.div_euclid(d))
            }
            Kind::AtLeast(p, t) => {
                let span = self.range_of(p)?;
                if span.lo >= t {
                    Span::point(1)
                } else if span.hi < t {
                    Span::point(0)
                } else {
                    Span::BIT
                }
            }
            Kind::Bitwise(op, a, b) => {
                let (a, b) = (self.range_of(a)?.hi, self.range_of(b)?.hi);
                let ones = |x: i128| (1 << (128 - x.max(0).leading_zeros())) - 1;
                Span::new(0, if op == Bitwise::And { a.min(b) } else { ones(a.max(b)) })
            }
            Kind::Shift(op, j, ..) => match (op, j) {
                (Shift::ShrS, 3) => Span::new(-(1 << 31), 127 << 24),
                (Shift::ShrU | Shift::ShrS, _) => Span::new(0, 255 << (8 * j)),
                _ => Span::new(0, (1 << 32) - 1),
            },
            Kind::Count(..) => Span::new(0, 8),
        })
    }

    fn range_of(&mut self, id: PolyId) -> Maybe<Span> {
        if let Some(span) = self.ranges.get(&id) {
            return Ok(*span);
        }
        let p = self.polys[id as usize].clone();
        self.range(&p)
    }

    /// Whether an atom is 0 or 1.
    pub fn is_bit(&mut self, atom: Atom) -> Maybe<bool> {
        Ok(self.span(atom)?.within(0, 1))
    }

    /// Lemma: `p = g · q + c` with `q` without a constant term or common factor, its last coefficient positive.
    pub fn primitive(&self, p: &Poly) -> (Poly, i128, i128) {
        let mut g = p.content();
        if p.terms.last().is_some_and(|term| term.1 < 0) {
            g = -g;
        }
        let q = Poly { terms: p.others().iter().map(|(mono, c)| (*mono, c / g)).collect() };
        (q, g, p.constant_term())
    }

    fn mono_span(&mut self, mono: Mono) -> Maybe<Span> {
        let mut span = Span::point(1);
        for atom in mono.atoms() {
            span = span.product(self.span(atom)?)?;
        }
        Ok(span)
    }

    /// Where a polynomial lies.
    pub fn range(&mut self, p: &Poly) -> Maybe<Span> {
        if let Some(c) = p.as_constant() {
            return Ok(Span::point(c));
        }
        if let Some(atom) = p.as_atom() {
            return self.span(atom);
        }
        let id = self.intern(p);
        if let Some(span) = self.ranges.get(&id) {
            return Ok(*span);
        }
        self.worked(p.terms.len())?;
        self.nested(|terms| terms.range_anew(p, id))
    }

    fn range_anew(&mut self, p: &Poly, id: PolyId) -> Maybe<Span> {
        let mut span = Span::point(0);
        for (mono, c) in &p.terms {
            span = span.plus(self.mono_span(*mono)?.product(Span::point(*c))?)?;
        }
        if let Some(bit) = self.bit_in_product(p, false)?
            && self.depth < DEPTH
        {
            // Lemma: the hull of both cases.
            let zero = self.in_case(bit, false, |terms| terms.range(&p.with_bit(bit, false)?));
            let one = self.in_case(bit, true, |terms| terms.range(&p.with_bit(bit, true)?));
            span = match (zero, one) {
                (Err(Stop::Impossible), one) => span.meet(one?),
                (zero, Err(Stop::Impossible)) => span.meet(zero?),
                (zero, one) => span.meet(zero?.hull(one?)),
            };
        } else {
            for cancel in [true, false] {
                let (constant, digits) = self.digits(p, cancel)?;
                let mut sum = Span::point(constant);
                for (weight, digit) in digits {
                    sum = sum.plus(digit.product(Span::point(weight))?)?;
                }
                span = span.meet(sum);
                if !self.preference_matters {
                    break;
                }
            }
        }
        if !self.facts.is_empty() {
            let (q, g, c) = self.primitive(p);
            let own = self.intern(&q);
            if let Some(fact) = self.facts.get(&own).copied() {
                span = span.meet(fact.product(Span::point(g))?.plus(Span::point(c))?);
            }
            // Lemma: c₀ q and what is left lie where each of them does.
            let facts: SmallVec<[(PolyId, Span); 8]> =
                self.facts.iter().map(|fact| (*fact.0, *fact.1)).collect();
            for (q, fact) in facts.into_iter().filter(|fact| fact.0 != own) {
                let c0 = self.ratio(p, q);
                if c0 == 0 || self.polys[q as usize].terms.len() < 2 {
                    continue;
                }
                let rest = p.plus(-c0, &self.polys[q as usize])?;
                // Nothing that is not in `p` comes in, so this ends.
                if rest.terms.iter().all(|(mono, _)| mono.is_one() || p.coefficient(*mono) != 0) {
                    let rest = self.range(&rest)?;
                    span = span.meet(fact.product(Span::point(c0))?.plus(rest)?);
                }
            }
        }
        if span.lo > span.hi {
            return Err(Stop::Impossible);
        }
        self.ranges.insert(id, span);
        Ok(span)
    }

    /// Notes where a polynomial lies, as whoever made it knows, which its form may not show.
    pub fn note(&mut self, p: &Poly, span: Span) -> Maybe<()> {
        let known = self.range(p)?;
        let met = known.meet(span);
        if met.lo > met.hi {
            return Err(Stop::Impossible);
        }
        if met != known && p.as_atom().is_none() {
            let id = self.intern(p);
            self.ranges.insert(id, met);
        }
        Ok(())
    }

    /// Does something where a bit is known. Nothing that it concludes may be kept but the result.
    fn in_case<T>(&mut self, bit: Atom, value: bool, f: impl FnOnce(&mut Self) -> Maybe<T>) -> Maybe<T> {
        let (id, threshold) = match self.kinds[bit as usize] {
            Kind::AtLeast(p, t) => (p, t),
            _ => (self.intern(&Poly::atom(bit)), 1),
        };
        let known = match self.facts.get(&id) {
            Some(span) => *span,
            None => Span::new(i128::MIN, i128::MAX),
        };
        let case = if value { Span::new(threshold, i128::MAX) } else { Span::new(i128::MIN, threshold - 1) };
        // The polynomial's own range is finite, so the fact is too.
        let own = self.range_of(id)?;
        let met = own.meet(known).meet(case);
        if met.lo > met.hi {
            return Err(Stop::Impossible);
        }
        let saved_fact = self.facts.insert(id, met);
        let saved = (
            std::mem::take(&mut self.spans),
            std::mem::take(&mut self.ranges),
            std::mem::take(&mut self.floors),
            std::mem::take(&mut self.tests),
        );
        self.depth += 1;
        let result = f(self);
        self.depth -= 1;
        (self.spans, self.ranges, self.floors, self.tests) = saved;
        match saved_fact {
            Some(fact) => self.facts.insert(id, fact),
            None => self.facts.remove(&id),
        };
        result
    }

    /// The latest bit that is a factor beside others, with `mixed` only of monomials with something that is no bit.
    fn bit_in_product(&mut self, p: &Poly, mixed: bool) -> Maybe<Option<Atom>> {
        let mut found = None;
        for (mono, _) in p.terms.iter().filter(|term| term.0.is_product()) {
            let (mut bit, mut other) = (None, false);
            for atom in mono.atoms() {
                match self.is_bit(atom)? {
                    true => bit = bit.max(Some(atom)),
                    false => other = true,
                }
            }
            if other || !mixed {
                found = found.max(bit);
            }
        }
        Ok(found)
    }

    /// Base and divisor of an atom that is a quotient. Lemma: if 0 ≤ p < 2t, then [p ≥ t] = ⌊p / t⌋.
    fn as_floor(&mut self, atom: Atom) -> Maybe<Option<(PolyId, i128)>> {
        Ok(match self.kinds[atom as usize] {
            Kind::Floor(p, d) => Some((p, d)),
            Kind::AtLeast(p, t) => (t > 0 && self.range_of(p)?.within(0, 2 * t - 1)).then_some((p, t)),
            _ => None,
        })
    }

    /// A constant, and weighted numbers with where they lie, that add up to `p`.
    ///
    /// Lemma: quotients of one number by d₁ | d₂ | … are its digits: with q₀ = q and qᵢ = ⌊q/dᵢ⌋, qᵢ₋₁ = rᵢ + (dᵢ/dᵢ₋₁) · qᵢ and
    /// 0 ≤ rᵢ < dᵢ/dᵢ₋₁. So Σ cᵢ qᵢ = Σ Cᵢ₋₁ rᵢ + Cₙ qₙ with C₀ = c₀ and Cᵢ = Cᵢ₋₁ · dᵢ/dᵢ₋₁ + cᵢ.
    ///
    /// How often the base itself is taken out is free: as often as it is there, or with `cancel` so often that the last
    /// weight becomes 0.
    fn digits(&mut self, p: &Poly, cancel: bool) -> Maybe<(i128, Vec<(i128, Span)>)> {
        self.preference_matters = false;
        let mut work = p.clone();
        let mut digits = Vec::new();
        loop {
            let mut found = None;
            for (mono, c) in work.terms.iter().rev() {
                let Some(atom) = mono.as_atom() else { continue };
                if let Some((base, _)) = self.as_floor(atom)? {
                    found = Some((base, None));
                    break;
                }
                if let Kind::AtLeast(base, t) = self.kinds[atom as usize] {
                    // Lemma: c₀ p + c · [p ≥ t] is one of two intervals.
                    let c0 = self.ratio(&work, base);
                    if c0 != 0 {
                        found = Some((base, Some((atom, t, *c, c0))));
                        break;
                    }
                }
            }
            let Some((base, step)) = found else { break };
            let q = self.polys[base as usize].clone();
            if let Some((atom, t, c, c0)) = step {
                let span = self.range_of(base)?;
                let c0_span = Span::point(c0);
                let above = Span::new(t.max(span.lo), span.hi).product(c0_span)?.plus(Span::point(c))?;
                let below = Span::new(span.lo, span.hi.min(t - 1)).product(c0_span)?;
                digits.push((1, above.hull(below)));
                work = work.plus(-c0, &q)?.plus(-c, &Poly::atom(atom))?;
                continue;
            }
            let mut floors: SmallVec<[(i128, i128); 4]> = SmallVec::new();
            let mut without = work.clone();
            for (mono, c) in &work.terms {
                if let Some(atom) = mono.as_atom()
                    && let Some((b, d)) = self.as_floor(atom)?
                    && b == base
                {
                    floors.push((d, *c));
                    without = without.plus(-c, &Poly::atom(atom))?;
                }
            }
            floors.sort_unstable();
            if floors.windows(2).any(|pair| pair[1].0 % pair[0].0 != 0) {
                // No chain: each counts by itself.
                for (d, c) in floors {
                    let span = self.range_of(base)?;
                    digits.push((c, Span::new(span.lo.div_euclid(d), span.hi.div_euclid(d))));
                }
                work = without;
                continue;
            }
            let mut c0 = self.ratio(&work, base);
            let top = floors.last().map_or(1, |floor| floor.0);
            let rest: Option<i128> =
                floors.iter().try_fold(0i128, |sum, (d, c)| sum.checked_add(c.checked_mul(top / d)?));
            let rest = rest.ok_or(TooLarge)?;
            if rest % top == 0 && c0 != -rest / top && !q.terms.is_empty() {
                self.preference_matters = true;
                if cancel {
                    c0 = -rest / top;
                }
            }
            work = without.plus(-c0, &q)?;
            let (mut weight, mut last) = (c0, 1);
            for (d, c) in floors {
                digits.push((weight, Span::new(0, d / last - 1)));
                weight = weight.checked_mul(d / last).and_then(|w| w.checked_add(c)).ok_or(TooLarge)?;
                last = d;
            }
            let span = self.range_of(base)?;
            digits.push((weight, Span::new(span.lo.div_euclid(last), span.hi.div_euclid(last))));
        }
        for (mono, c) in work.others() {
            digits.push((*c, self.mono_span(*mono)?));
        }
        digits.retain(|digit| digit.0 != 0);
        Ok((work.constant_term(), digits))
    }

    /// How often a polynomial is in another as far as its last term says.
    fn ratio(&self, p: &Poly, base: PolyId) -> i128 {
        let Some((mono, c)) = self.polys[base as usize].terms.last() else { return 0 };
        let found = p.coefficient(*mono);
        if found % c == 0 { found / c } else { 0 }
    }

    /// Bits that may be 1 in a number, if its digits show that they do not overlap.
    pub fn possible_bits(&mut self, p: &Poly) -> Maybe<Option<u128>> {
        let span = self.range(p)?;
        if span.lo < 0 {
            return Ok(None);
        }
        let ones = |x: i128| (1u128 << (128 - x.leading_zeros())) - 1;
        let all = ones(span.hi);
        let (constant, digits) = self.digits(p, true)?;
        if constant < 0 {
            return Ok(Some(all));
        }
        let mut bits = constant as u128;
        for (weight, digit) in digits {
            if weight < 0
                || weight & (weight - 1) != 0
                || digit.lo < 0
                || digit.hi >= 1 << 60
                || weight >= 1 << 60
            {
                return Ok(Some(all));
            }
            let own = ones(digit.hi) << weight.trailing_zeros();
            if own & bits != 0 {
                return Ok(Some(all));
            }
            bits |= own;
        }
        Ok(Some(bits & all))
    }

    /// A product. Lemmas: b · b = b for a bit; [p ≥ s] · [p ≥ t] = [p ≥ max(s, t)].
    pub fn product(&mut self, p: &Poly, q: &Poly) -> Maybe<Poly> {
        if let Some(c) = p.as_constant() {
            return Ok(q.times(c)?);
        }
        if let Some(c) = q.as_constant() {
            return Ok(p.times(c)?);
        }
        self.worked(p.terms.len() * q.terms.len())?;
        if p.terms.len() * q.terms.len() > 4000 {
            return Err(TooLarge.into());
        }
        let mut terms = Vec::with_capacity(p.terms.len() * q.terms.len());
        for (a, x) in &p.terms {
            for (b, y) in &q.terms {
                let mono = if a.is_one() {
                    *b
                } else if b.is_one() {
                    *a
                } else {
                    self.mono_product(*a, *b)?
                };
                terms.push((mono, x.checked_mul(*y).ok_or(TooLarge)?));
            }
        }
        Ok(Poly::from_terms(terms)?)
    }

    fn mono_product(&mut self, a: Mono, b: Mono) -> Maybe<Mono> {
        let mut atoms: SmallVec<[Atom; 16]> = a.atoms().chain(b.atoms()).collect();
        atoms.sort_unstable();
        let mut i = 1;
        while i < atoms.len() {
            if atoms[i] == atoms[i - 1] && self.is_bit(atoms[i])? {
                atoms.remove(i);
            } else {
                i += 1;
            }
        }
        let kinds = &self.kinds;
        let implied = |atom: Atom, others: &[Atom]| match kinds[atom as usize] {
            Kind::AtLeast(p, t) => others
                .iter()
                .any(|other| matches!(kinds[*other as usize], Kind::AtLeast(q, s) if p == q && s > t)),
            _ => false,
        };
        let all = atoms.clone();
        atoms.retain(|atom| !implied(*atom, &all));
        Ok(Mono::of(&atoms).ok_or(TooLarge)?)
    }

    /// ⌊p / d⌋ for a positive d.
    pub fn floor(&mut self, p: &Poly, d: i128) -> Maybe<Poly> {
        if d == 1 {
            return Ok(p.clone());
        }
        if let Some(c) = p.as_constant() {
            return Ok(Poly::constant(c.div_euclid(d)));
        }
        let id = self.intern(p);
        if let Some(known) = self.floors.get(&(id, d)) {
            return Ok(known.clone());
        }
        self.worked(p.terms.len())?;
        let result = self.nested(|terms| terms.floor_anew(p.clone(), d))?;
        self.floors.insert((id, d), result.clone());
        Ok(result)
    }

    fn floor_anew(&mut self, mut p: Poly, mut d: i128) -> Maybe<Poly> {
        let mut out = Poly::default();
        loop {
            // Lemma: m d ≤ p < (m + 1) d means ⌊p/d⌋ = m.
            let span = self.range(&p)?;
            if span.lo.div_euclid(d) == span.hi.div_euclid(d) {
                return Ok(out.offset(span.lo.div_euclid(d))?);
            }
            // Lemma: a number with a bit b is that for b = 1 b times, and that for b = 0 1 − b times.
            if let Some(bit) = self.bit_in_product(&p, true)? {
                let zero = self.floor(&p.with_bit(bit, false)?, d)?;
                let one = self.floor(&p.with_bit(bit, true)?, d)?;
                let more = self.product(&Poly::atom(bit), &one.plus(-1, &zero)?)?;
                return Ok(out.plus(1, &zero)?.plus(1, &more)?);
            }
            // Lemma: ⌊(d q + r)/d⌋ = q + ⌊r/d⌋.
            let (quotient, rest) = p.split(d);
            if !quotient.is_zero() {
                out = out.plus(1, &quotient)?;
                p = rest;
                continue;
            }
            // Lemma: ⌊(g q + c)/(g d)⌋ = ⌊(q + ⌊c/g⌋)/d⌋.
            let g = gcd(p.content(), d);
            if g > 1 {
                let c = p.constant_term();
                let q = p.offset(-c)?.divided(g).ok_or(Stop::Unknown("a common factor"))?;
                p = q.offset(c.div_euclid(g))?;
                d /= g;
                if d == 1 {
                    return Ok(out.plus(1, &p)?);
                }
                continue;
            }
            if d & (d - 1) == 0
                && let Some((shorter, j)) = self.without_low(&p, d.trailing_zeros())?
            {
                p = shorter;
                d >>= j;
                continue;
            }
            // Lemma: ⌊(⌊q/e⌋ + c)/d⌋ = ⌊(q + c e)/(d e)⌋.
            if let [(mono, 1)] = p.others()
                && let Some(atom) = mono.as_atom()
                && let Kind::Floor(q, e) = self.kinds[atom as usize]
            {
                let more = p.constant_term().checked_mul(e).ok_or(TooLarge)?;
                p = self.polys[q as usize].offset(more)?;
                d = d.checked_mul(e).filter(|d| *d < 1 << 100).ok_or(TooLarge)?;
                continue;
            }
            // Lemma: ⌊(q + d/2)/d⌋ = ⌊q/(d/2)⌋ − ⌊q/d⌋ for an even d.
            if d % 2 == 0 && p.constant_term() == d / 2 {
                let q = p.offset(-d / 2)?;
                let (half, whole) = (self.floor(&q, d / 2)?, self.floor(&q, d)?);
                return Ok(out.plus(1, &half)?.plus(-1, &whole)?);
            }
            // Lemma: if ⌊p/d⌋ is m − 1 or m, it is m − 1 + [p ≥ m d].
            let span = self.range(&p)?;
            let m = span.hi.div_euclid(d);
            if span.lo.div_euclid(d) == m - 1 {
                let bit = self.not_negative(&p.offset(-m * d)?)?;
                return Ok(out.offset(m - 1)?.plus(1, &bit)?);
            }
            let base = self.intern(&p);
            let atom = self.of(Kind::Floor(base, d))?;
            return Ok(out.plus(1, &atom)?);
        }
    }

    /// `p'` and `j` with ⌊p/2^k⌋ = ⌊p'/2^(k − j)⌋, and p ≥ 0 if and only if p' ≥ 0.
    ///
    /// Lemma: with p = a + 2^j b and m 2^j ≤ a < (m + 1) 2^j, it is p' = b + m.
    fn without_low(&mut self, p: &Poly, k: u32) -> Maybe<Option<(Poly, u32)>> {
        let mut steps: SmallVec<[u32; 8]> =
            p.others().iter().map(|term| term.1.trailing_zeros().min(k)).collect();
        steps.sort_unstable();
        steps.dedup();
        for &j in steps[1.min(steps.len())..].iter().rev() {
            let unit = 1i128 << j;
            let mut low = Poly { terms: p.terms.iter().filter(|term| term.1 % unit != 0).copied().collect() };
            let c = p.constant_term();
            low = low.offset(c.rem_euclid(unit) - low.constant_term())?;
            let mut span = self.range(&low)?;
            if span.lo.div_euclid(unit) != span.hi.div_euclid(unit) {
                // A quotient of the same number by more makes a digit of one that is in the low part.
                let mut pairs = low.clone();
                for (mono, c) in low.others() {
                    let Some(atom) = mono.as_atom() else { continue };
                    let Some((base, d)) = self.as_floor(atom)? else { continue };
                    let mut best: Option<(i128, Atom)> = None;
                    for (other, _) in p.others() {
                        let Some(other) = other.as_atom() else { continue };
                        if let Some((b, e)) = self.as_floor(other)?
                            && b == base
                            && e > d
                            && e % d == 0
                            && c.checked_mul(e / d).is_some_and(|c| c % unit == 0)
                            && best.is_none_or(|best| e < best.0)
                        {
                            best = Some((e, other));
                        }
                    }
                    if let Some((e, other)) = best {
                        pairs = pairs.plus(-c * (e / d), &Poly::atom(other))?;
                    }
                }
                if pairs == low {
                    continue;
                }
                low = pairs;
                span = self.range(&low)?;
            }
            let m = span.lo.div_euclid(unit);
            if m == span.hi.div_euclid(unit)
                && let Some(rest) = p.plus(-1, &low)?.divided(unit)
            {
                return Ok(Some((rest.offset(m)?, j)));
            }
        }
        Ok(None)
    }

    /// The bit p ≥ 0.
    pub fn not_negative(&mut self, p: &Poly) -> Maybe<Poly> {
        let span = self.range(p)?;
        if span.lo >= 0 || span.hi < 0 {
            return Ok(Poly::constant((span.lo >= 0).into()));
        }
        let id = self.intern(p);
        if let Some(known) = self.tests.get(&id) {
            return Ok(known.clone());
        }
        self.worked(p.terms.len())?;
        let result = self.nested(|terms| terms.not_negative_anew(p))?;
        self.tests.insert(id, result.clone());
        Ok(result)
    }

    fn not_negative_anew(&mut self, p: &Poly) -> Maybe<Poly> {
        let mut bits: SmallVec<[Atom; 8]> = SmallVec::new();
        for atom in p.terms.iter().flat_map(|term| term.0.atoms()) {
            if !bits.contains(&atom) && self.is_bit(atom)? {
                bits.push(atom);
            }
        }
        if let Some(&bit) = bits.iter().max().filter(|_| bits.len() <= BITS) {
            // The same lemma as for quotients.
            let zero = self.not_negative(&p.with_bit(bit, false)?)?;
            let one = self.not_negative(&p.with_bit(bit, true)?)?;
            let more = self.product(&Poly::atom(bit), &one.plus(-1, &zero)?)?;
            return Ok(zero.plus(1, &more)?);
        }
        if let Some((shorter, _)) = self.without_low(p, 100)? {
            return self.not_negative(&shorter);
        }
        // Lemma: g q + c ≥ 0 means q ≥ ⌈−c/g⌉ for g > 0, and not q ≥ ⌊c/−g⌋ + 1 for g < 0.
        let (q, g, c) = self.primitive(p);
        let (t, negated) = if g > 0 { (-c.div_euclid(g), false) } else { (c.div_euclid(-g) + 1, true) };
        // Lemma: ⌊r/d⌋ ≥ t means r ≥ t d.
        let bit = match q.as_atom().map(|atom| self.kinds[atom as usize].clone()) {
            Some(Kind::Floor(r, d)) => {
                let bound = t.checked_mul(d).ok_or(TooLarge)?;
                let r = self.polys[r as usize].offset(-bound)?;
                self.not_negative(&r)?
            }
            _ => {
                let base = self.intern(&q);
                self.of(Kind::AtLeast(base, t))?
            }
        };
        Ok(if negated { Poly::constant(1).plus(-1, &bit)? } else { bit })
    }

    /// ⌊max(p, 0) / d⌋, where p is known to lie in a span beside what its form shows.
    pub fn gate(&mut self, p: &Poly, d: i128, known: Span) -> Maybe<Poly> {
        let span = self.range(p)?.meet(known);
        if span.lo > span.hi {
            return Err(Stop::Impossible);
        }
        if span.hi < d {
            return Ok(Poly::default());
        }
        if span.lo >= 0 {
            return self.floor(p, d);
        }
        // Lemma: below 2 d it is [p ≥ d]; elsewhere it is [p ≥ d] · ⌊p/d⌋.
        let bit = self.not_negative(&p.offset(-d)?)?;
        if span.hi < 2 * d {
            return Ok(bit);
        }
        let quotient = self.floor(p, d)?;
        self.product(&bit, &quotient)
    }

    /// Bits `from … from + len` of a word: of any number that is congruent to it if they are among its 32.
    pub fn slice(&mut self, p: &Poly, from: u32, len: u32) -> Maybe<Poly> {
        let (upper, above) = (self.floor(p, 1 << from)?, self.floor(p, 1 << (from + len))?);
        let bits = upper.plus(-(1 << len), &above)?;
        self.note(&bits, Span::new(0, (1 << len) - 1))?;
        Ok(bits)
    }

    /// An operation on two bytes.
    pub fn bitwise(&mut self, op: Bitwise, a: &Poly, b: &Poly) -> Maybe<Poly> {
        for p in [a, b] {
            if !self.range(p)?.within(0, 255) {
                return Err(Stop::Unknown("a byte is not shown to be one"));
            }
        }
        if let (Some(x), Some(y)) = (a.as_constant(), b.as_constant()) {
            return Ok(Poly::constant(op.of(x, y)));
        }
        if b.as_constant().is_none() && a.as_constant().is_some() {
            return self.bitwise(op, b, a);
        }
        // Lemma: a | b = a + b − (a & b), a ^ b = a + b − 2 (a & b).
        let sum = |and: Poly| -> Maybe<Poly> {
            Ok(match op {
                Bitwise::And => and,
                Bitwise::Or => a.plus(1, b)?.plus(-1, &and)?,
                Bitwise::Xor => a.plus(1, b)?.plus(-2, &and)?,
            })
        };
        if let Some(c) = b.as_constant() {
            // Lemma: a & c is the runs of bits of a where c is 1.
            let mut and = Poly::default();
            let mut at = 0;
            while at < 8 {
                let zeros = (c >> at).trailing_zeros().min(8 - at);
                at += zeros;
                let ones = ((c >> at) as u64).trailing_ones();
                if ones > 0 {
                    let run = self.slice(a, at, ones)?;
                    and = and.plus(1 << at, &run)?;
                }
                at += ones;
            }
            return sum(and);
        }
        if a == b {
            return sum(a.clone());
        }
        if self.range(a)?.within(0, 1) && self.range(b)?.within(0, 1) {
            let both = self.product(a, b)?;
            return sum(both);
        }
        if let (Some(x), Some(y)) = (self.possible_bits(a)?, self.possible_bits(b)?)
            && x & y == 0
        {
            return sum(Poly::default());
        }
        let (x, y) = (self.intern(a), self.intern(b));
        self.of(Kind::Bitwise(op, x.min(y), x.max(y)))
    }

    /// A shift of byte `j` of a word by a number in 0 … 31.
    pub fn shift(&mut self, op: Shift, j: u8, n: &Poly, byte: &Poly) -> Maybe<Poly> {
        if !self.range(n)?.within(0, 31) || !self.range(byte)?.within(0, 255) {
            return Err(Stop::Unknown("a byte is not shown to be one"));
        }
        if byte.is_zero() {
            return Ok(Poly::default());
        }
        if let (Some(n), Some(byte)) = (n.as_constant(), byte.as_constant()) {
            return Ok(Poly::constant(op.of(j, n, byte)));
        }
        let (n, byte) = (self.intern(n), self.intern(byte));
        self.of(Kind::Shift(op, j, n, byte))
    }

    /// A count in a byte.
    pub fn count(&mut self, op: Count, byte: &Poly) -> Maybe<Poly> {
        if !self.range(byte)?.within(0, 255) {
            return Err(Stop::Unknown("a byte is not shown to be one"));
        }
        if let Some(byte) = byte.as_constant() {
            return Ok(Poly::constant(op.of(byte)));
        }
        let byte = self.intern(byte);
        self.of(Kind::Count(op, byte))
    }

    /// Whether a bit is 1.
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
                // The number itself is what is known then.
                let (q, g, c) = self.primitive(bit);
                let t = if g > 0 { (1 - c + g - 1).div_euclid(g) } else { (c - 1).div_euclid(-g) + 1 };
                return Err(Stop::Split(self.intern(&q), t));
            }
        }
        Err(self.split_on(bit)?.unwrap_or(Stop::Unknown("a condition is not made of bits")))
    }

    /// The cases that would make a polynomial simpler: of its latest bit, or of a number that has few values, in the
    /// polynomial itself or else in what its atoms are of.
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
                    // The base without its constant, as facts are of such.
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

    /// Prints the facts of the case.
    #[cfg(test)]
    pub fn show_facts(&self) {
        for (p, span) in &self.facts {
            println!("        {} in {} … {}", self.show(&self.polys[*p as usize]), span.lo, span.hi);
        }
    }

    /// A polynomial for people.
    #[cfg(test)]
    pub fn show(&self, p: &Poly) -> String {
        let of = |id: &PolyId| self.show(&self.polys[*id as usize]);
        let atom = |atom: Atom| match &self.kinds[atom as usize] {
            Kind::Field(field) => format!("x{field}"),
            Kind::Word(field) => format!("w{field}"),
            Kind::High(field) => format!("h{field}"),
            Kind::Read { key, after } if after.is_empty() => format!("read({})", of(key)),
            Kind::Read { key, after } => format!("read({} after {})", of(key), after.len()),
            Kind::Lookup(key) => format!("lookup({})", of(key)),
            Kind::Floor(p, d) => format!("floor({} / {d})", of(p)),
            Kind::AtLeast(p, t) => format!("[{} >= {t}]", of(p)),
            Kind::Bitwise(op, a, b) => format!("{op:?}({}, {})", of(a), of(b)),
            Kind::Shift(op, j, n, byte) => format!("{op:?}{j}({}, {})", of(n), of(byte)),
            Kind::Count(op, byte) => format!("{op:?}({})", of(byte)),
        };
        let term = |(mono, c): &(Mono, i128)| {
            mono.atoms().fold(c.to_string(), |text, a| format!("{text}*{}", atom(a)))
        };
        p.terms.iter().map(term).collect::<Vec<_>>().join(" + ")
    }

    /// Leaves out the states in which not p ≥ 0, as the IR promises that there are none.
    pub fn promise(&mut self, p: &Poly) -> Maybe<()> {
        let bit = self.not_negative(p)?;
        if self.decide(&bit)? { Ok(()) } else { Err(Stop::Impossible) }
    }

    /// The facts of the two cases of a split: where the polynomial lies if p < t, and if p ≥ t.
    pub fn cases(&mut self, p: PolyId, t: i128) -> Maybe<[Span; 2]> {
        let span = self.range_of(p)?;
        Ok([Span::new(span.lo, span.hi.min(t - 1)), Span::new(span.lo.max(t), span.hi)])
    }
}
