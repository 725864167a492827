//! Which values cross packets, and where: in a carried field of z, or in a row of the frame.
//!
//! A value has one place for all its life, so that carrying it costs nothing. A value that lives across a
//! call is in the frame, because the callee uses all fields; so is a value for which no field is free. Two
//! values that are alive at the end of one packet, in whatever packet may follow, have different places.

#[cfg(test)]
mod tests;

use super::{EntryKind, Packets};
use crate::ir::Value;
use crate::stack::MAX_FRAME;
use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;

/// Where a value that crosses packets is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    /// A carried field.
    Field(u16),
    /// A slot of the frame.
    Slot(u32),
}

/// Places of all values that cross packets.
#[derive(Debug, Default)]
pub struct Places {
    /// Where a value is; values that do not cross are missing.
    pub of: FxHashMap<Value, Place>,
    /// Parameters that are handed over in another place, each with a value of its own for what is handed
    /// over.
    handed_over: FxHashMap<Value, Value>,
    /// For each packet, what it needs in fields from the packets before, parameters not included.
    pub live_fields: Vec<Vec<Value>>,
    /// For each value in a slot, the packets that need it from packets before. There may be as many values in
    /// the frame as there are packets, each of them needed in most: a list for each packet would be
    /// quadratic.
    pub live_slots: FxHashMap<Value, Spans>,
    /// Number of frame slots.
    pub slots: u32,
}

impl Places {
    /// Returns where a parameter is handed over.
    pub fn of_param(&self, param: Value) -> Option<Place> {
        self.of.get(self.handed_over.get(&param).unwrap_or(&param)).copied()
    }

    /// Returns the slot of a value, if it is in one and the packet needs it from packets before.
    pub fn slot_into(&self, value: Value, packet: u32) -> Option<u32> {
        match self.of.get(&value)? {
            Place::Slot(slot) => self.live_slots.get(&value)?.contains(packet).then_some(*slot),
            Place::Field(_) => None,
        }
    }
}

/// Packets, as ranges: most values are alive in a few runs of packets.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Spans(SmallVec<[(u32, u32); 1]>);

impl Spans {
    /// Makes ranges of packets that are given in any order, each once.
    fn of(packets: &mut [u32]) -> Spans {
        packets.sort_unstable();
        let mut spans: SmallVec<[(u32, u32); 1]> = SmallVec::new();
        for &packet in &*packets {
            match spans.last_mut() {
                Some((_, end)) if *end == packet => *end += 1,
                _ => spans.push((packet, packet + 1)),
            }
        }
        spans.shrink_to_fit();
        Spans(spans)
    }

    /// Returns whether a packet is among them.
    pub fn contains(&self, packet: u32) -> bool {
        let after = self.0.partition_point(|(first, _)| *first <= packet);
        after > 0 && packet < self.0[after - 1].1
    }

    /// Returns all packets but one.
    #[cfg(test)]
    pub fn without(&self, packet: u32) -> Spans {
        let mut packets: Vec<u32> = self.iter().flat_map(|(first, end)| first..end).collect();
        packets.retain(|p| *p != packet);
        Spans::of(&mut packets)
    }

    /// Returns the first packet of each range and the one after its last, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (u32, u32)> {
        self.0.iter().copied()
    }
}

/// First field for values: field 0 is the frame pointer.
const FIRST_FIELD: u16 = 1;

