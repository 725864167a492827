//! The assumptions at an expert (the box of its variables, its ghosts as facts, cases), and bounds of linear
//! forms under these assumptions.

use std::cell::Cell;

use smallvec::SmallVec;
use wasm2onnx_runtime::{Domain, ExpertId, Field, FieldKind, Interval, Network, Source, SourceKind};

use super::linear::{Linear, Var, gcd, small, times};
use super::world::World;

/// Stands for a bound that does not exist, or that is beyond `i128`.
pub(super) const INFINITE: i128 = i128::MAX;

/// Maximum number of variables that are split into cases at a time.
pub(super) const MAX_SPLIT: usize = 5;

/// A lower and an upper bound, `-INFINITE` and `INFINITE` if there are none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub lo: i128,
    pub hi: i128,
}

impl Bounds {
    pub const ALL: Bounds = Bounds { lo: -INFINITE, hi: INFINITE };
    /// The bounds of no case at all: the neutral element of `hull`.
    pub const NONE: Bounds = Bounds { lo: INFINITE, hi: -INFINITE };

    pub fn point(x: i128) -> Self {
        Bounds { lo: x, hi: x }
    }
    pub fn hull(self, other: Bounds) -> Bounds {
        Bounds { lo: self.lo.min(other.lo), hi: self.hi.max(other.hi) }
    }
    pub fn meet(self, other: Bounds) -> Bounds {
        Bounds { lo: self.lo.max(other.lo), hi: self.hi.min(other.hi) }
    }
    /// Returns whether these bounds lie within others. Bounds that hold no value do.
    pub fn within(self, other: Bounds) -> bool {
        self.lo > self.hi || other.lo <= self.lo && self.hi <= other.hi
    }
}

impl From<Interval> for Bounds {
    fn from(i: Interval) -> Self {
        Bounds { lo: i.lo.into(), hi: i.hi.into() }
    }
}

/// Divides and rounds down; infinite bounds stay infinite.
pub(super) fn floor_div(a: i128, b: i128) -> i128 {
    if b == 1 || a.abs() == INFINITE { a } else { a.div_euclid(b) }
}

/// Divides and rounds up; infinite bounds stay infinite.
pub(super) fn ceil_div(a: i128, b: i128) -> i128 {
    -floor_div(-a, b)
}

/// A linear form in variables, and where it is known to lie.
#[derive(Clone, Copy, Debug)]
struct Fact {
    /// Its terms, in `fact_terms`; never empty.
    first: u32,
    end: u32,
    bounds: Bounds,
}

/// The variables of a proof: the fields of `z`, the sources of `y`, and the fractions that gates
/// lose to their floors.
#[derive(Clone, Copy, Debug)]
pub(super) struct Variables {
    fields: Var,
    sources: Var,
}

/// Maximum number of gates with floors in one ghost.
const MAX_FRACTIONS: usize = 8;

impl Variables {
    /// Returns the variable of a source that is itself a variable: one that is read, or a unit that is not
    /// linear in fields.
    pub fn source(self, source: Source) -> Var {
        self.fields + Var::from(source)
    }
    /// Returns the variable of the fraction that the floor of a gate takes off.
    pub fn fraction(self, i: usize) -> Option<Var> {
        (i < MAX_FRACTIONS).then_some(self.fields + self.sources + i as Var)
    }
}

/// Maximum number of terms that the elimination of a fact from a linear form may leave.
const MAX_TERMS: usize = 16;
/// Maximum number of rounds in which all facts are tried one after the other.
const MAX_ROUNDS: usize = 8;
/// Maximum number of eliminations of which each is the best one.
const MAX_CHAIN: usize = 16;
/// Maximum number of first eliminations with which a bound is tried.
const MAX_STARTS: usize = 64;
/// Maximum cost of the proof of one step, in facts looked at or something similar. No step of the examples
/// costs more than 3,200. The limit is for a model that was made to keep its reader busy: beyond it nothing
/// more is proved.
const MAX_WORK: usize = 1 << 22;
/// Number of variables to split after which no more are collected: by then it is known that there are too
/// many.
const MAX_VARIABLES: usize = 8;

