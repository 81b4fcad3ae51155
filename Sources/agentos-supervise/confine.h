// What the agent may reach: the file system by landlock, system calls by seccomp.
#pragma once
#include "specification.h"

// A ruleset of landlock, or -1 with errno. Made before the user changes: paths may lie below directories that only
// root may pass.
int make_ruleset(const struct specification *spec);
// Restricts this process to a ruleset for good; -1 with errno.
int restrict_to(int ruleset);
// Installs the filter of system calls, if one is asked for; -1 with errno.
int apply_filter(const struct specification *spec);
