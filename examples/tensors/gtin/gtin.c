// Checks the numbers of goods below barcodes, GTINs: 8, 12, 13 or 14 digits, of which the last is a check digit. (A book's ISBN of 13 digits
// is one, too.)
//
// The same check is here twice: for many texts in one call, and for one text in registers, without memory.

#include <stdint.h>

#define EXPORT(name) __attribute__((export_name(#name)))
#define UNROLL _Pragma("clang loop unroll(full)")

enum { BAD_END = -1 }; // a text ends before it begins, or behind the last one

// Returns `count` if these are so many digits and the last is the right one, and otherwise 0. From the last digit to the left, digits count
// once and three times in turn, and the sum must be a multiple of 10.
static inline __attribute__((always_inline)) int32_t check(const uint8_t *text, int count)
{
    // Read at once, so that there is one check of bounds for 8 bytes.
    uint8_t digits[14];
    __builtin_memcpy(digits, text, count);
    uint32_t sum = 0, wrong = 0;
    UNROLL for (int i = 0; i < count; i++) {
        uint32_t digit = digits[i] - '0';
        wrong += digit > 9;
        sum += (count - i) % 2 ? digit : 3 * digit;
    }
    return wrong + sum % 10 == 0 ? count : 0;
}

// Each length has code of its own, in which all digits are looked at side by side.
static int32_t kind(const uint8_t *text, uint32_t count)
{
    switch (count) {
    case 8: return check(text, 8);
    case 12: return check(text, 12);
    case 13: return check(text, 13);
    case 14: return check(text, 14);
    default: return 0;
    }
}

// Checks texts that follow each other, of which `ends` says where each ends. Writes for each the number of its digits, or 0 if it is no GTIN.
EXPORT(gtins)
int32_t gtins(const uint8_t *text, uint32_t size, const uint32_t *ends, int32_t count, uint8_t *kinds, int32_t room)
{
    uint32_t begin = 0;
    for (int32_t i = 0; i < count; i++) {
        uint32_t end = ends[i];
        if (end - begin > size - begin)
            return BAD_END;
        kinds[i] = kind(text + begin, end - begin);
        begin = end;
    }
    return count;
}

// Checks one text of `count` bytes, which is given as 16 bytes, little-endian, with as many '0' in front. Returns what `gtins` writes.
EXPORT(gtin)
int32_t gtin(uint64_t low, uint64_t high, uint32_t count)
{
    uint32_t sum = 0, wrong = 0;
    UNROLL for (int i = 0; i < 16; i++) {
        uint32_t digit = (uint32_t)((i < 8 ? low : high) >> i % 8 * 8 & 255) - '0';
        wrong += digit > 9;
        sum += i % 2 ? digit : 3 * digit;
    }
    // No `switch` and no `||`: clang would make a table of it, in memory.
    wrong += (count != 8) & (count - 12 > 2);
    return wrong + sum % 10 == 0 ? count : 0;
}
