#include "CLinux.h"
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

const char *agentos_library_problem(const char *library) {
    return dlopen(library, RTLD_NOW | RTLD_NODELETE) ? NULL : dlerror();
}

void *agentos_library_function(const char *library, const char *name) {
    void *loaded = dlopen(library, RTLD_NOW | RTLD_NODELETE);
    void *found = loaded ? dlsym(loaded, name) : NULL;
    if (found) return found;
    const char *why = dlerror();
    fprintf(stderr, "agentos-apply: a library that is needed cannot be loaded: %s\n", why ? why : library);
    exit(1);
}
