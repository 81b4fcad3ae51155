// Words for what the kernel says with one number: which file, directory, variable or limit is meant, and what to do.
#pragma once
#include "specification.h"
#include "text.h"

void explain_exec(struct text *t, const struct specification *spec, int error);
void explain_directory(struct text *t, const struct specification *spec, int error);
void explain_limit(struct text *t, const struct specification *spec);
