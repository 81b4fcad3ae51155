#include <curl/curl.h>
/// curl_easy_setopt is variadic, which Swift cannot call.
static inline CURLcode agentos_curl_long(CURL *h, CURLoption o, long v) { return curl_easy_setopt(h, o, v); }
static inline CURLcode agentos_curl_string(CURL *h, CURLoption o, const char *v) { return curl_easy_setopt(h, o, v); }
static inline CURLcode agentos_curl_pointer(CURL *h, CURLoption o, void *v) { return curl_easy_setopt(h, o, v); }
typedef size_t (*agentos_curl_write)(char *data, size_t size, size_t count, void *user);
static inline CURLcode agentos_curl_writer(CURL *h, agentos_curl_write f, void *user) {
    CURLcode code = curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, f);
    return code != CURLE_OK ? code : curl_easy_setopt(h, CURLOPT_WRITEDATA, user);
}
/// The bytes are copied.
static inline CURLcode agentos_curl_blob(CURL *h, CURLoption o, const void *bytes, size_t length) {
    struct curl_blob blob = {(void *)bytes, length, CURL_BLOB_COPY};
    return curl_easy_setopt(h, o, &blob);
}
static inline int agentos_curl_socket(CURL *h) {
    curl_socket_t fd = -1;
    curl_easy_getinfo(h, CURLINFO_ACTIVESOCKET, &fd);
    return fd;
}
static inline long agentos_curl_status(CURL *h) {
    long code = 0;
    curl_easy_getinfo(h, CURLINFO_RESPONSE_CODE, &code);
    return code;
}
static inline CURLcode agentos_curl_headers(CURL *h, agentos_curl_write f, void *user) {
    CURLcode code = curl_easy_setopt(h, CURLOPT_HEADERFUNCTION, f);
    return code != CURLE_OK ? code : curl_easy_setopt(h, CURLOPT_HEADERDATA, user);
}
