#include <zlib.h>

// inflateInit, deflateInit and deflateInit2 are macros, which Swift cannot call.
static inline int agentos_inflate_begin(z_stream *stream) { return inflateInit(stream); }
/// As gzip (RFC 1952), fast: 15 bits of window, and 16 for the format.
static inline int agentos_gzip_begin(z_stream *stream) {
    return deflateInit2(stream, Z_BEST_SPEED, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
}
static inline int agentos_deflate_begin(z_stream *stream) { return deflateInit(stream, Z_DEFAULT_COMPRESSION); }
