//! The program's side of a case: the instructions of a packet, as the IR defines them.

use super::atoms::{Maybe, Stop};
use super::memory::Trace;
use super::poly::Poly;
use super::terms::Terms;
use super::words::{self, TWO32, byte, canonical, extend, truth};
use crate::ir::{Inst, MemoryId, MemorySize, Op, Space, Value};
use crate::layout::Layout;
use rustc_hash::FxHashMap;
use wasm2onnx_runtime::{PAGE_BYTES, TrapCode};

/// How far the program gets in a case.
#[derive(Clone, Copy, PartialEq)]
pub enum Run {
    /// To the end of its instructions.
    Through,
    /// To a trap, with the offset of its instruction.
    Trap(TrapCode, u32),
}

/// The program's side.
pub struct Program<'a> {
    layout: &'a Layout,
    constants: &'a FxHashMap<Value, u32>,
    /// Numbers that are congruent to the values that exist so far.
    pub values: FxHashMap<Value, Poly>,
    /// The rows that it has written.
    pub trace: Trace,
}

impl<'a> Program<'a> {
    /// Begins a packet that has done nothing yet.
    pub fn new(layout: &'a Layout, constants: &'a FxHashMap<Value, u32>) -> Self {
        Program { layout, constants, values: FxHashMap::default(), trace: Trace::default() }
    }

    /// Returns a number that is congruent to a value.
    pub fn value(&self, value: Value) -> Maybe<Poly> {
        if let Some(p) = self.values.get(&value) {
            return Ok(p.clone());
        }
        let constant = self.constants.get(&value).map(|word| Poly::constant((*word).into()));
        constant.ok_or(Stop::Unknown("a value is not there"))
    }

    /// Returns a value as a word.
    pub fn word(&self, terms: &mut Terms, value: Value) -> Maybe<Poly> {
        let p = self.value(value)?;
        canonical(terms, &p)
    }

    /// Reads a word that the trace holds.
    pub fn read(&self, terms: &mut Terms, key: &Poly) -> Maybe<Poly> {
        let p = self.trace.read(terms, key)?;
        let word = terms.range(&p)?.within(0, TWO32 - 1);
        if word { Ok(p) } else { Err(Stop::Unknown("what is read is not shown to be a word")) }
    }

    /// Returns the size of a memory in bytes.
    fn memory_size(&self, terms: &mut Terms, memory: MemoryId) -> Maybe<Poly> {
        let pages = match self.layout.memories[memory].size {
            MemorySize::Constant(pages) => Poly::constant(pages.into()),
            MemorySize::Cell { cell, .. } => {
                let key = Poly::constant(self.layout.cells[cell].key.into());
                self.read(terms, &key)?
            }
        };
        Ok(pages.times(PAGE_BYTES.into())?)
    }

    /// Writes cells. Something before this has found them to be inside of the space, or else no run gets
    /// here.
    fn write(&mut self, terms: &mut Terms, space: Space, first: &Poly, values: Vec<Poly>) -> Maybe<()> {
        let (base, count) = self.layout.space(space);
        let size = match space {
            Space::Memory(memory) => self.memory_size(terms, memory)?,
            _ => Poly::constant(count.into()),
        };
        terms.promise(&size.plus(-1, first)?.offset(-(values.len() as i128))?)?;
        for (j, value) in (0..).zip(values) {
            self.trace.write(first.offset(i128::from(base) + j)?, value);
        }
        Ok(())
    }

    /// Reads cells.
    fn cells(&self, terms: &mut Terms, space: Space, first: &Poly, cells: u8) -> Maybe<Vec<Poly>> {
        let base = i128::from(self.layout.space(space).0);
        let most = if space.has_words() { TWO32 - 1 } else { 255 };
        (0..i128::from(cells))
            .map(|j| {
                let p = self.trace.read(terms, &first.offset(base + j)?)?;
                let fits = terms.range(&p)?.within(0, most);
                if fits { Ok(p) } else { Err(Stop::Unknown("a load may read beyond its kind of cells")) }
            })
            .collect()
    }

    fn check(&self, terms: &mut Terms, room: &Poly, code: TrapCode, inst: &Inst) -> Maybe<Run> {
        let ok = terms.not_negative(room)?;
        Ok(if terms.decide(&ok)? { Run::Through } else { Run::Trap(code, inst.offset) })
    }

