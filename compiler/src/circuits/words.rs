//! Words of the program as linear forms, and the circuits of all operations without side effects.
//!
//! A word is represented by a linear form that is congruent to it modulo 2^32, and by the range of the linear
//! form: additions and the like do not wrap. Where more is needed, a *view* of the word is made and kept:
//! canonical in [0, 2^32), signed in [−2^31, 2^31), its bytes, or, for a comparison, a gate.

use super::linear::{Exact, Linear, Range, pow2};
use super::{Circuit, GhostFact, GhostTerm};
use crate::ir::{BinaryOp, UnaryOp};
use smallvec::SmallVec;

const TWO32: i64 = 1 << 32;
/// Linear forms of larger magnitude are wrapped before anything else is done with them.
const LOOSE: u64 = 1 << 45;
const SIGNED: Range = Range::new(i32::MIN as i64, i32::MAX as i64);

/// Returns the smallest multiple of 2^32 that makes every number from −`x` on non-negative.
fn turns(x: i64) -> u64 {
    (x.max(0) as u64).div_ceil(1 << 32) << 32
}

/// Index of a word in [`Words`].
pub type WordId = u32;

/// Bits `from … from + len` of a word, at bit `to` of another.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Segment {
    word: WordId,
    from: u8,
    len: u8,
    to: u8,
}

/// Returns whether no bit of one list is where a bit of the other is.
fn apart(x: &[Segment], y: &[Segment]) -> bool {
    x.iter().all(|s| y.iter().all(|t| s.to + s.len <= t.to || t.to + t.len <= s.to))
}

/// A bit ⌊relu(gate)⌋, or its complement.
#[derive(Clone, Debug)]
pub struct Gate {
    /// A linear form that is below 2.
    pub form: Linear,
    /// Whether the bit is 0 where the gate is 1.
    pub negated: bool,
}

#[derive(Clone, Debug, Default)]
struct Word {
    form: Linear,
    canonical: Option<Linear>,
    signed: Option<Linear>,
    bytes: [Option<Linear>; 4],
    /// Pieces of other words that it is made of, by shifts, rotations and masks by constants.
    segments: Option<SmallVec<[Segment; 4]>>,
    gate: Option<Gate>,
    /// Whether the linear form has not been needed yet; it is then made from `segments` or `gate`.
    lazy: bool,
}

/// First keys of the frozen tables that circuits look things up in.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    /// `and`, `or`, `xor` of bytes a and b at 256·a + b.
    pub bitwise: [u32; 3],
    /// shl, shr_u, shr_s, rotl of byte j of the word, by n: at 8192·j + 256·n + byte.
    pub shifts: [u32; 4],
    /// clz, ctz, popcnt of a byte; 8 for the zero byte's clz and ctz.
    pub counts: [u32; 3],
}

/// The words of a packet.
#[derive(Debug)]
pub struct Words<'a> {
    /// The circuit that they are made in.
    pub circuit: Circuit,
    tables: &'a Tables,
    words: Vec<Word>,
}

impl<'a> Words<'a> {
    /// Starts with no words.
    pub fn new(circuit: Circuit, tables: &'a Tables) -> Self {
        Words { circuit, tables, words: Vec::new() }
    }

    fn push(&mut self, word: Word) -> WordId {
        self.words.push(word);
        self.words.len() as WordId - 1
    }

    /// Makes a word of a linear form that is congruent to it.
    pub fn word_of(&mut self, form: Linear) -> WordId {
        let form = self.circuit.linear(form, None);
        self.push(Word { form, ..Word::default() })
    }

    /// Makes a word of its bytes, lowest first, each in [0, 255].
    pub fn word_of_bytes(&mut self, bytes: &[Linear]) -> WordId {
        let mut form = Linear::default();
        let mut word = Word::default();
        for (j, byte) in bytes.iter().enumerate() {
            form = form.plus(pow2(8 * j as i32), byte);
            word.bytes[j] = Some(byte.clone());
        }
        for byte in &mut word.bytes[bytes.len()..] {
            *byte = Some(Linear::default());
        }
        word.form = self.circuit.linear(form, None);
        self.push(word)
    }

    fn word_of_gate(&mut self, form: Linear, negated: bool) -> WordId {
        if let Some(bit) = self.constant_gate(&form) {
            return self.constant((bit != negated) as u32);
        }
        self.push(Word { gate: Some(Gate { form, negated }), lazy: true, ..Word::default() })
    }

