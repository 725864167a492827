// Expressions as trees of objects with virtual functions.
//
// Input: lines with an expression of x, decimal numbers, + - * and parentheses. Output: for each the values at x = 0 … 9 modulo
// 2^32 with sign, and the derivative's at 0; or an error.

extern "C" {
#include "../io.h"
}

namespace {

enum { ARENA = 1 << 18 };
char arena[ARENA];
unsigned used;

struct Node {
    // 0 if the arena is full.
    void *operator new(__SIZE_TYPE__ size) noexcept {
        unsigned at = used;
        if (size > ARENA - at)
            return nullptr;
        used = at + ((unsigned)size + 7 & ~7u);
        return arena + at;
    }
    virtual unsigned value(unsigned x) const = 0;
    virtual unsigned slope(unsigned x) const = 0;
};

struct Number : Node {
    unsigned number;
    explicit Number(unsigned number) : number(number) {}
    unsigned value(unsigned) const override { return number; }
    unsigned slope(unsigned) const override { return 0; }
};

struct Variable : Node {
    unsigned value(unsigned x) const override { return x; }
    unsigned slope(unsigned) const override { return 1; }
};

struct Negative : Node {
    const Node *a;
    explicit Negative(const Node *a) : a(a) {}
    unsigned value(unsigned x) const override { return -a->value(x); }
    unsigned slope(unsigned x) const override { return -a->slope(x); }
};

struct Pair : Node {
    const Node *a, *b;
    Pair(const Node *a, const Node *b) : a(a), b(b) {}
};

struct Sum : Pair {
    using Pair::Pair;
    unsigned value(unsigned x) const override { return a->value(x) + b->value(x); }
    unsigned slope(unsigned x) const override { return a->slope(x) + b->slope(x); }
};

struct Difference : Pair {
    using Pair::Pair;
    unsigned value(unsigned x) const override { return a->value(x) - b->value(x); }
    unsigned slope(unsigned x) const override { return a->slope(x) - b->slope(x); }
};

struct Product : Pair {
    using Pair::Pair;
    unsigned value(unsigned x) const override { return a->value(x) * b->value(x); }
    unsigned slope(unsigned x) const override { return a->slope(x) * b->value(x) + a->value(x) * b->slope(x); }
};

// A parser of one line: each function returns 0 on an error.
int next;
int depth;

void advance() {
    do
        next = input_byte();
    while (next == ' ');
}

const Node *sum();

const Node *atom() {
    if (next == '-') {
        advance();
        const Node *a = depth < 100 ? (depth++, atom()) : nullptr;
        depth--;
        return a ? new Negative(a) : nullptr;
    }
    if (next == '(') {
        advance();
        const Node *a = depth < 100 ? (depth++, sum()) : nullptr;
        depth--;
        if (!a || next != ')')
            return nullptr;
        advance();
        return a;
    }
    if (next == 'x') {
        advance();
        return new Variable();
    }
    if (next < '0' || next > '9')
        return nullptr;
    unsigned number = 0;
    while (next >= '0' && next <= '9') {
        number = number * 10 + (unsigned)(next - '0');
        next = input_byte();
    }
    if (next == ' ')
        advance();
    return new Number(number);
}

const Node *product() {
    const Node *a = atom();
    while (a && next == '*') {
        advance();
        const Node *b = atom();
        a = b ? new Product(a, b) : nullptr;
    }
    return a;
}

const Node *sum() {
    const Node *a = product();
    while (a && (next == '+' || next == '-')) {
        bool minus = next == '-';
        advance();
        const Node *b = product();
        if (!b)
            return nullptr;
        a = minus ? (const Node *)new Difference(a, b) : new Sum(a, b);
    }
    return a;
}

}

// What a table of virtual functions has where there is none.
extern "C" void __cxa_pure_virtual() { __builtin_trap(); }

extern "C" EXPORT(_start) void _start() {
    advance();
    while (next >= 0) {
        used = 0;
        depth = 0;
        const Node *node = sum();
        if (!node || next != '\n') {
            print_text("error\n");
            while (next >= 0 && next != '\n')
                advance();
        } else {
            for (unsigned x = 0; x < 10; x++) {
                print_int((int)node->value(x));
                output_byte(' ');
            }
            print_int((int)node->slope(0));
            output_byte('\n');
        }
        advance();
    }
}
