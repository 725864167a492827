// Compresses and decompresses as gzip does: DEFLATE (RFC 1951) in the gzip format (RFC 1952).
//
//     deflate < FILE > FILE.gz        compresses standard input to standard output
//     deflate -d < FILE.gz > FILE     decompresses it
//
// What is wrong with the input is reported on standard error, and the exit status is 1.
//
// An ordinary WASI command. Debian: apt-get install clang lld wasi-libc libclang-rt-dev-wasm32
//     clang --target=wasm32-wasi -std=c11 -O2 -Wl,--stack-first -Wl,--strip-debug deflate.c -o deflate.wasm

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    REACH = 1 << 15,    // the greatest distance back to a copy,
    WINDOW = 2 * REACH, // half of the window; positions in it are taken modulo this
    BLOCK = REACH,      // how much is compressed at a time

    MIN_COPY = 3,
    MAX_COPY = 258,
    END_OF_BLOCK = 256,
    FIRST_LENGTH = 257, // the symbols from here on are for copies

    LENGTH_CODES = 29,
    DISTANCE_CODES = 30,
    SYMBOLS = FIRST_LENGTH + LENGTH_CODES,
    FIXED_SYMBOLS = 288,
    FIXED_DISTANCES = 32,
    MAX_BITS = 15, // in a code
    MAX_META_BITS = 7,
    META_SYMBOLS = 19, // the alphabet in which the lengths of codes are written
};

enum type { STORED, FIXED, DYNAMIC };

static const uint8_t length_extra[LENGTH_CODES] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,
                                                   2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};
static const uint8_t meta_order[META_SYMBOLS] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
static const uint8_t meta_extra[META_SYMBOLS] = {[16] = 2, [17] = 3, [18] = 7};
static const uint8_t meta_base[META_SYMBOLS] = {[16] = 3, [17] = 3, [18] = 11}; // repetitions, at least

static uint16_t length_base[LENGTH_CODES];
static uint16_t distance_base[DISTANCE_CODES];
static uint8_t fixed_lengths[FIXED_SYMBOLS];
static uint8_t fixed_distance_lengths[FIXED_DISTANCES];
static uint32_t crc_table[256];

static uint8_t window[WINDOW];

static int distance_extra(int code) { return code < 4 ? 0 : code / 2 - 1; }

static void make_tables(void) {
    for (int code = 0, base = MIN_COPY; code < LENGTH_CODES; code++) {
        length_base[code] = (uint16_t)base;
        base += 1 << length_extra[code];
    }
    length_base[LENGTH_CODES - 1] = MAX_COPY; // it has a code of its own
    for (int code = 0, base = 1; code < DISTANCE_CODES; code++) {
        distance_base[code] = (uint16_t)base;
        base += 1 << distance_extra(code);
    }

    for (int symbol = 0; symbol < FIXED_SYMBOLS; symbol++)
        fixed_lengths[symbol] = symbol < 144 ? 8 : symbol < 256 ? 9 : symbol < 280 ? 7 : 8;
    memset(fixed_distance_lengths, 5, sizeof fixed_distance_lengths);

    // The CRC of a byte is the sum (without carry) of those of its bits.
    uint32_t crc = 1;
    for (int bit = 128; bit > 0; bit /= 2) {
        crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320 : 0);
        for (int i = 0; i < 256; i += 2 * bit)
            crc_table[i + bit] = crc ^ crc_table[i];
    }
}

static uint32_t crc_with(uint32_t crc, uint8_t byte) { return crc >> 8 ^ crc_table[(crc ^ byte) & 0xFF]; }

static _Noreturn void fail(const char *problem) {
    fflush(stdout);
    fprintf(stderr, "deflate: %s\n", problem);
    exit(EXIT_FAILURE);
}

// Gives each symbol its canonical code: codes of the same length follow each other in the order of
// their symbols. The bits are reversed, since codes go out and come in with their first bit first.
// False if the lengths need more codes than there are, or leave some unused.
static bool make_codes(const uint8_t *lengths, int count, uint16_t *codes) {
    int of_length[MAX_BITS + 1] = {0};
    for (int i = 0; i < count; i++)
        of_length[lengths[i]]++;
    of_length[0] = 0;

    int next[MAX_BITS + 2] = {0}, available = 1;
    for (int length = 1; length <= MAX_BITS; length++) {
        available = 2 * available - of_length[length];
        if (available < 0)
            return false;
        next[length + 1] = (next[length] + of_length[length]) * 2;
    }
    for (int i = 0; i < count; i++) {
        int code = lengths[i] ? next[lengths[i]]++ : 0, reversed = 0;
        for (int bit = 0; bit < lengths[i]; bit++)
            reversed |= (code >> bit & 1) << (lengths[i] - 1 - bit);
        codes[i] = (uint16_t)reversed;
    }
    return available == 0;
}

