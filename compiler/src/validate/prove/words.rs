//! What the IR's operations on words are, as polynomials: the lemmas of the program's side.
//!
//! A word stands here as any number that is congruent to it modulo 2^32. `canonical` makes it the number in
//! [0, 2^32).

use super::atoms::{Bitwise, Count, Maybe, Shift, Span, Stop};
use super::poly::Poly;
use super::terms::Terms;
use crate::ir::{BinaryOp, UnaryOp};

/// 2^32
pub const TWO32: i128 = 1 << 32;

/// Returns the word itself. Lemma: p mod m = p − m ⌊p/m⌋.
pub fn canonical(terms: &mut Terms, p: &Poly) -> Maybe<Poly> {
    let wraps = terms.floor(p, TWO32)?;
    let word = p.plus(-TWO32, &wraps)?;
    terms.note(&word, Span::new(0, TWO32 - 1))?;
    Ok(word)
}

/// Returns the word as a signed number.
fn signed(terms: &mut Terms, p: &Poly) -> Maybe<Poly> {
    extend(terms, p, 32)
}

/// Extends the lowest bits by their sign. Lemma: with h = 2^(bits − 1) the result is ((p + h) mod 2 h) − h.
pub fn extend(terms: &mut Terms, p: &Poly, bits: u32) -> Maybe<Poly> {
    let half = 1i128 << (bits - 1);
    let wraps = terms.floor(&p.offset(half)?, 2 * half)?;
    let number = p.plus(-2 * half, &wraps)?;
    terms.note(&number, Span::new(-half, half - 1))?;
    Ok(number)
}

/// Returns byte `j`.
pub fn byte(terms: &mut Terms, p: &Poly, j: u32) -> Maybe<Poly> {
    terms.slice(p, 8 * j, 8)
}

/// Returns 1 − p.
fn complement(p: &Poly) -> Maybe<Poly> {
    Ok(Poly::constant(1).plus(-1, p)?)
}

/// Returns the bit a = b. Lemma: for a difference d, the bit is [d ≥ 0] + [−d ≥ 0] − 1.
fn equal(terms: &mut Terms, a: &Poly, b: &Poly) -> Maybe<Poly> {
    let mut difference = a.plus(-1, b)?.split(TWO32).1;
    if 2 * difference.constant_term() >= TWO32 {
        difference = difference.offset(-TWO32)?;
    }
    // Congruent numbers that are closer than 2^32 are equal.
    if !terms.range(&difference)?.within(1 - TWO32, TWO32 - 1) {
        difference = canonical(terms, a)?.plus(-1, &canonical(terms, b)?)?;
    }
    let at_least = terms.not_negative(&difference)?;
    let at_most = terms.not_negative(&difference.times(-1)?)?;
    let bit = at_least.plus(1, &at_most)?.offset(-1)?;
    terms.note(&bit, Span::BIT)?;
    Ok(bit)
}

/// Returns the bit that says whether a word is not 0.
pub fn truth(terms: &mut Terms, p: &Poly) -> Maybe<Poly> {
    if terms.range(p)?.within(0, 1) {
        return Ok(p.clone());
    }
    let zero = equal(terms, p, &Poly::default())?;
    complement(&zero)
}

/// Returns `c != 0 ? a : b`. Lemma: that is b + [c ≠ 0] (a − b).
pub fn select(terms: &mut Terms, c: &Poly, a: &Poly, b: &Poly) -> Maybe<Poly> {
    let bit = truth(terms, c)?;
    let more = terms.product(&bit, &a.plus(-1, b)?)?;
    Ok(b.plus(1, &more)?)
}

/// Applies an operation to one word.
pub fn unary(terms: &mut Terms, op: UnaryOp, a: &Poly) -> Maybe<Poly> {
    match op {
        UnaryOp::Eqz => {
            let bit = truth(terms, a)?;
            complement(&bit)
        }
        UnaryOp::Extend8S => extend(terms, a, 8),
        UnaryOp::Extend16S => extend(terms, a, 16),
        // Lemma: the ones of a word are those of its bytes.
        UnaryOp::Popcnt => (0..4).try_fold(Poly::default(), |sum, j| {
            let byte = byte(terms, a, j)?;
            Ok(sum.plus(1, &terms.count(Count::Popcnt, &byte)?)?)
        }),
        UnaryOp::Clz => zeros(terms, a, Count::Clz, [3, 2, 1, 0]),
        UnaryOp::Ctz => zeros(terms, a, Count::Ctz, [0, 1, 2, 3]),
        UnaryOp::Extend32S | UnaryOp::Wrap | UnaryOp::ExtendU | UnaryOp::ExtendS => {
            Err(Stop::Unknown("an operation on two words"))
        }
    }
}

/// Counts the zeros before the first 1. Lemma: a byte's count is added if the counts before it add up to 8
/// per byte, that is, if all bytes before it are 0.
fn zeros(terms: &mut Terms, a: &Poly, op: Count, order: [u32; 4]) -> Maybe<Poly> {
    let (mut before, mut sum) = (Poly::default(), Poly::default());
    for (i, j) in (0..).zip(order) {
        let byte = byte(terms, a, j)?;
        let count = terms.count(op, &byte)?;
        let all = terms.not_negative(&before.offset(-8 * i)?)?;
        sum = sum.plus(1, &terms.product(&all, &count)?)?;
        before = before.plus(1, &count)?;
    }
    Ok(sum)
}

