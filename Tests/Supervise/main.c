#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"

int checks_failed;

void check_text(const char *file, int line, const char *found, const char *wanted) {
    if (strcmp(found, wanted) == 0) return;
    checks_failed++;
    fprintf(stderr, "%s:%d:\n  found  %s\n  wanted %s\n", file, line, found, wanted);
}

const char *file_text(const char *name) {
    static char text[1 << 20];
    int fd = open(name, O_RDONLY);
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    if (fd >= 0) close(fd);
    text[n < 0 ? 0 : n] = 0;
    return text;
}

void write_text(const char *name, const char *text, unsigned mode) {
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, mode);
    CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
    chmod(name, mode);
}

int main(void) {
    void (*const rooms[])(void) = {
        check_texts, check_specifications, check_logs, check_files, check_explanations, check_trees};
    for (unsigned i = 0; i < sizeof rooms / sizeof *rooms; i++) {
        char directory[] = "/tmp/agentos-supervise.XXXXXX", command[64];
        if (!mkdtemp(directory) || chdir(directory) != 0) return 2;
        rooms[i]();
        if (chdir("/") != 0) return 2;
        snprintf(command, sizeof command, "rm -rf %s", directory);
        if (system(command) != 0) return 2;
    }
    fprintf(stderr, checks_failed ? "%d checks of the supervisor failed\n" : "the supervisor's checks hold\n", checks_failed);
    return checks_failed ? 1 : 0;
}
