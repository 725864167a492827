//! Reads PNG files: all kinds of pixels, interlaced or not. Colours become 8-bit RGB as `Image.convert("RGB")` of Pillow makes them,
//! that is, alpha, transparent colours and the low bytes of 16-bit samples are left out.

use crate::Error;
use crate::inflate::{self, PADDING};
use crate::resize::MAX_SIDE;

/// A picture, with one channel (grey) or three. The sample of channel c in column x of row y is
/// `data[first + y * row + x * pixel + c * channel]`, so that most pictures stay where they were decompressed.
pub struct Picture {
    pub width: usize,
    pub height: usize,
    pub channels: usize,
    pub data: Vec<u8>,
    pub first: usize,
    pub row: usize,
    pub pixel: usize,
    pub channel: usize,
}

const SIGNATURE: [u8; 8] = *b"\x89PNG\r\n\x1a\n";

/// Where the passes of an interlaced picture begin, and how far apart their pixels are: columns and rows.
const PASSES: [Pass; 7] = [
    Pass { at: (0, 0), step: (8, 8) },
    Pass { at: (4, 0), step: (8, 8) },
    Pass { at: (0, 4), step: (4, 8) },
    Pass { at: (2, 0), step: (4, 4) },
    Pass { at: (0, 2), step: (2, 4) },
    Pass { at: (1, 0), step: (2, 2) },
    Pass { at: (0, 1), step: (1, 2) },
];
const WHOLE: [Pass; 1] = [Pass { at: (0, 0), step: (1, 1) }];

struct Pass {
    at: (usize, usize),
    step: (usize, usize),
}

impl Pass {
    /// Returns the number of its columns and rows.
    fn size(&self, header: &Header) -> (usize, usize) {
        let count = |all: usize, at: usize, step: usize| (all + step - 1).saturating_sub(at) / step;
        let columns = count(header.width, self.at.0, self.step.0);
        // A pass without columns has no rows, not even their filters.
        let rows = if columns == 0 { 0 } else { count(header.height, self.at.1, self.step.1) };
        (columns, rows)
    }
}

/// What the chunk IHDR says.
struct Header {
    width: usize,
    height: usize,
    /// Number of bits of a sample.
    depth: usize,
    /// Whether samples are indices of colours in the palette.
    indexed: bool,
    /// Number of samples of a pixel, alpha included.
    samples: usize,
    interlaced: bool,
}

impl Header {
    fn read(data: &[u8]) -> Result<Header, Error> {
        let &[w0, w1, w2, w3, h0, h1, h2, h3, depth, kind, 0, 0, interlaced @ 0..=1] = data else {
            return Err(Error::Header);
        };
        let samples = match (kind, depth) {
            (0, 1 | 2 | 4 | 8 | 16) | (3, 1 | 2 | 4 | 8) => 1,
            (4, 8 | 16) => 2,
            (2, 8 | 16) => 3,
            (6, 8 | 16) => 4,
            _ => return Err(Error::Header),
        };
        let width = u32::from_be_bytes([w0, w1, w2, w3]) as usize;
        let height = u32::from_be_bytes([h0, h1, h2, h3]) as usize;
        if width == 0 || height == 0 {
            return Err(Error::Header);
        }
        if width > MAX_SIDE || height > MAX_SIDE {
            return Err(Error::TooLarge);
        }
        let depth = usize::from(depth);
        Ok(Header { width, height, depth, indexed: kind == 3, samples, interlaced: interlaced == 1 })
    }

    /// Returns the number of bytes of a row with so many pixels, without the byte that says how it is filtered.
    fn bytes(&self, columns: usize) -> usize {
        (columns * self.samples * self.depth).div_ceil(8)
    }
}