    /// Executes an instruction.
    pub fn inst(&mut self, terms: &mut Terms, inst: &Inst) -> Maybe<Run> {
        let arg = |i: usize| self.value(inst.args[i]);
        let result = match &inst.op {
            Op::Const(bits) => Poly::constant(i128::from(*bits as u32)),
            Op::Unary(op) => words::unary(terms, *op, &arg(0)?)?,
            Op::Binary(op) => words::binary(terms, *op, &arg(0)?, &arg(1)?)?,
            Op::Select => words::select(terms, &arg(0)?, &arg(1)?, &arg(2)?)?,
            Op::TableFunc(table) | Op::TableType(table) => {
                let keys = self.layout.tables[*table];
                let first = if matches!(inst.op, Op::TableFunc(_)) { keys.functions } else { keys.types };
                let index = self.word(terms, inst.args[0])?;
                let room = index.times(-1)?.offset(i128::from(keys.count) - 2)?;
                let inside = terms.not_negative(&room)?;
                match terms.decide(&inside)? {
                    true => self.read(terms, &index.offset(first.into())?)?,
                    false => Poly::default(),
                }
            }
            Op::Load { space, bytes, signed, offset } => {
                let first = self.word(terms, inst.args[0])?.offset((*offset).into())?;
                if space.has_words() {
                    self.cells(terms, *space, &first, 1)?.remove(0)
                } else {
                    let cells = self.cells(terms, *space, &first, *bytes)?;
                    let mut word = Poly::default();
                    for (j, cell) in cells.iter().enumerate() {
                        word = word.plus(1 << (8 * j), cell)?;
                    }
                    if *signed { extend(terms, &word, 8 * u32::from(*bytes))? } else { word }
                }
            }
            Op::CellGet(cell) => {
                let key = Poly::constant(self.layout.cells[*cell].key.into());
                self.read(terms, &key)?
            }
            _ => return self.effect(terms, inst),
        };
        let value = inst.result.ok_or(Stop::Unknown("an instruction has no result"))?;
        self.values.insert(value, result);
        Ok(Run::Through)
    }

    fn effect(&mut self, terms: &mut Terms, inst: &Inst) -> Maybe<Run> {
        match &inst.op {
            Op::Store { space, bytes, offset } => {
                let first = self.word(terms, inst.args[0])?.offset((*offset).into())?;
                let value = self.value(inst.args[1])?;
                let values = match space.has_words() {
                    true => vec![canonical(terms, &value)?],
                    false => (0..u32::from(*bytes)).map(|j| byte(terms, &value, j)).collect::<Maybe<_>>()?,
                };
                self.write(terms, *space, &first, values)?;
            }
            Op::Repeat { space, cells } => {
                let first = self.word(terms, inst.args[0])?;
                let value = self.value(inst.args[1])?;
                let value = match space.has_words() {
                    true => canonical(terms, &value)?,
                    false => byte(terms, &value, 0)?,
                };
                self.write(terms, *space, &first, vec![value; usize::from(*cells)])?;
            }
            Op::Move { from, to, cells } => {
                let source = self.word(terms, inst.args[1])?;
                let values = self.cells(terms, *from, &source, *cells)?;
                let first = self.word(terms, inst.args[0])?;
                self.write(terms, *to, &first, values)?;
            }
            Op::Bounds { memory, offset, bytes } => {
                let mut room = self.memory_size(terms, *memory)?;
                room = room.offset(-i128::from(*offset) - i128::from(*bytes))?;
                for address in inst.args.iter().take(2) {
                    room = room.plus(-1, &self.word(terms, *address)?)?;
                }
                return self.check(terms, &room, TrapCode::MemoryOutOfBounds, inst);
            }
            Op::Within(code) => {
                let mut room = self.word(terms, inst.args[2])?;
                for part in &inst.args[..2] {
                    room = room.plus(-1, &self.word(terms, *part)?)?;
                }
                return self.check(terms, &room, *code, inst);
            }
            Op::TrapIf(code) => {
                let value = self.value(inst.args[0])?;
                let bit = truth(terms, &value)?;
                return Ok(match terms.decide(&bit)? {
                    true => Run::Trap(*code, inst.offset),
                    false => Run::Through,
                });
            }
            Op::CellSet(cell) => {
                let cell = self.layout.cells[*cell];
                let word = self.word(terms, inst.args[0])?;
                terms.promise(&word.times(-1)?.offset(cell.max.into())?)?;
                self.trace.write(Poly::constant(cell.key.into()), word);
            }
            _ => return Err(Stop::Unknown("an instruction that is none on words")),
        }
        Ok(Run::Through)
    }
}
