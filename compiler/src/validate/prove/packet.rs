//! Proves one packet: makes its cases, and compares both sides in each of them.

use super::atoms::{Facts, Kind, Maybe, Span, Stop};
use super::memory::{Alias, alias};
use super::poly::Poly;
use super::program::{Program, Run};
use super::steps::{Number, Steps, sum, whole};
use super::terms::Terms;
use super::words::{TWO32, canonical, truth};
use super::world::World;
use crate::ir::{Callee, Value};
use crate::layout::Layout;
use crate::packetize::{EntryKind, Packet, Place, Target as Jump, Term};
use crate::validate::begin::{Begin, Holds, handed_over};
use crate::validate::check::Of;
use rustc_hash::FxHashMap;
use wasm2onnx_runtime::{ExpertId, Field, FieldKind, Network, Terminal, TrapCode};

/// Maximum number of cases of a packet, including those that were split again.
const CASES: u32 = 100;
/// Number of facts from which on a case is not split only because numbers do not look equal.
const FACTS: usize = 14;

/// Proves packets of one network.
pub struct Prover<'a> {
    /// Keys of everything.
    pub layout: &'a Layout,
    /// The network.
    pub network: &'a Network,
    /// First experts of the functions.
    pub function_entries: &'a [ExpertId],
    /// The numbers of the packet.
    terms: Terms<'a>,
}

impl<'a> Prover<'a> {
    /// Makes a prover for a network.
    pub fn new(world: &'a World<'a>, layout: &'a Layout, function_entries: &'a [ExpertId]) -> Self {
        Prover { layout, network: world.network, function_entries, terms: Terms::new(world) }
    }

    /// Proves a packet.
    ///
    /// # Errors
    ///
    /// Why it could not be proved, for people.
    pub fn packet(&mut self, function: &Of, index: usize) -> Result<(), &'static str> {
        let begin = &function.begins[index];
        let span = |interval: wasm2onnx_runtime::Interval| Span::new(interval.lo.into(), interval.hi.into());
        let mut fields: FxHashMap<Field, Span> = FxHashMap::default();
        // A packet without a frame pointer does not use it: it may be any number.
        fields.insert(0, Span::new(0, self.layout.stack.span.into()));
        let all = begin.fields.iter().chain(&begin.hidden);
        fields.extend(all.map(|(field, _, interval)| (*field, span(*interval))));
        self.terms.packet(fields);
        let mut open = vec![Facts::default()];
        for _ in 0..CASES {
            let Some(facts) = open.pop() else { return Ok(()) };
            self.terms.case(&facts);
            match self.case(function, index, facts.len()) {
                Ok(()) | Err(Stop::Impossible) => {}
                Err(Stop::Unknown(reason)) => return Err(reason),
                Err(Stop::Split(p, t)) => match self.terms.cases(p, t) {
                    Ok(spans) => {
                        for span in spans.into_iter().filter(|span| span.lo <= span.hi) {
                            let mut facts = facts.clone();
                            facts.insert(p, span);
                            open.push(facts);
                        }
                    }
                    Err(Stop::Unknown(reason)) => return Err(reason),
                    Err(_) => {}
                },
            }
        }
        Err("there are too many cases")
    }

    /// Proves a case, or says which cases to make of it.
    fn case(&mut self, function: &Of, index: usize, facts: usize) -> Maybe<()> {
        let packet = &function.packets.packets[index];
        let begin = &function.begins[index];
        let terms = &mut self.terms;
        let mut program = Program::new(self.layout, &function.packets.constants);
        let mut steps = Steps::new(self.network);
        let mut entry: FxHashMap<Field, Number> = FxHashMap::default();
        let frame_pointer = terms.of(Kind::Field(0))?;
        let declared = begin.fields.iter().map(|field| (field, true));
        for (&(field, holds, _), is_declared) in declared.chain(begin.hidden.iter().map(|f| (f, false))) {
            let p = terms.field(field)?;
            match holds {
                Holds::FramePointer if field != 0 => return Err(Stop::Unknown("a frame pointer elsewhere")),
                Holds::FramePointer => {}
                _ => drop(program.values.insert(holder(packet, holds), p.clone())),
            }
            let number = Number::new(terms, p)?;
            if is_declared {
                steps.set(field, number.clone());
            }
            entry.insert(field, number);
        }
        for &(slot, holds) in &begin.slots {
            let key = frame_pointer.offset((self.layout.frame + u64::from(slot)).into())?;
            let word = program.read(terms, &key)?;
            program.values.insert(holder(packet, holds), word);
        }
        for (&field, (_, weights, constant)) in begin.ports.iter().zip(&begin.prefetched.ports) {
            let number = port(terms, self.network, field, weights, *constant, &entry)?;
            steps.set(field, number);
        }

        let mut run = Run::Through;
        if packet.entry == EntryKind::Function && !function.packets.leaf {
            let room = frame_pointer.times(-1)?.offset(self.layout.stack.limit.into())?;
            let ok = terms.not_negative(&room)?;
            if !terms.decide(&ok)? {
                run = Run::Trap(TrapCode::CallStackExhausted, packet.offset());
            }
        }
        for inst in &packet.insts {
            if run == Run::Through {
                run = program.inst(terms, inst)?;
            }
        }
        let mut taken = true;
        if run == Run::Through {
            match &packet.term {
                Term::Branch { cond, .. } => {
                    let bit = program.value(*cond)?;
                    let bit = truth(terms, &bit)?;
                    taken = terms.decide(&bit)?;
                }
                Term::Call { next, .. } => {
                    let landing = function.begins[*next as usize].experts.start;
                    let callee = frame_pointer.offset(function.frame.into())?;
                    let key = callee.offset(self.layout.returns.into())?;
                    program.trace.write(key, Poly::constant(landing.into()));
                    let key = callee.offset(self.layout.frame_pointers.into())?;
                    program.trace.write(key, frame_pointer.clone());
                }
                _ => {}
            }
        }

        let mut next = Poly::default();
        for expert in begin.experts.clone() {
            next = steps.step(terms, expert)?;
            let inner = expert + 1 != begin.experts.end;
            if inner && next.as_constant() != Some(i128::from(expert) + 1) {
                return Err(Stop::Unknown("a step does not lead to the next"));
            }
        }
        let mut compare = Compare {
            terms,
            layout: self.layout,
            network: self.network,
            function_entries: self.function_entries,
            program,
            steps,
            next,
            facts,
            frame_pointer,
        };
        match run {
            Run::Trap(code, offset) => {
                compare.resolve()?;
                compare.steps.remember();
                compare.trapped(code, offset)?;
            }
            Run::Through => {
                compare.steps.remember();
                compare.went_on(function, index, taken)?;
            }
        }
        compare.rows()
    }
}