    /// Returns the bit of a gate if it is always the same.
    pub fn constant_gate(&self, gate: &Linear) -> Option<bool> {
        let range = self.circuit.quantized(gate);
        if range.hi < 1 {
            Some(false)
        } else if range.lo >= 1 {
            Some(true)
        } else {
            None
        }
    }

    fn word_of_segments(&mut self, segments: SmallVec<[Segment; 4]>) -> WordId {
        self.push(Word { segments: Some(segments), lazy: true, ..Word::default() })
    }

    /// Makes a constant word.
    pub fn constant(&mut self, value: u32) -> WordId {
        self.word_of(Linear::constant(value))
    }

    /// Returns the constant that a word is, if it is one.
    pub fn as_constant(&self, word: WordId) -> Option<u32> {
        let w = &self.words[word as usize];
        if w.lazy {
            return None;
        }
        w.form.as_constant()?.as_integer().map(|c| c.rem_euclid(TWO32) as u32)
    }

    /// Returns a linear form congruent to the word.
    pub fn form(&mut self, word: WordId) -> Linear {
        let w = &self.words[word as usize];
        if !w.lazy {
            return w.form.clone();
        }
        let form = if let Some(segments) = w.segments.clone() {
            let mut pieces: SmallVec<[(Exact, Linear); 4]> =
                segments.iter().map(|s| (pow2(s.to.into()), self.bits(s.word, s.from, s.len))).collect();
            let sum = |pieces: &[(Exact, Linear)]| {
                pieces.iter().fold(Linear::default(), |sum, (scale, piece)| sum.plus(*scale, piece))
            };
            let mut form = sum(&pieces);
            if !self.circuit.is_exact(&form) && self.circuit.place(&form, 0).is_none() {
                // A piece may be much smaller than the numbers whose difference it is, as x + 2^32 is for an
                // x near −2^32.
                for (_, piece) in &mut pieces {
                    *piece = self.circuit.named(std::mem::take(piece));
                }
                form = sum(&pieces);
            }
            self.circuit.linear(form, None)
        } else {
            let gate = w.gate.clone().expect("a lazy word has segments or a gate");
            let unit = self.circuit.unit(&gate.form, &Linear::constant(1));
            if gate.negated { Linear::constant(1).plus(-1, &unit) } else { unit }
        };
        let w = &mut self.words[word as usize];
        w.lazy = false;
        w.form = form.clone();
        form
    }

    /// Returns the range of [`Words::form`].
    pub fn range(&mut self, word: WordId) -> Range {
        let form = self.form(word);
        self.circuit.range(&form)
    }

    /// Returns the word itself: a linear form in [0, 2^32).
    pub fn canonical(&mut self, word: WordId) -> Linear {
        if let Some(form) = &self.words[word as usize].canonical {
            return form.clone();
        }
        let form = self.form(word);
        let canonical = self.wrap(form, 0);
        self.words[word as usize].canonical = Some(canonical.clone());
        canonical
    }

    /// Returns the word as a signed number: a linear form in [−2^31, 2^31).
    pub fn signed(&mut self, word: WordId) -> Linear {
        if let Some(form) = &self.words[word as usize].signed {
            return form.clone();
        }
        let mut form = self.form(word);
        if !self.circuit.range(&form).within(SIGNED)
            && let Some(canonical) = self.words[word as usize].canonical.clone()
        {
            form = canonical;
        }
        let signed = self.wrap(form, SIGNED.lo);
        self.words[word as usize].signed = Some(signed.clone());
        signed
    }

    /// Returns the number in [lo, lo + 2^32) that is congruent to the linear form.
    fn wrap(&mut self, form: Linear, lo: i64) -> Linear {
        let range = self.circuit.range(&form);
        if range.lo >= lo && range.hi < lo + TWO32 {
            return form;
        }
        let raised = form.offset(turns(lo.saturating_sub(range.lo))).offset(-lo);
        let carry = self.circuit.unit(&raised.times(pow2(-32)), &Linear::constant(1));
        let wrapped = raised.plus(-TWO32, &carry).offset(lo);
        self.circuit.linear(wrapped, Some(Range::new(lo, lo + TWO32 - 1)))
    }

