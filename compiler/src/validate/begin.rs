//! What a packet begins with: where the packets before it put its values, and what they made for it in ports.

use super::slots::Slots;
use crate::blueprint::Lowered;
use crate::ir::Value;
use crate::layout::ARGUMENT_FIELDS;
use crate::packetize::{EntryKind, Place};
use crate::schedule::Prefetched;
use rustc_hash::FxHashSet;
use smallvec::SmallVec;
use wasm2onnx_runtime::{Domain, ExpertId, Field, FieldKind, Interval, Network};

/// What a field or a slot holds when a packet begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// The frame pointer.
    FramePointer,
    /// The parameter with that index.
    Param(usize),
    /// A value that was made before and is still alive.
    Live(Value),
}

/// How a packet begins.
pub struct Begin<'a> {
    /// Its experts.
    pub experts: std::ops::Range<ExpertId>,
    /// Carried fields that it is declared to begin with, what they hold, and where they lie.
    pub fields: Vec<(Field, Holds, Interval)>,
    /// Slots of the frame that hold its parameters and the values that it uses.
    pub slots: Vec<(u32, Holds)>,
    /// Values that it makes and that later packets find in slots.
    pub made: Vec<(u32, Value)>,
    /// Fields that only prefetched ports depend on.
    pub hidden: SmallVec<[(Field, Holds, Interval); 2]>,
    pub prefetched: &'a Prefetched,
    /// Fields of the same ports in the network.
    pub ports: Vec<Field>,
}

impl<'a> Begin<'a> {
    /// Finds how packet `index` of a function begins.
    ///
    /// # Errors
    ///
    /// What the packet is declared to begin with or uses, but is not handed over.
    pub fn new(
        network: &Network,
        lowered: &'a Lowered,
        slots: &Slots,
        index: usize,
    ) -> Result<Begin<'a>, String> {
        let (packets, places) = (&lowered.packets, &lowered.places);
        let packet = &packets.packets[index];
        let experts = network.experts_of(lowered.first as usize + index);
        let mut places_of: Vec<(Place, Holds)> = vec![(Place::Field(0), Holds::FramePointer)];
        for (i, param) in packet.params.iter().enumerate() {
            let frame = places.slots.max(1);
            let place = match packet.entry {
                EntryKind::Normal | EntryKind::Switched => places.of_param(*param),
                EntryKind::Function => Some(handed_over(i, 0)),
                EntryKind::Landing => Some(handed_over(i, frame)),
            };
            places_of.extend(place.map(|place| (place, Holds::Param(i))));
        }
        let mut in_slots = places_of.iter().filter_map(|(place, _)| slot_of(*place));
        if let Some(slot) = in_slots.find(|slot| slots.at(index as u32, *slot).is_some()) {
            return Err(format!("slot {slot} is a parameter's and another value's"));
        }
        for value in &places.live_fields[index] {
            places_of.push((places.of[value], Holds::Live(*value)));
        }
        let made: FxHashSet<Value> = packet.made().collect();
        let used: FxHashSet<Value> = packet.used().filter(|value| !made.contains(value)).collect();
        for value in used {
            let Some(place @ Place::Slot(slot)) = places.of.get(&value).copied() else { continue };
            if slots.at(index as u32, slot) != Some(value) {
                return Err(format!("it uses {value}, which is not in slot {slot}"));
            }
            places_of.push((place, Holds::Live(value)));
        }
        let holds = |field: Field| {
            let place = Place::Field(field);
            places_of.iter().find(|p| p.0 == place).map(|p| p.1).ok_or_else(|| {
                format!("it is declared to begin with field {field}, in which nothing is handed over")
            })
        };
        let mut fields = Vec::new();
        for (field, domain) in network.certificate.fields(experts.start) {
            if let ((FieldKind::S, _), Domain::Interval(interval)) = (network.ports.kind(field), domain) {
                fields.push((field, holds(field)?, interval));
            }
        }
        let prefetched = &lowered.prefetched[index];
        let mut hidden = SmallVec::new();
        for (field, range) in &prefetched.inputs {
            if !fields.iter().any(|f| f.0 == *field) {
                hidden.push((*field, holds(*field)?, Interval::new(range.lo, range.hi)));
            }
        }
        let mut made: Vec<(u32, Value)> =
            made.into_iter().filter_map(|value| Some((slot_of(*places.of.get(&value)?)?, value))).collect();
        made.sort_unstable();
        let mut slots: Vec<(u32, Holds)> =
            places_of.iter().filter_map(|(place, holds)| Some((slot_of(*place)?, *holds))).collect();
        slots.sort_by_key(|(slot, _)| *slot);
        Ok(Begin {
            experts,
            fields,
            slots,
            made,
            hidden,
            prefetched,
            ports: prefetched.ports.iter().map(|port| port.0.resolve(&network.ports)).collect(),
        })
    }
}

fn slot_of(place: Place) -> Option<u32> {
    match place {
        Place::Slot(slot) => Some(slot),
        Place::Field(_) => None,
    }
}

/// Returns ⌊relu(gate)⌋.
pub fn quantized(gate: f64) -> f64 {
    if gate < 9e15 { (gate.max(0.0) as i64) as f64 } else { gate.floor() }
}

/// Returns the place of word `i` of arguments or results: a field, or one of the slots of the frame from slot
/// `base` on.
pub fn handed_over(i: usize, base: u32) -> Place {
    match i.checked_sub(ARGUMENT_FIELDS.into()) {
        None => Place::Field(1 + i as u16),
        Some(slot) => Place::Slot(base + slot as u32),
    }
}
