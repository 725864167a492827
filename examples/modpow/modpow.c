// Powers modulo a number, and greatest common divisors, in 64 bits.
//
// Input: triples a, b, m of unsigned integers up to 2^63. Output: for each a^b mod m, and the greatest common divisor of a and m.

#include "../wide.h"

typedef unsigned long long u64;

// a · b mod m for a < m, m up to 2^63: no sum passes 2^64.
static u64 multiply(u64 a, u64 b, u64 m) {
    u64 product = 0;
    while (b) {
        if (b & 1) {
            product += a;
            if (product >= m)
                product -= m;
        }
        a += a;
        if (a >= m)
            a -= m;
        b >>= 1;
    }
    return product;
}

static u64 power(u64 a, u64 b, u64 m) {
    // Products of factors below 2^32 are those of 64 bits.
    int small = m >> 32 == 0;
    u64 result = 1 % m;
    a %= m;
    while (b) {
        if (b & 1)
            result = small ? result * a % m : multiply(result, a, m);
        a = small ? a * a % m : multiply(a, a, m);
        b >>= 1;
    }
    return result;
}

static u64 divisor(u64 a, u64 b) {
    while (b) {
        u64 rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

EXPORT(_start) void _start(void) {
    u64 a, b, m;
    while (read_unsigned64(&a) && read_unsigned64(&b) && read_unsigned64(&m)) {
        if (m == 0 || m > 1ull << 63) {
            print_text("the modulus must be from 1 to 9223372036854775808\n");
            continue;
        }
        print_unsigned64(power(a, b, m));
        output_byte(' ');
        print_unsigned64(divisor(a, m));
        output_byte('\n');
    }
}
