#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>  // rename
#include <sys/stat.h>
#include <unistd.h>

#include "kernel.h"
#include "text.h"

static int exit_fd = -1;

// A file that is there whole or not at all.
static int write_file(const char *temporary, const char *name, const char *text, size_t n, int is_exclusive) {
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) return -1;
    int result = write_all(fd, text, n);
    close(fd);
    if (result == 0) result = is_exclusive ? link(temporary, name) : rename(temporary, name);
    if (result != 0 || is_exclusive) {
        int saved = errno;
        unlink(temporary);
        errno = saved;
    }
    return result;
}

void reserve_exit(void) {
    exit_fd = open(".exit", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    // Where it cannot be reserved it is written as well as it can be.
    if (exit_fd >= 0) fallocate(exit_fd, FALLOC_FL_KEEP_SIZE, 0, 4096);
}

static void put_self(struct text *t, const char *separator) {
    put_number(t, getpid());
    put(t, separator);
    put_number(t, (long long)start_time(getpid()));
}

int write_claim(const struct specification *spec) {
    char text[512], temporary[40];
    struct text t = TEXT_IN(text), name = TEXT_IN(temporary);
    put(&t, "supervisor ");
    put_self(&t, " ");
    put(&t, " ");
    put(&t, spec->boot);
    put(&t, " ");
    put(&t, spec->store);
    put(&t, "\n");
    put(&name, ".claim.");
    put_number(&name, getpid());
    return write_file(text_end(&name, temporary), "claim", text, (size_t)(t.at - text), 1) == 0 ? 0 : errno;
}

int write_process(const struct specification *spec, pid_t pid, long long at) {
    char text[8192];
    struct text t = TEXT_IN(text);
    put(&t, "format 1\npid ");
    put_number(&t, pid);
    put(&t, "\nstart ");
    put_number(&t, (long long)start_time(pid));
    put(&t, "\nboot ");
    put(&t, spec->boot);
    put(&t, "\nstore ");
    put(&t, spec->store);
    put(&t, "\nsupervisor ");
    put_self(&t, "\nsupervisor-start ");
    put(&t, "\nat ");
    put_number(&t, at);
    put(&t, "\n");
    for (int i = 0; i < spec->cgroup_count; i++) {
        put(&t, "cgroup ");
        put(&t, spec->cgroups[i]);
        put(&t, "\n");
    }
    // A record that is not whole would hide a cgroup.
    if (t.at == t.end) return errno = ENAMETOOLONG, -1;
    return write_file(".process", "process", text, (size_t)(t.at - text), 0);
}

int write_oom(long kills) {
    char text[64];
    struct text t = TEXT_IN(text);
    put(&t, "format 1\nkills ");
    put_number(&t, kills);
    put(&t, "\n");
    return write_file(".oom", "oom", text, (size_t)(t.at - text), 0);
}

static size_t describe(const struct ending *ending, char *text, size_t room) {
    struct text t = {text, text + room};
    put(&t, "format 1\nreason ");
    put(&t, ending->reason);
    put(&t, "\n");
    if (ending->kind) {
        put(&t, ending->kind);
        put(&t, " ");
        put_number(&t, ending->value);
        put(&t, "\n");
    }
    put(&t, "at ");
    put_number(&t, wall_ms());
    put(&t, "\n");
    if (ending->message && *ending->message) {
        put(&t, "message ");
        put(&t, ending->message);
        put(&t, "\n");
    }
    return (size_t)(t.at - text);
}

int write_end(const struct ending *ending, int is_over) {
    char text[2048];
    size_t n = describe(ending, text, sizeof text);
    if (exit_fd >= 0) {
        int is_written = lseek(exit_fd, 0, SEEK_SET) == 0 && write_all(exit_fd, text, n) == 0
                         && ftruncate(exit_fd, (off_t)n) == 0;
        if (is_written && (is_over ? rename(".exit", "exit") : link(".exit", "ending")) == 0) return 0;
    }
    return write_file(is_over ? ".exit.new" : ".ending", is_over ? "exit" : "ending", text, n, 0);
}

int finish_ending(void) {
    if (rename(".exit", "exit") == 0) {
        unlink("ending");
        return 0;
    }
    return rename("ending", "exit");
}

int is_directory_gone(void) {
    struct stat status;
    return stat(".", &status) != 0 || status.st_nlink == 0;
}
