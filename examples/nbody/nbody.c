// Bodies that attract each other, in double precision.
//
// Input: a number of steps, and for each of up to 16 bodies its mass, position and velocity (x y z), all as integers,
// thousandths of a unit. A step is a hundredth of a unit of time.
// Output: the energy before and after, and the positions in the end.

#include "../wide.h"

enum { MAX = 16, DECIMALS = 12 };

typedef struct {
    double mass, at[3], speed[3];
} Body;

static Body bodies[MAX];
static int count;

static double energy(void) {
    double sum = 0;
    for (int i = 0; i < count; i++) {
        Body *a = &bodies[i];
        sum += 0.5 * a->mass * (a->speed[0] * a->speed[0] + a->speed[1] * a->speed[1] + a->speed[2] * a->speed[2]);
        for (int j = i + 1; j < count; j++) {
            Body *b = &bodies[j];
            double dx = a->at[0] - b->at[0], dy = a->at[1] - b->at[1], dz = a->at[2] - b->at[2];
            sum -= a->mass * b->mass / __builtin_sqrt(dx * dx + dy * dy + dz * dz);
        }
    }
    return sum;
}

static void advance(double dt) {
    for (int i = 0; i < count; i++) {
        Body *a = &bodies[i];
        for (int j = i + 1; j < count; j++) {
            Body *b = &bodies[j];
            double dx = a->at[0] - b->at[0], dy = a->at[1] - b->at[1], dz = a->at[2] - b->at[2];
            double square = dx * dx + dy * dy + dz * dz;
            double pull = dt / (square * __builtin_sqrt(square));
            double on_a = b->mass * pull, on_b = a->mass * pull;
            a->speed[0] -= dx * on_a;
            a->speed[1] -= dy * on_a;
            a->speed[2] -= dz * on_a;
            b->speed[0] += dx * on_b;
            b->speed[1] += dy * on_b;
            b->speed[2] += dz * on_b;
        }
    }
    for (int i = 0; i < count; i++) {
        Body *a = &bodies[i];
        for (int k = 0; k < 3; k++)
            a->at[k] += dt * a->speed[k];
    }
}

EXPORT(_start) void _start(void) {
    int steps, mass;
    if (!read_int(&steps))
        return;
    while (count < MAX && read_int(&mass)) {
        Body *body = &bodies[count++];
        body->mass = mass / 1000.0;
        for (int k = 0; k < 6; k++) {
            int number = 0;
            read_int(&number);
            (k < 3 ? body->at : body->speed)[k % 3] = number / 1000.0;
        }
    }
    print_double(energy(), DECIMALS);
    output_byte('\n');
    while (steps-- > 0)
        advance(0.01);
    print_double(energy(), DECIMALS);
    output_byte('\n');
    for (int i = 0; i < count; i++)
        for (int k = 0; k < 3; k++) {
            print_double(bodies[i].at[k], DECIMALS);
            output_byte(k < 2 ? ' ' : '\n');
        }
}
