/* SPDX-License-Identifier: MIT */
/* hold_boost.c: whatever Boost.Interprocess locks, in loops that its own library holds. */
#include "bench/library.h"
#include "bench/sync/hold.h"

#include <string.h>

enum { HOLD_BOOST_ROWS = 16 };

static const char *hold_boost_init(const hold_kind *k, void *object)
{
    const boost_lock *row = k->table;
    return row->init(object, hold_file()) ? "Boost threw" : NULL;
}

static void hold_boost_destroy(const hold_kind *k, void *object)
{
    const boost_lock *row = k->table;
    row->destroy(object);
}

static const char *hold_boost_init_semaphore(const hold_kind *k, void *object)
{
    const boost_semaphore *s = k->table;
    return s->init(object, 1) ? "Boost threw" : NULL;
}

static void hold_boost_destroy_semaphore(const hold_kind *k, void *object)
{
    const boost_semaphore *s = k->table;
    s->destroy(object);
}

static bool hold_boost_reads(const boost_lock *row)
{
    return strstr(row->name, "_shared") || strstr(row->name, "_upgradable");
}

static hold_kind hold_boost_kind(const boost_lock *row)
{
    return (hold_kind){.primitive = row->name,
                       .implementation = "boost",
                       .size = row->size,
                       .shared = hold_boost_reads(row),
                       .table = row,
                       .init = hold_boost_init,
                       .destroy = hold_boost_destroy,
                       .rounds = row->rounds};
}

static hold_kind hold_boost_semaphore(const boost_semaphore *s)
{
    return (hold_kind){.primitive = "semaphore",
                       .implementation = "boost",
                       .size = s->size,
                       .table = s,
                       .init = hold_boost_init_semaphore,
                       .destroy = hold_boost_destroy_semaphore,
                       .rounds = s->rounds};
}

void hold_boost(void)
{
    static hold_kind kind[HOLD_BOOST_ROWS];
    const boost_sync *boost = acre_library_boost_sync();
    if (!boost)
        return;
    size_t n = 0;
    for (const boost_lock *row = boost->lock; row->name && n + 1 < HOLD_BOOST_ROWS; row++)
        kind[n++] = hold_boost_kind(row);
    kind[n++] = hold_boost_semaphore(&boost->semaphore);
    for (size_t i = 0; i < n; i++)
        hold_add(&kind[i]);
}
