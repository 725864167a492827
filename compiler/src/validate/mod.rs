//! Translation validation: every packet of the network against the IR packet that it came from.
//!
//! The certificate proves ranges, not function. This phase looks at function: it takes the finished
//! [`Network`] and, for each packet, runs the packet's instructions and the packet's experts from the same
//! states and compares all that anybody can see afterwards (Pnueli, Siegel, Singerman, *Translation
//! Validation*, 1998). It knows nothing of circuits and schedules. What it takes for granted is the IR's packet
//! (`packetize`, itself compared with the function's blocks in [`blocks`]), the conventions of calls, the places of values and the keys of regions (`layout`), and of a packet's
//! entry what the certificate declares.
//!
//! # What is compared
//!
//! - where the packet goes: the next packet, the function that is called, the return address that was read,
//!   or the trap with its site, through the resolver if there is one;
//! - every value that the next packet has a use for, at its place: a carried field, congruent modulo 2^32 and in the
//!   interval that is declared there, or a slot of the frame; arguments, results and the frame pointer;
//! - ports that the next packet has prefetched: it was run with them, so they must be what it was run with;
//! - the rows of memory, globals, tables, output and control: those that the instructions before a trap wrote,
//!   and no others. Nothing below the frame is written.
//! - once for all packets: first rows, entries, the start expert; every entry of each jump table.
//!
//! So a packet is looked at alone, from any state that its entry allows: all packets together are right
//! in every run if each is right in every state. States are drawn, not enumerated: what is rare and not at the
//! edge of anything may be missed.
//!
//! # States
//!
//! [`state`] draws carried fields from their declared intervals and the rest of the trace from what its regions declare,
//! with a liking for edges, equal numbers and small ones. Several runs go side by side. A state in which
//! an instruction's operands break what the IR promises of them (a store that a check in an earlier packet
//! would have kept from happening) tells nothing and is not counted.

mod blocks;
mod source;
mod state;
mod target;
#[cfg(test)]
mod tests;

use crate::backend::{Assembled, Lowered};
use crate::error::{CompileError, ErrorKind};
use crate::ir::{Callee, Func, Module, Value};
use crate::layout::{ARGUMENT_FIELDS, Layout};
use crate::packetize::{EntryKind, Packet, Packets, Place, Target as Jump, Term};
use crate::schedule::{Prefetched, decode};
use smallvec::SmallVec;
use source::{Run, Source};
use state::{Constants, Draw, First, LANES, Lanes, Traces};
use target::Target;
use wasm2onnx_runtime::{
    Domain, ExpertId, Field, FieldKind, Interval, Network, Place as Outside, Terminal, TrapCode, Validated,
};

const TWO32: i64 = 1 << 32;

/// How many times as many states the packets of library routines are compared on.
const ROUTINE: u32 = 8;

/// Rounds of other states for a packet of which no state has come through.
const MORE_ROUNDS: u32 = 24;

/// Compares all packets on at least `states` states each.
///
/// # Errors
///
/// [`ErrorKind::Mismatch`] for the first difference.
pub fn run(
    module: &Module,
    Assembled { network, layout, functions }: &Assembled,
    states: u32,
) -> Result<Validated, CompileError> {
    let entries: Vec<ExpertId> = functions.iter().map(|f| network.packets[f.first as usize].expert).collect();
    let mut first = First::new(network);
    freeze(module, layout, &entries, &mut first);
    boundary(module, layout, &entries, network).map_err(|message| ErrorKind::Mismatch {
        function: None,
        offset: 0,
        message,
    })?;
    let mut total = Validated::default();
    if states == 0 {
        return Ok(total);
    }
    let mut check = Check {
        layout,
        network,
        function_entries: &entries,
        source: Source::new(layout, Traces::new(&first)),
        target: Target::new(network, Traces::new(&first)),
    };
    for (lowered, function) in functions.iter().zip(module.functions.values()) {
        let packets = &lowered.packets;
        check.source.values.clear();
        check.source.values.resize(packets.values as usize, [0; LANES]);
        for (value, word) in &packets.constants {
            check.source.set(*value, [*word; LANES]);
        }
        let frame = lowered.places.slots.max(1);
        // Routines are few, and what they do is seldom seen in a state.
        let wanted = if function.index == u32::MAX { states * ROUTINE } else { states };
        let of_packet = |index: usize| Begin::new(network, lowered, index);
        let begins: Result<Vec<Begin>, (usize, String)> =
            (0..packets.packets.len()).map(|i| of_packet(i).map_err(|message| (i, message))).collect();
        let failed = |packet: usize, message: String| ErrorKind::Mismatch {
            function: Some(function.name.clone()),
            offset: packets.packets[packet].offset(),
            message,
        };
        blocks::compare(function, packets).map_err(|(packet, message)| failed(packet, message))?;
        let begins = begins.map_err(|(packet, message)| failed(packet, message))?;
        let function = Of { packets, begins: &begins, frame };
        for index in 0..begins.len() {
            let counted = check.packet(&function, index, wanted).map_err(|message| failed(index, message))?;
            total.packets += 1;
            total.states += counted;
            total.without += u64::from(counted == 0);
        }
    }
    Ok(total)
}

