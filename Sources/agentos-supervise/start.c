#include "start.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cgroups.h"
#include "kernel.h"
#include "text.h"

void begin(struct specification *spec, const char *name) {
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    prctl(PR_SET_NAME, name);
    // The specification holds secrets.
    prctl(PR_SET_DUMPABLE, 0);
    if (specification_read(spec, SPECIFICATION_FD) != 0) _exit(100);
    close(SPECIFICATION_FD);
    setsid();
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    fcntl(REPORT_FD, F_SETFD, FD_CLOEXEC);
}

static int failed(struct failure *failure, enum step step) {
    *failure = (struct failure){.step = (int)step, .error = errno};
    return -1;
}

int start_child(
    const struct specification *spec, int in, int out, int err, struct started *child, struct failure *failure) {
    int hold[2], error[2], joined = -1;
    if (pipe2(hold, O_CLOEXEC) || pipe2(error, O_CLOEXEC)) return failed(failure, STEP_HOLD);
    child->pid = fork_into_cgroup(spec, &joined);
    if (child->pid < 0) return failed(failure, STEP_HOLD);
    if (child->pid == 0) {
        close(hold[1]);
        close(error[0]);
        become(spec, (struct child){.hold = hold[0], .error = error[1], .in = in, .out = out, .err = err});
    }
    close(hold[0]);
    close(error[1]);
    child->hold = hold[1];
    child->error = error[0];
    return join_cgroups(spec, child->pid, joined) == 0 ? 0 : failed(failure, STEP_CGROUP);
}

int release_child(struct started *child, struct failure *failure) {
    int result = write_all(child->hold, "g", 1) == 0 ? 0 : failed(failure, STEP_HOLD);
    close(child->hold);
    // Nothing comes when the program runs.
    if (result == 0 && read_all(child->error, (char *)failure, sizeof *failure) == sizeof *failure) result = -1;
    close(child->error);
    return result;
}

int open_signals(int *signals) {
    sigset_t all;
    sigfillset(&all);
    if (*signals < 0) *signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
    return *signals < 0 ? 100 : -1;
}

void report(const char *word, long a, long long b, const char *words) {
    static int is_told;
    char line[2048];
    struct text t = TEXT_IN(line);
    if (is_told) return;
    is_told = 1;
    put(&t, word);
    put(&t, " ");
    put_number(&t, a);
    put(&t, " ");
    put_number(&t, b);
    if (words) {
        put(&t, " ");
        put(&t, words);
    }
    put(&t, "\n");
    write_all(REPORT_FD, line, (size_t)(t.at - line));
    close(REPORT_FD);
}
