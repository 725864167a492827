//! The proof of one step: from what is declared of an expert to what is declared of all experts that may
//! follow it.

use smallvec::SmallVec;
use wasm2onnx_runtime::{
    Domain, ExpertId, Field, FieldKind, FieldName, IdSetId, Interval, Network, Ports, Region, Source,
    SourceKind,
};

use super::assumptions::{Assumptions, Bounds, INFINITE, MAX_SPLIT, ceil_div, floor_div, product};
use super::failure::{Broken, Declared, Failure, Location, Proved};
use super::linear::{Linear, dyadic};
use super::world::World;

/// Largest magnitude up to which all integers are exact in a float64.
pub(super) const MAX_EXACT: i128 = wasm2onnx_runtime::MAX_EXACT as i128;

/// Maximum number of variables that are split to find the next expert.
const MAX_BRANCH: usize = 6;

/// Variables to split into cases.
pub(super) type Splits = SmallVec<[u32; 8]>;

/// An equation of the map, with integer weights: the linear form Σ w·y. A gate's equation makes
/// `⌊relu(form / scale)⌋`.
#[derive(Clone, Debug)]
pub(super) struct Equation {
    pub field: Field,
    /// Its terms, as indices into the network's terms.
    pub terms: std::ops::Range<usize>,
    /// 1 except for gates.
    pub scale: i128,
    /// Where the linear form lies, by the box.
    pub form: Bounds,
    /// Where the field that it makes lies.
    pub range: Interval,
}

/// The largest magnitude seen, in units of the finest weight of its equation.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Largest {
    pub magnitude: u64,
    pub expert: ExpertId,
    pub field: Field,
}

/// The widest declared intervals, each with the first field that has it.
#[derive(Clone, Debug, Default)]
pub(super) struct Widest(pub Vec<(ExpertId, Field, Interval)>);

impl Widest {
    /// Number of intervals that are kept.
    const KEPT: usize = 8;

    pub fn see(&mut self, e: ExpertId, field: Field, range: Interval) {
        let width = |i: Interval| i128::from(i.hi) - i128::from(i.lo);
        if self.0.len() == Self::KEPT && width(range) < width(self.0[Self::KEPT - 1].2) {
            return;
        }
        match self.0.iter_mut().find(|seen| seen.2 == range) {
            Some(seen) if (e, field) < (seen.0, seen.1) => *seen = (e, field, range),
            Some(_) => {}
            None => {
                self.0.push((e, field, range));
                self.0.sort_by_key(|&(e, field, range)| (-width(range), range.lo, e, field));
                self.0.truncate(Self::KEPT);
            }
        }
    }
}

/// Proves step after step. Holds what proofs need, so that no proof allocates it anew.
pub(super) struct Prover<'a> {
    pub net: &'a Network,
    pub world: &'a World<'a>,
    pub state: Assumptions<'a>,
    pub expert: ExpertId,
    pub equations: Vec<Equation>,
    /// Weights of the expert's equations as integers.
    integers: Vec<i64>,
    /// Index of the network's term that is the first of `integers`.
    first_term: usize,
    /// For each field, the expert for which it was last made, plus 1, and the index of its equation.
    made: Vec<(u32, u32)>,
    pub largest: Largest,
    pub widest: Widest,
}

impl<'a> Prover<'a> {
    pub fn new(world: &'a World<'a>) -> Self {
        let net = world.net;
        Prover {
            net,
            world,
            state: Assumptions::new(world),
            expert: 0,
            equations: Vec::new(),
            integers: Vec::new(),
            first_term: 0,
            made: vec![(0, 0); net.ports.fields() + 1],
            largest: Largest::default(),
            widest: Widest::default(),
        }
    }

    /// Proves the step of an expert.
    pub fn check(&mut self, e: ExpertId) -> Result<(), Failure> {
        self.expert = e;
        self.declarations()?;
        if self.net.is_terminal(e) {
            return Ok(());
        }
        self.state.enter(e);
        self.read_sources()?;
        self.exact_equations()?;
        self.remember()?;
        self.next()
    }

