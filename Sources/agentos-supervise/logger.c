#include "logger.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"

static struct log output;
static struct stream streams[2] = {{.name = "stdout", .fd = 3}, {.name = "stderr", .fd = 4}};

int run_logger(char *settings) {
    char *end;
    long long bytes = strtoll(settings, &end, 10);
    if (*end != ':') return 100;
    long files = strtol(end + 1, &end, 10);
    if (*end != ':' || bytes <= 0 || files <= 0 || chdir(end + 1) != 0) return 100;
    prctl(PR_SET_NAME, "agentos-log");
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    umask(077);
    log_init(&output, bytes, files);
    close(5);
    while (streams[0].fd >= 0 || streams[1].fd >= 0) {
        struct pollfd fds[2] = {{.fd = streams[0].fd, .events = POLLIN}, {.fd = streams[1].fd, .events = POLLIN}};
        if (poll(fds, 2, log_wait(&output, streams, 2)) < 0) continue;
        for (int i = 0; i < 2; i++)
            if (fds[i].revents) stream_pump(&output, &streams[i]);
        log_tick(&output, streams, 2);
    }
    log_tick(&output, streams, 2);
    return 0;
}