/// Decodes a file.
pub fn decode(file: &[u8]) -> Result<Picture, Error> {
    if !file.starts_with(&SIGNATURE) {
        return Err(if SIGNATURE.starts_with(file) { Error::Truncated } else { Error::Signature });
    }
    // Places of bits in the compressed data are 32-bit numbers.
    if file.len() >= 1 << 28 {
        return Err(Error::TooLarge);
    }
    let mut rest = &file[SIGNATURE.len()..];
    let (mut header, mut palette, mut compressed) = (None, None, Vec::new());
    let mut last = [0; 4];
    loop {
        let (kind, data) = chunk(&mut rest)?;
        match &kind {
            b"IHDR" if last == [0; 4] => header = Some(Header::read(data)?),
            _ if header.is_none() => return Err(Error::Chunk),
            b"IDAT" => {
                if !compressed.is_empty() && last != kind {
                    return Err(Error::Chunk);
                }
                // The rest of the file is room for all that follows.
                if compressed.is_empty() {
                    reserve(&mut compressed, data.len() + rest.len() + PADDING)?;
                }
                compressed.extend_from_slice(data);
            }
            b"PLTE" if palette.is_none() && compressed.is_empty() => palette = Some(data),
            b"IEND" => break,
            // Chunks that one may ignore begin with a small letter.
            [first, ..] if first & 0x20 != 0 => {}
            _ => return Err(Error::Chunk),
        }
        last = kind;
    }
    let header = header.ok_or(Error::Chunk)?;
    if compressed.is_empty() {
        return Err(Error::Short);
    }
    let palette = if header.indexed { read_palette(palette)? } else { Vec::new() };
    compressed.extend([0; PADDING]);

    let passes: &[Pass] = if header.interlaced { &PASSES } else { &WHOLE };
    let sizes = passes.iter().map(|pass| pass.size(&header));
    let length = sizes.clone().map(|(columns, rows)| rows * (1 + header.bytes(columns))).sum();
    let mut data = Vec::new();
    reserve(&mut data, length)?;
    data.resize(length, 0);
    inflate::inflate(&compressed, &mut data)?;
    drop(compressed);
    let mut rest = &mut data[..];
    for (columns, rows) in sizes {
        let bytes = header.bytes(columns);
        let (pass, next) = rest.split_at_mut(rows * (1 + bytes));
        rest = next;
        match header.samples * header.depth / 8 {
            0 | 1 => unfilter::<1>(pass, bytes)?,
            2 => unfilter::<2>(pass, bytes)?,
            3 => unfilter::<3>(pass, bytes)?,
            4 => unfilter::<4>(pass, bytes)?,
            6 => unfilter::<6>(pass, bytes)?,
            _ => unfilter::<8>(pass, bytes)?,
        }
    }

    let Header { width, height, depth, samples, .. } = header;
    let channels = if samples > 2 || header.indexed { 3 } else { 1 };
    if !header.interlaced && !header.indexed && depth >= 8 {
        let (row, pixel, channel) = (1 + header.bytes(width), samples * depth / 8, depth / 8);
        return Ok(Picture { width, height, channels, data, first: 1, row, pixel, channel });
    }
    let mut pixels = Vec::new();
    reserve(&mut pixels, width * height * channels)?;
    pixels.resize(width * height * channels, 0);
    let mut rest = &data[..];
    for pass in passes {
        let (columns, rows) = pass.size(&header);
        let bytes = header.bytes(columns);
        for row in 0..rows {
            let (line, next) = rest.split_at(1 + bytes);
            rest = next;
            let start = (pass.at.1 + row * pass.step.1) * width + pass.at.0;
            let out = pixels[start * channels..].chunks_mut(channels).step_by(pass.step.0).take(columns);
            expand(&header, &palette, &line[1..], out)?;
        }
    }
    let (row, pixel) = (width * channels, channels);
    Ok(Picture { width, height, channels, data: pixels, first: 0, row, pixel, channel: 1 })
}

/// Makes room for so many bytes more.
pub fn reserve<T>(vec: &mut Vec<T>, count: usize) -> Result<(), Error> {
    vec.try_reserve_exact(count).map_err(|_| Error::TooLarge)
}

/// Takes a chunk from the front of what is left of the file: its kind and its data.
fn chunk<'f>(rest: &mut &'f [u8]) -> Result<([u8; 4], &'f [u8]), Error> {
    let length = rest.first_chunk().ok_or(Error::Truncated)?;
    let length = u32::from_be_bytes(*length) as usize;
    if length > i32::MAX as usize {
        return Err(Error::Chunk);
    }
    let end = 8 + length;
    let checked = rest.get(4..end).ok_or(Error::Truncated)?;
    let sum = rest[end..].first_chunk().ok_or(Error::Truncated)?;
    if crc(checked) != u32::from_be_bytes(*sum) {
        return Err(Error::Checksum);
    }
    *rest = &rest[end + 4..];
    let (kind, data) = checked.split_first_chunk().ok_or(Error::Truncated)?;
    Ok((*kind, data))
}

/// Returns the colours of a palette.
fn read_palette(data: Option<&[u8]>) -> Result<Vec<[u8; 3]>, Error> {
    let (colours, rest) = data.ok_or(Error::Palette)?.as_chunks();
    if !rest.is_empty() || colours.is_empty() || colours.len() > 256 {
        return Err(Error::Palette);
    }
    Ok(colours.to_vec())
}

/// Undoes the filters of rows that have so many bytes each after the one that says which filter it is. Pixels have `N` bytes, or
/// parts of one.
fn unfilter<const N: usize>(mut rows: &mut [u8], bytes: usize) -> Result<(), Error> {
    // What is above the first row.
    let mut zeros = Vec::new();
    reserve(&mut zeros, bytes)?;
    zeros.resize(bytes, 0);
    let mut above = &zeros[..];
    while !rows.is_empty() {
        let (row, next) = rows.split_at_mut(1 + bytes);
        let (filter, row) = row.split_at_mut(1);
        match filter[0] {
            0 => {}
            1 => along::<N>(row, above, |left, _, _| left),
            // Here no byte depends on the one before.
            2 => along::<8>(row, above, |_, above, _| above),
            3 => along::<N>(row, above, |left, above, _| ((u32::from(left) + u32::from(above)) / 2) as u8),
            4 => along::<N>(row, above, paeth),
            _ => return Err(Error::Filter),
        }
        above = row;
        rows = next;
    }
    Ok(())
}

