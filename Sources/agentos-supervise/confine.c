#include "confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int allow_path(int ruleset, const char *path, uint64_t access) {
    int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0) return errno == ENOENT ? 0 : -1;  // what is not there cannot be used either
    struct stat status;
    const uint64_t of_files = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE;
    if (fstat(fd, &status) == 0 && !S_ISDIR(status.st_mode)) access &= of_files | (1ULL << 14);
    struct landlock_path_beneath_attr rule = {.allowed_access = access, .parent_fd = fd};
    int result = (int)syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    close(fd);
    return result;
}

int make_ruleset(const struct specification *spec) {
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (version < 1) return -1;
    // Version 1 knows 13 rights, 2 adds linking between directories, 3 truncation, 5 ioctl on devices.
    uint64_t all = (1ULL << 13) - 1;
    if (version >= 2) all |= 1ULL << 13;
    if (version >= 3) all |= 1ULL << 14;
    if (version >= 5) all |= 1ULL << 15;
    const uint64_t reading = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
    // The system's programs and libraries, and devices that hold nothing.
    static const char *const system[] = {"/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc", "/proc"};
    static const char *const devices[] = {"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty"};
    struct landlock_ruleset_attr attributes = {.handled_access_fs = all};
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes.handled_access_fs, 0);
    if (ruleset < 0) return -1;
    for (unsigned i = 0; i < sizeof system / sizeof *system; i++)
        if (allow_path(ruleset, system[i], reading) != 0) return -1;
    for (unsigned i = 0; i < sizeof devices / sizeof *devices; i++)
        if (allow_path(ruleset, devices[i], all) != 0) return -1;
    for (int i = 0; i < spec->read_count; i++)
        if (allow_path(ruleset, spec->readable[i], reading) != 0) return -1;
    for (int i = 0; i < spec->write_count; i++)
        if (allow_path(ruleset, spec->writable[i], all) != 0) return -1;
    return ruleset;
}

int restrict_to(int ruleset) { return (int)syscall(SYS_landlock_restrict_self, ruleset, 0); }

int apply_filter(const struct specification *spec) {
    if (spec->filter_bytes == 0) return 0;
    // The kernel copies the program, wherever it lies.
    struct sock_fprog program = {
        .len = (unsigned short)(spec->filter_bytes / sizeof(struct sock_filter)), .filter = (void *)spec->filter};
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}
