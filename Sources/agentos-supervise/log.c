#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>  // rename
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "kernel.h"
#include "text.h"

void log_init(struct log *log, long long bytes_max, long files_max) {
    *log = (struct log){.fd = -1, .bytes_max = bytes_max, .files_max = files_max};
}

static char *log_name(char name[32], long number) {
    struct text t = {name, name + 31};
    put(&t, "log");
    if (number > 0) {
        put(&t, ".");
        put_number(&t, number);
    }
    return text_end(&t, name);
}

static void open_log(struct log *log) {
    struct stat status;
    log->fd = open("log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    log->size = log->fd >= 0 && fstat(log->fd, &status) == 0 ? status.st_size : 0;
}

static void rotate_log(struct log *log) {
    char from[32], to[32];
    close(log->fd);
    unlink(log_name(to, log->files_max - 1));
    for (long number = log->files_max - 2; number >= 0; number--)
        rename(log_name(from, number), log_name(to, number + 1));
    open_log(log);
}

// "2026-01-02T03:04:05.123456789Z " in UTC. Days to date: H. Hinnant's date algorithms.
static void put_time(struct text *t) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    long days = now.tv_sec / 86400, second = now.tv_sec % 86400;
    long z = days + 719468, era = z / 146097, day_of_era = z - era * 146097;
    long year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    long day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    long m = (5 * day_of_year + 2) / 153, day = day_of_year - (153 * m + 2) / 5 + 1, month = m < 10 ? m + 3 : m - 9;
    put_padded(t, year_of_era + era * 400 + (month <= 2), 4);
    put(t, "-");
    put_padded(t, month, 2);
    put(t, "-");
    put_padded(t, day, 2);
    put(t, "T");
    put_padded(t, second / 3600, 2);
    put(t, ":");
    put_padded(t, second / 60 % 60, 2);
    put(t, ":");
    put_padded(t, second % 60, 2);
    put(t, ".");
    put_padded(t, now.tv_nsec, 9);
    put(t, "Z ");
}

// All or nothing of it. One failed call is tried again: the next may succeed.
static int append(struct log *log, const char *bytes, size_t n) {
    size_t done = 0;
    for (int failures = 0; done < n;) {
        ssize_t written = write(log->fd, bytes + done, n - done);
        if (written > 0) done += (size_t)written;
        else if (++failures > 1) break;
    }
    int saved = errno;
    if (done == n || (done > 0 && ftruncate(log->fd, log->size) != 0)) log->size += (long long)done;
    errno = saved;
    return done == n ? 0 : -1;
}

static int write_record(struct log *log, const char *stream, const char *tag, const char *bytes, size_t n) {
    char record[RECORD_TEXT_MAX + 64];
    struct text t = TEXT_IN(record);
    if (log->retry_at && boot_ms() < log->retry_at) return errno = log->problem, -1;
    put_time(&t);
    put(&t, stream);
    put(&t, tag);
    put_bytes(&t, bytes, n);
    put(&t, "\n");
    if (log->fd >= 0 && log->size >= log->bytes_max) rotate_log(log);
    if (log->fd < 0) open_log(log);
    int is_open = log->fd >= 0;
    // A log that cannot be rotated away grows no further.
    if (is_open && log->size >= 2 * log->bytes_max) is_open = 0, errno = EFBIG;
    if (is_open && append(log, record, (size_t)(t.at - record)) == 0) {
        log->retry_at = 0;
        return 0;
    }
    log->problem = errno;
    log->retry_at = boot_ms() + (log->problem == ENOENT ? GONE_AFTER_MS : RETRY_AFTER_MS);
    return -1;
}

static int write_mark(struct log *log) {
    char line[128];
    struct text t = TEXT_IN(line);
    put_number(&t, log->dropped);
    put(&t, " lines were dropped: ");
    put(&t, log->problem == ENOSPC ? "the disk was full" : strerror(log->problem));
    int problem = log->problem;
    if (write_record(log, "stderr", " F ", line, (size_t)(t.at - line)) != 0) return -1;
    log->problem = problem;
    log->dropped = 0;
    return 0;
}

static void log_part(struct log *log, struct stream *s, const char *bytes, size_t n, int ends) {
    int is_written =
        (!log->dropped || write_mark(log) == 0) && write_record(log, s->name, ends ? " F " : " P ", bytes, n) == 0;
    if (!is_written && !s->has_dropped) log->dropped++;
    s->has_dropped = !ends && (s->has_dropped || !is_written);
    s->goes_on = !ends;
}

void stream_take(struct log *log, struct stream *s, size_t n) {
    size_t end = s->used + n, start = 0;
    char *newline;
    while ((newline = memchr(s->line + start, '\n', end - start))) {
        size_t at = (size_t)(newline - s->line);
        log_part(log, s, s->line + start, at - start, 1);
        start = at + 1;
    }
    if (start == 0 && end == sizeof s->line) {
        log_part(log, s, s->line, end, 0);
        start = end;
    }
    memmove(s->line, s->line + start, end - start);
    s->used = end - start;
    s->touched_at = boot_ms();
}

size_t stream_pump(struct log *log, struct stream *s) {
    ssize_t n = read(s->fd, s->line + s->used, sizeof s->line - s->used);
    if (n > 0) {
        stream_take(log, s, (size_t)n);
        return (size_t)n;
    }
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) return 0;
    if (s->used) log_part(log, s, s->line, s->used, 1);
    s->used = 0;
    close(s->fd);
    s->fd = -1;
    return 0;
}

void stream_finish(struct log *log, struct stream *s) {
    if (s->fd < 0) return;
    int room = fcntl(s->fd, F_GETPIPE_SZ);
    size_t left = room > 0 ? (size_t)room : 65536;
    fcntl(s->fd, F_SETFL, O_NONBLOCK);
    // Who still holds the pipe may write without end: no more is taken than the pipe held when the agent's tree ended.
    while (s->fd >= 0 && left > 0) {
        size_t n = stream_pump(log, s);
        if (n == 0 && errno != EINTR) break;
        left -= n < left ? n : left;
    }
    if (s->fd < 0) return;
    if (s->used) log_part(log, s, s->line, s->used, 1);
    s->used = 0;
    close(s->fd);
    s->fd = -1;
}

void log_tick(struct log *log, struct stream *streams, int count) {
    long long now = boot_ms();
    for (int i = 0; i < count; i++) {
        struct stream *s = &streams[i];
        if (s->used && now >= s->touched_at + PARTIAL_AFTER_MS) {
            log_part(log, s, s->line, s->used, 0);
            s->used = 0;
        }
    }
    if (log->dropped && now >= log->retry_at) write_mark(log);
}

int log_wait(const struct log *log, const struct stream *streams, int count) {
    long long first = log->dropped ? log->retry_at : -1, now = boot_ms();
    for (int i = 0; i < count; i++) {
        long long at = streams[i].touched_at + PARTIAL_AFTER_MS;
        if (streams[i].used && (first < 0 || at < first)) first = at;
    }
    if (first < 0) return -1;
    return first <= now ? 0 : (int)(first - now);
}
