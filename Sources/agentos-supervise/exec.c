#include "exec.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel.h"
#include "specification.h"
#include "start.h"
#include "tree.h"

enum { INPUT_FD = 4 };

static struct specification spec;

static int fail_start(const struct failure *failure) {
    char words[1200];
    failure_text(failure, words, sizeof words);
    kill_tree();
    report("failed", failure->step, failure->error, words);
    return 0;
}

// True when the command has ended; false when it is late or nobody waits for it any more.
static int await_end(pid_t pid, long timeout_ms, int *status) {
    long long until = boot_ms() + timeout_ms;
    int signals = -1;
    for (;;) {
        int pause = open_signals(&signals), one, is_asked = 0, has_ended = 0;
        long long left = timeout_ms == 0 ? INT_MAX : until - boot_ms();
        if (left <= 0) return 0;
        if (pause < 0 || left < pause) pause = left < INT_MAX ? (int)left : pause;
        struct pollfd fds[2] = {{.fd = signals, .events = POLLIN}, {.fd = REPORT_FD, .events = 0}};
        (void)!poll(fds, 2, pause);
        struct signalfd_siginfo info;
        while (read(signals, &info, sizeof info) == sizeof info) is_asked |= info.ssi_signo == SIGTERM;
        for (pid_t gone; (gone = wait_for(-1, &one, WNOHANG)) > 0;)
            if (gone == pid) *status = one, has_ended = 1;
        if (has_ended) return 1;
        if (is_asked || fds[1].revents & POLLERR) return 0;
    }
}

int run_command(long timeout_ms) {
    begin(&spec, "agentos-exec");
    // The pipes below stay clear of the descriptors that are handed on or closed by number.
    int in = fcntl(INPUT_FD, F_GETFD) >= 0 ? INPUT_FD : -1;
    int null = open("/dev/null", O_RDWR);  // takes 0
    if (null < 0 || (in < 0 && dup2(null, INPUT_FD) < 0)) return 101;
    struct started child;
    struct failure failure;
    if (start_child(&spec, in, 1, 2, &child, &failure) != 0) return fail_start(&failure);
    for (int fd = 0; fd <= INPUT_FD; fd++)
        if (fd != REPORT_FD) close(fd);
    if (release_child(&child, &failure) != 0) return fail_start(&failure);
    int status = 0, has_ended = await_end(child.pid, timeout_ms, &status);
    kill_tree();
    if (!has_ended) report("timeout", 0, 0, NULL);
    else report("exited", WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), 0, NULL);
    return 0;
}
