//! Word operations → reads, units and linear forms.
//!
//! A [`Circuit`] is the content of one packet while it is being made. It consists of *atoms*, to which
//! equations of maps can refer, each with the step from which it is available. Values of the program are
//! linear forms over atoms, wrapped to 32 bits as late as possible ([`words`]). The map of step t (from 0)
//! multiplies y_t; what it makes is available from y_{t+1} on. Step −1 stands for the last map of whatever
//! packet came before: what depends only on values that the packet begins with can be *prefetched* there.

mod access;
mod exact;
pub mod linear;
pub mod packet;
mod print;
#[cfg(test)]
mod tests;
pub mod words;

use crate::limits;
pub use exact::Exact;
use linear::{AtomId, Linear, Range};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

/// How the packets before a packet know a value that it begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EntrySource {
    /// The frame pointer.
    FramePointer,
    /// The block parameter with that index.
    Param(u32),
    /// A value that lives on.
    Live(crate::ir::Value),
    /// An argument or a result: the packet is entered by a computed id, so the field is always the same.
    Fixed,
}

/// What an atom is.
#[derive(Clone, Debug)]
pub enum AtomKind {
    /// A carried field that the packet begins with.
    Entry {
        /// Which field.
        field: u16,
        /// How the packets before know the value.
        source: EntrySource,
    },
    /// A read of the trace.
    Read {
        /// Its key.
        query: Linear,
        /// Its port.
        port: u16,
    },
    /// A read of the tables.
    Lookup {
        /// Its key.
        query: Linear,
        /// Its port.
        port: u16,
    },
    /// ⌊relu(gate)⌋ · value.
    Unit {
        /// Its gate before it is quantized.
        gate: Linear,
        /// Its value.
        value: Linear,
        /// Its port.
        port: u16,
    },
    /// A named linear form: expanded in the step where all of it is available, carried after that.
    Linear(Linear),
    /// A named linear form that is always carried: made by the map before the first that reads it.
    Pinned(Linear),
}

/// An atom.
#[derive(Clone, Debug)]
pub struct Atom {
    /// What it is.
    pub kind: AtomKind,
    /// First t such that y_t contains the atom.
    pub avail: i32,
    /// Range of its values.
    pub range: Range,
    /// Whether it depends only, and linearly, on what the packet begins with.
    pub entry_only: bool,
}

/// A term of a ghost.
#[derive(Clone, Debug, PartialEq)]
pub enum GhostTerm {
    /// The gate of a unit.
    Gate(AtomId),
    /// The value of a unit.
    Value(AtomId),
    /// A linear form of what is available at the ghost's step. A unit in it stands for its gate if its value
    /// is constant, and else for its value (its gate is then taken to be 1).
    Linear(Linear),
}

/// A fact about z_t that the checker would not see by itself.
#[derive(Clone, Debug)]
pub struct GhostFact {
    /// First t for which it holds of z_t: z_t is what y_t is made from.
    pub at: i32,
    /// Last t for which it holds; it is declared as long as all its parts are in z_t.
    pub until: i32,
    /// Terms of the linear form.
    pub terms: Vec<(GhostTerm, i64)>,
    /// Range of the linear form; unbounded where nothing is claimed.
    pub range: Range,
}

/// A row that a map appends to the trace.
#[derive(Clone, Debug)]
pub struct RowOut {
    /// Map that makes it.
    pub at: i32,
    /// Its key; 0 for no row.
    pub key: Linear,
    /// Its value.
    pub value: RowValue,
}

/// Value of a row.
#[derive(Clone, Debug)]
pub enum RowValue {
    /// A linear form.
    Linear(Linear),
    /// The first expert of a packet of the same function, by index.
    Packet(u32),
}

