// A keep-alive client that counts: how many requests are answered in a second, and how long each takes?
//
// usage: load ADDRESS CONNECTIONS REQUESTS METHOD TARGET [TYPE BODY]
//
// ADDRESS is the path of a unix socket, or CERTIFICATE,KEY,AUTHORITY,PORT for TLS to this machine. `%n` in TARGET and
// BODY stands for the number of the request. Prints one line of JSON; exits 1 when an answer is not 2xx or is cut.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { OUT_MAX = 1 << 16, HEAD_MAX = 1 << 14 };

struct connection {
    int fd;
    SSL *tls;
    char out[OUT_MAX], head[HEAD_MAX];
    size_t out_length, sent, head_length;
    long long left;   // bytes of the body that are still to come; -1: the head is not complete
    double since;
};

static const char *address, *method, *target, *type, *body;
static SSL_CTX *context;
static long next_number, requests, done, failed;
static double *times;

static void die(const char *what) {
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

static void numbered(char *out, size_t size, const char *text, long number) {
    size_t at = 0;
    for (; *text && at + 24 < size; text++) {
        if (text[0] == '%' && text[1] == 'n') {
            at += (size_t)sprintf(out + at, "%ld", number);
            text++;
        } else {
            out[at++] = *text;
        }
    }
    out[at] = 0;
}

static void dial(struct connection *c) {
    char *comma = strrchr(address, ',');
    if (!comma) {
        struct sockaddr_un place = {.sun_family = AF_UNIX};
        strncpy(place.sun_path, address, sizeof place.sun_path - 1);
        c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(c->fd, (struct sockaddr *)&place, sizeof place)) die(address);
    } else {
        struct sockaddr_in place = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(comma + 1))};
        place.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(c->fd, (struct sockaddr *)&place, sizeof place)) die(address);
        int one = 1;
        setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        c->tls = SSL_new(context);
        SSL_set_fd(c->tls, c->fd);
        if (SSL_connect(c->tls) != 1) die("the handshake");
    }
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
}

static ssize_t put(struct connection *c) {
    size_t left = c->out_length - c->sent;
    if (!c->tls) return send(c->fd, c->out + c->sent, left, MSG_NOSIGNAL);
    int n = SSL_write(c->tls, c->out + c->sent, (int)left);
    if (n <= 0) errno = EAGAIN;
    return n;
}

static ssize_t get(struct connection *c, char *bytes, size_t size) {
    if (!c->tls) return recv(c->fd, bytes, size, 0);
    int n = SSL_read(c->tls, bytes, (int)size);
    if (n > 0) return n;
    errno = EAGAIN;
    return SSL_get_error(c->tls, n) == SSL_ERROR_WANT_READ ? -1 : 0;
}

static void flush(struct connection *c) {
    while (c->sent < c->out_length) {
        ssize_t n = put(c);
        if (n < 0 && errno == EAGAIN) return;
        if (n <= 0) die("send");
        c->sent += (size_t)n;
    }
}

/// Begins the next request; 0 when none is left.
static int ask(struct connection *c) {
    if (next_number == requests) return 0;
    long number = next_number++;
    char path[4096], content[OUT_MAX / 2];
    numbered(path, sizeof path, target, number);
    numbered(content, sizeof content, body ? body : "", number);
    c->out_length = (size_t)snprintf(
        c->out, OUT_MAX, "%s %s HTTP/1.1\r\nHost: localhost\r\n%s%s%sContent-Length: %zu\r\n\r\n%s", method, path,
        type ? "Content-Type: " : "", type ? type : "", type ? "\r\n" : "", strlen(content), content);
    c->sent = c->head_length = 0;
    c->left = -1;
    c->since = now();
    flush(c);
    return 1;
}

/// Takes bytes of an answer; 1 when it is complete.
static int take(struct connection *c, const char *bytes, size_t count) {
    if (c->left < 0) {
        size_t room = HEAD_MAX - 1 - c->head_length, part = count < room ? count : room;
        memcpy(c->head + c->head_length, bytes, part);
        size_t before = c->head_length;
        c->head_length += part;
        c->head[c->head_length] = 0;
        char *end = strstr(c->head, "\r\n\r\n");
        if (!end) return 0;
        const char *length = strcasestr(c->head, "\r\ncontent-length:");
        if (!length || length > end) {
            fprintf(stderr, "load: an answer without a length: %.200s\n", c->head);
            exit(1);
        }
        c->left = atoll(length + 17);
        if (strncmp(c->head, "HTTP/1.1 2", 10) && !failed++) fprintf(stderr, "load: %.400s\n", c->head);
        size_t head = (size_t)(end + 4 - c->head) - before;
        bytes += head;
        count -= head;
    }
    c->left -= (long long)count;
    return c->left <= 0;
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

int main(int count, char **words) {
    if (count != 6 && count != 8) {
        fprintf(stderr, "usage: load ADDRESS CONNECTIONS REQUESTS METHOD TARGET [TYPE BODY]\n");
        return 64;
    }
    address = words[1];
    int connections = atoi(words[2]);
    requests = atol(words[3]);
    method = words[4];
    target = words[5];
    if (count == 8) type = words[6], body = words[7];
    if (connections < 1 || requests < 1) return 64;
    if (strchr(address, ',')) {
        char *copy = strdup(address), *certificate = strtok(copy, ","), *key = strtok(NULL, ","), *authority = strtok(NULL, ",");
        context = SSL_CTX_new(TLS_client_method());
        if (SSL_CTX_use_certificate_chain_file(context, certificate) != 1
            || SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1
            || SSL_CTX_load_verify_locations(context, authority, NULL) != 1)
            die("certificates");
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    }
    times = calloc((size_t)requests, sizeof *times);
    struct connection *all = calloc((size_t)connections, sizeof *all);
    int epoll = epoll_create1(0);
    for (int i = 0; i < connections; i++) {
        dial(&all[i]);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &all[i]};
        epoll_ctl(epoll, EPOLL_CTL_ADD, all[i].fd, &event);
    }
    double start = now();
    for (int i = 0; i < connections; i++) ask(&all[i]);
    static char bytes[1 << 18];
    while (done < requests) {
        struct epoll_event events[256];
        int n = epoll_wait(epoll, events, 256, 30000);
        if (n == 0) errno = ETIMEDOUT;
        if (n <= 0) die("no answer");
        for (int i = 0; i < n; i++) {
            struct connection *c = events[i].data.ptr;
            flush(c);
            for (ssize_t got; (got = get(c, bytes, sizeof bytes)) != -1;) {
                if (got == 0) die("the connection was closed");
                if (take(c, bytes, (size_t)got)) {
                    times[done++] = now() - c->since;
                    if (!ask(c)) break;
                }
            }
        }
    }
    double seconds = (now() - start) / 1e3;
    qsort(times, (size_t)done, sizeof *times, compare);
    printf("{\"per_second\": %.0f, \"median_ms\": %.3f, \"p99_ms\": %.3f, \"failed\": %ld}\n", (double)done / seconds,
           times[done / 2], times[done * 99 / 100], failed);
    return failed ? 1 : 0;
}
