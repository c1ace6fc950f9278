/* SPDX-License-Identifier: MIT */
/* The laboratory has teeth: locks that are wrong in one way each, and what it says of them. */
#include "tests/support_lab.h"

#include "sync/cell.h"

#include <string.h>

enum { LAB_HASTY_MS = 100, LAB_ATTEMPTS = 20, LAB_HELD = 10 };

static bool lab_says(const lab_count *n, const char *text)
{
    return strstr(n->text, text) != NULL;
}

/* ---- nobody tells the kernel: a plain futex mutex ---- */

static void plain_lock(void *shared)
{
    uint32_t *word = shared, free = 0;
    while (!acre__cas(word, &free, 1)) {
        acre__park(word, 1, NULL);
        free = 0;
    }
}

static void plain_unlock(void *shared)
{
    acre__swap((uint32_t *)shared, 0);
    acre__wake(shared, 1);
}

static int plain_found(void *shared)
{
    plain_lock(shared);
    return LAB_EITHER;
}

ACRE_TEST(sync_lab, finds_a_lock_that_dies_with_its_owner)
{
    static const lab_scenario s = {.primitive = "control",
                                   .operation = "plain futex",
                                   .victim = plain_lock,
                                   .verify = plain_found,
                                   .flags = LAB_SINGLE,
                                   .patience_ms = LAB_HASTY_MS};
    lab_count n = lab_step(&s);
    ACRE_CHECK(n.hangs > 0 && n.recovered > 0 && n.hangs + n.recovered == n.injected);
    ACRE_CHECK(lab_says(&n, "it hangs"), "%s", n.text);
}

/* ---- one instruction too early: unnamed before the word is free ---- */

static void hasty_lock(void *shared)
{
    acre__self *s = acre__self_get();
    uint32_t free = 0;
    LAB_EXPECT(acre__cell_claim(s, shared, &free, s->tid));
}

static void hasty_unlock(void *shared)
{
    acre__self *s = acre__self_get();
    acre_cell *c = shared;
    acre__announce(s, &c->word);
    acre__list_remove(s, c);
    acre__announce_none(s);
    acre__swap(&c->word, 0);
}

static int hasty_found(void *shared)
{
    int e = acre__cell_trylock(acre__self_get(), shared);
    LAB_EXPECT(e != EBUSY, "held by nobody");
    return e ? LAB_BEFORE : LAB_AFTER;
}

ACRE_TEST(sync_lab, finds_a_name_that_is_cleared_too_early)
{
    static const lab_scenario s = {.primitive = "control",
                                   .operation = "hasty unlock",
                                   .before = hasty_lock,
                                   .victim = hasty_unlock,
                                   .verify = hasty_found,
                                   .flags = LAB_SINGLE};
    lab_count n = lab_step(&s);
    ACRE_CHECK(n.violations > 0 && n.violations < n.injected);
    ACRE_CHECK(n.hangs == 0 && lab_says(&n, "held by nobody"), "%s", n.text);
}

/* ---- the second death: a recovery that forgets the note before it has undone ---- */

typedef struct lab_noted {
    acre_cell cell;
    uint32_t noted, old;
    uint32_t a, b; /* equal */
} lab_noted;

static void noted_undo(lab_noted *n, bool early)
{
    if (!acre__peek(&n->noted))
        return;
    if (early)
        acre__put(&n->noted, 0);
    acre__order();
    acre__put(&n->a, n->old);
    acre__put(&n->b, n->old);
    acre__order();
    acre__put(&n->noted, 0);
}

static void noted_lock(lab_noted *n, bool early)
{
    acre__self *s = acre__self_get();
    int e = acre__cell_lock(s, &n->cell, NULL);
    if (e)
        noted_undo(n, early);
    if (e)
        acre__cell_consistent(s, &n->cell);
}

static void noted_change(lab_noted *n, bool early)
{
    noted_lock(n, early);
    uint32_t next = n->a + 1;
    acre__put(&n->old, n->a);
    acre__order();
    acre__put(&n->noted, 1);
    acre__order();
    acre__put(&n->a, next);
    acre__order();
    acre__put(&n->b, next);
    acre__order();
    acre__put(&n->noted, 0);
    acre__cell_unlock(acre__self_get(), &n->cell);
}

static void noted_change_well(void *shared)
{
    noted_change(shared, false);
}

static void noted_change_badly(void *shared)
{
    noted_change(shared, true);
}

static int noted_found(void *shared)
{
    lab_noted *n = shared;
    noted_lock(n, false);
    LAB_EXPECT(n->a == n->b, "undone by half");
    return LAB_EITHER;
}

ACRE_TEST(sync_lab, finds_what_only_a_second_death_shows)
{
    lab_scenario s = {.primitive = "control",
                      .operation = "undo",
                      .victim = noted_change_well,
                      .verify = noted_found};
    lab_count n = lab_step(&s);
    ACRE_CHECK(n.violations + n.hangs == 0, "%s", n.text);
    s.victim = noted_change_badly;
    s.flags = LAB_SINGLE;
    n = lab_step(&s);
    ACRE_CHECK(n.violations == 0, "one death shows nothing: %s", n.text);
    s.flags = 0;
    for (int i = 0; i < 20 && !n.violations; i++)
        n = lab_step(&s);
    ACRE_CHECK(n.violations > 0 && lab_says(&n, "death 2"), "%s", n.text);
}

