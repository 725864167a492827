//! Products, quotients and comparisons, rewritten as far as the lemmas go.

use super::atoms::{Kind, Maybe, Span, Stop};
use super::poly::{Atom, Mono, Poly, TooLarge, gcd};
use super::terms::Terms;
use smallvec::SmallVec;

/// Maximum number of bits that a comparison is expanded over.
const BITS: usize = 6;

impl Terms<'_> {
    /// Returns a product. Lemmas: b · b = b for a bit; [p ≥ s] · [p ≥ t] = [p ≥ max(s, t)].
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

    /// Returns ⌊p / d⌋ for a positive d.
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
            // Lemma: a number with a bit b is b times its value for b = 1, plus 1 − b times its value for
            // b = 0.
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

    /// Returns `p'` and `j` such that ⌊p/2^k⌋ = ⌊p'/2^(k − j)⌋, and p ≥ 0 if and only if p' ≥ 0.
    ///
    /// Lemma: with p = a + 2^j b and m 2^j ≤ a < (m + 1) 2^j, p' = b + m.
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
                // A quotient of the same number by a larger divisor makes a digit of a quotient that is in
                // the low part.
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

    /// Returns the bit p ≥ 0.
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

    /// Returns ⌊max(p, 0) / d⌋, where p is known to lie in a span, besides what its terms show.
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
        // Lemma: the gate is [p ≥ d] for p < 2 d; otherwise it is [p ≥ d] · ⌊p/d⌋.
        let bit = self.not_negative(&p.offset(-d)?)?;
        if span.hi < 2 * d {
            return Ok(bit);
        }
        let quotient = self.floor(p, d)?;
        self.product(&bit, &quotient)
    }
}