/// The assumptions at one expert.
pub(super) struct Assumptions<'a> {
    pub world: &'a World<'a>,
    net: &'a Network,
    pub variables: Variables,
    expert: ExpertId,
    /// For each variable, the expert for which it was last declared, plus 1.
    stamps: Vec<u32>,
    boxes: Vec<Interval>,
    domains: Vec<Domain>,
    /// Boxes that cases have replaced.
    log: Vec<(Var, Interval)>,
    facts: Vec<Fact>,
    fact_terms: Vec<(Var, i128)>,
    ghosts_loaded: bool,
    /// What the proof has cost so far.
    work: Cell<usize>,
}

impl<'a> Assumptions<'a> {
    pub fn new(world: &'a World<'a>) -> Self {
        let net = world.net;
        let variables = Variables { fields: net.ports.fields() as Var, sources: net.ports.sources() as Var };
        let vars = (variables.fields + variables.sources) as usize + MAX_FRACTIONS;
        Assumptions {
            world,
            net,
            variables,
            expert: 0,
            stamps: vec![0; vars],
            boxes: vec![Interval::point(0); vars],
            domains: vec![Domain::Interval(Interval::point(0)); vars],
            log: Vec::new(),
            facts: Vec::new(),
            fact_terms: Vec::new(),
            ghosts_loaded: false,
            work: Cell::new(0),
        }
    }

    /// Adds the cost of a part of the proof. Returns whether the proof may still cost that much.
    pub fn spend(&self, work: usize) -> bool {
        self.work.set(self.work.get().saturating_add(work));
        self.work.get() <= MAX_WORK
    }

    /// Assumes what is declared for an expert, and nothing else.
    pub fn enter(&mut self, e: ExpertId) {
        self.expert = e;
        self.log.clear();
        self.facts.clear();
        self.fact_terms.clear();
        self.ghosts_loaded = false;
        self.work.set(0);
        for (field, domain) in self.net.certificate.fields(e) {
            // What is declared of `e` itself is no variable.
            if Var::from(field) < self.variables.fields {
                self.declare(field.into(), domain, self.world.range(domain));
            }
        }
    }

    /// Declares a variable.
    pub fn declare(&mut self, var: Var, domain: Domain, range: Interval) {
        let i = var as usize;
        self.stamps[i] = self.expert + 1;
        self.boxes[i] = range;
        self.domains[i] = domain;
    }

    /// Returns where a variable lies, if that is declared.
    #[inline]
    pub fn range(&self, var: Var) -> Option<Interval> {
        (self.stamps[var as usize] == self.expert + 1).then(|| self.boxes[var as usize])
    }

    /// Returns the domain of a declared variable.
    pub fn domain(&self, var: Var) -> Domain {
        self.domains[var as usize]
    }

    // ---- Linear forms in variables.

    /// Adds `c` times a source to a linear form in variables. A unit is linear in its gate or value if the
    /// other can be only one number, at least in the case that is assumed.
    pub fn add_source(&self, form: &mut Linear, source: Source, c: i128) -> Option<()> {
        let ports = &self.net.ports;
        let (kind, i) = self.world.sources[usize::from(source)];
        match kind {
            SourceKind::One => form.add_constant(c),
            SourceKind::R | SourceKind::W => self.add_var(form, self.variables.source(source), c),
            SourceKind::S => self.add_var(form, ports.s(i).into(), c),
            SourceKind::U => {
                let (n, v) = (Var::from(ports.n(i)), Var::from(ports.v(i)));
                let (gate, value) = (self.range(n)?, self.range(v)?);
                if value.lo == value.hi {
                    self.add_var(form, n, c.checked_mul(value.lo.into())?)
                } else if gate.lo == gate.hi {
                    self.add_var(form, v, c.checked_mul(gate.lo.into())?)
                } else {
                    self.add_var(form, self.variables.source(source), c)
                }
            }
        }
    }