    /// Checks that what is declared for the expert means something.
    fn declarations(&mut self) -> Result<(), Failure> {
        let (e, certificate) = (self.expert, &self.net.certificate);
        let location = || Location::Expert(e);
        for (field, domain) in certificate.fields(e) {
            self.world.declaration(domain, location)?;
            self.widest.see(e, field, self.world.range(domain));
            if field == self.net.ports.e() && !self.world.contains(domain, e.into()) {
                let what = "its own id".into();
                return Err(Failure::new(location(), Broken::Initial { what, declared: Declared(domain) }));
            }
        }
        if certificate.ghosts(e).any(|ghost| ghost.range.lo > ghost.range.hi) {
            return Err(Failure::new(location(), Broken::Declaration("an empty interval of a ghost".into())));
        }
        Ok(())
    }

    // ---- Sources.

    /// Finds the range of each source that the map multiplies.
    fn read_sources(&mut self) -> Result<(), Failure> {
        let experts = &self.net.experts;
        let equations = experts.equation_range(self.expert);
        if equations.is_empty() {
            return Ok(());
        }
        for &source in &experts.sources
            [experts.term_range(equations.start).start..experts.equation_end[equations.end - 1] as usize]
        {
            if self.state.range(self.state.variables.source(source)).is_none() {
                let (domain, range) = self.source(source)?;
                self.state.declare(self.state.variables.source(source), domain, range);
            }
        }
        Ok(())
    }

    fn source(&self, source: Source) -> Result<(Domain, Interval), Failure> {
        let ports = &self.net.ports;
        let (kind, i) = self.world.sources[usize::from(source)];
        Ok(match kind {
            SourceKind::One => (Domain::Interval(Interval::point(1)), Interval::point(1)),
            SourceKind::S => self.declared(ports.s(i))?,
            SourceKind::R => {
                let domain = self.world.read(self.declared(ports.q(i))?.1);
                (domain, self.world.range(domain))
            }
            SourceKind::W => self.world.look_up(self.declared(ports.t(i))?.1),
            SourceKind::U => {
                let ((n_domain, n), (v_domain, v)) = (self.declared(ports.n(i))?, self.declared(ports.v(i))?);
                let rounded = || Broken::Product { unit: i, n: Declared(n_domain), v: Declared(v_domain) };
                let product = product(n, v).ok_or_else(|| self.fail(rounded()))?;
                let exact = magnitude(n) <= 1
                    || magnitude(v) <= 1
                    || magnitude(product) as i128 <= MAX_EXACT
                    || keeps_bits(n_domain, n)
                    || keeps_bits(v_domain, v);
                if !exact {
                    return Err(self.fail(rounded()));
                }
                (Domain::Interval(product), product)
            }
        })
    }

    fn declared(&self, field: Field) -> Result<(Domain, Interval), Failure> {
        match self.state.range(field.into()) {
            Some(range) => Ok((self.state.domain(field.into()), range)),
            None => Err(self.fail(Broken::Undeclared(FieldName::new(&self.net.ports, field)))),
        }
    }

    // ---- Rule 1.

    /// Proves each equation exact, and finds where the field that it makes lies.
    fn exact_equations(&mut self) -> Result<(), Failure> {
        let experts = &self.net.experts;
        let equations = experts.equation_range(self.expert);
        self.equations.clear();
        self.integers.clear();
        self.first_term = if equations.is_empty() { 0 } else { experts.term_range(equations.start).start };
        for equation in equations {
            let (field, terms) = (experts.fields[equation], experts.term_range(equation));
            self.made[usize::from(field)] = (self.expert + 1, self.equations.len() as u32);
            if self.net.ports.kind(field).0 == FieldKind::N {
                self.gate(field, terms)?;
            } else {
                self.linear(field, terms)?;
            }
        }
        Ok(())
    }

