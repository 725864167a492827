// Clocks. Only what holds at any time is printed.
#define _WASI_EMULATED_PROCESS_CLOCKS
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

int main(void) {
    time_t now = time(NULL);
    printf("time: %d\n", now > 1577836800);
    struct timespec first, second, resolution;
    printf("clocks: %d %d\n", clock_gettime(CLOCK_MONOTONIC, &first), clock_gettime(CLOCK_MONOTONIC, &second));
    printf("not backwards: %d\n",
           second.tv_sec > first.tv_sec || (second.tv_sec == first.tv_sec && second.tv_nsec >= first.tv_nsec));
    printf("resolution: %d %d\n", clock_getres(CLOCK_REALTIME, &resolution),
           resolution.tv_nsec > 0 || resolution.tv_sec > 0);
    struct timeval day;
    gettimeofday(&day, NULL);
    printf("gettimeofday: %d\n", day.tv_sec >= now);
    printf("clock: %d\n", clock() >= 0);
    struct timespec nap = {0, 1000000};
    printf("nanosleep: %d\n", nanosleep(&nap, NULL));
    printf("usleep: %d\n", usleep(1));

    time_t then = 1000000000;
    struct tm broken = *gmtime(&then);
    char text[64];
    strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S %a %j", &broken);
    printf("%s, back: %lld\n", text, (long long)mktime(&broken));
    uint8_t random[16] = {0}, zero[16] = {0};
    printf("random: %d %d\n", getentropy(random, sizeof random), memcmp(random, zero, sizeof zero) != 0);
    srand(1);
    printf("rand: %d\n", rand() >= 0);
    return 0;
}