    /// Returns a linear form that is congruent to the word and not negative, for taking bits from it.
    fn raised(&mut self, word: WordId) -> Linear {
        if let Some(form) = &self.words[word as usize].canonical {
            return form.clone();
        }
        let form = self.form(word);
        let range = self.circuit.range(&form);
        if range.lo >= 0 { form } else { form.offset(turns(range.lo.saturating_neg())) }
    }

    /// Returns the linear form if it is not too large to do more arithmetic with, otherwise the canonical
    /// one.
    fn loose(&mut self, word: WordId) -> Linear {
        let form = self.form(word);
        if self.circuit.range(&form).magnitude() <= LOOSE { form } else { self.canonical(word) }
    }

    /// Returns bits `from … from + len` as a number.
    pub fn bits(&mut self, word: WordId, from: u8, len: u8) -> Linear {
        if let (8, 0, Some(Some(byte))) =
            (len, from % 8, self.words[word as usize].bytes.get(from as usize / 8))
        {
            return byte.clone();
        }
        if let Some(segments) = self.words[word as usize].segments.clone() {
            let mut form = Linear::default();
            for s in segments {
                let (lo, hi) = (s.to.max(from), (s.to + s.len).min(from + len));
                if lo < hi {
                    let piece = self.bits(s.word, s.from + (lo - s.to), hi - lo);
                    form = form.plus(pow2((lo - from) as i32), &piece);
                }
            }
            return self.circuit.linear(form, None);
        }
        let x = self.raised(word);
        if len == 32 {
            return self.canonical(word);
        }
        let hi = self.circuit.range(&x).hi;
        let one = Linear::constant(1);
        let end = (from + len) as i32;
        let shifted = |k: i32| (x.times(pow2(-k)), one.clone());
        if hi < 1 << end {
            return if from == 0 { x } else { self.circuit.unit(&x.times(pow2(-(from as i32))), &one) };
        }
        let (upper, above) = if from == 0 {
            (x.clone(), self.circuit.unit(&x.times(pow2(-end)), &one))
        } else {
            let units = self.circuit.together(&[shifted(from as i32), shifted(end)], -1);
            (units[0].clone(), units[1].clone())
        };
        let form = upper.plus(-pow2(len as i32), &above);
        self.circuit.linear(form, Some(Range::new(0, (1 << len) - 1)))
    }

    /// Returns byte `j` of the word.
    pub fn byte(&mut self, word: WordId, j: usize) -> Linear {
        let byte = self.bits(word, 8 * j as u8, 8);
        self.words[word as usize].bytes[j] = Some(byte.clone());
        byte
    }

    /// Returns the range of the word, as far as its linear form tells.
    fn word_range(&mut self, word: WordId) -> Range {
        if self.words[word as usize].gate.is_some() {
            return Range::BIT;
        }
        if self.words[word as usize].lazy {
            let segments = self.words[word as usize].segments.as_ref().expect("lazy");
            let hi = segments.iter().map(|s| (1 << (s.to + s.len)) - 1).fold(0, i64::max);
            return Range::new(0, hi);
        }
        let range = self.range(word);
        if range.within(Range::WORD) { range } else { Range::WORD }
    }

    fn is_bit(&mut self, word: WordId) -> bool {
        self.word_range(word).within(Range::BIT)
    }

    fn segments(&mut self, word: WordId) -> SmallVec<[Segment; 4]> {
        if let Some(segments) = &self.words[word as usize].segments {
            return segments.clone();
        }
        let hi = self.word_range(word).hi;
        let mut len = 32;
        while len > 0 && hi < 1 << (len - 1) {
            len -= 1;
        }
        let all = Segment { word, from: 0, len, to: 0 };
        if len == 0 { SmallVec::new() } else { SmallVec::from_slice(&[all]) }
    }

    /// Returns the word shifted left by `by` (right if negative); bits outside are dropped.
    fn shifted(&mut self, word: WordId, by: i32) -> SmallVec<[Segment; 4]> {
        let mut out = SmallVec::new();
        for s in self.segments(word) {
            let lo = s.to as i32 + by;
            let hi = (lo + s.len as i32).min(32);
            let cut = (-lo).max(0);
            if lo + cut < hi {
                out.push(Segment {
                    word: s.word,
                    from: s.from + cut as u8,
                    len: (hi - lo - cut) as u8,
                    to: (lo + cut) as u8,
                });
            }
        }
        out
    }