/// The content of a packet.
#[derive(Debug, Default)]
pub struct Circuit {
    /// Atoms, by id.
    pub atoms: Vec<Atom>,
    /// Facts to declare.
    pub ghosts: Vec<GhostFact>,
    /// Rows to append to the trace.
    pub rows: Vec<RowOut>,
    /// Whether the packets before may make step −1.
    pub prefetch: bool,
    /// Whether linear forms with a claim are carried before they are used, so that every equation that uses
    /// them is a sum of fields with ranges of their own: such circuits are longer, and easy to certify.
    pub careful: bool,
    /// Whether some linear form cannot be an equation of any map, so that the circuit cannot be used.
    pub inexact: bool,
    /// Units by gate and value; equal ones may be made at different steps.
    units: FxHashMap<(Linear, Linear), SmallVec<[AtomId; 1]>>,
    reads: FxHashMap<(Linear, i32), AtomId>,
    lookups: FxHashMap<Linear, AtomId>,
    ports: Vec<[u16; 4]>,
}

/// Finest grid of a gate that the checker accepts: multiples of 2^-62.
const MAX_SCALE: u32 = 62;

const UNIT: usize = 0;
const READ: usize = 1;
const LOOKUP: usize = 2;
const ROW: usize = 3;
const PORT_LIMITS: [u16; 4] = [limits::UNITS, limits::READS, limits::LOOKUPS, limits::ROWS];

impl Circuit {
    /// Returns an empty circuit.
    pub fn new(prefetch: bool, careful: bool) -> Circuit {
        Circuit { prefetch, careful, ..Circuit::default() }
    }

    /// Returns the circuit for when nothing more is added to it, without what only serves to find equal
    /// atoms: the circuits of all packets of a function are kept until it is scheduled.
    pub fn finished(mut self) -> Circuit {
        self.atoms.shrink_to_fit();
        self.units = FxHashMap::default();
        self.reads = FxHashMap::default();
        self.lookups = FxHashMap::default();
        self.ports = Vec::new();
        self
    }

    fn atom(&mut self, atom: Atom) -> AtomId {
        self.atoms.push(atom);
        self.atoms.len() as AtomId - 1
    }

    /// Returns a field that the packet begins with.
    pub fn entry(&mut self, field: u16, source: EntrySource, range: Range) -> Linear {
        let found =
            self.atoms.iter().position(|a| matches!(a.kind, AtomKind::Entry { field: f, .. } if f == field));
        let atom = match found {
            Some(atom) => atom as AtomId,
            None => {
                self.atom(Atom { kind: AtomKind::Entry { field, source }, avail: 0, range, entry_only: true })
            }
        };
        Linear::atom(atom)
    }

    /// Returns bounds of `2^scale` times a linear form, from the ranges of its atoms, and the scale; `None`
    /// if there are none.
    fn bounds(&self, form: &Linear) -> Option<(i128, i128, u32)> {
        let mut scale = form.constant.scale()?;
        for (_, c) in &form.terms {
            scale = scale.max(c.scale()?);
        }
        let constant = form.constant.scaled(scale)?;
        let (mut lo, mut hi) = (constant, constant);
        for (atom, c) in &form.terms {
            let range = self.atoms[*atom as usize].range;
            if range.lo == i64::MIN || range.hi == i64::MAX {
                return None;
            }
            let c = c.scaled(scale)?;
            let (x, y) = (c.checked_mul(range.lo.into())?, c.checked_mul(range.hi.into())?);
            lo = lo.checked_add(x.min(y))?;
            hi = hi.checked_add(x.max(y))?;
        }
        Some((lo, hi, scale))
    }

    /// Returns the range of a linear form, from the ranges of its atoms.
    pub fn range(&self, form: &Linear) -> Range {
        if let Some(atom) = form.as_atom() {
            return self.atoms[atom as usize].range;
        }
        match self.bounds(form) {
            // Rounded outwards to integers.
            Some((lo, hi, scale)) if scale < 127 => Range::clamped(lo >> scale, -(-hi >> scale)),
            _ => Range::ALL,
        }
    }

    /// Returns the range of `⌊relu(gate)⌋`.
    pub fn quantized(&self, gate: &Linear) -> Range {
        match self.bounds(gate) {
            Some((lo, hi, scale)) if scale < 127 => Range::clamped(lo.max(0) >> scale, hi.max(0) >> scale),
            _ => Range::new(0, i64::MAX),
        }
    }