    /// Proves an equation with integer weights exact.
    fn linear(&mut self, field: Field, terms: std::ops::Range<usize>) -> Result<(), Failure> {
        let (mut total, mut lo, mut hi) = (0i128, 0i128, 0i128);
        for term in terms.clone() {
            let w = self.net.experts.weights[term];
            let integer = w as i64;
            if integer as f64 != w || integer == i64::MAX || integer == i64::MIN {
                return Err(self.fail_equation(field, Broken::Weight(w)));
            }
            self.integers.push(integer);
            let x = self.source_range(self.net.experts.sources[term]);
            let (a, b) = (i128::from(integer) * i128::from(x.lo), i128::from(integer) * i128::from(x.hi));
            total = total.saturating_add(a.abs().max(b.abs()));
            lo = lo.saturating_add(a.min(b));
            hi = hi.saturating_add(a.max(b));
        }
        let form = Bounds { lo, hi };
        self.equations.push(Equation { field, terms, scale: 1, form, range: Interval::point(0) });
        let mut found = form;
        if total > MAX_EXACT {
            total = self.exact_sum(field, total, &mut found)?;
        }
        self.finish(field, total, found)
    }

    /// Proves the equation of a gate exact, whose weights may be fractions.
    fn gate(&mut self, field: Field, terms: std::ops::Range<usize>) -> Result<(), Failure> {
        let experts = &self.net.experts;
        let weights = &experts.weights[terms.clone()];
        if let Some(divisor) = divisor(&experts.sources[terms.clone()], weights) {
            // Its floor is that of x / divisor, if x is small enough.
            let x = self.source_range(experts.sources[terms.start + 1]);
            let bits = 1i128 << 50;
            if x.lo >= 0 && i128::from(x.hi) < bits {
                self.integers.extend([0, 1]);
                let scale = divisor.into();
                self.equations.push(Equation {
                    field,
                    terms,
                    scale,
                    form: x.into(),
                    range: Interval::point(0),
                });
                return self.finish(field, 0, x.into());
            }
        }
        let finest = weights.iter().map(|w| dyadic(*w).1).min().unwrap_or(0).min(0);
        let (mut total, mut lo, mut hi, mut positive) = (0i128, 0i128, 0i128, 0i128);
        for term in terms.clone() {
            let w = experts.weights[term];
            let (mantissa, exponent) = dyadic(w);
            let shift = exponent - finest;
            if finest < -62 || shift > 62 || mantissa.unsigned_abs().leading_zeros() <= shift as u32 + 1 {
                return Err(self.fail_equation(field, Broken::Grid(w)));
            }
            let integer = mantissa << shift;
            self.integers.push(integer);
            let x = self.source_range(experts.sources[term]);
            let (a, b) = (i128::from(integer) * i128::from(x.lo), i128::from(integer) * i128::from(x.hi));
            total = total.saturating_add(a.abs().max(b.abs()));
            positive = positive.saturating_add(a.max(b).max(0));
            lo = lo.saturating_add(a.min(b));
            hi = hi.saturating_add(a.max(b));
        }
        let form = Bounds { lo, hi };
        self.equations.push(Equation { field, terms, scale: 1 << -finest, form, range: Interval::point(0) });
        let mut found = form;
        if total > MAX_EXACT {
            // Rule 9: what is rounded is below −2^53 before positive parts are added, so the sum is below 0.
            total = match positive <= MAX_EXACT / 2 {
                true => positive,
                false => self.exact_sum(field, total, &mut found)?,
            };
        }
        self.finish(field, total, found)
    }

    /// Proves rule 1 for sums that may exceed 2^53: one or two exact products. Returns the magnitude of the
    /// sum, and narrows `found` to what had to be proved.
    fn exact_sum(&mut self, field: Field, total: i128, found: &mut Bounds) -> Result<i128, Failure> {
        let index = self.equations.len() - 1;
        let equation = &self.equations[index];
        let (scale, terms) = (equation.scale, equation.terms.clone());
        let sources = &self.net.experts.sources[terms.clone()];
        let is_exact_product = |(source, w): (&Source, &i64)| {
            let w = w.unsigned_abs();
            let x = magnitude(self.source_range(*source));
            w.is_power_of_two() || u128::from(w) * u128::from(x) <= MAX_EXACT as u128
        };
        let exact = sources.iter().zip(self.weights(index)).all(is_exact_product);
        // The finest weight may be a power of two above 1: every partial sum is a multiple of it.
        let grid = self.weights(index).iter().map(|w| w.trailing_zeros()).min().unwrap_or(0);
        match sources.len() {
            1 if exact => Ok(0),
            n if n == 2 && exact || total >> grid <= MAX_EXACT => {
                // A negative gate may be rounded: it stays negative.
                let is_gate = self.net.ports.kind(field).0 == FieldKind::N;
                let want = Bounds { lo: if is_gate { -INFINITE } else { -MAX_EXACT }, hi: MAX_EXACT };
                *found = found.meet(self.form_bounds(index, want));
                match found.within(want) {
                    true => Ok(found.hi.max(if is_gate { 0 } else { -found.lo })),
                    false => Err(self.fail_equation(field, Broken::Range(proved(*found, scale)))),
                }
            }
            _ => Err(self.fail_equation(field, Broken::Sum { magnitude: total as f64 })),
        }
    }

