//! Operations on bytes: what tables hold.

use super::atoms::{Bitwise, Count, Kind, Maybe, Shift, Span, Stop};
use super::poly::Poly;
use super::terms::Terms;

impl Terms<'_> {
    /// Returns bits `from … from + len` of a word. Any number that is congruent to the word has the same bits
    /// if they are among its 32.
    pub fn slice(&mut self, p: &Poly, from: u32, len: u32) -> Maybe<Poly> {
        let (upper, above) = (self.floor(p, 1 << from)?, self.floor(p, 1 << (from + len))?);
        let bits = upper.plus(-(1 << len), &above)?;
        self.note(&bits, Span::new(0, (1 << len) - 1))?;
        Ok(bits)
    }

    /// Applies an operation to two bytes.
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
            // Lemma: a & c consists of the runs of bits of a where c is 1.
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

    /// Shifts byte `j` of a word by a number in 0 … 31.
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

    /// Counts in a byte.
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
}
