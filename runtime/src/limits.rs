//! All implementation limits of the executors.

/// No region may end above this key, so that keys are exact in a float64.
pub const MAX_KEY: u64 = MAX_EXACT;

/// Every integer of at most this magnitude is a float64.
pub const MAX_EXACT: u64 = 1 << 53;

/// Number of bytes of a page of memory.
pub const PAGE_BYTES: u64 = 1 << 16;

/// Maximum sum of the key counts of all regions: enough for a memory of 4 GiB, and as much again.
///
/// Cells are mapped, not allocated, so this bounds address space.
pub const MAX_CELLS: u64 = 1 << 33;

/// Maximum number of keys of the region of standard input or output, as the host may hold that many bytes at
/// once. This is a little more than the compiler allows for such a region.
pub const MAX_STREAM: u64 = (1 << 30) + (1 << 10);

/// Maximum number of regions of a network, as their indices are held in 16 bits.
pub const MAX_REGIONS: usize = u16::MAX as usize;

/// Maximum number of fields of `z`, `e` included, and of elements of `y`, as their indices are held in 16
/// bits.
pub const MAX_FIELDS: usize = u16::MAX as usize;

/// Maximum number of experts, and of entries of all frozen tables together, as their indices are held in 32
/// bits. The largest number is left free.
pub const MAX_INDICES: usize = u32::MAX as usize - 1;

/// Maximum number of fields of `z` of a network that machine code is generated for. The work of generating
/// code and the stack frame of the code grow with the number of fields; the compiler makes networks with
/// less than half as many.
#[cfg(feature = "jit")]
pub const MAX_COMPILED_FIELDS: usize = 512;

/// Maximum length of a chain of steps, which machine code evaluates without checking how many are left to
/// run.
pub const MAX_CHAIN: usize = 64;

/// Approximate maximum number of terms of the equations of a native function: no expert is added to a
/// function that has more.
#[cfg(feature = "jit")]
pub const MAX_COMPILED_TERMS: usize = 1 << 16;

/// Maximum size of the stack frame of a native function, in bytes. A function that needs more is never
/// entered.
#[cfg(feature = "jit")]
pub const MAX_FRAME: u32 = 64 << 10;

/// Maximum number of steps of a run between two calls of a progress callback.
pub const MAX_SLICE_STEPS: u64 = 1 << 20;

/// Initial and minimum number of steps of a slice of a run whose output is written while it runs. The number
/// is adapted so that a slice takes about a twentieth of a second, however slow a step is.
pub const MIN_SLICE_STEPS: u64 = 1 << 8;

/// Maximum number of steps that are evaluated one by one to reach the end of a packet.
pub const PACKET_STEPS: u64 = 1 << 8;

/// Maximum number of terms, besides the constant, of an equation for `e` whose possible sums are enumerated
/// to find the experts that it can lead to.
pub const MAX_BRANCH_TERMS: usize = 6;