    /// Ends an equation that is exact.
    fn finish(&mut self, field: Field, magnitude: i128, found: Bounds) -> Result<(), Failure> {
        if magnitude > self.largest.magnitude.into() {
            // Exact equations have magnitudes up to 2^53.
            self.largest = Largest { magnitude: magnitude as u64, expert: self.expert, field };
        }
        let Some(equation) = self.equations.last_mut() else { return Ok(()) };
        let (lo, hi) = match self.net.ports.kind(field).0 {
            FieldKind::N => (found.lo.max(0) / equation.scale, found.hi.max(0) / equation.scale),
            _ => (found.lo, found.hi),
        };
        match (i64::try_from(lo), i64::try_from(hi)) {
            (Ok(lo), Ok(hi)) if lo > i64::MIN => equation.range = Interval::new(lo, hi),
            _ => return Err(self.fail_equation(field, Broken::Range(proved(found, 1)))),
        }
        Ok(())
    }

    // ---- Bounds of equations.

    /// Returns the weights of an equation, as integers.
    pub fn weights(&self, equation: usize) -> &[i64] {
        let terms = &self.equations[equation].terms;
        &self.integers[terms.start - self.first_term..terms.end - self.first_term]
    }

    pub fn sources(&self, equation: usize) -> &'a [Source] {
        let net = self.net;
        &net.experts.sources[self.equations[equation].terms.clone()]
    }

    /// Returns the linear form of an equation in variables, in the case that is assumed.
    pub fn form(&self, equation: usize) -> Option<Linear> {
        let mut form = Linear::default();
        for (source, w) in self.sources(equation).iter().zip(self.weights(equation)) {
            self.state.add_source(&mut form, *source, i128::from(*w))?;
        }
        Some(form)
    }

    /// Returns where the linear form of an equation lies: the hull of all cases of its units.
    fn form_bounds(&mut self, equation: usize, want: Bounds) -> Bounds {
        let mut vars = Splits::new();
        self.state.splits(self.sources(equation), false, &mut vars);
        vars.truncate(MAX_SPLIT);
        let mut found = Bounds::NONE;
        for case in 0..1 << vars.len() {
            let mark = self.state.mark();
            if self.state.assume(&vars, case) {
                found = found.hull(match self.form(equation) {
                    Some(form) => self.state.bounds(&form, want),
                    None => Bounds::ALL,
                });
            }
            self.state.leave(mark);
        }
        found
    }

    /// Returns where the field that an equation makes lies.
    fn field_bounds(&mut self, equation: usize, want: Interval) -> Bounds {
        let scale = self.equations[equation].scale;
        let base = self.equations[equation].range.into();
        if self.net.ports.kind(self.equations[equation].field).0 != FieldKind::N {
            return self.form_bounds(equation, want.into()).meet(base);
        }
        let lo = if want.lo <= 0 { -INFINITE } else { i128::from(want.lo) * scale };
        let found = self.form_bounds(equation, Bounds { lo, hi: (i128::from(want.hi) + 1) * scale - 1 });
        let floor = |x: i128| floor_div(x.max(0), scale);
        Bounds { lo: floor(found.lo), hi: floor(found.hi) }.meet(base)
    }

    /// Proves that a field of the next `z` is in a domain.
    fn in_domain(&mut self, equation: Option<usize>, domain: Domain) -> Result<(), Proved> {
        let Some(equation) = equation else {
            let zero = Proved { lo: Some(0), hi: Some(0) };
            return if self.world.contains(domain, 0) { Ok(()) } else { Err(zero) };
        };
        let range = self.equations[equation].range;
        match domain {
            Domain::Interval(want) if want.lo <= range.lo && range.hi <= want.hi => Ok(()),
            Domain::Interval(want) => {
                let found = self.field_bounds(equation, want);
                if found.within(want.into()) { Ok(()) } else { Err(proved(found, 1)) }
            }
            _ if self.is_discrete(equation, domain) => Ok(()),
            _ => Err(proved(range.into(), 1)),
        }
    }

    /// Returns whether what an equation makes is in each case a constant in a domain, or a source that has
    /// that domain.
    fn is_discrete(&mut self, equation: usize, domain: Domain) -> bool {
        if self.is_one_of(equation, domain) {
            return true;
        }
        let mut vars = Splits::new();
        self.state.splits(self.sources(equation), true, &mut vars);
        vars.truncate(MAX_SPLIT);
        (0..1 << vars.len()).all(|case| {
            let mark = self.state.mark();
            let holds = !self.state.assume(&vars, case) || self.is_one_of(equation, domain);
            self.state.leave(mark);
            holds
        })
    }

    fn is_one_of(&self, equation: usize, domain: Domain) -> bool {
        let Some(form) = self.form(equation) else { return false };
        let Equation { field, scale, .. } = self.equations[equation];
        if let Some(constant) = form.as_constant() {
            let is_gate = self.net.ports.kind(field).0 == FieldKind::N;
            let value = if is_gate { constant.max(0) / scale } else { constant };
            return i64::try_from(value).is_ok_and(|value| self.world.contains(domain, value));
        }
        form.as_var(scale).is_some_and(|var| self.world.implies(self.state.domain(var), domain))
    }

    // ---- Rule 7.

    /// Proves that the key of each row to remember is 0 or in a region that takes the row's value, and that
    /// no two keys are equal.
    fn remember(&mut self) -> Result<(), Failure> {
        let ports = self.net.ports;
        let mut keys = SmallVec::<[(usize, Bounds); 8]>::new();
        for i in 0..ports.rows {
            let Some(key) = self.made(ports.k(i)) else { continue };
            let value = self.made(ports.x(i));
            let range = self.equations[key].range;
            if range == Interval::point(0) {
                continue;
            }
            if let Some(region) = self.region(range.into()) {
                self.takes(region, ports.x(i), value)?;
                keys.push((key, range.into()));
                continue;
            }
            let mut vars = Splits::new();
            self.state.splits(self.sources(key), true, &mut vars);
            vars.truncate(MAX_SPLIT);
            let mut hull = Bounds::NONE;
            for case in 0..1 << vars.len() {
                let mark = self.state.mark();
                if self.state.assume(&vars, case) {
                    let form = self.form(key);
                    if form.as_ref().and_then(Linear::as_constant) != Some(0) {
                        let (region, found) =
                            form.map_or((None, Bounds::ALL), |form| self.find_region(&form));
                        let Some(region) = region else {
                            return Err(self.fail_equation(ports.k(i), Broken::Key(proved(found, 1))));
                        };
                        self.takes(region, ports.x(i), value)?;
                        hull = hull.hull(found);
                    }
                }
                self.state.leave(mark);
            }
            if hull.lo <= hull.hi {
                keys.push((key, hull));
            }
        }
        for (i, &(a, a_range)) in keys.iter().enumerate() {
            for &(b, b_range) in &keys[..i] {
                let apart = a_range.hi < b_range.lo || b_range.hi < a_range.lo;
                if !apart && !self.differ_by_constant(a, b) && !self.differ(a, b) {
                    let other = FieldName::new(&ports, self.equations[b].field);
                    return Err(self.fail_equation(self.equations[a].field, Broken::SameKey(other)));
                }
            }
        }
        Ok(())
    }

    /// Returns the region that all keys of a range lie in.
    fn region(&self, keys: Bounds) -> Option<usize> {
        let region = self.net.region_of(u64::try_from(keys.lo).ok()?)?;
        let Region { first, count, .. } = &self.net.regions[region];
        (keys.hi < i128::from(first + count)).then_some(region)
    }

    /// Returns the region that a key lies in, and bounds of the key.
    fn find_region(&mut self, key: &Linear) -> (Option<usize>, Bounds) {
        let mut found = self.state.box_bounds(key);
        if let Some(region) = self.region(found) {
            return (Some(region), found);
        }
        for (i, region) in self.net.regions.iter().enumerate() {
            if !self.state.spend(1) {
                break;
            }
            let want = Bounds { lo: region.first.into(), hi: i128::from(region.first + region.count) - 1 };
            if found.lo <= want.hi && want.lo <= found.hi {
                found = found.meet(self.state.bounds(key, want));
                if found.lo <= found.hi && found.within(want) {
                    return (Some(i), found);
                }
            }
        }
        (None, found)
    }

    /// Proves that a region takes a value.
    fn takes(&mut self, region: usize, field: Field, value: Option<usize>) -> Result<(), Failure> {
        let region = &self.net.regions[region];
        self.in_domain(value, region.values).map_err(|proved| {
            let declared = Declared(region.values);
            self.fail_equation(field, Broken::Value { region: region.name.clone(), declared, proved })
        })
    }

    /// Returns whether two equations differ in their constants only.
    fn differ_by_constant(&self, a: usize, b: usize) -> bool {
        fn split<'s>(sources: &'s [Source], weights: &'s [i64]) -> (i64, &'s [Source], &'s [i64]) {
            match sources.first() {
                Some(&Ports::ONE) => (weights[0], &sources[1..], &weights[1..]),
                _ => (0, sources, weights),
            }
        }
        let (a, a_sources, a_weights) = split(self.sources(a), self.weights(a));
        let (b, b_sources, b_weights) = split(self.sources(b), self.weights(b));
        a != b && a_sources == b_sources && a_weights == b_weights
    }

    /// Returns whether in each case two keys differ or one of them is 0.
    fn differ(&mut self, a: usize, b: usize) -> bool {
        let mut vars = Splits::new();
        self.state.splits(self.sources(a), true, &mut vars);
        self.state.splits(self.sources(b), true, &mut vars);
        vars.truncate(MAX_SPLIT);
        if !self.state.spend(1 << vars.len()) {
            return false;
        }
        (0..1 << vars.len()).all(|case| {
            let mark = self.state.mark();
            let holds = !self.state.assume(&vars, case) || self.differ_here(a, b).unwrap_or(false);
            self.state.leave(mark);
            holds
        })
    }

    fn differ_here(&mut self, a: usize, b: usize) -> Option<bool> {
        let (mut a, b) = (self.form(a)?, self.form(b)?);
        if a.as_constant() == Some(0) || b.as_constant() == Some(0) {
            return Some(true);
        }
        a.add_form(&b, -1)?;
        let below = Bounds { lo: -INFINITE, hi: -1 };
        let above = Bounds { lo: 1, hi: INFINITE };
        Some(self.state.bounds(&a, below).within(below) || self.state.bounds(&a, above).within(above))
    }

    // ---- Rule 8.

    /// Finds each expert that may follow, and proves what is declared for it.
    fn next(&mut self) -> Result<(), Failure> {
        let e = self.net.ports.e();
        let Some(equation) = self.made(e) else { return Ok(()) };
        if let [Ports::ONE] = self.sources(equation) {
            return self.follows(self.weights(equation)[0].into());
        }
        let mut vars = Splits::new();
        self.state.splits(self.sources(equation), true, &mut vars);
        if vars.len() > MAX_BRANCH {
            return Err(self.fail_equation(e, Broken::Cases));
        }
        for case in 0..1 << vars.len() {
            let mark = self.state.mark();
            if self.state.assume(&vars, case) {
                let Some(form) = self.form(equation) else {
                    return Err(self.fail_equation(e, Broken::Next(proved(Bounds::ALL, 1))));
                };
                let set = form.as_var(1).map(|var| self.state.domain(var));
                match (form.as_constant(), set) {
                    (Some(id), _) => self.follows(id)?,
                    (None, Some(Domain::Ids(set))) => self.member_follows(set)?,
                    _ => {
                        let found = self.state.box_bounds(&form);
                        return Err(self.fail_equation(e, Broken::Next(proved(found, 1))));
                    }
                }
            }
            self.state.leave(mark);
        }
        Ok(())
    }

    /// Proves what is declared for an expert, in the case that is assumed.
    fn follows(&mut self, id: i128) -> Result<(), Failure> {
        let net = self.net;
        if id < 0 || id >= net.experts.len() as i128 {
            return Err(self.fail_equation(net.ports.e(), Broken::NoExpert(id)));
        }
        let next = id as ExpertId;
        for (field, domain) in net.certificate.fields(next) {
            if field == net.ports.e() {
                continue;
            }
            if let Err(proved) = self.in_domain(self.made(field), domain) {
                let declared = Declared(domain);
                return Err(self.fail_equation(field, Broken::Field { next, declared, proved }));
            }
        }
        for ghost in net.certificate.ghosts(next) {
            self.ghost(next, ghost)?;
        }
        Ok(())
    }

    /// Proves the interface of a set.
    fn member_follows(&mut self, set: IdSetId) -> Result<(), Failure> {
        let net = self.net;
        for &(field, domain) in &net.certificate.id_sets[set as usize].interface {
            if field == net.ports.e() {
                continue;
            }
            if let Err(proved) = self.in_domain(self.made(field), domain) {
                let declared = Declared(domain);
                return Err(self.fail_equation(field, Broken::Interface { set, declared, proved }));
            }
        }
        Ok(())
    }

    // ---- What is looked up, and failures.

    /// Returns the index of the equation that makes a field.
    #[inline]
    pub fn made(&self, field: Field) -> Option<usize> {
        let (stamp, equation) = self.made[usize::from(field)];
        (stamp == self.expert + 1).then_some(equation as usize)
    }

    #[inline]
    fn source_range(&self, source: Source) -> Interval {
        // All sources of the expert are declared before its equations are looked at.
        self.state.range(self.state.variables.source(source)).unwrap_or(Interval::new(i64::MIN + 1, i64::MAX))
    }

    fn fail(&self, broken: Broken) -> Failure {
        Failure::new(Location::Expert(self.expert), broken)
    }

    pub fn fail_equation(&self, field: Field, broken: Broken) -> Failure {
        let field = FieldName::new(&self.net.ports, field);
        Failure::new(Location::Equation { expert: self.expert, field }, broken)
    }
}

