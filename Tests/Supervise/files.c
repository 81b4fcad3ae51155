#include "../../Sources/agentos-supervise/files.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"

void check_files(void) {
    struct specification spec = {
        .boot = "boot", .store = "store", .cgroup_count = 2, .cgroups = {"/sys/fs/cgroup/a", "/sys/fs/cgroup/b"}};
    CHECK(write_claim(&spec) == 0);
    char claim[256];
    strcpy(claim, file_text("claim"));
    CHECK(strncmp(claim, "supervisor ", 11) == 0 && strstr(claim, " boot store\n"));
    // Exactly one taker wins, and the loser changes nothing.
    CHECK(write_claim(&spec) == EEXIST);
    CHECK_TEXT(file_text("claim"), claim);

    CHECK(write_process(&spec, getpid(), 7) == 0);
    const char *process = file_text("process");
    CHECK(strncmp(process, "format 1\npid ", 13) == 0 && strstr(process, "\nstore store\n"));
    CHECK(strstr(process, "\nat 7\ncgroup /sys/fs/cgroup/a\ncgroup /sys/fs/cgroup/b\n"));

    reserve_exit();
    struct stat status;
    CHECK(stat(".exit", &status) == 0 && status.st_blocks > 0 && stat("exit", &status) != 0);
    struct ending crash = {"Error", "code", 3, NULL};
    CHECK(write_end(&crash, 0) == 0);
    CHECK(strncmp(file_text("ending"), "format 1\nreason Error\ncode 3\nat ", 32) == 0);
    CHECK(stat("exit", &status) != 0);
    CHECK(finish_ending() == 0 && stat("ending", &status) != 0);
    CHECK(strncmp(file_text("exit"), "format 1\nreason Error\ncode 3\nat ", 32) == 0);

    // Without the reserved room the exit is written all the same.
    unlink("exit");
    struct ending failure = {"StartError", NULL, 0, "words"};
    CHECK(write_end(&failure, 1) == 0);
    CHECK(strstr(file_text("exit"), "\nmessage words\n") && stat(".exit.new", &status) != 0);

    CHECK(!is_directory_gone());
    CHECK(mkdir("gone", 0700) == 0 && chdir("gone") == 0 && rmdir("../gone") == 0);
    CHECK(is_directory_gone());
    CHECK(write_end(&failure, 1) != 0);
}
