// Any output of an agent, in any pieces and from both streams: what is logged is what was written, line by line.
#include "../../Sources/agentos-supervise/log.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FILE_MAX = 1 << 20 };

static char directory[] = "/tmp/agentos-fuzz.XXXXXX";
static char wanted[2][FILE_MAX], found[2][FILE_MAX], file[FILE_MAX];

static void leave(void) {
    unlink("log");
    if (chdir("/") == 0) rmdir(directory);
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc, (void)argv;
    if (!mkdtemp(directory) || chdir(directory) != 0) abort();
    atexit(leave);
    return 0;
}

// Joins the records of each stream to its text again; a line that never ended has no end here either.
static void read_back(size_t used[2]) {
    int fd = open("log", O_RDONLY);
    ssize_t n = fd < 0 ? 0 : read(fd, file, sizeof file);
    if (fd >= 0) close(fd);
    for (char *at = file, *end = file + n; at < end;) {
        char *newline = memchr(at, '\n', (size_t)(end - at));
        if (!newline || newline - at < 40 || at[30] != ' ') abort();
        int stream = memcmp(at + 31, "stderr ", 7) == 0;
        if (!stream && memcmp(at + 31, "stdout ", 7) != 0) abort();
        if ((at[38] != 'F' && at[38] != 'P') || at[39] != ' ') abort();
        size_t length = (size_t)(newline - at) - 40;
        memcpy(found[stream] + used[stream], at + 40, length);
        used[stream] += length;
        if (at[38] == 'F') found[stream][used[stream]++] = '\n';
        at = newline + 1;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct log log;
    static struct stream streams[2];
    size_t given[2] = {0, 0}, read_bytes[2] = {0, 0};
    if (size > 1 << 16) return 0;
    log_init(&log, 1 << 30, 2);
    streams[0] = (struct stream){.name = "stdout", .fd = -1};
    streams[1] = (struct stream){.name = "stderr", .fd = -1};
    for (size_t at = 0; at < size;) {
        // A byte says whose the next piece is, how long, and whether it stands for a repeated one.
        int stream = data[at] & 1, tick = data[at] & 2;
        size_t length = (size_t)(data[at] >> 3) + 1, repeat = data[at] & 4 ? 700 : 1;
        at++;
        if (length > size - at) length = size - at;
        for (size_t i = 0; i < repeat; i++) {
            struct stream *s = &streams[stream];
            for (size_t done = 0; done < length;) {
                size_t room = sizeof s->line - s->used, part = length - done < room ? length - done : room;
                if (given[stream] + part > FILE_MAX / 4) break;
                memcpy(s->line + s->used, data + at + done, part);
                memcpy(wanted[stream] + given[stream], data + at + done, part);
                given[stream] += part;
                stream_take(&log, s, part);
                done += part;
            }
            if (given[0] + given[1] > FILE_MAX / 8) break;
        }
        if (tick) {
            streams[stream].touched_at = -PARTIAL_AFTER_MS;
            log_tick(&log, streams, 2);
        }
        at += length;
    }
    for (int i = 0; i < 2; i++) streams[i].touched_at = -PARTIAL_AFTER_MS;
    log_tick(&log, streams, 2);
    read_back(read_bytes);
    for (int i = 0; i < 2; i++)
        if (given[i] != read_bytes[i] || memcmp(wanted[i], found[i], given[i]) != 0) abort();
    if (log.fd >= 0) close(log.fd);
    unlink("log");
    return 0;
}
