//! Which value each slot of the frame holds at the beginning of each packet.
//!
//! There may be as many values in a frame as a function has packets, and each of them may be alive in most
//! packets. So what a packet leaves alone is not looked at packet by packet. Instead, this module shows once
//! for each function that a value that a packet finds in a slot was already there in the packets before it,
//! or was made by them, and that no two values share a slot. Then a packet is right if the values that it
//! makes are in their slots, and if it changes no other slot that holds a value.

use crate::ir::Value;
use crate::packetize::{Packets, Place, Places};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

/// The values of a function that are in slots.
pub struct Slots {
    /// For each slot, the packets that begin with a value in it, as ranges: first packet, packet after the
    /// last, value.
    values: Vec<Vec<(u32, u32, Value)>>,
}

impl Slots {
    /// Finds the values of a function that are in slots.
    ///
    /// # Errors
    ///
    /// A packet, and which value it does not find, or finds where another value is.
    pub fn new(packets: &Packets, places: &Places) -> Result<Slots, (usize, String)> {
        let list = &packets.packets;
        let mut before: Vec<SmallVec<[u32; 2]>> = vec![SmallVec::new(); list.len()];
        let mut makers: FxHashMap<Value, SmallVec<[u32; 1]>> = FxHashMap::default();
        for (i, packet) in list.iter().enumerate() {
            for next in packet.term.targets().map(|target| target.packet).chain(packet.term.landing()) {
                before[next as usize].push(i as u32);
            }
            for value in packet.made() {
                if places.live_slots.contains_key(&value) {
                    makers.entry(value).or_default().push(i as u32);
                }
            }
        }
        // For each packet, the last value so far that is alive in it.
        let mut alive: Vec<Option<Value>> = vec![None; list.len()];
        let mut slots = Slots { values: vec![Vec::new(); places.slots as usize] };
        for (&value, spans) in &places.live_slots {
            let first = spans.iter().next().map_or(0, |(first, _)| first as usize);
            let Some(&Place::Slot(slot)) = places.of.get(&value) else {
                return Err((first, format!("{value} is in the frame, but not in a slot")));
            };
            let Some(values) = slots.values.get_mut(slot as usize) else {
                return Err((
                    first,
                    format!("slot {slot} of {value} is behind the frame, where callees write"),
                ));
            };
            for (first, end) in spans.iter() {
                values.push((first, end, value));
                alive[first as usize..end as usize].fill(Some(value));
            }
            let makers = makers.get(&value).map_or(&[][..], |list| list);
            let is_there = |i: &u32| alive[*i as usize] == Some(value) || makers.contains(i);
            for packet in spans.iter().flat_map(|(first, end)| first..end) {
                if !before[packet as usize].iter().all(is_there) {
                    return Err((packet as usize, format!("{value} is in no slot of a packet before")));
                }
            }
        }
        for (slot, values) in slots.values.iter_mut().enumerate() {
            values.sort_unstable();
            if let Some(pair) = values.windows(2).find(|pair| pair[1].0 < pair[0].1) {
                return Err((
                    pair[1].0 as usize,
                    format!("{} and {} are both in slot {slot}", pair[0].2, pair[1].2),
                ));
            }
        }
        Ok(slots)
    }

    /// Returns the value that a slot holds when a packet begins.
    pub fn at(&self, packet: u32, slot: u32) -> Option<Value> {
        let values = self.values.get(slot as usize)?;
        let after = values.partition_point(|(first, ..)| *first <= packet);
        let (_, end, value) = values[after.checked_sub(1)?];
        (packet < end).then_some(value)
    }
}
