// The cgroups of one run, one directory per hierarchy.
#pragma once
#include <sys/types.h>

#include "specification.h"

// Forks; where there is a cgroup of version 2, right into it, and `joined` becomes its number. Moving a process there
// later waits for a grace period of the kernel, 15 ms and more.
pid_t fork_into_cgroup(const struct specification *spec, int *joined);
// Moves a process into all but the joined one; -1 with errno.
int join_cgroups(const struct specification *spec, pid_t pid, int joined);
// Ends all processes at once; 0 where no hierarchy can.
int kill_cgroups(const struct specification *spec);

// Processes that the kernel has killed for want of memory: how many, and when that was last seen to grow.
struct memory_watch {
    int fd;              // wakes when the count may have grown: POLLPRI of version 2, POLLIN of version 1; -1: nothing wakes
    int is_unified;
    int counter;         // the file with the count, -1: none
    long kills;
    long long grown_at;  // milliseconds since boot, 0: never
};

void memory_watch_start(struct memory_watch *watch, const struct specification *spec);
// Looks again; the number of kills since the last look.
long memory_watch_look(struct memory_watch *watch);
