#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cgroups.h"
#include "child.h"
#include "files.h"
#include "kernel.h"
#include "log.h"
#include "specification.h"
#include "start.h"
#include "tree.h"

enum {
    // A kill for want of memory belongs to an end of the agent that is not further away.
    OOM_NEAR_MS = 1000,
    // The count of such kills follows their notification.
    OOM_LOOK_MS = 50,
    OOM_LOOKS = 5,
    // Between two rounds of SIGKILL.
    KILL_AGAIN_MS = 20,
    // How long an exit that cannot be written is tried: later it would be no news.
    EXIT_PATIENCE_MS = 30000,
};

enum { OUT, ERR, STREAMS };

// An agent lives until its main process has ended, ends until nothing of its tree is left, and is over then.
enum state { LIVES, ENDS, OVER };

static struct specification spec;
static struct log output;
static struct stream streams[STREAMS] = {{.name = "stdout", .fd = -1}, {.name = "stderr", .fd = -1}};
static struct memory_watch memory;
static pid_t agent;
static int status;
static enum state state = LIVES;
static struct ending ending;
static long long kill_at;      // milliseconds since boot, while it ends
static long long look_at;      // at the count of kills for want of memory; 0: no reason to
static int looks_left;
static long long tell_at;      // 0: nothing is to be told of kills
static long to_tell;           // kills up to the moment that set the time

static void fail_start(const struct failure *failure) __attribute__((noreturn));
static void fail_start(const struct failure *failure) {
    char words[1200];
    failure_text(failure, words, sizeof words);
    kill_cgroups(&spec);
    kill_tree();
    write_end(&(struct ending){.reason = "StartError", .message = words}, 1);
    report("failed", failure->step, failure->error, words);
    _exit(0);
}

static void start_agent(void) {
    int out[2], err[2];
    struct started child;
    struct failure failure = {.step = STEP_HOLD};
    if (pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC)) {
        failure.error = errno;
        fail_start(&failure);
    }
    if (start_child(&spec, -1, out[1], err[1], &child, &failure) != 0) fail_start(&failure);
    close(out[1]);
    close(err[1]);
    long long at = wall_ms();
    if (write_process(&spec, child.pid, at) != 0) {
        failure.error = errno;
        fail_start(&failure);
    }
    // The child is released here; from now on the run may exist.
    if (release_child(&child, &failure) != 0) fail_start(&failure);
    report("started", child.pid, at, NULL);
    agent = child.pid;
    streams[OUT].fd = out[0];
    streams[ERR].fd = err[0];
}

static int is_near(long long at) { return at && boot_ms() - at <= OOM_NEAR_MS; }

// A kill may have been the agent's own, whose end is seen later: it is a child's when the agent has outlived it.
static void plan_to_tell(void) {
    tell_at = memory.kills > to_tell ? boot_ms() + OOM_NEAR_MS : 0;
    to_tell = memory.kills;
}

static void look_at_memory(void) {
    if (memory_watch_look(&memory) > 0 && !tell_at) plan_to_tell();
    look_at = looks_left-- > 0 ? boot_ms() + OOM_LOOK_MS : 0;
}

static void tell_of_memory(void) {
    write_oom(to_tell);
    plan_to_tell();
}

// The main process has ended. `is_alone`: nothing of its tree is left.
static void describe_end(int is_alone) {
    memory_watch_look(&memory);
    int ran_out = is_near(memory.grown_at);
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1, number = code < 0 ? WTERMSIG(status) : 0;
    if (code >= 0) {
        ending = (struct ending){code == 0 ? "Completed" : ran_out ? "OOMKilled" : "Error", "code", code, NULL};
    } else {
        int is_victim = number == SIGKILL && ran_out;
        ending = (struct ending){is_victim ? "OOMKilled" : "Error", "signal", number, NULL};
        // The agent itself is none of its children.
        if (is_victim) memory.kills--;
    }
    if (memory.kills > 0) write_oom(memory.kills);
    tell_at = 0;
    state = ENDS;
    if (is_alone) return;
    write_end(&ending, 0);
    if (!kill_at) kill_at = boot_ms() + spec.grace_ms;
    if (boot_ms() < kill_at && spec.stop_signal) signal_tree((int)spec.stop_signal);
}

