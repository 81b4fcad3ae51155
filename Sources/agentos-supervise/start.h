// What the supervisor of an agent and that of a command have in common: how they begin, and how they start a child.
#pragma once
#include <sys/types.h>

#include "child.h"
#include "specification.h"

// The descriptors that the daemon gives.
enum { SPECIFICATION_FD = 0, REPORT_FD = 3 };
// Where the supervisor of an agent keeps its specification for the daemon.
enum { KEPT_FD = 0 };

// Becomes a session of its own that orphans come to, takes signals only where it asks for them, and reads the
// specification. Ends the process with code 100 when that cannot be read.
void begin(struct specification *spec, const char *name);

// A child that is held before exec, with the supervisor's ends of its pipes.
struct started {
    pid_t pid;
    int hold, error;
};

// Forks the child, in its cgroups. 0, or -1 with the failure.
int start_child(const struct specification *spec, int in, int out, int err, struct started *child, struct failure *failure);
// Lets it go. 0 when its program runs, or -1 with the failure.
int release_child(struct started *child, struct failure *failure);

// A descriptor that tells of all signals, made where there is none yet. Returns how long to sleep at most, in
// milliseconds: -1 for ever, or a while when it cannot be had now.
int open_signals(int *signals);

// Tells the daemon one line about the start or the end, once.
void report(const char *word, long a, long long b, const char *words);
