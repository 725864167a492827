// Reading files with stdio: the files named by the arguments, in several ways.
#include <errno.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv) {
    int failures = 0;
    for (int i = 1; i < argc; i++) {
        FILE *file = fopen(argv[i], "r");
        if (!file) {
            printf("%s: %s\n", argv[i], strerror(errno));
            failures++;
            continue;
        }
        char line[64];
        if (!fgets(line, sizeof line, file))
            strcpy(line, ferror(file) ? strerror(errno) : "(nothing)");
        line[strcspn(line, "\n")] = '\0';
        printf("%s: [%s] at %ld", argv[i], line, ftell(file));
        if (fseek(file, 0, SEEK_END) == 0)
            printf(", size %ld", ftell(file));
        if (fseek(file, -3, SEEK_END) == 0)
            printf(", last %d", fgetc(file));
        rewind(file);
        unsigned sum = 0;
        unsigned char buffer[700];
        for (size_t n; (n = fread(buffer, 1, sizeof buffer, file)) > 0;)
            for (size_t k = 0; k < n; k++)
                sum = sum * 31 + buffer[k];
        printf(", sum %u, eof %d\n", sum, feof(file) != 0);
        fclose(file);
    }
    return failures;
}
