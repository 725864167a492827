//! One packet as a circuit: its words, its effects in program order, and where it goes.

use super::access::{Access, CHECK, Cells};
use super::linear::{Linear, Range, pow2};
use super::words::{Gate, Tables, WordId, Words};
use super::{Circuit, EntrySource, GhostFact, GhostTerm, RowValue};
use crate::ir::{Callee, Cell, Func, Inst, Op, Value};
use crate::layout::{ARGUMENT_FIELDS, Layout};
use crate::packetize::{EntryKind, Packet, Packets, ParamRange, Place, Places, Target, Term};
use rustc_hash::{FxHashMap, FxHashSet};
use wasm2onnx_runtime::TrapCode;

/// Where a packet can go if the next id is a constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dest {
    /// The jump with this index in [`PacketCircuit::jumps`].
    Jump(u32),
    /// The entry of a function.
    Function(Func),
    /// The terminal expert of a trap at an offset of the function.
    Trap(TrapCode, u32),
    /// The packet's own resolver, which finds out which of several checks failed first.
    Resolver,
}

/// How the id of the next expert is found.
#[derive(Clone, Debug)]
pub enum Next {
    /// The choice whose bit is 1, or `default` if there is none. At most one bit is 1.
    Choice {
        /// Destination if no bit is 1.
        default: Dest,
        /// Bits and their destinations.
        choices: Vec<(Linear, Dest)>,
    },
    /// An id that was read: from `control`, a table of functions or a jump table.
    Read(Linear),
}

/// A jump to a packet of the same function, with the linear forms of its arguments.
#[derive(Clone, Debug)]
pub struct Jump {
    /// Index of the packet.
    pub packet: u32,
    /// For each parameter, the linear form of its argument; `None` if it is handed over in the frame or has
    /// no place.
    pub args: Vec<Option<Linear>>,
}

/// A lowered packet.
#[derive(Debug)]
pub struct PacketCircuit {
    /// Its atoms, rows and facts.
    pub circuit: Circuit,
    /// Where it goes.
    pub next: Next,
    /// Jumps within the function.
    pub jumps: Vec<Jump>,
    /// Linear forms of the values that live on in fields, ascending by value.
    pub live: Vec<(Value, Linear)>,
    /// Fields in which the next packet finds values by convention, and the linear forms of these values.
    pub fixed: Vec<(u16, Linear)>,
    /// The frame pointer.
    pub frame_pointer: Linear,
    /// For the resolver, if several checks can fail: for each of them, the bit that is 1 if it failed, and
    /// its destination.
    pub failures: Vec<(Linear, Dest)>,
    /// Entries of the jump table, if that is not a `Switch`'s.
    pub table: Vec<Dest>,
    /// Offset of the first instruction in the module.
    pub offset: u32,
    /// Whether the circuit of some argument does not show the range that its parameter was taken to have.
    pub misfit: bool,
}

/// What lowering needs to know of the module and the function.
pub struct Setting<'a> {
    /// Keys of everything.
    pub layout: &'a Layout,
    /// Frozen tables.
    pub tables: &'a Tables,
    /// The function's packets.
    pub packets: &'a Packets,
    /// Places of the function's values.
    pub places: &'a Places,
    /// What is known about parameters.
    pub params: &'a FxHashMap<Value, ParamRange>,
    /// Size of the function's frame, which is also the distance from it to the frame of a callee.
    pub frame: u32,
    /// Whether packets are prefetched where that is possible.
    pub prefetch: bool,
    /// Whether circuits are made longer and easier to certify.
    pub careful: bool,
}

/// A check: `ok` is 1 if the program goes on; otherwise it goes to `dest`.
struct Guard {
    ok: Gate,
    dest: Dest,
}

/// What a packet hands over to those that follow, collected while its end is lowered.
struct Handed {
    /// Fields that the next packet finds by convention.
    fixed: Vec<(u16, Linear)>,
    /// Slots of the frame, and what is written to them.
    slots: Vec<(u32, Linear)>,
    /// The frame pointer.
    frame_pointer: Linear,
}

/// The values that live on in fields.
struct Live {
    /// Their linear forms, ascending by value.
    forms: Vec<(Value, Linear)>,
    /// The ranges of those values that the packet itself has made.
    crossing: Vec<(Value, Range)>,
}

