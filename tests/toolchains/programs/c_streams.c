// Standard output and error by turns, in all modes of buffering; ungetc and reading by characters.
#include <stdio.h>
#include <unistd.h>

int main(void) {
    for (int i = 0; i < 3; i++) {
        printf("out %d\n", i);
        fprintf(stderr, "err %d\n", i);
    }
    fflush(stdout);
    setvbuf(stdout, NULL, _IONBF, 0);
    fputs("unbuffered ", stdout);
    fputs("error ", stderr);
    putchar('\n');
    static char buffer[100];
    setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
    for (int i = 0; i < 50; i++)
        printf("%d,", i);
    putchar('\n');
    write(STDERR_FILENO, "direct\n", 7);
    fflush(stdout);

    int c = getchar();
    if (c != EOF) {
        ungetc(c, stdin);
        int count[3] = {0};
        while ((c = getchar()) != EOF)
            count[c == '\n' ? 0 : c < 128 ? 1 : 2]++;
        printf("newlines %d, ASCII %d, others %d\n", count[0], count[1], count[2]);
    }
    char byte;
    printf("after the end: %zd\n", read(STDIN_FILENO, &byte, 1));
    fprintf(stderr, "%s%c", "last", '\n');
    return 0;
}