/* ---- a slot that is full before its message is there ---- */

typedef struct lab_slot {
    uint32_t full;
    uint32_t payload[8];
} lab_slot;

static void slot_send(void *shared)
{
    lab_slot *s = shared;
    acre__store(&s->full, 1);
    for (int i = 0; i < 8; i++)
        acre__put(&s->payload[i], 7);
}

static int slot_found(void *shared)
{
    lab_slot *s = shared;
    for (int i = 0; s->full && i < 8; i++)
        LAB_EXPECT(s->payload[i] == 7, "half a message");
    return s->full ? LAB_AFTER : LAB_BEFORE;
}

ACRE_TEST(sync_lab, finds_a_commit_before_the_payload)
{
    static const lab_scenario s = {.primitive = "control",
                                   .operation = "early commit",
                                   .victim = slot_send,
                                   .verify = slot_found,
                                   .flags = LAB_SINGLE};
    lab_count n = lab_step(&s);
    ACRE_CHECK(n.violations > 0 && lab_says(&n, "half a message"), "%s", n.text);
}

/* ---- what others cannot do while the victim stands still ---- */

static void plain_peer(void *shared)
{
    plain_lock(shared);
    plain_unlock(shared);
}

/* Held for a while, so that a sample of the instructions is sure to meet it. */
static void plain_both(void *shared)
{
    plain_lock(shared);
    for (volatile int i = 0; i < LAB_HELD; i++)
        ;
    plain_unlock(shared);
}

static int plain_nothing(void *shared)
{
    (void)shared;
    return LAB_EITHER;
}

ACRE_TEST(sync_lab, finds_a_peer_that_waits_for_a_frozen_one)
{
    static const lab_scenario s = {.primitive = "control",
                                   .operation = "frozen",
                                   .victim = plain_both,
                                   .peer = plain_peer,
                                   .verify = plain_nothing,
                                   .flags = LAB_SINGLE,
                                   .patience_ms = LAB_HASTY_MS};
    lab_count n = {0};
    for (int i = 0; i < LAB_ATTEMPTS && !n.hangs; i++)
        n = lab_step(&s);
    ACRE_CHECK(n.hangs > 0 && n.violations == 0, "%s", n.text);
}

/* ---- random kills ---- */

typedef struct lab_guarded {
    union {
        uint32_t word;
        acre_cell cell;
    };
    lab_stamp stamp;
} lab_guarded;

static void guarded_prepare(void *shared)
{
    (void)shared;
}

static void plain_turn(void *shared, lab_worker *w)
{
    lab_guarded *g = shared;
    plain_lock(&g->word);
    lab_stamp_write(&g->stamp, w, false);
    plain_unlock(&g->word);
}

ACRE_TEST(sync_lab, random_kills_find_a_lock_that_dies_with_its_owner)
{
    static const lab_contest c = {.primitive = "control",
                                  .prepare = guarded_prepare,
                                  .turn = plain_turn,
                                  .patience_ms = LAB_HASTY_MS,
                                  .kills = 100};
    lab_count n = {0};
    for (int i = 0; i < LAB_ATTEMPTS && !n.hangs; i++)
        n = lab_contend(&c);
    ACRE_CHECK(n.hangs > 0 && n.violations == 0, "%s", n.text);
}

/* Robust, but keeps the death to itself. */
static void silent_turn(void *shared, lab_worker *w)
{
    lab_guarded *g = shared;
    acre__self *s = acre__self_get();
    if (acre__cell_lock(s, &g->cell, NULL))
        acre__cell_consistent(s, &g->cell);
    lab_stamp_write(&g->stamp, w, false);
    acre__cell_unlock(s, &g->cell);
}

ACRE_TEST(sync_lab, random_kills_find_a_death_that_is_not_told)
{
    static const lab_contest c = {
        .primitive = "control", .prepare = guarded_prepare, .turn = silent_turn, .kills = 400};
    lab_count n = {0};
    for (int i = 0; i < LAB_ATTEMPTS && !n.violations; i++)
        n = lab_contend(&c);
    ACRE_CHECK(n.violations > 0 && n.hangs == 0, "%s", n.text);
}

/* Waits for a while, then takes it from whoever has it. */
static void impatient_turn(void *shared, lab_worker *w)
{
    lab_guarded *g = shared;
    uint32_t free = 0;
    for (int i = 0; i < 300 && !acre__cas(&g->word, &free, 1); i++)
        free = 0;
    lab_stamp_write(&g->stamp, w, false);
    acre__swap(&g->word, 0);
}

ACRE_TEST(sync_lab, random_kills_find_a_lock_that_robs_the_living)
{
    static const lab_contest c = {
        .primitive = "control", .prepare = guarded_prepare, .turn = impatient_turn, .kills = 400};
    lab_count n = {0};
    for (int i = 0; i < LAB_ATTEMPTS && !n.violations; i++)
        n = lab_contend(&c);
    ACRE_CHECK(n.violations > 0, "%s", n.text);
}