    /// Returns the bits of the word where `mask` is 1.
    fn masked(&mut self, word: WordId, mask: u32) -> SmallVec<[Segment; 4]> {
        let mut out = SmallVec::new();
        for s in self.segments(word) {
            let mut bit = s.to;
            let end = s.to + s.len;
            while bit < end {
                let rest = mask >> bit;
                let zeros = (rest.trailing_zeros() as u8).min(end - bit);
                bit += zeros;
                if bit == end {
                    break;
                }
                let ones = ((mask >> bit).trailing_ones() as u8).min(end - bit);
                out.push(Segment { word: s.word, from: s.from + (bit - s.to), len: ones, to: bit });
                bit += ones;
            }
        }
        out
    }

    /// Returns the bit `word != 0` as a gate.
    pub fn truth(&mut self, word: WordId) -> Gate {
        if let Some(gate) = &self.words[word as usize].gate {
            return gate.clone();
        }
        if self.is_bit(word) {
            return Gate { form: self.form(word), negated: false };
        }
        let zero = self.constant(0);
        let equal = self.equal(word, zero);
        let gate = self.truth(equal);
        Gate { form: gate.form, negated: !gate.negated }
    }

    /// Returns the bit of a gate as a linear form.
    pub fn bit(&mut self, gate: &Gate) -> Linear {
        let unit = self.circuit.unit(&gate.form, &Linear::constant(1));
        if gate.negated { Linear::constant(1).plus(-1, &unit) } else { unit }
    }

    fn complement(&mut self, word: WordId) -> WordId {
        match self.words[word as usize].gate.clone() {
            Some(gate) => self.word_of_gate(gate.form, !gate.negated),
            None => {
                let bit = self.form(word);
                self.word_of(Linear::constant(1).plus(-1, &bit))
            }
        }
    }

    fn equal(&mut self, a: WordId, b: WordId) -> WordId {
        let fits = |r: Range| r.lo > -TWO32 && r.hi < TWO32;
        let mut difference = self.form(a).plus(-1, &self.form(b));
        if !fits(self.circuit.range(&difference)) {
            difference = self.canonical(a).plus(-1, &self.canonical(b));
        }
        let range = self.circuit.range(&difference);
        if range.lo > 0 || range.hi < 0 {
            return self.constant(0);
        }
        let at_least = difference.times(pow2(-32)).offset(1);
        let at_most = difference.times(-pow2(-32)).offset(1);
        if range.lo >= 0 {
            return self.word_of_gate(at_most, false);
        }
        if range.hi <= 0 {
            return self.word_of_gate(at_least, false);
        }
        let one = Linear::constant(1);
        let units = self.circuit.together(&[(at_least, one.clone()), (at_most, one)], -1);
        let sum = units[0].plus(1, &units[1]).offset(-1);
        let bit = self.circuit.linear(sum, Some(Range::BIT));
        self.word_of(bit)
    }

    fn at_least(&mut self, a: Linear, b: Linear, negated: bool) -> WordId {
        let difference = a.plus(-1, &b);
        self.word_of_gate(difference.times(pow2(-32)).offset(1), negated)
    }

    /// Returns `condition != 0 ? a : b`.
    pub fn select(&mut self, condition: WordId, a: WordId, b: WordId) -> WordId {
        let gate = self.truth(condition);
        if let Some(bit) = self.constant_gate(&gate.form) {
            return if bit != gate.negated { a } else { b };
        }
        let (a, b) = if gate.negated { (b, a) } else { (a, b) };
        let (x, y) = (self.loose(a), self.loose(b));
        let unit = self.circuit.unit(&gate.form, &x.plus(-1, &y));
        let claim = self.circuit.range(&x).hull(self.circuit.range(&y));
        let form = self.circuit.linear(y.plus(1, &unit), Some(claim));
        self.word_of(form)
    }

    /// Makes the circuit of an operation on one word.
    pub fn unary(&mut self, op: UnaryOp, a: WordId) -> WordId {
        match op {
            UnaryOp::Eqz => {
                if self.is_bit(a) {
                    return self.complement(a);
                }
                let zero = self.constant(0);
                self.equal(a, zero)
            }
            UnaryOp::Extend8S => self.extend(a, 8),
            UnaryOp::Extend16S => self.extend(a, 16),
            UnaryOp::Popcnt => {
                let mut sum = Linear::default();
                for j in 0..4 {
                    sum = sum.plus(1, &self.count(2, a, j));
                }
                self.word_of(sum)
            }
            UnaryOp::Clz => self.leading(0, a, [3, 2, 1, 0]),
            UnaryOp::Ctz => self.leading(1, a, [0, 1, 2, 3]),
            UnaryOp::Extend32S | UnaryOp::Wrap | UnaryOp::ExtendU | UnaryOp::ExtendS => {
                unreachable!("legalized")
            }
        }
    }