/// Applies an operation to two words.
pub fn binary(terms: &mut Terms, op: BinaryOp, a: &Poly, b: &Poly) -> Maybe<Poly> {
    use BinaryOp::*;
    Ok(match op {
        Add => a.plus(1, b)?,
        Sub => a.plus(-1, b)?,
        Mul => {
            // Factors congruent to the words give a product congruent to theirs. Coefficients are kept small.
            let (a, b) = (small(terms, a)?, small(terms, b)?);
            terms.product(&a, &b)?.split(TWO32).1
        }
        MulHi => {
            let (a, b) = (canonical(terms, a)?, canonical(terms, b)?);
            let product = terms.product(&a, &b)?;
            terms.floor(&product, TWO32)?
        }
        Carry => {
            let sum = canonical(terms, a)?.plus(1, &canonical(terms, b)?)?;
            terms.floor(&sum, TWO32)?
        }
        And => bitwise(terms, Bitwise::And, a, b)?,
        Or => bitwise(terms, Bitwise::Or, a, b)?,
        Xor => bitwise(terms, Bitwise::Xor, a, b)?,
        Shl | ShrU | ShrS | Rotl | Rotr => {
            let amount = terms.slice(b, 0, 5)?;
            match amount.as_constant() {
                Some(n) => shift_by(terms, op, a, n as u32)?,
                None => shift(terms, op, a, &amount)?,
            }
        }
        Eq => equal(terms, a, b)?,
        Ne => complement(&equal(terms, a, b)?)?,
        GeU => at_least(terms, a, b)?,
        LtU => complement(&at_least(terms, a, b)?)?,
        GeS => signed_at_least(terms, a, b)?,
        LtS => complement(&signed_at_least(terms, a, b)?)?,
        DivU | RemU => {
            let s = canonical(terms, b)?;
            let Some(s) = s.as_constant() else { return Err(Stop::Unknown("division by a variable")) };
            let a = canonical(terms, a)?;
            // Division by 0 gives the dividend, with remainder 0.
            let quotient = if s == 0 { a.clone() } else { terms.floor(&a, s)? };
            match (op, s) {
                (DivU, _) => quotient,
                (_, 0) => Poly::default(),
                _ => a.plus(-s, &quotient)?,
            }
        }
        DivS | RemS => return Err(Stop::Unknown("signed division")),
    })
}

/// Returns a number that is congruent to a word and not very large.
fn small(terms: &mut Terms, p: &Poly) -> Maybe<Poly> {
    let p = p.split(TWO32).1;
    let Span { lo, hi } = terms.range(&p)?;
    if lo.abs().max(hi.abs()) < 1 << 45 { Ok(p) } else { canonical(terms, &p) }
}

fn at_least(terms: &mut Terms, a: &Poly, b: &Poly) -> Maybe<Poly> {
    let difference = canonical(terms, a)?.plus(-1, &canonical(terms, b)?)?;
    terms.not_negative(&difference)
}

fn signed_at_least(terms: &mut Terms, a: &Poly, b: &Poly) -> Maybe<Poly> {
    let difference = signed(terms, a)?.plus(-1, &signed(terms, b)?)?;
    terms.not_negative(&difference)
}

/// Applies a bitwise operation to two words. Lemma: the result is that of each byte.
fn bitwise(terms: &mut Terms, op: Bitwise, a: &Poly, b: &Poly) -> Maybe<Poly> {
    (0..4).try_fold(Poly::default(), |sum, j| {
        let (x, y) = (byte(terms, a, j)?, byte(terms, b, j)?);
        Ok(sum.plus(1 << (8 * j), &terms.bitwise(op, &x, &y)?)?)
    })
}

/// Shifts or rotates by a constant in 0 … 31.
fn shift_by(terms: &mut Terms, op: BinaryOp, a: &Poly, n: u32) -> Maybe<Poly> {
    Ok(match op {
        BinaryOp::Shl => a.times(1 << n)?,
        BinaryOp::ShrU => terms.slice(a, n, 32 - n)?,
        BinaryOp::ShrS => {
            let a = signed(terms, a)?;
            terms.floor(&a, 1 << n)?
        }
        // Lemma: what leaves above comes back below.
        BinaryOp::Rotl if n > 0 => {
            let back = terms.slice(a, 32 - n, n)?;
            a.times(1 << n)?.plus(1, &back)?
        }
        BinaryOp::Rotr if n > 0 => return shift_by(terms, BinaryOp::Rotl, a, 32 - n),
        _ => a.clone(),
    })
}

/// Shifts or rotates by a variable in 0 … 31. Lemma: bits of different bytes do not meet, so their shifts add
/// up.
fn shift(terms: &mut Terms, op: BinaryOp, a: &Poly, amount: &Poly) -> Maybe<Poly> {
    let op = match op {
        BinaryOp::Shl => Shift::Shl,
        BinaryOp::ShrU => Shift::ShrU,
        BinaryOp::ShrS => Shift::ShrS,
        BinaryOp::Rotl => Shift::Rotl,
        _ => return Err(Stop::Unknown("rotation to the right by a variable")),
    };
    (0..4).try_fold(Poly::default(), |sum, j| {
        let byte = byte(terms, a, j)?;
        Ok(sum.plus(1, &terms.shift(op, j as u8, amount, &byte)?)?)
    })
}
