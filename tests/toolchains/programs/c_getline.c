// getline until the end of standard input, with long lines, empty ones and NUL bytes.
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(void) {
    char *line = NULL;
    size_t capacity = 0, lines = 0, bytes = 0, longest = 0;
    ssize_t length;
    while ((length = getline(&line, &capacity, stdin)) != -1) {
        lines++;
        bytes += (size_t)length;
        if ((size_t)length > longest)
            longest = (size_t)length;
        printf("%zu: %zd, strlen %zu%s\n", lines, length, strlen(line), line[length - 1] == '\n' ? "" : ", no newline");
    }
    printf("%zu lines, %zu bytes, longest %zu, eof %d, error %d\n", lines, bytes, longest, feof(stdin) != 0,
           ferror(stdin) != 0);
    free(line);
    return 0;
}
