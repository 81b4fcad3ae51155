// agentos-supervise: the parent of one process agent.
//
// It outlives the daemon, holds the agent's standard output, ends the agent's whole process tree and leaves the
// agent's exit behind as a file. Its working directory is the run directory, the contract with the daemon:
//
//   claim    made with link(2), so exactly one taker wins; then nobody else may start this run
//   process  who runs: pid, start time, boot id, cgroups; written while the agent is held before exec
//   exit     how it ended; its presence proves that nothing of the run lives
//   log, log.1, …  the agent's output in the CRI log format
//
// Descriptor 0 carries the specification (NUL-terminated strings, see `read_specification`), descriptor 3 takes one
// line about the start. Nothing is polled: it sleeps until output, an exit or a signal comes.

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/magic.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>  // rename
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CGROUPS_MAX = 8, PATHS_MAX = 256, FILTER_MAX_BYTES = 32768, LINE_MAX_BYTES = 8192, SPECIFICATION_MAX = 2 << 20 };

static struct {
    char *memory;
    size_t size;
    const char *boot;
    long uid, gid;  // -1: keep
    long umask;
    const char *directory;
    long open_files;  // -1: keep
    const char *filter;  // file with the seccomp program; empty: none
    int confined;        // landlock: only these may be used
    int read_count, write_count;
    const char *readable[PATHS_MAX], *writable[PATHS_MAX];
    long long log_bytes;
    long log_files;
    int cgroup_count;
    const char *cgroups[CGROUPS_MAX];  // each the directory of one hierarchy
    char **argv;
    char **envp;
} spec;

static int report_fd = 3;

// ---- small text helpers; no stdio, so that the process stays small -------------------------------------------

struct text {
    char *at, *end;
};

static void put(struct text *t, const char *s) {
    while (*s && t->at < t->end) *t->at++ = *s++;
}

static void put_number(struct text *t, long long n) {
    char digits[24];
    int i = sizeof digits;
    unsigned long long u = n < 0 ? -(unsigned long long)n : (unsigned long long)n;
    digits[--i] = 0;
    do digits[--i] = (char)('0' + u % 10);
    while (u /= 10);
    if (n < 0) digits[--i] = '-';
    put(t, digits + i);
}

static void put_padded(struct text *t, long n, int width) {
    for (long limit = 1, i = 1; i < width; i++) {
        limit *= 10;
        if (n < limit) put(t, "0");
    }
    put_number(t, n);
}

static int write_all(int fd, const char *p, size_t n) {
    while (n) {
        ssize_t written = write(fd, p, n);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return -1;
        p += written;
        n -= (size_t)written;
    }
    return 0;
}

static long long wall_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static long long boot_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

// A file that is there whole or not at all.
static int write_file(const char *temporary, const char *name, const char *text, size_t n, int exclusive) {
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) return -1;
    int result = write_all(fd, text, n);
    close(fd);
    if (result == 0) result = exclusive ? link(temporary, name) : rename(temporary, name);
    if (result != 0 || exclusive) {
        int saved = errno;
        unlink(temporary);
        errno = saved;
    }
    return result;
}

// Field 22 of /proc/PID/stat.
static unsigned long long start_time(pid_t pid) {
    char path[40], text[1024];
    struct text t = {path, path + sizeof path - 1};
    put(&t, "/proc/");
    put_number(&t, pid);
    put(&t, "/stat");
    *t.at = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n <= 0) return 0;
    text[n] = 0;
    char *at = strrchr(text, ')');
    for (int field = 2; at && field < 22; field++) at = strchr(at + 1, ' ');
    return at ? strtoull(at + 1, NULL, 10) : 0;
}

static void report(const char *word, long a, long long b) {
    char line[128];
    struct text t = {line, line + sizeof line - 1};
    put(&t, word);
    put(&t, " ");
    put_number(&t, a);
    put(&t, " ");
    put_number(&t, b);
    put(&t, "\n");
    if (report_fd >= 0) {
        write_all(report_fd, line, (size_t)(t.at - line));
        close(report_fd);
    }
    report_fd = -1;
}

