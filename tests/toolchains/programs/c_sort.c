// qsort, bsearch and the allocator: malloc, calloc, realloc and free in many sizes.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int compare_ints(const void *a, const void *b) {
    int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}

static int compare_strings(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

int main(void) {
    enum { COUNT = 500 };
    int *numbers = malloc(COUNT * sizeof *numbers);
    uint32_t state = 12345;
    for (int i = 0; i < COUNT; i++) {
        state = state * 1664525 + 1013904223;
        numbers[i] = (int)(state >> 20) - 2048;
    }
    qsort(numbers, COUNT, sizeof *numbers, compare_ints);
    for (int i = 1; i < COUNT; i++)
        if (numbers[i - 1] > numbers[i])
            return 1;
    printf("%d %d %d\n", numbers[0], numbers[COUNT / 2], numbers[COUNT - 1]);
    int key = numbers[123];
    printf("found: %d\n", bsearch(&key, numbers, COUNT, sizeof key, compare_ints) != NULL);

    const char *words[] = {"pear", "apple", "fig", "", "banana", "Apple"};
    qsort(words, 6, sizeof *words, compare_strings);
    for (int i = 0; i < 6; i++)
        printf("[%s]", words[i]);
    putchar('\n');

    unsigned char *blocks[64] = {0};
    size_t sizes[64] = {0}, wrong = 0;
    for (int round = 0; round < 400; round++) {
        state = state * 1664525 + 1013904223;
        int i = (int)(state >> 26);
        for (size_t k = 0; k < sizes[i]; k += 97)
            wrong += blocks[i][k] != i;
        sizes[i] = (state >> 8) % 3000 + 1;
        blocks[i] = realloc(blocks[i], sizes[i]);
        memset(blocks[i], i, sizes[i]);
    }
    int *zeros = calloc(10000, sizeof *zeros);
    for (int i = 0; i < 10000; i++)
        wrong += zeros[i] != 0;
    void *volatile large = malloc(SIZE_MAX / 2 + SIZE_MAX / 4);
    printf("wrong: %zu, too large: %d\n", wrong, large == NULL);
    free(zeros);
    for (int i = 0; i < 64; i++)
        free(blocks[i]);
    free(numbers);
    return 0;
}
