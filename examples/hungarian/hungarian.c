// The assignment problem: n workers, n jobs, a cost for each pair; give every worker one job so
// that the costs add up to as little as possible. The Hungarian method with potentials and
// shortest augmenting paths, O(n^3).
//
// Input: n, then n rows of n costs; any number of problems. Output: for each the total, then the
// job (from 1) of each worker.

#include "../io.h"

enum { MAX = 128, NONE = -1, INFINITE = 0x7fffffff };

static int cost[MAX][MAX];
static int worker_potential[MAX], job_potential[MAX];
static int worker_of[MAX]; // of each job, or NONE
static int job_of[MAX];    // of each worker

// Gives `first` a job, moving others along the cheapest chain of changes that ends at a free job.
static void assign(int n, int first) {
    int slack[MAX];     // the cheapest known way to reach each job,
    int came_from[MAX]; // and the job before it, or NONE
    char done[MAX];
    for (int job = 0; job < n; job++) {
        slack[job] = INFINITE;
        done[job] = 0;
    }

    int worker = first, last = NONE;
    do {
        int step = INFINITE, nearest = NONE;
        for (int job = 0; job < n; job++) {
            if (done[job])
                continue;
            int reduced = cost[worker][job] - worker_potential[worker] - job_potential[job];
            if (reduced < slack[job]) {
                slack[job] = reduced;
                came_from[job] = last;
            }
            if (slack[job] < step) {
                step = slack[job];
                nearest = job;
            }
        }

        worker_potential[first] += step;
        for (int job = 0; job < n; job++) {
            if (done[job]) {
                worker_potential[worker_of[job]] += step;
                job_potential[job] -= step;
            } else {
                slack[job] -= step;
            }
        }
        done[nearest] = 1;
        last = nearest;
        worker = worker_of[nearest];
    } while (worker != NONE);

    while (came_from[last] != NONE) {
        worker_of[last] = worker_of[came_from[last]];
        last = came_from[last];
    }
    worker_of[last] = first;
}

EXPORT(_start) void _start(void) {
    int n;
    while (read_int(&n)) {
        if (n < 1 || n > MAX) {
            print_text("the size must be from 1 to 128\n");
            return;
        }
        for (int worker = 0; worker < n; worker++)
            for (int job = 0; job < n; job++)
                if (!read_int(&cost[worker][job])) {
                    print_text("a cost is missing\n");
                    return;
                }

        for (int i = 0; i < n; i++) {
            worker_potential[i] = job_potential[i] = 0;
            worker_of[i] = NONE;
        }
        for (int worker = 0; worker < n; worker++)
            assign(n, worker);

        int total = 0;
        for (int job = 0; job < n; job++) {
            job_of[worker_of[job]] = job;
            total += cost[worker_of[job]][job];
        }
        print_int(total);
        output_byte(':');
        for (int worker = 0; worker < n; worker++) {
            output_byte(' ');
            print_int(job_of[worker] + 1);
        }
        output_byte('\n');
    }
}
