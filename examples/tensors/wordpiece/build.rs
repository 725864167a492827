//! Makes the tables of the tokenizer from a vocabulary.
//!
//! The vocabulary is the file that `WORDPIECE_VOCAB` names, one token a line, or `vocab.txt` beside this file.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::path::PathBuf;
use std::{env, fs};

use unicode_categories::UnicodeCategories;
use unicode_normalization_alignments::UnicodeNormalization;
use unicode_normalization_alignments::char::canonical_combining_class;

/// What a character becomes, see `src/lib.rs`.
const SPACE: u16 = 0x3fff;
const UNKNOWN: u16 = 0x3ffe;
const SEQUENCE: u16 = 0x4000;
const ISOLATED: u16 = 0x8000;

/// Classes of bytes that are no letter or digit.
const CLASS_SPACE: u8 = 0;
const CLASS_PUNCTUATION: u8 = 128;
const CLASS_OTHER: u8 = 192;

/// No token.
const NONE: u16 = 0xffff;

/// Number of slots of the table of words, as a power of two.
const SLOT_BITS: u32 = 16;

/// What an empty slot has: no word has this number, nor has the word without letters.
const EMPTY: (u32, u32, u16) = (u32::MAX, 0, NONE);

/// Letters are numbers from 1 to 26, and words are numbers to this base.
const BASE: u32 = 27;

/// What no letter is: more than nine letters together.
const NO_LETTER: u32 = 255;

/// Number of characters of a block of the table of characters, as a power of two.
const BLOCK_BITS: u32 = 6;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Memory that is there from the start costs time in a model, and the default is 1 MiB.
    println!("cargo::rustc-link-arg-cdylib=-zstack-size=16384");
    println!("cargo::rerun-if-env-changed=WORDPIECE_VOCAB");
    let manifest = PathBuf::from(env::var("CARGO_MANIFEST_DIR").unwrap());
    let path = env::var("WORDPIECE_VOCAB").map_or(manifest.join("vocab.txt"), PathBuf::from);
    println!("cargo::rerun-if-changed={}", path.display());
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let vocabulary: Vec<&str> = text.lines().collect();
    assert!(vocabulary.len() <= usize::from(ISOLATED), "numbers of tokens have at most 15 bits");
    let ids: HashMap<&str, u16> =
        vocabulary.iter().enumerate().map(|(id, token)| (*token, id as u16)).collect();

    let alphabet = Alphabet::new(&vocabulary);
    let mut out = Output::default();
    let special = |token: &str| *ids.get(token).unwrap_or_else(|| panic!("the vocabulary has no {token}"));
    for (name, token) in
        [("PAD", "[PAD]"), ("UNK", "[UNK]"), ("CLS", "[CLS]"), ("SEP", "[SEP]"), ("MASK", "[MASK]")]
    {
        out.constant(name, "u32", u64::from(special(token)));
    }
    characters(&alphabet, &ids, special("[UNK]"), &mut out);
    words(&vocabulary, &mut out);
    trie(&alphabet, &vocabulary, &mut out);
    fs::write(PathBuf::from(env::var("OUT_DIR").unwrap()).join("tables.rs"), out.0).unwrap();
}

/// The source of the tables.
#[derive(Default)]
struct Output(String);

impl Output {
    fn constant(&mut self, name: &str, ty: &str, value: u64) {
        self.0 += &format!("pub const {name}: {ty} = {value};\n");
    }

    fn table<T: std::fmt::Debug>(&mut self, name: &str, ty: &str, values: &[T]) {
        self.0 += &format!("pub static {name}: Aligned<[{ty}; {}]> = Aligned({values:?});\n", values.len());
    }
}

fn is_chinese(c: char) -> bool {
    matches!(u32::from(c),
        0x3400..=0x4dbf | 0x4e00..=0x9fff | 0xf900..=0xfaff | 0x20000..=0x2a6df | 0x2a700..=0x2b73f
        | 0x2b740..=0x2b81f | 0x2b920..=0x2ceaf | 0x2f800..=0x2fa1f)
}

