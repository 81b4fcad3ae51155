#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "confine.h"
#include "explain.h"
#include "kernel.h"
#include "text.h"

static void fail(const struct specification *spec, int fd, enum step step) __attribute__((noreturn));
static void fail(const struct specification *spec, int fd, enum step step) {
    struct failure failure = {.step = (int)step, .error = errno};
    struct text t = TEXT_IN(failure.words);
    if (step == STEP_EXEC) explain_exec(&t, spec, failure.error);
    if (step == STEP_DIRECTORY) explain_directory(&t, spec, failure.error);
    if (step == STEP_LIMIT) explain_limit(&t, spec);
    write_all(fd, (char *)&failure, sizeof failure);
    _exit(127);
}

static int limit_files(const struct specification *spec) {
    struct rlimit limit, no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return -1;
    if (spec->files_hard >= 0) limit.rlim_max = (rlim_t)spec->files_hard;
    if (spec->files_soft >= 0) limit.rlim_cur = (rlim_t)spec->files_soft;
    if (limit.rlim_cur > limit.rlim_max) {
        if (spec->files_hard >= 0) limit.rlim_cur = limit.rlim_max;
        else limit.rlim_max = limit.rlim_cur;
    }
    return setrlimit(RLIMIT_NOFILE, &limit);
}

// The daemon may be spared by the kernel when memory is short, or go before others: its agents do not.
static void be_ordinary(void) {
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        (void)!write(fd, "0", 1);
        close(fd);
    }
    if (getpriority(PRIO_PROCESS, 0) < 0) setpriority(PRIO_PROCESS, 0, 0);
}

// The agent may open its own outputs again, as /dev/stdout: pipes and its terminal become its user's.
static void give_streams(const struct specification *spec) {
    struct stat status;
    for (int fd = 0; fd <= 2; fd++) {
        if (fstat(fd, &status) == 0 && (S_ISFIFO(status.st_mode) || isatty(fd)))
            (void)!fchown(fd, (uid_t)spec->uid, (gid_t)-1);
    }
}

void become(const struct specification *spec, struct child child) {
    char byte;
    setsid();
    if (read_all(child.hold, &byte, 1) != 1) _exit(127);  // the supervisor died: nothing may run
    int error = child.error;
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    be_ordinary();
    if (limit_files(spec) != 0) fail(spec, error, STEP_LIMIT);
    // Out of the way of the descriptors that the program gets.
    int ruleset = spec->confined ? fcntl(make_ruleset(spec), F_DUPFD_CLOEXEC, 100) : -1;
    if (spec->confined && ruleset < 0) fail(spec, error, STEP_CONFINE);
    int in = child.in < 0 ? open("/dev/null", O_RDONLY) : child.in;
    if (in < 0 || dup2(in, 0) < 0 || dup2(child.out, 1) < 0 || dup2(child.err, 2) < 0) fail(spec, error, STEP_HOLD);
    // A terminal becomes that of the new session.
    if (isatty(0)) ioctl(0, TIOCSCTTY, 0);
    // The error pipe closes itself on exec; everything else above it goes now.
    if (dup2(error, 3) < 0 || fcntl(3, F_SETFD, FD_CLOEXEC) != 0) fail(spec, error, STEP_HOLD);
    error = 3;
    if (ruleset >= 0 && (dup2(ruleset, 4) < 0 || fcntl(4, F_SETFD, FD_CLOEXEC) != 0)) fail(spec, error, STEP_CONFINE);
    syscall(SYS_close_range, ruleset >= 0 ? 5 : 4, ~0U, 0);
    if (spec->uid >= 0) {
        gid_t group = (gid_t)(spec->gid >= 0 ? spec->gid : spec->uid);
        if (setgroups(0, NULL) != 0 || setresgid(group, group, group) != 0) fail(spec, error, STEP_USER);
        give_streams(spec);
        // The directory is entered with the agent's group, but below directories that only root may pass.
        if (chdir(spec->directory) != 0) fail(spec, error, STEP_DIRECTORY);
        if (setresuid((uid_t)spec->uid, (uid_t)spec->uid, (uid_t)spec->uid) != 0) fail(spec, error, STEP_USER);
    } else if (chdir(spec->directory) != 0) {
        fail(spec, error, STEP_DIRECTORY);
    }
    umask((mode_t)spec->umask);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) fail(spec, error, STEP_USER);
    if (ruleset >= 0 && restrict_to(4) != 0) fail(spec, error, STEP_CONFINE);
    if (apply_filter(spec) != 0) fail(spec, error, STEP_FILTER);
    environ = spec->envp;
    execvp(spec->argv[0], spec->argv);
    fail(spec, error, STEP_EXEC);
}

static const char *step_name(enum step step) {
    switch (step) {
    case STEP_HOLD: return "preparing the process: ";
    case STEP_CGROUP: return "joining the cgroup: ";
    case STEP_LIMIT: return "setting the limit of open files: ";
    case STEP_USER: return "changing the user: ";
    case STEP_DIRECTORY: return "entering the working directory: ";
    case STEP_EXEC: return "executing the command: ";
    case STEP_FILTER: return "setting the filter of system calls: ";
    case STEP_CONFINE: return "confining the file system: ";
    }
    return "";
}

const char *failure_text(const struct failure *failure, char *text, size_t room) {
    struct text t = {text, text + room - 1};
    put(&t, step_name((enum step)failure->step));
    put(&t, *failure->words ? failure->words : strerror(failure->error));
    return text_end(&t, text);
}
