//! Reciprocals of words and of their square roots: an approximation by 16 or 24 lines, and two of
//! Newton's steps, each of which doubles the number of right bits.
//!
//! A line costs nothing but units of the same step: the constants of the line that a number is on are sums,
//! over the lines before it, of differences that are gated by comparisons with the first numbers of these
//! lines.

use super::Emit;
use crate::ir::*;

use BinaryOp::*;

/// Each line covers 2^27 numbers.
const LINE: u32 = 27;

/// Returns the lines, each as a value and a slope. At its first number, a line has that value; for each 2^11
/// numbers more, it has slope / 2^16 less. No line is above the curve.
fn lines(first: u32, curve: impl Fn(f64) -> f64) -> Vec<[u32; 2]> {
    let length = f64::from(1u32 << LINE);
    (first..32)
        .map(|i| {
            let start = f64::from(i) * length;
            // A chord, its slope rounded up, lowered to where it touches the convex curve: by the largest gap
            // between them, which is their only local maximum.
            let slope = ((curve(start) - curve(start + length)) / 65536.0).ceil();
            let below = |t: f64| curve(start) - slope * t - curve(start + 2048.0 * t);
            let (mut low, mut high) = (0.0, 65536.0);
            for _ in 0..60 {
                let (a, b) = ((2.0 * low + high) / 3.0, (low + 2.0 * high) / 3.0);
                if below(a) < below(b) { low = a } else { high = b }
            }
            let gap = below(low).max(0.0);
            // It is lowered by one more slope, for the bits of the number that are not looked at.
            [(curve(start) - gap - slope - 64.0) as u32, slope as u32]
        })
        .collect()
}

impl Emit<'_, '_> {
    /// Emits the value at a word, on lines that begin at `first`.
    fn on_lines(&mut self, word: Value, first: u32, lines: &[[u32; 2]]) -> Value {
        let (mut value, mut slope) = (self.word(lines[0][0]), self.word(lines[0][1]));
        for (i, pair) in lines.windows(2).enumerate() {
            let there = self.with(GeU, word, u64::from((first + i as u32 + 1) << LINE));
            let none = self.word(0);
            let less = [pair[0][0] - pair[1][0], pair[0][1] - pair[1][1]].map(|less| self.word(less));
            let less = less.map(|less| self.select(there, less, none));
            value = self.op(Sub, value, less[0]);
            slope = self.op(Sub, slope, less[1]);
        }
        let along = self.with(ShrU, word, 11);
        let along = self.with(And, along, 0xffff);
        let drop = self.op(Mul, along, slope);
        self.op(Sub, value, drop)
    }

    /// Emits 2^63 / b or at most 3 less, and never more, for a word b with its highest bit set.
    pub(super) fn reciprocal(&mut self, b: Value) -> Value {
        let lines = lines(16, |b| 2f64.powi(63) / b);
        let mut x = self.on_lines(b, 16, &lines);
        for _ in 0..2 {
            // x · (2 − b·x / 2^63), with 1 − b·x / 2^63 rounded down to 31 bits.
            let product = self.op(MulHi, b, x);
            let one = self.word((1 << 31) - 1);
            let error = self.op(Sub, one, product);
            let error = self.with(Shl, error, 1);
            let correction = self.op(MulHi, x, error);
            x = self.op(Add, x, correction);
        }
        x
    }

    /// Emits 2^47 / √a or at most 5 less, and never more, for a word a of at least 2^30.
    pub(super) fn reciprocal_root(&mut self, a: Value) -> Value {
        let lines = lines(8, |a| 2f64.powi(47) / a.sqrt());
        let mut y = self.on_lines(a, 8, &lines);
        for last in [false, true] {
            // y · (3 − a·y² / 2^94) / 2, with 1 − a·y² / 2^94 rounded to 30 bits.
            let square = self.op(MulHi, y, y);
            let product = self.op(MulHi, a, square);
            let one = self.word((1 << 30) - 1);
            let error = self.op(Sub, one, product);
            let error = self.with(Shl, error, 1);
            let correction = self.op(MulHi, y, error);
            y = self.op(Add, y, correction);
            // What was rounded may have made it too large: of the square, up, and the product.
            y = self.with(Sub, y, if last { 2 } else { 8 });
        }
        y
    }
}
