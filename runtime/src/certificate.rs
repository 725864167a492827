//! What is declared of a network's numbers: the certificate that travels with the matrices.

use rustc_hash::FxHashMap;

use crate::network::{ExpertId, Field};

/// A closed interval of integers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Interval {
    /// Smallest value.
    pub lo: i64,
    /// Largest value.
    pub hi: i64,
}

impl Interval {
    /// Returns the interval from `lo` to `hi`, both included.
    pub const fn new(lo: i64, hi: i64) -> Self {
        Interval { lo, hi }
    }
    /// A word: 0 … 2^32 − 1.
    pub const WORD: Interval = Interval::new(0, u32::MAX as i64);
    /// Returns the interval that contains only `x`.
    pub const fn point(x: i64) -> Self {
        Interval::new(x, x)
    }
    /// Returns whether the interval contains `x`.
    pub fn contains(&self, x: i64) -> bool {
        self.lo <= x && x <= self.hi
    }
    /// Returns the smallest interval that contains both.
    pub fn hull(self, other: Interval) -> Interval {
        Interval::new(self.lo.min(other.lo), self.hi.max(other.hi))
    }
}

/// Index of a set of expert ids, in [`Certificate::id_sets`].
pub type IdSetId = u32;

/// The numbers that a field, the values of a region or the entries of a table are declared to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Domain {
    /// Integers of an interval.
    Interval(Interval),
    /// Powers of two up to 2^hi, or 0, which a miss reads. A product with a power of two keeps the
    /// significant bits of its other factor.
    PowerOfTwo {
        /// Largest exponent.
        hi: u8,
    },
    /// Expert ids of a set, or 0.
    Ids(IdSetId),
}

/// A set of experts that a computed id can name, and the declared intervals that all of them may assume.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct IdSet {
    /// Its role, for people: `returns`, `functions`, …
    pub name: String,
    /// Members, ascending. 0 (the unreachable state) belongs to every set without being listed.
    pub ids: Vec<ExpertId>,
    /// Declared intervals. They are proved at every jump to the set; a member may assume these and no more.
    pub interface: Vec<(Field, Domain)>,
}

/// A declared interval of a linear form in fields of `z`: a *ghost*.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ghost<'a> {
    /// Fields and integer coefficients. The checker eliminates the first field.
    pub terms: &'a [(Field, i64)],
    /// The interval of the linear form; `i64::MIN` and `i64::MAX` mean unbounded.
    pub range: Interval,
}

/// A list of declared fields. It is nearly as long as the list of weights and has few different domains, so
/// each domain is held once.
#[derive(Clone, Debug, Default)]
pub struct Declarations {
    /// Fields, and the indices of their domains in `domains`.
    list: Vec<(Field, u32)>,
    domains: Vec<Domain>,
    /// The index of each domain in `domains`.
    numbers: FxHashMap<Domain, u32>,
}

impl Declarations {
    /// Returns the number of declared fields.
    pub fn len(&self) -> usize {
        self.list.len()
    }
    /// Returns whether there are no declared fields.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
    /// Appends a declared field.
    pub fn push(&mut self, field: Field, domain: Domain) {
        let number = self.number(domain);
        self.list.push((field, number));
    }
    /// Returns the declared fields of a range, in their order.
    ///
    /// # Panics
    ///
    /// If the range ends beyond the list.
    pub fn range(
        &self,
        range: std::ops::Range<usize>,
    ) -> impl DoubleEndedIterator<Item = (Field, Domain)> + ExactSizeIterator {
        self.list[range].iter().map(|(field, number)| (*field, self.domains[*number as usize]))
    }
    /// Returns all declared fields, in their order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (Field, Domain)> + ExactSizeIterator {
        self.range(0..self.len())
    }
    /// Replaces the declared field at an index.
    ///
    /// # Panics
    ///
    /// If there is none at the index.
    pub fn set(&mut self, at: usize, field: Field, domain: Domain) {
        self.list[at] = (field, self.number(domain));
    }
    /// Removes the declared field at an index.
    ///
    /// # Panics
    ///
    /// If there is none at the index.
    pub fn remove(&mut self, at: usize) {
        self.list.remove(at);
    }
    /// Renames all declared fields.
    pub fn rename(&mut self, field: impl Fn(Field) -> Field) {
        self.list.iter_mut().for_each(|declared| declared.0 = field(declared.0));
    }

    fn number(&mut self, domain: Domain) -> u32 {
        *self.numbers.entry(domain).or_insert_with(|| {
            self.domains.push(domain);
            self.domains.len() as u32 - 1
        })
    }
}

