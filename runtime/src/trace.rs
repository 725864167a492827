//! The trace of the sparse executor: a direct map from key to latest value.
//!
//! A row overwritten by a later row with the same key can never win an attention read again, so one
//! cell for each key of a declared region is an exact cache of the whole trace. An absent row and a
//! cell that holds 0 read alike, as they should: a miss reads 0.
//!
//! All cells lie in one anonymous mapping. The operating system gives it memory page by page when
//! cells are first written: a region of 4 GiB costs address space until it is used. Where large
//! regions were written is noted, so that nobody has to look through all of it.

use memmap2::{MmapMut, MmapOptions};

use crate::error::Error;
use crate::network::{CellWidth, Region};

/// Size of a trace as an executor holds it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TraceSize {
    /// Rows that are kept: all that were appended (dense), or the latest of each key whose value is
    /// not 0 (sparse).
    pub rows: u64,
    /// Bytes that these rows take.
    pub bytes: u64,
}

/// One cell for each key of each region.
#[derive(Debug)]
pub(crate) struct Trace {
    cells: MmapMut,
    regions: Box<[Cells]>,
    /// Offset in the mapping of a byte for each block of what is before: 1 if a tracked region was
    /// written there.
    notes: usize,
}

/// Regions of more bytes than this are tracked.
const MAX_UNTRACKED: usize = 16 << 20;

/// Binary logarithm of the bytes of a tracked block.
pub(crate) const BLOCK_BITS: u32 = 20;

/// Bytes that are looked at together; tracked regions are aligned to them.
const CHUNK: usize = 4096;

/// Where the cells of a region are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cells {
    /// First key.
    pub(crate) first: u64,
    /// Number of keys.
    pub(crate) count: u64,
    /// Width of a cell.
    pub(crate) cell: CellWidth,
    /// Offset of the first cell in the mapping, in bytes; a multiple of 8.
    pub(crate) offset: usize,
    /// Whether it is noted where rows are written.
    pub(crate) tracked: bool,
}

/// Bytes of a cell.
pub(crate) fn cell_bytes(cell: CellWidth) -> usize {
    match cell {
        CellWidth::Byte => 1,
        CellWidth::Number => size_of::<f64>(),
    }
}

impl Cells {
    fn bytes(&self) -> usize {
        self.count as usize * cell_bytes(self.cell)
    }
}

/// The key that a field of `z` names: an exact non-negative integer, if it is one.
pub(crate) fn key_of(x: f64) -> Option<u64> {
    let key = x as u64;
    (key as f64 == x).then_some(key)
}

/// Index of the region that one port met last, tried first at its next access; `None` before there was one.
/// There are at most [`MAX_REGIONS`](crate::limits::MAX_REGIONS), so that every index has a number of its own.
pub(crate) type RegionHint = Option<u16>;

impl Trace {
    /// An empty trace over validated regions.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfMemory`] if there is not enough address space.
    pub(crate) fn new(regions: &[Region]) -> Result<Self, Error> {
        let mut bytes = 0;
        let mut place = |region: &Region| {
            let size = region.count as usize * cell_bytes(region.cell);
            let tracked = size > MAX_UNTRACKED;
            if tracked {
                bytes = usize::next_multiple_of(bytes, CHUNK);
            }
            let offset = bytes;
            bytes = (bytes + size).next_multiple_of(size_of::<f64>());
            Cells { first: region.first, count: region.count, cell: region.cell, offset, tracked }
        };
        let regions = regions.iter().map(&mut place).collect();
        let mapping = MmapOptions::new().len(bytes + (bytes >> BLOCK_BITS) + 1).no_reserve_swap().map_anon();
        let cells = mapping.map_err(|_| Error::OutOfMemory { bytes: bytes as u64 })?;
        Ok(Trace { cells, regions, notes: bytes })
    }

    /// The regions, in the network's order.
    pub(crate) fn regions(&self) -> &[Cells] {
        &self.regions
    }

    /// Offset in the mapping of the notes on which blocks were written, a byte for each.
    pub(crate) fn notes(&self) -> usize {
        self.notes
    }

    /// The mapping's first byte. It stays valid as long as the trace lives.
    pub(crate) fn base(&mut self) -> *mut u8 {
        self.cells.as_mut_ptr()
    }

