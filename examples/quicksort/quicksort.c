// Sorts the numbers of the input: quicksort with the median of three as pivot, insertion sort for
// short runs.
//
// Input: up to 100000 numbers. Output: the same numbers in ascending order, one a line.

#include "../io.h"

enum { MAX = 100000, SHORT = 12 };

static int numbers[MAX];

static void swap(int *a, int *b) {
    int t = *a;
    *a = *b;
    *b = t;
}

static void insertion_sort(int *first, int *last) {
    for (int *p = first + 1; p <= last; p++) {
        int value = *p;
        int *q = p;
        for (; q > first && q[-1] > value; q--)
            *q = q[-1];
        *q = value;
    }
}

// Sorts from `first` to `last`, both included.
static void sort(int *first, int *last) {
    while (last - first >= SHORT) {
        int *middle = first + (last - first) / 2;
        if (*middle < *first)
            swap(middle, first);
        if (*last < *first)
            swap(last, first);
        if (*last < *middle)
            swap(last, middle);
        int pivot = *middle;

        int *i = first, *j = last;
        while (i <= j) {
            while (*i < pivot)
                i++;
            while (*j > pivot)
                j--;
            if (i <= j)
                swap(i++, j--);
        }

        // The shorter part by recursion, so that the depth stays logarithmic.
        if (j - first < last - i) {
            sort(first, j);
            first = i;
        } else {
            sort(i, last);
            last = j;
        }
    }
    insertion_sort(first, last);
}

EXPORT(_start) void _start(void) {
    int n = 0;
    while (n < MAX && read_int(&numbers[n]))
        n++;
    sort(numbers, numbers + n - 1);
    for (int i = 0; i < n; i++) {
        print_int(numbers[i]);
        output_byte('\n');
    }
}
