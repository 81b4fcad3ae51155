#include "../../Sources/agentos-supervise/text.h"

#include <limits.h>

#include "check.h"

static void number(long long n, const char *wanted) {
    char text[64];
    struct text t = TEXT_IN(text);
    put_number(&t, n);
    CHECK_TEXT(text_end(&t, text), wanted);
}

static void padded(long n, int width, const char *wanted) {
    char text[64];
    struct text t = TEXT_IN(text);
    put_padded(&t, n, width);
    CHECK_TEXT(text_end(&t, text), wanted);
}

void check_texts(void) {
    number(0, "0");
    number(-1, "-1");
    number(LLONG_MAX, "9223372036854775807");
    number(LLONG_MIN, "-9223372036854775808");
    padded(0, 2, "00");
    padded(7, 9, "000000007");
    padded(2026, 4, "2026");
    padded(12345, 2, "12345");

    char small[6];
    struct text t = TEXT_IN(small);
    put(&t, "abc");
    put(&t, "defgh");
    put_number(&t, 5);
    CHECK_TEXT(text_end(&t, small), "abcde");

    char quoted[64];
    struct text q = TEXT_IN(quoted);
    put_quoted(&q, "a b\r\n\tc\x7f");
    CHECK_TEXT(text_end(&q, quoted), "\"a b\\r\\n?c?\"");
}
