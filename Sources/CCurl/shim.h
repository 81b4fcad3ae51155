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
static inline long agentos_curl_status(CURL *h) {
    long code = 0;
    curl_easy_getinfo(h, CURLINFO_RESPONSE_CODE, &code);
    return code;
}
static inline CURLcode agentos_curl_headers(CURL *h, agentos_curl_write f, void *user) {
    CURLcode code = curl_easy_setopt(h, CURLOPT_HEADERFUNCTION, f);
    return code != CURLE_OK ? code : curl_easy_setopt(h, CURLOPT_HEADERDATA, user);
}
