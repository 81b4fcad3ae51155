// agentos-supervise: the parent of one process agent.
//
// It outlives the daemon, holds the agent's standard output, ends the agent's whole process tree and leaves the
// agent's exit behind as a file. Its working directory is the run directory, the contract with the daemon (files.h).
// Descriptor 0 carries the specification (specification.h), descriptor 3 takes one line about the start. Nothing is
// polled: it sleeps until output, an exit, a signal or a deadline comes.
//
// With `exec` it runs one command beside an agent, with `log` it writes the log of a container.

#include <stdlib.h>
#include <string.h>

#include "exec.h"
#include "logger.h"
#include "run.h"

int main(int argc, char **argv) {
    if (argc == 3 && strcmp(argv[1], "log") == 0) return run_logger(argv[2]);
    if (argc == 3 && strcmp(argv[1], "exec") == 0) return run_command(strtol(argv[2], NULL, 10));
    return run_agent();
}
