//! Work on numbered items, on all threads that the machine has.

use std::num::NonZero;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

/// Calls `each` for the items `0 … count − 1`, which are handed to threads `block` at a time. A thread begins
/// with a state that `begin` makes, and takes a new one after an item that failed; `end` makes the thread's
/// result from its last state.
///
/// Returns the results of all threads, and the failures with their items, ascending. With `stop`, no more
/// items are handed out after a failure. Items are handed out in ascending order, and those before the
/// failure are finished, so the first failure does not depend on the threads.
pub fn run<S, R: Send, E: Send>(
    count: u32,
    block: u32,
    stop: bool,
    begin: impl Fn() -> S + Sync,
    each: impl Fn(&mut S, u32) -> Result<(), E> + Sync,
    end: impl Fn(S) -> R + Sync,
) -> (Vec<R>, Vec<(u32, E)>) {
    let available = std::thread::available_parallelism().map_or(1, NonZero::get);
    let threads = available.min(count.div_ceil(block) as usize);
    let next = AtomicU32::new(0);
    let failures = Mutex::new(Vec::new());
    let work = || {
        let mut state = begin();
        loop {
            let first = next.fetch_add(block, Ordering::Relaxed);
            if first >= count {
                return end(state);
            }
            for item in first..count.min(first + block) {
                if let Err(failure) = each(&mut state, item) {
                    failures.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push((item, failure));
                    if stop {
                        // No thread gets another block.
                        next.store(count, Ordering::Relaxed);
                        return end(state);
                    }
                    // The state that a failure leaves behind cannot be trusted.
                    state = begin();
                }
            }
        }
    };
    let results = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mine = work();
        let others = others.into_iter().map(|other| match other.join() {
            Ok(found) => found,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        std::iter::once(mine).chain(others).collect()
    });
    let mut failures = failures.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
    failures.sort_by_key(|failure| failure.0);
    (results, failures)
}
