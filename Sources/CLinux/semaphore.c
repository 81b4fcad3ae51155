#include "CLinux.h"

#include <errno.h>
#include <semaphore.h>
#include <stdlib.h>
#include <time.h>

uintptr_t agentos_semaphore(void) {
    sem_t *semaphore = malloc(sizeof *semaphore);
    if (semaphore) sem_init(semaphore, 0, 0);
    return (uintptr_t)semaphore;
}

void agentos_semaphore_raise(uintptr_t semaphore) {
    if (semaphore) sem_post((sem_t *)semaphore);
}

int agentos_semaphore_wait(uintptr_t semaphore, int64_t ms) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    // Without one nothing is told; who asked looks again when the time is over.
    if (!semaphore) return clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL), -1;
    while (sem_clockwait((sem_t *)semaphore, CLOCK_MONOTONIC, &until) < 0) {
        if (errno != EINTR) return -1;
    }
    return 0;
}

void agentos_semaphore_free(uintptr_t semaphore) { free((void *)semaphore); }