/// A packet being lowered.
pub(super) struct Lowering<'a> {
    pub(super) setting: &'a Setting<'a>,
    packet: &'a Packet,
    pub(super) words: Words<'a>,
    values: FxHashMap<Value, WordId>,
    defined: FxHashMap<Value, usize>,
    params: FxHashMap<Value, u32>,
    crossing: &'a FxHashMap<Value, Range>,
    guards: Vec<Guard>,
    pub(super) loads: Vec<Access>,
    pub(super) stores: Vec<Access>,
    pub(super) cells: FxHashMap<Cell, WordId>,
    pub(super) cell_reads: FxHashMap<Cell, i32>,
    pub(super) cell_writes: FxHashMap<Cell, i32>,
    slot_reads: FxHashMap<u32, i32>,
    checked_frame_pointer: Option<Linear>,
    misfit: bool,
}

/// The range within which values may stay unwrapped in fields of other packets.
pub const CROSSING: Range = Range::new(-(1 << 33), 1 << 34);

/// Lowers the packet with this index. `crossing` has the ranges of values made in earlier packets; those of
/// this packet are added to it.
pub fn lower(setting: &Setting, index: usize, crossing: &mut FxHashMap<Value, Range>) -> PacketCircuit {
    let packet = &setting.packets.packets[index];
    let circuit = Circuit::new(setting.prefetch && packet.entry == EntryKind::Normal, setting.careful);
    let mut defined = FxHashMap::default();
    for (i, inst) in packet.insts.iter().enumerate() {
        if let Some(result) = inst.result {
            defined.insert(result, i);
        }
    }
    let mut lowering = Lowering {
        setting,
        packet,
        words: Words::new(circuit, setting.tables),
        values: FxHashMap::default(),
        defined,
        params: packet.params.iter().zip(0..).map(|(param, i)| (*param, i)).collect(),
        crossing,
        guards: Vec::new(),
        loads: Vec::new(),
        stores: Vec::new(),
        cells: FxHashMap::default(),
        cell_reads: FxHashMap::default(),
        cell_writes: FxHashMap::default(),
        slot_reads: FxHashMap::default(),
        checked_frame_pointer: None,
        misfit: false,
    };
    lowering.enter();
    for inst in &packet.insts {
        lowering.effect(inst);
    }
    let (circuit, own) = lowering.leave();
    crossing.extend(own);
    circuit
}

impl<'a> Lowering<'a> {
    pub(super) fn circuit(&mut self) -> &mut Circuit {
        &mut self.words.circuit
    }

    /// Returns the frame pointer as the packet finds it.
    fn raw_frame_pointer(&mut self) -> Linear {
        let entry = self.packet.entry == EntryKind::Function;
        let normal = matches!(self.packet.entry, EntryKind::Normal | EntryKind::Switched);
        let stack = &self.setting.layout.stack;
        let hi = if entry || self.setting.packets.leaf { stack.span } else { stack.limit };
        let source = if normal { EntrySource::FramePointer } else { EntrySource::Fixed };
        self.circuit().entry(0, source, Range::new(0, hi as i64))
    }

    /// Returns the frame pointer. If the packet has checked it, the result is within the limit.
    fn frame_pointer(&mut self) -> Linear {
        match &self.checked_frame_pointer {
            Some(form) => form.clone(),
            None => self.raw_frame_pointer(),
        }
    }

    fn enter(&mut self) {
        match self.packet.entry {
            EntryKind::Function => {
                for (i, param) in self.packet.params.iter().enumerate() {
                    let form = self.argument(i, 0);
                    let word = self.words.word_of(form);
                    self.values.insert(*param, word);
                }
                if !self.setting.packets.leaf {
                    self.check_stack();
                }
            }
            EntryKind::Landing => {
                for (i, param) in self.packet.params.iter().enumerate() {
                    let form = self.argument(i, self.setting.frame);
                    let word = self.words.word_of(form);
                    self.values.insert(*param, word);
                }
            }
            EntryKind::Normal | EntryKind::Switched => {}
        }
    }

    /// Returns word `i` of the arguments or results: a field, or a slot of the frame, where slots are counted
    /// from `base`.
    fn argument(&mut self, i: usize, base: u32) -> Linear {
        if i < ARGUMENT_FIELDS as usize {
            self.circuit().entry(1 + i as u16, EntrySource::Fixed, Range::WORD)
        } else {
            self.read_slot(base + (i - ARGUMENT_FIELDS as usize) as u32)
        }
    }