fn is_punctuation(c: char) -> bool {
    c.is_ascii_punctuation() || c.is_punctuation()
}

/// Returns what the normalizer makes of a character. It depends on the others only in the order of marks.
fn normalize(c: char) -> Vec<char> {
    if matches!(c, '\t' | '\n' | '\r') || !c.is_other() && c.is_whitespace() {
        return vec![' '];
    }
    if c == '\0' || c == '\u{fffd}' || c.is_other() {
        return Vec::new();
    }
    let parts = std::iter::once(c).nfd().map(|(part, _)| part);
    parts.filter(|part| !part.is_mark_nonspacing()).flat_map(char::to_lowercase).collect()
}

/// The characters that words can consist of and that the vocabulary knows. Their symbols count from 1.
struct Alphabet {
    symbols: HashMap<char, u16>,
}

impl Alphabet {
    fn new(vocabulary: &[&str]) -> Self {
        let letters = |c: &char| !is_punctuation(*c) && !c.is_whitespace();
        let known: HashSet<char> =
            vocabulary.iter().flat_map(|token| token.chars()).filter(letters).collect();
        // Tokens have characters that no text contains any more once it is normalized, such as capitals.
        let made: BTreeSet<char> =
            ('\0'..=char::MAX).filter(|c| !is_chinese(*c)).flat_map(normalize).collect();
        let ascii = ('a'..='z').chain('0'..='9');
        let others = made.into_iter().filter(|c| known.contains(c) && !c.is_ascii_alphanumeric());
        let symbols = ascii.chain(others).zip(1..).collect();
        let alphabet = Self { symbols };
        assert!(alphabet.symbols.len() < usize::from(UNKNOWN), "the vocabulary has too many characters");
        // Then the order of the marks that are kept does not matter: a word with any of them is unknown.
        for c in alphabet.symbols.keys() {
            assert_eq!(canonical_combining_class(*c), 0, "a token contains the mark {c:?}");
        }
        alphabet
    }

    /// Returns the symbols of a word if all of its characters have one.
    fn word(&self, text: &str) -> Option<Vec<u16>> {
        text.chars().map(|c| self.symbols.get(&c).copied()).collect()
    }
}

