#include "../../Sources/agentos-supervise/specification.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"

// A specification as the daemon writes it; `at` and `instead` replace one of its strings.
static size_t build(char *bytes, int at, const char *instead) {
    static const char *const strings[] = {
        "3", "boot", "store", "1000", "-1", "18", "/home", "1024", "-1", "0600000000000000", "1", "1", "/data",
        "2", "/a", "/b", "1000000", "3", "15", "30000", "1", "/sys/fs/cgroup/x", "2", "sh", "-c", "1", "A=b", "end"};
    size_t n = 0;
    for (int i = 0; i < (int)(sizeof strings / sizeof *strings); i++) {
        const char *string = i == at ? instead : strings[i];
        memcpy(bytes + n, string, strlen(string) + 1);
        n += strlen(string) + 1;
    }
    return n;
}

static int parse(int at, const char *instead) {
    char bytes[1024];
    struct specification spec = {0};
    size_t n = build(bytes, at, instead);
    int result = specification_parse(&spec, bytes, n);
    specification_forget(&spec);
    return result;
}

static void check_whole(void) {
    char bytes[1024];
    struct specification spec = {0};
    size_t n = build(bytes, -1, "");
    CHECK(specification_parse(&spec, bytes, n) == 0);
    CHECK_TEXT(spec.boot, "boot");
    CHECK_TEXT(spec.store, "store");
    CHECK(spec.uid == 1000 && spec.gid == -1 && spec.umask == 022);
    CHECK(spec.files_soft == 1024 && spec.files_hard == -1);
    CHECK(spec.filter_bytes == 8 && memcmp(spec.filter, "\6\0\0\0\0\0\0\0", 8) == 0);
    CHECK(spec.confined && spec.read_count == 1 && spec.write_count == 2);
    CHECK_TEXT(spec.writable[1], "/b");
    CHECK(spec.stop_signal == 15 && spec.grace_ms == 30000);
    CHECK_TEXT(spec.argv[1], "-c");
    CHECK(!spec.argv[2]);
    CHECK_TEXT(spec.envp[0], "A=b");
    CHECK(!spec.envp[1]);
    specification_forget(&spec);
    CHECK(spec.cgroup_count == 1);
    CHECK_TEXT(spec.cgroups[0], "/sys/fs/cgroup/x");
}

void check_specifications(void) {
    check_whole();
    // Nothing that is cut off is taken for a shorter one.
    char bytes[1024], cut[1024];
    size_t n = build(bytes, -1, "");
    for (size_t i = 0; i < n; i++) {
        struct specification spec = {0};
        memcpy(cut, bytes, i);
        CHECK(specification_parse(&spec, cut, i) != 0);
        specification_forget(&spec);
    }
    CHECK(parse(0, "2") != 0);
    static const char *const no_numbers[] = {"", "-", " 1", "1 ", "x", "9223372036854775808", "1e400", "-2", "4294967295"};
    for (unsigned i = 0; i < sizeof no_numbers / sizeof *no_numbers; i++) CHECK(parse(3, no_numbers[i]) != 0);
    CHECK(parse(5, "512") != 0);              // umask
    CHECK(parse(9, "0") != 0);                // half a byte of a filter
    CHECK(parse(9, "060000000000000g") != 0);
    CHECK(parse(9, "") == 0);                 // none
    CHECK(parse(10, "2") != 0);
    CHECK(parse(11, "257") != 0);             // too many paths
    CHECK(parse(18, "65") != 0);              // no such signal
    CHECK(parse(22, "0") != 0);               // the strings that follow are not the end
    CHECK(parse(22, "1048577") != 0);
    CHECK(parse(27, "END") != 0);

    int fd = memfd_create("specification", 0);
    CHECK(write(fd, bytes, n) == (ssize_t)n && lseek(fd, 0, SEEK_SET) == 0);
    struct specification spec = {0};
    CHECK(specification_read(&spec, fd) == 0 && spec.uid == 1000);
    // What is kept is the same without the filter.
    int kept = dup(fd);
    CHECK(specification_keep(&spec, kept) == 0);
    specification_forget(&spec);
    char again[1024], expected[1024];
    size_t expected_length = build(expected, 9, "");
    CHECK(pread(kept, again, sizeof again, 0) == (ssize_t)expected_length);
    CHECK(memcmp(again, expected, expected_length) == 0);
    close(kept);
    CHECK(ftruncate(fd, SPECIFICATION_BYTES_MAX) == 0 && lseek(fd, 0, SEEK_SET) == 0);
    CHECK(specification_read(&spec, fd) != 0);
    specification_forget(&spec);
    close(fd);
}
