// Text that is put together in a buffer of fixed size; no stdio, so that the process stays small.
#pragma once
#include <stddef.h>

struct text {
    char *at, *end;  // what does not fit is left out
};

#define TEXT_IN(array) \
    (struct text) { (array), (array) + sizeof(array) - 1 }

void put(struct text *t, const char *s);
void put_bytes(struct text *t, const char *s, size_t n);
void put_number(struct text *t, long long n);
// With leading zeros, for numbers that are not negative.
void put_padded(struct text *t, long n, int width);
// In quotes, without what would break a line of text.
void put_quoted(struct text *t, const char *s);
// Ends the text with a zero byte, for which there is always room in a buffer of TEXT_IN.
char *text_end(struct text *t, char *start);
