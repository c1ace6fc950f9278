/* SPDX-License-Identifier: MIT */
/* queue_named.c: queues that have a file of their own (object.h). */
#include "sync/object.h"
#include "sync/queue.h"

#include <stdlib.h>

static int named_queue_init(void *object, const void *options)
{
    return acre_queue_init(object, options);
}

/* The header's count is the capacity, for tools. */
static acre__object_plan named_queue_plan(const acre_queue_options *o)
{
    return (acre__object_plan){.kind = ACRE__QUEUE_KIND,
                               .count = o->capacity,
                               .size = acre_queue_size(o),
                               .mode = o->mode,
                               .init = named_queue_init,
                               .arg = o};
}

static acre__object_wish named_queue_wish(const acre_queue_options *o)
{
    return (acre__object_wish){.kind = ACRE__QUEUE_KIND, .any_owner = o && o->any_owner};
}

/* The handle takes the mapping over. */
static int named_queue_attach(acre_queue **out, acre__mapping *m)
{
    acre__mapping *kept = malloc(sizeof *kept);
    int e = kept ? acre__queue_attach_mapped(out, acre__object_of(m), acre__object_room(m), kept)
                 : ENOMEM;
    if (e) {
        free(kept);
        acre__object_close(m);
        return e;
    }
    *kept = *m;
    return 0;
}

int acre_queue_create(acre_queue **out, const char *name, const acre_queue_options *o)
{
    acre__mapping m;
    int e = acre__queue_options_error(o);
    if (e)
        return e;
    acre__object_plan plan = named_queue_plan(o);
    e = acre__object_create(&m, name, &plan);
    return e ? e : named_queue_attach(out, &m);
}

int acre_queue_open(acre_queue **out, const char *name, const acre_queue_options *o)
{
    acre__mapping m;
    acre__object_wish wish = named_queue_wish(o);
    int e = acre__object_open(&m, name, &wish);
    return e ? e : named_queue_attach(out, &m);
}

int acre_queue_open_or_create(acre_queue **out, const char *name, const acre_queue_options *o,
                              bool *created)
{
    acre__mapping m;
    int e = acre__queue_options_error(o);
    if (e)
        return e;
    acre__object_plan plan = named_queue_plan(o);
    acre__object_wish wish = named_queue_wish(o);
    e = acre__object_open_or_create(&m, name, &plan, &wish, created);
    return e ? e : named_queue_attach(out, &m);
}

int acre_queue_remove(const char *name)
{
    return acre__object_remove(name);
}

int acre_queue_close(acre_queue *q)
{
    if (!q)
        return 0;
    if (acre__self_holds_in(q->shared, q->size))
        return EBUSY;
    acre__queue_poll_end(q);
    if (q->mapping)
        acre__object_close(q->mapping);
    free(q->mapping);
    free(q);
    return 0;
}