    fn count(&mut self, table: usize, a: WordId, byte: usize) -> Linear {
        let byte = self.byte(a, byte);
        self.circuit.lookup(&byte.offset(self.tables.counts[table]), Range::new(0, 8))
    }

    /// Counts zeros byte by byte: a byte counts only if all bytes before it were 0, that is, if their counts
    /// add up to 8 each.
    fn leading(&mut self, table: usize, a: WordId, order: [usize; 4]) -> WordId {
        let mut before = self.count(table, a, order[0]);
        let mut sum = before.clone();
        for (i, byte) in order.into_iter().enumerate().skip(1) {
            let count = self.count(table, a, byte);
            let gate = before.clone().offset(1 - 8 * i as i64);
            sum = sum.plus(1, &self.circuit.unit(&gate, &count));
            before = before.plus(1, &count);
        }
        self.word_of(sum)
    }

    /// Extends the sign of the lowest `bits` bits.
    pub fn extend(&mut self, a: WordId, bits: i32) -> WordId {
        let half = 1i64 << (bits - 1);
        let form = self.form(a);
        if self.circuit.range(&form).within(Range::new(-half, half - 1)) {
            return a;
        }
        let raised = self.raised(a).offset(half);
        let above = self.circuit.unit(&raised.times(pow2(-bits)), &Linear::constant(1));
        let form = raised.plus(-2 * half, &above).offset(-half);
        let form = self.circuit.linear(form, Some(Range::new(-half, half - 1)));
        self.word_of(form)
    }

    /// Makes the circuit of an operation on two words.
    pub fn binary(&mut self, op: BinaryOp, a: WordId, b: WordId) -> WordId {
        use BinaryOp::*;
        match op {
            Add => {
                // Bits that do not overlap stay segments of the words that they come from.
                if let (Some(x), Some(y)) =
                    (&self.words[a as usize].segments, &self.words[b as usize].segments)
                    && apart(x, y)
                {
                    let all = x.iter().chain(y).copied().collect();
                    return self.word_of_segments(all);
                }
                let form = self.loose(a).plus(1, &self.loose(b));
                self.word_of(form)
            }
            Sub => {
                let form = self.loose(a).plus(-1, &self.loose(b));
                self.word_of(form)
            }
            Mul => self.multiply(a, b),
            MulHi => self.multiply_high(a, b),
            Carry => {
                let sum = self.canonical(a).plus(1, &self.canonical(b));
                self.word_of_gate(sum.times(pow2(-32)), false)
            }
            And | Or | Xor => self.bitwise(op, a, b),
            Shl | ShrU | ShrS | Rotl | Rotr => match self.as_constant(b) {
                Some(n) => self.shift_by(op, a, n & 31),
                None => self.shift(op, a, b),
            },
            Eq => self.equal(a, b),
            Ne => {
                let equal = self.equal(a, b);
                self.complement(equal)
            }
            GeU | LtU => {
                let (x, y) = (self.canonical(a), self.canonical(b));
                self.at_least(x, y, op == LtU)
            }
            GeS | LtS => {
                let (x, y) = (self.signed(a), self.signed(b));
                self.at_least(x, y, op == LtS)
            }
            DivU | RemU => self.divide(op == RemU, a, b),
            DivS | RemS => unreachable!("legalized"),
        }
    }

    fn multiply(&mut self, a: WordId, b: WordId) -> WordId {
        let (a, b) = if self.as_constant(a).is_some() { (b, a) } else { (a, b) };
        if let Some(c) = self.as_constant(b) {
            return self.multiply_by(a, c);
        }
        let (ra, rb) = (self.word_range(a), self.word_range(b));
        if i128::from(ra.hi) * i128::from(rb.hi) <= 1 << 50 {
            // The factor that is the gate must not be negative; neither factor is.
            let (x, y) = (self.canonical(a), self.canonical(b));
            let (x, y) = if ra.hi <= rb.hi { (x, y) } else { (y, x) };
            let product = self.circuit.unit(&x, &y);
            return self.word_of(product);
        }
        let [high, low] = self.halves(a);
        let (x, y0) = (self.canonical(b), self.bits(b, 0, 16));
        let form = self.circuit.unit(&low, &x).plus(65536, &self.circuit.unit(&high, &y0));
        self.word_of(form)
    }

