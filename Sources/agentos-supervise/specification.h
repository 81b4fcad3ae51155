// What the daemon asks for, format 3: strings, each ended by a zero byte, in this order:
//
//   "3", boot id, store id, user, group, umask, working directory, soft and hard limit of open files,
//   filter of system calls in hexadecimal digits, 1 when confined, list of readable paths, list of writable paths,
//   bytes of a log file, log files, stop signal, grace period in ms, list of cgroups, list of arguments,
//   list of the environment, "end"
//
// A list is its count and its items. -1 means: keep, for user, group and limits.
#pragma once
#include <stddef.h>

enum {
    CGROUPS_MAX = 8,
    PATHS_MAX = 256,
    FILTER_BYTES_MAX = 32768,
    SPECIFICATION_BYTES_MAX = 8 << 20,
    SPECIFICATION_STRINGS_MAX = 1 << 20,
};

struct specification {
    char *memory;  // what the strings lie in, and the pointers to them
    size_t size, used;
    char **pool;
    size_t pool_size;

    const char *boot, *store;
    long uid, gid;
    long umask;
    const char *directory;
    long files_soft, files_hard;
    unsigned char *filter;  // the program of seccomp(2), decoded in place
    size_t filter_bytes;    // 0: none
    int confined;           // landlock: only these paths may be used
    int read_count, write_count;
    const char *readable[PATHS_MAX], *writable[PATHS_MAX];
    long long log_bytes;
    long log_files;
    long stop_signal;
    long long grace_ms;
    int cgroup_count;
    const char *cgroups[CGROUPS_MAX];  // each the directory of one hierarchy
    char **argv, **envp;
};

// Takes the strings apart; the result points into them. -1 for anything that is not exactly the format.
int specification_parse(struct specification *spec, char *bytes, size_t n);
// Reads it from a descriptor and takes it apart; -1 also when it cannot be read.
int specification_read(struct specification *spec, int fd);
// Leaves a copy, without the filter, at a descriptor in memory for the daemon: commands beside the agent get what the
// agent was started with. -1 with errno.
int specification_keep(const struct specification *spec, int fd);
// Gives back all memory but for what the supervisor needs as long as the agent lives: the cgroups.
void specification_forget(struct specification *spec);
