//! BERT's WordPiece tokenizer (uncased): text in UTF-8 to the numbers of its tokens.
//!
//! It gives what the package `tokenizers` gives for the `tokenizer.json` of such a model. All tables are made
//! by `build.rs`. Bytes that are no UTF-8 are left out: `tokenizers` does the same with the U+FFFD that a decoder
//! puts in their place.
//!
//! What counts here is the number of dependent operations: a network does in one step whatever does not depend on
//! each other. So a word is taken in nine bytes at once and looked up as a whole.
#![no_std]

use core::ptr::addr_of_mut;

mod tables {
    // In a model, memory comes in pages of 128 bytes; what is used together should lie in few of them.
    #[repr(C, align(128))]
    pub struct Aligned<T>(pub T);
    include!(concat!(env!("OUT_DIR"), "/tables.rs"));
}
use tables::*;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    core::arch::wasm32::unreachable()
}

/// A word with more characters is unknown.
const MAX_CHARS: usize = 100;

/// Number of bytes that may be read from where a word begins.
const AHEAD: usize = 32;

/// The last bytes of the text, and spaces: so words may be read beyond the end.
static mut TAIL: Aligned<[u8; 2 * AHEAD]> = Aligned([b' '; 2 * AHEAD]);

/// The symbols of a word.
static mut WORD: Aligned<[u16; MAX_CHARS]> = Aligned([0; MAX_CHARS]);

/// Reads element `at` of a table, which must be there.
macro_rules! get {
    ($table:ident, $at:expr) => {
        unsafe { *(&raw const $table.0).cast_element().add($at as usize) }
    };
}

/// The first element of an array behind a pointer.
trait CastElement {
    type Element;
    fn cast_element(self) -> *const Self::Element;
}

impl<T, const N: usize> CastElement for *const [T; N] {
    type Element = T;
    fn cast_element(self) -> *const T {
        self.cast()
    }
}

/// Where tokens are written, and how many have been.
#[derive(Clone, Copy)]
struct Tokens {
    ids: *mut i64,
    count: usize,
    /// No token is written here or behind.
    most: usize,
}

impl Tokens {
    /// Writes a token, if there is room.
    #[inline(always)]
    fn push(&mut self, id: u32) {
        if self.count < self.most {
            unsafe { *self.ids.add(self.count) = i64::from(id) };
            self.count += 1;
        }
    }
}

/// What follows in the text, and the number of tokens so far: what a function that writes tokens returns.
/// As one number, it stays out of memory.
type Progress = u64;

#[inline(always)]
fn progress(at: *const u8, count: usize) -> Progress {
    at as u64 | (count as u64) << 32
}

/// Writes the tokens of a text, `[CLS]` and `[SEP]` included, to `ids`, as many ones to `mask` and zeros to `types`.
/// Returns how many there are, at most `capacity`, or -1 if there is no room for `[CLS]` and `[SEP]`.
///
/// # Safety
///
/// `text` has `length` bytes, and the outputs have room for `capacity` elements.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenize(
    text: *const u8,
    length: usize,
    ids: *mut i64,
    capacity: usize,
    mask: *mut i64,
    _: usize,
    types: *mut i64,
    _: usize,
) -> i32 {
    unsafe {
        let count = token_ids(text, length, ids, capacity);
        for i in 0..count {
            *mask.add(i as usize) = 1;
            *types.add(i as usize) = 0;
        }
        count
    }
}

/// Writes the tokens of each line of a text, at most `most`, one line behind the other, with the number of tokens before
/// each. Returns how many numbers these are, or -1 if there is no room.
///
/// # Safety
///
/// `text` has `length` bytes, and `ids` has room for `capacity` elements.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenize_lines(
    text: *const u8,
    length: usize,
    most: i32,
    ids: *mut i64,
    capacity: usize,
) -> i32 {
    let most = most as usize;
    let (mut begin, mut written) = (0, 0);
    while begin < length {
        let mut end = begin;
        while end < length && unsafe { *text.add(end) } != b'\n' {
            end += 1;
        }
        if most < 2 || capacity - written < most + 1 {
            return -1;
        }
        unsafe {
            let line = ids.add(written + 1);
            let count = token_ids(text.add(begin), end - begin, line, most);
            *ids.add(written) = i64::from(count);
            written += 1 + count as usize;
        }
        begin = end + 1;
    }
    written as i32
}

