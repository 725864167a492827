//! From the bytes of a PNG file to the tensor that networks for images expect: float32 [1, 3, 224, 224], normalized with the mean and
//! the standard deviation of ImageNet's pixels.
//!
//! Floats are slow where this is meant to run, so it computes with integers. The floats come from a table.

pub mod inflate;
pub mod png;
pub mod resize;

use resize::SIDE;

/// What is wrong with a file. The numbers are what [`image`] returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Error {
    /// It does not begin like a PNG file.
    Signature = -1,
    /// It ends inside of a chunk, or without the chunk IEND.
    Truncated = -2,
    /// A chunk's checksum is not that of its bytes.
    Checksum = -3,
    /// The header says what no PNG file may say.
    Header = -4,
    /// A side is longer than [`resize::MAX_SIDE`], or the picture does not fit into memory.
    TooLarge = -5,
    /// A palette is missing or has a wrong length, or a pixel's colour is not in it.
    Palette = -6,
    /// Chunks are in a wrong order, come twice, or are of a kind that one must know and nobody does.
    Chunk = -7,
    /// What is compressed is no zlib stream: its header, a block or a code is wrong.
    Compression = -8,
    /// What is compressed ends too early, or has fewer bytes than the picture.
    Short = -9,
    /// The checksum of what was compressed is wrong.
    Adler = -10,
    /// A row has an unknown filter.
    Filter = -11,
}

/// Mean and standard deviation of each channel in ImageNet, as torchvision's models expect them.
const MEAN: [f32; 3] = [0.485, 0.456, 0.406];
const DEVIATION: [f32; 3] = [0.229, 0.224, 0.225];

/// For each channel and each value of a byte, the bits of (value / 255 − mean) / deviation, each operation rounded to float32.
static NORMALIZED: [[u32; 256]; 3] = {
    let mut table = [[0; 256]; 3];
    let mut channel = 0;
    while channel < 3 {
        let mut value = 0;
        while value < 256 {
            let float = (value as f32 / 255.0 - MEAN[channel]) / DEVIATION[channel];
            table[channel][value] = float.to_bits();
            value += 1;
        }
        channel += 1;
    }
    table
};

/// Numbers in a tensor.
const NUMBERS: usize = 3 * SIDE * SIDE;

/// Decodes the file, resizes the picture and writes the tensor as the bits of its floats.
pub fn tensor(file: &[u8], pixels: &mut [u32; NUMBERS]) -> Result<(), Error> {
    let picture = png::decode(file)?;
    resize::resize(picture, &NORMALIZED, pixels)
}

/// Writes the tensor [1, 3, 224, 224] made from a file. Returns 0, or the number of an [`Error`]; then all numbers
/// are 0.
///
/// # Safety
///
/// There must be `length` bytes behind `file`, and room for all numbers behind `pixels`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn image(file: *const u8, length: usize, pixels: *mut u32) -> i32 {
    let (file, pixels) =
        unsafe { (std::slice::from_raw_parts(file, length), &mut *pixels.cast::<[u32; NUMBERS]>()) };
    match tensor(file, pixels) {
        Ok(()) => 0,
        Err(error) => {
            pixels.fill(0);
            error as i32
        }
    }
}

/// Does the same for several files, which follow each other in `batch` and whose lengths are in `lengths`: a batch
/// [n, 3, 224, 224], and for each file 0 or the number of an error, with zeros as its pixels.
///
/// # Safety
///
/// There must be as many bytes behind `batch` as the lengths say, and room for the pixels and errors of all files.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn images(
    batch: *const u8,
    total: usize,
    lengths: *const u32,
    count: usize,
    pixels: *mut u32,
    errors: *mut i32,
    _room: usize,
) {
    let mut rest = unsafe { std::slice::from_raw_parts(batch, total) };
    for i in 0..count {
        unsafe {
            let length = (*lengths.add(i) as usize).min(rest.len());
            *errors.add(i) = image(rest.as_ptr(), length, pixels.add(i * NUMBERS));
            rest = &rest[length..];
        }
    }
}
