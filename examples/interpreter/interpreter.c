// An interpreter for a small stack machine: a loop around a dense switch.
//
// Input: the program, one word after the other as decimal numbers; `#` starts a comment that ends
// with the line. Output: what the program prints. Every instruction is one word, those with an
// operand two; jumps go to a word, counted from 0. Stack and variables hold 32-bit numbers.

#include "../io.h"

enum { CODE = 1024, STACK = 256, VARIABLES = 64 };

enum opcode {
    HALT,         //
    PUSH,         // number;   -> number
    DUP,          // a         -> a a
    DROP,         // a         ->
    SWAP,         // a b       -> b a
    OVER,         // a b       -> a b a
    ADD,          // a b       -> a + b
    SUB,          // a b       -> a - b
    MUL,          // a b       -> a * b
    DIV,          // a b       -> a / b
    REM,          // a b       -> a % b
    AND,          // a b       -> a & b
    OR,           // a b       -> a | b
    XOR,          // a b       -> a ^ b
    SHL,          // a b       -> a << b
    SHR,          // a b       -> a >> b
    LESS,         // a b       -> a < b
    EQUAL,        // a b       -> a == b
    NOT,          // a         -> a == 0
    JUMP,         // word;     ->
    JUMP_IF_ZERO, // word; a   ->
    LOAD,         // variable; -> its value
    STORE,        // variable; a ->
    CALL,         // word;     -> the word after the call
    RETURN,       // word      ->
    PRINT,        // a         ->     prints the number and a line break
    EMIT,         // a         ->     prints the byte
};

static int code[CODE + 1]; // the last word is never loaded: the operand of an instruction without one
static int stack[2 + STACK]; // two below the bottom, for an underflow that is about to be reported
static int variables[VARIABLES];

static int load_program(void) {
    int n = 0, number = 0, sign = 1, digits = 0, comment = 0;
    for (;;) {
        int byte = input_byte();
        if (!comment && byte >= '0' && byte <= '9') {
            number = (int)((unsigned)number * 10 + (byte - '0'));
            digits++;
            continue;
        }
        if (digits) {
            if (n == CODE)
                return -1;
            code[n++] = sign * number;
        }
        number = digits = 0;
        sign = byte == '-' ? -1 : 1;
        if (byte == '#')
            comment = 1;
        if (byte == '\n')
            comment = 0;
        if (byte < 0)
            return n;
    }
}

// Runs the program and returns what went wrong, or 0.
static const char *run(int words) {
    int pc = 0;
    int sp = 0; // how many numbers are on the stack
    for (;;) {
        if (pc < 0 || pc >= words)
            return "jump out of the program";
        if (sp < 0)
            return "stack underflow";
        if (sp == STACK)
            return "stack overflow";
        int *top = stack + 2 + sp; // top[-1] is the topmost number
        int operand = code[pc + 1];
        switch (code[pc++]) {
        case HALT:
            return 0;
        case PUSH:
            top[0] = operand;
            sp++;
            pc++;
            break;
        case DUP:
            top[0] = top[-1];
            sp++;
            break;
        case DROP:
            sp--;
            break;
        case SWAP: {
            int a = top[-2];
            top[-2] = top[-1];
            top[-1] = a;
            break;
        }
        case OVER:
            top[0] = top[-2];
            sp++;
            break;
        case ADD:
            top[-2] = (int)((unsigned)top[-2] + (unsigned)top[-1]);
            sp--;
            break;
        case SUB:
            top[-2] = (int)((unsigned)top[-2] - (unsigned)top[-1]);
            sp--;
            break;
        case MUL:
            top[-2] = (int)((unsigned)top[-2] * (unsigned)top[-1]);
            sp--;
            break;
        case DIV:
            if (top[-1] == 0)
                return "division by zero";
            top[-2] = top[-1] == -1 ? (int)-(unsigned)top[-2] : top[-2] / top[-1];
            sp--;
            break;
        case REM:
            if (top[-1] == 0)
                return "division by zero";
            top[-2] = top[-1] == -1 ? 0 : top[-2] % top[-1];
            sp--;
            break;
        case AND:
            top[-2] &= top[-1];
            sp--;
            break;
        case OR:
            top[-2] |= top[-1];
            sp--;
            break;
        case XOR:
            top[-2] ^= top[-1];
            sp--;
            break;
        case SHL:
            top[-2] = (int)((unsigned)top[-2] << (top[-1] & 31));
            sp--;
            break;
        case SHR:
            top[-2] >>= top[-1] & 31;
            sp--;
            break;
        case LESS:
            top[-2] = top[-2] < top[-1];
            sp--;
            break;
        case EQUAL:
            top[-2] = top[-2] == top[-1];
            sp--;
            break;
        case NOT:
            top[-1] = !top[-1];
            break;
        case JUMP:
            pc = operand;
            break;
        case JUMP_IF_ZERO:
            pc = top[-1] ? pc + 1 : operand;
            sp--;
            break;
        case LOAD:
            top[0] = variables[operand & (VARIABLES - 1)];
            sp++;
            pc++;
            break;
        case STORE:
            variables[operand & (VARIABLES - 1)] = top[-1];
            sp--;
            pc++;
            break;
        case CALL:
            top[0] = pc + 1;
            sp++;
            pc = operand;
            break;
        case RETURN:
            pc = top[-1];
            sp--;
            break;
        case PRINT:
            print_int(top[-1]);
            output_byte('\n');
            sp--;
            break;
        case EMIT:
            output_byte(top[-1]);
            sp--;
            break;
        default:
            return "unknown instruction";
        }
    }
}

EXPORT(_start) void _start(void) {
    int words = load_program();
    const char *error = words < 0 ? "program too long" : run(words);
    if (error) {
        print_text("error: ");
        print_text(error);
        output_byte('\n');
    }
}
