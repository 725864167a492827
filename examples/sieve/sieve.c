// The sieve of Eratosthenes.
//
// Input: numbers up to 1000000. Output: for each number n how many primes there are up to n, and
// the last five of them.

#include "../io.h"

enum { MAX = 1000000, LAST = 5 };

static char composite[MAX + 1];

EXPORT(_start) void _start(void) {
    int n;
    while (read_int(&n)) {
        if (n < 0 || n > MAX) {
            print_text("the number must be from 0 to 1000000\n");
            continue;
        }
        for (int i = 0; i <= n; i++)
            composite[i] = i < 2;
        for (int i = 2; i * i <= n; i++)
            if (!composite[i])
                for (int j = i * i; j <= n; j += i)
                    composite[j] = 1;

        int count = 0;
        int last[LAST];
        for (int i = 0; i <= n; i++)
            if (!composite[i])
                last[count++ % LAST] = i;

        print_int(count);
        output_byte(':');
        for (int i = count < LAST ? 0 : count - LAST; i < count; i++) {
            output_byte(' ');
            print_int(last[i % LAST]);
        }
        output_byte('\n');
    }
}
