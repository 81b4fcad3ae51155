#include <curl/curl.h>

#include "../lazy.h"

// libcurl, loaded by whoever speaks to another machine: it brings thirty libraries along.

#define AGENTOS_CURL "libcurl.so.4"
#define AGENTOS_LAZY(name) AGENTOS_LAZY_FROM(AGENTOS_CURL, name)

/// Loads and prepares it; why it cannot be used, NULL when it can. To be asked before anything else, from any thread.
static inline const char *agentos_curl_problem(void) {
    const char *problem = agentos_library_problem(AGENTOS_CURL);
    if (problem) return problem;
    return AGENTOS_LAZY(curl_global_init)(CURL_GLOBAL_SSL) == CURLE_OK ? NULL : "libcurl cannot be prepared";
}

static inline CURL *agentos_curl_easy_init(void) { return AGENTOS_LAZY(curl_easy_init)(); }
static inline void agentos_curl_easy_cleanup(CURL *h) { AGENTOS_LAZY(curl_easy_cleanup)(h); }
static inline CURLcode agentos_curl_easy_perform(CURL *h) { return AGENTOS_LAZY(curl_easy_perform)(h); }
static inline const char *agentos_curl_easy_strerror(CURLcode code) { return AGENTOS_LAZY(curl_easy_strerror)(code); }
static inline CURLcode agentos_curl_easy_send(CURL *h, const void *bytes, size_t length, size_t *sent) {
    return AGENTOS_LAZY(curl_easy_send)(h, bytes, length, sent);
}
static inline CURLcode agentos_curl_easy_recv(CURL *h, void *bytes, size_t length, size_t *got) {
    return AGENTOS_LAZY(curl_easy_recv)(h, bytes, length, got);
}
static inline struct curl_slist *agentos_curl_slist_append(struct curl_slist *list, const char *text) {
    return AGENTOS_LAZY(curl_slist_append)(list, text);
}
static inline void agentos_curl_slist_free_all(struct curl_slist *list) { AGENTOS_LAZY(curl_slist_free_all)(list); }

// curl_easy_setopt is variadic, which Swift cannot call.
#define AGENTOS_SET(h, o, v) AGENTOS_LAZY(curl_easy_setopt)((h), (o), (v))
static inline CURLcode agentos_curl_long(CURL *h, CURLoption o, long v) { return AGENTOS_SET(h, o, v); }
static inline CURLcode agentos_curl_string(CURL *h, CURLoption o, const char *v) { return AGENTOS_SET(h, o, v); }
static inline CURLcode agentos_curl_pointer(CURL *h, CURLoption o, void *v) { return AGENTOS_SET(h, o, v); }
typedef size_t (*agentos_curl_write)(char *data, size_t size, size_t count, void *user);
static inline CURLcode agentos_curl_writer(CURL *h, agentos_curl_write f, void *user) {
    CURLcode code = AGENTOS_SET(h, CURLOPT_WRITEFUNCTION, f);
    return code != CURLE_OK ? code : AGENTOS_SET(h, CURLOPT_WRITEDATA, user);
}
static inline CURLcode agentos_curl_headers(CURL *h, agentos_curl_write f, void *user) {
    CURLcode code = AGENTOS_SET(h, CURLOPT_HEADERFUNCTION, f);
    return code != CURLE_OK ? code : AGENTOS_SET(h, CURLOPT_HEADERDATA, user);
}
/// The bytes are copied.
static inline CURLcode agentos_curl_blob(CURL *h, CURLoption o, const void *bytes, size_t length) {
    struct curl_blob blob = {(void *)bytes, length, CURL_BLOB_COPY};
    return AGENTOS_SET(h, o, &blob);
}
static inline int agentos_curl_socket(CURL *h) {
    curl_socket_t fd = -1;
    AGENTOS_LAZY(curl_easy_getinfo)(h, CURLINFO_ACTIVESOCKET, &fd);
    return fd;
}
static inline long agentos_curl_status(CURL *h) {
    long code = 0;
    AGENTOS_LAZY(curl_easy_getinfo)(h, CURLINFO_RESPONSE_CODE, &code);
    return code;
}