/// Returns the value that a field or a slot holds when a packet begins.
fn holder(packet: &Packet, holds: Holds) -> Value {
    match holds {
        Holds::Param(i) => packet.params[i],
        Holds::Live(value) => value,
        Holds::FramePointer => unreachable!("not a value"),
    }
}

/// Returns what a port holds that is prefetched from these fields.
fn port(
    terms: &mut Terms,
    network: &Network,
    field: Field,
    weights: &[(u16, f64)],
    constant: f64,
    inputs: &FxHashMap<Field, Number>,
) -> Maybe<Number> {
    let one = Number { p: Poly::constant(1), span: Span::point(1) };
    let mut list = vec![(&one, constant)];
    for (from, weight) in weights {
        list.push((inputs.get(from).ok_or(Stop::Unknown("a port's input is not handed over"))?, *weight));
    }
    let (form, scale) = sum(list.into_iter())?;
    let p = match network.ports.kind(field).0 {
        FieldKind::N => terms.gate(&form.p, 1 << scale, form.span)?,
        _ => whole((form, scale))?,
    };
    Number::new(terms, p)
}

/// Both sides at the end of a case.
struct Compare<'p, 'a> {
    terms: &'p mut Terms<'a>,
    layout: &'p Layout,
    network: &'p Network,
    function_entries: &'p [ExpertId],
    program: Program<'p>,
    steps: Steps<'a>,
    /// The next expert.
    next: Poly,
    /// Number of facts of the case.
    facts: usize,
    frame_pointer: Poly,
}

impl Compare<'_, '_> {
    /// Shows that two numbers are equal, or asks for a split of this case.
    fn equal(&mut self, p: &Poly, q: &Poly, reason: &'static str) -> Maybe<()> {
        let difference = p.plus(-1, q)?;
        self.zero(&difference, reason)
    }

    /// Shows that two numbers stand for the same word.
    fn congruent(&mut self, p: &Poly, q: &Poly, reason: &'static str) -> Maybe<()> {
        let difference = p.plus(-1, q)?.split(TWO32).1;
        self.zero(&difference, reason)
    }

    fn zero(&mut self, difference: &Poly, reason: &'static str) -> Maybe<()> {
        if difference.is_zero() || self.terms.range(difference)? == Span::point(0) {
            return Ok(());
        }
        let split = if self.facts < FACTS { self.terms.split_on(difference)? } else { None };
        Err(split.unwrap_or(Stop::Unknown(reason)))
    }

