//! Values to test with.

use wasm2onnx_runtime::{Value, ValueType};

/// Returns a random value. All magnitudes are equally likely, so that small values, negative values and
/// values near the limits all occur. A reference to a function is always null.
pub fn random_value(rng: &mut fastrand::Rng, ty: ValueType) -> Value {
    if ty == ValueType::FuncRef {
        return Value::FuncRef(None);
    }
    let bits = random_bits(rng);
    Value::from_words(ty, [bits as u32, (bits >> 32) as u32])
}

/// Returns 64 random bits of a random magnitude, or sometimes one of [`EDGES`].
pub fn random_bits(rng: &mut fastrand::Rng) -> u64 {
    match rng.u8(..8) {
        0 => EDGES[rng.usize(..EDGES.len())],
        1 => (1u64 << rng.u32(..64)).wrapping_add_signed(rng.i64(-1..=1)),
        // The sign of small numbers extends over both words.
        2..5 => (rng.i64(..) >> rng.u32(..64)) as u64,
        _ => rng.u64(..) >> rng.u32(..64),
    }
}

/// Values at which words, halves and bytes overflow, signed and unsigned.
pub const EDGES: [u64; 22] = [
    0,
    1,
    2,
    3,
    0x7f,
    0x80,
    0xff,
    0x100,
    0x7fff,
    0x8000,
    0xffff,
    0x1_0000,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x1_0000_0000,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    0xffff_ffff_0000_0000,
    0xffff_ffff_7fff_ffff,
    0xffff_ffff_8000_0000,
    0xffff_ffff_ffff_ffff,
];