// ---- specification -------------------------------------------------------------------------------------------

static const char *next_string(char **at, char *end) {
    char *start = *at, *zero = start < end ? memchr(start, 0, (size_t)(end - start)) : NULL;
    if (!zero) _exit(100);
    *at = zero + 1;
    return start;
}

static long long next_number(char **at, char *end) { return strtoll(next_string(at, end), NULL, 10); }

static char **next_list(char **at, char *end, char ***pool) {
    long count = next_number(at, end);
    char **list = *pool;
    for (long i = 0; i < count; i++) *(*pool)++ = (char *)next_string(at, end);
    *(*pool)++ = NULL;
    return list;
}

static int next_paths(char **at, char *end, const char **paths) {
    long long count = next_number(at, end);
    if (count < 0 || count > PATHS_MAX) _exit(100);
    for (int i = 0; i < count; i++) paths[i] = next_string(at, end);
    return (int)count;
}

static void read_specification(void) {
    spec.size = SPECIFICATION_MAX;
    spec.memory = mmap(NULL, spec.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (spec.memory == MAP_FAILED) _exit(100);
    size_t used = 0;
    while (used < spec.size / 2) {
        ssize_t n = read(0, spec.memory + used, spec.size / 2 - used);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) _exit(100);
        if (n == 0) break;
        used += (size_t)n;
    }
    char *at = spec.memory, *end = spec.memory + used;
    if (strcmp(next_string(&at, end), "2") != 0) _exit(100);
    spec.boot = next_string(&at, end);
    spec.uid = next_number(&at, end);
    spec.gid = next_number(&at, end);
    spec.umask = next_number(&at, end);
    spec.directory = next_string(&at, end);
    spec.open_files = next_number(&at, end);
    spec.filter = next_string(&at, end);
    spec.confined = (int)next_number(&at, end);
    spec.read_count = next_paths(&at, end, spec.readable);
    spec.write_count = next_paths(&at, end, spec.writable);
    spec.log_bytes = next_number(&at, end);
    spec.log_files = next_number(&at, end);
    spec.cgroup_count = (int)next_number(&at, end);
    if (spec.cgroup_count < 0 || spec.cgroup_count > CGROUPS_MAX) _exit(100);
    for (int i = 0; i < spec.cgroup_count; i++) spec.cgroups[i] = next_string(&at, end);
    // The upper half of the memory holds the pointers; each takes more room than the shortest string of two bytes.
    char **pool = (char **)(spec.memory + spec.size / 2);
    long most = (long)(spec.size / 2 / sizeof(char *)) - 4;
    long strings = 0;
    for (char *c = at; c < end; c++) strings += *c == 0;
    if (strings > most) _exit(100);
    spec.argv = next_list(&at, end, &pool);
    spec.envp = next_list(&at, end, &pool);
    if (strcmp(next_string(&at, end), "end") != 0 || !spec.argv[0]) _exit(100);
}

// ---- cgroups -------------------------------------------------------------------------------------------------

static int open_in(const char *directory, const char *file, int flags) {
    char path[PATH_MAX];
    struct text t = {path, path + sizeof path - 1};
    put(&t, directory);
    put(&t, "/");
    put(&t, file);
    *t.at = 0;
    return open(path, flags | O_CLOEXEC);
}

