//! Counts how far inputs get: a target that rejects all of its inputs at once finds nothing, and looks
//! healthy.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// For each gate, the number of inputs that have reached it.
pub struct Gates<const N: usize> {
    names: [&'static str; N],
    counts: [AtomicU64; N],
}

/// Prints the counts of the target; a process runs only one.
static PRINT: OnceLock<Box<dyn Fn() + Send + Sync>> = OnceLock::new();

unsafe extern "C" {
    /// A function of the C library that registers a callback for the exit of the process.
    safe fn atexit(callback: extern "C" fn()) -> i32;
}

extern "C" fn at_exit() {
    PRINT.get().into_iter().for_each(|print| print());
}

impl<const N: usize> Gates<N> {
    /// Makes gates with these names. Every input passes the first one.
    pub const fn new(names: [&'static str; N]) -> Self {
        Gates { names, counts: [const { AtomicU64::new(0) }; N] }
    }

    /// Counts that the current input has reached a gate. The counts are printed when the process exits, as it
    /// does at the end of a libFuzzer campaign.
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