/// Makes the tables of bytes in ASCII and of all characters.
fn characters(alphabet: &Alphabet, ids: &HashMap<&str, u16>, unknown: u16, out: &mut Output) {
    let isolated = |c: char| ISOLATED | *ids.get(&c.to_string()[..]).unwrap_or(&unknown);
    let mut sequences: Vec<u16> = Vec::new();
    let mut places: HashMap<Vec<u16>, u16> = HashMap::new();
    let mut entry = |c: char| -> u16 {
        let parts: Vec<u16> = normalize(c)
            .into_iter()
            .map(|part| match part {
                _ if is_chinese(c) || is_punctuation(part) => isolated(part),
                _ if part.is_whitespace() => SPACE,
                _ => *alphabet.symbols.get(&part).unwrap_or(&UNKNOWN),
            })
            .collect();
        match parts[..] {
            [] => 0,
            [one] => one,
            _ => {
                let place = *places.entry(parts.clone()).or_insert_with(|| {
                    let place = sequences.len() as u16;
                    sequences.extend(&parts);
                    sequences.push(0);
                    place
                });
                assert!(place < SEQUENCE, "too many characters are decomposed");
                SEQUENCE | place
            }
        }
    };
    // Syllables of Hangul are taken apart by arithmetic.
    let is_hangul = |c: char| ('\u{ac00}'..='\u{d7a3}').contains(&c);
    let all: Vec<u16> = (0..=u32::from(char::MAX))
        .map(|code| match char::from_u32(code) {
            Some(c) if !is_hangul(c) => entry(c),
            _ => 0,
        })
        .collect();
    let (mut blocks, mut first): (Vec<u16>, Vec<u16>) = (Vec::new(), Vec::new());
    let mut known: HashMap<&[u16], u16> = HashMap::new();
    for block in all.chunks(1 << BLOCK_BITS) {
        first.push(*known.entry(block).or_insert_with(|| {
            blocks.extend(block);
            (blocks.len() >> BLOCK_BITS) as u16 - 1
        }));
    }
    out.constant("BLOCK_BITS", "u32", u64::from(BLOCK_BITS));
    for (name, value) in
        [("SPACE", SPACE), ("UNKNOWN", UNKNOWN), ("SEQUENCE", SEQUENCE), ("ISOLATED", ISOLATED)]
    {
        out.constant(name, "u32", u64::from(value));
    }
    out.table("BLOCKS", "u16", &blocks);
    out.table("FIRST", "u16", &first);
    out.table("SEQUENCES", "u16", &sequences);

    let class = |byte: u32| match all[byte as usize] {
        _ if byte >= 128 => CLASS_OTHER,
        SPACE => CLASS_SPACE,
        symbol if (1..=36).contains(&symbol) => symbol as u8,
        // Only this one may begin a special token.
        isolated if isolated & ISOLATED != 0 && byte != u32::from(b'[') => CLASS_PUNCTUATION,
        _ => CLASS_OTHER,
    };
    for (name, value) in
        [("CLASS_SPACE", CLASS_SPACE), ("CLASS_PUNCTUATION", CLASS_PUNCTUATION), ("CLASS_OTHER", CLASS_OTHER)]
    {
        out.constant(name, "u32", u64::from(value));
    }
    out.table("CLASSES", "u8", &(0..256).map(class).collect::<Vec<_>>());
    let punctuation = |byte: usize| all[byte] & !ISOLATED;
    out.table("PUNCTUATION", "u16", &(0..128).map(punctuation).collect::<Vec<_>>());
}

/// Makes the table of whole words of at most nine letters in ASCII. A word is two numbers, one of six letters and one of
/// three; an entry has both and the token.
fn words(vocabulary: &[&str], out: &mut Output) {
    let letter = |byte: u8| match byte {
        b'a'..=b'z' => u32::from(byte - b'a') + 1,
        b'A'..=b'Z' => u32::from(byte - b'A') + 1,
        _ => NO_LETTER,
    };
    out.table("LETTERS", "u8", &(0..=255).map(letter).collect::<Vec<_>>());
    out.constant("NO_LETTER", "u32", u64::from(NO_LETTER));
    out.constant("BASE", "u32", u64::from(BASE));
    let fits = |token: &str| (1..=9).contains(&token.len()) && token.bytes().all(|b| b.is_ascii_lowercase());
    let join = |letters: &[u8]| letters.iter().rev().fold(0, |sum, byte| sum * BASE + letter(*byte));
    let words: Vec<_> = (0u16..)
        .zip(vocabulary)
        .filter(|(_, token)| fits(token))
        .map(|(id, token)| {
            let (low, high) = token.as_bytes().split_at(token.len().min(6));
            (join(low), join(high), id)
        })
        .collect();
    // Common words come first in the vocabulary, so they find their slot free. Others are put into the slot beside it,
    // or left to the trie. What is tried many times is which factor makes that rare.
    let fill = |factor: u32| {
        let mut slots = vec![None; 1 << SLOT_BITS];
        let mut moves = 0.0;
        for (rank, &(low, high, id)) in words.iter().enumerate() {
            let slot = low.wrapping_add(high.wrapping_mul(factor)) as usize % slots.len();
            let free = [slot, slot ^ 1].into_iter().position(|slot| slots[slot].is_none());
            moves += free.unwrap_or(4) as f64 / (rank as f64 + 100.0);
            if let Some(other) = free {
                slots[slot ^ other] = Some((low, high, id));
            }
        }
        (moves, slots)
    };
    let factor = (0..256).map(|i| 10001 + 32 * i).min_by(|a, b| fill(*a).0.total_cmp(&fill(*b).0)).unwrap();
    out.constant("SLOT_BITS", "u32", u64::from(SLOT_BITS));
    out.constant("FACTOR", "u32", u64::from(factor));
    let entry = |slot: Option<(u32, u32, u16)>| {
        let (low, high, id) = slot.unwrap_or(EMPTY);
        [low as u16, (low >> 16) as u16, high as u16, id]
    };
    out.table("WORDS", "[u16; 4]", &fill(factor).1.into_iter().map(entry).collect::<Vec<_>>());
}

