#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "CLinux.h"

int agentos_open_path(const char *path) { return open(path, O_PATH | O_CLOEXEC); }

int agentos_is_of_kernel(int fd) {
    struct statfs status;
    if (fstatfs(fd, &status) != 0) return -1;
    switch ((unsigned long)status.f_type) {
    case PROC_SUPER_MAGIC:
    case SYSFS_MAGIC:
    case CGROUP_SUPER_MAGIC:
    case CGROUP2_SUPER_MAGIC:
    case DEBUGFS_MAGIC:
    case TRACEFS_MAGIC:
    case SECURITYFS_MAGIC:
    case SELINUX_MAGIC:
    case BPF_FS_MAGIC:
        return 1;
    default:
        return 0;
    }
}

int agentos_open_nameless(const char *directory) {
    return open(directory, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
}

int agentos_name_file(int fd, const char *path) {
    char open_file[32];
    snprintf(open_file, sizeof open_file, "/proc/self/fd/%d", fd);
    return linkat(AT_FDCWD, open_file, AT_FDCWD, path, AT_SYMLINK_FOLLOW);
}

static char doomed[PATH_MAX];

static void remove_doomed(int number) {
    if (doomed[0]) unlink(doomed);
    raise(number);  // as before, once this returns
}

void agentos_remove_when_killed(const char *path) {
    static const int numbers[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};
    struct sigaction before, action = {.sa_handler = remove_doomed, .sa_flags = (int)SA_RESETHAND};
    sigset_t held, mask;
    sigemptyset(&held);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) sigaddset(&held, numbers[i]);
    // Never half a name.
    sigprocmask(SIG_BLOCK, &held, &mask);
    doomed[0] = 0;
    if (path && strlen(path) < sizeof doomed) strcpy(doomed, path);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        // What the caller's parent wants to be ignored stays so.
        if (sigaction(numbers[i], NULL, &before) == 0 && before.sa_handler == SIG_DFL)
            sigaction(numbers[i], &action, NULL);
    sigprocmask(SIG_SETMASK, &mask, NULL);
}

void agentos_end_by_signal(int number) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, number);
    signal(number, SIG_DFL);
    raise(number);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    _exit(128 + number);
}
