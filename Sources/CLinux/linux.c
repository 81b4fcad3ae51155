#include "CLinux.h"

#include <linux/openat2.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int agentos_epoll_create(void) { return epoll_create1(EPOLL_CLOEXEC); }

int agentos_epoll_set(int epoll, int fd, uint32_t events) {
    struct epoll_event event = {.events = events, .data.fd = fd};
    if (epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event) == 0) return 0;
    return errno == ENOENT ? epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) : -1;
}

int agentos_epoll_remove(int epoll, int fd) { return epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL); }

int agentos_epoll_wait(int epoll, int *fds, uint32_t *events, int count, int timeout_ms) {
    struct epoll_event found[256];
    if (count > 256) count = 256;
    int n = epoll_wait(epoll, found, count, timeout_ms);
    for (int i = 0; i < n; i++) {
        fds[i] = found[i].data.fd;
        events[i] = found[i].events;
    }
    return n;
}

int agentos_eventfd(void) { return eventfd(0, EFD_CLOEXEC); }

int agentos_pidfd_open(pid_t pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }

int agentos_pidfd_signal(int pidfd, int signal) { return (int)syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0); }

int agentos_memory_file(const char *name) { return memfd_create(name, MFD_CLOEXEC); }

int agentos_close_on_exec_pipe(int fds[2]) { return pipe2(fds, O_CLOEXEC); }

struct spawn_request {
    const char *path;
    char *const *argv;
    char *const *envp;
    const char *cwd;
    int fds[5];
    int error;
    sigset_t mask;
};

// Runs in the child, on memory shared with the parent, which waits: nothing here may touch the parent's state
// beyond `request`.
static int spawn_child(void *argument) {
    struct spawn_request *request = argument;
    int high[5];
    for (int i = 0; i < 5; i++) {
        // First above the target range, so that no target is overwritten before it is used.
        high[i] = request->fds[i] < 0 ? -1 : fcntl(request->fds[i], F_DUPFD, 10);
        if (request->fds[i] >= 0 && high[i] < 0) goto failed;
    }
    for (int i = 0; i < 5; i++) {
        if (high[i] >= 0 && dup2(high[i], i) < 0) goto failed;
        if (high[i] < 0) close(i);
    }
    syscall(SYS_close_range, 5, ~0U, 0);
    if (request->cwd && chdir(request->cwd) != 0) goto failed;
    struct sigaction standard = {.sa_handler = SIG_DFL};
    for (int number = 1; number < 65; number++) {
        if (number != SIGKILL && number != SIGSTOP && number != 32 && number != 33) {
            // The raw call: glibc's wrapper is fine too, but this child shares the parent's memory.
            sigaction(number, &standard, NULL);
        }
    }
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execve(request->path, request->argv, request->envp);
failed:
    request->error = errno ? errno : EINVAL;
    _exit(127);
}

pid_t agentos_spawn(const char *path, char *const argv[], char *const envp[], const char *cwd,
                    int fd0, int fd1, int fd2, int fd3, int fd4) {
    struct spawn_request request = {
        .path = path, .argv = argv, .envp = envp, .cwd = cwd, .fds = {fd0, fd1, fd2, fd3, fd4}, .error = 0};
    char *stack = malloc(65536);
    if (!stack) return -1;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    pid_t pid = clone(spawn_child, (void *)(((uintptr_t)stack + 65536) & ~(uintptr_t)15), CLONE_VM | CLONE_VFORK | SIGCHLD, &request);
    int saved = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    free(stack);
    if (pid < 0) {
        errno = saved;
        return -1;
    }
    if (request.error) {
        waitpid(pid, NULL, 0);
        errno = request.error;
        return -1;
    }
    return pid;
}

int agentos_process_look(pid_t pid, struct agentos_process *process) {
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return -1;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n <= 0) return -1;
    text[n] = 0;
    char *at = strrchr(text, ')'), state = 0;
    int parent = 0, session = 0;
    unsigned long long start = 0;
    if (!at) return -1;
    if (sscanf(at + 2, "%c %d %*d %d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu", &state, &parent, &session, &start) < 4)
        return -1;
    *process = (struct agentos_process){.state = state, .parent = parent, .session = session, .start = start};
    return 0;
}

uint64_t agentos_process_start(pid_t pid, char *state, pid_t *parent) {
    struct agentos_process process;
    if (agentos_process_look(pid, &process) != 0) return 0;
    if (state) *state = process.state;
    if (parent) *parent = process.parent;
    return process.start;
}

int agentos_peer(int fd, uid_t *uid, pid_t *pid) {
    struct ucred credentials;
    socklen_t length = sizeof credentials;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0) return -1;
    *uid = credentials.uid;
    *pid = credentials.pid;
    return 0;
}

