//! Which values cross packets, and where: in a carried field of z, or in a row of the frame.
//!
//! A value has one place for all its life, so that carrying it costs nothing. What lives across a
//! call is in the frame, because the callee uses all fields; so is what finds no field. Two values
//! that are alive at the end of one packet, in whatever packet may follow, have different places.

use super::{EntryKind, Packets, Term};
use crate::ir::Value;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

/// Where a value that crosses packets is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
    /// Parameters that are handed over elsewhere, as values of their own.
    handed_over: FxHashMap<Value, Value>,
    /// For each packet, what it needs from the packets before, parameters not included.
    pub live_in: Vec<Vec<Value>>,
    /// Number of frame slots.
    pub slots: u32,
}

impl Places {
    /// Where a parameter is handed over.
    pub fn of_param(&self, param: Value) -> Option<Place> {
        self.of.get(self.handed_over.get(&param).unwrap_or(&param)).copied()
    }
}

/// First field for values: field 0 is the frame pointer.
const FIRST_FIELD: u16 = 1;

/// Finds places. `fields` is how many carried fields there are for them; the first
/// `reserved_slots` slots of the frame are taken.
pub fn run(packets: &Packets, fields: u16, reserved_slots: u32) -> Places {
    let live_in = live_in(packets);
    let handed_over = handed_over(packets, &live_in);
    // Points: what is alive together at the end of a packet.
    let mut points: Vec<Vec<Value>> = Vec::with_capacity(packets.packets.len());
    let mut in_frame: FxHashMap<Value, ()> = FxHashMap::default();
    for packet in &packets.packets {
        let mut point = Vec::new();
        for target in packet.term.targets() {
            let next = target.packet as usize;
            point.extend_from_slice(&live_in[next]);
            let params = &packets.packets[next].params;
            point.extend(params.iter().map(|p| handed_over.get(p).unwrap_or(p)));
        }
        if let Term::Call { next, .. } = packet.term {
            point.extend_from_slice(&live_in[next as usize]);
            in_frame.extend(live_in[next as usize].iter().map(|v| (*v, ())));
        }
        point.sort_unstable();
        point.dedup();
        points.push(point);
    }
    let mut at: FxHashMap<Value, SmallVec<[u32; 4]>> = FxHashMap::default();
    for (i, point) in points.iter().enumerate() {
        for v in point {
            at.entry(*v).or_default().push(i as u32);
        }
    }
    let mut places = Places { live_in, handed_over, slots: reserved_slots, ..Places::default() };
    let mut used_fields = vec![0u64; points.len()];
    let mut used_slots: Vec<SmallVec<[u64; 2]>> = vec![SmallVec::new(); points.len()];
    let mut taken: SmallVec<[u64; 8]> = SmallVec::new();
    for point in &points {
        for &v in point {
            if places.of.contains_key(&v) {
                continue;
            }
            let at = &at[&v];
            if !in_frame.contains_key(&v) {
                let used = at.iter().fold(0, |m, &p| m | used_fields[p as usize]);
                let free = (!used).trailing_zeros() as u16;
                if free < fields - FIRST_FIELD {
                    at.iter().for_each(|&p| used_fields[p as usize] |= 1 << free);
                    places.of.insert(v, Place::Field(FIRST_FIELD + free));
                    continue;
                }
            }
            taken.clear();
            for &p in at {
                for (i, word) in used_slots[p as usize].iter().enumerate() {
                    if taken.len() <= i {
                        taken.push(0);
                    }
                    taken[i] |= word;
                }
            }
            let word = taken.iter().position(|w| *w != u64::MAX).unwrap_or(taken.len());
            let bit = taken.get(word).map_or(0, |w| (!w).trailing_zeros());
            for &p in at {
                let used = &mut used_slots[p as usize];
                if used.len() <= word {
                    used.resize(word + 1, 0);
                }
                used[word] |= 1 << bit;
            }
            let slot = reserved_slots + word as u32 * 64 + bit;
            places.slots = places.slots.max(slot + 1);
            places.of.insert(v, Place::Slot(slot));
        }
    }
    places
}

/// Parameters that need a second place, with the values that stand for it.
fn handed_over(packets: &Packets, live_in: &[Vec<Value>]) -> FxHashMap<Value, Value> {
    let list = &packets.packets;
    let mut result = FxHashMap::default();
    let mut next = packets.values;
    for packet in list {
        for target in packet.term.targets() {
            for param in &list[target.packet as usize].params {
                let lives_on = |t: &super::Target| live_in[t.packet as usize].binary_search(param).is_ok();
                if packet.term.targets().any(lives_on) {
                    result.entry(*param).or_insert_with(|| {
                        next += 1;
                        Value::from_u32(next - 1)
                    });
                }
            }
        }
    }
    result
}

/// For each packet the values that it uses or passes on but does not define, ascending.
fn live_in(packets: &Packets) -> Vec<Vec<Value>> {
    let list = &packets.packets;
    let mut predecessors: Vec<SmallVec<[u32; 2]>> = vec![SmallVec::new(); list.len()];
    let mut defined_in: FxHashMap<Value, u32> = FxHashMap::default();
    for (i, packet) in list.iter().enumerate() {
        for target in packet.term.targets() {
            predecessors[target.packet as usize].push(i as u32);
        }
        if let Term::Call { next, .. } = packet.term {
            predecessors[next as usize].push(i as u32);
        }
        for v in packet.params.iter().copied().chain(packet.insts.iter().filter_map(|i| i.result)) {
            defined_in.entry(v).or_insert(i as u32);
        }
    }
    let mut live: Vec<Vec<Value>> = vec![Vec::new(); list.len()];
    let mut uses: FxHashMap<Value, SmallVec<[u32; 4]>> = FxHashMap::default();
    let mut order: Vec<Value> = Vec::new();
    let mut used = |v: Value, i: usize| {
        if packets.constants.contains_key(&v) || defined_in.get(&v) == Some(&(i as u32)) {
            return;
        }
        let list = uses.entry(v).or_insert_with(|| {
            order.push(v);
            SmallVec::new()
        });
        if list.last() != Some(&(i as u32)) {
            list.push(i as u32);
        }
    };
    for (i, packet) in list.iter().enumerate() {
        let defined_here = |v: &Value| packet.insts.iter().any(|inst| inst.result == Some(*v));
        for inst in &packet.insts {
            for v in &inst.args {
                // A table read made anew in a second packet is defined there too.
                if !(defined_in.get(v).is_some_and(|d| *d != i as u32) && defined_here(v)) {
                    used(*v, i);
                }
            }
        }
        match &packet.term {
            Term::Branch { cond, .. } => used(*cond, i),
            Term::Switch { index, .. } => used(*index, i),
            Term::Call { args, .. } | Term::TailCall { args, .. } | Term::Return(args) => {
                args.iter().for_each(|v| used(*v, i))
            }
            _ => {}
        }
        for target in packet.term.targets() {
            target.args.iter().for_each(|v| used(*v, i));
        }
    }
    let mut mark = vec![u32::MAX; list.len()];
    let mut work = Vec::new();
    for (n, v) in order.iter().enumerate() {
        work.extend_from_slice(&uses[v]);
        let home = defined_in[v];
        while let Some(i) = work.pop() {
            if i == home || mark[i as usize] == n as u32 {
                continue;
            }
            mark[i as usize] = n as u32;
            live[i as usize].push(*v);
            debug_assert!(list[i as usize].entry != EntryKind::Function, "{v} is used without a definition");
            work.extend_from_slice(&predecessors[i as usize]);
        }
    }
    for values in &mut live {
        values.sort_unstable();
    }
    live
}