/// Adds to each byte what is predicted from the bytes to the left, above, and above the left one.
#[inline(always)]
fn along<const N: usize>(row: &mut [u8], above: &[u8], predict: impl Fn(u8, u8, u8) -> u8) {
    let (mut left, mut corner) = ([0; N], [0; N]);
    let (pixels, rest) = row.as_chunks_mut::<N>();
    let (pixels_above, rest_above) = above.as_chunks::<N>();
    for (pixel, above) in pixels.iter_mut().zip(pixels_above) {
        for i in 0..N {
            pixel[i] = pixel[i].wrapping_add(predict(left[i], above[i], corner[i]));
        }
        (left, corner) = (*pixel, *above);
    }
    // Only the filter that looks at nothing but what is above comes here with a rest.
    for ((byte, above), i) in rest.iter_mut().zip(rest_above).zip(0..N) {
        *byte = byte.wrapping_add(predict(left[i], *above, corner[i]));
    }
}

/// Returns the one of three bytes that is next to left + above − corner; of two that are equally near, the first of these three.
///
/// The corner is next if three times the corner − left − above is between the others. If that is below them, the larger
/// one is next; if it is above them, the smaller one.
fn paeth(left: u8, above: u8, corner: u8) -> u8 {
    let (low, high) = (left.min(above), left.max(above));
    let side = 3 * i32::from(corner) - i32::from(left) - i32::from(above);
    let near = if side >= i32::from(high) { low } else { corner };
    if side <= i32::from(low) { high } else { near }
}

/// Writes the pixels of a row as bytes of channels.
fn expand<'o>(
    header: &Header,
    palette: &[[u8; 3]],
    row: &[u8],
    out: impl Iterator<Item = &'o mut [u8]>,
) -> Result<(), Error> {
    let Header { depth, samples, .. } = *header;
    if depth >= 8 && !header.indexed {
        let pixels = row.chunks_exact(samples * depth / 8);
        for (out, pixel) in out.zip(pixels) {
            for (out, sample) in out.iter_mut().zip(pixel.chunks_exact(depth / 8)) {
                *out = sample[0];
            }
        }
        return Ok(());
    }
    let mask = (1usize << depth) - 1;
    let scale = 255 / mask;
    for (x, out) in out.enumerate() {
        let bit = x * depth;
        let index = usize::from(row[bit / 8]) >> (8 - depth - bit % 8) & mask;
        if header.indexed {
            out.copy_from_slice(palette.get(index).ok_or(Error::Palette)?);
        } else {
            out[0] = (index * scale) as u8;
        }
    }
    Ok(())
}

/// For each byte what it does to the checksum, if so many bytes follow: then 4 bytes are done at once.
static CRC: [[u32; 256]; 4] = {
    let mut table = [[0; 256]; 4];
    let mut i = 0;
    while i < 4 * 256 {
        let (follow, byte) = (i / 256, i % 256);
        let mut sum = if follow == 0 { byte as u32 } else { table[follow - 1][byte] };
        let mut bit = 0;
        while bit < 8 {
            sum = if sum & 1 != 0 { sum >> 1 ^ 0xedb8_8320 } else { sum >> 1 };
            bit += 1;
        }
        table[follow][byte] = sum;
        i += 1;
    }
    table
};

/// Returns the checksum CRC-32.
fn crc(data: &[u8]) -> u32 {
    let (words, rest) = data.as_chunks();
    let mut sum = u32::MAX;
    for word in words {
        let [a, b, c, d] = (sum ^ u32::from_le_bytes(*word)).to_le_bytes().map(usize::from);
        sum = CRC[3][a] ^ CRC[2][b] ^ (CRC[1][c] ^ CRC[0][d]);
    }
    for byte in rest {
        sum = sum >> 8 ^ CRC[0][usize::from(sum as u8 ^ byte)];
    }
    !sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paeth_is_as_the_specification_says() {
        for left in 0..=255 {
            for above in 0..=255 {
                for corner in 0..=255 {
                    let (a, b, c) = (i32::from(left), i32::from(above), i32::from(corner));
                    let distance = |byte: i32| (a + b - c - byte).abs();
                    let nearest = [a, b, c].into_iter().min_by_key(|byte| distance(*byte));
                    assert_eq!(Some(i32::from(paeth(left, above, corner))), nearest);
                }
            }
        }
    }
}