    fn halves(&mut self, a: WordId) -> [Linear; 2] {
        [self.bits(a, 16, 16), self.bits(a, 0, 16)]
    }

    fn multiply_by(&mut self, a: WordId, c: u32) -> WordId {
        if c == 0 {
            return self.constant(0);
        }
        if c.is_power_of_two() {
            return self.shift_by(BinaryOp::Shl, a, c.trailing_zeros());
        }
        let factor = c as i32;
        let product = |range: Range| range.magnitude().saturating_mul(factor.unsigned_abs().into());
        let form = self.form(a);
        if product(self.circuit.range(&form)) <= LOOSE {
            return self.word_of(form.times(factor));
        }
        let x = self.canonical(a);
        if product(self.circuit.range(&x)) <= 1 << 50 {
            return self.word_of(x.times(factor));
        }
        // c·x ≡ c·x0 + 2^16·(c mod 2^16)·x1, both below 2^48.
        let [high, low] = self.halves(a);
        let (high, low) = (self.circuit.named(high), self.circuit.named(low));
        let form = low.times(c).plus(u64::from(c & 0xffff) << 16, &high);
        self.word_of(form)
    }

    fn multiply_high(&mut self, a: WordId, b: WordId) -> WordId {
        let [a1, a0] = self.halves(a);
        let [b1, b0] = self.halves(b);
        let high = self.circuit.unit(&a1, &b1);
        let cross = self.circuit.unit(&a1, &b0).plus(1, &self.circuit.unit(&a0, &b1));
        let low = self.circuit.unit(&a0, &b0);
        let gate = cross.times(pow2(-16)).plus(pow2(-32), &low);
        let form = high.plus(1, &self.circuit.unit(&gate, &Linear::constant(1)));
        self.word_of(form)
    }

    fn bitwise(&mut self, op: BinaryOp, a: WordId, b: WordId) -> WordId {
        let (a, b) = if self.as_constant(a).is_some() { (b, a) } else { (a, b) };
        if let Some(c) = self.as_constant(b)
            && let Some(word) = self.bitwise_constant(op, a, c)
        {
            return word;
        }
        if self.is_bit(a) && self.is_bit(b) {
            let (x, y) = (self.form(a), self.form(b));
            let sum = x.plus(1, &y);
            let one = Linear::constant(1);
            let form = match op {
                BinaryOp::And => self.circuit.unit(&sum.offset(-1), &one),
                BinaryOp::Or => self.circuit.unit(&sum.offset(1).times(pow2(-1)), &one),
                _ => {
                    let both = self.circuit.unit(&sum.times(pow2(-1)), &one);
                    self.circuit.linear(sum.plus(-2, &both), Some(Range::BIT))
                }
            };
            return self.word_of(form);
        }
        if op != BinaryOp::And {
            let (x, y) = (self.segments(a), self.segments(b));
            if apart(&x, &y) {
                let mut all = x;
                all.extend(y);
                return self.word_of_segments(all);
            }
        }
        let (ra, rb) = (self.word_range(a).hi, self.word_range(b).hi);
        let widest = if op == BinaryOp::And { ra.min(rb) } else { ra.max(rb) };
        let count = (1..4).find(|n| widest < 1 << (8 * n)).unwrap_or(4) as usize;
        let table = self.tables.bitwise[(op as usize) - (BinaryOp::And as usize)];
        let mut bytes = SmallVec::<[Linear; 4]>::new();
        for j in 0..count {
            let (x, y) = (self.byte(a, j), self.byte(b, j));
            bytes.push(self.circuit.lookup(&x.times(256).plus(1, &y).offset(table), Range::BYTE));
        }
        self.word_of_bytes(&bytes)
    }