/// Finds places. `fields` is the number of carried fields for them; the first `reserved_slots` slots of the
/// frame are taken. If it turns out early that more than [`MAX_FRAME`] slots are needed, only the number of
/// slots is set, to the smallest that it can be.
///
/// The points of a value are found when they are asked for, and not kept for all values: many values may be
/// alive at many points.
pub fn run(packets: &Packets, fields: u16, reserved_slots: u32) -> Places {
    let fields = u32::from(fields - FIRST_FIELD);
    let mut liveness = Liveness::new(packets);
    // First points of values: the order in which values get their places.
    let mut order: Vec<(u32, Value)> = Vec::new();
    let mut in_frame: FxHashSet<Value> = FxHashSet::default();
    let mut passed_twice: FxHashSet<Value> = FxHashSet::default();
    let mut alive = vec![0; packets.packets.len()];
    for value in liveness.values(packets) {
        if liveness.find(value) {
            passed_twice.insert(value);
        }
        if liveness.live.iter().any(|i| packets.packets[*i as usize].entry == EntryKind::Landing) {
            in_frame.insert(value);
        }
        order.extend(liveness.points.iter().min().map(|first| (*first, value)));
        for &point in &liveness.points {
            alive[point as usize] += 1;
            let slots = reserved_slots + u32::saturating_sub(alive[point as usize], fields);
            if slots > MAX_FRAME {
                return Places { slots, ..Places::default() };
            }
        }
    }
    let handed_over = handed_over(packets, &passed_twice);
    for (param, value) in &handed_over {
        order.extend(liveness.handed_over(*param).iter().min().map(|first| (*first, *value)));
    }
    let params: FxHashMap<Value, Value> = handed_over.iter().map(|(param, value)| (*value, *param)).collect();
    order.sort_unstable();
    let mut places = Places { handed_over, slots: reserved_slots, ..Places::default() };
    places.live_fields.resize(packets.packets.len(), Vec::new());
    let mut used_fields = vec![0u64; packets.packets.len()];
    let mut used_slots = Slots::new(packets.packets.len());
    for (_, value) in order {
        let points = match params.get(&value) {
            Some(param) => liveness.handed_over(*param),
            None => {
                liveness.find(value);
                &liveness.points[..]
            }
        };
        let mut free = fields;
        if !in_frame.contains(&value) {
            let all = (1 << fields) - 1;
            let mut used = 0;
            for point in points {
                used |= used_fields[*point as usize];
                if used == all {
                    break;
                }
            }
            free = (!used).trailing_zeros();
        }
        if free < fields {
            points.iter().for_each(|point| used_fields[*point as usize] |= 1 << free);
            places.of.insert(value, Place::Field(FIRST_FIELD + free as u16));
        } else {
            let slot = reserved_slots + used_slots.take(points);
            places.slots = places.slots.max(slot + 1);
            places.of.insert(value, Place::Slot(slot));
        }
        if params.contains_key(&value) {
            continue;
        }
        match places.of[&value] {
            Place::Field(_) => liveness.live.iter().for_each(|i| places.live_fields[*i as usize].push(value)),
            Place::Slot(_) => drop(places.live_slots.insert(value, Spans::of(&mut liveness.live))),
        }
    }
    for values in &mut places.live_fields {
        values.sort_unstable();
        values.shrink_to_fit();
    }
    places
}

/// Returns the parameters that need a second place, with the values that stand for what is handed over.
/// `passed_twice` are those that live on besides being handed over.
fn handed_over(packets: &Packets, passed_twice: &FxHashSet<Value>) -> FxHashMap<Value, Value> {
    let list = &packets.packets;
    let mut result = FxHashMap::default();
    if passed_twice.is_empty() {
        return result;
    }
    let mut next = packets.values;
    for param in list.iter().flat_map(|p| p.term.targets()).flat_map(|t| &list[t.packet as usize].params) {
        if passed_twice.contains(param) {
            result.entry(*param).or_insert_with(|| {
                next += 1;
                Value::from_u32(next - 1)
            });
        }
    }
    result
}

/// Slots that are taken at each point: for each 64 points, a list of masks, one for each slot.
struct Slots {
    taken: Vec<Vec<u64>>,
    /// The points of the value at hand, as masks; the indices of those that are not 0 are in `words`.
    masks: Vec<u64>,
    words: Vec<usize>,
}

impl Slots {
    fn new(points: usize) -> Slots {
        let lists = points.div_ceil(64);
        Slots { taken: vec![Vec::new(); lists], masks: vec![0; lists], words: Vec::new() }
    }

    /// Takes the first slot that is free at all points.
    fn take(&mut self, points: &[u32]) -> u32 {
        for point in points {
            let word = *point as usize / 64;
            if self.masks[word] == 0 {
                self.words.push(word);
            }
            self.masks[word] |= 1 << (point % 64);
        }
        // The longest list first: what is not free is mostly not free there.
        let fullest =
            (0..self.words.len()).max_by_key(|i| self.taken[self.words[*i]].len()).expect("a point");
        self.words.swap(0, fullest);
        let is_free = |word: &usize, slot: usize| {
            self.taken[*word].get(slot).is_none_or(|mask| mask & self.masks[*word] == 0)
        };
        let slot =
            (0..).find(|slot| self.words.iter().all(|word| is_free(word, *slot))).expect("one is free");
        for word in self.words.drain(..) {
            let taken = &mut self.taken[word];
            if taken.len() <= slot {
                taken.resize(slot + 1, 0);
            }
            taken[slot] |= std::mem::take(&mut self.masks[word]);
        }
        slot as u32
    }
}

