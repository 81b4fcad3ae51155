// The files of a run directory, the contract with the daemon; the directory is the supervisor's own.
//
//   claim    made with link(2), so exactly one taker wins; then nobody else may start this run
//   process  who runs: pid, start time, boot id, cgroups; written while the agent is held before exec
//   ending   how the agent's main process ended, while the rest of its tree is being stopped
//   exit     the same, once nothing of the run lives
//   oom      how many children of the agent the kernel has killed for want of memory, a second later
#pragma once
#include <sys/types.h>

#include "specification.h"

struct ending {
    const char *reason;
    const char *kind;  // "code", "signal" or NULL
    long value;
    const char *message;  // NULL: none
};

// Room for the exit is taken at the start, so that it can be told on a full disk.
void reserve_exit(void);

// 0; EEXIST when somebody else has it; another errno when it cannot be had.
int write_claim(const struct specification *spec);
int write_process(const struct specification *spec, pid_t pid, long long at);
int write_oom(long kills);
// `is_over`: nothing of the run lives any more, and this is its exit. Otherwise its `ending`.
// -1 with errno when it could not be written.
int write_end(const struct ending *ending, int is_over);
// Turns an `ending` into the exit; -1 with errno.
int finish_ending(void);
// The run directory was removed: nobody waits for anything in it.
int is_directory_gone(void);
