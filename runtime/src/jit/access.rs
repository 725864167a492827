//! Reads and rows as loads and stores.
//!
//! A key is an integer in a float64. If 2^52 minus the region's first key is added to it, the low bits of the
//! sum are the index of the key in the region. A key outside of the region, an integer that is too large or
//! anything that is not a number gives other bits, so one unsigned comparison is enough to check the index.
//! That is the fast path, for the region that the interpreter accessed there; all other accesses are calls of
//! the runtime. Keys that differ by a constant share the comparison.
//!
//! # Why every access is in range
//!
//! No load or store of the trace or the tables relies on the certificate, or on what the interpreter has
//! seen. Each is at an index that was compared with the size of its region at run time
//! ([`Emitter::checked_address`]), or at a constant key that was looked up among the regions when the code
//! was generated ([`Emitter::constant_address`]), or at an index in the tables that was limited to their size
//! ([`Emitter::look_up`]). The regions, their sizes and their addresses do not change as long as the trace
//! lives.
//!
//! Let *B* be a key's base, a float64 of any kind, and *c* the exact constant that is added to it: 2^52, plus
//! the least of the keys' distances from *B*, minus the region's first key. The sum is rounded once, and
//! rounding is monotone. If *B + c* lies in [2^52, 2^53), where the float64s are the integers, an integer *B*
//! gives the exact index in the low bits, and any other *B* gives some index, which is compared all the same.
//! Below 2^52, the bits of the sum are smaller than those of 2^52 (or, for negative numbers, above all that
//! is compared). From 2^53 on, for infinities and for NaN, they are larger by at least 2^52: as an unsigned
//! number, the difference is beyond every region ([`MAX_CELLS`]).

use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::types::{F32, F64, I64};
use cranelift_codegen::ir::{Block, BlockArg, InstBuilder, MemFlagsData, Value};

use std::mem::offset_of;

use super::emit::{Emitter, MAGIC, TRUSTED};
use super::symbolic::{Append, Effects, Id, Read, Sym};
use super::{Lookup, NativeState};
use crate::exact::exact_sum;
use crate::limits::MAX_CELLS;
use crate::network::CellWidth;
use crate::trace::{BLOCK_BITS, Cells, RegionHint, cell_bytes, key_of};

/// Maximum magnitude of constants that can be added to [`MAGIC`] exactly.
const MAX_OFFSET: f64 = MAGIC / 2.0;

// Every index of a region is below every apparent index that a sum outside of [2^52, 2^53) gives.
const _: () = assert!(MAX_CELLS < 1 << 52);

/// Accesses of one region at constant distances, which one comparison can check.
struct Group<'e, T> {
    base: Option<Id>,
    hint: RegionHint,
    accesses: Vec<&'e T>,
}

/// A value to load: that of a read, or that of a word whose first byte is the read.
struct Wanted {
    read: Read,
    id: Id,
    bytes: usize,
}

impl Access for Wanted {
    fn key(&self) -> Sym {
        self.read.query
    }
    fn region(&self) -> RegionHint {
        self.read.hint
    }
}

/// An access that can be grouped with others.
trait Access {
    fn key(&self) -> Sym;
    /// Returns the region that its port accessed last.
    fn region(&self) -> RegionHint;

    /// Returns the region that the fast path is for, if there is to be a fast path.
    fn hint(&self) -> RegionHint {
        self.region().filter(|_| self.key().offset.abs() <= MAX_OFFSET)
    }
}

impl Access for Append {
    fn key(&self) -> Sym {
        self.key
    }
    fn region(&self) -> RegionHint {
        self.hint
    }
}

fn groups<'e, T: Access>(accesses: impl Iterator<Item = &'e T>) -> Vec<Group<'e, T>> {
    let mut groups: Vec<Group<'e, T>> = Vec::new();
    for access in accesses {
        let (base, hint) = (access.key().base, access.hint());
        match groups.iter_mut().find(|group| group.base == base && group.hint == hint) {
            Some(group) => group.accesses.push(access),
            None => groups.push(Group { base, hint, accesses: vec![access] }),
        }
    }
    groups
}