    /// Returns the first t such that y_t contains all atoms of the linear form.
    pub fn ready(&self, form: &Linear) -> i32 {
        form.terms.iter().map(|t| self.atoms[t.0 as usize].avail).max().unwrap_or(0).max(0)
    }

    fn entry_only(&self, form: &Linear) -> bool {
        form.terms.iter().all(|t| self.atoms[t.0 as usize].entry_only)
    }

    /// Returns the linear form that replaces an atom in the map of t, if the atom is multiplied out there.
    fn open(&self, atom: AtomId, t: i32) -> Option<&Linear> {
        match &self.atoms[atom as usize] {
            Atom { kind: AtomKind::Linear(form), avail, .. } if *avail == t || t < 0 => Some(form),
            _ => None,
        }
    }

    /// Returns whether something in the linear form is multiplied out in the map of t.
    fn opens(&self, form: &Linear, t: i32) -> bool {
        form.terms.iter().any(|term| self.open(term.0, t).is_some())
    }

    /// Returns the linear form in terms of what y_t holds: named linear forms that become available only in
    /// y_t are multiplied out, older ones are carried.
    pub fn expand(&self, form: &Linear, t: i32) -> Linear {
        if !self.opens(form, t) {
            return form.clone();
        }
        let mut result = Linear::constant(form.constant);
        for (atom, c) in &form.terms {
            if let Some(inner) = self.open(*atom, t) {
                result = result.plus(*c, &self.expand(inner, t));
            } else {
                result = result.plus(*c, &Linear::atom(*atom));
            }
        }
        result
    }

    /// Returns whether the sum of an expanded linear form is exact in any order (rule 1 of the certificate),
    /// and its weights are float64s.
    pub fn is_exact(&self, form: &Linear) -> bool {
        let Some(mut scale) = form.constant.scale() else { return false };
        for (_, c) in &form.terms {
            let Some(s) = c.scale() else { return false };
            scale = scale.max(s);
        }
        // The checker computes with whole multiples of the unit, which it keeps in 64 bits.
        if scale > MAX_SCALE {
            return false;
        }
        let Some(constant) = form.constant.scaled(scale) else { return false };
        let (mut sum, mut bits) = (constant.unsigned_abs(), constant);
        let mut largest = sum;
        for (atom, c) in &form.terms {
            let Some(c) = c.scaled(scale) else { return false };
            let magnitude = self.atoms[*atom as usize].range.magnitude().max(1);
            // The product is below 2^126 · 2^63; what saturates is too large whatever its unit.
            sum = sum.saturating_add(c.unsigned_abs().saturating_mul(magnitude.into()));
            largest = largest.max(c.unsigned_abs());
            bits |= c;
        }
        let unit = bits.trailing_zeros().min(62);
        largest < 1 << 62 && sum <= 1 << (53 + unit)
    }

    /// Returns whether the gate is that of a division by a constant, (x + ½)·fl(1/s), which has its own rule.
    fn is_reciprocal(gate: &Linear) -> bool {
        let [(_, w)] = gate.terms[..] else { return false };
        if w.is_power_of_two() || gate.constant + gate.constant != w {
            return false;
        }
        // The checker's own test: the weight says which number it is the reciprocal of.
        w.to_f64().is_some_and(|w| w > 0.0 && w < 0.5 && 1.0 / (1.0 / w).round() == w)
    }

