#include "explain.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "kernel.h"

// The kernel's limit of one string, its zero byte included.
enum { STRING_BYTES_MAX = 131072 };

static void put_user(struct text *t) {
    put(t, "user ");
    put_number(t, geteuid());
}

// Too large: the largest string is named when it alone is too much; otherwise the sum is told, and the largest.
static void explain_size(struct text *t, const struct specification *spec) {
    size_t total = 0, most = 0;
    char **largest = NULL;
    char **lists[2] = {spec->argv, spec->envp};
    for (int i = 0; i < 2; i++) {
        for (char **item = lists[i]; *item; item++) {
            size_t n = strlen(*item) + 1;
            total += n + sizeof *item;
            if (n > most) most = n, largest = item;
        }
    }
    int is_variable = largest >= spec->envp;
    if (most <= STRING_BYTES_MAX) {
        put(t, "the arguments and the environment have ");
        put_number(t, (long long)total);
        put(t, " bytes together, more than the kernel takes; the largest is ");
    }
    if (is_variable) {
        char name[128];
        struct text n = TEXT_IN(name);
        put_bytes(&n, *largest, strcspn(*largest, "="));
        put(t, "the variable ");
        put_quoted(t, text_end(&n, name));
    } else {
        put(t, "argument ");
        put_number(t, largest - spec->argv);
    }
    put(t, most <= STRING_BYTES_MAX ? " with " : " has ");
    put_number(t, (long long)most - 1);
    put(t, " bytes");
    if (most > STRING_BYTES_MAX) {
        put(t, "; the kernel takes at most ");
        put_number(t, STRING_BYTES_MAX - 1);
    }
}

// Finds the program as execvp does, where PATH does not lead to nothing.
static int find_in_path(const char *program, char *found, size_t room) {
    const char *at = NULL;
    for (char **item = environ; *item && !at; item++)
        if (strncmp(*item, "PATH=", 5) == 0) at = *item + 5;
    while (at) {
        size_t n = strcspn(at, ":");
        struct text t = {found, found + room - 1};
        put_bytes(&t, at, n);
        if (n) put(&t, "/");
        put(&t, program);
        struct stat status;
        if (lstat(text_end(&t, found), &status) == 0) return 1;
        at = at[n] ? at + n + 1 : NULL;
    }
    return 0;
}

static void explain_missing(struct text *t, const char *path, int error) {
    if (error == ENOTDIR) {
        put_quoted(t, path);
        put(t, " leads through a file that is not a directory");
    } else if (error == EACCES) {
        put_quoted(t, path);
        put(t, " lies in a directory that ");
        put_user(t);
        put(t, " may not enter");
    } else if (error == ENOENT) {
        put(t, "there is no file ");
        put_quoted(t, path);
    } else {
        put_quoted(t, path);
        put(t, ": ");
        put(t, strerror(error));
    }
}

static void explain_link(struct text *t, const char *path, int error) {
    char target[PATH_MAX];
    ssize_t n = readlink(path, target, sizeof target - 1);
    target[n < 0 ? 0 : n] = 0;
    put_quoted(t, path);
    put(t, " is a link to ");
    put_quoted(t, target);
    put(t, error == ENOENT ? ", which is not there" : ", which cannot be reached: ");
    if (error != ENOENT) put(t, strerror(error));
}

// The file is there, and the kernel says that something is not: what it names in its head.
static void explain_interpreter(struct text *t, const char *path) {
    char head[256];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read_all(fd, head, sizeof head - 1);
    if (fd >= 0) close(fd);
    head[n < 0 ? 0 : n] = 0;
    if (strncmp(head, "#!", 2) != 0) {
        put(t, "the loader that ");
        put_quoted(t, path);
        put(t, " names is not on this machine");
        return;
    }
    char *name = head + 2 + strspn(head + 2, " \t");
    name[strcspn(name, "\n")] = 0;
    size_t length = strlen(name);
    int has_return = length && name[length - 1] == '\r';
    name[strcspn(name, " \t")] = 0;
    put(t, "the interpreter ");
    put_quoted(t, name);
    put(t, " of the script ");
    put_quoted(t, path);
    put(t, " is not there");
    if (has_return) put(t, ": its first line ends in a carriage return; save it with the line ends of Unix");
}

static void explain_denied(struct text *t, const struct specification *spec, const char *path, mode_t mode) {
    struct statvfs status;
    put_quoted(t, path);
    if (access(path, X_OK) != 0) {
        put(t, " may not be executed by ");
        put_user(t);
        put(t, ": its mode is 0");
        for (int shift = 6; shift >= 0; shift -= 3) put_number(t, mode >> shift & 7);
    } else if (statvfs(path, &status) == 0 && status.f_flag & ST_NOEXEC) {
        put(t, " lies in a file system that is mounted noexec");
    } else if (spec->confined) {
        put(t, " is not among the paths that the agent may use (spec.filesystem)");
    } else {
        put(t, " may not be executed");
    }
}

void explain_exec(struct text *t, const struct specification *spec, int error) {
    const char *program = spec->argv[0], *path = program;
    char found[PATH_MAX];
    if (error == E2BIG) {
        explain_size(t, spec);
        return;
    }
    if (!*program) {
        put(t, "the name of the program is empty");
        return;
    }
    if (!strchr(program, '/')) {
        if (!find_in_path(program, found, sizeof found)) {
            put(t, "there is no program ");
            put_quoted(t, program);
            put(t, " in the directories of PATH");
            if (strpbrk(program, " \t")) put(t, "; the words of a command are items of a list");
            return;
        }
        path = found;
    }
    struct stat status;
    if (lstat(path, &status) != 0) {
        explain_missing(t, path, errno);
        if (strpbrk(program, " \t")) put(t, "; the words of a command are items of a list");
    } else if (S_ISLNK(status.st_mode) && stat(path, &status) != 0) {
        explain_link(t, path, errno);
    } else if (S_ISDIR(status.st_mode)) {
        put_quoted(t, path);
        put(t, " is a directory");
    } else if (error == EACCES) {
        explain_denied(t, spec, path, status.st_mode);
    } else if (error == ENOENT) {
        explain_interpreter(t, path);
    } else {
        put_quoted(t, path);
        put(t, ": ");
        put(t, error == ETXTBSY ? "it is open for writing" : strerror(error));
    }
}

void explain_directory(struct text *t, const struct specification *spec, int error) {
    if (error == EACCES) {
        put_user(t);
        put(t, " may not enter ");
        put_quoted(t, spec->directory);
        return;
    }
    put_quoted(t, spec->directory);
    put(t, error == ENOENT ? " does not exist" : error == ENOTDIR ? " is not a directory" : ": ");
    if (error != ENOENT && error != ENOTDIR) put(t, strerror(error));
}

void explain_limit(struct text *t, const struct specification *spec) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    put_number(t, spec->files_hard > spec->files_soft ? spec->files_hard : spec->files_soft);
    put(t, " is more than this machine allows: ");
    put_number(t, (long long)limit.rlim_max);
}
