//! Limits of this compiler on the steps that it makes: the maximum number of ports of each kind in one step.

/// Carried values.
pub const CARRIED: u16 = 64;

/// Units.
pub const UNITS: u16 = 48;

/// Reads of the trace.
pub const READS: u16 = 24;

/// Reads of the tables.
pub const LOOKUPS: u16 = 24;

/// Rows appended.
pub const ROWS: u16 = 24;

/// Units that a packet may have prefetched; as many reads, and as many lookups.
pub const PREFETCHED: u16 = 16;
