// What Swift's Glibc module lacks of the kernel's interface. Return values follow the system calls: -1 and errno.
#pragma once
#include <stdint.h>
#include <stddef.h>
#include <sys/types.h>

/// open(2) and fchownat(2), Linux only.
#define AGENTOS_O_PATH 010000000
#define AGENTOS_AT_EMPTY_PATH 0x1000
/// fcntl(2), Linux only.
#define AGENTOS_F_SETPIPE_SZ 1031

/// A function of a library that is loaded when the first of its functions is called: most starts of the program call none.
/// Ends the process, saying why, when there is none.
void *agentos_library_function(const char *library, const char *name);
/// Why a library cannot be loaded; NULL when it can.
const char *agentos_library_problem(const char *library);

int agentos_epoll_create(void);
/// Adds or changes the watch of a descriptor. `events`: EPOLLIN is 1, EPOLLOUT is 4.
int agentos_epoll_set(int epoll, int fd, uint32_t events);
int agentos_epoll_remove(int epoll, int fd);
/// Waits for at most `count` events; fds[i] and events[i] describe them.
int agentos_epoll_wait(int epoll, int *fds, uint32_t *events, int count, int timeout_ms);

int agentos_eventfd(void);
/// A count that one thread waits for and others raise, without a descriptor; 0 when there is no memory.
uintptr_t agentos_semaphore(void);
void agentos_semaphore_raise(uintptr_t semaphore);
/// Waits until it is raised, and lowers it; -1 when so many milliseconds were over before.
int agentos_semaphore_wait(uintptr_t semaphore, int64_t ms);
void agentos_semaphore_free(uintptr_t semaphore);
int agentos_pidfd_open(pid_t pid);
int agentos_pidfd_signal(int pidfd, int signal);
int agentos_close_on_exec_pipe(int fds[2]);
int agentos_socket_pair(int fds[2]);
/// A file in memory, closed on exec.
int agentos_memory_file(const char *name);

/// Starts a program without copying this process (vfork semantics): signals are reset, descriptors 0, 1, 2 and
/// 3 are the given ones, 4 too unless it is -1, all others are closed, the working directory is `cwd`.
/// Returns the pid, or -1 with errno set to what exec or an earlier step reported.
pid_t agentos_spawn(const char *path, char *const argv[], char *const envp[], const char *cwd,
                    int fd0, int fd1, int fd2, int fd3, int fd4);

/// The start time of a process in clock ticks since boot; 0 when it does not exist. `state` gets its state letter,
/// `parent` its parent.
uint64_t agentos_process_start(pid_t pid, char *state, pid_t *parent);

/// What /proc/PID/stat says of a process.
struct agentos_process {
    char state;
    pid_t parent, session;
    uint64_t start;
};
/// -1 when there is no such process.
int agentos_process_look(pid_t pid, struct agentos_process *process);

/// The uid and pid of the process at the other end of a unix socket.
int agentos_peer(int fd, uid_t *uid, pid_t *pid);

/// Milliseconds since boot, sleep included; wall milliseconds since 1970.
int64_t agentos_boot_ms(void);
int64_t agentos_wall_ms(void);
int64_t agentos_wall_ns(void);
/* Of a clock that never goes back, for durations. */
int64_t agentos_monotonic_ns(void);

/// Ends this process's children that exited: nobody waits for them.
void agentos_ignore_children(void);
void agentos_ignore_sigpipe(void);
/// A descriptor that becomes readable on SIGTERM, SIGINT or SIGHUP.
int agentos_signalfd_daemon(void);
int agentos_read_signal(int fd);

int agentos_flock_exclusive(int fd);
/// Waits until nobody else has it.
int agentos_flock_wait(int fd);
int agentos_subreaper(void);
/// Detaches from the terminal: new session, standard descriptors on /dev/null or the given log.
int agentos_open_null(void);

/// A listening unix stream socket at `path` with mode 0600; a dead socket file there is replaced.
int agentos_listen_unix(const char *path);
/// Connects; -1 with errno when nobody listens.
int agentos_connect_unix(const char *path);

#include <pthread.h>
void agentos_name_thread(pthread_t thread, const char *name);

