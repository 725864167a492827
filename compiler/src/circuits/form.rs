//! Linear forms over the atoms of a packet, and their exactness.

use smallvec::SmallVec;

/// Something that a row of a map can refer to: an element of `y`, or a named linear form.
pub type AtomId = u32;

/// A linear form: Σ coefficient · atom + constant. Terms are sorted by atom and non-zero.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Form {
    /// Atoms and their coefficients.
    pub terms: SmallVec<[(AtomId, f64); 3]>,
    /// The constant term.
    pub constant: f64,
}

impl Form {
    /// The form that is always `constant`.
    pub fn constant(constant: f64) -> Form {
        Form { terms: SmallVec::new(), constant }
    }
    /// The form that is just one atom.
    pub fn atom(atom: AtomId) -> Form {
        Form { terms: SmallVec::from_slice(&[(atom, 1.0)]), constant: 0.0 }
    }
    /// The constant, if there are no atoms.
    pub fn as_constant(&self) -> Option<f64> {
        self.terms.is_empty().then_some(self.constant)
    }
    /// The atom, if it is just that.
    pub fn as_atom(&self) -> Option<AtomId> {
        match self.terms[..] {
            [(atom, 1.0)] if self.constant == 0.0 => Some(atom),
            _ => None,
        }
    }
    /// `self + scale · other`.
    pub fn plus(&self, scale: f64, other: &Form) -> Form {
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
                (Some(x), Some(y)) if x.0 < y.0 => *{
                    let _ = y;
                    a.next().expect("peeked")
                },
                (Some(_), None) => *a.next().expect("peeked"),
                (_, Some(_)) => {
                    let y = b.next().expect("peeked");
                    (y.0, scale * y.1)
                }
                (None, None) => break,
            };
            if coefficient != 0.0 {
                terms.push((atom, coefficient));
            }
        }
        Form { terms, constant: self.constant + scale * other.constant }
    }
    /// `scale · self`.
    pub fn times(&self, scale: f64) -> Form {
        if scale == 0.0 {
            return Form::default();
        }
        Form {
            terms: self.terms.iter().map(|t| (t.0, t.1 * scale)).collect(),
            constant: self.constant * scale,
        }
    }
    /// `self + constant`.
    pub fn offset(mut self, constant: f64) -> Form {
        self.constant += constant;
        self
    }
    /// `self − other`, if that is a constant.
    pub fn distance(&self, other: &Form) -> Option<f64> {
        (self.terms == other.terms).then_some(self.constant - other.constant)
    }
    /// The bits of the form, to find equal ones.
    pub fn key(&self) -> FormKey {
        FormKey {
            terms: self.terms.iter().map(|t| (t.0, t.1.to_bits())).collect(),
            constant: (self.constant + 0.0).to_bits(),
        }
    }
}

/// A form as a key of hash maps.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FormKey {
    terms: SmallVec<[(AtomId, u64); 3]>,
    constant: u64,
}

/// A closed interval of numbers that an atom or a form lies in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// Smallest.
    pub lo: f64,
    /// Largest.
    pub hi: f64,
}

impl Range {
    /// 0 … 2^32 − 1.
    pub const WORD: Range = Range { lo: 0.0, hi: 4294967295.0 };
    /// 0 … 255.
    pub const BYTE: Range = Range { lo: 0.0, hi: 255.0 };
    /// 0 … 1.
    pub const BIT: Range = Range { lo: 0.0, hi: 1.0 };
    /// From `lo` to `hi`.
    pub fn new(lo: f64, hi: f64) -> Range {
        Range { lo, hi }
    }
    /// Whether all of `self` lies in `other`.
    pub fn within(&self, other: Range) -> bool {
        self.lo >= other.lo && self.hi <= other.hi
    }
    /// Largest magnitude.
    pub fn magnitude(&self) -> f64 {
        self.hi.abs().max(self.lo.abs())
    }
    /// Smallest range that contains both.
    pub fn hull(&self, other: Range) -> Range {
        Range::new(self.lo.min(other.lo), self.hi.max(other.hi))
    }
    /// What both contain.
    pub fn meet(&self, other: Range) -> Range {
        Range::new(self.lo.max(other.lo), self.hi.min(other.hi))
    }
}

/// 2^k.
pub fn pow2(k: i32) -> f64 {
    f64::from_bits(((1023 + k) as u64) << 52)
}

/// The largest power of two that divides `x` ≠ 0, as a number.
pub fn finest(x: f64) -> f64 {
    let bits = x.to_bits();
    let exponent = ((bits >> 52) & 0x7ff) as i32 - 1023;
    let mantissa = bits & ((1 << 52) - 1);
    let zeros = if mantissa == 0 { 52 } else { mantissa.trailing_zeros() as i32 };
    pow2(exponent - 52 + zeros)
}
