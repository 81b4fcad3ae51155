#include <zlib.h>

// inflateInit and deflateInit are macros, which Swift cannot call.
static inline int agentos_inflate_begin(z_stream *stream) { return inflateInit(stream); }
static inline int agentos_deflate_begin(z_stream *stream) { return deflateInit(stream, Z_DEFAULT_COMPRESSION); }
