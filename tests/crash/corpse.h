/* SPDX-License-Identifier: MIT */
/* corpse.h: a segment as its dead user has left it. */
#ifndef ACRE_TESTS_CRASH_CORPSE_H
#define ACRE_TESTS_CRASH_CORPSE_H

#include "tests/crash/crash.h"

/* Memory that an image is laid into, and that survivors open as a segment of their own. */
typedef struct corpse {
    int fd;
    char *bytes;
    size_t size;
} corpse;

corpse corpse_new(size_t size);
void corpse_free(corpse *k);

/* Lay an image there, with the lock as the kernel leaves a dead owner's, and open it: not yet recovered.
 * 0 or what acre_segment_open() says. */
int corpse_open(corpse *k, const char *image, acre_segment **s);

/* The image's heap has a lock of this kind from now on (enum acre_lock_kind). */
void corpse_choose_lock(char *image, uint32_t kind);

/* In a living segment: somebody has the lock; and a process sleeps until it is free. */
bool corpse_locked(const char *segment);
uint32_t corpse_owner(const char *segment); /* the thread; 0: none */
bool corpse_awaited(const char *segment);

/* Is there anything in the image to be rolled back? */
bool corpse_unfinished(const char *image);

#endif