/// The rows of regions that are frozen: what the tables that do not change call.
fn freeze(module: &Module, layout: &Layout, entries: &[ExpertId], first: &mut First) {
    for (table, data) in &module.tables {
        let keys = layout.tables[table];
        if keys.count == 0 {
            continue;
        }
        first.freeze(keys.functions);
        first.freeze(keys.types);
        for (index, reference) in &data.entries {
            if let Some(func) = module.referenced(*reference) {
                let (index, entry) = (u64::from(*index), entries[func.as_u32() as usize]);
                first.rows.insert(keys.functions + index, entry.into());
                first.rows.insert(keys.types + index, 1.0 + f64::from(module.function_types[func]));
            }
        }
    }
}

/// Compares what is not in packets: first rows, entries, where instance creation begins.
fn boundary(module: &Module, layout: &Layout, entries: &[ExpertId], network: &Network) -> Result<(), String> {
    let mut rows: Vec<(u64, f64)> = vec![(layout.returns, 1.0)];
    let mut frozen = First::new(network);
    freeze(module, layout, entries, &mut frozen);
    rows.extend(frozen.rows);
    rows.extend(module.cells.iter().map(|(cell, data)| (layout.cells[cell].key, data.init.into())));
    for (table, data) in module.tables.iter().filter(|(table, _)| layout.tables[*table].reference_count > 0) {
        let first = layout.tables[table].references;
        rows.extend(data.entries.iter().map(|(i, reference)| (first + u64::from(*i), (*reference).into())));
    }
    let elements = module.passive_elements.iter().map(|word| f64::from(*word));
    rows.extend((layout.elements..).zip(elements).take(layout.element_count as usize));
    let bytes = |bytes: &[u8]| bytes.iter().map(|byte| f64::from(*byte)).collect::<Vec<_>>();
    rows.extend((layout.data..).zip(bytes(&module.passive_data)).take(layout.data_bytes as usize));
    for (address, data) in module.data.iter().filter(|_| layout.memory_bytes > 0) {
        rows.extend((layout.memory + u64::from(*address)..).zip(bytes(data)));
    }
    rows.retain(|row| row.1 != 0.0);
    rows.sort_unstable_by_key(|row| row.0);
    if rows != network.first_rows {
        let differs = rows.iter().zip(&network.first_rows).position(|(a, b)| a != b);
        let at = differs.unwrap_or(rows.len().min(network.first_rows.len()));
        let found = network.first_rows.get(at);
        return Err(format!("first row {at} is {found:?} and should be {:?}", rows.get(at)));
    }
    let start = network.start.map(|e| network.terminals.get(e as usize).copied().ok_or(e));
    let expected = match (module.creation_trap, module.start) {
        (Some(code), _) => Some(Ok(Terminal::Trap { code, function: u32::MAX, offset: 0 })),
        (None, start) => start.map(|func| Err(entries[func.as_u32() as usize])),
    };
    if start != expected {
        return Err(format!("instance creation begins at {start:?} and should at {expected:?}"));
    }
    for (name, func, signature) in &module.exports {
        let words = |types: &[wasm2onnx_runtime::ValueType]| -> Vec<Outside> {
            let words: usize = types.iter().map(|ty| ty.words()).sum();
            let fields = usize::from(ARGUMENT_FIELDS);
            let place = |i: usize| match i.checked_sub(fields) {
                None => Outside::Field(1 + i as u16),
                Some(slot) => Outside::Row(layout.frame + slot as u64),
            };
            (0..words).map(place).collect()
        };
        let Some(entry) = network.entries.get(name) else {
            return Err(format!("export `{name}` is missing"));
        };
        if entry.expert != entries[func.as_u32() as usize]
            || entry.param_places != words(&signature.params)
            || entry.result_places != words(&signature.results)
        {
            return Err(format!("export `{name}` is not where its function is"));
        }
    }
    Ok(())
}

