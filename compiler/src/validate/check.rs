//! Compares one packet: both sides are run from the same states, and all that can be seen afterwards is
//! compared.

use super::begin::{Begin, Holds, handed_over, quantized};
use super::slots::Slots;
use super::source::{Run, Source};
use super::state::{Constants, Draw, First, LANES, Lanes, Traces};
use super::target::Target;
use crate::blueprint::Lowered;
use crate::ir::{Callee, Func, Value};
use crate::layout::Layout;
use crate::packetize::{EntryKind, Packet, Packets, Place, Target as Jump, Term};
use smallvec::SmallVec;
use wasm2onnx_runtime::{ExpertId, Field, FieldKind, Network, Terminal, TrapCode};

const TWO32: i64 = 1 << 32;

/// Number of additional rounds for a packet of which no state has been counted.
const MORE_ROUNDS: u32 = 24;

/// What the runs of a packet did.
#[derive(Default)]
struct Seen {
    /// Number of states that are counted.
    states: u64,
    /// Number of runs that got to the packet's end.
    through: u64,
    /// The ways that runs took.
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
pub struct Of<'a> {
    /// Its packets.
    pub packets: &'a Packets,
    /// How they begin.
    pub begins: Vec<Begin<'a>>,
    /// What their frames hold.
    pub slots: Slots,
    /// Number of its own slots: the distance to the frames of functions that it calls.
    pub frame: u32,
}

impl<'a> Of<'a> {
    /// Prepares a function of a network for comparison.
    ///
    /// # Errors
    ///
    /// A packet that cannot begin as it is declared to, and why.
    pub fn new(network: &Network, lowered: &'a Lowered) -> Result<Of<'a>, (usize, String)> {
        let Lowered { packets, places, .. } = lowered;
        let slots = Slots::new(packets, places)?;
        let begin = |index| Begin::new(network, lowered, &slots, index).map_err(|message| (index, message));
        let begins = (0..packets.packets.len()).map(begin).collect::<Result<_, _>>()?;
        Ok(Of { packets, begins, slots, frame: places.slots.max(1) })
    }
}

/// Both sides of a comparison.
pub struct Check<'a> {
    /// Keys of everything.
    pub layout: &'a Layout,
    /// The network.
    pub network: &'a Network,
    /// First experts of the functions.
    pub function_entries: &'a [ExpertId],
    /// The program's side.
    pub source: Source<'a>,
    /// The network's side.
    pub target: Target<'a>,
}

impl<'a> Check<'a> {
    /// Begins with nothing compared.
    pub fn new(
        layout: &'a Layout,
        network: &'a Network,
        function_entries: &'a [ExpertId],
        first: &'a First<'a>,
    ) -> Self {
        Check {
            layout,
            network,
            function_entries,
            source: Source::new(layout, Traces::new(first)),
            target: Target::new(network, Traces::new(first)),
        }
    }

    /// Begins with the packets of another function.
    pub fn enter(&mut self, function: &Of) {
        self.source.values.clear();
        self.source.values.resize(function.packets.values as usize, [0; LANES]);
        for (value, word) in &function.packets.constants {
            self.source.set(*value, [*word; LANES]);
        }
    }

    /// Compares a packet. Returns the number of states that were counted.
    ///
    /// # Errors
    ///
    /// What differs, and in which state.
    pub fn packet(&mut self, function: &Of, index: usize, states: u32) -> Result<u64, String> {
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
            // Up to twice as many states while there may be more to see; even more only as long as no state
            // was counted.
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
        for (lane, fp) in frame_pointer.into_iter().enumerate() {
            let fp = fp as u64;
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
                Run::Through => self.went_on(function, index, lane, fp),
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

    /// Adds what the packet began with to a message.
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
                form = form.map(quantized);
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

    /// Writes the rows of a call on the program's side.
    fn control(&mut self, function: &Of, packet: &Packet, frame_pointer: &Lanes<f64>) {
        let Some(next) = packet.term.landing() else { return };
        let landing = function.begins[next as usize].experts.start;
        for (lane, fp) in frame_pointer.iter().enumerate() {
            if self.source.is_running(lane) {
                let callee = *fp as u64 + u64::from(function.frame);
                let traces = &mut self.source.traces;
                traces.write(lane, self.layout.returns + callee, landing.into());
                traces.write(lane, self.layout.frame_pointers + callee, *fp);
            }
        }
    }

    /// Takes the network's steps.
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

    /// Compares a run that traps: it must end in the terminal expert of the trap's site.
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

    /// Goes on through a resolver, from what the packet left, on the network's side alone.
    fn resolve(&mut self, expert: ExpertId) -> Result<(), String> {
        let packets = &self.network.packets;
        let Ok(number) = packets.binary_search_by_key(&expert, |p| p.expert) else {
            return Err(format!("it should trap, and goes to expert {expert} in the middle of a packet"));
        };
        self.network.experts_of(number).for_each(|expert| self.target.step(expert));
        Ok(())
    }

    /// Compares a run that gets to the end of its packet.
    fn went_on(&self, function: &Of, index: usize, lane: usize, fp: u64) -> Result<(), String> {
        let (packet, begin) = (&function.packets.packets[index], &function.begins[index]);
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
            Term::Jump(jump) => self.jump(function, begin, jump, lane, fp),
            Term::Branch { cond, then, otherwise } => {
                self.jump(function, begin, if word(cond) != 0 { then } else { otherwise }, lane, fp)
            }
            Term::Switch { index, targets } => {
                let index = (word(index) as usize).min(targets.len() - 1);
                self.jump(function, begin, &targets[index], lane, fp)
            }
            Term::Call { callee: called, args, next } => {
                goes(callee(called))?;
                self.handed(args.iter().map(word), lane, fp, own as u32)?;
                self.frame_pointer(lane, fp + own)?;
                self.frame(function, begin, *next, lane, fp)
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
    fn jump(&self, function: &Of, from: &Begin, jump: &Jump, lane: usize, fp: u64) -> Result<(), String> {
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
            if let Holds::Param(_) = holds {
                self.slot(slot, word(holds), lane, fp)?;
            }
        }
        self.frame(function, from, jump.packet, lane, fp)?;
        self.ports(begin, word, lane, fp)
    }

    /// Compares what a packet leaves in the frame for the next one, parameters aside: the values that it made
    /// are there, and what was there before is unchanged.
    fn frame(&self, function: &Of, from: &Begin, next: u32, lane: usize, fp: u64) -> Result<(), String> {
        for &(slot, value) in &from.made {
            if function.slots.at(next, slot) == Some(value) {
                self.slot(slot, self.source.value(value)[lane], lane, fp)?;
            }
        }
        let first = self.layout.frame + fp;
        for (key, found) in self.target.traces.latest(lane) {
            let slot = key.checked_sub(first).and_then(|slot| u32::try_from(slot).ok());
            let Some((slot, value)) = slot.and_then(|slot| Some((slot, function.slots.at(next, slot)?)))
            else {
                continue;
            };
            // The program's side does not write to the frame.
            let before = self.source.traces.read(lane, key);
            if found != before && !from.made.contains(&(slot, value)) {
                return Err(format!("slot {slot} of {value} should still be {before}, and is {found}"));
            }
        }
        Ok(())
    }

    /// Compares prefetched ports. A field that only such ports depend on is not there to be looked at: some
    /// number that stands for its word must fit all of these ports.
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
                    form = quantized(form);
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

    /// Compares the rows that are neither in the packet's own frame nor above it.
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

    /// Compares a whole jump table, once a run has shown where it is.
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
