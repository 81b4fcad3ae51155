#include "../../Sources/agentos-supervise/log.h"

#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../Sources/agentos-supervise/kernel.h"
#include "check.h"

static struct log output;
static struct stream out, err;

static void begin(void) {
    if (output.fd > 0) close(output.fd);
    log_init(&output, 1 << 20, 3);
    out = (struct stream){.name = "stdout", .fd = -1};
    err = (struct stream){.name = "stderr", .fd = -1};
    unlink("log");
}

// As if the stream had been read.
static void give(struct stream *s, const char *bytes, size_t n) {
    while (n) {
        size_t room = sizeof s->line - s->used, part = n < room ? n : room;
        memcpy(s->line + s->used, bytes, part);
        stream_take(&output, s, part);
        bytes += part;
        n -= part;
    }
}

// The log without its times, which are checked for their form.
static const char *lines(void) {
    static char text[1 << 16];
    char *to = text;
    for (const char *at = file_text("log"); *at;) {
        CHECK(strlen(at) > 31 && at[4] == '-' && at[10] == 'T' && at[19] == '.' && at[29] == 'Z');
        const char *end = strchr(at, '\n');
        CHECK(end);
        if (!end) break;
        memcpy(to, at + 31, (size_t)(end - at) - 30);
        to += end - at - 30;
        at = end + 1;
    }
    *to = 0;
    return text;
}

static void check_lines(void) {
    begin();
    give(&out, "one\ntwo\r\n\nthr", 13);
    give(&err, "\xff\xfe\n", 3);
    give(&out, "ee\n", 3);
    CHECK_TEXT(lines(), "stdout F one\nstdout F two\r\nstdout F \nstderr F \xff\xfe\nstdout F three\n");
}

// A line of any length has parts of the same stream, of which only the last is an end.
static void check_long_lines(void) {
    static char line[20001];
    begin();
    memset(line, 'x', 20000);
    line[20000] = '\n';
    give(&out, line, 10000);
    give(&err, "between\n", 8);
    give(&out, line + 10000, 10001);
    int parts = 0, ends = 0;
    size_t bytes = 0;
    static char text[1 << 16];
    strcpy(text, lines());
    for (char *at = strtok(text, "\n"); at; at = strtok(NULL, "\n")) {
        if (strncmp(at, "stdout ", 7) != 0) continue;
        parts += at[7] == 'P';
        ends += at[7] == 'F';
        bytes += strlen(at + 9);
    }
    CHECK(parts == 2 && ends == 1 && bytes == 20000);
}

// What a prompt says is there before its line ends.
static void check_partial_lines(void) {
    begin();
    give(&out, "name: ", 6);
    CHECK_TEXT(lines(), "");
    int wait = log_wait(&output, &out, 1);
    CHECK(wait >= 0 && wait <= PARTIAL_AFTER_MS);  // 0: the time is over by now
    poll(NULL, 0, wait + 1);
    log_tick(&output, &out, 1);
    CHECK(log_wait(&output, &out, 1) == -1);
    CHECK_TEXT(lines(), "stdout P name: \n");
    give(&out, "ada\n", 4);
    CHECK_TEXT(lines(), "stdout P name: \nstdout F ada\n");
}

static void check_rotation(void) {
    begin();
    output.bytes_max = 200;
    for (int i = 0; i < 60; i++) give(&out, "0123456789\n", 11);
    struct stat status;
    CHECK(stat("log", &status) == 0 && status.st_size < 260);
    CHECK(stat("log.1", &status) == 0 && status.st_size >= 200);
    CHECK(stat("log.2", &status) == 0 && status.st_size >= 200);
    CHECK(stat("log.3", &status) != 0);
    unlink("log.1");
    unlink("log.2");
}

// The agent is never blocked: lines are dropped, counted and marked, also when no other line follows.
static void check_full_disk(void) {
    begin();
    CHECK(symlink("/dev/full", "log") == 0);
    give(&out, "lost\nlost\nlost", 14);
    CHECK(output.dropped == 2 && output.problem == 28);
    give(&out, " too\n", 5);
    CHECK(output.dropped == 3);
    close(output.fd);
    output.fd = -1;
    unlink("log");
    int wait = log_wait(&output, &out, 1);
    CHECK(wait >= 0 && wait <= RETRY_AFTER_MS);
    output.retry_at = 1;
    log_tick(&output, &out, 1);
    CHECK_TEXT(lines(), "stderr F 3 lines were dropped: the disk was full\n");
    CHECK(log_wait(&output, &out, 1) == -1);
    give(&out, "kept\n", 5);
    CHECK_TEXT(lines(), "stderr F 3 lines were dropped: the disk was full\nstdout F kept\n");
}

// Without its directory a log is not tried again and again.
static void check_missing_directory(void) {
    begin();
    CHECK(mkdir("gone", 0700) == 0 && chdir("gone") == 0 && rmdir("../gone") == 0);
    for (int i = 0; i < 1000; i++) give(&out, "lost\n", 5);
    CHECK(output.dropped == 1000);
    CHECK(log_wait(&output, &out, 1) > GONE_AFTER_MS / 2);
    CHECK(chdir("..") != 0 || 1);
}

// The end of an agent does not wait for who else holds its output.
static void check_held_pipe(void) {
    int fds[2];
    begin();
    CHECK(pipe(fds) == 0 && write(fds[1], "a\nb", 3) == 3);
    out.fd = fds[0];
    stream_finish(&output, &out);
    CHECK(out.fd == -1);
    CHECK_TEXT(lines(), "stdout F a\nstdout F b\n");
    close(fds[1]);
}

void check_logs(void) {
    check_lines();
    check_long_lines();
    check_partial_lines();
    check_rotation();
    check_full_disk();
    check_held_pipe();
    check_missing_directory();
}