    /// The region of a key and the key's index in it. The hint is tried first, and updated.
    fn locate(&self, key: u64, hint: &mut RegionHint) -> Option<(&Cells, usize)> {
        if let Some(region) = hint.and_then(|hint| self.regions.get(usize::from(hint))) {
            let index = key.wrapping_sub(region.first);
            if index < region.count {
                return Some((region, index as usize));
            }
        }
        let i = self.regions.partition_point(|r| r.first + r.count <= key);
        let region = self.regions.get(i)?;
        let index = key.checked_sub(region.first)?;
        *hint = u16::try_from(i).ok();
        Some((region, index as usize))
    }

    /// Value of the latest row with that key, 0 if there is none.
    pub(crate) fn read(&self, key: u64) -> f64 {
        self.read_hinted(key, &mut None)
    }

    /// [`Trace::read`] for a port that remembers the region it met.
    pub(crate) fn read_hinted(&self, key: u64, hint: &mut RegionHint) -> f64 {
        let Some((region, index)) = self.locate(key, hint) else {
            return 0.0;
        };
        match region.cell {
            CellWidth::Byte => self.cells[region.offset + index].into(),
            CellWidth::Number => number(&self.cells[region.offset..], index),
        }
    }

    /// Appends a row. A key in no region is not appended.
    ///
    /// A value that does not fit a byte region's cell breaks rule 7 of the certificate; it is
    /// truncated and saturated.
    pub(crate) fn append(&mut self, key: u64, value: f64) {
        self.append_hinted(key, value, &mut None);
    }

    /// [`Trace::append`] for a port that remembers the region it met.
    pub(crate) fn append_hinted(&mut self, key: u64, value: f64, hint: &mut RegionHint) {
        let Some((&region, index)) = self.locate(key, hint) else {
            return;
        };
        let first = region.offset + index * cell_bytes(region.cell);
        match region.cell {
            CellWidth::Byte => self.cells[first] = value as u8,
            CellWidth::Number => {
                self.cells[first..first + size_of::<f64>()].copy_from_slice(&value.to_ne_bytes());
            }
        }
        if region.tracked {
            self.cells[self.notes + (first >> BLOCK_BITS)] = 1;
        }
    }

    /// What it holds now; looks at every cell that was written.
    pub(crate) fn size(&self) -> TraceSize {
        let mut size = TraceSize::default();
        for region in &self.regions {
            self.for_each_in(region, &mut |_, _| {
                size.rows += 1;
                size.bytes += cell_bytes(region.cell) as u64;
            });
        }
        size
    }

    /// Calls `f` with the key and the value of every cell that is not 0, ascending by key.
    pub(crate) fn for_each(&self, f: &mut dyn FnMut(u64, f64)) {
        for region in &self.regions {
            self.for_each_in(region, f);
        }
    }

    fn for_each_in(&self, region: &Cells, f: &mut dyn FnMut(u64, f64)) {
        static ZEROS: [u8; CHUNK] = [0; CHUNK];
        let bytes = &self.cells[region.offset..region.offset + region.bytes()];
        let cells = CHUNK / cell_bytes(region.cell);
        for (i, chunk) in bytes.chunks(CHUNK).enumerate() {
            let untouched =
                region.tracked && self.cells[self.notes + ((region.offset + i * CHUNK) >> BLOCK_BITS)] == 0;
            // Most of what was touched is 0 still. Comparing chunks skips it fast.
            if untouched || chunk == &ZEROS[..chunk.len()] {
                continue;
            }
            for index in 0..chunk.len() / cell_bytes(region.cell) {
                let value = match region.cell {
                    CellWidth::Byte => chunk[index].into(),
                    CellWidth::Number => number(chunk, index),
                };
                if value != 0.0 {
                    f(region.first + (i * cells + index) as u64, value);
                }
            }
        }
    }
}

/// Number `index` of an array of numbers given as bytes.
fn number(bytes: &[u8], index: usize) -> f64 {
    let first = index * size_of::<f64>();
    let mut number = [0; size_of::<f64>()];
    number.copy_from_slice(&bytes[first..first + size_of::<f64>()]);
    f64::from_ne_bytes(number)
}

#[cfg(test)]
mod tests;