// Forks; where there is a cgroup of version 2, right into it. Moving a process there later waits for a grace period of
// the kernel, 15 ms and more.
static pid_t fork_into_cgroup(int *joined) {
    for (int i = 0; i < spec.cgroup_count; i++) {
        struct statfs status;
        int fd = open(spec.cgroups[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
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

static int join_cgroups(pid_t pid, int joined) {
    char digits[24];
    struct text t = {digits, digits + sizeof digits};
    put_number(&t, pid);
    for (int i = 0; i < spec.cgroup_count; i++) {
        if (i == joined) continue;
        int fd = open_in(spec.cgroups[i], "cgroup.procs", O_WRONLY);
        if (fd < 0) return -1;
        int result = write_all(fd, digits, (size_t)(t.at - digits));
        close(fd);
        if (result != 0) return -1;
    }
    return 0;
}

static int ran_out_of_memory(void) {
    for (int i = 0; i < spec.cgroup_count; i++) {
        int fd = open_in(spec.cgroups[i], "memory.oom_control", O_RDONLY);
        if (fd < 0) fd = open_in(spec.cgroups[i], "memory.events", O_RDONLY);
        if (fd < 0) continue;
        char text[512];
        ssize_t n = read(fd, text, sizeof text - 1);
        close(fd);
        if (n <= 0) continue;
        text[n] = 0;
        char *at = strstr(text, "oom_kill ");
        if (at && strtol(at + 9, NULL, 10) > 0) return 1;
    }
    return 0;
}

// ---- log -----------------------------------------------------------------------------------------------------

static int log_fd = -1;
static long long log_size;
static long dropped;

static void log_name(char *name, long number) {
    struct text t = {name, name + 30};
    put(&t, "log");
    if (number > 0) {
        put(&t, ".");
        put_number(&t, number);
    }
    *t.at = 0;
}

static void open_log(void) {
    struct stat status;
    log_fd = open("log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    log_size = log_fd >= 0 && fstat(log_fd, &status) == 0 ? status.st_size : 0;
}

static void rotate_log(void) {
    char from[32], to[32];
    close(log_fd);
    log_name(to, spec.log_files - 1);
    unlink(to);
    for (long number = spec.log_files - 2; number >= 0; number--) {
        log_name(from, number);
        log_name(to, number + 1);
        rename(from, to);
    }
    open_log();
}

// "2026-01-02T03:04:05.123456789Z " in UTC. Days to date: H. Hinnant's date algorithms.
static void put_time(struct text *t) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    long days = now.tv_sec / 86400, second = now.tv_sec % 86400;
    long z = days + 719468, era = z / 146097, day_of_era = z - era * 146097;
    long year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    long day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    long m = (5 * day_of_year + 2) / 153, day = day_of_year - (153 * m + 2) / 5 + 1, month = m < 10 ? m + 3 : m - 9;
    put_padded(t, year_of_era + era * 400 + (month <= 2), 4);
    put(t, "-");
    put_padded(t, month, 2);
    put(t, "-");
    put_padded(t, day, 2);
    put(t, "T");
    put_padded(t, second / 3600, 2);
    put(t, ":");
    put_padded(t, second / 60 % 60, 2);
    put(t, ":");
    put_padded(t, second % 60, 2);
    put(t, ".");
    put_padded(t, now.tv_nsec, 9);
    put(t, "Z ");
}

static int log_record(const char *stream, const char *tag, const char *bytes, size_t n) {
    char record[LINE_MAX_BYTES + 64];
    struct text t = {record, record + sizeof record};
    put_time(&t);
    put(&t, stream);
    put(&t, tag);
    memcpy(t.at, bytes, n);
    t.at += n;
    *t.at++ = '\n';
    if (log_fd >= 0 && log_size >= spec.log_bytes) rotate_log();
    if (log_fd < 0) open_log();
    if (log_fd < 0) return -1;
    size_t length = (size_t)(t.at - record);
    ssize_t written = write(log_fd, record, length);
    if (written == (ssize_t)length) {
        log_size += written;
        return 0;
    }
    // A full disk: nothing of the line stays, the agent is never blocked.
    if (written > 0 && ftruncate(log_fd, log_size) != 0) log_size += written;
    return -1;
}

static void log_line(const char *stream, const char *tag, const char *bytes, size_t n) {
    if (dropped) {
        char line[64];
        struct text t = {line, line + sizeof line};
        put_number(&t, dropped);
        put(&t, " lines were dropped: the disk was full");
        if (log_record("stderr", " F ", line, (size_t)(t.at - line)) == 0) dropped = 0;
    }
    if (dropped || log_record(stream, tag, bytes, n) != 0) dropped++;
}

struct stream {
    const char *name;
    int fd;
    size_t used;
    char line[LINE_MAX_BYTES];
};

static struct stream streams[2] = {{.name = "stdout"}, {.name = "stderr"}};

static void pump(struct stream *s) {
    ssize_t n = read(s->fd, s->line + s->used, sizeof s->line - s->used);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (n <= 0) {
        if (s->used) log_line(s->name, " F ", s->line, s->used);
        s->used = 0;
        close(s->fd);
        s->fd = -1;
        return;
    }
    size_t end = s->used + (size_t)n, start = 0;
    char *newline;
    while ((newline = memchr(s->line + start, '\n', end - start))) {
        size_t at = (size_t)(newline - s->line);
        log_line(s->name, " F ", s->line + start, at - start);
        start = at + 1;
    }
    if (start == 0 && end == sizeof s->line) {
        log_line(s->name, " P ", s->line, end);
        start = end;
    }
    memmove(s->line, s->line + start, end - start);
    s->used = end - start;
}

// ---- the agent -----------------------------------------------------------------------------------------------

static void child_fail(int fd, int step) {
    int message[2] = {step, errno};
    write_all(fd, (char *)message, sizeof message);
    _exit(127);
}

enum { STEP_HOLD, STEP_CGROUP, STEP_LIMIT, STEP_USER, STEP_DIRECTORY, STEP_EXEC, STEP_FILTER, STEP_CONFINE };

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

// Landlock: only the named paths, the system's programs and libraries, and the own directory. Made before the user
// changes: paths may lie below directories that only root may pass.
static int make_ruleset(void) {
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (version < 1) return -1;
    // Version 1 knows 13 rights, 2 adds linking between directories, 3 truncation, 5 ioctl on devices.
    uint64_t all = (1ULL << 13) - 1;
    if (version >= 2) all |= 1ULL << 13;
    if (version >= 3) all |= 1ULL << 14;
    if (version >= 5) all |= 1ULL << 15;
    const uint64_t reading = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
    static const char *const system[] = {"/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc", "/proc"};
    static const char *const devices[] = {"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty"};
    struct landlock_ruleset_attr attributes = {.handled_access_fs = all};
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes.handled_access_fs, 0);
    if (ruleset < 0) return -1;
    for (unsigned i = 0; i < sizeof system / sizeof *system; i++)
        if (allow_path(ruleset, system[i], reading) != 0) return -1;
    for (unsigned i = 0; i < sizeof devices / sizeof *devices; i++)
        if (allow_path(ruleset, devices[i], all) != 0) return -1;
    for (int i = 0; i < spec.read_count; i++)
        if (allow_path(ruleset, spec.readable[i], reading) != 0) return -1;
    for (int i = 0; i < spec.write_count; i++)
        if (allow_path(ruleset, spec.writable[i], all) != 0) return -1;
    return ruleset;
}

static struct sock_filter filter[FILTER_MAX_BYTES / sizeof(struct sock_filter)];
static unsigned short filter_count;

// Before the user changes, who may not read it.
static int read_filter(void) {
    if (!*spec.filter) return 0;
    int fd = open(spec.filter, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return -1;
    ssize_t n = read(fd, filter, sizeof filter);
    close(fd);
    if (n <= 0 || (size_t)n % sizeof *filter != 0 || (size_t)n == sizeof filter) return -1;
    filter_count = (unsigned short)((size_t)n / sizeof *filter);
    return 0;
}

static int apply_filter(void) {
    struct sock_fprog program = {.len = filter_count, .filter = filter};
    return filter_count ? (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) : 0;
}

static void run_child(int hold, int error, int in, int out, int err) {
    char byte;
    setsid();
    ssize_t n;
    do n = read(hold, &byte, 1);
    while (n < 0 && errno == EINTR);
    if (n != 1) _exit(127);  // the supervisor died: nothing may run
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (spec.open_files >= 0) {
        struct rlimit limit = {(rlim_t)spec.open_files, (rlim_t)spec.open_files};
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0) child_fail(error, STEP_LIMIT);
    }
    struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    // Out of the way of the descriptors that the program gets.
    int ruleset = spec.confined ? fcntl(make_ruleset(), F_DUPFD_CLOEXEC, 100) : -1;
    if (spec.confined && ruleset < 0) child_fail(error, STEP_CONFINE);
    if (read_filter() != 0) child_fail(error, STEP_FILTER);
    if (in < 0) in = open("/dev/null", O_RDONLY);
    if (in < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0) child_fail(error, STEP_HOLD);
    // A terminal becomes that of the new session.
    if (isatty(0)) ioctl(0, TIOCSCTTY, 0);
    // The error pipe closes itself on exec; everything else above it goes now.
    if (dup2(error, 3) < 0 || fcntl(3, F_SETFD, FD_CLOEXEC) != 0) child_fail(error, STEP_HOLD);
    error = 3;
    if (ruleset >= 0 && (dup2(ruleset, 4) < 0 || fcntl(4, F_SETFD, FD_CLOEXEC) != 0)) child_fail(error, STEP_CONFINE);
    syscall(SYS_close_range, ruleset >= 0 ? 5 : 4, ~0U, 0);
    if (spec.uid >= 0) {
        gid_t group = (gid_t)(spec.gid >= 0 ? spec.gid : spec.uid);
        if (setgroups(0, NULL) != 0 || setresgid(group, group, group) != 0) child_fail(error, STEP_USER);
        // The directory is entered with the agent's rights, but below directories that only root may pass.
        if (chdir(spec.directory) != 0) child_fail(error, STEP_DIRECTORY);
        if (setresuid((uid_t)spec.uid, (uid_t)spec.uid, (uid_t)spec.uid) != 0) child_fail(error, STEP_USER);
    } else if (chdir(spec.directory) != 0) {
        child_fail(error, STEP_DIRECTORY);
    }
    umask((mode_t)spec.umask);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) child_fail(error, STEP_USER);
    if (spec.confined && syscall(SYS_landlock_restrict_self, 4, 0) != 0) child_fail(error, STEP_CONFINE);
    if (apply_filter() != 0) child_fail(error, STEP_FILTER);
    environ = spec.envp;
    execvp(spec.argv[0], spec.argv);
    child_fail(error, STEP_EXEC);
}

static void write_claim(void) {
    char text[256];
    struct text t = {text, text + sizeof text};
    put(&t, "supervisor ");
    put_number(&t, getpid());
    put(&t, " ");
    put_number(&t, (long long)start_time(getpid()));
    put(&t, " ");
    put(&t, spec.boot);
    put(&t, "\n");
    char temporary[40];
    struct text name = {temporary, temporary + sizeof temporary - 1};
    put(&name, ".claim.");
    put_number(&name, getpid());
    *name.at = 0;
    if (write_file(temporary, "claim", text, (size_t)(t.at - text), 1) == 0) return;
    report(errno == EEXIST ? "claimed" : "unclaimable", errno, 0);
    _exit(errno == EEXIST ? 0 : 101);
}

static int write_process(pid_t pid, long long at) {
    char text[4096 + 256];
    struct text t = {text, text + sizeof text};
    put(&t, "format 1\npid ");
    put_number(&t, pid);
    put(&t, "\nstart ");
    put_number(&t, (long long)start_time(pid));
    put(&t, "\nboot ");
    put(&t, spec.boot);
    put(&t, "\nsupervisor ");
    put_number(&t, getpid());
    put(&t, "\nsupervisor-start ");
    put_number(&t, (long long)start_time(getpid()));
    put(&t, "\nat ");
    put_number(&t, at);
    put(&t, "\n");
    for (int i = 0; i < spec.cgroup_count; i++) {
        put(&t, "cgroup ");
        put(&t, spec.cgroups[i]);
        put(&t, "\n");
    }
    return write_file(".process", "process", text, (size_t)(t.at - text), 0);
}

static void write_exit(const char *reason, const char *kind, long value, const char *message) {
    char text[1024];
    struct text t = {text, text + sizeof text};
    put(&t, "format 1\nreason ");
    put(&t, reason);
    put(&t, "\n");
    if (kind) {
        put(&t, kind);
        put(&t, " ");
        put_number(&t, value);
        put(&t, "\n");
    }
    put(&t, "at ");
    put_number(&t, wall_ms());
    put(&t, "\n");
    if (message && *message) {
        put(&t, "message ");
        put(&t, message);
        put(&t, "\n");
    }
    // On a full disk the exit is worth waiting for: agents that ended stay known as soon as there is room.
    while (write_file(".exit", "exit", text, (size_t)(t.at - text), 0) != 0 && errno == ENOSPC) poll(NULL, 0, 1000);
}

static const char *step_name(int step) {
    switch (step) {
    case STEP_CGROUP: return "joining the cgroup: ";
    case STEP_LIMIT: return "setting the limit of open files: ";
    case STEP_USER: return "changing the user: ";
    case STEP_DIRECTORY: return "entering the working directory: ";
    case STEP_EXEC: return "executing the command: ";
    case STEP_FILTER: return "setting the filter of system calls: ";
    case STEP_CONFINE: return "confining the file system: ";
    default: return "preparing the process: ";
    }
}

static void fail_start(int step, int error) {
    char message[256];
    struct text t = {message, message + sizeof message - 1};
    put(&t, step_name(step));
    put(&t, strerror(error));
    *t.at = 0;
    write_exit("StartError", NULL, 0, message);
    report("failed", step, error);
    _exit(0);
}

// Ends everything below us: we are the subreaper, so orphans come to us until none is left.
static void kill_descendants(void) {
    for (;;) {
        char path[64], text[4096];
        struct text t = {path, path + sizeof path - 1};
        put(&t, "/proc/self/task/");
        put_number(&t, getpid());
        put(&t, "/children");
        *t.at = 0;
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
        if (fd >= 0) close(fd);
        if (n > 0) {
            text[n] = 0;
            for (char *at = text; *at;) {
                char *end;
                long pid = strtol(at, &end, 10);
                if (end == at) break;
                if (*end == ' ' && pid > 1) kill((pid_t)pid, SIGKILL);
                at = end;
                while (*at == ' ') at++;
            }
        }
        if (waitpid(-1, NULL, 0) < 0 && errno == ECHILD) return;
    }
}

static void kill_tree(void) {
    for (int i = 0; i < spec.cgroup_count; i++) {
        int fd = open_in(spec.cgroups[i], "cgroup.kill", O_WRONLY);
        if (fd >= 0) {
            if (write(fd, "1", 1) < 0) { /* an older kernel: the walk below does it */ }
            close(fd);
        }
    }
    kill_descendants();
}

// Runs one more command where the agent lives: in its cgroups, as its user. Nothing of it outlives the command, the
// time limit or a closed report (the daemon lost interest). Reports "exited CODE" or "timeout".
static int run_command(long timeout_ms) {
    prctl(PR_SET_NAME, "agentos-exec");
    read_specification();
    close(0);
    sigset_t set;
    sigfillset(&set);
    sigprocmask(SIG_BLOCK, &set, NULL);
    setsid();
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    fcntl(report_fd, F_SETFD, FD_CLOEXEC);
    // The pipes below stay clear of the descriptors that are handed on or closed by number.
    int in = fcntl(4, F_GETFD) >= 0 ? 4 : -1;
    int null = open("/dev/null", O_RDWR);  // takes 0
    if (null < 0 || (in < 0 && dup2(null, 4) < 0)) return 101;
    int hold[2], error[2];
    if (pipe2(hold, O_CLOEXEC) || pipe2(error, O_CLOEXEC)) return 101;
    int joined = -1;
    pid_t pid = fork_into_cgroup(&joined);
    if (pid < 0) return 101;
    if (pid == 0) {
        close(hold[1]);
        close(error[0]);
        run_child(hold[0], error[1], in, 1, 2);
    }
    close(hold[0]);
    close(error[1]);
    for (int fd = 0; fd <= 4; fd++)
        if (fd != report_fd) close(fd);
    int failed_step = join_cgroups(pid, joined) != 0 ? STEP_CGROUP : -1, failed_error = errno, message[2];
    if (failed_step < 0 && write_all(hold[1], "g", 1) != 0) failed_step = STEP_HOLD, failed_error = errno;
    if (failed_step < 0 && read(error[0], message, sizeof message) == sizeof message)
        failed_step = message[0], failed_error = message[1];
    if (failed_step >= 0) {
        kill(pid, SIGKILL);
        kill_descendants();
        report("failed", failed_step, failed_error);
        return 0;
    }
    int signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    long long until = boot_ms() + timeout_ms;
    int status = 0, ended = 0, late = 0;
    while (!ended && !late) {
        struct pollfd fds[2] = {{.fd = signals, .events = POLLIN}, {.fd = report_fd, .events = 0}};
        long long left = until - boot_ms();
        int ready = poll(fds, 2, timeout_ms == 0 ? -1 : left > 0 ? (int)left : 0);
        struct signalfd_siginfo info;
        while (read(signals, &info, sizeof info) == sizeof info) late |= info.ssi_signo == SIGTERM;
        int one;
        for (pid_t gone; (gone = waitpid(-1, &one, WNOHANG)) > 0;)
            if (gone == pid) status = one, ended = 1;
        if (!ended && (ready == 0 || fds[1].revents & POLLERR)) late = 1;
    }
    kill_descendants();
    if (!ended) report("timeout", 0, 0);
    else report("exited", WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), 0);
    return 0;
}

// As the logger of a container: containerd's shim starts it with "log" and "BYTES:FILES:DIRECTORY", the container's
// outputs on descriptors 3 and 4, and waits until descriptor 5 is closed. It ends with the outputs.
static int run_logger(char *settings) {
    char *end;
    spec.log_bytes = strtoll(settings, &end, 10);
    if (*end != ':') return 100;
    spec.log_files = strtol(end + 1, &end, 10);
    if (*end != ':' || spec.log_bytes <= 0 || spec.log_files <= 0 || chdir(end + 1) != 0) return 100;
    prctl(PR_SET_NAME, "agentos-log");
    sigset_t set;
    sigfillset(&set);
    sigprocmask(SIG_BLOCK, &set, NULL);
    umask(077);
    close(5);
    streams[0].fd = 3;
    streams[1].fd = 4;
    while (streams[0].fd >= 0 || streams[1].fd >= 0) {
        struct pollfd fds[2] = {{.fd = streams[0].fd, .events = POLLIN}, {.fd = streams[1].fd, .events = POLLIN}};
        if (poll(fds, 2, -1) < 0) continue;
        for (int i = 0; i < 2; i++)
            if (fds[i].revents) pump(&streams[i]);
    }
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 3 && strcmp(argv[1], "log") == 0) return run_logger(argv[2]);
    if (argc == 3 && strcmp(argv[1], "exec") == 0) return run_command(strtol(argv[2], NULL, 10));
    prctl(PR_SET_NAME, "agentos-superv");
    read_specification();
    close(0);
    sigset_t set;
    sigfillset(&set);
    sigprocmask(SIG_BLOCK, &set, NULL);
    setsid();
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    fcntl(report_fd, F_SETFD, FD_CLOEXEC);
    write_claim();

    int hold[2], error[2], out[2], err[2];
    if (pipe2(hold, O_CLOEXEC) || pipe2(error, O_CLOEXEC) || pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC))
        fail_start(STEP_HOLD, errno);
    int joined = -1;
    pid_t pid = fork_into_cgroup(&joined);
    if (pid < 0) fail_start(STEP_HOLD, errno);
    if (pid == 0) {
        close(hold[1]);
        close(error[0]);
        run_child(hold[0], error[1], -1, out[1], err[1]);
    }
    close(hold[0]);
    close(error[1]);
    close(out[1]);
    close(err[1]);
    int failed_step = join_cgroups(pid, joined) != 0 ? STEP_CGROUP : -1, failed_error = errno;
    long long at = wall_ms();
    if (failed_step < 0 && write_process(pid, at) != 0) failed_step = STEP_HOLD, failed_error = errno;
    if (failed_step < 0) {
        // The child is released here; from now on the run may exist.
        if (write_all(hold[1], "g", 1) != 0) failed_step = STEP_HOLD, failed_error = errno;
    }
    close(hold[1]);
    int message[2];
    if (failed_step < 0 && read(error[0], message, sizeof message) == sizeof message)
        failed_step = message[0], failed_error = message[1];
    close(error[0]);
    if (failed_step >= 0) {
        kill(pid, SIGKILL);
        kill_tree();
        fail_start(failed_step, failed_error);
    }
    report("started", pid, at);

    // The agent has its own copy; keep nothing of the environment here.
    const char *kept[CGROUPS_MAX];
    size_t kept_size = 0;
    for (int i = 0; i < spec.cgroup_count; i++) kept_size += strlen(spec.cgroups[i]) + 1;
    char *names = kept_size ? malloc(kept_size) : NULL;
    for (int i = 0, used = 0; names && i < spec.cgroup_count; i++) {
        strcpy(names + used, spec.cgroups[i]);
        kept[i] = names + used;
        used += (int)strlen(kept[i]) + 1;
    }
    munmap(spec.memory, spec.size);
    if (!names) spec.cgroup_count = 0;
    for (int i = 0; i < spec.cgroup_count; i++) spec.cgroups[i] = kept[i];

    int signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    streams[0].fd = out[0];
    streams[1].fd = err[0];
    int status = 0, ended = 0;
    while (!ended) {
        struct pollfd fds[3] = {{.fd = signals, .events = POLLIN}, {.fd = streams[0].fd, .events = POLLIN}, {.fd = streams[1].fd, .events = POLLIN}};
        if (poll(fds, 3, -1) < 0) continue;
        for (int i = 0; i < 2; i++)
            if (fds[i + 1].revents) pump(&streams[i]);
        struct signalfd_siginfo info;
        while (fds[0].revents && read(signals, &info, sizeof info) == sizeof info) {
            if (info.ssi_signo == SIGTERM) kill(pid, SIGKILL);
        }
        int one;
        for (pid_t gone; (gone = waitpid(-1, &one, WNOHANG)) > 0;)
            if (gone == pid) status = one, ended = 1;
    }
    kill_tree();
    for (int i = 0; i < 2; i++)
        while (streams[i].fd >= 0) pump(&streams[i]);
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    if (code == 0) write_exit("Completed", "code", 0, NULL);
    else if (code > 0) write_exit(ran_out_of_memory() ? "OOMKilled" : "Error", "code", code, NULL);
    else write_exit(WTERMSIG(status) == SIGKILL && ran_out_of_memory() ? "OOMKilled" : "Error", "signal", WTERMSIG(status), NULL);
    return 0;
}
