//! Hard attention over an append-only trace, as one scan over the rows.
//!
//! A row with key `k` scores `−(q − k)²` for the query `q`; the sink scores `−½` and has the value
//! 0. The maximum wins, and ties go to the latest row. Keys and queries are integers of magnitude at
//! most 2^53, so `q − k` is exact when it matters: an equal key scores 0, any other at most −1. The
//! scan goes backwards from the latest row, in blocks. It stops at the first score above the sink's, as
//! no other row can beat that.
//!
//! The algorithm is written once; it is compiled for each instruction set, where the compiler turns
//! the loop over a block into vector instructions.

/// Score of the sink, which wins if no key equals the query.
const SINK: f64 = -0.5;

/// Number of rows scored at once.
const BLOCK: usize = 64;

/// Returns the score of a row.
#[inline(always)]
fn score(query: f64, key: f64) -> f64 {
    let distance = query - key;
    -(distance * distance)
}

/// Returns the index of the row that wins, or `None` if the sink wins.
#[inline(always)]
fn winner_of(query: f64, keys: &[f64]) -> Option<usize> {
    let latest = |block: &[f64]| block.iter().rposition(|key| score(query, *key) > SINK);
    let (blocks, rest) = keys.as_chunks::<BLOCK>();
    let aligned = keys.len() - rest.len();
    if let Some(i) = latest(rest) {
        return Some(aligned + i);
    }
    for (b, block) in blocks.iter().enumerate().rev() {
        let mut best = f64::NEG_INFINITY;
        for key in block {
            let score = score(query, *key);
            best = if score > best { score } else { best };
        }
        if best > SINK {
            return latest(block).map(|i| b * BLOCK + i);
        }
    }
    None
}

/// The scan, compiled for the machine that it runs on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attention {
    winner: unsafe fn(f64, &[f64]) -> Option<usize>,
}

fn winner_scalar(query: f64, keys: &[f64]) -> Option<usize> {
    winner_of(query, keys)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn winner_avx2(query: f64, keys: &[f64]) -> Option<usize> {
    winner_of(query, keys)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn winner_avx512(query: f64, keys: &[f64]) -> Option<usize> {
    winner_of(query, keys)
}

impl Attention {
    /// Returns the scan that runs on any machine.
    pub(crate) fn scalar() -> Self {
        Attention { winner: winner_scalar }
    }

    /// Returns the scans that this machine can run, the fastest last.
    pub(crate) fn available() -> Vec<Self> {
        #[cfg_attr(
            not(target_arch = "x86_64"),
            expect(unused_mut, reason = "other machines have only one scan")
        )]
        let mut all = vec![Self::scalar()];
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") {
                all.push(Attention { winner: winner_avx2 });
            }
            if is_x86_feature_detected!("avx512f") {
                all.push(Attention { winner: winner_avx512 });
            }
        }
        all
    }

    /// Returns the fastest scan for this machine.
    pub(crate) fn detect() -> Self {
        Self::available().pop().unwrap_or(Self::scalar())
    }

    /// Returns the index of the row that wins, or `None` if the sink wins.
    pub(crate) fn winner(self, query: f64, keys: &[f64]) -> Option<usize> {
        // Safety: the functions have no precondition but the features of their instruction set, and
        // `available` takes only those that were detected.
        unsafe { (self.winner)(query, keys) }
    }
}

#[cfg(test)]
mod tests;
