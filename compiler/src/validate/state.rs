//! States that packets are run on: what fields and the trace hold at first, for several runs side by side.

use rustc_hash::FxHashMap;
use std::cell::Cell;
use wasm2onnx_runtime::{Domain, Network};

/// Number of runs that go side by side: one instruction or one equation of a map is evaluated for all of them
/// at once.
pub const LANES: usize = 8;

/// A value for each run.
pub type Lanes<T> = [T; LANES];

/// What a number of a state is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Any number of the interval.
    Uniform,
    /// Close to 0: a counter, a flag, an index.
    Small,
    /// An address of a small memory.
    Address,
    /// At an end of the signed or unsigned numbers of some width, or beside it.
    Edge,
    /// A power of two, or beside one.
    Power,
    /// One of the largest numbers.
    Large,
    /// One of two numbers that are also drawn for others.
    Same,
    /// A constant of the packet, or beside one.
    Constant,
}

use Kind::*;

/// What the numbers of each lane are like: eight kinds, of which each number has one. In most states checks
/// pass, and both arms of branches are taken; what is rare in programs is mixed in.
const KINDS: Lanes<[Kind; 8]> = [
    [Small, Small, Small, Small, Same, Small, Small, Constant],
    [Address, Address, Address, Address, Address, Address, Small, Constant],
    [Small, Address, Small, Address, Same, Constant, Edge, Uniform],
    [Small, Address, Constant, Constant, Same, Small, Power, Edge],
    [Small, Address, Edge, Power, Same, Large, Uniform, Constant],
    [Uniform, Edge, Small, Power, Uniform, Large, Address, Uniform],
    [Constant, Constant, Edge, Edge, Edge, Large, Same, Power],
    [Uniform, Uniform, Uniform, Uniform, Edge, Power, Power, Constant],
];

/// Number of lanes in which words of memory are mostly small: their upper bytes are 0.
const TAME: usize = 4;

/// Ends of the ranges of numbers of all widths, as words.
const EDGES: [i64; 12] =
    [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_ff80, 0xffff_ffff];

