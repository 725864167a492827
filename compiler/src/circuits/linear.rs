//! Linear forms over the atoms of a packet, and their ranges.

pub use super::exact::{Exact, pow2};
use smallvec::SmallVec;

/// Something to which an equation of a map can refer: an element of `y`, or a named linear form.
pub type AtomId = u32;

/// A linear form: Σ coefficient · atom + constant. Terms are sorted by atom and non-zero.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Linear {
    /// Atoms and their coefficients.
    pub terms: SmallVec<[(AtomId, Exact); 3]>,
    /// The constant term.
    pub constant: Exact,
}

impl Default for Linear {
    fn default() -> Linear {
        Linear::constant(0)
    }
}

impl Linear {
    /// Returns the linear form that is always `constant`.
    pub fn constant(constant: impl Into<Exact>) -> Linear {
        Linear { terms: SmallVec::new(), constant: constant.into() }
    }
    /// Returns the linear form that is just one atom.
    pub fn atom(atom: AtomId) -> Linear {
        Linear { terms: SmallVec::from_slice(&[(atom, Exact::ONE)]), constant: Exact::ZERO }
    }
    /// Returns the constant, if there are no atoms.
    pub fn as_constant(&self) -> Option<Exact> {
        self.terms.is_empty().then_some(self.constant)
    }
    /// Returns the atom, if it is just that.
    pub fn as_atom(&self) -> Option<AtomId> {
        match self.terms[..] {
            [(atom, Exact::ONE)] if self.constant == Exact::ZERO => Some(atom),
            _ => None,
        }
    }
    /// Returns `self + scale · other`.
    pub fn plus(&self, scale: impl Into<Exact>, other: &Linear) -> Linear {
        let scale = scale.into();
        let mut terms = SmallVec::with_capacity(self.terms.len() + other.terms.len());
        let (mut a, mut b) = (self.terms.iter().peekable(), other.terms.iter().peekable());
        loop {
            let (atom, coefficient) = match (a.peek(), b.peek()) {
                (Some(x), Some(y)) if x.0 == y.0 => {
                    let sum = (x.0, x.1 + scale * y.1);
                    a.next();
                    b.next();
                    sum
                }
                (Some(x), Some(y)) if x.0 < y.0 => *a.next().expect("peeked"),
                (Some(_), None) => *a.next().expect("peeked"),
                (_, Some(_)) => {
                    let y = b.next().expect("peeked");
                    (y.0, scale * y.1)
                }
                (None, None) => break,
            };
            if coefficient != Exact::ZERO {
                terms.push((atom, coefficient));
            }
        }
        Linear { terms, constant: self.constant + scale * other.constant }
    }
    /// Returns `scale · self`.
    pub fn times(&self, scale: impl Into<Exact>) -> Linear {
        let scale = scale.into();
        if scale == Exact::ZERO {
            return Linear::default();
        }
        Linear {
            terms: self.terms.iter().map(|t| (t.0, t.1 * scale)).collect(),
            constant: self.constant * scale,
        }
    }
    /// Returns `self + constant`.
    pub fn offset(mut self, constant: impl Into<Exact>) -> Linear {
        self.constant = self.constant + constant.into();
        self
    }
    /// Returns `self − other`, if that is a constant integer.
    pub fn distance(&self, other: &Linear) -> Option<i64> {
        if self.terms != other.terms {
            return None;
        }
        (self.constant - other.constant).as_integer()
    }
}

/// A closed interval of integers that an atom or a linear form lies in; `i64::MIN` and `i64::MAX` mean
/// unbounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// Smallest value.
    pub lo: i64,
    /// Largest value.
    pub hi: i64,
    /// Whether the number is the id of an expert: it is then declared to be in a set of ids.
    pub is_id: bool,
}

impl Range {
    /// 0 … 2^32 − 1.
    pub const WORD: Range = Range::new(0, u32::MAX as i64);
    /// 0 … 255.
    pub const BYTE: Range = Range::new(0, 255);
    /// 0 … 1.
    pub const BIT: Range = Range::new(0, 1);
    /// Nothing is known.
    pub const ALL: Range = Range::new(i64::MIN, i64::MAX);
    /// Ids of experts.
    pub const IDS: Range = Range { is_id: true, ..Range::WORD };

    /// Returns the range from `lo` to `hi`.
    pub const fn new(lo: i64, hi: i64) -> Range {
        Range { lo, hi, is_id: false }
    }
    /// Returns the range with these bounds, as far as they fit.
    pub fn clamped(lo: i128, hi: i128) -> Range {
        let clamp = |x: i128| x.clamp(i64::MIN.into(), i64::MAX.into()) as i64;
        Range::new(clamp(lo), clamp(hi))
    }
    /// Returns whether all of `self` lies in `other`.
    pub fn within(&self, other: Range) -> bool {
        self.lo >= other.lo && self.hi <= other.hi
    }
    /// Returns the largest magnitude.
    pub fn magnitude(&self) -> u64 {
        self.hi.unsigned_abs().max(self.lo.unsigned_abs())
    }
    /// Returns the smallest range that contains both.
    pub fn hull(&self, other: Range) -> Range {
        Range::new(self.lo.min(other.lo), self.hi.max(other.hi))
    }
    /// Returns what both contain.
    pub fn meet(&self, other: Range) -> Range {
        Range::new(self.lo.max(other.lo), self.hi.min(other.hi))
    }
}
