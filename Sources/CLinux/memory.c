#include <malloc.h>
#include <sys/prctl.h>

#include "CLinux.h"

int agentos_not_dumpable(void) { return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); }

void agentos_keep_free_memory(int bytes) { mallopt(M_TRIM_THRESHOLD, bytes); }
