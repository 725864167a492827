//! The trace: rows that a side has written in a packet, in their order, and what it reads.

use super::atoms::{Kind, Maybe};
use super::poly::Poly;
use super::terms::Terms;

/// Rows since the packet began.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// Keys and values.
    pub rows: Vec<(Poly, Poly)>,
}

/// How two keys are related.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alias {
    /// They are the same in all states.
    Same,
    /// They differ in all states.
    Apart,
    /// That depends on the state, or is not known.
    Unknown,
}

/// Returns how two keys are related.
pub fn alias(terms: &mut Terms, a: &Poly, b: &Poly) -> Maybe<Alias> {
    let difference = a.plus(-1, b)?;
    if difference.is_zero() {
        return Ok(Alias::Same);
    }
    let (x, y) = (terms.range(a)?, terms.range(b)?);
    if x.hi < y.lo || y.hi < x.lo {
        return Ok(Alias::Apart);
    }
    let span = terms.range(&difference)?;
    Ok(if span.lo > 0 || span.hi < 0 { Alias::Apart } else { Alias::Unknown })
}

impl Trace {
    /// Appends a row.
    pub fn write(&mut self, key: Poly, value: Poly) {
        self.rows.push((key, value));
    }

    /// Returns the value of the latest row with a key.
    ///
    /// Lemma: rows with other keys do not matter, nor do rows before one with the same key.
    pub fn read(&self, terms: &mut Terms, key: &Poly) -> Maybe<Poly> {
        let mut after = Vec::new();
        for (other, value) in self.rows.iter().rev() {
            match alias(terms, key, other)? {
                Alias::Same if after.is_empty() => return Ok(value.clone()),
                Alias::Same => {
                    after.push((other, value));
                    break;
                }
                Alias::Unknown => after.push((other, value)),
                Alias::Apart => {}
            }
        }
        if after.is_empty()
            && let Some(value) = terms.frozen(key)
        {
            return Ok(Poly::constant(value));
        }
        let after = after.into_iter().rev().map(|(key, value)| (terms.intern(key), terms.intern(value)));
        let after = after.collect();
        let key = terms.intern(key);
        terms.of(Kind::Read { key, after })
    }
}
