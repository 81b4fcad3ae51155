// The process that becomes the agent, or a command beside it.
#pragma once
#include "specification.h"

enum step { STEP_HOLD, STEP_CGROUP, STEP_LIMIT, STEP_USER, STEP_DIRECTORY, STEP_EXEC, STEP_FILTER, STEP_CONFINE };

// Why a child did not become its program, as it tells its supervisor through a pipe.
struct failure {
    int step, error;
    char words[1024];  // empty: the error says it all
};

// Its ends of three pipes. `hold`: the child waits for a byte of it, and runs nothing when its supervisor died;
// `error` takes a failure, and closes by itself when the program runs.
struct child {
    int hold, error;
    int in, out, err;  // `in` -1: nothing to read
};

// Never returns.
void become(const struct specification *spec, struct child child) __attribute__((noreturn));
// "executing the command: there is no file …"
const char *failure_text(const struct failure *failure, char *text, size_t room);