/// Writes only the tokens of a text, like [`tokenize`].
///
/// # Safety
///
/// `text` has `length` bytes, and `ids` has room for `capacity` elements.
#[inline(never)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn token_ids(text: *const u8, length: usize, ids: *mut i64, capacity: usize) -> i32 {
    if capacity < 2 {
        return -1;
    }
    let mut tokens = Tokens { ids, count: 1, most: capacity - 1 };
    let mut at = text;
    let mut end = unsafe { text.add(length) };
    // Until here, a word can be read without reaching the end.
    let mut stop = if length > AHEAD { unsafe { end.sub(AHEAD) } } else { at };
    loop {
        let room = at.wrapping_add((tokens.most - tokens.count).saturating_sub(1));
        let out = unsafe { ids.add(tokens.count) };
        let after;
        (at, after) = unsafe { common_words(at, if room < stop { room } else { stop }, out) };
        tokens.count = unsafe { after.offset_from_unsigned(ids) };
        if tokens.count >= tokens.most {
            break;
        }
        if at >= stop {
            if at >= end || stop == end {
                break;
            }
            (at, end) = unsafe { tail(at, end, length) };
            stop = end;
            continue;
        }
        let mut progress = unsafe { usual_word(at, ids, tokens.count, tokens.most) };
        if progress == 0 {
            progress = unsafe { rare_word(at, end, ids, tokens.count, tokens.most) };
        }
        (at, tokens.count) = (progress as u32 as *const u8, (progress >> 32) as usize);
    }
    unsafe {
        *ids = i64::from(CLS);
        *ids.add(tokens.count) = i64::from(SEP);
    }
    tokens.count as i32 + 1
}

/// Writes the tokens of words of at most nine letters that have one, and of what is behind each, a space or punctuation,
/// until there is something else. That is at most one token a byte, so there must be room for one more than there are
/// bytes before `stop`.
#[inline(always)]
unsafe fn common_words(mut at: *const u8, stop: *const u8, mut out: *mut i64) -> (*const u8, *mut i64) {
    while at < stop {
        let (mut behind, mut slot, mut low, mut high, mut class, mut is_other_word);
        // What does not depend on each other is written side by side here, and there is only one branch: most
        // words take no more than this.
        loop {
            // The last is read first, so only one address has to be checked.
            let last = unsafe { at.add(8).read_volatile() };
            let [b0, b1, b2, b3, b4, b5, b6, b7] = unsafe { *at.cast::<[u8; 8]>() };
            let letters = [b0, b1, b2, b3, b4, b5, b6, b7, last].map(|byte| u32::from(get!(LETTERS, byte)));
            // The sum exceeds that of nine letters as soon as there is something else.
            let (mut sum, mut length, mut word) = (0, 0, [0; 9]);
            for i in 0..9 {
                sum += letters[i];
                let is_word = sum < NO_LETTER;
                length += usize::from(is_word);
                word[i] = if is_word { letters[i] } else { 0 };
            }
            let join = |letters: &[u32]| letters.iter().rev().fold(0, |sum: u32, letter| sum * BASE + letter);
            (low, high) = (join(&word[..6]), join(&word[6..]));
            slot = low.wrapping_add(high.wrapping_mul(FACTOR)) % (1 << SLOT_BITS);
            behind = unsafe { at.add(length) };
            let id;
            (is_other_word, id) = entry(slot, low, high);
            let byte = unsafe { *behind };
            class = u32::from(get!(CLASSES, byte));
            unsafe { *out = i64::from(id) };
            // Both are 0 and this is 1: written as one comparison, it stays one.
            let goes_on = u32::from(unsafe { behind.add(1) } < stop);
            if is_other_word + class + 1 != goes_on {
                break;
            }
            out = unsafe { out.add(1) };
            at = unsafe { behind.add(1) };
        }
        if is_other_word != 0 {
            let id;
            (is_other_word, id) = entry(slot ^ 1, low, high);
            unsafe { *out = i64::from(id) };
        }
        if is_other_word != 0 || class != CLASS_SPACE && class != CLASS_PUNCTUATION {
            break;
        }
        out = unsafe { out.add(1) };
        at = unsafe { behind.add(1) };
        if class == CLASS_PUNCTUATION {
            let (byte, next) = unsafe { (*behind, *at) };
            let id = get!(PUNCTUATION, byte);
            unsafe { *out = i64::from(id) };
            out = unsafe { out.add(1) };
            at = unsafe { at.add(usize::from(next == b' ')) };
        }
    }
    (at, out)
}