    /// Returns the id of the next expert, as a plain number.
    fn next_id(&mut self) -> Maybe<usize> {
        let Span { lo, hi } = self.terms.range(&self.next)?;
        if lo != hi {
            let next = self.next.clone();
            self.zero(&next, "the next expert is not known")?;
        }
        usize::try_from(lo).map_err(|_| Stop::Unknown("the next expert is none"))
    }

    fn goes_to(&mut self, expert: ExpertId) -> Maybe<()> {
        let next = self.next.clone();
        self.equal(&next, &Poly::constant(expert.into()), "the next expert")
    }

    /// Goes on through a resolver, if it is not known which check failed.
    fn resolve(&mut self) -> Maybe<()> {
        let id = self.next_id()?;
        if self.network.is_terminal(id as ExpertId) {
            return Ok(());
        }
        let packets = &self.network.packets;
        let Ok(number) = packets.binary_search_by_key(&(id as ExpertId), |p| p.expert) else {
            return Err(Stop::Unknown("a trap leads into a packet"));
        };
        let experts = self.network.experts_of(number);
        for expert in experts.clone() {
            self.next = self.steps.step(self.terms, expert)?;
            if expert + 1 != experts.end && self.next.as_constant() != Some(i128::from(expert) + 1) {
                return Err(Stop::Unknown("a step does not lead to the next"));
            }
        }
        Ok(())
    }

    fn trapped(&mut self, code: TrapCode, offset: u32) -> Maybe<()> {
        let id = self.next_id()?;
        match self.network.terminals.get(id) {
            Some(Terminal::Trap { code: c, offset: o, .. }) if (*c, *o) == (code, offset) => Ok(()),
            _ => Err(Stop::Unknown("the trap")),
        }
    }

    fn went_on(&mut self, function: &Of, index: usize, taken: bool) -> Maybe<()> {
        let (packet, from) = (&function.packets.packets[index], &function.begins[index]);
        let own = function.frame;
        let fp = self.frame_pointer.clone();
        match &packet.term {
            Term::Trap(code) => self.trapped(*code, packet.term_offset),
            Term::Jump(jump) => self.jump(function, from, jump),
            Term::Branch { then, otherwise, .. } => {
                self.jump(function, from, if taken { then } else { otherwise })
            }
            Term::Switch { index, targets } => self.switch(function, from, *index, targets),
            Term::Call { callee, args, next } => {
                self.called(callee)?;
                self.handed(args, own)?;
                self.at_frame(&fp.offset(own.into())?)?;
                self.frame(function, from, *next)
            }
            Term::TailCall { callee, args } => {
                self.called(callee)?;
                self.handed(args, 0)?;
                self.at_frame(&fp)
            }
            Term::Return(values) => {
                let key = fp.offset(self.layout.returns.into())?;
                let expected = self.program.trace.read(self.terms, &key)?;
                let next = self.next.clone();
                self.equal(&next, &expected, "the return address")?;
                self.handed(values, 0)?;
                let key = fp.offset(self.layout.frame_pointers.into())?;
                let expected = self.program.trace.read(self.terms, &key)?;
                self.at_frame(&expected)
            }
        }
    }

    fn called(&mut self, callee: &Callee) -> Maybe<()> {
        match callee {
            Callee::Direct(func) => self.goes_to(self.function_entries[func.as_u32() as usize]),
            Callee::Reference(value) => {
                let word = self.program.word(self.terms, *value)?;
                let next = self.next.clone();
                self.equal(&next, &word, "the callee")
            }
            Callee::Indirect { .. } => Err(Stop::Unknown("the callee")),
        }
    }

    fn at_frame(&mut self, expected: &Poly) -> Maybe<()> {
        let found = self.steps.field(0).p;
        self.equal(&found, expected, "the frame pointer")
    }

    /// Compares arguments or results.
    fn handed(&mut self, values: &[Value], base: u32) -> Maybe<()> {
        for (i, value) in values.iter().enumerate() {
            match handed_over(i, base) {
                Place::Slot(slot) => self.slot(slot, *value)?,
                Place::Field(field) => {
                    let word = self.program.word(self.terms, *value)?;
                    let found = self.steps.field(field).p;
                    self.equal(&found, &word, "an argument or result")?;
                }
            }
        }
        Ok(())
    }

    fn slot(&mut self, slot: u32, value: Value) -> Maybe<()> {
        let word = self.program.word(self.terms, value)?;
        let key = self.frame_pointer.offset((self.layout.frame + u64::from(slot)).into())?;
        let found = self.steps.trace.read(self.terms, &key)?;
        self.equal(&found, &word, "a slot of the frame")
    }

