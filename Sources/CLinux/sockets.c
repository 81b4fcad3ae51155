#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int unix_socket(const char *path, struct sockaddr_un *address) {
    if (strlen(path) >= sizeof address->sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    strcpy(address->sun_path, path);
    return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

int agentos_connect_unix(const char *path) {
    struct sockaddr_un address;
    int fd = unix_socket(path, &address);
    if (fd < 0) return -1;
    // A listener that does not accept refuses with EAGAIN instead of holding us up.
    int flags = fcntl(fd, F_GETFL);
    if (fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0
        && fcntl(fd, F_SETFL, flags) == 0)
        return fd;
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

int agentos_socket_pair(int fds[2]) { return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds); }

int agentos_listen_unix(const char *path) {
    struct sockaddr_un address;
    int fd = unix_socket(path, &address);
    if (fd < 0) return -1;
    // The caller holds the lock of the state directory: a socket file that is still here is a dead one.
    unlink(path);
    mode_t before = umask(0177);
    int result = bind(fd, (struct sockaddr *)&address, sizeof address);
    int saved = errno;
    umask(before);
    if (result == 0 && listen(fd, 512) == 0) return fd;
    if (result == 0) saved = errno;
    close(fd);
    errno = saved;
    return -1;
}