    fn bitwise_constant(&mut self, op: BinaryOp, a: WordId, c: u32) -> Option<WordId> {
        let runs = |m: u32| (m & !(m << 1)).count_ones();
        match op {
            BinaryOp::And if runs(c) <= 3 => {
                let segments = self.masked(a, c);
                Some(if segments.is_empty() { self.constant(0) } else { self.word_of_segments(segments) })
            }
            BinaryOp::Or if runs(!c) <= 3 => {
                let segments = self.masked(a, !c);
                let kept = self.word_of_segments(segments);
                let form = self.form(kept).offset(c);
                Some(self.word_of(form))
            }
            BinaryOp::Xor if c == u32::MAX => {
                let form = self.loose(a).times(-1).offset(c);
                Some(self.word_of(form))
            }
            BinaryOp::Xor if c == 1 && self.is_bit(a) => Some(self.complement(a)),
            BinaryOp::Xor if c == 1 << 31 => {
                let form = self.loose(a).offset(c);
                Some(self.word_of(form))
            }
            BinaryOp::Xor if c.to_le_bytes().contains(&0) => {
                let mut bytes = SmallVec::<[Linear; 4]>::new();
                for (j, c) in c.to_le_bytes().into_iter().enumerate() {
                    let byte = self.byte(a, j);
                    let query = byte.times(256).offset(u32::from(c) + self.tables.bitwise[2]);
                    bytes.push(if c == 0 { byte } else { self.circuit.lookup(&query, Range::BYTE) });
                }
                Some(self.word_of_bytes(&bytes))
            }
            _ => None,
        }
    }

    fn shift_by(&mut self, op: BinaryOp, a: WordId, n: u32) -> WordId {
        let n = n as i32;
        if n == 0 {
            return a;
        }
        let segments = match op {
            BinaryOp::Shl => {
                let form = self.form(a);
                if self.circuit.range(&form).magnitude() <= LOOSE >> n
                    && self.words[a as usize].segments.is_none()
                {
                    return self.word_of(form.times(pow2(n)));
                }
                self.shifted(a, n)
            }
            BinaryOp::ShrU => self.shifted(a, -n),
            BinaryOp::ShrS => {
                let form = self.form(a);
                let range = self.circuit.range(&form);
                if range.lo >= 0 && range.hi <= SIGNED.hi {
                    self.shifted(a, -n)
                } else if range.within(SIGNED) || self.words[a as usize].signed.is_some() {
                    let raised = self.signed(a).offset(pow2(31));
                    let unit = self.circuit.unit(&raised.times(pow2(-n)), &Linear::constant(1));
                    return self.word_of(unit.offset(-pow2(31 - n)));
                } else {
                    let upper = self.bits(a, n as u8, (32 - n) as u8);
                    let sign = self.bits(a, 31, 1);
                    return self.word_of(upper.plus(-pow2(32 - n), &sign));
                }
            }
            BinaryOp::Rotl | BinaryOp::Rotr => {
                let n = if op == BinaryOp::Rotl { n } else { 32 - n };
                let mut all = self.shifted(a, n);
                all.extend(self.shifted(a, n - 32));
                all
            }
            _ => unreachable!("not a shift"),
        };
        if segments.is_empty() { self.constant(0) } else { self.word_of_segments(segments) }
    }

    /// Shifts by a variable amount n: a table for each byte of the word, with entry 256·n + byte. Bits of
    /// different bytes do not overlap, so the results add up.
    fn shift(&mut self, op: BinaryOp, a: WordId, b: WordId) -> WordId {
        if op == BinaryOp::Rotr {
            let form = self.loose(b).times(-1);
            let negative = self.word_of(form);
            return self.shift(BinaryOp::Rotl, a, negative);
        }
        let which = match op {
            BinaryOp::Shl => 0,
            BinaryOp::ShrU => 1,
            BinaryOp::ShrS => 2,
            _ => 3,
        };
        let n = self.bits(b, 0, 5);
        let mut form = Linear::default();
        for j in 0..4 {
            let base = self.tables.shifts[which] + 8192 * j as u32;
            let byte = self.byte(a, j);
            let query = n.times(256).plus(1, &byte).offset(base);
            let range = match (op, j) {
                (BinaryOp::ShrU, _) => Range::new(0, 255 << (8 * j)),
                (BinaryOp::ShrS, 3) => Range::new(SIGNED.lo, 127 << 24),
                (BinaryOp::ShrS, _) => Range::new(0, 255 << (8 * j)),
                _ => Range::WORD,
            };
            form = form.plus(1, &self.circuit.lookup(&query, range));
        }
        self.word_of(form)
    }