/// Returns the largest magnitude in an interval.
fn magnitude(i: Interval) -> u64 {
    i.lo.unsigned_abs().max(i.hi.unsigned_abs())
}

/// Returns whether a product with a factor keeps the significant bits of the other factor.
fn keeps_bits(domain: Domain, range: Interval) -> bool {
    matches!(domain, Domain::PowerOfTwo { .. })
        || range.lo == range.hi && (range.lo == 0 || range.lo.unsigned_abs().is_power_of_two())
}

/// Returns the s ≥ 2 of a gate `(x + ½)·s⁻¹` with a rounded reciprocal.
fn divisor(sources: &[Source], weights: &[f64]) -> Option<i64> {
    match (sources, weights) {
        (&[Ports::ONE, _], &[half, w]) if w > 0.0 && w < 0.5 && half == 0.5 * w => {
            let s = (1.0 / w).round();
            let is_short = w.to_bits() & ((1 << 52) - 1) == 0;
            (!is_short && s < MAX_EXACT as f64 && 1.0 / s == w).then_some(s as i64)
        }
        _ => None,
    }
}

/// Turns bounds of `scale` times a value into bounds of the value.
pub(super) fn proved(bounds: Bounds, scale: i128) -> Proved {
    let finite = |x: i128| (x.abs() != INFINITE).then_some(x);
    Proved { lo: finite(ceil_div(bounds.lo, scale)), hi: finite(floor_div(bounds.hi, scale)) }
}