    fn slot_key(&mut self, slot: u32) -> Linear {
        let fp = self.raw_frame_pointer();
        fp.offset(self.setting.layout.frame + u64::from(slot))
    }

    fn read_slot(&mut self, slot: u32) -> Linear {
        let key = self.slot_key(slot);
        let form = self.circuit().read(&key, Range::WORD, -1);
        let at = self.circuit().ready(&form) - 1;
        let last = self.slot_reads.entry(slot).or_insert(at);
        *last = (*last).max(at);
        form
    }

    /// Checks that fp ≤ limit; if not, the call stack is exhausted. From here on, the frame pointer is 0 if
    /// the check fails.
    fn check_stack(&mut self) {
        let fp = self.raw_frame_pointer();
        let limit = self.setting.layout.stack.limit as i64;
        const SCALE: i64 = 1 << 22;
        let gate = fp.times(-1).offset(limit).times(pow2(-22)).offset(1);
        let checked = self.circuit().unit(&gate, &fp);
        if let Some((unit, at)) = self.circuit().unit_avail(&checked) {
            self.circuit().ghosts.push(GhostFact {
                at,
                until: at,
                terms: vec![(GhostTerm::Value(unit), 1), (GhostTerm::Gate(unit), SCALE)],
                range: Range::new(i64::MIN, limit + SCALE),
            });
        }
        let checked = self.circuit().asserted(checked, Range::new(0, limit));
        self.checked_frame_pointer = Some(checked);
        let dest = Dest::Trap(TrapCode::CallStackExhausted, self.packet.offset());
        self.guards.push(Guard { ok: Gate { form: gate, negated: false }, dest });
    }

    /// Returns the word of a value that the packet makes or begins with.
    pub(super) fn word(&mut self, value: Value) -> WordId {
        if let Some(word) = self.values.get(&value) {
            return *word;
        }
        let word = if let Some(c) = self.setting.packets.constants.get(&value) {
            self.words.constant(*c)
        } else if let Some(&i) = self.defined.get(&value) {
            self.pure(&self.packet.insts[i])
        } else {
            self.live_in(value)
        };
        self.values.insert(value, word);
        word
    }

    fn live_in(&mut self, value: Value) -> WordId {
        let param = self.params.get(&value).copied();
        let place = match param {
            Some(_) => self.setting.places.of_param(value),
            None => self.setting.places.of.get(&value).copied(),
        };
        match place {
            Some(Place::Field(field)) => {
                let (source, range) = match param {
                    Some(i) => (EntrySource::Param(i), self.param_range(value)),
                    None => (
                        EntrySource::Live(value),
                        self.crossing.get(&value).copied().unwrap_or_else(|| self.param_range(value)),
                    ),
                };
                let form = self.circuit().entry(field, source, range);
                let word = self.words.word_of(form);
                if param.is_some() && !range.within(Range::WORD) {
                    let form = self.words.canonical(word);
                    return self.words.word_of(form);
                }
                word
            }
            Some(Place::Slot(slot)) => {
                let form = self.read_slot(slot);
                self.words.word_of(form)
            }
            None => unreachable!("{value} has no place"),
        }
    }

    /// Returns whether this packet has to put a value where later packets find it: the packet made the value,
    /// and it is not at that place already.
    fn is_own(&self, value: Value, place: Place) -> bool {
        let jumped_to = matches!(self.packet.entry, EntryKind::Normal | EntryKind::Switched);
        let moves = || !jumped_to || self.setting.places.of_param(value) != Some(place);
        self.defined.contains_key(&value) || self.params.contains_key(&value) && moves()
    }

    /// Returns the range declared for the field of a parameter.
    fn param_range(&self, value: Value) -> Range {
        match self.setting.params.get(&value) {
            Some(p) if p.loose => CROSSING,
            Some(p) => Range::new(0, p.hi.into()),
            None => Range::WORD,
        }
    }