    fn divide(&mut self, remainder: bool, a: WordId, b: WordId) -> WordId {
        if let Some(s) = self.as_constant(b) {
            return self.divide_by(remainder, a, s);
        }
        let [quotient, rest] = self.long_division(a, b);
        self.word_of(if remainder { rest } else { quotient })
    }

    fn divide_by(&mut self, remainder: bool, a: WordId, s: u32) -> WordId {
        if s <= 1 {
            return if remainder { self.constant(0) } else { a };
        }
        if s.is_power_of_two() {
            let n = s.trailing_zeros();
            return if remainder {
                self.bitwise_constant(BinaryOp::And, a, s - 1).expect("one run")
            } else {
                self.shift_by(BinaryOp::ShrU, a, n)
            };
        }
        let x = self.canonical(a);
        // A number that only the circuits know to be constant has no gate.
        if let Some(x) = x.as_constant().and_then(Exact::as_integer) {
            let x = x.rem_euclid(TWO32) as u32;
            return self.constant(if remainder { x % s } else { x / s });
        }
        let x = self.circuit.named(x);
        let reciprocal = Exact::reciprocal(s);
        let gate = x.times(reciprocal).offset(reciprocal * pow2(-1));
        let quotient = self.circuit.unit(&gate, &Linear::constant(1));
        if !remainder {
            return self.word_of(quotient);
        }
        let rest = x.plus(-i64::from(s), &quotient);
        let rest = self.circuit.linear(rest, Some(Range::new(0, i64::from(s) - 1)));
        self.word_of(rest)
    }

    /// Returns quotient and remainder, made two bits per step: of the divisor's multiples 1, 2 and 3, those
    /// that fit are taken away, by comparisons that gate the divisor itself. A divisor of 0 counts as 1, so
    /// that the circuit stays in range when the trap before it decides.
    fn long_division(&mut self, a: WordId, b: WordId) -> [Linear; 2] {
        let one = Linear::constant(1);
        let b = self.canonical(b);
        let is_zero = self.circuit.unit(&b.times(-pow2(-32)).offset(1), &one);
        let divisor = self.circuit.linear(b.plus(1, &is_zero), Some(Range::new(1, TWO32 - 1)));
        let divisor = self.circuit.named(divisor);
        let (mut quotient, mut rest) = (Linear::default(), Linear::default());
        const SCALE: i64 = 1 << 35;
        for digit in (0..16).rev() {
            let next = self.bits(a, 2 * digit, 2);
            let partial = rest.times(4).plus(1, &next);
            let partial = self.circuit.named(partial);
            let (mut left, mut taken) = (partial.clone(), Linear::default());
            let mut units = SmallVec::<[_; 3]>::new();
            for j in 1..4 {
                let gate = partial.plus(-j, &divisor).times(pow2(-35)).offset(1);
                if self.circuit.quantized(&gate).hi < 1 {
                    continue;
                }
                let unit = self.circuit.unit(&gate, &divisor);
                left = left.plus(-1, &unit);
                taken = taken.plus(1, &self.circuit.unit(&gate, &one));
                units.extend(self.circuit.unit_avail(&unit).map(|u| (j, u)));
            }
            let first = units.first().map_or(0, |u| u.1.0);
            for (i, &(j, (unit, at))) in units.iter().enumerate() {
                // What the gate says of partial and divisor (rule 2), and which value it gates.
                self.circuit.ghosts.push(GhostFact {
                    at,
                    until: at,
                    terms: vec![
                        (GhostTerm::Linear(partial.clone()), 1),
                        (GhostTerm::Value(first), -j),
                        (GhostTerm::Gate(unit), -SCALE),
                    ],
                    range: Range::new(-SCALE, -1),
                });
                if i > 0 {
                    self.circuit.ghosts.push(GhostFact {
                        at,
                        until: at,
                        terms: vec![(GhostTerm::Value(unit), 1), (GhostTerm::Value(first), -1)],
                        range: Range::new(0, 0),
                    });
                    let before = units[i - 1].1.0;
                    self.circuit.ghosts.push(GhostFact {
                        at,
                        until: at,
                        terms: vec![(GhostTerm::Gate(before), 1), (GhostTerm::Gate(unit), -1)],
                        range: Range::BIT,
                    });
                }
            }
            // The facts above prove this; it needs no ghost of its own.
            rest = self.circuit.asserted(left, Range::new(0, TWO32 - 2));
            quotient = self.circuit.named(quotient.times(4).plus(1, &taken));
        }
        [quotient, rest]
    }
}
