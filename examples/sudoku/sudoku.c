// Solves sudokus: backtracking over bit masks, the most constrained cell first.
//
// Input: puzzles of 81 cells each, row by row, `1` to `9` or `.` for an empty cell; anything else
// (line breaks, bars) is skipped. Output: a line of 81 digits, or `no solution`, for each.

#include "../io.h"

enum { ALL = 0x1ff };

static char cells[81];
static unsigned short row_used[9], column_used[9], box_used[9]; // bit d - 1: digit d is used
static unsigned char empty[81];
static int empties;

static int box_of(int row, int column) {
    return row / 3 * 3 + column / 3;
}

// Marks a digit as used; returns 0 if it already is.
static int place(int cell, int digit) {
    int row = cell / 9, column = cell % 9, box = box_of(row, column);
    unsigned bit = 1u << (digit - 1);
    if ((row_used[row] | column_used[column] | box_used[box]) & bit)
        return 0;
    row_used[row] |= bit;
    column_used[column] |= bit;
    box_used[box] |= bit;
    cells[cell] = digit;
    return 1;
}

static int solve(void) {
    if (empties == 0)
        return 1;

    int best = 0, fewest = 10;
    unsigned candidates = 0;
    for (int i = 0; i < empties; i++) {
        int row = empty[i] / 9, column = empty[i] % 9;
        unsigned free = ALL & ~(row_used[row] | column_used[column] | box_used[box_of(row, column)]);
        int count = __builtin_popcount(free);
        if (count < fewest) {
            fewest = count;
            best = i;
            candidates = free;
            if (count <= 1)
                break;
        }
    }

    int cell = empty[best];
    int row = cell / 9, column = cell % 9, box = box_of(row, column);
    empty[best] = empty[--empties];
    while (candidates) {
        unsigned bit = candidates & -candidates;
        candidates ^= bit;
        row_used[row] ^= bit;
        column_used[column] ^= bit;
        box_used[box] ^= bit;
        cells[cell] = __builtin_ctz(bit) + 1;
        if (solve())
            return 1;
        row_used[row] ^= bit;
        column_used[column] ^= bit;
        box_used[box] ^= bit;
    }
    empty[empties++] = empty[best];
    empty[best] = cell;
    return 0;
}

EXPORT(_start) void _start(void) {
    for (;;) {
        for (int i = 0; i < 9; i++)
            row_used[i] = column_used[i] = box_used[i] = 0;
        empties = 0;

        int consistent = 1;
        for (int cell = 0; cell < 81;) {
            int byte = input_byte();
            if (byte < 0)
                return;
            if (byte == '.')
                empty[empties++] = cell++;
            else if (byte >= '1' && byte <= '9')
                consistent &= place(cell++, byte - '0');
        }

        if (consistent && solve()) {
            for (int cell = 0; cell < 81; cell++)
                output_byte('0' + cells[cell]);
            output_byte('\n');
        } else {
            print_text("no solution\n");
        }
    }
}