    fn pure(&mut self, inst: &Inst) -> WordId {
        match &inst.op {
            Op::Const(bits) => self.words.constant(*bits as u32),
            Op::Unary(op) => {
                let a = self.word(inst.args[0]);
                self.words.unary(*op, a)
            }
            Op::Binary(op) => {
                let (a, b) = (self.word(inst.args[0]), self.word(inst.args[1]));
                self.words.binary(*op, a, b)
            }
            Op::Select => {
                let [c, a, b] = [0, 1, 2].map(|i| self.word(inst.args[i]));
                self.words.select(c, a, b)
            }
            Op::TableFunc(table) | Op::TableType(table) => {
                let is_type = matches!(inst.op, Op::TableType(_));
                let index = self.word(inst.args[0]);
                let keys = self.setting.layout.tables[*table];
                let size = keys.count as i64 - 1;
                let index = self.words.canonical(index);
                let past = self.circuit().unit(&index.clone().offset(-size), &Linear::constant(1));
                let inside = self.circuit().linear(index.plus(-1, &past), Some(Range::new(0, size)));
                let (first, range) =
                    if is_type { (keys.types, Range::WORD) } else { (keys.functions, Range::IDS) };
                let form = self.circuit().read(&inside.offset(first), range, -1);
                self.words.word_of(form)
            }
            op => unreachable!("{op:?} is an effect"),
        }
    }

    fn effect(&mut self, inst: &Inst) {
        match &inst.op {
            Op::Load { space, bytes, signed, offset } => {
                let cells = if space.has_words() { 1 } else { *bytes };
                let forms = self.read_cells(inst.args[0], *space, cells, *offset);
                let word = match space.has_words() {
                    true => self.words.word_of(forms[0].clone()),
                    false => self.words.word_of_bytes(&forms),
                };
                let word = if *signed { self.words.extend(word, 8 * *bytes as i32) } else { word };
                self.values.insert(inst.result.expect("loads have results"), word);
            }
            Op::Store { space, bytes, offset } => {
                let value = self.word(inst.args[1]);
                let values: Cells = match space.has_words() {
                    true => std::iter::once(self.words.canonical(value)).collect(),
                    false => (0..*bytes as usize).map(|j| self.words.byte(value, j)).collect(),
                };
                self.write_cells(inst.args[0], *space, values, *offset);
            }
            Op::Repeat { space, cells } => {
                let value = self.word(inst.args[1]);
                let value = match space.has_words() {
                    true => self.words.canonical(value),
                    false => self.words.byte(value, 0),
                };
                self.write_cells(
                    inst.args[0],
                    *space,
                    std::iter::repeat_n(value, (*cells).into()).collect(),
                    0,
                );
            }
            Op::Move { from, to, cells } => {
                let values = self.read_cells(inst.args[1], *from, *cells, 0);
                self.write_cells(inst.args[0], *to, values, 0);
            }
            Op::Within(code) => {
                let [first, count, limit] = [0, 1, 2].map(|i| {
                    let word = self.word(inst.args[i]);
                    self.words.canonical(word)
                });
                let room = limit.plus(-1, &first).plus(-1, &count);
                let gate = Gate { form: room.times(pow2(-CHECK)).offset(1), negated: false };
                self.guard(gate, Dest::Trap(*code, inst.offset));
            }
            Op::Bounds { memory, offset, bytes } => {
                let more = inst.args.get(1).copied();
                if let Some(gate) = self.bounds(*memory, inst.args[0], more, *offset, *bytes) {
                    let dest = Dest::Trap(TrapCode::MemoryOutOfBounds, inst.offset);
                    self.guard(Gate { form: gate, negated: false }, dest);
                }
            }
            Op::TrapIf(code) => {
                let word = self.word(inst.args[0]);
                let truth = self.words.truth(word);
                self.guard(
                    Gate { form: truth.form, negated: !truth.negated },
                    Dest::Trap(*code, inst.offset),
                );
            }
            Op::CellGet(cell) => {
                let word = match self.cells.get(cell) {
                    Some(word) => *word,
                    None => {
                        let place = self.setting.layout.cells[*cell];
                        let key = Linear::constant(place.key);
                        let form = self.circuit().read(&key, Range::new(0, place.max.into()), -1);
                        let at = self.circuit().ready(&form) - 1;
                        self.cell_reads.insert(*cell, at);
                        self.words.word_of(form)
                    }
                };
                self.cells.insert(*cell, word);
                self.values.insert(inst.result.expect("reads have results"), word);
            }
            Op::CellSet(cell) => self.set_cell(*cell, inst.args[0]),
            _ => {}
        }
    }

    fn guard(&mut self, ok: Gate, dest: Dest) {
        if self.words.constant_gate(&ok.form).is_some_and(|bit| bit != ok.negated) {
            return;
        }
        self.guards.push(Guard { ok, dest });
    }