/// Mixes bits well (the finalizer of SplitMix64).
fn mix(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// Draws all that is free in a state, when it is asked for: the same question has the same answer.
#[derive(Clone, Copy, Debug, Default)]
pub struct Draw {
    bits: u64,
    lane: usize,
    constants: Constants,
}

/// Some of the constants of a packet.
#[derive(Clone, Copy, Debug, Default)]
pub struct Constants {
    words: [u32; 6],
    count: usize,
}

impl Constants {
    /// Adds a constant, unless it is already there or there are enough.
    pub fn add(&mut self, word: u32) {
        if self.count < self.words.len() && !self.words[..self.count].contains(&word) {
            self.words[self.count] = word;
            self.count += 1;
        }
    }
}

impl Draw {
    /// Returns the states of all lanes in a round of a packet that has these constants.
    pub fn lanes(packet: usize, round: u32, constants: Constants) -> Lanes<Draw> {
        std::array::from_fn(|lane| {
            let bits = mix(mix(packet as u64) ^ (u64::from(round) << 8 | lane as u64));
            Draw { bits, lane, constants }
        })
    }

    /// Draws an integer in `[lo, hi]` for whatever `salt` stands for.
    pub fn number(&self, salt: u64, lo: i64, hi: i64) -> i64 {
        let h = mix(self.bits ^ salt.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let span = hi.abs_diff(lo);
        let low = (h & 0xffff_ffff) as i64;
        let beside = (h >> 32) as i64 % 3 - 1;
        let x = match KINDS[self.lane][(h >> 61) as usize] {
            Uniform => lo - 1,
            Small => (low * 67) >> 32,
            Address => (low * 65_521) >> 32,
            Edge => EDGES[low as usize % EDGES.len()] + beside,
            Power => (1 << (low % 33)) + beside,
            Large => hi - low % 5,
            Constant if self.constants.count == 0 => low % 3,
            Constant => i64::from(self.constants.words[low as usize % self.constants.count]) + beside,
            Same => (mix(self.bits ^ (h >> 32 & 1)) & 0x7fff) as i64,
        };
        if (lo..=hi).contains(&x) {
            return x;
        }
        // The upper half of the product with the number of integers in the interval.
        lo.wrapping_add(((u128::from(mix(h)) * (u128::from(span) + 1)) >> 64) as i64)
    }

    /// Draws the byte at `offset` of a space of bytes.
    fn byte(&self, salt: u64, offset: u64) -> i64 {
        if self.lane < TAME && offset & 2 != 0 && mix(self.bits ^ salt) & 7 != 0 {
            return 0;
        }
        self.number(salt, 0, 255)
    }

    /// Draws a number in `[lo, hi]` that stands for a word: an interesting word, plus a multiple of 2^32 if
    /// that is inside.
    pub fn word(&self, salt: u64, lo: i64, hi: i64) -> i64 {
        const TWO32: i64 = 1 << 32;
        if hi - lo < TWO32 {
            return self.number(salt, lo, hi);
        }
        let word = self.number(salt, 0, TWO32 - 1);
        let lowest = (lo - word).div_euclid(TWO32) + i64::from((lo - word).rem_euclid(TWO32) != 0);
        let highest = (hi - word).div_euclid(TWO32);
        word + TWO32 * self.number(!salt, lowest, highest)
    }
}

/// What a trace holds before anything is written to it.
pub struct First<'a> {
    network: &'a Network,
    /// For each region, whether no program writes to it.
    frozen: Vec<bool>,
    /// The rows of frozen regions that are not 0.
    pub rows: FxHashMap<u64, f64>,
}

impl<'a> First<'a> {
    /// Begins with nothing frozen.
    pub fn new(network: &'a Network) -> First<'a> {
        First { network, frozen: vec![false; network.regions.len()], rows: FxHashMap::default() }
    }

    /// Notes that the region of a key never changes.
    pub fn freeze(&mut self, key: u64) {
        if let Some(region) = self.network.region_of(key) {
            self.frozen[region] = true;
        }
    }

    /// Returns what is read with a key in every state, if the key is in a region that never changes, or in
    /// none.
    pub fn frozen(&self, key: u64) -> Option<f64> {
        match self.network.region_of(key) {
            Some(region) if !self.frozen[region] => None,
            _ => Some(self.rows.get(&key).copied().unwrap_or(0.0)),
        }
    }

    /// Returns the value of a key of a region in a state.
    fn value(&self, draw: &Draw, region: usize, key: u64) -> f64 {
        if self.frozen[region] {
            return self.rows.get(&key).copied().unwrap_or(0.0);
        }
        let region = &self.network.regions[region];
        match region.values {
            // The values of a region of cells with a limit are sizes: large ones let accesses pass.
            Domain::Interval(values) if values.hi < 1 << 31 && values.hi > 255 => {
                let large = draw.number(!key, 0, 1) == 0;
                draw.number(key, if large { values.hi } else { values.lo }, values.hi) as f64
            }
            Domain::Interval(values) if values.hi == 255 => draw.byte(key, key - region.first) as f64,
            Domain::Interval(values) => draw.number(key, values.lo, values.hi) as f64,
            Domain::PowerOfTwo { hi } => (1u64 << draw.number(key, 0, hi.into())) as f64,
            Domain::Ids(set) => {
                let ids = &self.network.certificate.id_sets[set as usize].ids;
                let i = draw.number(key, 0, ids.len() as i64) as usize;
                ids.get(i).map_or(0.0, |id| f64::from(*id))
            }
        }
    }
}

/// Number of rows below which the latest rows are looked through one by one: older rows are found by their
/// keys, so that no packet takes quadratic time.
const FEW_ROWS: usize = 32;

/// A trace for each run.
pub struct Traces<'a> {
    first: &'a First<'a>,
    draws: Lanes<Draw>,
    /// Rows that were written, in their order.
    written: Lanes<Vec<(u64, f64)>>,
    /// The latest of these rows by key, without the rows behind the last multiple of [`FEW_ROWS`].
    by_key: Lanes<FxHashMap<u64, f64>>,
    /// The region that was found last: it is often the next one to be asked for.
    last: Cell<usize>,
}

impl<'a> Traces<'a> {
    /// Makes traces of no state.
    pub fn new(first: &'a First<'a>) -> Self {
        Traces {
            first,
            draws: Default::default(),
            written: Default::default(),
            by_key: Default::default(),
            last: Cell::new(0),
        }
    }

    /// Begins again with other states.
    pub fn reset(&mut self, draws: Lanes<Draw>) {
        self.draws = draws;
        self.written.iter_mut().for_each(Vec::clear);
        self.by_key.iter_mut().for_each(FxHashMap::clear);
    }

    /// Returns the region of a key.
    fn region_of(&self, key: u64) -> Option<usize> {
        let last = self.last.get();
        if let Some(region) = self.first.network.regions.get(last)
            && (region.first..region.first + region.count).contains(&key)
        {
            return Some(last);
        }
        let found = self.first.network.region_of(key)?;
        self.last.set(found);
        Some(found)
    }

    /// Returns the value of the latest row with that key.
    pub fn read(&self, lane: usize, key: u64) -> f64 {
        let written = &self.written[lane];
        let last = &written[written.len() - written.len() % FEW_ROWS..];
        let latest = last.iter().rev().find(|row| row.0 == key).map(|row| row.1);
        match latest.or_else(|| self.by_key[lane].get(&key).copied()) {
            Some(value) => value,
            None => {
                let region = self.region_of(key);
                region.map_or(0.0, |region| self.first.value(&self.draws[lane], region, key))
            }
        }
    }

    /// Writes a row. A row outside of all regions is not written.
    pub fn write(&mut self, lane: usize, key: u64, value: f64) {
        if self.region_of(key).is_some() {
            let written = &mut self.written[lane];
            written.push((key, value));
            if written.len().is_multiple_of(FEW_ROWS) {
                self.by_key[lane].extend(written[written.len() - FEW_ROWS..].iter().copied());
            }
        }
    }

    /// Returns the latest of the rows that were written with each key, ascending by key.
    pub fn latest(&self, lane: usize) -> Vec<(u64, f64)> {
        let mut rows = self.written[lane].clone();
        // The sort is stable: the latest row of a key comes last.
        rows.sort_by_key(|row| row.0);
        rows.reverse();
        rows.dedup_by_key(|row| row.0);
        rows.reverse();
        rows
    }
}
