// The agent's output in the CRI log format: `TIME STREAM TAG TEXT`, where the tag P says that the line goes on in a
// later record of the same stream, and F that it ends here.
//
// The agent is never blocked: what cannot be written is dropped, counted and marked.
#pragma once
#include <stddef.h>

enum {
    RECORD_TEXT_MAX = 8192,
    PARTIAL_AFTER_MS = 100,  // a line without an end is written so long after its last byte
    RETRY_AFTER_MS = 1000,   // the log is tried again so long after it could not be written
    GONE_AFTER_MS = 60000,   // the same, when its directory was not there
};

struct log {
    int fd;
    long long size, bytes_max;
    long files_max;
    long dropped;        // lines since the last mark
    int problem;         // the errno of the last of them
    long long retry_at;  // milliseconds since boot; until then nothing is tried
};

struct stream {
    const char *name;
    int fd;                // -1: at its end
    size_t used;           // bytes in `line`
    int goes_on;           // the last record was a part of a line
    int has_dropped;       // a part of this line was dropped, and counted
    long long touched_at;  // milliseconds since boot, of the last byte
    char line[RECORD_TEXT_MAX];
};

void log_init(struct log *log, long long bytes_max, long files_max);
// Logs the bytes that were appended to `line`, as far as they are lines or fill it.
void stream_take(struct log *log, struct stream *stream, size_t n);
// Reads once, of a descriptor that is readable, and logs; closes at the end. Returns the number of bytes.
size_t stream_pump(struct log *log, struct stream *stream);
// Logs what is in the pipe, without waiting for more, and closes: whoever else holds the pipe.
void stream_finish(struct log *log, struct stream *stream);
// Writes lines that wait for their end too long, and the mark of dropped ones.
void log_tick(struct log *log, struct stream *streams, int count);
// Milliseconds until `log_tick` has something to do, or -1.
int log_wait(const struct log *log, const struct stream *streams, int count);