/// An address from which the cells of a region are accessed.
#[derive(Clone, Copy)]
struct CellAddress {
    /// Address of the cell of the key `first`.
    address: Value,
    first: f64,
    width: CellWidth,
    /// Whether it must be noted which blocks are written.
    tracked: bool,
}

impl Emitter<'_> {
    /// Emits those reads of a step whose values are needed.
    pub(super) fn reads(&mut self, effects: &Effects) {
        let used = |id: Id| self.trail.used[id as usize];
        let words: Vec<_> = effects.words.iter().filter(|word| used(word.id)).collect();
        // The needed reads, each as one byte or number, then the needed words.
        let wanted: Vec<Wanted> = effects
            .reads
            .iter()
            .filter(|read| used(read.id))
            .map(|read| Wanted { read: *read, id: read.id, bytes: 1 })
            .chain(words.iter().map(|word| {
                let read = effects.reads[word.reads[0]];
                Wanted { read, id: word.id, bytes: word.reads.len() }
            }))
            .collect();
        for group in groups(wanted.iter()) {
            let values = self.read_group(&group);
            for (wanted, value) in group.accesses.iter().zip(values) {
                self.set(wanted.id, value);
            }
        }
    }

    fn read_group(&mut self, group: &Group<'_, Wanted>) -> Vec<Value> {
        let last = |wanted: &Wanted| wanted.read.query.offset + (wanted.bytes - 1) as f64;
        let Some(base) = group.base else {
            let read = |wanted: &&Wanted| match self.constant_address(wanted.read.query.offset, last(wanted))
            {
                Some(origin) => self.load(origin, wanted),
                None => self.call_read(wanted),
            };
            return group.accesses.iter().map(read).collect();
        };
        let Some(cells) = self.region(group.hint) else {
            return group.accesses.iter().map(|wanted| self.call_read(wanted)).collect();
        };
        let first = group.accesses.iter().map(|w| w.read.query.offset).fold(f64::INFINITY, f64::min);
        let last = group.accesses.iter().map(|w| last(w)).fold(f64::NEG_INFINITY, f64::max);
        let Some((origin, in_region)) = self.checked_address(base, first, last, &cells) else {
            return group.accesses.iter().map(|wanted| self.call_read(wanted)).collect();
        };
        let (fast, slow) = (self.builder.create_block(), self.cold_block());
        let done = self.builder.create_block();
        self.builder.ins().brif(in_region, fast, [], slow, []);

        self.go_on(fast);
        let values: Vec<_> = group.accesses.iter().map(|wanted| self.load(origin, wanted)).collect();
        self.jump_with(done, &values);

        self.go_on(slow);
        self.begin_cold_code();
        let values: Vec<_> = group.accesses.iter().map(|wanted| self.call_read(wanted)).collect();
        self.end_cold_code();
        self.jump_with(done, &values);

        self.go_on(done);
        values.iter().map(|_| self.builder.append_block_param(done, F64)).collect()
    }

    fn jump_with(&mut self, block: Block, values: &[Value]) {
        let arguments: Vec<_> = values.iter().map(|value| BlockArg::Value(*value)).collect();
        self.builder.ins().jump(block, &arguments);
    }

    /// Returns the region that a port accessed last.
    fn region(&self, hint: RegionHint) -> Option<Cells> {
        self.target.regions.get(usize::from(hint?)).copied()
    }

    /// Emits the check whether all keys from `base + first` to `base + last` are in a region. Returns the
    /// address of the cell of the key `base + first` and the result of the check, or `None` if the region is
    /// too small for all these keys or they are too far apart.
    ///
    /// The check compares the index of the key `base + first` with the number of keys from which on all of
    /// them fit. So if it holds, no access at a distance from `first` to `last` is outside of the region.
    fn checked_address(
        &mut self,
        base: Id,
        first: f64,
        last: f64,
        cells: &Cells,
    ) -> Option<(CellAddress, Value)> {
        // Distances are integers of at most 2^51 ([`Access::hint`]), so their difference is exact.
        let room = cells.count.checked_sub((last - first) as u64)?;
        let bytes = (last - first) as usize * cell_bytes(cells.width);
        if cells.tracked && bytes >> BLOCK_BITS != 0 {
            return None;
        }
        let offset = exact_sum(first, -(cells.first as f64)).and_then(|offset| exact_sum(offset, MAGIC))?;
        let shifted = self.with_offset(base, offset);
        let bits = self.bits(shifted);
        let index = self.builder.ins().iadd_imm_s(bits, (MAGIC.to_bits() as i64).wrapping_neg());
        let in_region = self.builder.ins().icmp_imm_u(IntCC::UnsignedLessThan, index, room as i64);
        let distance = match cells.width {
            CellWidth::Byte => index,
            CellWidth::Number => self.builder.ins().ishl_imm_u(index, 3),
        };
        let region = self.region_address(cells);
        let address = self.builder.ins().iadd(region, distance);
        Some((CellAddress { address, first, width: cells.width, tracked: cells.tracked }, in_region))
    }

    /// Loads the value of the latest row with a key, if the key is in a region of numbers.
    pub(super) fn number_at(&mut self, key: u64) -> Option<Value> {
        let origin =
            self.constant_address(key as f64, key as f64).filter(|at| at.width == CellWidth::Number)?;
        let (address, offset) = self.cell(origin, key as f64);
        Some(self.builder.ins().load(F64, TRUSTED, address, offset))
    }

    /// Returns the address of the first cell of the region that contains all keys between two constant ones,
    /// if there is such a region.
    fn constant_address(&mut self, first: f64, last: f64) -> Option<CellAddress> {
        let (first, last) = (key_of(first)?, key_of(last)?);
        let contains = |cells: &Cells, key: u64| key.wrapping_sub(cells.first) < cells.count;
        let cells = self.target.regions.iter().find(|cells| contains(cells, first) && contains(cells, last));
        let cells = *cells?;
        Some(CellAddress {
            address: self.region_address(&cells),
            first: cells.first as f64,
            width: cells.width,
            tracked: cells.tracked,
        })
    }

    fn region_address(&mut self, cells: &Cells) -> Value {
        match cells.offset {
            0 => self.cells,
            offset => self.builder.ins().iadd_imm_s(self.cells, offset as i64),
        }
    }

    /// Returns the address and the offset of a key's cell. The key is in the region of `origin`: its distance
    /// from `origin.first` was covered by the check or the look-up that gave `origin`.
    fn cell(&mut self, origin: CellAddress, key: f64) -> (Value, i32) {
        let offset = (key - origin.first) as i64 * cell_bytes(origin.width) as i64;
        match i32::try_from(offset) {
            Ok(offset) => (origin.address, offset),
            Err(_) => (self.builder.ins().iadd_imm_s(origin.address, offset), 0),
        }
    }

    fn load(&mut self, origin: CellAddress, wanted: &Wanted) -> Value {
        let (address, offset) = self.cell(origin, wanted.read.query.offset);
        let unaligned = MemFlagsData::new().with_notrap();
        let integer = match (origin.width, wanted.bytes) {
            (CellWidth::Number, _) => return self.builder.ins().load(F64, TRUSTED, address, offset),
            (CellWidth::Byte, 1) => self.builder.ins().uload8(I64, TRUSTED, address, offset),
            (CellWidth::Byte, 2) => self.builder.ins().uload16(I64, unaligned, address, offset),
            (CellWidth::Byte, _) => self.builder.ins().uload32(unaligned, address, offset),
        };
        self.builder.ins().fcvt_from_sint(F64, integer)
    }

    /// Calls the runtime for a read, byte by byte for a word.
    fn call_read(&mut self, wanted: &Wanted) -> Value {
        let mut word = None;
        for byte in 0..wanted.bytes {
            let query = wanted.read.query;
            let key = self.value(Sym { offset: query.offset + byte as f64, ..query });
            self.builder.ins().call(self.read, &[self.state, key]);
            let value =
                self.builder.ins().load(F64, TRUSTED, self.state, offset_of!(NativeState, result) as i32);
            word = Some(match word {
                None => value,
                Some(low) => self.multiply_add(value, 256f64.powi(byte as i32), low),
            });
        }
        word.expect("a word has at least one byte")
    }

    /// Emits the appends of a step.
    pub(super) fn appends(&mut self, effects: &Effects) {
        for group in groups(effects.appends.iter()) {
            self.append_group(&group);
        }
    }

    fn append_group(&mut self, group: &Group<'_, Append>) {
        let key = |append: &Append| append.key.offset;
        match group.base {
            None => group.accesses.iter().for_each(|append| self.append_constant_key(append)),
            Some(base) => {
                let first = group.accesses.iter().map(|a| key(a)).fold(f64::INFINITY, f64::min);
                let last = group.accesses.iter().map(|a| key(a)).fold(f64::NEG_INFINITY, f64::max);
                let cells = self.region(group.hint);
                match cells.and_then(|cells| self.checked_address(base, first, last, &cells)) {
                    None => group.accesses.iter().for_each(|append| self.call_append(append)),
                    Some((origin, in_region)) => self.append_at(origin, Some(in_region), &group.accesses),
                }
            }
        }
    }

    fn append_constant_key(&mut self, append: &Append) {
        let key = append.key.offset;
        // A row whose key is in no region is not appended.
        let Some(origin) = self.constant_address(key, key) else { return };
        match origin.width {
            CellWidth::Byte => self.append_at(origin, None, &[append]),
            CellWidth::Number => {
                let value = self.value(append.value);
                let (address, offset) = self.cell(origin, append.key.offset);
                self.builder.ins().store(TRUSTED, value, address, offset);
                self.note(origin, append.key.offset);
            }
        }
    }

    /// Notes that a cell was written, if that must be noted. The cell is in its region, so its block is one
    /// of those before the notes, and each of these blocks has a note.
    fn note(&mut self, origin: CellAddress, key: f64) {
        if !origin.tracked {
            return;
        }
        let (address, offset) = self.cell(origin, key);
        let distance = self.builder.ins().isub(address, self.cells);
        let distance = self.builder.ins().iadd_imm_s(distance, i64::from(offset));
        let block = self.builder.ins().ushr_imm_u(distance, i64::from(BLOCK_BITS));
        let note = self.builder.ins().iadd(self.cells, block);
        let note = self.builder.ins().iadd_imm_s(note, self.target.notes as i64);
        let one = self.builder.ins().iconst(I64, 1);
        self.builder.ins().istore8(TRUSTED, one, note, 0);
    }

    /// Stores rows if `in_region` holds and, in a region of bytes, if all values are bytes; otherwise leaves
    /// all of them to the runtime.
    fn append_at(&mut self, origin: CellAddress, in_region: Option<Value>, appends: &[&Append]) {
        let (slow, done) = (self.cold_block(), self.builder.create_block());
        let values: Vec<_> = appends.iter().map(|append| self.value(append.value)).collect();
        let stored: Vec<_> = match origin.width {
            CellWidth::Number => values,
            CellWidth::Byte => {
                let magic = self.constant(MAGIC);
                // As for keys, the bits of 2^52 + value minus those of 2^52 are the value if it is a byte,
                // and otherwise not below 256.
                values
                    .into_iter()
                    .map(|value| {
                        let shifted = self.builder.ins().fadd(value, magic);
                        let bits = self.bits(shifted);
                        self.builder.ins().iadd_imm_s(bits, (MAGIC.to_bits() as i64).wrapping_neg())
                    })
                    .collect()
            }
        };
        let are_bytes = (origin.width == CellWidth::Byte).then(|| {
            let all = stored.iter().copied().reduce(|a, b| self.builder.ins().bor(a, b));
            let all = all.expect("a group has at least one row");
            self.builder.ins().icmp_imm_u(IntCC::UnsignedLessThan, all, 256)
        });
        for condition in in_region.into_iter().chain(are_bytes) {
            let holds = self.builder.create_block();
            self.builder.ins().brif(condition, holds, [], slow, []);
            self.go_on(holds);
        }
        for (append, value) in appends.iter().zip(stored) {
            let (address, offset) = self.cell(origin, append.key.offset);
            match origin.width {
                CellWidth::Byte => self.builder.ins().istore8(TRUSTED, value, address, offset),
                CellWidth::Number => self.builder.ins().store(TRUSTED, value, address, offset),
            };
        }
        // Rows that are far apart do not get here, so the cells from the first to the last are in at most two
        // blocks.
        self.note(origin, appends.iter().map(|append| append.key.offset).fold(f64::INFINITY, f64::min));
        if appends.len() > 1 {
            self.note(
                origin,
                appends.iter().map(|append| append.key.offset).fold(f64::NEG_INFINITY, f64::max),
            );
        }
        self.builder.ins().jump(done, []);

        self.go_on(slow);
        self.begin_cold_code();
        appends.iter().for_each(|append| self.call_append(append));
        self.end_cold_code();
        self.builder.ins().jump(done, []);
        self.go_on(done);
    }

    /// Calls the runtime to append a row, unless its key is 0.
    fn call_append(&mut self, append: &Append) {
        let key = self.value(append.key);
        let value = self.value(append.value);
        let (call, done) = (self.cold_block(), self.builder.create_block());
        let zero = self.constant(0.0);
        let is_zero = self.builder.ins().fcmp(FloatCC::Equal, key, zero);
        self.builder.ins().brif(is_zero, done, [], call, []);
        self.go_on(call);
        self.builder.ins().call(self.append, &[self.state, key, value]);
        self.builder.ins().jump(done, []);
        self.go_on(done);
    }

    /// Loads an entry of the frozen tables, or the 0 behind them for a query beyond their end. As for keys,
    /// the index is taken from the bits of a sum, whatever they are, but is limited to the index of the 0.
    pub(super) fn look_up(&mut self, query: Sym) -> Value {
        let shifted = if query.offset.abs() <= MAX_OFFSET {
            self.value(Sym { offset: query.offset + MAGIC, ..query })
        } else {
            let (query, magic) = (self.value(query), self.constant(MAGIC));
            self.builder.ins().fadd(query, magic)
        };
        let bits = self.bits(shifted);
        let index = self.builder.ins().iadd_imm_s(bits, (MAGIC.to_bits() as i64).wrapping_neg());
        let (len, table, shift) = match self.target.lookup {
            Lookup::Single(entries) => (entries.len(), entries.as_ptr() as i64, 2),
            Lookup::Double(entries) => (entries.len(), entries.as_ptr() as i64, 3),
        };
        let end = self.builder.ins().iconst(I64, len as i64 - 1);
        let index = self.builder.ins().umin(index, end);
        let distance = self.builder.ins().ishl_imm_u(index, shift);
        let table = self.builder.ins().iconst(I64, table);
        let address = self.builder.ins().iadd(table, distance);
        let flags = TRUSTED.with_readonly();
        match self.target.lookup {
            Lookup::Single(_) => {
                let entry = self.builder.ins().load(F32, flags, address, 0);
                self.builder.ins().fpromote(F64, entry)
            }
            Lookup::Double(_) => self.builder.ins().load(F64, flags, address, 0),
        }
    }
}
