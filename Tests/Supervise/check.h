// Checks of the supervisor's rooms, without a daemon: each in a directory of its own, which is gone afterwards.
#pragma once
#include <stdio.h>

extern int checks_failed;

#define CHECK(condition) \
    do { \
        if (!(condition)) { \
            checks_failed++; \
            fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition); \
        } \
    } while (0)

// Shows both texts when they differ.
#define CHECK_TEXT(found, wanted) check_text(__FILE__, __LINE__, found, wanted)
void check_text(const char *file, int line, const char *found, const char *wanted);

// The bytes of a file of the current directory, as text; empty when it is not there.
const char *file_text(const char *name);
void write_text(const char *name, const char *text, unsigned mode);

void check_texts(void);
void check_specifications(void);
void check_logs(void);
void check_files(void);
void check_explanations(void);
void check_trees(void);