    /// Returns the bit that is 1 if check `i` failed.
    fn failed(&mut self, i: usize) -> Linear {
        let ok = self.guards[i].ok.clone();
        self.words.bit(&Gate { form: ok.form, negated: !ok.negated })
    }

    /// Returns a gate that is in [1, 2) only if all checks so far passed and `own` (below 2), if there is
    /// one, is at least 1. Returns `None` if there is neither a check nor `own`.
    pub(super) fn all_ok(&mut self, own: Option<Linear>) -> Option<Linear> {
        let mut failures = Linear::default();
        let mut gate = own;
        for i in (0..self.guards.len()).rev() {
            let ok = self.guards[i].ok.clone();
            if gate.as_ref().is_some_and(|g| *g == ok.form) && !ok.negated {
                continue;
            }
            if gate.is_none() && !ok.negated {
                gate = Some(ok.form);
                continue;
            }
            failures = failures.plus(1, &self.failed(i));
        }
        match gate {
            Some(gate) => Some(gate.plus(-1, &failures)),
            None if self.guards.is_empty() => None,
            None => Some(Linear::constant(1).plus(-1, &failures)),
        }
    }

    /// Returns a jump with the linear forms of its arguments, each as its parameter's field wants it.
    /// Arguments that are handed over in the frame are added to `slots`.
    fn jump(&mut self, target: &Target, slots: &mut Vec<(u32, Linear)>) -> Jump {
        let next = &self.setting.packets.packets[target.packet as usize];
        let mut args = Vec::new();
        for (param, arg) in next.params.iter().zip(&target.args) {
            let Some(place) = self.setting.places.of_param(*param) else {
                args.push(None);
                continue;
            };
            let word = self.word(*arg);
            args.push(match place {
                Place::Field(_) => {
                    let range = self.param_range(*param);
                    let form = self.words.form(word);
                    let fits = self.circuit().range(&form).within(range);
                    let form = if fits { form } else { self.words.canonical(word) };
                    self.misfit |= !self.circuit().range(&form).within(range);
                    Some(form)
                }
                Place::Slot(slot) => {
                    slots.push((slot, self.words.canonical(word)));
                    None
                }
            });
        }
        Jump { packet: target.packet, args }
    }

    /// Lowers the end of the packet: the values that live on, where it goes next, and the rows of the frame.
    /// Returns the circuit, and the ranges of those values that the packet itself has made.
    fn leave(mut self) -> (PacketCircuit, Vec<(Value, Range)>) {
        let term = &self.packet.term;
        let mut handed = Handed { fixed: Vec::new(), slots: Vec::new(), frame_pointer: Linear::default() };
        let jumps = term.targets().map(|target| self.jump(target, &mut handed.slots)).collect();
        let Live { forms, crossing } = self.live(&mut handed.slots);
        handed.frame_pointer = self.frame_pointer();
        let next = self.next(term, &mut handed);
        let Handed { mut fixed, slots, frame_pointer } = handed;
        self.write(slots);
        if matches!(term, Term::Call { .. } | Term::TailCall { .. } | Term::Return(_)) {
            fixed.push((0, frame_pointer.clone()));
        }
        let circuit = PacketCircuit {
            failures: self.failures(),
            circuit: self.words.circuit.finished(),
            next,
            jumps,
            live: forms,
            fixed,
            frame_pointer,
            table: Vec::new(),
            offset: self.packet.offset(),
            misfit: self.misfit,
        };
        (circuit, crossing)
    }

    /// Finds the values that live on in fields. Values of this packet that live on in the frame are added to
    /// `slots`.
    fn live(&mut self, slots: &mut Vec<(u32, Linear)>) -> Live {
        let mut written: FxHashSet<u32> = slots.iter().map(|slot| slot.0).collect();
        let mut live = FxHashMap::default();
        let mut crossing = Vec::new();
        let own = self.own_in_frame();
        let term = &self.packet.term;
        for next in term.targets().map(|target| target.packet).chain(term.landing()) {
            for &value in &self.setting.places.live_fields[next as usize] {
                if live.contains_key(&value) {
                    continue;
                }
                let form = if self.is_own(value, self.setting.places.of[&value]) {
                    let form = self.crossing_form(value);
                    crossing.push((value, self.words.circuit.range(&form)));
                    form
                } else {
                    self.entry_form(value)
                };
                live.insert(value, form);
            }
            for &(value, slot) in &own {
                if self.setting.places.slot_into(value, next).is_some() && written.insert(slot) {
                    let word = self.word(value);
                    slots.push((slot, self.words.canonical(word)));
                }
            }
        }
        let mut forms: Vec<(Value, Linear)> = live.into_iter().collect();
        forms.sort_unstable_by_key(|(value, _)| *value);
        Live { forms, crossing }
    }