static void kill_all(void) {
    kill_cgroups(&spec);
    signal_tree(SIGKILL);
}

static void end_now(void) {
    kill_at = boot_ms();
    kill_all();
}

// Takes what has ended; true when nothing is left below us.
static int reap(int *has_ended) {
    int one;
    pid_t gone;
    while ((gone = wait_for(-1, &one, WNOHANG)) > 0)
        if (gone == agent) status = one, *has_ended = 1;
    return gone < 0 && errno == ECHILD;
}

static int sooner(int a, long long b) { return b < 0 ? a : a < 0 || b < a ? (int)b : a; }

static int pause_ms(void) {
    int pause = log_wait(&output, streams, STREAMS);
    long long now = boot_ms();
    if (look_at) pause = sooner(pause, look_at > now ? look_at - now : 0);
    if (tell_at) pause = sooner(pause, tell_at > now ? tell_at - now : 0);
    if (state == ENDS) pause = sooner(pause, kill_at > now ? kill_at - now : KILL_AGAIN_MS);
    return pause;
}

static void serve(void) {
    static int signals = -1;
    int pause = sooner(pause_ms(), open_signals(&signals));
    struct pollfd fds[] = {
        {.fd = signals, .events = POLLIN},
        {.fd = state == LIVES ? memory.fd : -1, .events = memory.is_unified ? POLLPRI : POLLIN},
        {.fd = streams[OUT].fd, .events = POLLIN},
        {.fd = streams[ERR].fd, .events = POLLIN},
    };
    if (poll(fds, sizeof fds / sizeof *fds, pause) < 0) return;
    for (int i = 0; i < STREAMS; i++)
        if (fds[2 + i].revents) stream_pump(&output, &streams[i]);
    log_tick(&output, streams, STREAMS);
    if (fds[1].revents) looks_left = OOM_LOOKS;
    if (fds[1].revents || (look_at && boot_ms() >= look_at)) look_at_memory();
    struct signalfd_siginfo info;
    while (fds[0].revents && read(signals, &info, sizeof info) == sizeof info)
        if (info.ssi_signo == SIGTERM) end_now();

    int has_ended = 0, is_alone = reap(&has_ended);
    if (has_ended) describe_end(is_alone);
    if (state == LIVES && tell_at && boot_ms() >= tell_at) tell_of_memory();
    if (state == ENDS && is_alone) state = OVER;
    if (state == ENDS && boot_ms() >= kill_at) kill_all();
}

static void tell_end(void) {
    long long until = boot_ms() + EXIT_PATIENCE_MS;
    while (write_end(&ending, 1) != 0 && boot_ms() < until && !is_directory_gone()) poll(NULL, 0, 100);
}

// What is kept for the daemon is closed to agents, which are other users. Without root all are one user, and the daemon may
// see it only when this process is as open as the agent is itself.
static void open_to_daemon(void) {
    struct rlimit no_core = {0, 0};
    if (geteuid() != 0 && setrlimit(RLIMIT_CORE, &no_core) == 0) prctl(PR_SET_DUMPABLE, 1);
}

int run_agent(void) {
    begin(&spec, "agentos-superv");
    // Before another file takes its number. Without it commands get what can still be seen of the agent.
    (void)specification_keep(&spec, KEPT_FD);
    int problem = write_claim(&spec);
    if (problem != 0) {
        report(problem == EEXIST ? "claimed" : "unclaimable", problem, 0, NULL);
        return problem == EEXIST ? 0 : 101;
    }
    reserve_exit();
    log_init(&output, spec.log_bytes, spec.log_files);
    start_agent();
    // The agent has its own copy of the rest; nothing of its environment stays here.
    specification_forget(&spec);
    open_to_daemon();
    memory_watch_start(&memory, &spec);
    while (state != OVER) serve();
    for (int i = 0; i < STREAMS; i++) stream_finish(&output, &streams[i]);
    log_tick(&output, streams, STREAMS);
    tell_end();
    return 0;
}
