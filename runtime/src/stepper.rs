//! The interface of all executors, by which they are stepped, observed and compared.

use std::ops::Range;

use crate::network::{ExpertId, Field};
use crate::tokens::TokenEnds;
use crate::trace::TraceSize;
use crate::waits::Waits;

/// The result of a slice of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slice {
    /// Number of maps evaluated.
    pub steps: u64,
    /// Number of tokens that ended.
    pub tokens: u64,
    /// Whether the run ended: the expert is terminal and its rows are appended.
    pub ended: bool,
}

/// An executor of a network, holding `z` and the trace.
pub trait Stepper {
    /// Starts a run: sets `e` to `expert`, the given fields to their values, and all other fields of `z` to
    /// 0. The trace stays as it is.
    ///
    /// # Panics
    ///
    /// If a field is not one of `z` or `expert` is not in the vocabulary.
    fn enter(&mut self, expert: ExpertId, fields: &[(Field, f64)]);

    /// Evaluates one step: appends the rows in `z`; then, unless the expert is terminal, evaluates its map.
    /// Returns whether a map was evaluated; if not, the run has ended.
    fn step(&mut self) -> bool;

    /// Returns the expert and the fields of `z` that the next step will use.
    fn z(&self) -> (ExpertId, &[f64]);

    /// Appends a row from the host. A row whose key is in no region is not appended.
    fn append(&mut self, key: u64, value: f64);

    /// Returns the value of the latest row with that key, 0 if there is none.
    fn read(&self, key: u64) -> f64;

    /// Says that nothing depends on the rows with these keys any more, except on those that are appended from now on. An
    /// executor that keeps one row for each key may forget most of them, which then read as 0.
    fn forget(&mut self, _keys: Range<u64>) {}

    /// Calls `f` with the key and the value of each latest row whose value is not 0, ascending by
    /// key.
    fn for_each_row(&self, f: &mut dyn FnMut(u64, f64));

    /// Returns the size of the trace that it holds.
    fn size(&self) -> TraceSize;

    /// Appends the rows in `z`, as the next step would, and removes them from `z`.
    fn append_rows(&mut self);

    /// Sets which steps may have to wait for input, from now on.
    fn wait_at(&mut self, waits: Option<Waits>);

    /// Returns whether the next step has to wait for input, because all input that is there has been read.
    /// The host can still append more, after the rows in `z`.
    fn is_waiting(&self) -> bool;

    /// Evaluates steps until the run has ended, `budget` maps are evaluated, or a step other than the first
    /// would have to wait for input. A run whose budget ends on a terminal expert has ended.
    fn run(&mut self, budget: u64, ends: &TokenEnds) -> Slice {
        let mut slice = Slice::default();
        loop {
            let (expert, _) = self.z();
            if slice.steps == budget && !ends.is_terminal(expert) {
                return slice;
            }
            if slice.steps > 0 && self.is_waiting() {
                return slice;
            }
            if !self.step() {
                slice.ended = true;
                return slice;
            }
            slice.steps += 1;
            slice.tokens += u64::from(ends.ends_token(expert));
        }
    }
}
