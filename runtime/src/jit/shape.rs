//! What is known of `z` where a packet begins: which fields are constant, and which differ from one
//! another by a constant.
//!
//! Fields fall into classes. The fields of a class keep constant distances from one another; those of class 0
//! are themselves constant. Where a packet has several predecessors, what is known after each of them
//! is kept: the queries of four adjacent bytes stay adjacent, whichever way the packet is reached.

use rustc_hash::FxHashMap;

use crate::network::Field;

/// A partition of the fields of `z` into classes of constant distance.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Shape {
    /// For each field, its class and its distance from the first field of the class. In class 0, the distance
    /// is from 0.
    fields: Vec<(u32, f64)>,
}

/// What a shape says of a field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Known {
    /// The field has this value.
    Constant(f64),
    /// The field is the given field, which is the first of its class, plus a constant.
    Distance(Field, f64),
}

/// Class of the fields that are constant.
pub(super) const CONSTANT: u32 = 0;

/// Key of a class: fields with equal keys are of one class, except that each `Alone` has a class of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Key {
    Constant,
    Class(u32, u32, u64),
    Alone,
}

/// Returns whether the distance to another such number is exact, and at most 2^52.
pub(super) fn is_distance(offset: f64) -> bool {
    offset.abs() <= (1u64 << 51) as f64
}

impl Shape {
    /// Makes a shape from a class and an offset for each field: fields of a class differ as their offsets do;
    /// offsets in class 0 are values.
    pub(super) fn new(offsets: impl IntoIterator<Item = (u32, f64)>) -> Self {
        Self::from_keys(offsets.into_iter().map(|(class, offset)| {
            let key = match class {
                CONSTANT => Key::Constant,
                _ if is_distance(offset) => Key::Class(class, 0, 0),
                _ => Key::Alone,
            };
            (key, offset)
        }))
    }

    /// Returns the shape of what holds in both shapes.
    pub(super) fn meet(&self, other: &Shape) -> Shape {
        let pairs = self.fields.iter().zip(&other.fields);
        Self::from_keys(pairs.map(|(&(a, x), &(b, y))| {
            let key = if a == CONSTANT && b == CONSTANT && x == y {
                Key::Constant
            } else if is_distance(x) && is_distance(y) {
                // Two fields keep their distance if it is the same in both.
                Key::Class(a, b, (x - y + 0.0).to_bits())
            } else {
                Key::Alone
            };
            (key, x)
        }))
    }

    /// Numbers the classes by first appearance and makes offsets relative to the first field's.
    fn from_keys(keys: impl Iterator<Item = (Key, f64)>) -> Self {
        let mut classes = FxHashMap::default();
        let mut count = CONSTANT;
        let mut new = |offset: f64| {
            count += 1;
            (count, offset)
        };
        let fields = keys.map(|(key, offset)| match key {
            Key::Constant => (CONSTANT, offset),
            Key::Class(..) => {
                let (class, first) = *classes.entry(key).or_insert_with(|| new(offset));
                (class, offset - first)
            }
            Key::Alone => (new(offset).0, 0.0),
        });
        Shape { fields: fields.collect() }
    }

    /// Returns what is known of each field, in order.
    pub(super) fn known(&self) -> Vec<Known> {
        let mut first = vec![None; self.fields.len() + 1];
        let known = self.fields.iter().enumerate().map(|(field, &(class, offset))| {
            if class == CONSTANT {
                return Known::Constant(offset);
            }
            Known::Distance(*first[class as usize].get_or_insert(field as Field), offset)
        });
        known.collect()
    }
}

#[cfg(test)]
mod tests;
