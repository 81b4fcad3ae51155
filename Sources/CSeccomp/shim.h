#include <seccomp.h>
#include <errno.h>
// Macros with casts, which Swift cannot import.
static const uint32_t agentos_scmp_allow = SCMP_ACT_ALLOW;
static const uint32_t agentos_scmp_missing = SCMP_ACT_ERRNO(ENOSYS);
static const uint32_t agentos_scmp_refused = SCMP_ACT_ERRNO(EPERM);
static const int agentos_scmp_unknown = __NR_SCMP_ERROR;
