//! How far inputs get: a target whose inputs are all turned away at the door finds nothing, and looks well.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts of the inputs that came so far, by what they came to.
pub struct Gates<const N: usize> {
    names: [&'static str; N],
    counts: [AtomicU64; N],
}

/// What prints the counts of the one target that a process is.
static PRINT: OnceLock<Box<dyn Fn() + Send + Sync>> = OnceLock::new();

unsafe extern "C" {
    /// Of the C library: what is to be called when the process exits.
    safe fn atexit(callback: extern "C" fn()) -> i32;
}

extern "C" fn at_exit() {
    PRINT.get().into_iter().for_each(|print| print());
}

impl<const N: usize> Gates<N> {
    /// Gates of those names, the first of which every input passes.
    pub const fn new(names: [&'static str; N]) -> Self {
        Gates { names, counts: [const { AtomicU64::new(0) }; N] }
    }

    /// Notes that the input at hand has come there. The counts are printed when the process exits, which libFuzzer does at
    /// the end of a campaign.
    pub fn pass(&'static self, gate: usize) {
        self.counts[gate].fetch_add(1, Ordering::Relaxed);
        PRINT.get_or_init(|| {
            atexit(at_exit);
            Box::new(|| self.print())
        });
    }

    fn print(&self) {
        let count = |gate: usize| self.counts[gate].load(Ordering::Relaxed);
        let all = count(0).max(1) as f64;
        for (gate, name) in self.names.iter().enumerate() {
            eprintln!("gate: {name}: {} ({:.1} %)", count(gate), 100.0 * count(gate) as f64 / all);
        }
    }
}
