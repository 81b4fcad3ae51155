// Libraries that are loaded by the first call of one of their functions: each start of the program would pay for them.
// Nothing links them; `scripts/loaded` finds their names.

extern void *agentos_library_function(const char *library, const char *name);
extern const char *agentos_library_problem(const char *library);

/// A function of a library, found once.
#define AGENTOS_LAZY_FROM(library, name) __extension__({ \
    static __typeof__(name) *found; \
    __typeof__(name) *known = __atomic_load_n(&found, __ATOMIC_ACQUIRE); \
    if (!known) { \
        known = (__typeof__(name) *)agentos_library_function(library, #name); \
        __atomic_store_n(&found, known, __ATOMIC_RELEASE); \
    } \
    known; })
