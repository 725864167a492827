// Traps in a function that is inlined, in a loop, and at an address; and a run without an end. The modules are made by
//
//     clang --target=wasm32 -c -gdwarf-4 -O2 trap.c -o trap.o && wasm-ld --no-entry trap.o -o dwarf4.wasm
//     clang --target=wasm32 -c -gdwarf-5 -O0 trap.c -o trap.o && wasm-ld --no-entry trap.o -o dwarf5.wasm
//
// with clang 14 and wasm-ld of Debian's packages `clang` and `lld`.
#include "inner.h"

__attribute__((export_name("divide"))) int divide(int a, int b) {
    int sum = 0;
    for (int i = 0; i < a; i++) {
        sum += quotient(i + a, b);
    }
    return sum;
}

__attribute__((export_name("spin"))) int spin(int a) {
    volatile int x = a;
    while (x != -1) {
        x = x ^ 1;
    }
    return x;
}
__attribute__((export_name("far"))) int far(int a) {
    return *(volatile int *)(a +
        0x7fffff00);
}
