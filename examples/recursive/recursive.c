// Functions that do little else than call themselves.

#include "../io.h"

EXPORT(fibonacci) unsigned fibonacci(unsigned n) {
    return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

EXPORT(ackermann) unsigned ackermann(unsigned m, unsigned n) {
    if (m == 0)
        return n + 1;
    if (n == 0)
        return ackermann(m - 1, 1);
    return ackermann(m - 1, ackermann(m, n - 1));
}

// Takeuchi's function.
EXPORT(takeuchi) int takeuchi(int x, int y, int z) {
    if (x <= y)
        return y;
    return takeuchi(takeuchi(x - 1, y, z), takeuchi(y - 1, z, x), takeuchi(z - 1, x, y));
}
