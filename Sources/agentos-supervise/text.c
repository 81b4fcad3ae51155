#include "text.h"

#include <string.h>

void put_bytes(struct text *t, const char *s, size_t n) {
    size_t room = (size_t)(t->end - t->at);
    if (n > room) n = room;
    memcpy(t->at, s, n);
    t->at += n;
}

void put(struct text *t, const char *s) { put_bytes(t, s, strlen(s)); }

void put_number(struct text *t, long long n) {
    char digits[24];
    int i = sizeof digits;
    unsigned long long u = n < 0 ? -(unsigned long long)n : (unsigned long long)n;
    do digits[--i] = (char)('0' + u % 10);
    while (u /= 10);
    if (n < 0) digits[--i] = '-';
    put_bytes(t, digits + i, sizeof digits - (size_t)i);
}

void put_padded(struct text *t, long n, int width) {
    for (long limit = 1, i = 1; i < width; i++) {
        limit *= 10;
        if (n < limit) put(t, "0");
    }
    put_number(t, n);
}

void put_quoted(struct text *t, const char *s) {
    put(t, "\"");
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '\r') put(t, "\\r");
        else if (c == '\n') put(t, "\\n");
        else if (c < ' ' || c == 0x7f) put(t, "?");
        else put_bytes(t, s, 1);
    }
    put(t, "\"");
}

char *text_end(struct text *t, char *start) {
    *t->at = 0;
    return start;
}
