/* SPDX-License-Identifier: MIT */
/* ring_named.c: rings that have a file of their own (object.h). */
#include "sync/object.h"
#include "sync/ring.h"

#include <stdlib.h>

struct acre_ring_file {
    acre__mapping map;
};

_Static_assert(ACRE__TAG(ACRE_RING_SPSC) == ACRE__SPSC &&
                   ACRE__TAG(ACRE_RING_BYTES) == ACRE__BYTES &&
                   ACRE__TAG(ACRE_RING_MPMC) == ACRE__MPMC &&
                   ACRE__TAG(ACRE_RING_BROADCAST) == ACRE__BROADCAST,
               "kinds are one list");

/* ---- the kinds ---- */

static size_t ring_named_size(uint32_t kind, const acre_ring_options *o)
{
    switch (kind) {
    case ACRE_RING_SPSC:
        return acre_spsc_size(o->capacity, o->message);
    case ACRE_RING_BYTES:
        return acre_bytes_size(o->capacity);
    case ACRE_RING_MPMC:
        return acre_mpmc_size(o->capacity, o->message);
    case ACRE_RING_BROADCAST:
        return acre_broadcast_size(o->capacity, o->message, o->consumers);
    default:
        return 0;
    }
}

typedef struct ring_named_wanted {
    acre__object_plan plan;
    const acre_ring_options *options;
} ring_named_wanted;

static int ring_named_init(void *object, const void *arg)
{
    const ring_named_wanted *w = arg;
    const acre_ring_options *o = w->options;
    switch (w->plan.kind) {
    case ACRE_RING_SPSC:
        return acre_spsc_init(object, w->plan.size, o->capacity, o->message);
    case ACRE_RING_BYTES:
        return acre_bytes_init(object, w->plan.size, o->capacity);
    case ACRE_RING_MPMC:
        return acre_mpmc_init(object, w->plan.size, o->capacity, o->message);
    default:
        return acre_broadcast_init(object, w->plan.size, o->capacity, o->message, o->consumers);
    }
}

/* The header's count is the capacity, for tools. */
static int ring_named_plan(ring_named_wanted *w, uint32_t kind, const acre_ring_options *o)
{
    size_t size = o ? ring_named_size(kind, o) : 0;
    if (size == 0)
        return EINVAL;
    w->options = o;
    w->plan = (acre__object_plan){.kind = kind,
                                  .count = o->capacity,
                                  .size = size,
                                  .mode = o->mode,
                                  .init = ring_named_init,
                                  .arg = w};
    return 0;
}

static acre__object_wish ring_named_wish(uint32_t kind, const acre_ring_options *o)
{
    return (acre__object_wish){.kind = kind, .any_owner = o && o->any_owner};
}

/* ---- creating and opening ---- */

static int ring_named_finish(acre_ring_file **out, acre_ring_file *f, int e)
{
    if (e)
        free(f);
    else
        *out = f;
    return e;
}

int acre_ring_create(acre_ring_file **out, enum acre_ring_kind kind, const char *name,
                     const acre_ring_options *o)
{
    ring_named_wanted w;
    int e = ring_named_plan(&w, kind, o);
    if (e)
        return e;
    acre_ring_file *f = calloc(1, sizeof *f);
    return f ? ring_named_finish(out, f, acre__object_create(&f->map, name, &w.plan)) : ENOMEM;
}

int acre_ring_open(acre_ring_file **out, enum acre_ring_kind kind, const char *name,
                   const acre_ring_options *o)
{
    acre__object_wish wish = ring_named_wish(kind, o);
    if (kind < ACRE_RING_SPSC || kind > ACRE_RING_BROADCAST)
        return EINVAL;
    acre_ring_file *f = calloc(1, sizeof *f);
    return f ? ring_named_finish(out, f, acre__object_open(&f->map, name, &wish)) : ENOMEM;
}

int acre_ring_open_or_create(acre_ring_file **out, enum acre_ring_kind kind, const char *name,
                             const acre_ring_options *o, bool *created)
{
    ring_named_wanted w;
    acre__object_wish wish = ring_named_wish(kind, o);
    int e = ring_named_plan(&w, kind, o);
    if (e)
        return e;
    acre_ring_file *f = calloc(1, sizeof *f);
    if (!f)
        return ENOMEM;
    e = acre__object_open_or_create(&f->map, name, &w.plan, &wish, created);
    return ring_named_finish(out, f, e);
}

/* ---- using, closing, removing ---- */

void *acre_ring_object(const acre_ring_file *f)
{
    return acre__object_of(&f->map);
}

size_t acre_ring_size(const acre_ring_file *f)
{
    return acre__object_room(&f->map);
}

int acre_ring_close(acre_ring_file *f)
{
    int e = f ? acre__object_close(&f->map) : 0;
    if (!e)
        free(f);
    return e;
}

int acre_ring_remove(const char *name)
{
    return acre__object_remove(name);
}