/// Returns 0 if a slot has a word, otherwise another number, and the token in the slot.
#[inline(always)]
fn entry(slot: u32, low: u32, high: u32) -> (u32, u16) {
    let [low_0, low_1, its_high, id] = get!(WORDS, slot);
    let its_low = u32::from(low_0) + (u32::from(low_1) << 16);
    (u32::from(its_low != low) + u32::from(u32::from(its_high) != high), id)
}

/// Reads one word of letters and digits in ASCII, and what ends it, and writes their tokens. Returns 0 if it is
/// not as usual.
#[inline(never)]
unsafe fn usual_word(at: *const u8, ids: *mut i64, count: usize, most: usize) -> Progress {
    let mut tokens = Tokens { ids, count, most };
    let byte = |i: usize| unsafe { at.add(i).read_volatile() };
    let class = |i: usize| u32::from(get!(CLASSES, byte(i)));
    let mut root = ROOT_OF_WORDS;
    let mut begin = 0;
    loop {
        let mut symbol = class(begin);
        if symbol.wrapping_sub(1) >= 36 {
            if symbol == CLASS_OTHER {
                return 0;
            }
            if symbol == CLASS_PUNCTUATION {
                tokens.push(u32::from(get!(PUNCTUATION, byte(begin))));
                begin += usize::from(byte(begin + 1) == b' ');
            }
            return progress(unsafe { at.add(begin + 1) }, tokens.count);
        }
        let (mut best, mut best_end) = (NONE, begin);
        let mut base = root;
        let mut i = begin + 1;
        loop {
            let [next_base, found, id] = get!(TRIE, base + symbol);
            // Volatile, so that it is read before the branch: this takes no more steps then.
            let next = class(i);
            if u32::from(found) != symbol {
                break;
            }
            if u32::from(id) != NONE {
                (best, best_end) = (u32::from(id), i);
            }
            (base, symbol) = (u32::from(next_base), next);
            i += 1;
        }
        // Then the next token, and what is behind it, is among the bytes that may be read.
        if best == NONE || best_end > AHEAD - LONGEST - 2 {
            return 0;
        }
        tokens.push(best);
        begin = best_end;
        root = ROOT_OF_CONTINUATIONS;
    }
}

/// Copies what is left of the text, at most [`AHEAD`] bytes, to where spaces follow, and returns where it begins
/// and ends.
#[inline(always)]
unsafe fn tail(at: *const u8, end: *const u8, length: usize) -> (*const u8, *const u8) {
    unsafe {
        let buffer: *mut u8 = addr_of_mut!(TAIL.0).cast();
        let left = end.offset_from_unsigned(at);
        if length >= AHEAD {
            buffer.copy_from_nonoverlapping(end.sub(AHEAD), AHEAD);
        } else {
            buffer.add(AHEAD - left).copy_from_nonoverlapping(at, left);
        }
        (buffer.add(AHEAD - left), buffer.add(AHEAD))
    }
}

/// Writes the tokens of the word in `WORD`: always the longest that fits.
#[inline(always)]
fn pieces(length: usize, tokens: &mut Tokens) {
    let before = tokens.count;
    let mut root = ROOT_OF_WORDS;
    let mut begin = 0;
    while begin < length {
        let (mut best, mut best_end) = (NONE, begin);
        let mut base = root;
        let mut i = begin;
        while i < length {
            let symbol = u32::from(get!(WORD, i));
            let [next_base, found, id] = get!(TRIE, base + symbol);
            if u32::from(found) != symbol {
                break;
            }
            i += 1;
            if u32::from(id) != NONE {
                (best, best_end) = (u32::from(id), i);
            }
            base = u32::from(next_base);
        }
        if best == NONE {
            tokens.count = before;
            tokens.push(UNK);
            return;
        }
        tokens.push(best);
        begin = best_end;
        root = ROOT_OF_CONTINUATIONS;
    }
}

