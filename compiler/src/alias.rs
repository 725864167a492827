//! Values that turned out to be other values.

use cranelift_entity::SecondaryMap;
use cranelift_entity::packed_option::PackedOption;

use crate::ir::Value;

/// What replaces each value. Chains are shortened whenever they are followed, so that a long chain is
/// followed only once.
#[derive(Default)]
pub struct Aliases {
    other: SecondaryMap<Value, PackedOption<Value>>,
    any: bool,
}

impl Aliases {
    /// Replaces a value, which nothing has replaced so far, by another one.
    pub fn insert(&mut self, value: Value, other: Value) {
        debug_assert!(!self.contains(value) && self.resolve(other) != value, "{value} is {other}");
        self.other[value] = other.into();
        self.any = true;
    }

    /// Returns whether something replaces the value.
    pub fn contains(&self, value: Value) -> bool {
        self.other[value].is_some()
    }

    /// Returns whether nothing is replaced.
    pub fn is_empty(&self) -> bool {
        !self.any
    }

    /// Returns the value that stands for `value` in the end.
    pub fn resolve(&mut self, value: Value) -> Value {
        let mut last = value;
        while let Some(other) = self.other[last].expand() {
            last = other;
        }
        let mut passed = value;
        while passed != last {
            let next = std::mem::replace(&mut self.other[passed], last.into());
            passed = next.expect("not the last");
        }
        last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(i: u32) -> Value {
        Value::from_u32(i)
    }

    /// A chain is followed once, whichever order its links came in: every value then leads directly to the
    /// last.
    #[test]
    fn a_chain_is_followed_once() {
        const LENGTH: u32 = 200_000;
        for ascending in [true, false] {
            let mut aliases = Aliases::default();
            for i in 0..LENGTH {
                let i = if ascending { i } else { LENGTH - 1 - i };
                aliases.other[value(i)] = value(i + 1).into();
            }
            assert_eq!(aliases.resolve(value(0)), value(LENGTH));
            assert!((0..LENGTH).all(|i| aliases.other[value(i)].expand() == Some(value(LENGTH))));
        }
    }

    #[test]
    fn trees() {
        let mut aliases = Aliases::default();
        assert!(aliases.is_empty());
        for (a, b) in [(1, 2), (3, 2), (2, 4), (5, 3)] {
            aliases.insert(value(a), value(b));
        }
        for i in [1, 2, 3, 4, 5] {
            assert_eq!(aliases.resolve(value(i)), value(4));
        }
        assert_eq!(aliases.resolve(value(7)), value(7));
        assert!(aliases.contains(value(5)) && !aliases.contains(value(4)) && !aliases.is_empty());
    }
}
