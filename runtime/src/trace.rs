//! The trace of the sparse executor: a direct map from key to latest value.
//!
//! A row overwritten by a later row with the same key can never win an attention read again, so one
//! cell for each key of a declared region is an exact cache of the whole trace. An absent row and a
//! cell that holds 0 read the same, as they should: a miss reads 0.
//!
//! All cells lie in one anonymous mapping. The operating system gives it memory page by page when
//! cells are first written: a region of 4 GiB costs only address space until it is used. For large regions
//! it is noted which blocks were written, so that a scan can skip the others.

use std::ops::Range;

#[cfg(target_os = "linux")]
use memmap2::UncheckedAdvice;
use memmap2::{MmapMut, MmapOptions};

use crate::error::Error;
use crate::network::{CellWidth, Region};

/// Size of a trace as an executor holds it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TraceSize {
    /// Number of rows that are kept: all that were appended (dense), or the latest row of each key, if its
    /// value is not 0 (sparse).
    pub rows: u64,
    /// Number of bytes that these rows take.
    pub bytes: u64,
}

/// One cell for each key of each region.
#[derive(Debug)]
pub(crate) struct Trace {
    cells: MmapMut,
    regions: Box<[Cells]>,
    /// Offset of the notes in the mapping, behind all cells. They are a byte for each block of cells: 1 if a
    /// tracked region was written in the block.
    notes: usize,
}

/// Regions with more bytes than this are tracked.
const MAX_UNTRACKED: usize = 16 << 20;

/// Binary logarithm of the bytes of a tracked block.
pub(crate) const BLOCK_BITS: u32 = 20;

/// Number of bytes that a scan compares at once. Tracked regions are aligned to it.
const CHUNK: usize = 4096;

/// Bytes at whose multiples in the mapping a page of memory begins, whatever the size of pages.
pub(crate) const PAGES: usize = 1 << 16;

/// The cells of a region, and where they are in the mapping.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cells {
    /// First key.
    pub(crate) first: u64,
    /// Number of keys.
    pub(crate) count: u64,
    /// Width of a cell.
    pub(crate) width: CellWidth,
    /// Offset of the first cell in the mapping, in bytes; a multiple of 8.
    pub(crate) offset: usize,
    /// Whether it is noted which blocks were written.
    pub(crate) tracked: bool,
}

/// Returns the number of bytes of a cell.
pub(crate) fn cell_bytes(width: CellWidth) -> usize {
    match width {
        CellWidth::Byte => 1,
        CellWidth::Number => size_of::<f64>(),
    }
}

impl Cells {
    fn bytes(&self) -> usize {
        self.count as usize * cell_bytes(self.width)
    }
}

/// Returns the key that a field of `z` names, or `None` if the field is not a non-negative integer.
pub(crate) fn key_of(x: f64) -> Option<u64> {
    let key = x as u64;
    (key as f64 == x).then_some(key)
}

/// Index of the region that a port accessed last, which is tried first at the next access of the port. `None`
/// before the first access. There are at most [`MAX_REGIONS`](crate::limits::MAX_REGIONS) regions, so
/// that every index fits.
pub(crate) type RegionHint = Option<u16>;

/// What machine code takes its addresses from.
#[cfg(feature = "jit")]
impl Trace {
    /// Returns the regions, in the network's order.
    pub(crate) fn regions(&self) -> &[Cells] {
        &self.regions
    }

    /// Returns the offset in the mapping of the notes which say what blocks were written, a byte for each.
    pub(crate) fn notes(&self) -> usize {
        self.notes
    }

    /// Returns the address of the mapping's first byte. It stays valid as long as the trace lives.
    pub(crate) fn base(&mut self) -> *mut u8 {
        self.cells.as_mut_ptr()
    }
}

impl Trace {
    /// Creates an empty trace over validated regions.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfMemory`] if there is not enough address space.
    pub(crate) fn new(regions: &[Region]) -> Result<Self, Error> {
        let mut bytes = 0;
        let mut lay_out = |region: &Region| {
            let size = region.count as usize * cell_bytes(region.width);
            let tracked = size > MAX_UNTRACKED;
            if tracked {
                bytes = usize::next_multiple_of(bytes, CHUNK);
            }
            let offset = bytes;
            bytes = (bytes + size).next_multiple_of(size_of::<f64>());
            Cells { first: region.first, count: region.count, width: region.width, offset, tracked }
        };
        let regions = regions.iter().map(&mut lay_out).collect();
        let mapping = MmapOptions::new().len(bytes + (bytes >> BLOCK_BITS) + 1).no_reserve_swap().map_anon();
        let cells = mapping.map_err(|_| Error::OutOfMemory { bytes: bytes as u64 })?;
        Ok(Trace { cells, regions, notes: bytes })
    }

