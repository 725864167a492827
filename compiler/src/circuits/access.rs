//! Accesses of a packet to memory, tables, cells and bytes: their keys, checks and masks, and the steps that
//! each can be in.

use super::linear::{Linear, Range, pow2};
use super::packet::Lowering;
use super::{GhostFact, GhostTerm, RowValue};
use crate::ir::{Cell, MemoryId, MemorySize, Space, Value};
use wasm2onnx_runtime::PAGE_BYTES;

/// Linear forms of cells that are read or written together.
pub(super) type Cells = smallvec::SmallVec<[Linear; 4]>;

/// An access to cells of a space, kept to find out which accesses may touch the same cells.
pub(super) struct Access {
    space: Space,
    key: Linear,
    cells: u8,
    at: i32,
}

/// The gate of a check is a difference in units of 2^`CHECK`, plus 1.
pub(super) const CHECK: i32 = 34;

impl Lowering<'_> {
    /// Returns the gate that is 1 where `address + more + offset + bytes` is within a memory; `None` if it
    /// always is.
    pub(super) fn bounds(
        &mut self,
        memory: MemoryId,
        address: Value,
        more: Option<Value>,
        offset: u64,
        bytes: u8,
    ) -> Option<Linear> {
        let word = self.word(address);
        let mut address = self.words.canonical(word);
        if let Some(more) = more {
            let more = self.word(more);
            address = address.plus(1, &self.words.canonical(more));
        }
        let end = offset + u64::from(bytes);
        let gate = match self.setting.layout.memories[memory].size {
            MemorySize::Constant(pages) => {
                let room = (i64::from(pages) << 16) - end as i64;
                if self.circuit().range(&address).hi <= room {
                    return None;
                }
                address.times(-1).offset(room)
            }
            MemorySize::Cell { cell, .. } => {
                let pages = self.read_cell(cell);
                pages.times(PAGE_BYTES as i64).plus(-1, &address).offset(-(end as i64))
            }
        };
        Some(gate.times(pow2(-CHECK)).offset(1))
    }

    pub(super) fn read_cell(&mut self, cell: Cell) -> Linear {
        if let Some(word) = self.cells.get(&cell) {
            return self.words.canonical(*word);
        }
        let cell_key = self.setting.layout.cells[cell];
        let form =
            self.circuit().read(&Linear::constant(cell_key.key), Range::new(0, cell_key.max.into()), -1);
        let at = self.circuit().ready(&form) - 1;
        self.cell_reads.insert(cell, at);
        let word = self.words.word_of(form.clone());
        self.cells.insert(cell, word);
        form
    }

    /// Returns an address, the first key of its space and the number of keys of the space.
    pub(super) fn locate(&mut self, address: Value, space: Space, offset: u64) -> (Linear, u64, u64) {
        let (base, count) = self.setting.layout.space(space);
        let word = self.word(address);
        (self.words.canonical(word).offset(offset), base, count)
    }

    /// Returns the smaller of a number and a constant.
    pub(super) fn at_most(&mut self, form: Linear, max: i64) -> Linear {
        if self.circuit().range(&form).hi <= max {
            return form;
        }
        let excess = self.circuit().unit(&form.clone().offset(-max), &Linear::constant(1));
        self.circuit().linear(form.plus(-1, &excess), Some(Range::new(0, max)))
    }

    /// Returns the latest step among the accesses that may touch the same cells.
    pub(super) fn latest(accesses: &[Access], space: Space, key: &Linear, cells: u8) -> Option<i32> {
        let apart = |a: &Access| {
            let beside = |d: i64| d >= a.cells.into() || d <= -i64::from(cells);
            a.space != space || key.distance(&a.key).is_some_and(beside)
        };
        accesses.iter().filter(|a| !apart(a)).map(|a| a.at).max()
    }

    /// Reads cells. Beyond the last cell of the space, what they are is not known, but it is of the same
    /// kind: bytes lie above all words.
    pub(super) fn read_cells(&mut self, address: Value, space: Space, cells: u8, offset: u64) -> Cells {
        let (index, base, _) = self.locate(address, space, offset);
        let key = index.offset(base);
        let range = if space.has_words() { Range::WORD } else { Range::BYTE };
        // The packet's reads see the packet's own rows.
        let from = Self::latest(&self.stores, space, &key, cells).unwrap_or(-1);
        let mut forms = Cells::new();
        let mut at = from;
        for j in 0..cells {
            let form = self.circuit().read(&key.clone().offset(u32::from(j)), range, from);
            at = at.max(self.circuit().ready(&form) - 1);
            forms.push(form);
        }
        self.loads.push(Access { space, key, cells, at });
        forms
    }

    pub(super) fn write_cells(&mut self, address: Value, space: Space, values: Cells, offset: u64) {
        let cells = values.len() as u8;
        let (mut index, base, count) = self.locate(address, space, offset);
        let own = match space {
            Space::Memory(memory) => self.bounds(memory, address, None, offset, cells),
            // The program checks the limit; this shows the checker that the keys are in the region.
            _ => {
                index = self.at_most(index, count as i64 - i64::from(cells));
                None
            }
        };
        let key = index.offset(base);
        let earlier = Self::latest(&self.loads, space, &key, cells);
        let earlier = earlier.max(Self::latest(&self.stores, space, &key, cells));
        let mut from = earlier.map_or(0, |t| t + 1);
        let (first, step) = match self.all_ok(own.clone()) {
            None => (key.clone(), Linear::constant(1)),
            Some(gate) => {
                // Masked stores of one step would need a proof that their keys differ.
                from = self.stores.iter().map(|s| s.at + 1).fold(from, i32::max);
                from = values.iter().map(|v| self.words.circuit.placed(v, 0)).fold(from, i32::max);
                let keys = [key.clone(), Linear::constant(1)];
                let (units, at) = self.circuit().masked(&gate, &keys, cells.into(), from);
                from = at;
                let end = own.is_some().then(|| (base + count) as i64 - i64::from(cells));
                self.declare_mask(&units[0], &units[1], end);
                (units[0].clone(), units[1].clone())
            }
        };
        let mut at = from;
        for (j, value) in values.into_iter().enumerate() {
            let key = first.plus(j as i64, &step);
            at = at.max(self.circuit().row(&key, RowValue::Linear(value), from));
        }
        self.stores.push(Access { space, key, cells, at });
    }

    /// Tells the checker that a masked key is at most `end`, if that is what its gate checks, and that two units of
    /// one gate go together.
    fn declare_mask(&mut self, masked: &Linear, ok: &Linear, end: Option<i64>) {
        let (Some((key_unit, at)), Some((ok_unit, ok_at))) =
            (self.circuit().unit_avail(masked), self.circuit().unit_avail(ok))
        else {
            return;
        };
        if let Some(end) = end {
            self.circuit().ghosts.push(GhostFact {
                at,
                until: at,
                terms: vec![(GhostTerm::Value(key_unit), 1), (GhostTerm::Gate(key_unit), 1 << CHECK)],
                range: Range::new(i64::MIN, end + (1 << CHECK)),
            });
        }
        if at == ok_at {
            self.circuit().ghosts.push(GhostFact {
                at,
                until: at,
                terms: vec![(GhostTerm::Gate(key_unit), 1), (GhostTerm::Gate(ok_unit), -1)],
                range: Range::new(0, 0),
            });
        }
    }

    pub(super) fn set_cell(&mut self, cell: Cell, value: Value) {
        let cell_key = self.setting.layout.cells[cell];
        let word = self.word(value);
        let form = self.words.canonical(word);
        // The program never stores more than the cell's limit; this shows it to the checker.
        let form = self.at_most(form, cell_key.max.into());
        let from = self.cell_reads.get(&cell).map_or(0, |t| t + 1);
        let mut from = self.cell_writes.get(&cell).map_or(from, |t| from.max(t + 1));
        // Wherever a limit stops the program, bytes that are counted have been printed.
        if self.setting.layout.output_lengths.contains(&Some(cell)) {
            let prints = |store: &&Access| matches!(store.space, Space::Output(_));
            from = self.stores.iter().filter(prints).map(|store| store.at).fold(from, i32::max);
        }
        let (key, from) = match self.all_ok(None) {
            None => (Linear::constant(cell_key.key), from),
            Some(gate) => {
                let from = from.max(self.words.circuit.placed(&form, 0));
                let (units, at) = self.circuit().masked(&gate, &[Linear::constant(cell_key.key)], 1, from);
                (units[0].clone(), at)
            }
        };
        let at = self.circuit().row(&key, RowValue::Linear(form.clone()), from);
        self.cell_writes.insert(cell, at);
        let word = self.words.word_of(form);
        self.cells.insert(cell, word);
    }
}
