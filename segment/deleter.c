/* SPDX-License-Identifier: MIT */
/* deleter.c: what this process does at the end of an object, by number; single owners and guards, which do the same.
 *
 * A table that only grows: an entry is its id's for ever once a store has put it there, so nobody needs a lock. */
#include "segment/internal.h"

#include <string.h>

enum { DELETERS = 256 };

typedef struct deleter_line {
    uint32_t id;
    acre_deleter *fn; /* NULL: not registered (any more) */
    void *arg;
} deleter_line;

static deleter_line deleter_table[DELETERS];

/* The entry that has the id, or the free one where it belongs; NULL: there is neither. */
static deleter_line *deleter_find(uint32_t id)
{
    for (uint32_t i = 0; i < DELETERS; i++) {
        deleter_line *d = &deleter_table[(id + i) % DELETERS];
        uint32_t found = acre__load(&d->id);
        if (found == id || found == 0)
            return d;
    }
    return NULL;
}

static deleter_line *deleter_entry(uint32_t id)
{
    for (;;) {
        deleter_line *d = deleter_find(id);
        uint32_t free = 0;
        if (!d || acre__load(&d->id) == id || acre__cas(&d->id, &free, id))
            return d;
    }
}

static acre_deleter *deleter_function(uint32_t id, void **arg)
{
    deleter_line *d = id ? deleter_find(id) : NULL;
    acre_deleter *fn = d && acre__load(&d->id) == id ? acre__load(&d->fn) : NULL;
    if (fn)
        *arg = acre__peek(&d->arg);
    return fn;
}

uint32_t acre_deleter_id(const char *name)
{
    uint32_t hash = 2166136261u;
    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * 16777619u;
    return hash ? hash : 1;
}

int acre_deleter_register(uint32_t id, acre_deleter *fn, void *arg)
{
    deleter_line *d = id && fn ? deleter_entry(id) : NULL;
    if (!d)
        return id && fn ? ENOMEM : EINVAL;
    acre_deleter *there = acre__load(&d->fn);
    if (there)
        return there == fn && acre__peek(&d->arg) == arg ? 0 : EEXIST;
    acre__put(&d->arg, arg);
    acre__store(&d->fn, fn);
    return 0;
}

int acre_deleter_unregister(uint32_t id)
{
    void *arg;
    if (!deleter_function(id, &arg))
        return ENOENT;
    acre__store(&deleter_find(id)->fn, (acre_deleter *)NULL);
    return 0;
}

bool acre__deleter_known(uint32_t id)
{
    void *arg;
    return id == 0 || deleter_function(id, &arg);
}

int acre__deleter_run(acre_segment *s, uint32_t id, void *object)
{
    void *arg = NULL;
    acre_deleter *fn = deleter_function(id, &arg);
    if (id && !fn)
        return ACRE_EDELETER;
    if (fn)
        fn(arg, s, object);
    return 0;
}

/* ---- one owner ---- */

/* The deleter comes last: what is not zeroed yet is only freed. */
int acre_unique_make(acre_segment *s, acre_unique *u, size_t size, uint32_t deleter)
{
    int e = 0;
    if (u->object)
        return EEXIST;
    acre__put(&u->deleter, (uint64_t)0);
    acre__order();
    if (acre_segment_offset(s, u))
        e = acre_alloc_into(&s->heap, &u->object, size);
    else
        u->object = acre_segment_offset(s, acre_alloc(&s->heap, size));
    if (e || !u->object)
        return e ? e : ENOMEM;
    memset(s->base + u->object, 0, size);
    acre__order();
    acre__put(&u->deleter, (uint64_t)deleter);
    return 0;
}

/* The heap's journal makes the three stores one. */
static int unique_move_noted(acre_segment *s, acre_unique *to, acre_unique *from)
{
    int e = acre__heap_enter(&s->heap);
    if (e)
        return e;
    acre_set64(&s->heap.region, &to->deleter, from->deleter);
    acre_set64(&s->heap.region, &to->object, from->object);
    acre_set64(&s->heap.region, &from->object, 0);
    acre__heap_leave(&s->heap);
    return 0;
}

int acre_unique_move(acre_segment *s, acre_unique *to, acre_unique *from)
{
    acre__reference_undo(s);
    if (acre__peek(&to->object))
        return EEXIST;
    if (acre_segment_offset(s, to) && acre_segment_offset(s, from))
        return unique_move_noted(s, to, from);
    acre__put(&to->deleter, from->deleter);
    acre__order();
    acre__put(&to->object, from->object);
    acre__order();
    acre__put(&from->object, (acre_off)0);
    return 0;
}

int acre_unique_reset(acre_segment *s, acre_unique *u)
{
    acre__reference_undo(s);
    acre_off at = acre__peek(&u->object);
    void *object = acre_segment_address(s, at);
    if (!at)
        return 0;
    if (!object || u->deleter > UINT32_MAX)
        return ACRE_EINVALID;
    if (s->read_only)
        return EROFS;
    int e = acre__deleter_run(s, (uint32_t)u->deleter, object);
    if (e)
        return e;
    if (acre_segment_offset(s, u))
        return acre_free_from(&s->heap, &u->object);
    e = acre_free(&s->heap, object);
    if (!e)
        u->object = 0;
    return e;
}

void acre_scoped_end(acre_scoped *g)
{
    acre_unique u = {acre_scoped_keep(g), g->deleter};
    if (u.object && acre_unique_reset(g->segment, &u) != 0)
        g->object = u.object;
}
