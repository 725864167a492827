//! All implementation limits of the executors.

/// Keys are exact in a float64, so no region may end above this key.
pub const MAX_KEY: u64 = MAX_EXACT;

/// Every integer of at most that magnitude is a float64.
pub const MAX_EXACT: u64 = 1 << 53;

/// Bytes of a page of memory.
pub const PAGE_BYTES: u64 = 1 << 16;

/// Largest sum of the key counts of all regions: of memory of 4 GiB, and as much again.
///
/// Cells are mapped, not allocated, so this bounds address space.
pub const MAX_CELLS: u64 = 1 << 33;

/// Most keys of the region of standard input or output: the host holds that many bytes at once. A little more than
/// what the compiler lets into one.
pub const MAX_STREAM: u64 = (1 << 30) + (1 << 10);

/// Most regions of a network: their indices are held in 16 bits.
pub const MAX_REGIONS: usize = u16::MAX as usize;

/// Most fields of `z`, `e` included, and most elements of `y`: their indices are held in 16 bits.
pub const MAX_FIELDS: usize = u16::MAX as usize;

/// Most experts, and most entries of all frozen tables together: their indices are held in 32 bits, and
/// the last number is left free.
pub const MAX_INDICES: usize = u32::MAX as usize - 1;

/// Most fields of `z` of a network that machine code is generated for. The work of generating it, and
/// the stack frame of the code, grow with them; the compiler makes networks of less than half as many.
#[cfg(feature = "jit")]
pub const MAX_COMPILED_FIELDS: usize = 512;

/// Longest chain of steps that machine code does without asking how many are left to run.
pub const MAX_CHAIN: usize = 64;

/// Terms of the rows of a native function, about: no expert is added to one that has more.
#[cfg(feature = "jit")]
pub const MAX_COMPILED_TERMS: usize = 1 << 16;

/// Largest stack frame of a native function, in bytes. One that would need more is never entered.
#[cfg(feature = "jit")]
pub const MAX_FRAME: u32 = 64 << 10;

/// Most steps of a run between two calls of a progress callback.
pub const MAX_SLICE_STEPS: u64 = 1 << 20;

/// The steps of a slice of a run whose output is shown as it goes, at first and at least: a slice takes
/// a twentieth of a second or so, however slow a step is.
pub const MIN_SLICE_STEPS: u64 = 1 << 8;

/// Most steps that are done one by one to get to the end of a token.
pub const TOKEN_STEPS: u64 = 1 << 8;

/// Largest number of terms, besides the constant, of an `e` row whose possible sums are enumerated
/// to find the experts that it can lead to.
pub const MAX_BRANCH_TERMS: usize = 6;