/// A node of the trie while it is made.
#[derive(Default)]
struct Node {
    id: Option<u16>,
    children: BTreeMap<u16, usize>,
}

/// Makes the trie of all tokens. Entry `base + symbol` belongs to a child if it names the same symbol, since no two
/// nodes have the same base. It has the child's base, the symbol, and the token that ends there.
fn trie(alphabet: &Alphabet, vocabulary: &[&str], out: &mut Output) {
    let longest = vocabulary.iter().map(|token| token.trim_start_matches("##").len()).max();
    out.constant("LONGEST", "usize", longest.unwrap_or(0) as u64);
    // The first two are where words and continuations begin.
    let mut nodes = vec![Node::default(), Node::default()];
    for (id, token) in vocabulary.iter().enumerate() {
        let (root, text) = match token.strip_prefix("##") {
            Some(text) => (1, text),
            None => (0, *token),
        };
        let Some(word) = alphabet.word(text).filter(|word| !word.is_empty()) else { continue };
        let mut node = root;
        for symbol in word {
            let next = nodes.len();
            node = *nodes[node].children.entry(symbol).or_insert(next);
            if node == next {
                nodes.push(Node::default());
            }
        }
        nodes[node].id = Some(id as u16);
    }
    // Entries from 0 on are where a leaf's children would be: there are none.
    let symbols = alphabet.symbols.len() + 1;
    const FREE: [u16; 3] = [0, NONE, NONE];
    let mut entries = vec![FREE; symbols];
    let mut used = HashSet::from([0]);
    let mut lowest = symbols;
    let mut bases = [0; 2];
    // Nodes, and where their entries are: those of the roots are nowhere.
    let mut queue = VecDeque::from([(0, None), (1, None)]);
    while let Some((node, place)) = queue.pop_front() {
        let Node { id, children } = &nodes[node];
        let mut base = 0;
        if let Some(smallest) = children.keys().next() {
            let free = |at: usize| entries.get(at).is_none_or(|entry| *entry == FREE);
            while !free(lowest) {
                lowest += 1;
            }
            base = lowest - usize::from(*smallest);
            while used.contains(&base) || !children.keys().all(|symbol| free(base + usize::from(*symbol))) {
                base += 1;
            }
            used.insert(base);
        }
        for (symbol, child) in children {
            let place = base + usize::from(*symbol);
            entries.resize(entries.len().max(place + 1), FREE);
            entries[place][1] = *symbol;
            queue.push_back((*child, Some(place)));
        }
        let base = u16::try_from(base).expect("the vocabulary is too large: bases of nodes have 16 bits");
        match place {
            Some(place) => (entries[place][0], entries[place][2]) = (base, id.unwrap_or(NONE)),
            None => bases[node] = base,
        }
    }
    // The entry of any base and any symbol must be there.
    entries.resize(entries.len() + symbols, FREE);
    out.constant("NONE", "u32", u64::from(NONE));
    out.constant("ROOT_OF_WORDS", "u32", u64::from(bases[0]));
    out.constant("ROOT_OF_CONTINUATIONS", "u32", u64::from(bases[1]));
    out.table("TRIE", "[u16; 3]", &entries);
}