    /// Returns the first t ≥ `from` such that the linear form can be an equation of the map of t; `None` if
    /// there is no such map, however late.
    pub fn place(&self, form: &Linear, from: i32) -> Option<i32> {
        if from < 0 && self.prefetch && self.entry_only(form) {
            let open = self.expand(form, -1);
            if self.is_exact(&open) {
                return Some(-1);
            }
        }
        let ready = self.ready(form);
        let t = ready.max(from);
        if Self::is_reciprocal(form) {
            // The rule is about one variable: a named linear form must have been made before.
            let atom = &self.atoms[form.terms[0].0 as usize];
            let made = if matches!(atom.kind, AtomKind::Linear(_)) { atom.avail + 1 } else { t };
            return Some(t.max(made));
        }
        // Something in it is multiplied out only where its last atom becomes available.
        if t > ready || !self.opens(form, t) {
            return self.is_exact(form).then_some(t);
        }
        if self.is_exact(&self.expand(form, t)) {
            return Some(t);
        }
        self.is_exact(form).then_some(t + 1)
    }

    /// Returns the first t ≥ `from` such that the linear form can be an equation of the map of t. If there is
    /// none, notes that in [`Circuit::inexact`].
    pub fn placed(&mut self, form: &Linear, from: i32) -> i32 {
        self.place_all(&[form], from)
    }

    /// Returns the first t ≥ `from` such that all linear forms can be equations of the map of t. If there is
    /// none, notes that, too.
    fn place_all(&mut self, forms: &[&Linear], from: i32) -> i32 {
        let mut t = from;
        // A linear form may be exact at one map and not at the next: all linear forms have to agree on one
        // map.
        let mut agreed = 0;
        for form in forms.iter().cycle() {
            let map = self.place(form, t).unwrap_or_else(|| {
                self.inexact = true;
                t.max(self.ready(form))
            });
            agreed = if map == t { agreed + 1 } else { 1 };
            t = map;
            if agreed == forms.len() {
                break;
            }
        }
        t
    }

    /// Takes a port of a kind at the first step from `t` on that has one left and whose map can have all
    /// linear forms as equations, as the map of `t` can. Returns the step and the port.
    fn port(&mut self, kind: usize, forms: &[&Linear], mut t: i32) -> (i32, u16) {
        loop {
            let first = t;
            while self.ports_taken(kind, t) >= if t < 0 { limits::PREFETCHED } else { PORT_LIMITS[kind] } {
                t += 1;
            }
            let found = t;
            if found != first {
                t = self.place_all(forms, found);
            }
            if t == found {
                let port = self.ports_taken(kind, t);
                self.ports[(t + 1) as usize][kind] += 1;
                return (t, port);
            }
        }
    }

    fn ports_taken(&mut self, kind: usize, t: i32) -> u16 {
        let i = (t + 1) as usize;
        if self.ports.len() <= i {
            self.ports.resize(i + 1, [0; 4]);
        }
        self.ports[i][kind]
    }

    /// Returns ⌊relu(gate)⌋ · value, made as early as possible.
    pub fn unit(&mut self, gate: &Linear, value: &Linear) -> Linear {
        self.unit_from(gate, value, -1)
    }

    /// Returns ⌊relu(gate)⌋ · value, whose equations are not in an earlier map than `from`.
    pub fn unit_from(&mut self, gate: &Linear, value: &Linear, from: i32) -> Linear {
        let n = self.quantized(gate);
        if n.lo == n.hi {
            return value.times(n.lo);
        }
        let v = self.range(value);
        if v == Range::new(0, 0) {
            return Linear::default();
        }
        let t = self.place_all(&[gate, value], from);
        let key = (gate.clone(), value.clone());
        // An equal unit of a later step would make whatever needs this one wait.
        let made = self.units.get(&key).into_iter().flatten();
        if let Some(&atom) =
            made.filter(|a| (from + 1..=t + 1).contains(&self.atoms[**a as usize].avail)).min()
        {
            return Linear::atom(atom);
        }
        let (t, port) = self.port(UNIT, &[gate, value], t);
        let corner = |n: i64, v: i64| i128::from(n) * i128::from(v);
        let corners = [corner(n.lo, v.lo), corner(n.lo, v.hi), corner(n.hi, v.lo), corner(n.hi, v.hi)];
        let range = Range::clamped(
            corners.into_iter().fold(i128::MAX, i128::min),
            corners.into_iter().fold(i128::MIN, i128::max),
        );
        let kind = AtomKind::Unit { gate: gate.clone(), value: value.clone(), port };
        let atom = self.atom(Atom { kind, avail: t + 1, range, entry_only: false });
        self.units.entry(key).or_default().push(atom);
        Linear::atom(atom)
    }