    /// Returns the values of this packet whose place is a slot of the frame, ascending.
    fn own_in_frame(&self) -> Vec<(Value, u32)> {
        let slot = |value: Value| match self.setting.places.of.get(&value).copied() {
            Some(place @ Place::Slot(slot)) if self.is_own(value, place) => Some((value, slot)),
            _ => None,
        };
        let mut own: Vec<(Value, u32)> = self.packet.made().filter_map(slot).collect();
        own.sort_unstable();
        own
    }

    /// Returns the linear form that a value of this packet has in a field of the next one: unwrapped, unless
    /// its range is too large.
    fn crossing_form(&mut self, value: Value) -> Linear {
        let word = self.word(value);
        let form = self.words.form(word);
        if self.circuit().range(&form).within(CROSSING) { form } else { self.words.canonical(word) }
    }

    /// Decides where the packet goes, and hands over what the callee or caller expects.
    fn next(&mut self, term: &Term, handed: &mut Handed) -> Next {
        match term {
            Term::Jump(_) => self.choose(Dest::Jump(0), None),
            Term::Branch { cond, .. } => {
                let word = self.word(*cond);
                let truth = self.words.truth(word);
                let (then, otherwise) = if truth.negated { (1, 0) } else { (0, 1) };
                self.choose(Dest::Jump(otherwise), Some((truth.form, Dest::Jump(then))))
            }
            Term::Trap(code) => self.choose(Dest::Trap(*code, self.packet.term_offset), None),
            Term::Switch { index, targets } => {
                let word = self.word(*index);
                let canonical = self.words.canonical(word);
                let last = targets.len() as i64 - 1;
                let past = self.circuit().unit(&canonical.clone().offset(-last), &Linear::constant(1));
                let inside = self.circuit().linear(canonical.plus(-1, &past), Some(Range::new(0, last)));
                Next::Read(self.circuit().lookup_jump(&inside))
            }
            Term::Call { callee, args, next } => {
                self.save_caller(*next, &handed.frame_pointer);
                self.hand_over(args, self.setting.frame, handed);
                handed.frame_pointer =
                    std::mem::take(&mut handed.frame_pointer).offset(u64::from(self.setting.frame));
                self.callee(callee)
            }
            Term::TailCall { callee, args } => {
                // Frame pointer and control rows are the caller's, so they are the callee's too.
                self.hand_over(args, 0, handed);
                self.callee(callee)
            }
            Term::Return(values) => {
                let raw = self.raw_frame_pointer();
                let layout = self.setting.layout;
                let next = self.circuit().read(&raw.clone().offset(layout.returns), Range::IDS, -1);
                let limit = Range::new(0, layout.stack.limit as i64);
                handed.frame_pointer = self.circuit().read(&raw.offset(layout.frame_pointers), limit, -1);
                self.hand_over(values, 0, handed);
                Next::Read(next)
            }
        }
    }

    /// Writes the control rows of a call: the packet that it returns to, and the caller's frame pointer.
    fn save_caller(&mut self, landing: u32, frame_pointer: &Linear) {
        let frame = u64::from(self.setting.frame);
        let raw = self.raw_frame_pointer();
        let layout = self.setting.layout;
        let return_key = raw.clone().offset(layout.returns + frame);
        let frame_key = raw.offset(layout.frame_pointers + frame);
        let (return_key, frame_key, at) = match self.all_ok(None) {
            None => (return_key, frame_key, 0),
            Some(gate) => {
                let from = self.words.circuit.placed(frame_pointer, 0);
                let (units, at) = self.circuit().masked(&gate, &[return_key, frame_key], 2, from);
                (units[0].clone(), units[1].clone(), at)
            }
        };
        self.circuit().row(&return_key, RowValue::Packet(landing), at);
        self.circuit().row(&frame_key, RowValue::Linear(frame_pointer.clone()), at);
    }

