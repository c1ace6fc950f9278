/* SPDX-License-Identifier: MIT */
/* careless.c: negative controls: algorithms that promise to survive and do not.  They exist only if they
 * are asked for (-a careless_note), and the laboratory must find them (tests/test_crash.c).
 *
 *   careless_note     a free that forgets its last note
 *   careless_unnoted  a free that notes nothing
 *   careless_commit   an allocation that commits before acre_alloc_into() has stored the slot
 *   careless_grow     a heap that grows without notes
 *   careless_hang     a recovery that does not end */
#include "tests/crash/crash.h"

#include <string.h>

static acre_region careless_without_journal(const acre_region *r)
{
    acre_region bare = *r;
    bare.journal = NULL;
    return bare;
}

static const acre_algorithm *careless_sound(void)
{
    return acre_algorithm_find("rbtree_best_fit");
}

static int careless_note_free(acre_region *r, void *p)
{
    int e = careless_sound()->free(r, p);
    if (!e && r->journal && r->journal->count)
        ACRE_PUT(r->journal->count, r->journal->count - 1);
    return e;
}

static int careless_unnoted_free(acre_region *r, void *p)
{
    acre_region bare = careless_without_journal(r);
    return careless_sound()->free(&bare, p);
}

static void *careless_commit_alloc(acre_region *r, size_t size, size_t align)
{
    void *p = careless_sound()->alloc(r, size, align);
    acre_commit(r);
    return p;
}

static int careless_grow_grow(acre_region *r, size_t size)
{
    acre_region bare = careless_without_journal(r);
    return careless_sound()->grow(&bare, size);
}

static void careless_hang_recover(acre_region *r)
{
    for (volatile bool for_ever = true; for_ever && r;)
        ;
}

static void careless_note_make(acre_algorithm *a)
{
    a->free = careless_note_free;
}

static void careless_unnoted_make(acre_algorithm *a)
{
    a->free = careless_unnoted_free;
}

static void careless_commit_make(acre_algorithm *a)
{
    a->alloc = careless_commit_alloc;
}

static void careless_grow_make(acre_algorithm *a)
{
    a->grow = careless_grow_grow;
}

static void careless_hang_make(acre_algorithm *a)
{
    a->recover = careless_hang_recover;
}

static const struct careless {
    const char *name;
    void (*make)(acre_algorithm *a);
} careless[] = {
    {"careless_note", careless_note_make},     {"careless_unnoted", careless_unnoted_make},
    {"careless_commit", careless_commit_make}, {"careless_grow", careless_grow_make},
    {"careless_hang", careless_hang_make},
};
enum { CARELESS = sizeof careless / sizeof *careless };

void crash_add_careless(const char *wanted)
{
    static acre_algorithm made[CARELESS];
    for (size_t i = 0; i < CARELESS; i++) {
        if (!wanted || !strstr(wanted, careless[i].name))
            continue;
        made[i] = *careless_sound();
        made[i].name = careless[i].name;
        careless[i].make(&made[i]);
        if (acre_algorithm_register(&made[i]) != 0)
            crash_give_up("%s cannot be added", careless[i].name);
    }
}