/// Where values are alive, found for one value at a time.
struct Liveness {
    /// Packets before each packet; before a landing, the call is among them.
    predecessors: Vec<SmallVec<[u32; 2]>>,
    /// The packet where each value is made.
    home: FxHashMap<Value, u32>,
    /// The packets where each value is used but not made.
    uses: FxHashMap<Value, SmallVec<[u32; 4]>>,
    /// Parameters that jumps hand over.
    params: FxHashSet<Value>,
    /// Packets at whose beginning the value at hand is alive: they use it or pass it on but do not make it.
    live: Vec<u32>,
    /// Packets at whose end it is alive.
    points: Vec<u32>,
    /// For each packet, for which value (by `round`) it was last put into these lists.
    live_for: Vec<u32>,
    point_for: Vec<u32>,
    round: u32,
}

impl Liveness {
    fn new(packets: &Packets) -> Liveness {
        let list = &packets.packets;
        let mut predecessors: Vec<SmallVec<[u32; 2]>> = vec![SmallVec::new(); list.len()];
        let mut home: FxHashMap<Value, u32> = FxHashMap::default();
        let mut made_anew: FxHashMap<Value, SmallVec<[u32; 2]>> = FxHashMap::default();
        let mut params = FxHashSet::default();
        for (i, packet) in list.iter().enumerate() {
            for next in packet.term.targets().map(|target| target.packet).chain(packet.term.landing()) {
                predecessors[next as usize].push(i as u32);
            }
            if matches!(packet.entry, EntryKind::Normal | EntryKind::Switched) {
                params.extend(packet.params.iter().copied());
            }
            for v in packet.made() {
                if *home.entry(v).or_insert(i as u32) != i as u32 {
                    made_anew.entry(v).or_default().push(i as u32);
                }
            }
        }
        let mut uses: FxHashMap<Value, SmallVec<[u32; 4]>> = FxHashMap::default();
        for (i, packet) in list.iter().enumerate() {
            let i = i as u32;
            for v in packet.used() {
                let is_made = home.get(&v) == Some(&i) || made_anew.get(&v).is_some_and(|l| l.contains(&i));
                if packets.constants.contains_key(&v) || is_made {
                    continue;
                }
                let list = uses.entry(v).or_default();
                if list.last() != Some(&i) {
                    list.push(i);
                }
            }
        }
        Liveness {
            predecessors,
            home,
            uses,
            params,
            live: Vec::new(),
            points: Vec::new(),
            live_for: vec![0; list.len()],
            point_for: vec![0; list.len()],
            round: 0,
        }
    }

    /// Returns the values that cross packets.
    fn values(&self, packets: &Packets) -> Vec<Value> {
        let made = packets.packets.iter().flat_map(|packet| packet.made());
        let mut values: Vec<Value> =
            made.filter(|value| self.uses.contains_key(value) || self.params.contains(value)).collect();
        values.sort_unstable();
        values.dedup();
        values
    }

    /// Finds the packets that a value is alive in. Returns whether it is a parameter that is alive where it
    /// is handed over: it is then handed over in a place other than its own.
    fn find(&mut self, value: Value) -> bool {
        self.round += 1;
        self.live.clear();
        self.points.clear();
        let home = self.home[&value];
        let is_new =
            |marks: &mut [u32], i: u32| std::mem::replace(&mut marks[i as usize], self.round) != self.round;
        for i in self.uses.get(&value).into_iter().flatten() {
            if *i != home && is_new(&mut self.live_for, *i) {
                self.live.push(*i);
            }
        }
        let mut next = 0;
        while let Some(&i) = self.live.get(next) {
            next += 1;
            debug_assert!(!self.predecessors[i as usize].is_empty(), "{value} is used without a definition");
            for &before in &self.predecessors[i as usize] {
                if is_new(&mut self.point_for, before) {
                    self.points.push(before);
                    if before != home && is_new(&mut self.live_for, before) {
                        self.live.push(before);
                    }
                }
            }
        }
        if !self.params.contains(&value) {
            return false;
        }
        let jumps = &self.predecessors[home as usize];
        if jumps.iter().any(|i| self.point_for[*i as usize] == self.round) {
            return true;
        }
        self.points.extend_from_slice(jumps);
        self.points.sort_unstable();
        self.points.dedup();
        false
    }

    /// Returns the packets that hand over a parameter.
    fn handed_over(&self, param: Value) -> &[u32] {
        &self.predecessors[self.home[&param] as usize]
    }
}
