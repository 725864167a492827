//! What a network was made from, for comparing the two.

use crate::layout::Layout;
use crate::packetize::{Packets, Places};
use crate::schedule::Prefetched;

/// What a network was made from.
pub struct Blueprint {
    /// Where its regions are.
    pub layout: Layout,
    /// The module's functions, in its order.
    pub functions: Vec<Lowered>,
}

/// A function as it was lowered.
pub struct Lowered {
    /// Its packets.
    pub packets: Packets,
    /// Where its values are between them.
    pub places: Places,
    /// What each packet has prefetched.
    pub prefetched: Vec<Prefetched>,
    /// Number of its first packet.
    pub first: u32,
}
