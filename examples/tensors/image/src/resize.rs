//! Resizes pictures as Pillow 13 does: `Image.resize((224, 224), Image.Resampling.BILINEAR)`, with equal bytes.
//!
//! Each row is resized first, and rounded to bytes; then each column, or the other way round. Where a picture gets smaller, a pixel is the
//! mean of all pixels below a triangle that is as much wider. The weights are integers, in units of 2^-22, as Pillow's; but Pillow rounds
//! them from double-precision floats, and here they are computed exactly. The test shows that this makes no difference.

use crate::Error;
use crate::png::{Picture, reserve};

/// Number of columns and rows of the result.
pub const SIDE: usize = 224;

/// Longest side of a picture.
pub const MAX_SIDE: usize = 16384;

/// Number of bits of a weight behind the point.
const BITS: u32 = 22;

/// What a sum begins with, so that it is rounded and not cut.
const HALF: u32 = 1 << (BITS - 1);

/// How many numbers are computed side by side.
const BLOCK: usize = 8;

/// The weights for resizing rows of one length.
pub struct Weights {
    /// Their length.
    size: usize,
    /// For each pixel of the result, the first pixel that it depends on.
    starts: [u32; SIDE],
    /// How many pixels each one depends on.
    taps: usize,
    /// Weights of these pixels: `taps` of them from the first on, for each pixel of the result. There may be zeros among them, so that the
    /// number of taps is even, or a multiple of 4.
    weights: Vec<u32>,
}

impl Weights {
    pub fn new(size: usize) -> Result<Weights, Error> {
        // Places are measured in 448ths of a pixel, and then all are integers.
        let (unit, all) = (2 * SIDE as i32, size as i32);
        // Half the width of the triangle.
        let radius = 2 * all.max(SIDE as i32);
        let range = |x: usize| {
            let centre = (2 * x as i32 + 1) * all;
            let start = (centre - radius + unit / 2).max(0) / unit;
            let end = ((centre + radius + unit / 2 - 1) / unit).min(all);
            (centre, start, end)
        };
        let most = (0..SIDE).map(|x| {
            let (_, start, end) = range(x);
            (end - start) as usize
        });
        let most = most.max().unwrap_or(1);
        let taps = most.next_multiple_of(if most <= 2 { 2 } else { 4 });
        let taps = if taps <= size { taps } else { most };
        let mut weights = Vec::new();
        reserve(&mut weights, SIDE * taps)?;
        weights.resize(SIDE * taps, 0);
        let mut starts = [0; SIDE];
        for (x, row) in weights.chunks_exact_mut(taps).enumerate() {
            let (centre, start, end) = range(x);
            let height = |i: i32| (radius - (unit * i + unit / 2 - centre).abs()) as u32;
            let sum: u32 = (start..end).map(height).sum();
            // All taps must be pixels: where the last pixels are near, zeros come before and not behind.
            let first = start.min((size - taps) as i32);
            for i in start..end {
                row[(i - first) as usize] = quotient(height(i), sum);
            }
            starts[x] = first as u32;
        }
        Ok(Weights { size, starts, taps, weights })
    }
}

/// Returns 2^22 · height / sum, rounded to the nearest integer. There are no ties: for these, the sum would have to be a multiple of 2^23.
fn quotient(height: u32, sum: u32) -> u32 {
    if height == sum {
        return 1 << BITS;
    }
    (((u64::from(height) << (BITS + 1)) + u64::from(sum)) / (2 * u64::from(sum))) as u32
}

