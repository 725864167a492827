//! What the numbers of a packet are made of: atoms, where they lie, and what ends a case.

use super::poly::TooLarge;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use wasm2onnx_runtime::Field;

/// A polynomial that atoms refer to: an index of [`Terms`].
pub type PolyId = u32;

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
    /// Applies the operation to two bytes.
    pub fn of(self, a: i128, b: i128) -> i128 {
        match self {
            Bitwise::And => a & b,
            Bitwise::Or => a | b,
            Bitwise::Xor => a ^ b,
        }
    }
}

impl Shift {
    /// Shifts byte `j` of a word, whose other bytes are 0, by `n` in 0 … 31.
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
    /// Counts in a byte.
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
    /// How many times 2^32 the field is above that word.
    High(Field),
    /// What the trace holds at a key after some rows, any of which may be the latest with that key.
    Read {
        /// The key.
        key: PolyId,
        /// Keys and values of the rows, in their order.
        after: SmallVec<[(PolyId, PolyId); 2]>,
    },
    /// An entry of the frozen tables, 0 out of range.
    Lookup(PolyId),
    /// ⌊p / d⌋
    Floor(PolyId, i128),
    /// 1 if p ≥ t, else 0. The polynomial has no constant term, no common factor and a positive last
    /// coefficient.
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

    /// Makes the interval from `lo` to `hi`.
    pub fn new(lo: i128, hi: i128) -> Span {
        Span { lo, hi }
    }

    /// Makes the interval of just one number.
    pub fn point(x: i128) -> Span {
        Span { lo: x, hi: x }
    }

    /// Returns what is in both intervals. That may be empty, with `lo > hi`: then there is no state at all.
    pub fn meet(self, other: Span) -> Span {
        Span::new(self.lo.max(other.lo), self.hi.min(other.hi))
    }

    /// Returns the smallest interval that contains both.
    pub fn hull(self, other: Span) -> Span {
        Span::new(self.lo.min(other.lo), self.hi.max(other.hi))
    }

    /// Returns whether it is in another interval.
    pub fn within(self, lo: i128, hi: i128) -> bool {
        lo <= self.lo && self.hi <= hi
    }

    pub(super) fn plus(self, other: Span) -> Result<Span, TooLarge> {
        let lo = self.lo.checked_add(other.lo).ok_or(TooLarge)?;
        Ok(Span::new(lo, self.hi.checked_add(other.hi).ok_or(TooLarge)?))
    }

    /// Returns the interval of products.
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
    /// No state is in this case.
    Impossible,
}

impl From<TooLarge> for Stop {
    fn from(_: TooLarge) -> Stop {
        Stop::Unknown("a polynomial is too large")
    }
}

/// A number, or why there is none.
pub type Maybe<T> = Result<T, Stop>;
/// What is known in a case besides the intervals of fields: where polynomials without a constant term lie.
pub type Facts = FxHashMap<PolyId, Span>;