/// The order in which the domains are held does not matter.
impl PartialEq for Declarations {
    fn eq(&self, other: &Declarations) -> bool {
        self.iter().eq(other.iter())
    }
}

impl FromIterator<(Field, Domain)> for Declarations {
    fn from_iter<I: IntoIterator<Item = (Field, Domain)>>(declared: I) -> Declarations {
        let mut declarations = Declarations::default();
        declarations.extend(declared);
        declarations
    }
}

impl Extend<(Field, Domain)> for Declarations {
    fn extend<I: IntoIterator<Item = (Field, Domain)>>(&mut self, declared: I) {
        declared.into_iter().for_each(|(field, domain)| self.push(field, domain));
    }
}

/// What is declared of the `z` of every expert, proved by `certify` at every map that can lead to the expert.
///
/// A field that is not declared for an expert must not be read by its map. The domain declared of the field
/// `e` is a set that contains the expert itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Certificate {
    /// For each expert, the end of its declared fields in `fields`.
    pub field_end: Vec<u32>,
    /// Declared fields, ascending within an expert.
    pub fields: Declarations,
    /// For each expert, the end of its ghosts in `ghost_term_end`.
    pub ghost_end: Vec<u32>,
    /// For each ghost, the end of its terms in `ghost_terms`.
    pub ghost_term_end: Vec<u32>,
    /// For each ghost, its interval.
    pub ghost_range: Vec<Interval>,
    /// Terms of ghosts.
    pub ghost_terms: Vec<(Field, i64)>,
    /// Sets of ids that regions, tables and fields refer to.
    pub id_sets: Vec<IdSet>,
}

impl Certificate {
    /// Returns the declared fields of an expert.
    pub fn fields(
        &self,
        e: ExpertId,
    ) -> impl DoubleEndedIterator<Item = (Field, Domain)> + ExactSizeIterator {
        self.fields.range(self.field_range(e))
    }
    /// Returns the range of the declared fields of an expert, as indices into `fields`.
    pub fn field_range(&self, e: ExpertId) -> std::ops::Range<usize> {
        let e = e as usize;
        let first = if e == 0 { 0 } else { self.field_end[e - 1] };
        first as usize..self.field_end[e] as usize
    }
    /// Returns the domain that is declared for a field of an expert.
    pub fn field(&self, e: ExpertId, field: Field) -> Option<Domain> {
        let Declarations { list, domains, .. } = &self.fields;
        let list = &list[self.field_range(e)];
        let at = list.binary_search_by_key(&field, |declared| declared.0).ok()?;
        Some(domains[list[at].1 as usize])
    }
    /// Returns the ghosts of an expert.
    pub fn ghosts(&self, e: ExpertId) -> impl DoubleEndedIterator<Item = Ghost<'_>> + ExactSizeIterator {
        let e = e as usize;
        let first = if e == 0 { 0 } else { self.ghost_end[e - 1] };
        (first as usize..self.ghost_end[e] as usize).map(move |g| {
            let first = if g == 0 { 0 } else { self.ghost_term_end[g - 1] };
            Ghost {
                terms: &self.ghost_terms[first as usize..self.ghost_term_end[g] as usize],
                range: self.ghost_range[g],
            }
        })
    }
    /// Appends a ghost to the expert being made.
    pub fn push_ghost(&mut self, terms: impl IntoIterator<Item = (Field, i64)>, range: Interval) {
        self.ghost_terms.extend(terms);
        self.ghost_term_end.push(self.ghost_terms.len() as u32);
        self.ghost_range.push(range);
    }
    /// Appends what another certificate declares of its experts. The sets of ids remain as they are.
    pub fn append(&mut self, mut others: Certificate) {
        if self.field_end.is_empty() {
            std::mem::swap(&mut self.id_sets, &mut others.id_sets);
            *self = others;
            return;
        }
        let (fields, ghosts) = (self.fields.len() as u32, self.ghost_term_end.len() as u32);
        let terms = self.ghost_terms.len() as u32;
        self.field_end.extend(others.field_end.iter().map(|end| fields + end));
        self.fields.extend(others.fields.iter());
        self.ghost_end.extend(others.ghost_end.iter().map(|end| ghosts + end));
        self.ghost_term_end.extend(others.ghost_term_end.iter().map(|end| terms + end));
        self.ghost_range.append(&mut others.ghost_range);
        self.ghost_terms.append(&mut others.ghost_terms);
    }
    /// Ends the expert being made: all fields and ghosts since the last expert.
    pub fn end_expert(&mut self) {
        self.field_end.push(self.fields.len() as u32);
        self.ghost_end.push(self.ghost_term_end.len() as u32);
    }
}
