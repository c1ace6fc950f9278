/* SPDX-License-Identifier: MIT */
/* library.h: finding the shared objects that the build puts beside its programs. */
#ifndef ACRE_BENCH_LIBRARY_H
#define ACRE_BENCH_LIBRARY_H

#include "bench/boost_sync.h"

/* Loads `file` (libacre_boost.so …) from beside the executable, above it (tests lie deeper), as
 * installed, or where libraries are.  A handle of dlopen(), or NULL: it is not built. */
void *acre_library_load(const char *file);

/* The tables of libacre_boost_sync.so, or NULL: it is not built. */
const boost_sync *acre_library_boost_sync(void);

#endif