int agentos_inotify(void);
/// Tells of all changes in a directory; the descriptor of the watch, the same for the same directory.
int agentos_inotify_add(int fd, const char *path);
int agentos_inotify_remove(int fd, int watch);

/// Starts a program in a session of its own with standard input from `null` and both outputs to `log`; its exit can
/// be waited for.
pid_t agentos_spawn_session(const char *path, char *const argv[], char *const envp[], int null, int log);

/// A directory below another, reached without leaving that one (openat2 with RESOLVE_BENEATH); EXDEV when it would.
int agentos_open_beneath(const char *directory, const char *path);
/// Names a file without opening it (O_PATH), after links.
int agentos_open_path(const char *path);
/// Whether a file is an answer of the kernel, made when it is read (proc, sysfs and their like); -1 with errno.
int agentos_is_of_kernel(int fd);
/// A file in a directory that has no name yet, for writing; a name for it that is not taken. -1 with errno.
int agentos_open_nameless(const char *directory);
int agentos_name_file(int fd, const char *path);
/// A signal that ends this process removes this file before; NULL: none.
void agentos_remove_when_killed(const char *path);
/// Ends this process by a signal, whatever it has done with that so far.
void agentos_end_by_signal(int number) __attribute__((noreturn));
/// A directory in another that is open, reached over no link and on the same mount.
int agentos_open_inside(int directory, const char *name);
/// No core of this process is written, and no other process of its user may look into its memory.
int agentos_not_dumpable(void);
/// Free memory that each heap of the process keeps for what comes next, in place of giving it back at once.
void agentos_keep_free_memory(int bytes);
/// Opens what a path means when a directory, an open one, is the root: links lead nowhere else. Close-on-exec.
int agentos_open_in_root(int root, const char *path, int flags);
/// An extended attribute of a file itself, also when it is a link; of an open file: the size of the value, -1 with errno.
int agentos_set_attribute(const char *path, const char *name, const void *value, size_t size);
ssize_t agentos_get_attribute(int fd, const char *name, void *value, size_t size);
/// Mounts a tmpfs that cannot execute or hold devices; unmounts it; says whether a directory is in one.
int agentos_mount_memory(const char *path);
int agentos_unmount(const char *path);
/// A pseudo terminal: `fds[0]` is the side of the person, `fds[1]` that of the program.
int agentos_open_terminal(int fds[2]);
int agentos_set_window(int fd, unsigned short columns, unsigned short rows);
int agentos_get_window(int fd, unsigned short *columns, unsigned short *rows);
/// A descriptor that becomes readable when the window of the terminal changes.
int agentos_signalfd_window(void);
/// A TCP connection that is being made to a numeric address, without waiting; closing it sends a reset.
int agentos_connect_tcp(const char *address, uint16_t port);
/// Moves the calling thread, for good, into the network of a process; -1 with errno.
int agentos_enter_network(int pid);
/// The error of a connection that was made, 0 when there is none.
int agentos_socket_error(int fd);
int agentos_is_in_memory(const char *path);
/// Makes a network namespace with its loopback up, mounted at a file, which is made.
int agentos_make_network(const char *path);
/// Whether a namespace is mounted at a file.
int agentos_is_network(const char *path);
/// Takes down and removes a bridge of this machine.
int agentos_remove_bridge(const char *name);

/// Sends lines such as `READY=1` to the service manager at NOTIFY_SOCKET, a path or `@` and an abstract name, without
/// waiting; -1 with errno.
int agentos_notify(const char *place, const char *text);
/// The clock that a service manager measures a reload with.
int64_t agentos_monotonic_us(void);
/// Whether somebody keeps the clock of this machine right.
int agentos_clock_is_kept(void);

/// Whether a descriptor that was passed by a service manager is a listening unix stream socket with a path.
enum {
    AGENTOS_PASSED_GOOD,
    AGENTOS_PASSED_NO_DESCRIPTOR,
    AGENTOS_PASSED_NO_SOCKET,
    AGENTOS_PASSED_OTHER_KIND,
    AGENTOS_PASSED_NOT_LISTENING,
    AGENTOS_PASSED_NO_PATH,
};
/// One of these; `path` gets the socket's path. The descriptor is closed on exec from now on.
int agentos_passed_socket(int fd, char *path, size_t size);
