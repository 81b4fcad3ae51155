// What a service manager and its daemon say to each other, as sd_notify(3) and sd_listen_fds(3) describe it.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timex.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "CLinux.h"

int agentos_notify(const char *place, const char *text) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(place);
    if (length < 2 || (place[0] != '/' && place[0] != '@')) {
        errno = EINVAL;
        return -1;
    }
    if (length >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(address.sun_path, place, length);
    // The name of an abstract socket begins with a zero, and ends where its length says.
    if (place[0] == '@') address.sun_path[0] = 0;
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (place[0] == '/'));
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return -1;
    ssize_t sent = sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&address, size);
    int saved = errno;
    close(fd);
    errno = saved;
    return sent < 0 ? -1 : 0;
}

static int option(int fd, int name) {
    int value = -1;
    socklen_t size = sizeof value;
    return getsockopt(fd, SOL_SOCKET, name, &value, &size) == 0 ? value : -1;
}

int agentos_passed_socket(int fd, char *path, size_t size) {
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) return AGENTOS_PASSED_NO_DESCRIPTOR;
    int domain = option(fd, SO_DOMAIN);
    if (domain < 0) return AGENTOS_PASSED_NO_SOCKET;
    if (domain != AF_UNIX || option(fd, SO_TYPE) != SOCK_STREAM) return AGENTOS_PASSED_OTHER_KIND;
    if (option(fd, SO_ACCEPTCONN) != 1) return AGENTOS_PASSED_NOT_LISTENING;
    struct sockaddr_un address;
    socklen_t length = sizeof address;
    memset(&address, 0, sizeof address);
    if (getsockname(fd, (struct sockaddr *)&address, &length) != 0 || address.sun_path[0] != '/' ||
        length > sizeof address || length - offsetof(struct sockaddr_un, sun_path) >= size)
        return AGENTOS_PASSED_NO_PATH;
    memset(path, 0, size);
    memcpy(path, address.sun_path, length - offsetof(struct sockaddr_un, sun_path));
    return AGENTOS_PASSED_GOOD;
}

int64_t agentos_monotonic_us(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

int agentos_clock_is_kept(void) {
    struct timex state = {0};
    return adjtimex(&state) != TIME_ERROR;
}

int agentos_signalfd_daemon(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}
