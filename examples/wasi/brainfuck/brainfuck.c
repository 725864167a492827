// An interpreter for Brainfuck, the language of eight commands: > < + - . , [ ]
//
//     brainfuck FILE      runs the program in the file
//     brainfuck -e TEXT   runs the text
//     brainfuck           runs standard input up to the first '!'; the rest is the program's input
//
// The tape has 30,000 cells of one byte, which wrap around; at the end of the input `,` stores 0.
// Errors go to standard error with their place in the program, and the exit status is 1.
//
// An ordinary WASI command. Debian: apt-get install clang lld wasi-libc libclang-rt-dev-wasm32
//     clang --target=wasm32-wasi -std=c11 -Os -Wl,--stack-first -Wl,--strip-debug brainfuck.c -o brainfuck.wasm

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CELLS = 30000, MOST = 1 << 26 /* characters of a program */ };

// The program is translated once into operations: runs of the same command become one, brackets
// know their partner, and the usual loops that clear, add or multiply need no loop at all.
enum kind { ADD, MOVE, PRINT, READ, OPEN, CLOSE, MULTIPLY, CLEAR, STOP };

struct operation {
    enum kind kind;
    int amount; // to add or move by; MULTIPLY: the factor; brackets: the partner's index
    int offset; // MULTIPLY: where the product is added, from the current cell
    int place;  // in the source, for errors
};

static char *source;
static int source_length;
static struct operation *operations;
static int count;
static unsigned char tape[CELLS];

// Ends with an error at a place in the source, or at none if it is -1.
static _Noreturn void fail(int place, const char *format, ...) {
    fflush(stdout);
    fputs("brainfuck: ", stderr);
    if (place >= 0) {
        int line = 1, column = 1;
        for (int i = 0; i < place; i++) {
            column++;
            if (source[i] == '\n') {
                line++;
                column = 1;
            }
        }
        fprintf(stderr, "line %d, column %d: ", line, column);
    }
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(EXIT_FAILURE);
}

// Reads the source up to the character `end` or the end of the file.
static void read_source(FILE *file, int end) {
    int capacity = 0;
    for (int c; (c = getc(file)) != EOF && c != end; source[source_length++] = (char)c) {
        if (source_length == capacity) {
            capacity = capacity ? 2 * capacity : 4096;
            source = capacity <= MOST ? realloc(source, (size_t)capacity) : NULL;
            if (!source)
                fail(-1, "the program is too large");
        }
    }
    if (ferror(file))
        fail(-1, "the program can't be read");
}

static void append(enum kind kind, int amount, int offset, int place) {
    // A run of the same command is one operation.
    if ((kind == ADD || kind == MOVE) && count > 0 && operations[count - 1].kind == kind)
        operations[count - 1].amount += amount;
    else
        operations[count++] = (struct operation){kind, amount, offset, place};
}

// Replaces the loop that begins at `open`, if it only adds multiples of the current cell to others
// and takes 1 from it each time round: such a loop is a few multiplications. True if it did so.
static bool simplify(int open) {
    int offset = 0, step = 0;
    for (int i = open + 1; i < count; i++) {
        if (operations[i].kind == MOVE)
            offset += operations[i].amount;
        else if (operations[i].kind != ADD)
            return false;
        else if (offset == 0)
            step += operations[i].amount;
    }
    if (offset != 0 || step != -1)
        return false;

    int end = count, place = operations[open].place;
    count = open;
    for (int i = open + 1; i < end; i++) {
        struct operation operation = operations[i];
        if (operation.kind == MOVE)
            offset += operation.amount;
        else if (offset != 0)
            append(MULTIPLY, operation.amount, offset, operation.place);
    }
    append(CLEAR, 0, 0, place);
    return true;
}

static void translate(void) {
    operations = calloc((size_t)source_length + 1, sizeof *operations);
    if (!operations)
        fail(-1, "the program is too large");

    int open = -1; // the innermost open bracket; each knows the one around it until it is closed
    for (int place = 0; place < source_length; place++) {
        switch (source[place]) {
        case '+': append(ADD, 1, 0, place); break;
        case '-': append(ADD, -1, 0, place); break;
        case '>': append(MOVE, 1, 0, place); break;
        case '<': append(MOVE, -1, 0, place); break;
        case '.': append(PRINT, 0, 0, place); break;
        case ',': append(READ, 0, 0, place); break;
        case '[':
            append(OPEN, open, 0, place);
            open = count - 1;
            break;
        case ']': {
            if (open < 0)
                fail(place, "']' without '['");
            int partner = open;
            open = operations[partner].amount;
            if (!simplify(partner)) {
                operations[partner].amount = count;
                append(CLOSE, partner, 0, place);
            }
        }
        }
    }
    if (open >= 0)
        fail(operations[open].place, "'[' without ']'");
    append(STOP, 0, 0, source_length);
}

static int move(int cell, int offset, int place) {
    if (offset < -cell || offset >= CELLS - cell)
        fail(place, "the tape has no cell %d, only 0 to %d", cell + offset, CELLS - 1);
    return cell + offset;
}

static void run(void) {
    bool interactive = isatty(STDIN_FILENO);
    int cell = 0;
    for (const struct operation *next = operations;; next++) {
        switch (next->kind) {
        case ADD: tape[cell] += (unsigned char)next->amount; break;
        case MOVE: cell = move(cell, next->amount, next->place); break;
        case PRINT: putchar(tape[cell]); break;
        case READ: {
            if (interactive)
                fflush(stdout);
            int c = getchar();
            tape[cell] = c == EOF ? 0 : (unsigned char)c;
            break;
        }
        case OPEN:
            if (!tape[cell])
                next = operations + next->amount;
            break;
        case CLOSE:
            if (tape[cell])
                next = operations + next->amount;
            break;
        case MULTIPLY:
            if (tape[cell])
                tape[move(cell, next->offset, next->place)] += (unsigned char)(tape[cell] * next->amount);
            break;
        case CLEAR: tape[cell] = 0; break;
        case STOP: return;
        }
    }
}

int main(int argc, char **argv) {
    if (argc == 1) {
        read_source(stdin, '!');
    } else if (argc == 3 && strcmp(argv[1], "-e") == 0) {
        source = argv[2];
        source_length = (int)strlen(source);
    } else if (argc == 2 && argv[1][0] != '-') {
        FILE *file = fopen(argv[1], "rb");
        if (!file)
            fail(-1, "%s can't be opened", argv[1]);
        read_source(file, EOF);
        fclose(file);
    } else {
        fputs("usage: brainfuck [FILE | -e TEXT]\n", stderr);
        return 2;
    }

    translate();
    run();
    if (fflush(stdout) != 0)
        fail(-1, "the output can't be written");
    return EXIT_SUCCESS;
}
