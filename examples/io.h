// Input and output of the examples: two imported functions, and decimal text on top of them.
#pragma once

// The next byte of the input, or -1 at its end.
__attribute__((import_module("env"), import_name("input_byte"))) int input_byte(void);

__attribute__((import_module("env"), import_name("output_byte"))) void output_byte(int byte);

// Makes a function callable from outside, under its own name.
#define EXPORT(name) __attribute__((export_name(#name), visibility("default")))

static inline void print_text(const char *text) {
    while (*text)
        output_byte(*text++);
}

static inline void print_unsigned(unsigned value) {
    char digits[10];
    int n = 0;
    do {
        digits[n++] = '0' + value % 10;
        value /= 10;
    } while (value);
    while (n)
        output_byte(digits[--n]);
}

static inline void print_int(int value) {
    if (value < 0) {
        output_byte('-');
        print_unsigned(-(unsigned)value);
    } else {
        print_unsigned(value);
    }
}

// Reads the next decimal number, skipping whatever stands before it, and the byte after it.
// Returns 0 if the input ends first.
static inline int read_int(int *value) {
    int sign = 1;
    int byte = input_byte();
    while (byte < '0' || byte > '9') {
        if (byte < 0)
            return 0;
        sign = byte == '-' ? -1 : 1;
        byte = input_byte();
    }
    unsigned number = 0;
    while (byte >= '0' && byte <= '9') {
        number = number * 10 + (byte - '0');
        byte = input_byte();
    }
    *value = sign * (int)number;
    return 1;
}
