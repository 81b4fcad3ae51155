#include "tree.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel.h"
#include "text.h"

enum { DEPTH_MAX = 64 };

static void send(pid_t pid, int signal) {
    if (pid <= 1) return;
    kill(pid, signal);
    if (signal != SIGKILL) kill(pid, SIGCONT);  // a stopped process takes its signal only then
}

static void signal_below(pid_t parent, int signal, int depth);

static void signal_children(int children, int signal, int depth) {
    char text[2048];
    long pid = 0;
    for (ssize_t n; (n = read_all(children, text, sizeof text)) > 0;) {
        for (ssize_t i = 0; i < n; i++) {
            if (isdigit((unsigned char)text[i])) {
                pid = pid * 10 + (text[i] - '0');
            } else if (pid) {
                // What lies too deep is met when it has become an orphan.
                if (depth < DEPTH_MAX) signal_below((pid_t)pid, signal, depth + 1);
                send((pid_t)pid, signal);
                pid = 0;
            }
        }
    }
}

// Each thread of a process has children of its own.
static void signal_below(pid_t parent, int signal, int depth) {
    char path[64];
    struct text t = TEXT_IN(path);
    put(&t, "/proc/");
    put_number(&t, parent);
    put(&t, "/task/");
    DIR *tasks = opendir(text_end(&t, path));
    if (!tasks) return;
    for (struct dirent *entry; (entry = readdir(tasks));) {
        if (!isdigit((unsigned char)*entry->d_name)) continue;
        struct text name = {t.at, path + sizeof path - 1};
        put(&name, entry->d_name);
        put(&name, "/children");
        int children = open(text_end(&name, path), O_RDONLY | O_CLOEXEC);
        if (children < 0) continue;
        signal_children(children, signal, depth);
        close(children);
    }
    closedir(tasks);
}

void signal_tree(int signal) { signal_below(getpid(), signal, 0); }

void kill_tree(void) {
    for (int pause_ms = 1;; pause_ms = pause_ms < 100 ? 2 * pause_ms : pause_ms) {
        signal_tree(SIGKILL);
        pid_t gone;
        while ((gone = wait_for(-1, NULL, WNOHANG)) > 0) {}
        if (gone < 0 && errno == ECHILD) return;
        poll(NULL, 0, pause_ms);
    }
}
