#include "kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "text.h"

int write_all(int fd, const char *p, size_t n) {
    while (n) {
        ssize_t written = write(fd, p, n);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return -1;
        if (written == 0) return errno = ENOSPC, -1;
        p += written;
        n -= (size_t)written;
    }
    return 0;
}

ssize_t read_all(int fd, char *p, size_t n) {
    size_t used = 0;
    while (used < n) {
        ssize_t count = read(fd, p + used, n - used);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return -1;
        if (count == 0) break;
        used += (size_t)count;
    }
    return (ssize_t)used;
}

ssize_t read_text(const char *path, char *text, size_t room) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return -1;
    ssize_t n = read_all(fd, text, room - 1);
    int saved = errno;
    close(fd);
    errno = saved;
    if (n >= 0) text[n] = 0;
    return n;
}

static long long milliseconds(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

long long wall_ms(void) { return milliseconds(CLOCK_REALTIME); }
long long boot_ms(void) { return milliseconds(CLOCK_BOOTTIME); }

unsigned long long start_time(pid_t pid) {
    char path[40], text[1024];
    struct text t = TEXT_IN(path);
    put(&t, "/proc/");
    put_number(&t, pid);
    put(&t, "/stat");
    if (read_text(text_end(&t, path), text, sizeof text) <= 0) return 0;
    char *at = strrchr(text, ')');
    for (int field = 2; at && field < 22; field++) at = strchr(at + 1, ' ');
    return at ? strtoull(at + 1, NULL, 10) : 0;
}

pid_t wait_for(pid_t pid, int *status, int flags) {
    pid_t gone;
    do gone = waitpid(pid, status, flags);
    while (gone < 0 && errno == EINTR);
    return gone;
}
