//! Decompresses zlib streams (RFC 1950 and RFC 1951).

use crate::Error;

/// Number of zeros that must follow a stream, so that 4 bytes can be read wherever a bit of it is.
pub const PADDING: usize = 8;

/// Bits of a code that index a table at once. Longer codes lead to a second table, which the other bits index.
const LITERAL_BITS: u32 = 9;
const DISTANCE_BITS: u32 = 7;
/// Sizes of the tables. At most half of the symbols have long codes, two at least share a second table, and
/// no code is longer than 15 bits.
const LITERAL_ENTRIES: usize = (1 << LITERAL_BITS) + (288 / 2) * (1 << (15 - LITERAL_BITS));
const DISTANCE_ENTRIES: usize = (1 << DISTANCE_BITS) + (32 / 2) * (1 << (15 - DISTANCE_BITS));

// An entry of a table has the length of its code in bits 0 to 3, the number of extra bits that follow the code in bits 4 to 7 and from
// bit 8 on a number that depends on what it is, which the highest bits say. 0 is an entry without a code.
const LITERAL: u32 = 1 << 31;
const SECOND: u32 = 1 << 30;
const END: u32 = 1 << 29;

/// Shortest match and number of extra bits for each symbol from 257 on, and the same of distances.
const LENGTHS: [(u16, u8); 29] = ranges(3, 4, Some(258));
const DISTANCES: [(u16, u8); 30] = ranges(1, 2, None);

/// The order in which lengths of the codes for lengths of codes are given.
const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// Returns the first number of each range and how many bits tell where in the range a number is. The first `2 · group` ranges
/// have one number each, then `group` ranges of each size follow. The last range may begin elsewhere and have one number.
const fn ranges<const N: usize>(first: u16, group: usize, last: Option<u16>) -> [(u16, u8); N] {
    let mut ranges = [(0, 0); N];
    let (mut start, mut i) = (first, 0);
    while i < N {
        let bits = if i < 2 * group { 0 } else { i / group - 1 };
        ranges[i] = (start, bits as u8);
        start = start.wrapping_add(1 << bits);
        i += 1;
    }
    if let Some(last) = last {
        ranges[N - 1] = (last, 0);
    }
    ranges
}

/// A place in the stream. There is no buffer of bits: reading them anew costs less than keeping them.
struct Bits<'d> {
    data: &'d [u8],
    /// The index of the next bit.
    at: u32,
}

impl Bits<'_> {
    /// Returns the next 25 bits, or a few more.
    #[inline(always)]
    fn peek(&self) -> Result<u32, Error> {
        let byte = (self.at >> 3) as usize;
        let bytes = self.data.get(byte..byte + 4).ok_or(Error::Short)?;
        Ok(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) >> (self.at & 7))
    }

    fn take(&mut self, count: u32) -> Result<u32, Error> {
        let bits = self.peek()? & ((1 << count) - 1);
        self.at += count;
        Ok(bits)
    }
}

/// The tables of a block.
struct Tables {
    literals: Box<[u32; LITERAL_ENTRIES]>,
    literal_mask: u32,
    distances: Box<[u32; DISTANCE_ENTRIES]>,
    distance_mask: u32,
}

/// Decompresses what is before the padding into `out`. What the stream has beyond that is ignored.
pub fn inflate(padded: &[u8], out: &mut [u8]) -> Result<(), Error> {
    let end = (padded.len() - PADDING) as u32 * 8;
    let mut bits = Bits { data: padded, at: 0 };
    let header = bits.take(16)?;
    let (method, flags) = (header & 0xff, header >> 8);
    // Deflate with a window of 32 KiB at most, a checksum of these two bytes, and no dictionary.
    if method & 15 != 8 || method >> 4 > 7 || (method << 8 | flags) % 31 != 0 || flags & 0x20 != 0 {
        return Err(if end < 16 { Error::Short } else { Error::Compression });
    }
    let mut tables = Tables {
        literals: Box::new([0; LITERAL_ENTRIES]),
        literal_mask: 0,
        distances: Box::new([0; DISTANCE_ENTRIES]),
        distance_mask: 0,
    };
    let mut written = 0;
    loop {
        let kind = bits.take(3)?;
        match kind >> 1 {
            0 => stored(&mut bits, out, &mut written)?,
            1 => {
                let mut lengths = [8; 320];
                lengths[144..256].fill(9);
                lengths[256..280].fill(7);
                lengths[288..].fill(5);
                tables.build(&lengths[..288], &lengths[288..])?;
                block(&mut bits, &tables, out, &mut written)?;
            }
            2 => {
                let (lengths, literals) = code_lengths(&mut bits)?;
                tables.build(&lengths[..literals], &lengths[literals..])?;
                block(&mut bits, &tables, out, &mut written)?;
            }
            _ => return Err(Error::Compression),
        }
        if bits.at > end {
            return Err(Error::Short);
        }
        if kind & 1 != 0 {
            break;
        }
        if written > out.len() {
            return Ok(());
        }
    }
    if written < out.len() {
        return Err(Error::Short);
    }
    if written > out.len() {
        return Ok(());
    }
    bits.at = (bits.at + 7) & !7;
    if bits.at + 32 > end {
        return Err(Error::Short);
    }
    let expected = bits.take(16)? | bits.take(16)? << 16;
    if adler(out) == expected.swap_bytes() { Ok(()) } else { Err(Error::Adler) }
}