    /// Returns a read of the trace in a map not before `from`; `range` is what its region declares.
    pub fn read(&mut self, query: &Linear, range: Range, from: i32) -> Linear {
        let key = (query.clone(), from);
        if let Some(&atom) = self.reads.get(&key) {
            return Linear::atom(atom);
        }
        let t = self.placed(query, from);
        let (t, port) = self.port(READ, &[query], t);
        let kind = AtomKind::Read { query: query.clone(), port };
        let atom = self.atom(Atom { kind, avail: t + 1, range, entry_only: false });
        self.reads.insert(key, atom);
        Linear::atom(atom)
    }

    /// Returns a read of the tables; `range` is that of the entries that the query can name.
    pub fn lookup(&mut self, query: &Linear, range: Range) -> Linear {
        self.lookup_from(query, range, -1)
    }

    /// Returns a read of the tables in a map not before `from`.
    pub fn lookup_from(&mut self, query: &Linear, range: Range, from: i32) -> Linear {
        if let Some(&atom) = self.lookups.get(query) {
            return Linear::atom(atom);
        }
        let t = self.placed(query, from);
        let (t, port) = self.port(LOOKUP, &[query], t);
        let kind = AtomKind::Lookup { query: query.clone(), port };
        let atom = self.atom(Atom { kind, avail: t + 1, range, entry_only: false });
        self.lookups.insert(query.clone(), atom);
        Linear::atom(atom)
    }

    /// Returns a read of the packet's own jump table, whose first key is known only when all jump tables are
    /// known. It is not shared with reads of other tables at the same index.
    pub fn lookup_jump(&mut self, index: &Linear) -> Linear {
        // The query is exact wherever the table will be.
        let last = index.clone().offset(u32::MAX);
        let t = self.place_all(&[index, &last], 0);
        let (t, port) = self.port(LOOKUP, &[index, &last], t);
        let kind = AtomKind::Lookup { query: index.clone(), port };
        Linear::atom(self.atom(Atom { kind, avail: t + 1, range: Range::IDS, entry_only: false }))
    }

    /// Makes units that a claim relates to each other. All are made by one map, which is where the checker
    /// sees what they have in common.
    pub fn together(&mut self, units: &[(Linear, Linear)], from: i32) -> Vec<Linear> {
        let mut from = from;
        loop {
            let made: Vec<Linear> =
                units.iter().map(|(gate, value)| self.unit_from(gate, value, from)).collect();
            let avail = |form: &Linear| form.as_atom().map(|a| self.atoms[a as usize].avail);
            let is_unit = |form: &&Linear| self.unit_avail(form).is_some();
            let last = made.iter().filter(is_unit).filter_map(avail).max();
            match last {
                Some(last) if made.iter().filter(is_unit).any(|u| avail(u) != Some(last)) => from = last - 1,
                _ => return made,
            }
        }
    }

    /// Makes units that gate the keys of rows, all for one map: a masked key that is carried would lose the
    /// proof of its range. Returns the units of `keys` and the map, which has ports for `rows` rows.
    pub fn masked(&mut self, gate: &Linear, keys: &[Linear], rows: u16, from: i32) -> (Vec<Linear>, i32) {
        let mut t = from.max(0);
        loop {
            while self.ports.get(t as usize + 1).is_some_and(|p| p[ROW] + rows > limits::ROWS) {
                t += 1;
            }
            let gated: Vec<(Linear, Linear)> = keys.iter().map(|key| (gate.clone(), key.clone())).collect();
            let units = self.together(&gated, t - 1);
            let ready = units.iter().map(|u| self.ready(u)).max().unwrap_or(t).max(t);
            let fits = self.ports.get(ready as usize + 1).is_none_or(|p| p[ROW] + rows <= limits::ROWS);
            if fits {
                return (units, ready);
            }
            t = ready.max(t + 1);
        }
    }

