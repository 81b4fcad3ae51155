#include "specification.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kernel.h"

struct reader {
    char *at, *end;
    char **pool;
    int is_broken;
};

static char *next_string(struct reader *r) {
    char *start = r->at, *zero = start < r->end ? memchr(start, 0, (size_t)(r->end - start)) : NULL;
    if (!zero) {
        r->is_broken = 1;
        return "";
    }
    r->at = zero + 1;
    return start;
}

static long long next_number(struct reader *r, long long least, long long most) {
    char *text = next_string(r), *end;
    errno = 0;
    long long n = strtoll(text, &end, 10);
    int is_number = (*text == '-' || (*text >= '0' && *text <= '9')) && !*end && errno == 0;
    if (!is_number || n < least || n > most) {
        r->is_broken = 1;
        return least;
    }
    return n;
}

static char **next_list(struct reader *r) {
    char **list = r->pool;
    long long count = next_number(r, 0, SPECIFICATION_STRINGS_MAX);
    for (long long i = 0; i < count && !r->is_broken; i++) *r->pool++ = next_string(r);
    *r->pool++ = NULL;
    return list;
}

static int next_few(struct reader *r, const char **items, int most) {
    int count = (int)next_number(r, 0, most);
    for (int i = 0; i < count; i++) items[i] = next_string(r);
    return count;
}

static int digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// The filter is written over its own digits: it takes half of their room. Each of its instructions has 8 bytes.
static void next_filter(struct reader *r, struct specification *spec) {
    char *digits = next_string(r);
    size_t count = strlen(digits) / 2;
    if (strlen(digits) % 16 != 0 || count > FILTER_BYTES_MAX) {
        r->is_broken = 1;
        return;
    }
    unsigned char *out = (unsigned char *)digits;
    for (size_t i = 0; i < count; i++) {
        int high = digit(digits[2 * i]), low = digit(digits[2 * i + 1]);
        if (high < 0 || low < 0) {
            r->is_broken = 1;
            return;
        }
        out[i] = (unsigned char)(high << 4 | low);
    }
    spec->filter_bytes = count;
    spec->filter = out;
}

int specification_parse(struct specification *spec, char *bytes, size_t n) {
    size_t strings = 0;
    for (size_t i = 0; i < n; i++) strings += bytes[i] == 0;
    if (strings > SPECIFICATION_STRINGS_MAX) return -1;
    // Two lists, each with a null pointer at its end.
    spec->pool_size = (strings + 2) * sizeof(char *);
    spec->pool = mmap(NULL, spec->pool_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (spec->pool == MAP_FAILED) {
        spec->pool = NULL;
        return -1;
    }
    struct reader r = {bytes, bytes + n, spec->pool, 0};
    if (strcmp(next_string(&r), "3") != 0) return -1;
    spec->boot = next_string(&r);
    spec->store = next_string(&r);
    spec->uid = next_number(&r, -1, UINT_MAX - 1LL);
    spec->gid = next_number(&r, -1, UINT_MAX - 1LL);
    spec->umask = next_number(&r, 0, 0777);
    spec->directory = next_string(&r);
    spec->files_soft = next_number(&r, -1, INT_MAX);
    spec->files_hard = next_number(&r, -1, INT_MAX);
    next_filter(&r, spec);
    spec->confined = (int)next_number(&r, 0, 1);
    spec->read_count = next_few(&r, spec->readable, PATHS_MAX);
    spec->write_count = next_few(&r, spec->writable, PATHS_MAX);
    spec->log_bytes = next_number(&r, 0, 1LL << 40);
    spec->log_files = next_number(&r, 0, 1000);
    spec->stop_signal = next_number(&r, 0, 64);
    spec->grace_ms = next_number(&r, 0, 1LL << 40);
    spec->cgroup_count = next_few(&r, spec->cgroups, CGROUPS_MAX);
    spec->argv = next_list(&r);
    spec->envp = next_list(&r);
    int is_whole = strcmp(next_string(&r), "end") == 0 && r.at == r.end;
    return r.is_broken || !is_whole || !spec->argv[0] ? -1 : 0;
}

int specification_read(struct specification *spec, int fd) {
    spec->size = SPECIFICATION_BYTES_MAX;
    spec->memory = mmap(NULL, spec->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (spec->memory == MAP_FAILED) {
        spec->memory = NULL;
        return -1;
    }
    ssize_t n = read_all(fd, spec->memory, spec->size);
    // What fills the room to its last byte may be longer.
    if (n < 0 || (size_t)n == spec->size) return -1;
    spec->used = (size_t)n;
    return specification_parse(spec, spec->memory, (size_t)n);
}

int specification_keep(const struct specification *spec, int fd) {
    // The digits of the filter were written over; what they stood in ends with their zero byte.
    const char *filter = (const char *)spec->filter;
    size_t before = (size_t)(filter - spec->memory), behind = before + 2 * spec->filter_bytes;
    int copy = memfd_create("agentos-specification", MFD_CLOEXEC), result = -1;
    if (copy < 0) return -1;
    if (write_all(copy, spec->memory, before) == 0 && write_all(copy, spec->memory + behind, spec->used - behind) == 0)
        result = copy == fd || dup3(copy, fd, O_CLOEXEC) == fd ? 0 : -1;
    if (result != 0 || copy != fd) {
        int saved = errno;
        close(copy);
        errno = saved;
    }
    return result;
}

void specification_forget(struct specification *spec) {
    size_t kept = 0;
    for (int i = 0; i < spec->cgroup_count; i++) kept += strlen(spec->cgroups[i]) + 1;
    char *names = kept ? malloc(kept) : NULL;
    if (!names) spec->cgroup_count = 0;
    for (int i = 0; i < spec->cgroup_count; i++) {
        size_t length = strlen(spec->cgroups[i]) + 1;
        memcpy(names, spec->cgroups[i], length);
        spec->cgroups[i] = names;
        names += length;
    }
    if (spec->memory) munmap(spec->memory, spec->size);
    if (spec->pool) munmap(spec->pool, spec->pool_size);
    spec->memory = NULL;
    spec->pool = NULL;
    spec->boot = spec->store = spec->directory = "";
    spec->filter = NULL;
    spec->argv = spec->envp = NULL;
}
