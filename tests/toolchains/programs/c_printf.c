// printf: conversions, flags, widths and precisions; sscanf back again.
#include <float.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

int main(void) {
    printf("[%d] [%5d] [%-5d] [%05d] [%+d] [% d] [%.3d] [%i]\n", 42, 42, 42, 42, 42, 42, 7, -7);
    printf("[%u] [%x] [%X] [%#x] [%o] [%#o] [%08X]\n", 3000000000U, 0xbeefU, 0xBEEFU, 255U, 8U, 8U, 0xabcU);
    printf("[%hhd] [%hd] [%ld] [%lld] [%zu] [%td] [%jd]\n", (char)44, (short)4464, LONG_MIN, LLONG_MIN, sizeof(long),
           (ptrdiff_t)-3, (intmax_t)INT64_MAX);
    printf("[%" PRId64 "] [%" PRIu32 "] [%" PRIx64 "]\n", INT64_C(-5), UINT32_MAX, UINT64_MAX);
    printf("[%c] [%3c] [%s] [%10s] [%-10s] [%.2s] [%*s] [%.*s] [%%]\n", 'x', 'y', "text", "right", "left", "cut", 6,
           "star", 3, "precision");
    printf("[%f] [%.0f] [%.10f] [%10.2f] [%-10.2f] [%+.1f] [%010.3f] [%#.0f]\n", 3.14159265358979, 2.5, 1.0 / 3.0,
           -2.345, 2.345, 0.05, -1.5, 3.0);
    printf("[%e] [%.0e] [%.15E] [%g] [%g] [%g] [%.3g] [%#g] [%G]\n", 12345.678, 12345.678, 0.1, 0.0001, 0.00001,
           1e20, 1234.5, 1.0, 1e-10);
    printf("[%a] [%.2a] [%A]\n", 1.0, 3.141592653589793, 0.1);
    printf("[%f] [%F] [%e] [%g] [%5.1f] [%-6g] [%f]\n", INFINITY, -INFINITY, -INFINITY, INFINITY, INFINITY, -INFINITY,
           -0.0);
    printf("[%.17g] [%.17g] [%.17g] [%g] [%g]\n", 0.1, DBL_MAX, DBL_MIN, 5e-324, FLT_MAX);
    printf("[%.50f]\n[%.3f]\n[%f]\n", 0.1, 1e22, DBL_MAX);
    printf("[%1$s %2$s %1$s]\n", "one", "two");
    int written;
    printf("counted%n", &written);
    printf(": %d\n", written);

    char buffer[16];
    int needed = snprintf(buffer, sizeof buffer, "%s and %d more", "something long", 5);
    printf("[%s] %d %zu\n", buffer, needed, strlen(buffer));

    int n, hex, fields;
    double d;
    char word[20], set[20];
    fields = sscanf("  -17 0x1F 2.5e3 hello abc123", "%d %x %lf %19s %19[a-c]", &n, (unsigned *)&hex, &d, word, set);
    printf("%d: %d %d %g %s %s\n", fields, n, hex, d, word, set);
    puts("done");
    return 0;
}
