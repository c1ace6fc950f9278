/* SPDX-License-Identifier: MIT */
/* section.h: what a lock protects, and how a scenario notices that it did not. */
#ifndef ACRE_EXPLORE_SECTION_H
#define ACRE_EXPLORE_SECTION_H

#include "tests/explore/explore.h"

/* inside: the writer in the section + 1, 0 none.  readers, writers: a bit each, of those who read,
 * of those who have ever asked to write. */
typedef struct section {
    uint32_t inside, readers, writers, count;
} section;

/* In front of asking for a lock that permits to write. */
static inline void section_may_write(section *s)
{
    s->writers |= 1u << explore_me();
}

/* OWNER_DEAD is said only, and always, if one who could write has died. */
static inline void section_said(const section *s, int said)
{
    bool dead = false;
    for (unsigned i = 0; i < EXPLORE_THREADS; i++)
        dead |= explore_dead(i) && s->writers >> i & 1;
    EXPLORE_CHECK(said == 0 || said == ACRE_OWNER_DEAD);
    EXPLORE_CHECK(said == 0 || dead);
}

static inline bool section_read_on(const section *s)
{
    for (unsigned i = 0; i < EXPLORE_THREADS; i++)
        if (s->readers >> i & 1 && i != explore_me() && !explore_dead(i))
            return true;
    return false;
}

/* A writer comes in with what its lock said. */
static inline void section_enter(section *s, int said)
{
    section_said(s, said);
    uint32_t inside = acre__peek(&s->inside);
    EXPLORE_CHECK(inside == 0 || said == ACRE_OWNER_DEAD);
    EXPLORE_CHECK(inside == 0 || explore_dead(inside - 1));
    EXPLORE_CHECK(!section_read_on(s));
    acre__put(&s->inside, explore_me() + 1);
    uint32_t count = acre__peek(&s->count);
    acre__put(&s->count, count + 1);
    EXPLORE_CHECK(s->inside == explore_me() + 1 && s->count == count + 1);
}

static inline void section_leave(section *s)
{
    EXPLORE_CHECK(acre__peek(&s->inside) == explore_me() + 1);
    EXPLORE_CHECK(!section_read_on(s));
    acre__put(&s->inside, 0);
}

/* A reader comes in and goes: there is never a writer. */
static inline void section_read(section *s)
{
    EXPLORE_CHECK(s->inside == 0);
    acre__or(&s->readers, 1u << explore_me());
    EXPLORE_CHECK(s->inside == 0);
    acre__and(&s->readers, ~(1u << explore_me()));
}

#endif