/// What a packet is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holds {
    /// The frame pointer.
    FramePointer,
    /// The parameter with that index.
    Param(usize),
    /// A value that lives on.
    Live(Value),
}

/// How a packet begins.
struct Begin<'a> {
    /// Its experts.
    experts: std::ops::Range<ExpertId>,
    /// Carried fields that it is declared to begin with, what they are, and where they lie.
    fields: Vec<(Field, Holds, Interval)>,
    /// Slots of the frame, and what they are.
    slots: Vec<(u32, Holds)>,
    /// Fields that only prefetched ports depend on.
    hidden: SmallVec<[(Field, Holds, Interval); 2]>,
    prefetched: &'a Prefetched,
    /// The same ports in the network.
    ports: Vec<Field>,
}

impl<'a> Begin<'a> {
    fn new(network: &Network, lowered: &'a Lowered, index: usize) -> Result<Begin<'a>, String> {
        let (packets, places) = (&lowered.packets, &lowered.places);
        let packet = &packets.packets[index];
        let number = lowered.first as usize + index;
        let expert = network.packets[number].expert;
        let end = network.packets.get(number + 1).map_or(network.experts.len() as ExpertId, |p| p.expert);
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
        for value in &places.live_in[index] {
            places_of.push((places.of[value], Holds::Live(*value)));
        }
        let holds = |field: Field| {
            let place = Place::Field(field);
            places_of.iter().find(|p| p.0 == place).map(|p| p.1).ok_or_else(|| {
                format!("it is declared to begin with field {field}, in which nothing is handed over")
            })
        };
        let mut fields = Vec::new();
        for &(field, domain) in network.certificate.fields(expert) {
            if let ((FieldKind::S, _), Domain::Interval(interval)) = (network.ports.kind(field), domain) {
                fields.push((field, holds(field)?, interval));
            }
        }
        let prefetched = &lowered.prefetched[index];
        let mut hidden = SmallVec::new();
        for (field, range) in &prefetched.inputs {
            if !fields.iter().any(|f| f.0 == *field) {
                hidden.push((*field, holds(*field)?, Interval::new(range.lo as i64, range.hi as i64)));
            }
        }
        let slots = places_of.iter().filter_map(|(place, holds)| match place {
            Place::Slot(slot) => Some((*slot, *holds)),
            Place::Field(_) => None,
        });
        let lives_on = |holds| matches!(holds, Holds::Live(_));
        if let Some((slot, _)) = slots.clone().find(|(slot, holds)| lives_on(*holds) && *slot >= places.slots)
        {
            return Err(format!("slot {slot} of a value is behind the frame, where callees write"));
        }
        Ok(Begin {
            experts: expert..end,
            fields,
            slots: slots.collect(),
            hidden,
            prefetched,
            ports: prefetched.ports.iter().map(|port| decode(port.0, &network.ports)).collect(),
        })
    }
}

/// Where word `i` of arguments or results is: in a field, or in the frame from slot `base` on.
fn handed_over(i: usize, base: u32) -> Place {
    match i.checked_sub(ARGUMENT_FIELDS.into()) {
        None => Place::Field(1 + i as u16),
        Some(slot) => Place::Slot(base + slot as u32),
    }
}

/// What the runs of a packet did.
#[derive(Default)]
struct Seen {
    /// States that tell something.
    states: u64,
    /// Runs that got to the packet's end.
    through: u64,
    /// The ways that runs went.
    ways: SmallVec<[Way; 8]>,
}

/// A way through a packet.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// An arm of its branch, or its end if there is none.
    Arm(bool),
    /// A trap at an offset.
    Trap(u32),
}