    /// Writes slots of the frame, each after its last read.
    fn write(&mut self, slots: Vec<(u32, Linear)>) {
        for (slot, form) in slots {
            let key = self.slot_key(slot);
            let from = self.slot_reads.get(&slot).map_or(0, |t| t + 1);
            self.circuit().row(&key, RowValue::Linear(form), from);
        }
    }

    /// Returns what a resolver needs to find the check that failed: nothing if there is at most one check.
    fn failures(&mut self) -> Vec<(Linear, Dest)> {
        match self.guards.len() {
            0 | 1 => Vec::new(),
            count => (0..count).map(|i| (self.failed(i), self.guards[i].dest)).collect(),
        }
    }

    /// Hands over arguments or results: the first ones in fields, the others in slots of the frame from
    /// `base` on.
    fn hand_over(&mut self, values: &[Value], base: u32, handed: &mut Handed) {
        for (i, value) in values.iter().enumerate() {
            let word = self.word(*value);
            let form = self.words.canonical(word);
            if i < ARGUMENT_FIELDS as usize {
                handed.fixed.push((1 + i as u16, form));
            } else {
                handed.slots.push((base + i as u32 - ARGUMENT_FIELDS as u32, form));
            }
        }
    }

    /// Returns the entry of a callee as the next id.
    fn callee(&mut self, callee: &Callee) -> Next {
        match callee {
            Callee::Direct(func) => self.choose(Dest::Function(*func), None),
            Callee::Reference(value) => {
                let word = self.word(*value);
                Next::Read(self.words.form(word))
            }
            Callee::Indirect { .. } => unreachable!("legalized"),
        }
    }

    /// Returns the linear form of a value that only passes through, as it was at the packet's entry.
    fn entry_form(&mut self, value: Value) -> Linear {
        let Some(Place::Field(field)) = self.setting.places.of.get(&value).copied() else {
            unreachable!("in a field")
        };
        let (source, range) = match self.params.get(&value) {
            Some(i) => (EntrySource::Param(*i), self.param_range(value)),
            None => (
                EntrySource::Live(value),
                self.crossing.get(&value).copied().unwrap_or_else(|| self.param_range(value)),
            ),
        };
        self.circuit().entry(field, source, range)
    }

    /// Chooses the next id: that of a trap or of the resolver if a check failed, otherwise that of `branch.1`
    /// if its gate is 1, otherwise that of `default`.
    fn choose(&mut self, default: Dest, branch: Option<(Linear, Dest)>) -> Next {
        let mut choices = Vec::new();
        let one = Linear::constant(1);
        let mut failures = Linear::default();
        for i in 0..self.guards.len() {
            failures = failures.plus(1, &self.failed(i));
        }
        let all = one.plus(-1, &failures);
        let (mut branch, mut trap) = (branch, None);
        match self.guards.len() {
            0 => {}
            1 => trap = Some((failures.clone(), self.guards[0].dest)),
            _ => {
                // The checker has to see that no branch is taken if a check failed. So both bits are computed
                // from the same failures in one map, or the later bit from the earlier one.
                let circuit = &mut self.words.circuit;
                let wanted = branch.as_ref().map_or(0, |(gate, _)| circuit.placed(gate, 0));
                let from = wanted.min(circuit.placed(&all, 0));
                let ok = circuit.unit_from(&all, &one, from);
                if let Some((gate, _)) = &mut branch
                    && wanted >= circuit.ready(&ok)
                {
                    *gate = gate.plus(1, &ok).offset(-1).plus(1, &failures);
                }
                trap = Some((one.plus(-1, &ok), Dest::Resolver));
            }
        }
        if let Some((gate, dest)) = branch {
            let gate = gate.plus(-1, &failures);
            let taken = self.circuit().unit(&gate, &Linear::constant(1));
            if let Some((failed, _)) = &trap {
                // A branch is taken only if no check failed.
                let at = self.circuit().ready(&taken).max(self.words.circuit.ready(failed));
                let both = taken.plus(1, failed);
                self.circuit().ghosts.push(GhostFact {
                    at,
                    until: i32::MAX,
                    terms: vec![(GhostTerm::Linear(both), 1)],
                    range: Range::BIT,
                });
            }
            choices.push((taken, dest));
        }
        choices.extend(trap);
        Next::Choice { default, choices }
    }
}