/// Copies a block that is not compressed.
fn stored(bits: &mut Bits, out: &mut [u8], written: &mut usize) -> Result<(), Error> {
    bits.at = (bits.at + 7) & !7;
    let length = bits.take(16)?;
    if bits.take(16)? != length ^ 0xffff {
        return Err(Error::Compression);
    }
    let (from, length) = ((bits.at >> 3) as usize, length as usize);
    let bytes = bits.data.get(from..from + length).ok_or(Error::Short)?;
    let room = length.min(out.len().saturating_sub(*written));
    if room > 0 {
        out[*written..*written + room].copy_from_slice(&bytes[..room]);
    }
    *written += length;
    bits.at += length as u32 * 8;
    Ok(())
}

/// Reads the lengths of the codes of literals and, behind them, of distances. Returns them and the number of the former.
fn code_lengths(bits: &mut Bits) -> Result<([u8; 320], usize), Error> {
    let literals = bits.take(5)? as usize + 257;
    let distances = bits.take(5)? as usize + 1;
    let given = bits.take(4)? as usize + 4;
    if literals > 286 || distances > 30 {
        return Err(Error::Compression);
    }
    let mut order = [0; 19];
    for place in &ORDER[..given] {
        order[*place] = bits.take(3)? as u8;
    }
    let mut table = [0; 1 << 7];
    build(&order, 7, &mut table, |symbol| LITERAL | (symbol as u32) << 8)?;
    let (mut lengths, mut count, all) = ([0; 320], 0, literals + distances);
    while count < all {
        let entry = table[(bits.peek()? & 127) as usize];
        if entry == 0 {
            return Err(Error::Compression);
        }
        bits.at += entry & 15;
        let symbol = (entry >> 8) as u8;
        let (length, times) = match symbol {
            16 if count == 0 => return Err(Error::Compression),
            16 => (lengths[count - 1], 3 + bits.take(2)?),
            17 => (0, 3 + bits.take(3)?),
            18 => (0, 11 + bits.take(7)?),
            _ => (symbol, 1),
        };
        let end = count + times as usize;
        if end > all {
            return Err(Error::Compression);
        }
        lengths[count..end].fill(length);
        count = end;
    }
    // What is behind the last of them is 0, so both slices may be taken from the same array.
    if lengths[256] == 0 {
        return Err(Error::Compression);
    }
    Ok((lengths, literals))
}

impl Tables {
    fn build(&mut self, literals: &[u8], distances: &[u8]) -> Result<(), Error> {
        self.literal_mask = build(literals, LITERAL_BITS, &mut self.literals[..], |symbol| match symbol {
            0..256 => LITERAL | (symbol as u32) << 8,
            256 => END,
            // Two symbols have codes in fixed blocks, and no meaning.
            _ => LENGTHS
                .get(symbol - 257)
                .map_or(0, |(start, bits)| u32::from(*start) << 8 | u32::from(*bits) << 4),
        })?;
        self.distance_mask = build(distances, DISTANCE_BITS, &mut self.distances[..], |symbol| {
            DISTANCES.get(symbol).map_or(0, |(start, bits)| u32::from(*start) << 8 | u32::from(*bits) << 4)
        })?;
        Ok(())
    }
}

