/* SPDX-License-Identifier: MIT */
/* section.h: what a lock protects, and how a scenario notices that it did not. */
#ifndef ACRE_EXPLORE_SECTION_H
#define ACRE_EXPLORE_SECTION_H

#include "tests/explore/explore.h"

/* inside: the writer in the section + 1, 0 none.  readers: a bit each. */
typedef struct section {
    uint32_t inside, readers, count;
} section;

/* A writer comes in with what its lock said: OWNER_DEAD, and only that, may find a dead one inside.
 */
static inline void section_enter(section *s, int said)
{
    EXPLORE_CHECK(said == 0 || said == ACRE_OWNER_DEAD);
    EXPLORE_CHECK(said == 0 || explore_has_died());
    uint32_t inside = acre__peek(&s->inside);
    EXPLORE_CHECK(inside == 0 || said == ACRE_OWNER_DEAD);
    EXPLORE_CHECK(inside == 0 || explore_dead(inside - 1));
    acre__put(&s->inside, explore_me() + 1);
    uint32_t count = acre__peek(&s->count);
    acre__put(&s->count, count + 1);
    EXPLORE_CHECK(s->inside == explore_me() + 1 && s->count == count + 1);
}

static inline void section_leave(section *s)
{
    EXPLORE_CHECK(acre__peek(&s->inside) == explore_me() + 1);
    acre__put(&s->inside, 0);
}

#endif