    fn add_var(&self, form: &mut Linear, var: Var, c: i128) -> Option<()> {
        match self.range(var)? {
            x if x.lo == x.hi => form.add_constant(c.checked_mul(x.lo.into())?),
            _ => form.add(var, c),
        }
    }

    // ---- Cases.

    /// Adds the variables to split so that those units of an equation become linear whose gates are 0 or 1.
    /// With `all`, adds everything that is 0 or 1.
    pub fn splits(&self, sources: &[Source], all: bool, into: &mut SmallVec<[Var; 8]>) {
        let ports = &self.net.ports;
        for &source in sources {
            if into.len() == MAX_VARIABLES {
                return;
            }
            let (kind, i) = self.world.sources[usize::from(source)];
            let var = match kind {
                SourceKind::One => continue,
                SourceKind::U => {
                    let value = self.range(ports.v(i).into());
                    if !all && value.is_some_and(|v| v.lo == v.hi) {
                        continue;
                    }
                    Var::from(ports.n(i))
                }
                _ if !all => continue,
                SourceKind::S => Var::from(ports.s(i)),
                SourceKind::R | SourceKind::W => self.variables.source(source),
            };
            if self.range(var) == Some(Interval::new(0, 1)) && !into.contains(&var) {
                into.push(var);
            }
        }
    }

    /// Returns a mark to which [`Assumptions::leave`] returns.
    pub fn mark(&self) -> usize {
        self.log.len()
    }

    /// Assumes a case: each variable is 0 or 1 as the bits of `case` say. Returns `false` if no `z` is in
    /// that case. [`Assumptions::leave`] takes back what was assumed.
    pub fn assume(&mut self, vars: &[Var], case: usize) -> bool {
        let mark = self.mark();
        for (i, &var) in vars.iter().enumerate() {
            let value = (case >> i & 1) as i64;
            if !self.boxes[var as usize].contains(value) {
                return false;
            }
            self.set(var, Interval::point(value));
        }
        if vars.is_empty() {
            return true;
        }
        self.load_ghosts();
        // A second pass sees what the first one found.
        self.propagate(mark).is_some_and(|found| !found || self.propagate(mark).is_some())
    }

    /// Takes back all cases assumed since a mark.
    pub fn leave(&mut self, mark: usize) {
        while self.log.len() > mark {
            if let Some((var, old)) = self.log.pop() {
                self.boxes[var as usize] = old;
            }
        }
    }

    fn set(&mut self, var: Var, range: Interval) {
        self.replace(var, range);
        if var >= self.variables.fields {
            return;
        }
        // Sources that depend on it.
        let ports = self.net.ports;
        let (kind, i) = ports.kind(var as Field);
        match kind {
            FieldKind::S => {
                let source = self.variables.source(ports.ys(i));
                if self.range(source).is_some() {
                    self.replace(source, range);
                }
            }
            FieldKind::N | FieldKind::V => {
                let source = self.variables.source(ports.yu(i));
                let factors = (self.range(ports.n(i).into()), self.range(ports.v(i).into()));
                if let (Some(_), (Some(n), Some(v))) = (self.range(source), factors)
                    && let Some(product) = product(n, v)
                {
                    self.replace(source, product);
                }
            }
            _ => {}
        }
    }

    fn replace(&mut self, var: Var, range: Interval) {
        self.log.push((var, self.boxes[var as usize]));
        self.boxes[var as usize] = range;
    }