/// Reads a word of any characters, and what ends it, and writes their tokens.
#[inline(never)]
unsafe fn rare_word(mut at: *const u8, end: *const u8, ids: *mut i64, count: usize, most: usize) -> Progress {
    let tokens = &mut Tokens { ids, count, most };
    let mut word = Word { length: 0, unknown: false };
    while at < end {
        let begin = at;
        let code;
        (code, at) = unsafe { decode(at, end) };
        // Syllables of Hangul have two or three parts.
        let syllable = code.wrapping_sub(0xac00);
        if syllable < 11172 {
            word.push(character(0x1100 + syllable / 588));
            word.push(character(0x1161 + syllable / 28 % 21));
            if syllable % 28 > 0 {
                word.push(character(0x11a7 + syllable % 28));
            }
            continue;
        }
        let value = character(code);
        if value & ISOLATED != 0 || value == SPACE {
            word.finish(tokens);
            if value & ISOLATED != 0 {
                if code == u32::from(b'[')
                    && let Some((token, length)) = unsafe { special(begin, end) }
                {
                    tokens.push(token);
                    return progress(unsafe { begin.add(length) }, tokens.count);
                }
                tokens.push(value & !ISOLATED);
            }
            return progress(at, tokens.count);
        }
        if value & SEQUENCE != 0 {
            let mut i = value & !SEQUENCE;
            loop {
                let part = u32::from(get!(SEQUENCES, i));
                if part == 0 {
                    break;
                }
                if part & ISOLATED != 0 || part == SPACE {
                    word.finish(tokens);
                    word = Word { length: 0, unknown: false };
                    if part & ISOLATED != 0 {
                        tokens.push(part & !ISOLATED);
                    }
                } else {
                    word.push(part);
                }
                i += 1;
            }
        } else if value != 0 {
            word.push(value);
        }
    }
    word.finish(tokens);
    progress(at, tokens.count)
}

/// Returns what a character becomes: 0 if nothing, [`SPACE`], [`ISOLATED`] with a token, [`SEQUENCE`] with an index into
/// `SEQUENCES`, or a symbol.
#[inline(always)]
fn character(code: u32) -> u32 {
    let block = u32::from(get!(FIRST, code >> BLOCK_BITS));
    u32::from(get!(BLOCKS, (block << BLOCK_BITS) + code % (1 << BLOCK_BITS)))
}

/// A word, whose symbols are in `WORD`.
struct Word {
    length: usize,
    unknown: bool,
}

impl Word {
    #[inline(always)]
    fn push(&mut self, symbol: u32) {
        self.unknown |= symbol == UNKNOWN || self.length == MAX_CHARS;
        if !self.unknown {
            unsafe { *addr_of_mut!(WORD.0).cast::<u16>().add(self.length) = symbol as u16 };
            self.length += 1;
        }
    }

    /// Writes its tokens.
    #[inline(never)]
    fn finish(&self, tokens: &mut Tokens) {
        if self.unknown {
            tokens.push(UNK);
        } else if self.length > 0 {
            pieces(self.length, tokens);
        }
    }
}

/// Returns the special token that a text begins with, and its length.
#[inline(never)]
unsafe fn special(at: *const u8, end: *const u8) -> Option<(u32, usize)> {
    let names: [(&[u8], u32); 5] =
        [(b"[PAD]", PAD), (b"[UNK]", UNK), (b"[CLS]", CLS), (b"[SEP]", SEP), (b"[MASK]", MASK)];
    let left = unsafe { end.offset_from_unsigned(at) };
    names.into_iter().find_map(|(name, token)| {
        let fits = left >= name.len() && (0..name.len()).all(|i| unsafe { *at.add(i) } == name[i]);
        fits.then_some((token, name.len()))
    })
}

/// Reads a character, 0 if there is none in UTF-8, and returns what follows. 0 is left out like what is no UTF-8.
#[inline(always)]
unsafe fn decode(at: *const u8, end: *const u8) -> (u32, *const u8) {
    unsafe {
        let first = u32::from(*at);
        let one = at.add(1);
        if first < 0x80 {
            return (first, one);
        }
        let left = end.offset_from_unsigned(one);
        // The lowest six bits of a byte that continues a character, otherwise more than that.
        let follows = |i: usize| match left > i {
            true => u32::from(*one.add(i)) ^ 0x80,
            false => 0xff,
        };
        let (count, least, high) = match first {
            0xc2..=0xdf => (1, 0x80, first & 0x1f),
            0xe0..=0xef => (2, 0x800, first & 0xf),
            0xf0..=0xf4 => (3, 0x10000, first & 7),
            _ => return (0, one),
        };
        let mut code = high;
        for i in 0..count {
            let part = follows(i);
            if part >= 0x40 {
                return (0, one);
            }
            code = code << 6 | part;
        }
        if code < least || code.wrapping_sub(0xd800) < 0x800 || code > 0x10ffff {
            return (0, one);
        }
        (code, one.add(count))
    }
}