/// Makes the table of a code that is given by the length of each symbol's bits. Returns the mask for the bits that index second tables.
fn build(lengths: &[u8], bits: u32, table: &mut [u32], entry: impl Fn(usize) -> u32) -> Result<u32, Error> {
    let mut counts = [0u32; 16];
    for length in lengths {
        counts[usize::from(length & 15)] += 1;
    }
    counts[0] = 0;
    // The first code of each length, and how many codes of 15 bits would still be free.
    let (mut next, mut code, mut longest, mut free, mut used) = ([0u32; 16], 0, 0, 1i32 << 15, 0);
    for length in 1..16 {
        code = (code + counts[length - 1]) << 1;
        next[length] = code;
        free -= (counts[length] << (15 - length)) as i32;
        used += counts[length];
        if counts[length] != 0 {
            longest = length as u32;
        }
    }
    // Only a code without symbols, or of one with one bit, may be incomplete.
    if free < 0 || free > 0 && !(used == 0 || used == 1 && longest == 1) {
        return Err(Error::Compression);
    }
    table[..1 << bits].fill(0);
    let second_bits = longest.saturating_sub(bits);
    let mut end = 1 << bits;
    for (symbol, length) in lengths.iter().enumerate() {
        let length = u32::from(*length);
        if length == 0 {
            continue;
        }
        let code = next[length as usize];
        next[length as usize] += 1;
        // The first bit of a code is the lowest one of what is read.
        let code = (code << (32 - length)).reverse_bits() as usize;
        let entry = entry(symbol);
        let entry = if entry == 0 { 0 } else { entry | length };
        if length <= bits {
            let mut i = code;
            while i < 1 << bits {
                table[i] = entry;
                i += 1 << length;
            }
            continue;
        }
        let first = &mut table[code & ((1 << bits) - 1)];
        if *first == 0 {
            *first = SECOND | (end as u32) << 8;
            end += 1 << second_bits;
        }
        let start = (*first >> 8 & 0xffff) as usize;
        let second = table.get_mut(start..start + (1 << second_bits)).ok_or(Error::Compression)?;
        let mut i = code >> bits;
        while i < 1 << second_bits {
            second[i] = entry;
            i += 1 << (length - bits);
        }
    }
    Ok((1 << second_bits) - 1)
}

/// Decompresses a block up to its end, or until `out` is full and something follows; then more bytes are `written` than there is room for.
fn block(bits: &mut Bits, tables: &Tables, out: &mut [u8], written: &mut usize) -> Result<(), Error> {
    let mut at = *written;
    loop {
        let word = bits.peek()?;
        let mut entry = tables.literals[(word & ((1 << LITERAL_BITS) - 1)) as usize];
        if entry & SECOND != 0 {
            let place = (entry >> 8 & 0xffff) + (word >> LITERAL_BITS & tables.literal_mask);
            entry = *tables.literals.get(place as usize).ok_or(Error::Compression)?;
        }
        bits.at += entry & 15;
        if entry & LITERAL != 0 {
            let Some(byte) = out.get_mut(at) else {
                *written = out.len() + 1;
                return Ok(());
            };
            *byte = (entry >> 8) as u8;
            at += 1;
            continue;
        }
        if entry & END != 0 {
            *written = at;
            return Ok(());
        }
        if entry == 0 {
            return Err(Error::Compression);
        }
        let extra = entry >> 4 & 15;
        let length = (entry >> 8) + (word >> (entry & 15) & ((1 << extra) - 1));
        bits.at += extra;
        let word = bits.peek()?;
        let mut entry = tables.distances[(word & ((1 << DISTANCE_BITS) - 1)) as usize];
        if entry & SECOND != 0 {
            let place = (entry >> 8 & 0xffff) + (word >> DISTANCE_BITS & tables.distance_mask);
            entry = *tables.distances.get(place as usize).ok_or(Error::Compression)?;
        }
        if entry == 0 {
            return Err(Error::Compression);
        }
        bits.at += entry & 15;
        let extra = entry >> 4 & 15;
        let mut distance = ((entry >> 8) + bits.take(extra)?) as usize;
        if distance > at {
            return Err(Error::Compression);
        }
        let end = at + length as usize;
        if end > out.len() {
            *written = out.len() + 1;
            // The part that there is room for belongs to the picture.
            let all = out.len();
            repeat(out, at, &mut distance, all);
            return Ok(());
        }
        repeat(out, at, &mut distance, end);
        at = end;
    }
}

/// Copies bytes from `distance` before `at`, up to `end`. Each copy doubles what can be copied at once.
#[inline(always)]
fn repeat(out: &mut [u8], mut at: usize, distance: &mut usize, end: usize) {
    if *distance == 1 {
        let byte = out[at - 1];
        out[at..end].fill(byte);
        return;
    }
    while at < end {
        let count = (end - at).min(*distance);
        out.copy_within(at - *distance..at - *distance + count, at);
        at += count;
        *distance += count;
    }
}

/// Returns the checksum Adler-32.
pub fn adler(data: &[u8]) -> u32 {
    let (mut a, mut b) = (1u32, 0u32);
    // So many bytes that `b` does not overflow.
    for part in data.chunks(5552) {
        let blocks = part.chunks_exact(16);
        let rest = blocks.remainder();
        for block in blocks {
            // What 16 bytes add one after the other, as one sum.
            b += 16 * a;
            for (i, byte) in block.iter().enumerate() {
                b += (16 - i as u32) * u32::from(*byte);
                a += u32::from(*byte);
            }
        }
        for byte in rest {
            a += u32::from(*byte);
            b += a;
        }
        (a, b) = (a % 65521, b % 65521);
    }
    b << 16 | a
}