/// Resizes a picture, and writes for each byte of each channel what the table has for it.
pub fn resize(
    mut picture: Picture,
    table: &[[u32; 256]; 3],
    out: &mut [u32; 3 * SIDE * SIDE],
) -> Result<(), Error> {
    // Since version 13, Pillow begins with the columns if the height shrinks by more than twice what the width does. That is, it does
    // with the transposed picture what it does with others.
    let side = SIDE as i32;
    let shrinks = (picture.width as i32 - side, picture.height as i32 - side);
    let transposed = shrinks.1 > 0 && shrinks.1 > 2 * shrinks.0;
    if transposed {
        std::mem::swap(&mut picture.width, &mut picture.height);
        std::mem::swap(&mut picture.pixel, &mut picture.row);
    }
    let across = Weights::new(picture.width)?;
    let mut other = None;
    if picture.width != picture.height {
        other = Some(Weights::new(picture.height)?);
    }
    let down = other.as_ref().unwrap_or(&across);
    // The resized rows: all of one channel, then all of the next.
    let mut planes: Vec<Row> = Vec::new();
    reserve(&mut planes, picture.channels * picture.height)?;
    planes.resize(picture.channels * picture.height, [0; SIDE]);
    // Loops of one round are none, and that is so for most sizes.
    match (picture.channels, across.taps) {
        (1, 2) => rows::<1, 2, true>(&picture, &across, &mut planes),
        (1, 4) => rows::<1, 4, true>(&picture, &across, &mut planes),
        (1, taps) if taps % 4 == 0 => rows::<1, 4, false>(&picture, &across, &mut planes),
        (1, _) => rows::<1, 1, false>(&picture, &across, &mut planes),
        (_, 2) => rows::<3, 2, true>(&picture, &across, &mut planes),
        (_, 4) => rows::<3, 4, true>(&picture, &across, &mut planes),
        (_, taps) if taps % 4 == 0 => rows::<3, 4, false>(&picture, &across, &mut planes),
        _ => rows::<3, 1, false>(&picture, &across, &mut planes),
    }
    let (out, _) = out.as_chunks_mut();
    if picture.channels == 1 {
        let out = out.as_chunks_mut().0;
        channels::<3>(&planes, down, transposed, table, &mut out[0]);
        return Ok(());
    }
    let planes = planes.chunks_exact(picture.height);
    for ((plane, table), out) in planes.zip(table.as_chunks().0).zip(out.as_chunks_mut().0) {
        channels::<1>(plane, down, transposed, table, out);
    }
    Ok(())
}

/// A channel of the result.
type Plane = [u32; SIDE * SIDE];

/// Resizes the columns of a channel, which becomes `N` equal ones, perhaps transposed.
fn channels<const N: usize>(
    plane: &[Row],
    down: &Weights,
    transposed: bool,
    table: &[[u32; 256]; N],
    out: &mut [Plane; N],
) {
    match (down.taps, transposed) {
        (2, false) => columns::<N, 2, true, false>(plane, down, table, out),
        (2, true) => columns::<N, 2, true, true>(plane, down, table, out),
        (4, false) => columns::<N, 4, true, false>(plane, down, table, out),
        (4, true) => columns::<N, 4, true, true>(plane, down, table, out),
        (taps, false) if taps % 4 == 0 => columns::<N, 4, false, false>(plane, down, table, out),
        (taps, true) if taps % 4 == 0 => columns::<N, 4, false, true>(plane, down, table, out),
        (_, false) => columns::<N, 1, false, false>(plane, down, table, out),
        (_, true) => columns::<N, 1, false, true>(plane, down, table, out),
    }
}

/// A row of a channel.
type Row = [u8; SIDE];

/// Resizes the rows of a picture with `C` channels. There are `G` taps, or if not `ONE`, a multiple of `G`.
fn rows<const C: usize, const G: usize, const ONE: bool>(
    picture: &Picture,
    across: &Weights,
    planes: &mut [Row],
) {
    let Picture { height, pixel, channel, .. } = *picture;
    let groups = if ONE { 1 } else { across.taps / G };
    let (weights, _) = across.weights.as_chunks::<G>();
    // All pixels are in the data, and there is a row for each one of the picture. The loop does not check that again.
    let last = picture.first + (height - 1) * picture.row + (picture.width - 1) * pixel + (C - 1) * channel;
    assert!(last < picture.data.len() && planes.len() == C * height && across.size == picture.width);
    for y in 0..height {
        let row = &picture.data[picture.first + y * picture.row..];
        for ((x, start), weights) in across.starts.iter().enumerate().zip(weights.chunks_exact(groups)) {
            let mut sums = [HALF; C];
            let mut at = *start as usize * pixel;
            let mut add = |weights: &[u32; G]| {
                for weight in weights {
                    for (c, sum) in sums.iter_mut().enumerate() {
                        // SAFETY: it is a channel of one of the pixels from `start` to `start + taps`, which the row has.
                        let byte = unsafe { *row.get_unchecked(at + c * channel) };
                        *sum += weight * u32::from(byte);
                    }
                    at += pixel;
                }
            };
            if ONE {
                add(&weights[0])
            } else {
                weights.iter().for_each(add)
            }
            for (c, sum) in sums.into_iter().enumerate() {
                // SAFETY: c < C and y < height.
                let row = unsafe { planes.get_unchecked_mut(c * height + y) };
                row[x] = (sum >> BITS) as u8;
            }
        }
    }
}

