/* SPDX-License-Identifier: MIT */
/* Negative control: small locks with one mistake each.  The explorer must find every one. */
#include "tests/explore/section.h"

typedef struct state {
    acre_cell cell;
    section section;
    uint32_t word, want[2];
} state;

static state *get(void)
{
    return EXPLORE_SHARED(state);
}

static void in_section(int e)
{
    section_enter(&get()->section, e);
    section_leave(&get()->section);
}

/* ---- a futex lock: 0 free, 1 owned, 2 somebody may sleep ---- */

static void futex_unlock(void)
{
    if (acre__swap(&get()->word, 0) == 2)
        acre__wake(&get()->word, 1);
}

/* Right, so that the others' mistakes are not the frame's. */
static void futex_right(void)
{
    uint32_t seen = 0;
    if (!acre__cas(&get()->word, &seen, 1))
        while (acre__swap(&get()->word, 2) != 0)
            acre__park(&get()->word, 2, NULL);
    in_section(0);
    futex_unlock();
}

/* Forgets that others may sleep, too, when it has slept. */
static void futex_clears_waiters_early(void)
{
    for (uint32_t seen = 0; !acre__cas(&get()->word, &seen, 1); seen = 0)
        if (seen == 2 || acre__cas(&get()->word, &seen, 2))
            acre__park(&get()->word, 2, NULL);
    in_section(0);
    futex_unlock();
}

/* Sleeps while the word is whatever it is now. */
static void futex_does_not_look_again(void)
{
    for (uint32_t seen = 0; !acre__cas(&get()->word, &seen, 1); seen = 0)
        if (seen == 2 || acre__cas(&get()->word, &seen, 2))
            acre__park(&get()->word, acre__peek(&get()->word), NULL);
    in_section(0);
    futex_unlock();
}

static void futex_wakes_before_it_frees(void)
{
    uint32_t seen = 0;
    if (!acre__cas(&get()->word, &seen, 1))
        while (acre__swap(&get()->word, 2) != 0)
            acre__park(&get()->word, 2, NULL);
    in_section(0);
    if (acre__peek(&get()->word) == 2)
        acre__wake(&get()->word, 1);
    acre__store(&get()->word, 0);
}

/* ---- Dekker: each says what it wants and looks at the other ---- */

static void dekker(bool announce_first)
{
    uint32_t *mine = &get()->want[explore_me()], *other = &get()->want[!explore_me()];
    if (announce_first)
        acre__store(mine, 1);
    bool free = !acre__load(other);
    if (!announce_first)
        acre__store(mine, 1);
    if (free)
        in_section(0);
    acre__store(mine, 0);
}

static void dekker_right(void)
{
    dekker(true);
}

static void dekker_looks_first(void)
{
    dekker(false);
}

/* ---- robust cells ---- */

static void cell_lock_and_leave(void)
{
    acre__self *s = acre__self_get();
    section_may_write(&get()->section);
    int e = acre__cell_lock(s, &get()->cell, NULL);
    in_section(e);
    acre__cell_consistent(s, &get()->cell);
    acre__cell_release(s, &get()->cell);
}

/* Killed between taking and naming it, nobody is told. */
static void cell_named_after_it_is_taken(void)
{
    acre__self *s = acre__self_get();
    section_may_write(&get()->section);
    uint32_t free = 0;
    if (acre__cas(&get()->cell.word, &free, s->tid)) {
        acre__announce(s, &get()->cell.word);
        acre__list_add(s, &get()->cell, s->anchor.next);
        acre__cell_release(s, &get()->cell);
    }
}

/* The next owner has changed the link by then. */
static void cell_unlinked_after_it_is_free(void)
{
    acre__self *s = acre__self_get();
    section_may_write(&get()->section);
    int e = acre__cell_lock(s, &get()->cell, NULL);
    in_section(e);
    acre__cell_consistent(s, &get()->cell);
    acre__announce(s, &get()->cell.word);
    if (acre__swap(&get()->cell.word, 0) & ACRE__W)
        acre__wake(&get()->cell.word, 1);
    acre__list_remove(s, &get()->cell);
    acre__announce_none(s);
    for (uint64_t end = (uintptr_t)&s->head->list, at = s->anchor.next; at != end;
         at = *(uint64_t *)(uintptr_t)at)
        EXPLORE_CHECK(at == (uintptr_t)&get()->cell.next);
}

/* Killed between giving it back and the wake-up, the kernel does not know whom to wake.  A nap
 * would repair it; .strict forbids naps. */
static void cell_unnamed_before_the_wake(void)
{
    acre__self *s = acre__self_get();
    section_may_write(&get()->section);
    uint32_t free = 0;
    if (!acre__cell_claim(s, &get()->cell, &free, s->tid))
        return;
    acre__announce(s, &get()->cell.word);
    acre__list_remove(s, &get()->cell);
    uint32_t old = acre__swap(&get()->cell.word, 0);
    acre__announce_none(s);
    if (old & ACRE__W)
        acre__wake(&get()->cell.word, 1);
}

static const explore_scenario scenarios[] = {
    EXPLORE_ALL("futex lock, right", 2, 0, 0, NULL, NULL, futex_right, futex_right, futex_right),
    EXPLORE_BUG("forgets other sleepers", 2, 0, 0, "lost wake-up", futex_clears_waiters_early,
                futex_clears_waiters_early, futex_clears_waiters_early),
    EXPLORE_BUG("does not look again before it sleeps", 2, 0, 0, "lost wake-up",
                futex_does_not_look_again, futex_does_not_look_again),
    EXPLORE_BUG("wakes before it frees", 2, 0, 0, "lost wake-up", futex_wakes_before_it_frees,
                futex_wakes_before_it_frees),
    EXPLORE_ALL("Dekker, right", 4, 0, 0, NULL, NULL, dekker_right, dekker_right),
    EXPLORE_BUG("Dekker, looks before it announces", 2, 0, 0, "inside == ", dekker_looks_first,
                dekker_right),
    EXPLORE_ALL("cell, right", 3, 1, EXPLORE_STRICT, NULL, NULL, cell_lock_and_leave,
                cell_lock_and_leave),
    EXPLORE_BUG("cell named after it is taken", 2, 1, 0, "deadlock", cell_named_after_it_is_taken,
                cell_lock_and_leave),
    EXPLORE_BUG("cell unlinked after it is free", 2, 0, 0, "at == ", cell_unlinked_after_it_is_free,
                cell_lock_and_leave),
    EXPLORE_BUG("cell unnamed before the wake-up", 2, 1, EXPLORE_STRICT, "lost wake-up",
                cell_unnamed_before_the_wake, cell_lock_and_leave),
};
EXPLORE_GROUP(broken, scenarios)