    /// Compares what a packet hands over to another one of its function.
    fn jump(&mut self, function: &Of, from: &Begin, jump: &Jump) -> Maybe<()> {
        self.goes_to(function.begins[jump.packet as usize].experts.start)?;
        self.hands_over(function, from, jump)
    }

    fn hands_over(&mut self, function: &Of, from: &Begin, jump: &Jump) -> Maybe<()> {
        let begin = &function.begins[jump.packet as usize];
        let value = |holds: Holds| match holds {
            Holds::FramePointer => None,
            Holds::Param(i) => Some(jump.args[i]),
            Holds::Live(value) => Some(value),
        };
        for &(field, holds, _) in &begin.fields {
            let found = self.steps.field(field).p;
            match value(holds) {
                // The certificate proves that it lies where it is declared to lie.
                Some(value) => {
                    let word = self.program.value(value)?;
                    self.congruent(&found, &word, "a carried value")?;
                }
                None => {
                    let fp = self.frame_pointer.clone();
                    self.equal(&found, &fp, "the frame pointer")?;
                }
            }
        }
        for &(slot, holds) in &begin.slots {
            if let Holds::Param(i) = holds {
                self.slot(slot, jump.args[i])?;
            }
        }
        self.frame(function, from, jump.packet)?;
        self.ports(begin, value)
    }

    /// Compares what a packet leaves in the frame for the next one, parameters aside: the values that it made
    /// are there, and it writes to no other slot that holds a value.
    fn frame(&mut self, function: &Of, from: &Begin, next: u32) -> Maybe<()> {
        for &(slot, value) in &from.made {
            if function.slots.at(next, slot) == Some(value) {
                self.slot(slot, value)?;
            }
        }
        let frame = i128::from(self.layout.frame);
        let end = frame + i128::from(self.layout.stack.frame_keys);
        let first = self.frame_pointer.offset(frame)?;
        for (key, _) in self.steps.trace.rows.clone() {
            let span = self.terms.range(&key)?;
            if span.hi < frame || span.lo >= end {
                continue;
            }
            let Some(slot) = key.plus(-1, &first)?.as_constant() else {
                return Err(Stop::Unknown("a row somewhere in the frame"));
            };
            // Below are frames of callers, whose rows are all compared.
            let Ok(slot) = u32::try_from(slot) else { continue };
            let held = function.slots.at(next, slot);
            if held.is_some_and(|value| !from.made.contains(&(slot, value))) {
                return Err(Stop::Unknown("a slot of the frame that the packet does not make"));
            }
        }
        Ok(())
    }

    /// Compares prefetched ports. For a field that only such ports depend on, some number that stands for its
    /// word must fit all of these ports.
    fn ports(&mut self, begin: &Begin, value: impl Fn(Holds) -> Option<Value>) -> Maybe<()> {
        if begin.ports.is_empty() {
            return Ok(());
        }
        let mut inputs: FxHashMap<Field, Number> = FxHashMap::default();
        for (field, ..) in &begin.fields {
            inputs.insert(*field, self.steps.field(*field));
        }
        // The numbers that may stand for hidden fields: as the program's side has them, as words, and as
        // ports have them.
        let mut choices: Vec<(Field, Vec<Poly>)> = Vec::new();
        for &(field, holds, interval) in &begin.hidden {
            let mut found = Vec::new();
            match value(holds) {
                None => found.push(self.frame_pointer.clone()),
                Some(value) => {
                    let loose = self.program.value(value)?;
                    found.push(canonical(self.terms, &loose)?);
                    if !found.contains(&loose) {
                        found.push(loose.clone());
                    }
                    for (&port, (_, weights, constant)) in begin.ports.iter().zip(&begin.prefetched.ports) {
                        if let [(from, weight)] = weights[..]
                            && from == field
                            && weight.abs() == 1.0
                            && constant.fract() == 0.0
                            && self.network.ports.kind(port).0 != FieldKind::N
                        {
                            let p = self
                                .steps
                                .field(port)
                                .p
                                .offset(-(*constant as i128))?
                                .times(weight as i128)?;
                            let same = p.plus(-1, &loose)?.is_multiple(TWO32);
                            if same && !found.contains(&p) {
                                found.push(p);
                            }
                        }
                    }
                }
            }
            let mut fit = Vec::new();
            for p in found {
                if self.terms.range(&p)?.within(interval.lo.into(), interval.hi.into()) {
                    fit.push(p);
                }
            }
            if fit.is_empty() {
                return Err(Stop::Unknown("a value that only ports depend on is not shown to fit"));
            }
            choices.push((field, fit));
        }
        let mut first = None;
        let combinations: usize = choices.iter().map(|choice| choice.1.len()).product();
        for combination in 0..combinations.min(16) {
            let mut rest = combination;
            for (field, list) in &choices {
                let number = Number::new(self.terms, list[rest % list.len()].clone())?;
                inputs.insert(*field, number);
                rest /= list.len();
            }
            let mut outcome = Ok(());
            for (&field, (_, weights, constant)) in begin.ports.iter().zip(&begin.prefetched.ports) {
                let expected = port(self.terms, self.network, field, weights, *constant, &inputs)?;
                let found = self.steps.field(field).p;
                let reason = match self.network.ports.kind(field).0 {
                    FieldKind::N => "a prefetched gate",
                    _ => "a prefetched value or query",
                };
                outcome = self.equal(&found, &expected.p, reason);
                if outcome.is_err() {
                    break;
                }
            }
            match outcome {
                Ok(()) => return Ok(()),
                Err(stop) => drop(first.get_or_insert(stop)),
            }
        }
        Err(first.unwrap_or(Stop::Unknown("a prefetched port")))
    }