    /// Narrows boxes by each fact with a variable that changed since a mark. Returns whether any box was
    /// narrowed; `None` if a fact is contradicted.
    fn propagate(&mut self, mark: usize) -> Option<bool> {
        let before = self.log.len();
        // To find nothing is never wrong.
        if !self.spend(self.facts.len().saturating_mul(before - mark + 1)) {
            return Some(false);
        }
        for i in (0..self.facts.len()).rev() {
            let Fact { first, end, bounds } = self.facts[i];
            let terms = first as usize..end as usize;
            let has_changed = |term: &(Var, i128)| self.log[mark..].iter().any(|change| change.0 == term.0);
            if !self.fact_terms[terms.clone()].iter().any(has_changed) {
                continue;
            }
            let Some(sum) = self.box_of(&self.fact_terms[terms.clone()], 0) else { continue };
            if sum.lo > bounds.hi || sum.hi < bounds.lo {
                return None;
            }
            if sum.within(bounds) {
                continue;
            }
            for term in terms {
                let (var, c) = self.fact_terms[term];
                let x = self.boxes[var as usize];
                if x.lo == x.hi || c == 0 {
                    continue;
                }
                // c·x = fact − rest, where the box bounds the rest.
                let (low, high) = (c * i128::from(x.lo), c * i128::from(x.hi));
                let (rest_lo, rest_hi) = (sum.lo - low.min(high), sum.hi - low.max(high));
                let most = if bounds.hi == INFINITE { INFINITE } else { bounds.hi - rest_lo };
                let least = if bounds.lo == -INFINITE { -INFINITE } else { bounds.lo - rest_hi };
                let (below, above) = if c > 0 { (least, most) } else { (-most, -least) };
                let lo = ceil_div(below, c.abs()).max(x.lo.into());
                let hi = floor_div(above, c.abs()).min(x.hi.into());
                if lo > hi {
                    return None;
                }
                if (lo, hi) != (x.lo.into(), x.hi.into()) {
                    self.set(var, Interval::new(lo as i64, hi as i64));
                    // The bounds of the sum are still true, only not the narrowest.
                }
            }
        }
        Some(self.log.len() > before)
    }

    // ---- Facts.

    /// Takes the ghosts of the expert as facts, before any other.
    fn load_ghosts(&mut self) {
        if std::mem::replace(&mut self.ghosts_loaded, true) {
            return;
        }
        for ghost in self.net.certificate.ghosts(self.expert) {
            let bound = |x: i64, none: i64, infinite: i128| if x == none { infinite } else { x.into() };
            let bounds = Bounds {
                lo: bound(ghost.range.lo, i64::MIN, -INFINITE),
                hi: bound(ghost.range.hi, i64::MAX, INFINITE),
            };
            let first = self.fact_terms.len() as u32;
            self.fact_terms.extend(ghost.terms.iter().map(|&(f, c)| (Var::from(f), i128::from(c))));
            let end = self.fact_terms.len() as u32;
            if first < end {
                self.facts.push(Fact { first, end, bounds });
            }
        }
    }

    /// Assumes that a linear form lies within bounds, until [`Assumptions::forget`] is given what this returns.
    pub fn assume_fact(&mut self, form: &Linear, bounds: Bounds) -> (usize, usize) {
        self.load_ghosts();
        let mark = (self.facts.len(), self.fact_terms.len());
        let lo = if bounds.lo == -INFINITE { bounds.lo } else { bounds.lo - form.constant };
        let hi = if bounds.hi == INFINITE { bounds.hi } else { bounds.hi - form.constant };
        if !form.terms.is_empty() {
            let first = self.fact_terms.len() as u32;
            self.fact_terms.extend_from_slice(&form.terms);
            let end = self.fact_terms.len() as u32;
            self.facts.push(Fact { first, end, bounds: Bounds { lo, hi } });
        }
        mark
    }

    pub fn forget(&mut self, (facts, terms): (usize, usize)) {
        self.facts.truncate(facts);
        self.fact_terms.truncate(terms);
    }

    // ---- Bounds.

