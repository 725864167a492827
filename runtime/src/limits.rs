//! All implementation limits of the executors.

/// Keys are exact in a float64, so no region may end above this key.
pub const MAX_KEY: u64 = 1 << 53;

/// Largest sum of the key counts of all regions: of memory of 4 GiB, and as much again.
///
/// Cells are mapped, not allocated, so this bounds address space.
pub const MAX_CELLS: u64 = 1 << 33;

/// Steps between two calls of a progress callback.
pub const PROGRESS_STEPS: u64 = 1 << 20;

/// Largest number of terms, besides the constant, of an `e` row whose possible sums are enumerated
/// to find the experts that it can lead to.
pub const MAX_BRANCH_TERMS: usize = 6;
