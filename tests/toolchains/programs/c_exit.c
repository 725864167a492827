// The ways to end: the first argument says which. What was printed and not flushed must (not) appear.
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void at_exit(void) { puts("at exit"); }

int main(int argc, char **argv) {
    atexit(at_exit);
    const char *how = argc > 1 ? argv[1] : "";
    printf("how: %s\n", how);
    if (strcmp(how, "exit") == 0)
        exit(atoi(argv[2]));
    if (strcmp(how, "_exit") == 0)
        _exit(4);
    if (strcmp(how, "quick") == 0)
        quick_exit(5);
    if (strcmp(how, "abort") == 0)
        abort();
    if (strcmp(how, "assert") == 0)
        assert(argc == 100);
    if (strcmp(how, "wild") == 0)
        return *(volatile int *)0xfffffff0;
    if (strcmp(how, "divide") == 0) {
        volatile int zero = 0;
        return 100 % zero;
    }
    return 7;
}