    /// Returns bounds of a sum by the box alone.
    fn box_of(&self, terms: &[(Var, i128)], constant: i128) -> Option<Bounds> {
        let (mut lo, mut hi) = (constant, constant);
        for &(var, c) in terms {
            let x = self.range(var)?;
            let (a, b) = (times(c, x.lo.into())?, times(c, x.hi.into())?);
            lo = small(lo.checked_add(a.min(b))?)?;
            hi = small(hi.checked_add(a.max(b))?)?;
        }
        Some(Bounds { lo, hi })
    }

    pub fn box_bounds(&self, form: &Linear) -> Bounds {
        self.box_of(&form.terms, form.constant).unwrap_or(Bounds::ALL)
    }

    /// Returns bounds of a linear form. They need not be narrower than `want` asks for.
    pub fn bounds(&mut self, form: &Linear, want: Bounds) -> Bounds {
        let mut found = self.box_bounds(form);
        if found.within(want) {
            return found;
        }
        self.load_ghosts();
        if found.hi > want.hi {
            found.hi = found.hi.min(self.upper(form, want.hi));
        }
        if found.lo < want.lo {
            let mut negative = form.clone();
            if negative.multiply(-1).is_some() {
                found.lo = found.lo.max(-self.upper(&negative, -want.lo));
            }
        }
        found
    }

    /// Finds an upper bound by eliminating facts: first only those that make the bound smaller, then all; then always the best
    /// one; then as at first and with the best one again, beginning with each fact and each of its variables.
    fn upper(&self, form: &Linear, want: i128) -> i128 {
        let start = Upper::new(form.clone());
        let mut best = self.descend(start.clone(), want);
        if best > want {
            best = best.min(self.eliminate_all(start.clone(), want));
        }
        if best > want {
            best = best.min(self.eliminate_best(start.clone(), want));
        }
        let mut starts = 0;
        for i in (0..self.facts.len()).rev() {
            let Fact { first, end, .. } = self.facts[i];
            for pivot in first as usize..end as usize {
                if best <= want || starts == MAX_STARTS || !self.spend(1) {
                    return best;
                }
                let mut sum = start.clone();
                if self.eliminate(&mut sum, i, pivot) == Some(true) {
                    starts += 1;
                    best = best.min(self.descend(sum.clone(), want));
                    if best > want {
                        best = best.min(self.eliminate_best(sum, want));
                    }
                }
            }
        }
        best
    }

    /// Eliminates the first variable of each fact where that makes the bound smaller, from the last fact to
    /// the first, until no elimination does.
    fn descend(&self, mut sum: Upper, want: i128) -> i128 {
        let mut best = self.value(&sum);
        // With contradictory facts the bound could become smaller forever.
        for _ in 0..MAX_ROUNDS {
            if !self.spend(self.facts.len() + 1) {
                return best;
            }
            let before = best;
            for i in (0..self.facts.len()).rev() {
                if best <= want {
                    return best;
                }
                let pivot = self.facts[i].first as usize;
                if sum.form.coefficient(self.fact_terms[pivot].0) == 0 {
                    continue;
                }
                let mut next = sum.clone();
                if self.eliminate(&mut next, i, pivot) == Some(true) {
                    let value = self.value(&next);
                    if value < best {
                        (best, sum) = (value, next);
                    }
                }
            }
            if best == before {
                break;
            }
        }
        best
    }

    /// Eliminates the first variable of each fact, from the last fact to the first.
    fn eliminate_all(&self, mut sum: Upper, want: i128) -> i128 {
        let mut best = INFINITE;
        if !self.spend(self.facts.len() + 1) {
            return best;
        }
        for i in (0..self.facts.len()).rev() {
            match self.eliminate(&mut sum, i, self.facts[i].first as usize) {
                Some(false) => {}
                Some(true) => best = best.min(self.value(&sum)),
                None => break,
            }
            if best <= want {
                break;
            }
        }
        best
    }

