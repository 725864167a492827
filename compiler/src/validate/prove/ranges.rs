//! Where numbers lie: intervals, digits, bits that may be 1.

use super::atoms::{Bitwise, Kind, Maybe, PolyId, Shift, Span, Stop};
use super::poly::{Atom, Mono, Poly, TooLarge};
use super::terms::Terms;
use smallvec::SmallVec;

/// Maximum depth to which bits are split for a range.
const DEPTH: u32 = 4;

impl Terms<'_> {
    /// Returns where an atom lies.
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

    pub(super) fn range_of(&mut self, id: PolyId) -> Maybe<Span> {
        if let Some(span) = self.ranges.get(&id) {
            return Ok(*span);
        }
        let p = self.polys[id as usize].clone();
        self.range(&p)
    }

    /// Returns whether an atom is 0 or 1.
    pub fn is_bit(&mut self, atom: Atom) -> Maybe<bool> {
        Ok(self.span(atom)?.within(0, 1))
    }

    /// Returns `q`, `g` and `c`. Lemma: `p = g · q + c`, where `q` has no constant term and no common factor,
    /// and its last coefficient is positive.
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

    /// Returns where a polynomial lies.
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
            // Lemma: it lies in the hull of both cases.
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
            // Lemma: the sum of c₀ q and the rest lies in the sum of their intervals.
            let facts: SmallVec<[(PolyId, Span); 8]> =
                self.facts.iter().map(|fact| (*fact.0, *fact.1)).collect();
            for (q, fact) in facts.into_iter().filter(|fact| fact.0 != own) {
                let c0 = self.ratio(p, q);
                if c0 == 0 || self.polys[q as usize].terms.len() < 2 {
                    continue;
                }
                let rest = p.plus(-c0, &self.polys[q as usize])?;
                // Nothing that is not in `p` is added, so this ends.
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

    /// Notes where a polynomial lies. Its maker may know more of that than its terms show.
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

    /// Calls a function in the case that a bit has a value. Nothing that the function concludes may be kept
    /// but its result.
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

    /// Returns the latest bit that is a factor of a product; with `mixed`, only of products with a factor
    /// that is not a bit.
    pub(super) fn bit_in_product(&mut self, p: &Poly, mixed: bool) -> Maybe<Option<Atom>> {
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

    /// Returns base and divisor of an atom that is a quotient. Lemma: if 0 ≤ p < 2t, then [p ≥ t] = ⌊p / t⌋.
    pub(super) fn as_floor(&mut self, atom: Atom) -> Maybe<Option<(PolyId, i128)>> {
        Ok(match self.kinds[atom as usize] {
            Kind::Floor(p, d) => Some((p, d)),
            Kind::AtLeast(p, t) => (t > 0 && self.range_of(p)?.within(0, 2 * t - 1)).then_some((p, t)),
            _ => None,
        })
    }

    /// Returns a constant, and weights of numbers with the intervals that these lie in, which add up to `p`.
    ///
    /// Lemma: quotients of one number by d₁ | d₂ | … are its digits: with q₀ = q and qᵢ = ⌊q/dᵢ⌋, qᵢ₋₁ = rᵢ +
    /// (dᵢ/dᵢ₋₁) · qᵢ and 0 ≤ rᵢ < dᵢ/dᵢ₋₁. So Σ cᵢ qᵢ = Σ Cᵢ₋₁ rᵢ + Cₙ qₙ with C₀ = c₀ and Cᵢ = Cᵢ₋₁ ·
    /// dᵢ/dᵢ₋₁ + cᵢ.
    ///
    /// How often the base itself is taken out is a choice: as often as it is there, or, with `cancel`, so
    /// often that the last weight becomes 0.
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
                    // Lemma: c₀ p + c · [p ≥ t] lies in one of two intervals.
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
                // The divisors are no chain: each quotient counts by itself.
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

    /// Returns how often a polynomial is in another, as far as its last term says.
    fn ratio(&self, p: &Poly, base: PolyId) -> i128 {
        let Some((mono, c)) = self.polys[base as usize].terms.last() else { return 0 };
        let found = p.coefficient(*mono);
        if found % c == 0 { found / c } else { 0 }
    }

    /// Returns the bits that may be 1 in a number; `None` if it may be negative. They are fewer than its
    /// range allows if its digits are shown not to overlap.
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
}
