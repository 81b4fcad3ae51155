#include "cgroups.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "kernel.h"
#include "text.h"

static int open_in(const char *directory, const char *file, int flags) {
    char path[PATH_MAX];
    struct text t = TEXT_IN(path);
    put(&t, directory);
    put(&t, "/");
    put(&t, file);
    return open(text_end(&t, path), flags | O_CLOEXEC);
}

pid_t fork_into_cgroup(const struct specification *spec, int *joined) {
    for (int i = 0; i < spec->cgroup_count; i++) {
        struct statfs status;
        int fd = open(spec->cgroups[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0) continue;
        pid_t pid = -1;
        if (fstatfs(fd, &status) == 0 && status.f_type == CGROUP2_SUPER_MAGIC) {
            struct clone_args args = {.flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD, .cgroup = (uint64_t)fd};
            pid = (pid_t)syscall(SYS_clone3, &args, sizeof args);
        }
        if (pid != 0) close(fd);
        if (pid < 0) continue;  // an older kernel: it is moved later
        *joined = i;
        return pid;
    }
    return fork();
}

int join_cgroups(const struct specification *spec, pid_t pid, int joined) {
    char digits[24];
    struct text t = TEXT_IN(digits);
    put_number(&t, pid);
    for (int i = 0; i < spec->cgroup_count; i++) {
        if (i == joined) continue;
        int fd = open_in(spec->cgroups[i], "cgroup.procs", O_WRONLY);
        if (fd < 0) return -1;
        int result = write_all(fd, digits, (size_t)(t.at - digits)), saved = errno;
        close(fd);
        errno = saved;
        if (result != 0) return -1;
    }
    return 0;
}

int kill_cgroups(const struct specification *spec) {
    int is_done = 0;
    for (int i = 0; i < spec->cgroup_count; i++) {
        int fd = open_in(spec->cgroups[i], "cgroup.kill", O_WRONLY);
        if (fd < 0) continue;
        is_done |= write_all(fd, "1", 1) == 0;
        close(fd);
    }
    return is_done;
}

void memory_watch_start(struct memory_watch *watch, const struct specification *spec) {
    *watch = (struct memory_watch){.fd = -1, .counter = -1};
    for (int i = 0; i < spec->cgroup_count && watch->counter < 0; i++) {
        watch->counter = open_in(spec->cgroups[i], "memory.events", O_RDONLY);
        watch->is_unified = watch->counter >= 0;
        if (watch->counter < 0) watch->counter = open_in(spec->cgroups[i], "memory.oom_control", O_RDONLY);
        if (watch->counter < 0) continue;
        if (watch->is_unified) {
            watch->fd = watch->counter;
            break;
        }
        watch->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        int control = open_in(spec->cgroups[i], "cgroup.event_control", O_WRONLY);
        char line[64];
        struct text t = TEXT_IN(line);
        put_number(&t, watch->fd);
        put(&t, " ");
        put_number(&t, watch->counter);
        if (watch->fd >= 0 && (control < 0 || write_all(control, line, (size_t)(t.at - line)) != 0)) {
            close(watch->fd);
            watch->fd = -1;
        }
        if (control >= 0) close(control);
    }
}

long memory_watch_look(struct memory_watch *watch) {
    char text[512];
    if (watch->counter < 0) return 0;
    if (!watch->is_unified && watch->fd >= 0) (void)!read(watch->fd, text, 8);
    ssize_t n = pread(watch->counter, text, sizeof text - 1, 0);
    if (n <= 0) return 0;
    text[n] = 0;
    const char *at = strstr(text, "oom_kill ");
    long kills = at ? strtol(at + 9, NULL, 10) : 0, grown = kills - watch->kills;
    if (grown <= 0) return 0;
    watch->kills = kills;
    watch->grown_at = boot_ms();
    return grown;
}