static int64_t milliseconds(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t agentos_boot_ms(void) { return milliseconds(CLOCK_BOOTTIME); }
int64_t agentos_wall_ms(void) { return milliseconds(CLOCK_REALTIME); }

static int64_t nanoseconds(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t agentos_wall_ns(void) { return nanoseconds(CLOCK_REALTIME); }
int64_t agentos_monotonic_ns(void) { return nanoseconds(CLOCK_MONOTONIC); }

void agentos_ignore_children(void) {
    struct sigaction action = {.sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT | SA_NOCLDSTOP};
    sigaction(SIGCHLD, &action, NULL);
}

void agentos_ignore_sigpipe(void) { signal(SIGPIPE, SIG_IGN); }

int agentos_read_signal(int fd) {
    struct signalfd_siginfo info;
    return read(fd, &info, sizeof info) == sizeof info ? (int)info.ssi_signo : 0;
}

int agentos_flock_exclusive(int fd) { return flock(fd, LOCK_EX | LOCK_NB); }

int agentos_flock_wait(int fd) { return flock(fd, LOCK_EX); }

int agentos_subreaper(void) { return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); }

int agentos_open_null(void) { return open("/dev/null", O_RDWR | O_CLOEXEC); }

void agentos_name_thread(pthread_t thread, const char *name) {
    char text[16];
    snprintf(text, sizeof text, "%s", name);
    pthread_setname_np(thread, text);
}

int agentos_inotify(void) { return inotify_init1(IN_CLOEXEC | IN_NONBLOCK); }

int agentos_inotify_add(int fd, const char *path) {
    return inotify_add_watch(
        fd, path, IN_ONLYDIR | IN_MODIFY | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_CLOSE_WRITE | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF);
}

int agentos_inotify_remove(int fd, int watch) { return inotify_rm_watch(fd, watch); }

pid_t agentos_spawn_session(const char *path, char *const argv[], char *const envp[], int null, int log) {
    pid_t pid = fork();
    if (pid != 0) return pid;
    setsid();
    dup2(null, 0);
    dup2(log, 1);
    dup2(log, 2);
    syscall(SYS_close_range, 3, ~0U, 0);
    execve(path, argv, envp);
    _exit(127);
}

int agentos_open_beneath(const char *directory, const char *path) {
    int base = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (base < 0) return -1;
    struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    int fd = (int)syscall(SYS_openat2, base, path, &how, sizeof how);
    int saved = errno;
    close(base);
    errno = saved;
    return fd;
}

int agentos_open_inside(int directory, const char *name) {
    struct open_how how = {
        .flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV};
    return (int)syscall(SYS_openat2, directory, name, &how, sizeof how);
}

int agentos_mount_memory(const char *path) {
    return mount("agentos", path, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0711,size=64m");
}

int agentos_unmount(const char *path) { return umount2(path, MNT_DETACH); }

int agentos_is_in_memory(const char *path) {
    struct statfs status;
    return statfs(path, &status) == 0 && status.f_type == TMPFS_MAGIC;
}

int agentos_connect_tcp(const char *address, uint16_t port) {
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port)};
    int is_four = inet_pton(AF_INET, address, &four.sin_addr) == 1;
    if (!is_four && inet_pton(AF_INET6, address, &six.sin6_addr) != 1) {
        errno = EINVAL;
        return -1;
    }
    int fd = socket(is_four ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    // No connection lingers in TIME_WAIT: probes come often.
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    int result = is_four ? connect(fd, (struct sockaddr *)&four, sizeof four) : connect(fd, (struct sockaddr *)&six, sizeof six);
    if (result == 0 || errno == EINPROGRESS) return fd;
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

int agentos_socket_error(int fd) {
    int error = 0;
    socklen_t length = sizeof error;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0 ? error : errno;
}

int agentos_open_terminal(int fds[2]) {
    fds[0] = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (fds[0] < 0) return -1;
    if (grantpt(fds[0]) == 0 && unlockpt(fds[0]) == 0) {
        fds[1] = ioctl(fds[0], TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
        if (fds[1] >= 0) return 0;
    }
    int saved = errno;
    close(fds[0]);
    errno = saved;
    return -1;
}

int agentos_set_window(int fd, unsigned short columns, unsigned short rows) {
    struct winsize size = {.ws_row = rows, .ws_col = columns};
    return ioctl(fd, TIOCSWINSZ, &size);
}

int agentos_get_window(int fd, unsigned short *columns, unsigned short *rows) {
    struct winsize size;
    if (ioctl(fd, TIOCGWINSZ, &size) != 0) return -1;
    *columns = size.ws_col;
    *rows = size.ws_row;
    return 0;
}

int agentos_signalfd_window(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGWINCH);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int network_child(void *argument) {
    const char *path = argument;
    // Loopback is up in a container's network.
    struct ifreq request = {0};
    strcpy(request.ifr_name, "lo");
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &request) != 0) _exit(errno);
    request.ifr_flags |= IFF_UP;
    if (ioctl(fd, SIOCSIFFLAGS, &request) != 0) _exit(errno);
    close(fd);
    if (mount("/proc/self/ns/net", path, NULL, MS_BIND, NULL) != 0) _exit(errno);
    _exit(0);
}

int agentos_is_network(const char *path) {
    struct statfs status;
    return statfs(path, &status) == 0 && status.f_type == NSFS_MAGIC;
}

int agentos_make_network(const char *path) {
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return -1;
    close(fd);
    char *stack = malloc(65536);
    if (!stack) return -1;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    // The child shares the memory and this thread waits until it has ended. It sends no signal: only __WALL finds it.
    pid_t pid = clone(network_child, (void *)(((uintptr_t)stack + 65536) & ~(uintptr_t)15), CLONE_VFORK | CLONE_VM | CLONE_NEWNET, (void *)path);
    int saved = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    free(stack);
    errno = saved;
    if (pid < 0) return -1;
    int status = 0;
    while (waitpid(pid, &status, __WALL) < 0) {
        if (errno == EINTR) continue;
        // It was reaped already: what counts is the mount.
        if (agentos_is_network(path)) return 0;
        errno = EIO;
        return -1;
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return 0;
    errno = WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
    return -1;
}

int agentos_remove_bridge(const char *name) {
    struct ifreq request = {0};
    if (strlen(name) >= IFNAMSIZ) return -1;
    strcpy(request.ifr_name, name);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    ioctl(fd, SIOCSIFFLAGS, &request);  // down
    int result = ioctl(fd, SIOCBRDELBR, name);
    close(fd);
    return result;
}
