/* SPDX-License-Identifier: MIT */
/* fingerprint.h: on what a result was measured. */
#ifndef ACRE_BENCH_FINGERPRINT_H
#define ACRE_BENCH_FINGERPRINT_H

#include <jansson.h>

/* A new object: cpu, cores, kernel, governor, thp, libc, compiler, flags, aslr, pmu, clocksource.
 * What cannot be found out is "unknown". */
json_t *acre_fingerprint(void);

/* The commit that this executable was built from, or "unknown". */
const char *acre_fingerprint_commit(void);

#endif