/// Does that where there are `G` taps, or if not `ONE`, a multiple of `G`.
fn columns<const N: usize, const G: usize, const ONE: bool, const TRANSPOSED: bool>(
    plane: &[Row],
    down: &Weights,
    table: &[[u32; 256]; N],
    out: &mut [Plane; N],
) {
    let groups = if ONE { 1 } else { down.taps / G };
    let weights = down.weights.as_chunks::<G>().0.chunks_exact(groups);
    for ((y, start), weights) in down.starts.iter().enumerate().zip(weights) {
        let rows = &plane[*start as usize..].as_chunks::<G>().0[..groups];
        for block in 0..SIDE / BLOCK {
            let mut sums = [HALF; BLOCK];
            let mut add = |rows: &[Row; G], weights: &[u32; G]| {
                for (row, weight) in rows.iter().zip(weights) {
                    let row = &row.as_chunks::<BLOCK>().0[block];
                    for i in 0..BLOCK {
                        sums[i] += weight * u32::from(row[i]);
                    }
                }
            };
            if ONE {
                add(&rows[0], &weights[0]);
            } else {
                rows.iter().zip(weights).for_each(|(rows, weights)| add(rows, weights));
            }
            for (i, sum) in sums.into_iter().enumerate() {
                // No sum has more than 30 bits, since the weights are not negative and their sum is 1.
                let value = usize::from((sum >> BITS) as u8);
                let x = block * BLOCK + i;
                for n in 0..N {
                    out[n][if TRANSPOSED { x * SIDE + y } else { y * SIDE + x }] = table[n][value];
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The weights that Pillow computes, in its order of operations: the first pixel, and all weights from there on.
    fn pillow(size: usize, x: usize) -> (usize, Vec<u32>) {
        let scale = size as f64 / SIDE as f64;
        let widened = scale.max(1.0);
        let centre = (x as f64 + 0.5) * scale;
        let start = ((centre - widened + 0.5) as i64).max(0);
        let end = ((centre + widened + 0.5) as i64).min(size as i64);
        let triangle = |place: f64| (1.0 - place.abs()).max(0.0);
        let narrower = 1.0 / widened;
        let floats: Vec<f64> = (start..end).map(|i| triangle((i as f64 - centre + 0.5) * narrower)).collect();
        let mut sum = 0.0;
        floats.iter().for_each(|float| sum += float);
        let fixed = floats.iter().map(|float| (0.5 + float / sum * f64::from(1 << BITS)) as u32);
        (start as usize, fixed.collect())
    }

    #[test]
    fn weights_are_pillows_for_all_sizes() {
        for size in 1..=MAX_SIDE {
            let weights = Weights::new(size).unwrap();
            assert!(weights.starts.iter().all(|start| *start as usize + weights.taps <= size), "{size}");
            for (x, row) in weights.weights.chunks(weights.taps).enumerate() {
                let (start, expected) = pillow(size, x);
                let mut own = vec![0; size.min(start + expected.len() + weights.taps)];
                own[weights.starts[x] as usize..][..weights.taps].copy_from_slice(row);
                assert_eq!(&own[start..start + expected.len()], expected, "{size}, {x}");
                // All other weights are zero.
                let sum = |weights: &[u32]| weights.iter().map(|weight| u64::from(*weight)).sum::<u64>();
                assert_eq!(sum(&own), sum(&expected), "{size}, {x}");
                assert!(255 * sum(row) + u64::from(HALF) < 1 << (BITS + 8), "{size}, {x}");
            }
        }
    }
}