    /// Appends a row in the first map from `from` on that can append it. Returns that map.
    pub fn row(&mut self, key: &Linear, value: RowValue, from: i32) -> i32 {
        let t = {
            let mut forms: SmallVec<[&Linear; 2]> = SmallVec::from_slice(&[key]);
            if let RowValue::Linear(value) = &value {
                forms.push(value);
            }
            let t = self.place_all(&forms, from.max(0));
            self.port(ROW, &forms, t).0
        };
        self.rows.push(RowOut { at: t, key: key.clone(), value });
        t
    }

    /// Names a linear form of several terms, so that it is carried as one value. `claim` is the range of the
    /// linear form if that is narrower than its terms say; a ghost then tells the checker.
    pub fn linear(&mut self, form: Linear, claim: Option<Range>) -> Linear {
        if form.terms.is_empty() || form.as_atom().is_some() {
            return form;
        }
        if form.terms.len() < 2 && claim.is_none() && self.is_tight(&form) {
            return form;
        }
        let natural = self.range(&form);
        let range = claim.map_or(natural, |c| c.meet(natural));
        let t = self.placed(&form, 0);
        let entry_only = self.entry_only(&form);
        if let Some(claimed) = claim
            && (claimed.lo > natural.lo || claimed.hi < natural.hi)
        {
            let terms = vec![(GhostTerm::Linear(form.clone()), 1)];
            self.ghosts.push(GhostFact { at: t, until: t, terms, range: claimed });
        }
        if self.careful {
            let kind = AtomKind::Pinned(form);
            return Linear::atom(self.atom(Atom { kind, avail: t + 1, range, entry_only: false }));
        }
        let atom = self.atom(Atom { kind: AtomKind::Linear(form), avail: t, range, entry_only });
        Linear::atom(atom)
    }

    /// Returns whether a linear form of one term is not much smaller than its term and its constant: what is
    /// made of the linear form is then exact as long as numbers of its own size are. A linear form that is
    /// much smaller, as x − 1000 is for an x in 1000 … 1001, is to be named, and then is one number of that
    /// size.
    fn is_tight(&self, form: &Linear) -> bool {
        let [(atom, c)] = form.terms[..] else { return false };
        let x = self.atoms[atom as usize].range;
        if x.lo <= 0 && x.hi >= 0 {
            // The constant is one of its values, so that each of the two is at most twice the largest.
            return true;
        }
        let (Some(c), Some(constant)) = (c.as_integer(), form.constant.as_integer()) else { return false };
        let parts =
            u128::from(c.unsigned_abs()) * u128::from(x.magnitude()) + u128::from(constant.unsigned_abs());
        parts <= 4 * u128::from(self.range(form).magnitude().max(1))
    }

    /// Names a linear form whose range follows from ghosts that are already declared.
    pub fn asserted(&mut self, form: Linear, range: Range) -> Linear {
        let range = range.meet(self.range(&form));
        let avail = self.placed(&form, 0);
        Linear::atom(self.atom(Atom { kind: AtomKind::Linear(form), avail, range, entry_only: false }))
    }

    /// Names a linear form even if it is short, for rules that need a single variable.
    pub fn named(&mut self, form: Linear) -> Linear {
        if form.as_atom().is_some() || form.terms.is_empty() {
            return form;
        }
        let range = self.range(&form);
        let avail = self.placed(&form, 0);
        let entry_only = self.entry_only(&form);
        Linear::atom(self.atom(Atom { kind: AtomKind::Linear(form), avail, range, entry_only }))
    }

    /// Returns the atom of a unit and the first t such that y_t contains it, for what the checker is told of
    /// the unit's gate and value; `None` if the linear form is not a unit.
    pub fn unit_avail(&self, unit: &Linear) -> Option<(AtomId, i32)> {
        let atom = unit.as_atom()?;
        matches!(self.atoms[atom as usize].kind, AtomKind::Unit { .. })
            .then(|| (atom, self.atoms[atom as usize].avail))
    }
}
