// Arguments and environment.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern char **environ;

int main(int argc, char **argv) {
    printf("%d arguments\n", argc);
    for (int i = 1; i < argc; i++)
        printf("%d: [%s] %zu\n", i, argv[i], strlen(argv[i]));
    printf("end: %d\n", argv[argc] == NULL);
    const char *names[] = {"HOME", "EMPTY", "MISSING", "UNICODE"};
    for (int i = 0; i < 4; i++) {
        const char *value = getenv(names[i]);
        printf("%s: %s%s%s\n", names[i], value ? "[" : "", value ? value : "none", value ? "]" : "");
    }
    int count = 0;
    while (environ && environ[count])
        count++;
    printf("%d variables\n", count);
    setenv("ADDED", "later", 1);
    setenv("HOME", "changed", 1);
    unsetenv("EMPTY");
    printf("%s %s %d\n", getenv("ADDED"), getenv("HOME"), getenv("EMPTY") == NULL);
    return argc;
}
