//! Replaces the module `jit` without the feature `jit`: nothing is ever compiled.

use crate::decoded::Decoded;
use crate::network::{ExpertId, Network};
use crate::stepper::Slice;
use crate::tokens::TokenEnds;
use crate::trace::Trace;
use crate::waits::Waits;

/// Machine code that does not exist.
#[derive(Debug)]
pub(crate) enum Jit {}

impl Jit {
    pub(crate) fn new(_: &Network, _: u32) -> Option<Self> {
        None
    }

    pub(crate) fn visit(&mut self, _: ExpertId) -> bool {
        match *self {}
    }

    pub(crate) fn interpreted(&mut self, _: bool) {
        match *self {}
    }

    pub(crate) fn run(&mut self, _: &mut ExpertId, _: &mut [f64], _: &mut Trace, _: u64) -> Option<Slice> {
        match *self {}
    }

    #[expect(clippy::too_many_arguments, reason = "it stands for the other one")]
    pub(crate) fn compile(
        &mut self,
        _: &Network,
        _: &TokenEnds,
        _: &[Option<Box<Decoded>>],
        _: &Trace,
        _: ExpertId,
        _: &[f64],
        _: Option<&Waits>,
    ) {
        match *self {}
    }
}
