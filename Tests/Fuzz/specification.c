// Any bytes for the reader of specifications: they are taken apart or refused, and nothing outside of them is touched.
#include "../../Sources/agentos-supervise/specification.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *bytes = malloc(size ? size : 1);
    memcpy(bytes, data, size);
    struct specification spec = {0};
    if (specification_parse(&spec, bytes, size) == 0) {
        size_t total = 0;
        for (char **item = spec.argv; *item; item++) total += strlen(*item);
        for (char **item = spec.envp; *item; item++) total += strlen(*item);
        for (int i = 0; i < spec.read_count; i++) total += strlen(spec.readable[i]);
        for (int i = 0; i < spec.write_count; i++) total += strlen(spec.writable[i]);
        for (size_t i = 0; i < spec.filter_bytes; i++) total += spec.filter[i];
        if (total > size + 256 * spec.filter_bytes || !spec.argv[0]) abort();
    }
    int count = spec.cgroup_count;
    specification_forget(&spec);
    for (int i = 0; i < spec.cgroup_count; i++) count -= strlen(spec.cgroups[i]) > size;
    if (spec.cgroup_count) free((char *)spec.cgroups[0]);
    free(bytes);
    return count < 0;
}
