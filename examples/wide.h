// Decimal text of what io.h has no functions for: 64-bit integers and doubles.
#pragma once

#include "io.h"

static inline void print_unsigned64(unsigned long long value) {
    char digits[20];
    int n = 0;
    do {
        digits[n++] = '0' + (int)(value % 10);
        value /= 10;
    } while (value);
    while (n)
        output_byte(digits[--n]);
}

// As read_int, without signs.
static inline int read_unsigned64(unsigned long long *value) {
    int byte = input_byte();
    while (byte < '0' || byte > '9') {
        if (byte < 0)
            return 0;
        byte = input_byte();
    }
    *value = 0;
    while (byte >= '0' && byte <= '9') {
        *value = *value * 10 + (unsigned)(byte - '0');
        byte = input_byte();
    }
    return 1;
}

// A double with so many decimals, exactly, the rest cut off: by integer arithmetic on its bits. What is
// below 2^-128 is 0, from 2^64 on it is "large".
static inline void print_double(double x, int decimals) {
    enum { LIMBS = 4 };
    union {
        double x;
        unsigned long long bits;
    } pattern = {x};
    unsigned long long significand = pattern.bits & ((1ull << 52) - 1);
    int exponent = (int)(pattern.bits >> 52) & 0x7ff;
    if (pattern.bits >> 63)
        output_byte('-');
    if (exponent == 0x7ff || exponent >= 1023 + 64) {
        print_text(exponent < 0x7ff ? "large" : significand ? "nan" : "inf");
        return;
    }
    if (exponent)
        significand |= 1ull << 52;
    else
        exponent = 1;
    // The number is significand · 2^shift.
    int shift = exponent - 1075;
    unsigned long long whole = 0;
    // Behind the point, highest first.
    unsigned limbs[LIMBS] = {0, 0, 0, 0};
    if (shift >= 0) {
        whole = significand << shift;
    } else {
        int below = -shift;
        if (below < 64)
            whole = significand >> below;
        for (int i = 0; i < LIMBS; i++) {
            // Bits 2^(-32·i - 1) to 2^(-32·i - 32).
            int right = below - 32 * (i + 1);
            if (right >= 64)
                continue;
            limbs[i] = right >= 0 ? (unsigned)(significand >> right) : right > -32 ? (unsigned)(significand << -right) : 0;
        }
    }
    print_unsigned64(whole);
    output_byte('.');
    while (decimals--) {
        unsigned long long carry = 0;
        for (int i = LIMBS - 1; i >= 0; i--) {
            carry += 10ull * limbs[i];
            limbs[i] = (unsigned)carry;
            carry >>= 32;
        }
        output_byte('0' + (int)carry);
    }
}