// Compression

static uint32_t out_bits;
static int out_count; // fewer than 8 between calls

static void put_bits(uint32_t bits, int count) { // at most 16
    out_bits |= bits << out_count;
    for (out_count += count; out_count >= 8; out_count -= 8) {
        putchar((int)(out_bits & 0xFF));
        out_bits >>= 8;
    }
}

static void put_uint32(uint32_t number) {
    put_bits(number & 0xFFFF, 16);
    put_bits(number >> 16, 16);
}

static void align_output(void) { put_bits(0, -out_count & 7); }

// What a block consists of: literal bytes, whose length is 1, and copies.
struct item {
    uint16_t length;
    uint16_t value; // the byte or the distance minus 1
};

static struct item items[BLOCK];
static int item_count;
static uint32_t frequencies[SYMBOLS];
static uint32_t distance_frequencies[DISTANCE_CODES];

// The last code whose base is not more than the value.
static int code_for(const uint16_t *bases, int count, int value) {
    int low = 0, high = count;
    while (high - low > 1) {
        int middle = (low + high) / 2;
        if (bases[middle] <= value)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static int length_code(int length) { return code_for(length_base, LENGTH_CODES, length); }
static int distance_code(int distance) { return code_for(distance_base, DISTANCE_CODES, distance); }

static void add_literal(uint8_t byte) {
    items[item_count++] = (struct item){1, byte};
    frequencies[byte]++;
}

static void add_copy(int length, int distance) {
    items[item_count++] = (struct item){(uint16_t)length, (uint16_t)(distance - 1)};
    frequencies[FIRST_LENGTH + length_code(length)]++;
    distance_frequencies[distance_code(distance)]++;
}

// Chains of earlier positions where three bytes have the same hash: the last, and the one before each.
enum { HASHES = 1 << 13, MAX_TRIES = 64, GOOD_COPY = 32 };
static uint32_t last_position[HASHES];
static uint32_t position_before[REACH];

static uint8_t byte_at(uint32_t position) { return window[position % WINDOW]; }

static uint32_t hash_at(uint32_t position) {
    uint32_t bytes = (uint32_t)(byte_at(position) << 16 | byte_at(position + 1) << 8 | byte_at(position + 2));
    return bytes * 0x9E3779B1 >> (32 - 13);
}

static void remember(uint32_t position, uint32_t end) {
    if (end - position >= MIN_COPY) {
        uint32_t hash = hash_at(position);
        position_before[position % REACH] = last_position[hash];
        last_position[hash] = position;
    }
}

struct copy {
    int length, distance;
};

// The longest copy of earlier bytes that can stand for those from a position on; its length is 0 if
// there is none.
static struct copy find_copy(uint32_t position, uint32_t end) {
    struct copy best = {MIN_COPY - 1, 0};
    int most = end - position < MAX_COPY ? (int)(end - position) : MAX_COPY;
    if (most < MIN_COPY)
        return (struct copy){0, 0};

    // Along a chain the distances grow; what is in the tables from the start does not make them grow.
    uint32_t candidate = last_position[hash_at(position)], distance = 0;
    for (int tries = 0; tries < MAX_TRIES; tries++) {
        if (position - candidate <= distance || position - candidate > REACH)
            break;
        distance = position - candidate;
        if (byte_at(candidate + (uint32_t)best.length) == byte_at(position + (uint32_t)best.length)) {
            int length = 0;
            while (length < most && byte_at(candidate + (uint32_t)length) == byte_at(position + (uint32_t)length))
                length++;
            if (length > best.length)
                best = (struct copy){length, (int)distance};
            if (length == most)
                break;
        }
        candidate = position_before[candidate % REACH];
    }
    return best.distance ? best : (struct copy){0, 0};
}

// Turns the bytes of a block into items. A copy waits for the next position: a longer one there wins.
static void find_items(uint32_t start, uint32_t end) {
    item_count = 0;
    memset(frequencies, 0, sizeof frequencies);
    memset(distance_frequencies, 0, sizeof distance_frequencies);

    struct copy here = find_copy(start, end);
    for (uint32_t position = start; position < end;) {
        remember(position, end);
        struct copy next = {0, 0};
        if (here.length < GOOD_COPY)
            next = find_copy(position + 1, end);
        if (here.length == 0 || next.length > here.length) {
            add_literal(byte_at(position++));
            here = next;
        } else {
            add_copy(here.length, here.distance);
            uint32_t after = position + (uint32_t)here.length;
            while (++position < after)
                remember(position, end);
            here = find_copy(position, end);
        }
    }
    frequencies[END_OF_BLOCK]++;
}

struct node {
    uint32_t frequency;
    int parent; // of a leaf at first its symbol
};

static int compare_nodes(const void *a, const void *b) {
    const struct node *left = a, *right = b;
    if (left->frequency != right->frequency)
        return left->frequency < right->frequency ? -1 : 1;
    return left->parent - right->parent;
}

// Finds the lengths of a Huffman code: the tree's leaves and its inner nodes come into being in the
// order of their frequencies, and the two least frequent that have no parent yet get one. If a code
// would be too long, the frequencies are evened out.
static void make_lengths(const uint32_t *counts, int count, int limit, uint8_t *lengths) {
    struct node nodes[2 * SYMBOLS];
    int symbols[SYMBOLS], depths[2 * SYMBOLS], longest;
    for (int shift = 0;; shift++) {
        int leaves = 0;
        for (int symbol = 0; symbol < count; symbol++)
            if (counts[symbol])
                nodes[leaves++] = (struct node){(counts[symbol] >> shift) + 1, symbol};
        for (int symbol = 0; leaves < 2; symbol++) // a code has at least two symbols
            if (!counts[symbol])
                nodes[leaves++] = (struct node){1, symbol};
        qsort(nodes, (size_t)leaves, sizeof *nodes, compare_nodes);
        for (int i = 0; i < leaves; i++)
            symbols[i] = nodes[i].parent;

        int leaf = 0, inner = leaves, root = 2 * leaves - 2;
        for (int parent = leaves; parent <= root; parent++) {
            nodes[parent].frequency = 0;
            for (int child = 0; child < 2; child++) {
                bool is_leaf = leaf < leaves &&
                               (inner == parent || nodes[leaf].frequency <= nodes[inner].frequency);
                struct node *least = &nodes[is_leaf ? leaf++ : inner++];
                nodes[parent].frequency += least->frequency;
                least->parent = parent;
            }
        }

        memset(lengths, 0, (size_t)count);
        longest = depths[root] = 0;
        for (int i = root - 1; i >= 0; i--) {
            depths[i] = depths[nodes[i].parent] + 1;
            if (depths[i] > longest)
                longest = depths[i];
            if (i < leaves)
                lengths[symbols[i]] = (uint8_t)depths[i];
        }
        if (longest <= limit)
            return;
    }
}

// The lengths of a dynamic block's codes, written with repetitions in the alphabet of META_SYMBOLS.
struct header {
    uint8_t lengths[SYMBOLS + DISTANCE_CODES]; // of both codes, one after the other
    int symbols, distances;                    // without unused ones at the end
    uint8_t meta[SYMBOLS + DISTANCE_CODES], repetitions[SYMBOLS + DISTANCE_CODES];
    int meta_count;
    uint8_t meta_lengths[META_SYMBOLS];
    int meta_lengths_count;
};

static void make_header(struct header *header) {
    uint8_t *lengths = header->lengths, distance_lengths[DISTANCE_CODES];
    make_lengths(frequencies, SYMBOLS, MAX_BITS, lengths);
    make_lengths(distance_frequencies, DISTANCE_CODES, MAX_BITS, distance_lengths);
    header->symbols = SYMBOLS;
    while (!lengths[header->symbols - 1])
        header->symbols--;
    header->distances = DISTANCE_CODES;
    while (!distance_lengths[header->distances - 1])
        header->distances--;
    memcpy(lengths + header->symbols, distance_lengths, (size_t)header->distances);

    uint32_t meta_frequencies[META_SYMBOLS] = {0};
    int count = header->symbols + header->distances;
    header->meta_count = 0;
    for (int i = 0, run; i < count; i += run) {
        int most = lengths[i] ? 6 : 138;
        for (run = 1; run < most && i + run < count && lengths[i + run] == lengths[i]; run++)
            ;
        // A length other than 0 is repeated by saying so after it.
        bool repeats = i > 0 && lengths[i - 1] == lengths[i];
        int meta = run < 3 ? -1 : lengths[i] == 0 ? (run < 11 ? 17 : 18) : repeats ? 16 : -1;
        if (meta < 0) {
            meta = lengths[i];
            run = 1;
        }
        header->meta[header->meta_count] = (uint8_t)meta;
        header->repetitions[header->meta_count++] = (uint8_t)run;
        meta_frequencies[meta]++;
    }
    make_lengths(meta_frequencies, META_SYMBOLS, MAX_META_BITS, header->meta_lengths);
    header->meta_lengths_count = META_SYMBOLS;
    while (!header->meta_lengths[meta_order[header->meta_lengths_count - 1]])
        header->meta_lengths_count--;
}

static int header_bits(const struct header *header) {
    int bits = 5 + 5 + 4 + 3 * header->meta_lengths_count;
    for (int i = 0; i < header->meta_count; i++)
        bits += header->meta_lengths[header->meta[i]] + meta_extra[header->meta[i]];
    return bits;
}

static void put_header(const struct header *header) {
    uint16_t codes[META_SYMBOLS];
    make_codes(header->meta_lengths, META_SYMBOLS, codes);
    put_bits((uint32_t)header->symbols - FIRST_LENGTH, 5);
    put_bits((uint32_t)header->distances - 1, 5);
    put_bits((uint32_t)header->meta_lengths_count - 4, 4);
    for (int i = 0; i < header->meta_lengths_count; i++)
        put_bits(header->meta_lengths[meta_order[i]], 3);
    for (int i = 0; i < header->meta_count; i++) {
        int meta = header->meta[i];
        put_bits(codes[meta], header->meta_lengths[meta]);
        if (meta_extra[meta])
            put_bits((uint32_t)(header->repetitions[i] - meta_base[meta]), meta_extra[meta]);
    }
}

static int items_bits(const uint8_t *lengths, const uint8_t *distance_lengths) {
    int bits = 0;
    for (int symbol = 0; symbol < SYMBOLS; symbol++) {
        int extra = symbol < FIRST_LENGTH ? 0 : length_extra[symbol - FIRST_LENGTH];
        bits += (int)frequencies[symbol] * (lengths[symbol] + extra);
    }
    for (int code = 0; code < DISTANCE_CODES; code++)
        bits += (int)distance_frequencies[code] * (distance_lengths[code] + distance_extra(code));
    return bits;
}

static void put_items(const uint8_t *lengths, int count, const uint8_t *distance_lengths, int distances) {
    uint16_t codes[FIXED_SYMBOLS], distance_codes[FIXED_DISTANCES];
    make_codes(lengths, count, codes);
    make_codes(distance_lengths, distances, distance_codes);
    for (int i = 0; i < item_count; i++) {
        int length = items[i].length;
        if (length == 1) {
            put_bits(codes[items[i].value], lengths[items[i].value]);
            continue;
        }
        int code = length_code(length), symbol = FIRST_LENGTH + code;
        put_bits(codes[symbol], lengths[symbol]);
        put_bits((uint32_t)(length - length_base[code]), length_extra[code]);
        int distance = items[i].value + 1;
        code = distance_code(distance);
        put_bits(distance_codes[code], distance_lengths[code]);
        put_bits((uint32_t)(distance - distance_base[code]), distance_extra(code));
    }
    put_bits(codes[END_OF_BLOCK], lengths[END_OF_BLOCK]);
}

// Compresses a block in the way that takes the fewest bits.
static void put_block(uint32_t start, uint32_t end, bool is_last) {
    find_items(start, end);
    struct header header;
    make_header(&header);
    const uint8_t *distance_lengths = header.lengths + header.symbols;
    int dynamic = header_bits(&header) + items_bits(header.lengths, distance_lengths);
    int fixed = items_bits(fixed_lengths, fixed_distance_lengths);
    int stored = 7 + 32 + 8 * (int)(end - start); // at most

    put_bits(is_last, 1);
    if (stored < fixed && stored < dynamic) {
        put_bits(STORED, 2);
        align_output();
        put_bits(end - start, 16);
        put_bits(~(end - start) & 0xFFFF, 16);
        fwrite(&window[start % WINDOW], 1, end - start, stdout);
    } else if (fixed <= dynamic) {
        put_bits(FIXED, 2);
        put_items(fixed_lengths, FIXED_SYMBOLS, fixed_distance_lengths, FIXED_DISTANCES);
    } else {
        put_bits(DYNAMIC, 2);
        put_header(&header);
        put_items(header.lengths, header.symbols, distance_lengths, header.distances);
    }
}

static void compress(void) {
    // The magic number, the method, no flags, no time, no hint, an unknown system.
    static const uint8_t header[10] = {0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255};
    fwrite(header, 1, sizeof header, stdout);

    uint32_t crc = 0xFFFFFFFF, length = 0;
    for (int next = getchar(), is_last = 0; !is_last;) {
        uint32_t start = length;
        for (; next != EOF && length - start < BLOCK; next = getchar()) {
            window[length++ % WINDOW] = (uint8_t)next;
            crc = crc_with(crc, (uint8_t)next);
        }
        is_last = next == EOF;
        put_block(start, length, is_last);
    }
    if (ferror(stdin))
        fail("the input can't be read");
    align_output();
    put_uint32(~crc);
    put_uint32(length);
}

// Decompression

static uint32_t in_bits;
static int in_count;   // bits that have been read and not used
static int in_missing; // those of them, at the end, that are zeros since the input has ended

// Looks at the next bits of the input, at most 16; past its end they are 0.
static uint32_t peek_bits(int count) {
    for (; in_count < count; in_count += 8) {
        int byte = getchar();
        if (byte == EOF)
            in_missing += 8;
        else
            in_bits |= (uint32_t)byte << in_count;
    }
    return in_bits & ((1U << count) - 1);
}

static void drop_bits(int count) {
    in_bits >>= count;
    in_count -= count;
    if (in_count < in_missing)
        fail(ferror(stdin) ? "the input can't be read" : "the input ends too early");
}

static uint32_t get_bits(int count) {
    uint32_t bits = peek_bits(count);
    drop_bits(count);
    return bits;
}

static void align_input(void) { drop_bits(in_count % 8); }

static uint32_t get_uint32(void) {
    uint32_t low = get_bits(16);
    return low | get_bits(16) << 16;
}

static uint32_t written, crc; // of the current member of the file

static void put_byte(uint8_t byte) {
    window[written++ % WINDOW] = byte;
    crc = crc_with(crc, byte);
    putchar(byte);
}

// A code for decoding: what symbol the next bits stand for, and how many of them.
struct decoder {
    int bits; // of the longest code
    struct {
        uint16_t symbol;
        uint8_t length; // 0: no code begins like this
    } entries[1 << MAX_BITS];
};

static void make_decoder(struct decoder *decoder, const uint8_t *lengths, int count) {
    int used = 0;
    decoder->bits = 0;
    for (int i = 0; i < count; i++) {
        used += lengths[i] > 0;
        if (lengths[i] > decoder->bits)
            decoder->bits = lengths[i];
    }
    uint16_t codes[FIXED_SYMBOLS];
    // Only a code of one symbol or none may be incomplete.
    if (!make_codes(lengths, count, codes) && (used > 1 || decoder->bits > 1))
        fail("a code is wrong");

    memset(decoder->entries, 0, sizeof *decoder->entries << decoder->bits);
    for (int i = 0; i < count; i++)
        if (lengths[i])
            for (int bits = codes[i]; bits < 1 << decoder->bits; bits += 1 << lengths[i]) {
                decoder->entries[bits].symbol = (uint16_t)i;
                decoder->entries[bits].length = lengths[i];
            }
}

static int get_symbol(const struct decoder *decoder) {
    uint32_t bits = peek_bits(decoder->bits);
    if (!decoder->entries[bits].length)
        fail("a code is wrong");
    drop_bits(decoder->entries[bits].length);
    return decoder->entries[bits].symbol;
}

static struct decoder symbols, distances;

static void read_codes(void) {
    int symbol_count = (int)get_bits(5) + FIRST_LENGTH;
    int distance_count = (int)get_bits(5) + 1;
    int meta_count = (int)get_bits(4) + 4;
    if (symbol_count > SYMBOLS || distance_count > DISTANCE_CODES)
        fail("a block has too many codes");

    uint8_t meta_lengths[META_SYMBOLS] = {0};
    for (int i = 0; i < meta_count; i++)
        meta_lengths[meta_order[i]] = (uint8_t)get_bits(3);
    make_decoder(&symbols, meta_lengths, META_SYMBOLS);

    uint8_t lengths[SYMBOLS + DISTANCE_CODES];
    for (int i = 0; i < symbol_count + distance_count;) {
        int meta = get_symbol(&symbols), repetitions = 1, length = meta;
        if (meta >= 16) {
            repetitions = meta_base[meta] + (int)get_bits(meta_extra[meta]);
            if (meta == 16 && i == 0)
                fail("a block repeats a length that is not there");
            length = meta == 16 ? lengths[i - 1] : 0;
        }
        if (repetitions > symbol_count + distance_count - i)
            fail("a block has too many lengths");
        for (; repetitions > 0; repetitions--)
            lengths[i++] = (uint8_t)length;
    }
    make_decoder(&symbols, lengths, symbol_count);
    make_decoder(&distances, lengths + symbol_count, distance_count);
}

static void read_copy(int code) {
    if (code >= LENGTH_CODES)
        fail("a length is wrong");
    int length = length_base[code] + (int)get_bits(length_extra[code]);
    code = get_symbol(&distances);
    if (code >= DISTANCE_CODES)
        fail("a distance is wrong");
    uint32_t distance = distance_base[code] + get_bits(distance_extra(code));
    if (distance > written)
        fail("a distance leads to before the beginning");
    for (; length > 0; length--)
        put_byte(byte_at(written - distance));
}

static void read_block(void) {
    switch (get_bits(2)) {
    case STORED: {
        align_input();
        uint32_t length = get_bits(16);
        if (get_bits(16) != (~length & 0xFFFF))
            fail("the length of a stored block is wrong");
        for (; length > 0; length--)
            put_byte((uint8_t)get_bits(8));
        return;
    }
    case FIXED:
        make_decoder(&symbols, fixed_lengths, FIXED_SYMBOLS);
        make_decoder(&distances, fixed_distance_lengths, FIXED_DISTANCES);
        break;
    case DYNAMIC: read_codes(); break;
    default: fail("a block is of no known type");
    }
    for (int symbol; (symbol = get_symbol(&symbols)) != END_OF_BLOCK;) {
        if (symbol < END_OF_BLOCK)
            put_byte((uint8_t)symbol);
        else
            read_copy(symbol - FIRST_LENGTH);
    }
}

static uint8_t get_header_byte(void) {
    uint8_t byte = (uint8_t)get_bits(8);
    crc = crc_with(crc, byte);
    return byte;
}

// Reads the header of a member; of all that it can tell, nothing is used.
static void read_header(void) {
    enum { CHECKED = 2, EXTRA = 4, NAME = 8, COMMENT = 16, UNKNOWN = 0xE0 };
    crc = 0xFFFFFFFF;
    if (get_header_byte() != 0x1F || get_header_byte() != 0x8B)
        fail("the input is not in gzip format");
    if (get_header_byte() != 8)
        fail("the method is unknown");
    int flags = get_header_byte();
    if (flags & UNKNOWN)
        fail("a flag is unknown");
    for (int i = 0; i < 6; i++)
        get_header_byte();
    if (flags & EXTRA) {
        int length = get_header_byte();
        for (length |= get_header_byte() << 8; length > 0; length--)
            get_header_byte();
    }
    for (int flag = NAME; flag <= COMMENT; flag *= 2)
        if (flags & flag)
            while (get_header_byte() != 0)
                ;
    if (flags & CHECKED) {
        uint32_t expected = ~crc & 0xFFFF;
        if (get_bits(16) != expected)
            fail("the header is damaged: its CRC is wrong");
    }
}

static void decompress(void) {
    do { // for each member of the file
        read_header();
        crc = 0xFFFFFFFF;
        written = 0;
        for (bool is_last = false; !is_last;) {
            is_last = get_bits(1);
            read_block();
        }
        align_input();
        if (get_uint32() != (uint32_t)~crc)
            fail("the data is damaged: its CRC is wrong");
        if (get_uint32() != written)
            fail("the data is damaged: its length is wrong");
        peek_bits(8);
    } while (!in_missing);
}

int main(int argc, char **argv) {
    bool decompresses = argc == 2 && strcmp(argv[1], "-d") == 0;
    if (argc > 1 && !decompresses) {
        fputs("usage: deflate [-d] < INPUT > OUTPUT\n", stderr);
        return 2;
    }
    make_tables();
    if (decompresses)
        decompress();
    else
        compress();
    if (fflush(stdout) != 0 || ferror(stdout))
        fail("the output can't be written");
    return EXIT_SUCCESS;
}