    /// Returns the region of a key and the index of the key in it. Tries the hint first, and updates it.
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

    /// Returns the value of the latest row with that key, 0 if there is none.
    pub(crate) fn read(&self, key: u64) -> f64 {
        self.read_hinted(key, &mut None)
    }

    /// Does what [`Trace::read`] does, for a port that remembers the region of its last access.
    pub(crate) fn read_hinted(&self, key: u64, hint: &mut RegionHint) -> f64 {
        let Some((region, index)) = self.locate(key, hint) else {
            return 0.0;
        };
        match region.width {
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

    /// Does what [`Trace::append`] does, for a port that remembers the region of its last access.
    pub(crate) fn append_hinted(&mut self, key: u64, value: f64, hint: &mut RegionHint) {
        let Some((&region, index)) = self.locate(key, hint) else {
            return;
        };
        let first = region.offset + index * cell_bytes(region.width);
        match region.width {
            CellWidth::Byte => self.cells[first] = value as u8,
            CellWidth::Number => {
                self.cells[first..first + size_of::<f64>()].copy_from_slice(&value.to_ne_bytes());
            }
        }
        if region.tracked {
            self.cells[self.notes + (first >> BLOCK_BITS)] = 1;
        }
    }

    /// Forgets whole pages of cells of a region that lie within these keys: they hold 0 from now on, and take no memory.
    pub(crate) fn forget(&mut self, keys: Range<u64>) {
        let Some((&region, index)) = self.locate(keys.start, &mut None) else { return };
        let count = keys.end.saturating_sub(keys.start).min(region.count - index as u64);
        let bytes = cell_bytes(region.width);
        let first = (region.offset + index * bytes).next_multiple_of(PAGES);
        let end = (region.offset + (index + count as usize) * bytes) / PAGES * PAGES;
        if first < end {
            self.zero(first..end);
        }
    }

    /// Fills a range of the mapping with zeros and gives its memory back.
    #[cfg(target_os = "linux")]
    fn zero(&mut self, range: Range<usize>) {
        let (advice, length) = (UncheckedAdvice::DontNeed, range.len());
        // Safety: on Linux, the advice turns pages of an anonymous private mapping into pages of zeros, which are valid
        // cells. They are whole pages, so no other cells are changed. Nobody else looks at them: the mapping is borrowed
        // mutably, and machine code, which has its address, does not run.
        let done = unsafe { self.cells.unchecked_advise_range(advice, range.start, length) };
        if done.is_err() {
            self.cells[range].fill(0);
        }
    }

    /// Fills a range of the mapping with zeros.
    #[cfg(not(target_os = "linux"))]
    fn zero(&mut self, range: Range<usize>) {
        self.cells[range].fill(0);
    }

    /// Returns the size of what the trace holds now. Looks at every cell that was written.
    pub(crate) fn size(&self) -> TraceSize {
        let mut size = TraceSize::default();
        for region in &self.regions {
            self.for_each_in(region, &mut |_, _| {
                size.rows += 1;
                size.bytes += cell_bytes(region.width) as u64;
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
        let cells = CHUNK / cell_bytes(region.width);
        for (i, chunk) in bytes.chunks(CHUNK).enumerate() {
            let untouched =
                region.tracked && self.cells[self.notes + ((region.offset + i * CHUNK) >> BLOCK_BITS)] == 0;
            // Most of what was touched is still 0. Comparing whole chunks skips it fast.
            if untouched || chunk == &ZEROS[..chunk.len()] {
                continue;
            }
            for index in 0..chunk.len() / cell_bytes(region.width) {
                let value = match region.width {
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

/// Returns the number at `index` of an array of numbers given as bytes.
fn number(bytes: &[u8], index: usize) -> f64 {
    let first = index * size_of::<f64>();
    let mut number = [0; size_of::<f64>()];
    number.copy_from_slice(&bytes[first..first + size_of::<f64>()]);
    f64::from_ne_bytes(number)
}

#[cfg(test)]
mod tests;
