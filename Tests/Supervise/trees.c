#include "../../Sources/agentos-supervise/tree.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

static volatile sig_atomic_t is_asked;
static void ask(int number) { is_asked = number; }

// A child, its child and an orphan in a session of its own; each says which signal it got.
static void grow(int out, int depth) {
    signal(SIGUSR1, ask);
    if (depth == 1 && fork() == 0) setsid();
    if (depth > 0 && fork() == 0) grow(out, depth - 1);
    if (write(out, "+", 1) != 1) _exit(1);
    while (!is_asked) poll(NULL, 0, 10);
    if (write(out, "-", 1) != 1) _exit(1);
    while (1) pause();
}

void check_trees(void) {
    int fds[2];
    char byte;
    CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0 && pipe(fds) == 0);
    pid_t pid = fork();
    if (pid == 0) grow(fds[1], 2);
    close(fds[1]);
    for (int i = 0; i < 5; i++) CHECK(read(fds[0], &byte, 1) == 1 && byte == '+');
    signal_tree(SIGUSR1);
    for (int i = 0; i < 5; i++) CHECK(read(fds[0], &byte, 1) == 1 && byte == '-');
    kill_tree();
    CHECK(read(fds[0], &byte, 1) == 0);
    CHECK(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
    close(fds[0]);
}