    /// Compares a jump table: it is read at the smaller of the index and the last index, and has the right
    /// entry at each index.
    fn switch(&mut self, function: &Of, from: &Begin, index: Value, targets: &[Jump]) -> Maybe<()> {
        let last = targets.len() as i128 - 1;
        let index = self.program.word(self.terms, index)?;
        let past = self.terms.gate(&index.offset(-last)?, 1, Span::new(-TWO32, TWO32))?;
        let index = index.plus(-1, &past)?;
        let unknown = Stop::Unknown("the jump table");
        let Some(Kind::Lookup(key)) = self.next.as_atom().map(|atom| self.terms.kind(atom).clone()) else {
            return Err(unknown);
        };
        let first = self.terms.poly(key).plus(-1, &index)?;
        let Some(first) = first.as_constant().and_then(|first| usize::try_from(first).ok()) else {
            return Err(unknown);
        };
        for (i, target) in targets.iter().enumerate() {
            let expected = function.begins[target.packet as usize].experts.start;
            if self.network.lookup.get(first + i) != Some(&f64::from(expected)) {
                return Err(unknown);
            }
            // This holds whatever the index is.
            self.hands_over(function, from, target)?;
        }
        Ok(())
    }

    /// Compares the rows that are neither in the packet's own frame nor above it.
    fn rows(&mut self) -> Maybe<()> {
        let expected = self.latest(&self.program.trace.rows.clone())?;
        let frame = i128::from(self.layout.frame);
        let end = frame + i128::from(self.layout.stack.frame_keys);
        let first = self.frame_pointer.offset(frame)?;
        let mut found = Vec::new();
        for row in self.latest(&self.steps.trace.rows.clone())? {
            let above = self.terms.range(&row.0.plus(-1, &first)?)?.lo >= 0;
            if !(above && self.terms.range(&row.0)?.hi < end) {
                found.push(row);
            }
        }
        if expected.len() != found.len() {
            return Err(Stop::Unknown("other rows"));
        }
        let mut positions = Vec::new();
        for (i, (key, value)) in expected.iter().enumerate() {
            let Some(position) = found.iter().position(|row| row.0 == *key) else {
                let other = found[i].0.clone();
                self.equal(&other, key, "the key of a row")?;
                return Err(Stop::Unknown("the key of a row"));
            };
            let other = found[position].1.clone();
            self.equal(&other, value, "the value of a row")?;
            positions.push(position);
        }
        // Rows with different keys may be written in any order only if the keys always differ.
        for i in 0..expected.len() {
            for j in i + 1..expected.len() {
                if positions[i] > positions[j] {
                    let (a, b) = (expected[i].0.clone(), expected[j].0.clone());
                    if alias(self.terms, &a, &b)? != Alias::Apart {
                        return Err(Stop::Unknown("the order of rows"));
                    }
                }
            }
        }
        Ok(())
    }

    /// Returns rows without those that a later row with the same key replaces.
    fn latest(&mut self, rows: &[(Poly, Poly)]) -> Maybe<Vec<(Poly, Poly)>> {
        let replaced = |i: usize| rows[i + 1..].iter().any(|row| row.0 == rows[i].0);
        Ok((0..rows.len()).filter(|i| !replaced(*i)).map(|i| rows[i].clone()).collect())
    }
}