/// The function that is being compared.
struct Of<'a> {
    packets: &'a Packets,
    begins: &'a [Begin<'a>],
    /// Slots of its own: how far the frames of functions that it calls are.
    frame: u32,
}

struct Check<'a> {
    layout: &'a Layout,
    network: &'a Network,
    function_entries: &'a [ExpertId],
    source: Source<'a>,
    target: Target<'a>,
}

impl Check<'_> {
    /// Compares a packet. Returns on how many states.
    fn packet(&mut self, function: &Of, index: usize, states: u32) -> Result<u64, String> {
        let packet = &function.packets.packets[index];
        let number = function.begins[index].experts.start as usize;
        let mut constants = Constants::default();
        for value in packet.insts.iter().rev().flat_map(|inst| &inst.args) {
            function.packets.constants.get(value).into_iter().for_each(|word| constants.add(*word));
        }
        let sites = packet.insts.iter().filter(|inst| inst.can_trap()).count();
        let ways = sites + if matches!(packet.term, Term::Branch { .. }) { 2 } else { 1 };
        let mut seen = Seen::default();
        let rounds = states.div_ceil(LANES as u32);
        for round in 0.. {
            // Up to twice as many states, as long as there may be more to see; more only to see anything at all.
            let more = match round {
                _ if round < rounds => true,
                _ if round < 2 * rounds => seen.ways.len() < ways || seen.through < u64::from(states) / 2,
                _ if round < 2 * rounds + MORE_ROUNDS => seen.states == 0,
                _ => false,
            };
            if !more {
                break;
            }
            self.round(function, index, Draw::lanes(number, round, constants), &mut seen)?;
        }
        Ok(seen.states)
    }

    fn round(
        &mut self,
        function: &Of,
        index: usize,
        draws: Lanes<Draw>,
        seen: &mut Seen,
    ) -> Result<(), String> {
        let packet = &function.packets.packets[index];
        let begin = &function.begins[index];
        let frame_pointer = self.begin(packet, begin, draws);
        self.source.runs = [Run::Through; LANES];
        if packet.entry == EntryKind::Function && !function.packets.leaf {
            let deep = frame_pointer.map(|fp| fp as u64 > self.layout.stack.limit);
            self.source.trap(TrapCode::CallStackExhausted, packet.offset(), deep);
        }
        for inst in &packet.insts {
            self.source.inst(inst);
        }
        self.control(function, packet, &frame_pointer);
        self.steps(begin)?;
        if let Term::Switch { index, targets } = &packet.term {
            self.jump_table(function, *index, targets)?;
        }
        let mut to_resolver: Option<ExpertId> = None;
        for lane in 0..LANES {
            let fp = frame_pointer[lane] as u64;
            let outcome = match self.source.runs[lane] {
                Run::Impossible => continue,
                Run::Trap(code, offset) => {
                    let expert = self.target.expert[lane] as ExpertId;
                    if self.network.is_terminal(expert) {
                        self.trapped(lane, code, offset)
                    } else {
                        // What the packet left is still to be compared for other runs.
                        to_resolver = Some(expert);
                        Ok(())
                    }
                }
                Run::Through => self.went_on(function, packet, lane, fp),
            };
            let outcome = outcome.and_then(|()| self.rows(lane, fp));
            outcome.map_err(|message| self.in_state(message, packet, begin, lane, &frame_pointer))?;
            seen.states += 1;
            let way = match self.source.runs[lane] {
                Run::Trap(_, offset) => Way::Trap(offset),
                _ => {
                    seen.through += 1;
                    match &packet.term {
                        Term::Branch { cond, .. } => Way::Arm(self.source.value(*cond)[lane] != 0),
                        _ => Way::Arm(true),
                    }
                }
            };
            if !seen.ways.contains(&way) {
                seen.ways.push(way);
            }
        }
        if let Some(resolver) = to_resolver {
            let left = self.target.expert;
            self.resolve(resolver)?;
            for lane in (0..LANES).filter(|lane| left[*lane] == f64::from(resolver)) {
                if let Run::Trap(code, offset) = self.source.runs[lane] {
                    let outcome = self.trapped(lane, code, offset);
                    outcome.map_err(|message| self.in_state(message, packet, begin, lane, &frame_pointer))?;
                }
            }
        }
        Ok(())
    }

    /// The message with what the packet began with.
    fn in_state(
        &self,
        message: String,
        packet: &Packet,
        begin: &Begin,
        lane: usize,
        frame_pointer: &Lanes<f64>,
    ) -> String {
        /// A message with more values than this would be no clearer.
        const SHOWN: usize = 12;
        let values = begin.fields.iter().map(|(_, holds, _)| match holds {
            Holds::FramePointer => format!("the frame pointer {}", frame_pointer[lane]),
            _ => {
                let value = self.holder(packet, *holds);
                format!("{value} = {}", self.source.value(value)[lane])
            }
        });
        let values: Vec<String> = values.take(SHOWN).collect();
        if values.is_empty() { message } else { format!("{message}, with {}", values.join(", ")) }
    }

    /// Sets up both sides. Returns the frame pointers.
    fn begin(&mut self, packet: &Packet, begin: &Begin, draws: Lanes<Draw>) -> Lanes<f64> {
        self.source.traces.reset(draws);
        self.target.traces.reset(draws);
        self.target.enter();
        let mut frame_pointer = [0.0; LANES];
        let mut entry: SmallVec<[(Field, Lanes<f64>); 16]> = SmallVec::new();
        let declared = begin.fields.iter().map(|field| (field, true));
        for (&(field, holds, interval), is_declared) in
            declared.chain(begin.hidden.iter().map(|f| (f, false)))
        {
            let salt = u64::from(field);
            let drawn: Lanes<i64> = match holds {
                Holds::FramePointer => draws.map(|draw| draw.number(salt, interval.lo, interval.hi)),
                _ => draws.map(|draw| draw.word(salt, interval.lo, interval.hi)),
            };
            let numbers = drawn.map(|x| x as f64);
            match holds {
                Holds::FramePointer => frame_pointer = numbers,
                _ => self.source.set(self.holder(packet, holds), drawn.map(|x| x.rem_euclid(TWO32) as u32)),
            }
            if is_declared {
                self.target.set(field, numbers);
            }
            entry.push((field, numbers));
        }
        for &(slot, holds) in &begin.slots {
            let first = self.layout.frame + u64::from(slot);
            let words = std::array::from_fn(|lane| {
                self.source.traces.read(lane, first + frame_pointer[lane] as u64) as u32
            });
            self.source.set(self.holder(packet, holds), words);
        }
        let ports = begin.ports.iter().zip(&begin.prefetched.ports);
        for (&field, (_, terms, constant)) in ports {
            let mut form = [*constant; LANES];
            for (from, weight) in terms {
                let values = entry.iter().find(|e| e.0 == *from).expect("all inputs are there").1;
                for lane in 0..LANES {
                    form[lane] += weight * values[lane];
                }
            }
            if self.network.ports.kind(field).0 == FieldKind::N {
                form = form.map(|gate| gate.max(0.0).floor());
            }
            self.target.set(field, form);
        }
        frame_pointer
    }

    fn holder(&self, packet: &Packet, holds: Holds) -> Value {
        match holds {
            Holds::Param(i) => packet.params[i],
            Holds::Live(value) => value,
            Holds::FramePointer => unreachable!("not a value"),
        }
    }

    /// The rows that a call writes.
    fn control(&mut self, function: &Of, packet: &Packet, frame_pointer: &Lanes<f64>) {
        let Term::Call { next, .. } = packet.term else { return };
        let landing = function.begins[next as usize].experts.start;
        for lane in 0..LANES {
            if self.source.is_running(lane) {
                let callee = frame_pointer[lane] as u64 + u64::from(function.frame);
                let traces = &mut self.source.traces;
                traces.write(lane, self.layout.returns + callee, landing.into());
                traces.write(lane, self.layout.frame_pointers + callee, frame_pointer[lane]);
            }
        }
    }

    /// The network's steps.
    fn steps(&mut self, begin: &Begin) -> Result<(), String> {
        let Some(last) = begin.experts.clone().next_back() else { return Err("it has no expert".into()) };
        for expert in begin.experts.clone() {
            self.target.step(expert);
            if expert != last && self.target.expert != [f64::from(expert + 1); LANES] {
                return Err(format!("expert {expert} does not lead to the next one of its packet"));
            }
        }
        self.target.remember();
        Ok(())
    }

    /// Compares a run that traps: it ends in the terminal expert of the trap's site.
    fn trapped(&self, lane: usize, code: TrapCode, offset: u32) -> Result<(), String> {
        let expert = self.target.expert[lane];
        match self.network.terminals.get(expert as usize) {
            Some(Terminal::Trap { code: c, offset: o, .. }) if (*c, *o) == (code, offset) => Ok(()),
            found => {
                let found = found.map_or_else(|| format!("expert {expert}"), |t| format!("{t:?}"));
                Err(format!("it should trap with {code:?} at offset {offset:#x}, and goes to {found}"))
            }
        }
    }

    /// Goes on through a resolver, from what the packet left, by the network alone.
    fn resolve(&mut self, expert: ExpertId) -> Result<(), String> {
        let packets = &self.network.packets;
        let Ok(number) = packets.binary_search_by_key(&expert, |p| p.expert) else {
            return Err(format!("it should trap, and goes to expert {expert} in the middle of a packet"));
        };
        let end = packets.get(number + 1).map_or(self.network.experts.len() as ExpertId, |p| p.expert);
        (expert..end).for_each(|expert| self.target.step(expert));
        Ok(())
    }

    /// Compares a run that gets to the end of its packet.
    fn went_on(&self, function: &Of, packet: &Packet, lane: usize, fp: u64) -> Result<(), String> {
        let word = |value: &Value| self.source.value(*value)[lane];
        let next = self.target.expert[lane];
        let goes = |expected: f64| match next == expected {
            true => Ok(()),
            false => Err(format!("it should go to expert {expected}, and goes to {next}")),
        };
        let callee = |callee: &Callee| match callee {
            Callee::Direct(func) => f64::from(self.function_entry(*func)),
            Callee::Reference(value) => word(value).into(),
            Callee::Indirect { .. } => unreachable!("legalized"),
        };
        let own = u64::from(function.frame);
        match &packet.term {
            Term::Trap(code) => {
                let offset = packet.term_offset;
                match self.network.terminals.get(next as usize) {
                    Some(Terminal::Trap { code: c, offset: o, .. }) if (*c, *o) == (*code, offset) => Ok(()),
                    _ => Err(format!("it should trap with {code:?} at offset {offset:#x}")),
                }
            }
            Term::Jump(jump) => self.jump(function, jump, lane, fp),
            Term::Branch { cond, then, otherwise } => {
                self.jump(function, if word(cond) != 0 { then } else { otherwise }, lane, fp)
            }
            Term::Switch { index, targets } => {
                let index = (word(index) as usize).min(targets.len() - 1);
                self.jump(function, &targets[index], lane, fp)
            }
            Term::Call { callee: called, args, next } => {
                goes(callee(called))?;
                self.handed(args.iter().map(word), lane, fp, own as u32)?;
                self.frame_pointer(lane, fp + own)?;
                let landing = &function.begins[*next as usize];
                // The results' slots are for the callee to write.
                let lives_on = |slot: &&(u32, Holds)| matches!(slot.1, Holds::Live(_));
                landing.slots.iter().filter(lives_on).try_for_each(|(slot, holds)| {
                    let Holds::Live(value) = holds else { return Ok(()) };
                    self.slot(*slot, word(value), lane, fp)
                })
            }
            Term::TailCall { callee: called, args } => {
                goes(callee(called))?;
                self.handed(args.iter().map(word), lane, fp, 0)?;
                self.frame_pointer(lane, fp)
            }
            Term::Return(values) => {
                let read = |first: u64| self.source.traces.read(lane, first + fp);
                goes(read(self.layout.returns))?;
                self.handed(values.iter().map(word), lane, fp, 0)?;
                self.frame_pointer(lane, read(self.layout.frame_pointers) as u64)
            }
        }
    }

    fn function_entry(&self, func: Func) -> ExpertId {
        self.function_entries[func.as_u32() as usize]
    }

    fn frame_pointer(&self, lane: usize, expected: u64) -> Result<(), String> {
        let found = self.target.field(0)[lane];
        if found == expected as f64 {
            return Ok(());
        }
        Err(format!("the frame pointer should be {expected}, and is {found}"))
    }

    /// Compares arguments or results.
    fn handed(
        &self,
        words: impl Iterator<Item = u32>,
        lane: usize,
        fp: u64,
        base: u32,
    ) -> Result<(), String> {
        for (i, word) in words.enumerate() {
            match handed_over(i, base) {
                Place::Slot(slot) => self.slot(slot, word, lane, fp)?,
                Place::Field(field) => {
                    let found = self.target.field(field)[lane];
                    if found != f64::from(word) {
                        return Err(format!("argument or result {i} should be {word}, and is {found}"));
                    }
                }
            }
        }
        Ok(())
    }

    fn slot(&self, slot: u32, word: u32, lane: usize, fp: u64) -> Result<(), String> {
        let found = self.target.traces.read(lane, self.layout.frame + fp + u64::from(slot));
        if found == f64::from(word) {
            return Ok(());
        }
        Err(format!("slot {slot} of the frame should be {word}, and is {found}"))
    }

    /// Compares what a packet hands over to another one of its function.
    fn jump(&self, function: &Of, jump: &Jump, lane: usize, fp: u64) -> Result<(), String> {
        let begin = &function.begins[jump.packet as usize];
        let expected = begin.experts.start;
        let next = self.target.expert[lane];
        if next != f64::from(expected) {
            return Err(format!("it should go to expert {expected}, and goes to {next}"));
        }
        let value = |holds: Holds| match holds {
            Holds::FramePointer => unreachable!("not a value"),
            Holds::Param(i) => jump.args[i],
            Holds::Live(value) => value,
        };
        let word = |holds: Holds| self.source.value(value(holds))[lane];
        for &(field, holds, interval) in &begin.fields {
            if holds == Holds::FramePointer {
                self.frame_pointer(lane, fp)?;
                continue;
            }
            let found = self.target.field(field)[lane];
            let number = found as i64;
            if number as f64 != found
                || number.rem_euclid(TWO32) != i64::from(word(holds))
                || !interval.contains(number)
            {
                let (value, word) = (value(holds), word(holds));
                return Err(format!(
                    "{value} should be {word} (modulo 2^32, in [{}, {}]), and field {field} is {found}",
                    interval.lo, interval.hi
                ));
            }
        }
        for &(slot, holds) in &begin.slots {
            self.slot(slot, word(holds), lane, fp)?;
        }
        self.ports(begin, word, lane, fp)
    }

    /// Compares prefetched ports. A field that only they depend on is not there to be looked at: some number that
    /// stands for its word must fit all of them.
    fn ports(&self, begin: &Begin, word: impl Fn(Holds) -> u32, lane: usize, fp: u64) -> Result<(), String> {
        if begin.ports.is_empty() {
            return Ok(());
        }
        let mut inputs: SmallVec<[(Field, f64); 8]> = SmallVec::new();
        inputs.extend(begin.fields.iter().map(|(field, ..)| (*field, self.target.field(*field)[lane])));
        let known = inputs.len();
        let mut candidates: SmallVec<[(i64, i64); 2]> = SmallVec::new();
        for &(field, holds, interval) in &begin.hidden {
            let (lowest, highest) = match holds {
                Holds::FramePointer => (fp as i64, fp as i64),
                _ => {
                    let word = i64::from(word(holds));
                    let lowest = word + TWO32 * (interval.lo - word + TWO32 - 1).div_euclid(TWO32);
                    (lowest, word + TWO32 * (interval.hi - word).div_euclid(TWO32))
                }
            };
            if lowest > highest {
                return Err(format!("no number in [{}, {}] stands for it", interval.lo, interval.hi));
            }
            inputs.push((field, lowest as f64));
            candidates.push((lowest, highest));
        }
        loop {
            let wrong = begin.ports.iter().zip(&begin.prefetched.ports).find_map(|(&field, port)| {
                let (_, terms, constant) = port;
                let input = |field: Field| inputs.iter().find(|i| i.0 == field).expect("all are there").1;
                let mut form =
                    terms.iter().fold(*constant, |sum, (from, weight)| sum + weight * input(*from));
                if self.network.ports.kind(field).0 == FieldKind::N {
                    form = form.max(0.0).floor();
                }
                let found = self.target.field(field)[lane];
                (found != form).then_some((field, form, found))
            });
            let Some((field, form, found)) = wrong else { return Ok(()) };
            // The next combination of candidates.
            let advanced = candidates.iter().zip(&mut inputs[known..]).any(|(&(lowest, highest), input)| {
                let next = input.1 as i64 + TWO32;
                input.1 = if next <= highest { next } else { lowest } as f64;
                next <= highest
            });
            if !advanced {
                let (kind, port) = self.network.ports.kind(field);
                return Err(format!(
                    "the next packet's port {kind:?} {port} should be prefetched as {form}, and is {found}"
                ));
            }
        }
    }

    /// Compares the rows that are not in the own frame or above it.
    fn rows(&self, lane: usize, fp: u64) -> Result<(), String> {
        let layout = self.layout;
        let frame = layout.frame..layout.frame + layout.stack.frame_keys;
        let mut expected = self.source.traces.latest(lane);
        let mut found = self.target.traces.latest(lane);
        let seen = |row: &(u64, f64)| !frame.contains(&row.0) || row.0 < frame.start + fp;
        expected.retain(seen);
        found.retain(seen);
        if expected == found {
            return Ok(());
        }
        let name = |key: u64| {
            let region = self.network.region_of(key).map(|r| &self.network.regions[r]);
            region.map_or_else(|| format!("key {key}"), |r| format!("`{}` {}", r.name, key - r.first))
        };
        let missing = expected.iter().find(|row| !found.contains(row));
        let extra = found.iter().find(|row| !expected.contains(row));
        Err(match (missing, extra) {
            (Some(row), Some(other)) if row.0 == other.0 => {
                format!("{} should be written {}, and is {}", name(row.0), row.1, other.1)
            }
            (Some(row), _) => format!("{} should be written {}, and is not", name(row.0), row.1),
            (None, Some(row)) => format!("{} should not be written, and is {}", name(row.0), row.1),
            (None, None) => unreachable!("the rows differ"),
        })
    }

    /// Compares a jump table whole, once a run has shown where it is.
    fn jump_table(&self, function: &Of, index: Value, targets: &[Jump]) -> Result<(), String> {
        let Some(lane) = (0..LANES).find(|lane| self.source.is_running(*lane)) else { return Ok(()) };
        let Some(queries) = self.target.jump() else { return Err("it does not go by a table".into()) };
        let index = (self.source.value(index)[lane] as usize).min(targets.len() - 1);
        let first = queries[lane] - index as f64;
        for (i, target) in targets.iter().enumerate() {
            let expected = function.begins[target.packet as usize].experts.start;
            let found = self.network.lookup.get((first + i as f64) as usize);
            if found != Some(&f64::from(expected)) {
                return Err(format!("entry {i} of its jump table should be {expected}, and is {found:?}"));
            }
        }
        Ok(())
    }
}