    /// Eliminates the variable of a fact that makes the bound smallest, again and again; one that needs no multiple of the sum
    /// if there is one, because fractions stand in the way of what comes after. Each fact may leave the bound as it is once:
    /// along a chain of facts about the bytes of a word, each of which replaces a byte by the next, only the last one makes it
    /// smaller.
    fn eliminate_best(&self, mut sum: Upper, want: i128) -> i128 {
        let mut best = self.value(&sum);
        let mut without_gain: SmallVec<[usize; 8]> = SmallVec::new();
        for _ in 0..MAX_CHAIN {
            if best <= want {
                break;
            }
            let mut found: Option<((i128, i128), usize, Upper)> = None;
            for i in 0..self.facts.len() {
                let Fact { first, end, .. } = self.facts[i];
                if !self.spend((end - first) as usize) {
                    return best;
                }
                for pivot in first as usize..end as usize {
                    let mut next = sum.clone();
                    if self.eliminate(&mut next, i, pivot) != Some(true) {
                        continue;
                    }
                    let value = self.value(&next);
                    let is_allowed = value < best || (value == best && !without_gain.contains(&i));
                    let key = (next.scale, value);
                    if is_allowed && found.as_ref().is_none_or(|(least, ..)| key < *least) {
                        found = Some((key, i, next));
                    }
                }
            }
            let Some(((_, value), fact, next)) = found else { break };
            if value == best {
                without_gain.push(fact);
            }
            (best, sum) = (value, next);
        }
        best
    }

    fn value(&self, sum: &Upper) -> i128 {
        let Some(bounds) = self.box_of(&sum.form.terms, sum.form.constant) else { return INFINITE };
        floor_div(bounds.hi, sum.scale)
    }

    /// Replaces a multiple of a fact by its bound so that the variable of one of the fact's terms disappears.
    /// Returns whether that was possible; `None` if integers became too large.
    fn eliminate(&self, sum: &mut Upper, fact: usize, pivot: usize) -> Option<bool> {
        let Fact { first, end, bounds } = self.facts[fact];
        let (var, p) = self.fact_terms[pivot];
        let c = sum.form.coefficient(var);
        if c == 0 || p == 0 {
            return Some(false);
        }
        // c·x ≤ … : a positive multiple of the fact needs its upper bound.
        let end_bound = if (c > 0) == (p > 0) { bounds.hi } else { bounds.lo };
        if end_bound.abs() == INFINITE {
            return Some(false);
        }
        let g = gcd(c, p);
        let (scale, factor) = (p.abs() / g, c / g * p.signum());
        if scale != 1 {
            sum.form.multiply(scale)?;
            sum.scale = sum.scale.checked_mul(scale)?;
        }
        for &(v, w) in &self.fact_terms[first as usize..end as usize] {
            sum.form.add(v, w.checked_mul(factor)?.checked_neg()?)?;
            if sum.form.terms.len() > 4 * MAX_TERMS {
                return None;
            }
        }
        sum.form.add_constant(factor.checked_mul(end_bound)?)?;
        (sum.form.terms.len() <= MAX_TERMS).then_some(true)
    }
}

/// `form / scale` is an upper bound.
#[derive(Clone)]
struct Upper {
    form: Linear,
    scale: i128,
}

impl Upper {
    fn new(form: Linear) -> Self {
        Upper { form, scale: 1 }
    }
}

/// Returns the range of a product; `None` if it is beyond `i64`.
pub(super) fn product(a: Interval, b: Interval) -> Option<Interval> {
    let corner = |x: i64, y: i64| i128::from(x) * i128::from(y);
    let corners = [corner(a.lo, b.lo), corner(a.lo, b.hi), corner(a.hi, b.lo), corner(a.hi, b.hi)];
    let lo = corners.into_iter().fold(i128::MAX, i128::min);
    let hi = corners.into_iter().fold(i128::MIN, i128::max);
    Some(Interval::new(i64::try_from(lo).ok()?, i64::try_from(hi).ok()?))
}
